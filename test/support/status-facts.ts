/** Destinations for a StatusServer: ordinary ones, and thousands whose texts are hostile. */
import type { Refusal } from '../../src/mail-event.js'
import type { HostPlan, Plan } from '../../src/plan.js'
import { acceptedBy, deferral } from '../../src/haraka/status/outcome.js'
import { MATCHING_TYPE, SELECTOR, USAGE } from '../../src/tlsa.js'
import type { UsableTlsa } from '../../src/tlsa.js'
import { name } from './names.js'
import { writeQueue } from './queue-folder.js'
import { hmailFor } from './status-hmail.js'
import type { StatusServer } from './status-server.js'

const LONG = 'x'.repeat(10_000)

/** What someone might put where a name, a reply or a certificate's subject is shown. */
export const EVIL: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  `' onmouseover='alert(3)`,
  '</title></style></table></main><iframe src=javascript:alert(4)>',
  '<svg/onload=alert(5)><base href=https://attacker.example/>',
  'javascript:alert(6)',
  '<!--',
  ']]><![CDATA[',
  '&#60;script&#62;alert(7)&#60;/script&#62;',
  '<form action=https://attacker.example/><button>Pause</button>',
  '<link rel=stylesheet href=//attacker.example/x.css><meta http-equiv=refresh content=0;url=//attacker.example>',
  '\u202Egnp.elpmaxe\u2066\u200F\u200B\uFEFF',
  '\u0000\u001B[31m\u0007\r\nSet-Cookie: a=b',
  '\u{E0041}\uD800\u2028',
  'пример.испытание',
  'xn--',
  '../../etc/passwd',
  '..%2f..%2fetc',
  '?q=x#y',
  '//attacker.example/',
  '\\\\attacker.example\\',
  '%00%E0%A4%A',
  '',
  '.',
  '..',
  '__proto__',
  'constructor',
  `${LONG}<script>`,
  '<a href=https://attacker.example>x</a>',
]

/** One destination of each kind. */
export function layOrdinary(server: StatusServer): void {
  const { recorder, folder } = server
  const now = Date.now()
  writeQueue(folder, { domain: 'waiting.example', arrived: now, next: now + 3_600_000 })
  tell(server, 'waiting.example', 'mx.waiting.example', '450 4.2.0 later')
  recorder.outcome(hmailFor('open.example'), () => acceptedBy(['mx.open.example']))
}

/** Half of them have mail waiting; DANE holds all of them. */
export function layHostile(server: StatusServer, count: number): void {
  const now = Date.now()
  for (let i = 0; i < count; i++) {
    const [domain, evil] = hostile(i)
    if (i % 2 === 0) {
      writeQueue(server.folder, { domain, arrived: now - i, next: now + 3_600_000 + i })
    }
    tell(server, domain, evil, `${evil} ${LONG}`)
  }
}

/** As many of them get a reply of their hosts, which begins with `word`. */
export function reply({ recorder }: StatusServer, count: number, word: string): void {
  for (let i = 0; i < count; i++) {
    const [domain, evil] = hostile(i)
    const hmail = hmailFor(domain)
    recorder.begin(hmail)
    recorder.outcome(hmail, () => deferral(hmail, { err: `Upstream error: ${word} ${evil}` }))
  }
}

function hostile(i: number): readonly [string, string] {
  const evil = EVIL[i % EVIL.length] ?? ''
  return [i < EVIL.length ? evil : `${i}${evil}`, evil]
}

/** All that can be said of a destination, by DANE and by its host. */
function tell({ recorder }: StatusServer, domain: string, host: string, text: string): void {
  const hmail = hmailFor(domain)
  const refusal: Refusal = { reason: 'certificate-mismatch', host, detail: text }
  const policy = 'opportunistic'
  recorder.begin(hmail)
  recorder.mail(hmail, { kind: 'plan', policy, plan: planFor(host, text) })
  recorder.mail(hmail, { kind: 'refused', policy, refusal })
  recorder.outcome(hmail, () => deferral(hmail, { err: `Upstream error: ${text}` }))
  recorder.outcome(hmail, () => acceptedBy([host]))
  recorder.mail(hmail, {
    kind: 'settled',
    policy,
    outcome: 'deferred',
    destination: domain,
    refusal,
    isKnown: true,
  })
}

function planFor(host: string, text: string): Plan {
  const nextHop = name('mx.example')
  const of = (exchange: string, policy: HostPlan['policy']): HostPlan => ({
    exchange,
    preference: 10,
    addresses: ['192.0.2.1', text],
    policy,
    facts: { kind: 'no-address' },
    tlsa: undefined,
  })
  return {
    kind: 'plan',
    route: { kind: 'mx', nextHop, expandedNextHop: nextHop, security: 'secure' },
    hosts: [
      of(host, {
        kind: 'authenticate',
        tlsaBase: nextHop,
        records: [RECORD],
        referenceNames: [nextHop],
        unusable: [],
      }),
      of(`2 ${host}`, { kind: 'unreachable', reason: 'tlsa-bogus', detail: text }),
      of(`3 ${host}`, { kind: 'opportunistic', reason: 'mx-insecure' }),
    ],
  }
}

const rdata = Buffer.from([3, 1, 1, ...Buffer.alloc(32, 7)])
const RECORD: UsableTlsa = {
  published: { rdata },
  usage: USAGE.daneEe,
  selector: SELECTOR.spki,
  matchingType: MATCHING_TYPE.sha256,
  data: rdata.subarray(3),
}
