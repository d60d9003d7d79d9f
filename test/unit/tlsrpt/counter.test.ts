/** Bounds of counters, and which result of a session is which result type of RFC 8460 §4.3. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EndedSession } from '../../../src/mail-event.js'
import type { Reason } from '../../../src/reason.js'
import { Counter, sumOf } from '../../../src/tlsrpt/counter.js'
import type { FailureDetail, ReportPolicy } from '../../../src/tlsrpt/counts.js'
import { utcDay } from '../../../src/tlsrpt/day.js'
import { sessionsOf } from '../../../src/tlsrpt/session.js'
import {
  counterText,
  detailText,
  parseCounter,
  policyText,
} from '../../../src/tlsrpt/tally-text.js'
import { name } from '../../support/names.js'

const DAY = utcDay(Date.parse('2026-03-01T12:00:00Z'))
const A = name('a.example.org')
const MX = name('mx.example.org')
const LIMITS = { domains: 2, policies: 3, details: 4, characters: 100_000 }

const tlsa = (digit: number): ReportPolicy => ({
  kind: 'tlsa',
  domain: MX,
  records: [`3 1 1 ${String(digit).repeat(64)}`],
})

const detail = (receivingIp: string): FailureDetail => ({
  resultType: 'certificate-expired',
  sendingMtaIp: '192.0.2.1',
  receivingMxHostname: MX,
  receivingMxHelo: undefined,
  receivingIp,
  reasonCode: 'certificate-expired',
  additionalInformation: 'text "with" quotes',
})

const session = (failure: Reason | undefined, more: Partial<EndedSession> = {}): EndedSession => ({
  domain: A,
  endedAt: Date.parse('2026-03-01T12:00:00Z'),
  tlsa: { base: MX, records: [{ rdata: Buffer.from(`030101${'ab'.repeat(32)}`, 'hex') }] },
  host: 'mx.example.org',
  greeting: 'MX.example.org',
  localAddress: '::ffff:10.0.0.1',
  remoteAddress: '2001:DB8:0::1',
  failure,
  ...more,
})

describe('bounds', () => {
  const add = (counter: Counter, policy: ReportPolicy, of?: FailureDetail, domain = A): boolean =>
    counter.add({ day: DAY, domain, policy, detail: of, sessions: 1 })

  test('domains beyond the bound are not counted, those that are there still are', () => {
    const counter = new Counter(LIMITS)
    const all = ['a.example', 'b.example', 'c.example', 'a.example'].map((text) =>
      add(counter, tlsa(1), undefined, name(text)),
    )
    assert.deepEqual(all, [true, true, false, true])
  })

  test('policies and details beyond the bound are in the totals', () => {
    const counter = new Counter(LIMITS)
    for (let index = 1; index < 10; index++) add(counter, tlsa(index))
    for (let index = 1; index < 10; index++) add(counter, tlsa(1), detail(`192.0.2.${index}`))
    const policies = counter.counts(DAY, A)?.policies ?? []
    assert.equal(policies.length, 4)
    assert.deepEqual(policies[3]?.policy, { kind: 'tlsa', domain: A, records: [] })
    assert.equal(
      policies.reduce((sum, { successful }) => sum + successful, 0),
      9,
    )
    const details = policies[0]?.details ?? []
    assert.equal(policies[0]?.failed, 9)
    const rest = details.at(-1)
    assert.equal(rest?.sessions, 6)
    assert.equal(rest.receivingIp, undefined)
    assert.equal(rest.resultType, 'certificate-expired')
  })

  test('characters of strangers are bounded', () => {
    const counter = new Counter({ ...LIMITS, details: 1_000, characters: 10_000 })
    for (let index = 0; index < 1_000; index++) {
      add(counter, tlsa(1), detail(`192.0.${index >> 8}.${index & 255}`))
    }
    const counts = counter.counts(DAY, A)
    assert.equal(counts?.policies[0]?.failed, 1_000)
    assert.ok(JSON.stringify(counts).length < 40_000)
  })

  test('what was taken is not taken again, until it changes or the store has lost it', () => {
    const counter = new Counter(LIMITS)
    add(counter, tlsa(1))
    assert.equal(counter.takeChanged().length, 1)
    assert.equal(counter.takeChanged().length, 0)
    add(counter, tlsa(1))
    assert.deepEqual(
      counter.takeChanged().map(({ sessions }) => sessions),
      [2],
    )
    counter.touch()
    assert.deepEqual(
      counter.takeChanged().map(({ sessions }) => sessions),
      [2],
    )
    counter.drop(DAY, A)
    counter.touch()
    assert.equal(counter.takeChanged().length, 0)
  })
})

test('the text of a counter is read as it was', () => {
  for (const policy of [tlsa(1), { kind: 'no-policy-found', domain: A } as const]) {
    for (const of of [undefined, detail('2001:db8::1')]) {
      const text = counterText(policyText(policy), detailText(of))
      assert.deepEqual(parseCounter(text), { policy, detail: of })
    }
  }
  const bad = [
    '',
    '[]\t[]',
    '["tlsa","MX.example"]\t[]',
    '["tlsa","a b"]\t[]',
    '["tlsa","a","x"]\t[]',
    '["none","a"]\t["bad","","","","","",""]',
    '["none","a"]\t["certificate-expired","x","","","","",""]',
    '["none","a"]\t["certificate-expired","","","","","","\\n"]',
    '["none","a","3 1 1 ab"]\t[]',
    '{}\t[]',
  ]
  for (const text of bad) assert.equal(parseCounter(text), undefined, text)
})

describe('RFC 8460 §4.3: result types', () => {
  const expected: readonly (readonly [Reason, string | undefined])[] = [
    ['starttls-not-offered', 'starttls-not-supported'],
    ['starttls-refused', 'starttls-not-supported'],
    ['name-mismatch', 'certificate-host-mismatch'],
    ['certificate-expired', 'certificate-expired'],
    ['certificate-mismatch', 'certificate-not-trusted'],
    ['untrusted-path', 'certificate-not-trusted'],
    ['no-certificate', 'certificate-not-trusted'],
    ['tls-handshake-failed', 'validation-failure'],
    ['tlsa-unusable', 'tlsa-invalid'],
    // Not about TLS at the destination.
    ['connection-failed', undefined],
    ['connection-lost', undefined],
    ['session-timeout', undefined],
    ['greeting-refused', undefined],
    ['ehlo-refused', undefined],
    ['tls-disabled', undefined],
    ['no-plan', undefined],
    ['internal-error', undefined],
    ['no-resolver', undefined],
    ['tlsa-lookup-failed', undefined],
  ]
  for (const [reason, type] of expected) {
    test(`${reason}: ${type ?? 'not counted'}`, () => {
      const [counted] = sessionsOf({ kind: 'session', session: session(reason) })
      assert.equal(counted?.detail?.resultType, type)
    })
  }

  test('names and addresses as RFC 8460 §4.4 and RFC 5952 write them', () => {
    const [counted] = sessionsOf({ kind: 'session', session: session('certificate-expired') })
    assert.deepEqual(counted?.policy, {
      kind: 'tlsa',
      domain: MX,
      records: [`3 1 1 ${'ab'.repeat(32)}`],
    })
    const { sendingMtaIp, receivingIp, receivingMxHelo } = counted.detail ?? {}
    assert.equal(sendingMtaIp, '10.0.0.1')
    assert.equal(receivingIp, '2001:db8::1')
    assert.equal(receivingMxHelo, 'mx.example.org')
  })

  test('a greeting that is no name, and an address that is none, are left out', () => {
    const odd = session('certificate-expired', {
      greeting: '\u001b[31m',
      remoteAddress: 'x',
      host: '192.0.2.9',
    })
    const [counted] = sessionsOf({ kind: 'session', session: odd })
    assert.equal(counted?.detail?.receivingMxHelo, undefined)
    assert.equal(counted?.detail?.receivingIp, undefined)
    assert.equal(counted?.detail?.receivingMxHostname, undefined)
  })

  test('a destination with a bogus MX record: dnssec-invalid, without a policy', () => {
    const refusal = { reason: 'mx-bogus', host: 'a.example.org', detail: '' } as const
    const settled = {
      kind: 'settled',
      policy: 'opportunistic',
      outcome: 'deferred',
      refusal,
    } as const
    const event = { ...settled, destination: 'a.example.org', isKnown: false }
    const [counted] = sessionsOf(event)
    assert.equal(counted?.detail?.resultType, 'dnssec-invalid')
    assert.deepEqual(counted.policy, { kind: 'no-policy-found', domain: A })
    assert.deepEqual(sessionsOf({ ...event, isKnown: true }), [])
  })
})

test('sums of several processes keep their bounds', () => {
  const tallies = Array.from({ length: 20 }, (_, index) => ({
    policy: tlsa(1),
    detail: detail(`192.0.2.${index}`),
    sessions: 2,
  }))
  const counts = sumOf(DAY, A, tallies, LIMITS)
  assert.equal(counts?.policies[0]?.failed, 40)
  assert.equal(counts.policies[0].details.length, 5)
})
