/**
 * A process that counts as a worker of Haraka does, until it is killed.
 *
 * Counts one session every millisecond or so with the real Counting and file store, and
 * writes to stdout how many it has counted and how many of them a second ago.
 */
import { Counting } from '../../src/haraka/tlsrpt/counting.js'
import type { EndedSession } from '../../src/mail-event.js'
import { openReportStore } from '../../src/assemble-reports.js'
import { name } from './names.js'

const folder = process.argv[2] ?? ''
const store = openReportStore({ redis: undefined }, folder, 259_200_000)
const counting = new Counting({
  log: { logwarn: console.error, lognotice: console.error },
  store,
  findRecord: () =>
    Promise.resolve({
      kind: 'found',
      isSecure: true,
      record: { rua: [{ kind: 'mailto', address: 'a@example.org' }] },
    }),
  settings: () => ({
    exclude: new Set(),
    sendingIp: { ipv4: undefined, ipv6: undefined },
    isDnssecRequired: false,
  }),
  now: () => Date.now(),
  onCounted: () => undefined,
})
const plain: EndedSession = {
  domain: name('a.example.org'),
  endedAt: 0,
  tlsa: undefined,
  host: 'mx.example.org',
  greeting: undefined,
  localAddress: '127.0.0.1',
  remoteAddress: '127.0.0.1',
  failure: undefined,
}
const hmail = { todo: { domain: 'a.example.org', rcpt_to: [] } }
let counted = 0
setInterval(() => {
  for (let index = 0; index < 5; index++) {
    const failure = index === 0 ? ('starttls-not-offered' as const) : undefined
    counting.hear(hmail, { kind: 'session', session: { ...plain, endedAt: Date.now(), failure } })
    counted++
  }
  process.stdout.write(`${Date.now()} ${counted}\n`)
}, 3)
