/**
 * Reports through a real Haraka, by mail and by HTTPS: despite broken TLS, once, never as a
 * way around DANE for other mail, never to an address of the inside.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'

import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { PLACE } from '../../lab/rows.js'
import { createFileStore } from '../../src/tlsrpt/file-store.js'
import { DAY_MS, utcDay } from '../../src/tlsrpt/day.js'
import { name } from '../support/report-samples.js'
import { ENDPOINT_ADDRESS, startEndpoint } from '../support/report-endpoint.js'
import type { ReportEndpoint } from '../support/report-endpoint.js'
import { arrivedAt, HASTE, MovedClock, TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const asksFor = (label: string, ...rua: readonly string[]) => ({
  domain: `${label}.${PLACE.signed}`,
  records: [`_smtp._tls.${label}.${PLACE.signed}. TXT "v=TLSRPTv1; rua=${rua.join(',')}"`],
})
const UNSIGNED = `asks-unsigned.${PLACE.unsigned}`
const domainOf = (label: string): string =>
  label === 'unsigned' ? UNSIGNED : `asks-${label}.${PLACE.signed}`
const mailto = (label: string): string => `mailto:tls@${label}.${PLACE.signed}`

describe('reports of a Haraka', { concurrency: 4, timeout: 300_000 }, () => {
  let relays: Relays
  let folder: string
  let endpoint: ReportEndpoint
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'dane-reports-'))
    endpoint = await startEndpoint(folder)
    const { port } = endpoint
    relays = await startRelays(
      {
        good: {},
        wrong: { tlsa: 'wrong' },
        ancient: { host: { misbehavior: 'tls-1.1' } },
        plain: { host: { misbehavior: 'no-starttls' } },
        dead: { host: { misbehavior: 'rcpt-550' } },
        slow: { host: { misbehavior: 'rcpt-450' } },
        victim: { tlsa: 'wrong' },
      },
      [
        ...['good', 'wrong', 'ancient', 'plain', 'dead', 'slow', 'victim'].map((label) =>
          asksFor(`asks-${label}`, mailto(label)),
        ),
        asksFor('asks-web', endpoint.url),
        {
          domain: UNSIGNED,
          records: [`_smtp._tls.${UNSIGNED}. TXT "v=TLSRPTv1; rua=${endpoint.url}"`],
        },
        asksFor('asks-inside', `https://inside.${PLACE.signed}:${port}/`),
        asksFor('asks-other', `https://other.${PLACE.signed}:${port}/`),
        {
          domain: PLACE.signed,
          records: [
            ...endpoint.records,
            `inside.${PLACE.signed}. A 127.0.0.1`,
            `other.${PLACE.signed}. AAAA ${ENDPOINT_ADDRESS}`,
          ],
        },
      ],
    )
  })
  after(async () => {
    await relays.laboratory.stop()
    await endpoint.stop()
    rmSync(folder, { recursive: true })
  })

  /** A relay that has counted sessions with these domains yesterday. */
  async function withReports(
    labels: readonly string[],
    work: (relay: Haraka, clock: MovedClock) => Promise<void>,
    more: Partial<HarakaOptions> = {},
    ini = '',
  ): Promise<void> {
    const clock = new MovedClock(mkdtempSync(path.join(folder, 'clock-')))
    await relays.withRelay(
      {
        clockFile: clock.file,
        files: { ...TLSRPT_FILES, 'outbound.ini': OUTBOUND },
        haste: HASTE,
        onLoopback: ENDPOINT_ADDRESS,
        caFile: endpoint.caFile,
        ...more,
      },
      async (relay) => {
        const store = createFileStore({
          folder: path.join(relay.folder, 'tlsrpt'),
          writer: 'test',
          now: () => clock.now(),
        })
        await store.add(
          labels.map((label) => ({
            day: utcDay(clock.now() - DAY_MS),
            domain: name(domainOf(label)),
            policy: { kind: 'no-policy-found', domain: name(domainOf(label)) },
            detail: undefined,
            sessions: 3,
          })),
        )
        // The sender lists the store's domains again.
        clock.move(600_000)
        await work(relay, clock)
      },
      `${TLSRPT_INI}\n${ini}`,
    )
  }

  const reportsAt = async (label: string, domain: string) =>
    (await arrivedAt(relays.hostOf(label))).filter(
      (each) => each.domain === `asks-${domain}.${PLACE.signed}`,
    )

  test('RFC 8460 §3: DANE does not hold a report, and holds other mail to the same host', async () => {
    await withReports(['wrong'], async (relay) => {
      await relay.logged('TLS report delivered')
      const [report, second] = await reportsAt('wrong', 'wrong')
      assert.ok(report)
      assert.equal(second, undefined)
      assert.equal(report.isEncrypted, true, 'STARTTLS is still used')
      assert.match(report.raw, /^TLS-Required: No\r$/m)
      assert.match(
        await deliver(relay, `user@wrong.${PLACE.signed}`),
        /^deferred: .*certificate-mismatch/,
      )
    })
  })

  test('a host that offers no STARTTLS gets it in clear text', async () => {
    await withReports(['plain'], async (relay) => {
      await relay.logged('TLS report delivered')
      assert.equal((await reportsAt('plain', 'plain'))[0]?.isEncrypted, false)
      assert.match(await deliver(relay, `user@plain.${PLACE.signed}`), /^deferred: .*starttls/)
    })
  })

  test('a host whose handshakes fail gets it in clear text at the next attempt', async () => {
    await withReports(['ancient'], async (relay) => {
      await relay.logged('TLS report not accepted yet')
      await relay.logged('TLS report delivered')
      const all = await reportsAt('ancient', 'ancient')
      assert.deepEqual(
        all.map(({ isEncrypted }) => isEncrypted),
        [false],
      )
    })
  })

  test('a mailbox that refuses is left alone; nobody gets a DSN', async () => {
    await withReports(['dead'], async (relay) => {
      await relay.logged('TLS report refused')
      assert.ok(relay.log().some((line) => line.includes('left alone for 1 days')))
      const made = relay.log().filter((line) => line.includes('Sending email via params'))
      assert.equal(made.length, 1)
      // Haraka removes the file after the hook that wrote the line.
      await until('the queue to be empty', async () => (await queueOf(relay)).length === 0)
    })
  })

  test('RFC 8460 §5.5: a mailbox that defers is tried for 24 hours', async () => {
    await withReports(['slow'], async (relay, clock) => {
      await relay.logged('TLS report not accepted yet', 2)
      assert.equal((await queueOf(relay)).length, 1)
      clock.move(DAY_MS)
      await relay.logged('TLS report given up')
      await until('the queue to be empty', async () => (await queueOf(relay)).length === 0)
    })
  })

  test('[TLSRPT-67 TLSRPT-73] by HTTPS, to a public address, with a certificate, by a signed record', async () => {
    const posting = async (relay: Haraka): Promise<void> => {
      for (const kind of ['delivered', 'refused', 'not accepted yet', 'not sent']) {
        await relay.logged(`TLS report ${kind}`)
      }
      const lines = relay.log().filter((line) => line.includes(' to https://'))
      const lineOf = (label: string): string =>
        lines.find((line) => line.includes(`asks-${label}.`)) ?? ''
      assert.match(lineOf('web'), /delivered: .*\/v1\/report \(record signed\): HTTP status 201/)
      assert.match(lineOf('inside'), /refused: .*an address that is not public: 127\.0\.0\.1/)
      assert.match(
        lineOf('unsigned'),
        /not sent: .*\(record not signed\): the record is not signed/,
      )
      assert.match(lineOf('other'), /not accepted yet.*altnames: Host: other\.signed\.example/)
      const [report, second] = endpoint.reports
      assert.match(report?.['report-id'] ?? '', /^\d+\.asks-web\.signed\.example@relay\.example$/)
      assert.equal(report?.policies[0]?.summary['total-successful-session-count'], 3)
      assert.equal(second, undefined)
      // That of the report, and that of the name which the certificate does not have.
      assert.equal(endpoint.connections(), 2)
    }
    const labels = ['web', 'inside', 'other', 'unsigned']
    await withReports(labels, posting, {}, 'require_dnssec = yes\n')
  })

  test('haraka-plugin-dkim adds no second signature, and no hook of it ends Haraka', async () => {
    const files = {
      ...TLSRPT_FILES,
      'outbound.ini': OUTBOUND,
      'dkim.ini': '[sign]\nenabled=true\nselector=other\ndomain=relay.example\n',
      'dkim.private.key': TLSRPT_FILES['tlsrpt.pem'] ?? '',
    }
    await withReports(
      ['good'],
      async (relay) => {
        await relay.logged('TLS report delivered')
        // arrivedAt checks that there is one signature, and that it is ours.
        assert.ok((await reportsAt('good', 'good')).length > 0)
      },
      { files, plugins: ['dane', 'dkim'] },
    )
  })

  test('a mark that was forged or copied does not pass the gate', async () => {
    await withReports(
      ['good', 'victim'],
      async (relay) => {
        await relay.logged('TLS report delivered', 2)
        const kinds = ['true', 'empty', 'made-up', 'copied', 'copied-to-another']
        for (const kind of kinds) {
          const to =
            kind === 'copied' ? `tls@victim.${PLACE.signed}` : `user@victim.${PLACE.signed}`
          const outcome = await deliver(relay, to, `${kind}@forger.example`)
          assert.match(outcome, /^deferred: .*certificate-mismatch/, kind)
        }
        await relay.logged('has the mark of a TLS report but is none', kinds.length)
        const { sessions } = relays.hostOf('victim')
        const others = sessions
          .flatMap(({ messages }) => messages)
          .filter((text) => !text.includes('TLS-Report-Domain'))
        assert.deepEqual(others, [])
      },
      { plugins: ['dane', 'forger'], ownPlugins: { forger: FORGER } },
    )
  })
})

async function queueOf(relay: Haraka): Promise<readonly string[]> {
  return (await readdir(path.join(relay.folder, 'queue'))).filter((file) => /^\d/.test(file))
}

/** Another plugin that sets our note, or keeps one of ours and puts it on other mail. */
const FORGER = `
let genuine
exports.hook_pre_send_trans_email = function (next, connection) {
  const { notes, mail_from } = connection.transaction
  const kind = mail_from.user
  if (notes.dane_tlsrpt) {
    if (notes.dane_tlsrpt.to.includes('victim')) genuine = notes.dane_tlsrpt
    return next()
  }
  const made = { day: '2026-03-01', domain: 'a.example', to: 'user@victim.signed.example', nonce: 'x',
    at: Date.now(), body: '0'.repeat(64), seal: '0'.repeat(64) }
  notes.dane_tlsrpt = { true: {}, empty: [], 'made-up': made, copied: genuine, 'copied-to-another': { ...genuine, to: made.to } }[kind]
  // As a report has it.
  if (kind !== 'empty') mail_from.user = '', mail_from.host = '', mail_from.original = '<>'
  next()
}
`

const OUTBOUND = 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=5s*20'
