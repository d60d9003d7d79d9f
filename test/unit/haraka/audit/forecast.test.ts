/** What a policy would have done with the hosts that Haraka contacted under audit. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Candidate, Decision } from '../../../../src/haraka/attempt/decision.js'
import { createAuditSummary } from '../../../../src/haraka/audit/summary.js'
import { candidateFor, forecast } from '../../../../src/haraka/audit/forecast.js'
import type { AddressResult } from '../../../../src/haraka/audit/address-result.js'
import type { Forecast, Refusal } from '../../../../src/mail-event.js'
import type { Reason } from '../../../../src/reason.js'

const candidate = (host: string, address: string): Candidate => ({
  mx: { exchange: address, from_dns: host },
  host,
  demand: undefined,
})
const refusal = (reason: Reason, host: string): Refusal => ({ reason, host, detail: '' })
const refused = (reason: Reason, host: string): AddressResult => ({
  kind: 'refused',
  refusal: refusal(reason, host),
})

const A1 = candidate('a', '192.0.2.1')
const A2 = candidate('a', '2001:db8::1')
const B = candidate('b', '192.0.2.2')
const deliver = (candidates: readonly Candidate[], ...refusals: readonly Refusal[]): Decision => ({
  kind: 'deliver',
  candidates,
  refusals,
})
const VERIFIED: AddressResult = { kind: 'verified' }
const OPEN: AddressResult = { kind: 'open' }
const DEAD: AddressResult = { kind: 'no-connection' }

type Case = readonly [
  string,
  Decision | undefined,
  readonly (readonly [Candidate | undefined, AddressResult])[],
  boolean,
  string,
]

const cases: readonly Case[] = [
  ['the policy leaves the message alone', undefined, [], false, 'no-dane'],
  [
    'a deferral needs no host',
    { kind: 'defer', refusal: refusal('mx-bogus', 'd'), refusals: [] },
    [],
    false,
    'deferred mx-bogus',
  ],
  [
    'a bounce needs no host either',
    { kind: 'return', refusal: refusal('null-mx', 'd') },
    [],
    false,
    'returned null-mx',
  ],
  ['the host that accepted it is verified', deliver([A1, B]), [[A1, VERIFIED]], false, 'verified'],
  ['the host that accepted it has no DANE', deliver([A1, B]), [[A1, OPEN]], false, 'no-dane'],
  [
    'the first is refused, the second accepted it',
    deliver([A1, B]),
    [
      [A1, refused('tls-handshake-failed', 'a')],
      [B, VERIFIED],
    ],
    false,
    'verified',
  ],
  [
    'the host that accepted it is refused, another is left',
    deliver([A1, B]),
    [[A1, refused('certificate-mismatch', 'a')]],
    false,
    'unknown certificate-mismatch',
  ],
  [
    'another address of the same host is left',
    deliver([A1, A2]),
    [[A1, refused('certificate-mismatch', 'a')]],
    false,
    'unknown certificate-mismatch',
  ],
  [
    'the host that accepted it is refused, and it was the last',
    deliver([A1, B]),
    [
      [A1, DEAD],
      [B, refused('certificate-mismatch', 'b')],
    ],
    false,
    'deferred certificate-mismatch',
  ],
  [
    'of several reasons the most specific, including lookups (as when enforced)',
    deliver([B], refusal('tlsa-bogus', 'a')),
    [[B, refused('starttls-not-offered', 'b')]],
    false,
    'deferred starttls-not-offered',
  ],
  [
    'the host that accepted it would have been skipped, another is left',
    deliver([B], refusal('no-tlsa-record', 'a')),
    [[undefined, DEAD]],
    false,
    'unknown undefined',
  ],
  ['no host answered', deliver([A1]), [[A1, DEAD]], true, 'no-dane'],
  [
    'only a refused host answered',
    deliver([A1, B]),
    [
      [A1, refused('connection-lost', 'a')],
      [B, DEAD],
    ],
    true,
    'deferred connection-lost',
  ],
  ['no host was contacted', deliver([A1]), [], false, 'unknown undefined'],
  [
    'Haraka did not ask for TLS',
    deliver([A1]),
    [[A1, { kind: 'unknown', detail: 'not asked' }]],
    false,
    'unknown undefined',
  ],
]

function text(said: Forecast): string {
  return 'refusal' in said ? `${said.kind} ${String(said.refusal?.reason)}` : said.kind
}

describe('the forecast', () => {
  for (const [circumstance, decision, tried, isExhausted, wanted] of cases) {
    test(circumstance, () => {
      const all = tried.map(([which, result]) => ({ candidate: which, result }))
      assert.equal(text(forecast(decision, all, isExhausted)), wanted)
    })
  }

  test('of an address shared by two hosts, the contacted host is identified', () => {
    const twin = candidate('b', '192.0.2.1')
    const decision = deliver([A1, twin])
    assert.equal(candidateFor(decision, { exchange: '192.0.2.1', from_dns: 'B' }), twin)
    assert.equal(candidateFor(decision, { exchange: '192.0.2.1', from_dns: 'A' }), A1)
    assert.equal(candidateFor(decision, { exchange: '192.0.2.1' }), A1)
    assert.equal(candidateFor(decision, { exchange: '192.0.2.9', from_dns: 'a' }), undefined)
  })
})

describe('the summary', () => {
  const told = (destination: string, opportunistic: Forecast, mandatory = opportunistic) =>
    ({ kind: 'forecast', destination, opportunistic, mandatory, refusals: [] }) as const
  const held = (reason: Reason): Forecast => ({ kind: 'deferred', refusal: refusal(reason, 'mx') })

  test('nothing is logged if nothing is new', () => {
    const summary = createAuditSummary(10)
    assert.deepEqual(summary.lines(), [])
    summary.note(told('a.example', { kind: 'verified' }))
    assert.equal(summary.lines().length, 1)
    assert.deepEqual(summary.lines(), [])
  })

  test('deferred under opportunistic first, then by number of messages; repaired domains are gone', () => {
    const summary = createAuditSummary(10)
    for (const name of ['few.example', 'many.example', 'many.example']) {
      summary.note(told(name, held('certificate-mismatch')))
    }
    for (let i = 0; i < 5; i++) {
      summary.note(told('plain.example', { kind: 'no-dane' }, held('no-tlsa-record')))
    }
    summary.note(told('mended.example', held('tlsa-bogus')))
    summary.note(told('mended.example', { kind: 'verified' }))
    const [totals, ...lines] = summary.lines()
    assert.equal(
      totals,
      'audit summary: 10 messages, the last 4 destinations; opportunistic would leave 1 verified, ' +
        '1 unchanged, 2 deferred; mandatory would leave 1 verified, 3 deferred; nothing enforced',
    )
    assert.deepEqual(
      lines.map((line) => /: (\S+): (\d+) messages/.exec(line)?.slice(1)),
      [
        ['many.example', '2'],
        ['few.example', '1'],
        ['plain.example', '5'],
      ],
    )
  })

  test('bounded in memory and output, and printable', () => {
    const summary = createAuditSummary(150)
    for (let i = 0; i < 1_000; i++) summary.note(told(`d${i}.example`, held('tlsa-bogus')))
    summary.note(told('evil\n[NOTICE] forged', held('tlsa-bogus')))
    const lines = summary.lines()
    assert.equal(lines.length, 102)
    assert.match(lines.at(-1) ?? '', /50 more destinations/)
    assert.match(lines[0] ?? '', /1001 messages, the last 150 destinations/)
    for (const line of lines) assert.match(line, /^[ -~]*$/)
  })
})
