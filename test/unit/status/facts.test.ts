/** What a process makes of mail events, and what comes of several processes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exemption, MailEvent, Refusal, RoutedHost } from '../../../src/mail-event.js'
import type { HostPlan, HostPolicy, Plan } from '../../../src/plan.js'
import { DestinationFacts } from '../../../src/status/facts.js'
import type { Outcome, RowFacts } from '../../../src/status/facts.js'
import { HealthWatch, mergeHealth } from '../../../src/status/health.js'
import { MergedFacts } from '../../../src/status/merged-facts.js'
import { mergePlans, viewPlan } from '../../../src/status/plan-view.js'
import { MAX_ADDRESSES, MAX_HOSTS, MAX_RECORDS } from '../../../src/status/status-model.js'
import { MATCHING_TYPE, SELECTOR, USAGE } from '../../../src/tlsa.js'
import type { UsableTlsa } from '../../../src/tlsa.js'
import { name } from '../../support/names.js'

const MX = name('mx.a.example')
const policy = 'opportunistic' as const
const rdata = Buffer.from([3, 1, 1, ...Buffer.alloc(32, 7)])
const RECORD: UsableTlsa = {
  published: { rdata },
  usage: USAGE.daneEe,
  selector: SELECTOR.spki,
  matchingType: MATCHING_TYPE.sha256,
  data: rdata.subarray(3),
}
const AUTHENTICATE: HostPolicy = {
  kind: 'authenticate',
  tlsaBase: MX,
  records: [RECORD],
  referenceNames: [MX],
  unusable: [],
}
const NO_DANE: HostPolicy = { kind: 'opportunistic', reason: 'mx-insecure' }
const UNREACHABLE: HostPolicy = { kind: 'unreachable', reason: 'tlsa-bogus', detail: 'bogus\n' }

function plan(...policies: readonly HostPolicy[]): Plan {
  const hosts = policies.map((each, index): HostPlan => ({
    exchange: index === 0 ? MX : `mx${index}.a.example`,
    preference: 10 * index,
    addresses: ['192.0.2.1'],
    policy: each,
    facts: { kind: 'no-address' },
    tlsa: undefined,
  }))
  const nextHop = name('a.example')
  const route = { kind: 'mx', nextHop, expandedNextHop: nextHop, security: 'secure' } as const
  return { kind: 'plan', route, hosts }
}

const refusal: Refusal = { reason: 'certificate-mismatch', host: MX, detail: 'shown\u001b[31m' }
const planned = (...policies: readonly HostPolicy[]): MailEvent => ({
  kind: 'plan',
  policy,
  plan: plan(...policies),
})
const session = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }
const passed: MailEvent = {
  kind: 'passed',
  policy,
  host: MX,
  domain: name('a.example'),
  verdict: { kind: 'authenticated', record: RECORD, depth: 0, name: undefined },
  session,
}
const encrypted: MailEvent = { ...passed, verdict: { kind: 'encrypted' } }
const settled = (outcome: 'deferred' | 'returned', why: Refusal = refusal): MailEvent => ({
  kind: 'settled',
  policy,
  outcome,
  destination: 'a.example',
  refusal: why,
  isKnown: true,
})

const states: readonly (readonly [string, readonly MailEvent[], string])[] = [
  ['nothing but a plan with TLSA records: no conclusion', [planned(AUTHENTICATE)], 'unknown'],
  ['a host that passed', [planned(AUTHENTICATE), passed], 'verified'],
  ['a host that passed without authentication (RFC 7672 §2.2)', [passed, encrypted], 'encrypted'],
  ['a plan in which DANE applies to no host', [planned(NO_DANE)], 'no-dane'],
  ['a plan in which DANE applies to one of two hosts', [planned(NO_DANE, AUTHENTICATE)], 'unknown'],
  [
    'a plan with a host that may not be used, and one without DANE',
    [planned(UNREACHABLE, NO_DANE)],
    'no-dane',
  ],
  ['no host that may be used', [planned(UNREACHABLE)], 'unknown'],
  ['a deferral', [passed, settled('deferred')], 'held'],
  ['the return after the last attempt', [settled('returned')], 'held'],
  [
    'a return at once, which DANE is not the cause of (RFC 7505)',
    [settled('returned', { ...refusal, reason: 'null-mx' })],
    'unknown',
  ],
  ['a success after a deferral', [settled('deferred'), planned(AUTHENTICATE), passed], 'verified'],
  [
    'a refused host alone: another one may take it',
    [{ kind: 'refused', policy, refusal }],
    'unknown',
  ],
  ['DANE withdrawn after a deferral', [settled('deferred'), planned(NO_DANE)], 'no-dane'],
]

for (const [what, events, wanted] of states) {
  test(`state: ${what}`, () => {
    const facts = new DestinationFacts()
    for (const [index, event] of events.entries()) facts.noteMail('a.example', event, 1_000 + index)
    assert.equal(facts.drain(10)[0]?.dane.kind, wanted)
  })
}

test('what is handed out is printable, and handed out once for each change', () => {
  const facts = new DestinationFacts()
  facts.noteMail('a.example', settled('deferred'), 1_000)
  assert.deepEqual(facts.drain(10)[0]?.lastRefusal, {
    at: 1_000,
    outcome: 'deferred',
    host: MX,
    reason: 'certificate-mismatch',
    phrase: 'server certificate not trusted',
    detail: 'shown?[31m',
  })
  assert.deepEqual(facts.drain(10), [])
  facts.noteMail('a.example', passed, 2_000)
  assert.equal(facts.drain(10).length, 1)
})

test('many changes are handed out in parts, each once', () => {
  const facts = new DestinationFacts()
  for (let i = 0; i < 25; i++) facts.noteMail(`d${i}.example`, passed, i)
  const parts = [facts.drain(10), facts.drain(10), facts.drain(10)]
  assert.deepEqual(
    parts.map((part) => part.length),
    [10, 10, 5],
  )
  assert.equal(new Set(parts.flat().map(({ destination }) => destination)).size, 25)
})

test('bounded: the destination without an event for the longest time is forgotten', () => {
  const facts = new DestinationFacts(3)
  for (const label of ['a', 'b', 'c', 'a', 'd']) facts.noteMail(label, passed, 1)
  assert.deepEqual(
    facts
      .drain(10)
      .map(({ destination }) => destination)
      .toSorted(),
    ['a', 'c', 'd'],
  )
  assert.equal(facts.planOf('b'), undefined)
})

test('bounded: hosts of one destination', () => {
  const facts = new DestinationFacts()
  for (let i = 0; i < 100; i++) {
    facts.noteMail(
      'a.example',
      { kind: 'refused', policy, refusal: { ...refusal, host: `h${i}` } },
      i,
    )
  }
  const attempts = facts.planOf('a.example')?.attempts
  assert.equal(attempts?.size, MAX_HOSTS)
  assert.ok(attempts.has('h99'))
})

test('a host that accepts or refuses without DANE', () => {
  const facts = new DestinationFacts()
  const outcomes: readonly Outcome[] = [
    { kind: 'accepted', host: MX },
    {
      kind: 'not-accepted',
      outcome: 'deferred',
      host: undefined,
      phrase: 'not delivered',
      detail: 'x\r\ny',
    },
  ]
  for (const outcome of outcomes) facts.noteOutcome('a.example', outcome, 5)
  const [row] = facts.drain(10)
  assert.deepEqual(row?.lastSuccess, { at: 5, host: MX, isVerified: false })
  assert.deepEqual(row.lastRefusal, {
    at: 5,
    outcome: 'deferred',
    host: 'a.example',
    reason: undefined,
    phrase: 'not delivered',
    detail: 'x??y',
  })
  facts.noteMail('a.example', { kind: 'delivered', domain: name('a.example'), host: MX }, 6)
  assert.equal(facts.drain(10)[0]?.lastSuccess?.isVerified, true)
})

test('a plan as text: records, hosts and addresses beyond the limits are counted', () => {
  const facts = new DestinationFacts()
  const many: HostPolicy = {
    ...AUTHENTICATE,
    records: [RECORD, ...Array.from({ length: 11 }, () => RECORD)],
  }
  const made = plan(many, ...Array.from({ length: 14 }, () => NO_DANE))
  const [first, ...rest] = made.hosts
  assert.ok(first)
  const addresses = Array.from({ length: 12 }, (_, i) => `192.0.2.${i}`)
  const hosts = [{ ...first, addresses }, ...rest]
  facts.noteMail(
    'a.example',
    { kind: 'plan', policy, plan: { ...made, hosts, omittedHosts: 2 } },
    7,
  )
  facts.noteMail('a.example', passed, 8)
  const known = facts.planOf('a.example')
  assert.ok(known)
  const shown = mergePlans([viewPlan(known)])
  assert.equal(shown?.hosts.length, MAX_HOSTS)
  assert.equal(shown.omittedHosts, 15 - MAX_HOSTS + 2)
  const [host] = shown.hosts
  assert.deepEqual(host, {
    host: MX,
    preference: 0,
    requires: {
      kind: 'authenticate',
      tlsaBase: MX,
      records: Array.from({ length: MAX_RECORDS }, () => '3 1 1 0707070707070707...'),
      omittedRecords: 12 - MAX_RECORDS,
      expiresAt: undefined,
    },
    addresses: addresses.slice(0, MAX_ADDRESSES),
    omittedAddresses: 12 - MAX_ADDRESSES,
    port: undefined,
    policy: undefined,
    lastAttempt: {
      kind: 'verified',
      at: 8,
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      record: '3 1 1 0707070707070707...',
      name: undefined,
    },
  })
})

test('of several processes: the latest plan, and the latest attempt of each host', () => {
  const one = new DestinationFacts()
  const two = new DestinationFacts()
  one.noteMail('a.example', planned(AUTHENTICATE), 1)
  one.noteMail('a.example', { kind: 'refused', policy, refusal }, 9)
  two.noteMail('a.example', planned(AUTHENTICATE, NO_DANE), 5)
  two.noteMail('a.example', passed, 6)
  const views = [one, two].flatMap((facts) => facts.planOf('a.example') ?? []).map(viewPlan)
  for (const order of [views, views.toReversed()]) {
    const merged = mergePlans(order)
    assert.equal(merged?.at, 5)
    assert.equal(merged.hosts[0]?.lastAttempt?.kind, 'refused')
    assert.equal(merged.hosts[1]?.lastAttempt, undefined)
  }
})

const found = plan(AUTHENTICATE, NO_DANE).hosts
const hop = (says: RoutedHost['says'], more: Partial<RoutedHost> = {}): RoutedHost => ({
  host: says.kind === 'planned' ? says.plan.exchange : 'gateway\n.example',
  port: 587,
  policy: 'opportunistic',
  says,
  ...more,
})
const exempt = (why: Exemption): RoutedHost => hop({ kind: 'exempt', why })
const plannedHop = (index: number): RoutedHost => {
  const host = found[index]
  assert.ok(host)
  return hop({ kind: 'planned', plan: host, security: 'secure' })
}

const routes: readonly (readonly [string, readonly RoutedHost[], string])[] = [
  ['a host with TLSA records: not known before its verdict', [plannedHop(0)], 'unknown'],
  ['a host without', [plannedHop(1)], 'no-dane'],
  ['one of them has TLSA records', [plannedHop(1), plannedHop(0)], 'unknown'],
  ['an address', [exempt('address')], 'no-dane'],
  ['LMTP', [exempt('lmtp')], 'not-enforced'],
  ['a socket', [exempt('socket')], 'not-enforced'],
  ['routes = skip', [exempt('skip')], 'not-enforced'],
  ['LMTP, and a host with TLSA records', [exempt('lmtp'), plannedHop(0)], 'unknown'],
]
for (const [what, hosts, wanted] of routes) {
  test(`a next hop of another plugin: ${what}`, () => {
    const facts = new DestinationFacts()
    facts.noteMail('a.example', { kind: 'routed', policy: 'mandatory', hosts }, 5)
    const [row] = facts.drain(1)
    assert.equal(row?.dane.kind, wanted)
    assert.equal(row.isRouted, true)
  })
}

test('the plan of a route: its hosts in order, with port, policy and what they showed', () => {
  const facts = new DestinationFacts()
  const refused = { reason: 'no-plan', host: 'x', detail: 'not\nnamed' } as const
  const hosts = [
    plannedHop(0),
    exempt('address'),
    exempt('lmtp'),
    hop({ kind: 'left-out', refusal: refused }, { port: undefined, policy: 'none' }),
  ]
  facts.noteMail('a.example', { kind: 'routed', policy: 'mandatory', hosts }, 5)
  facts.noteMail('a.example', { kind: 'refused', policy, refusal }, 6)
  const view = mergePlans([facts.planOf('a.example') ?? assert.fail()].map(viewPlan))
  assert.equal(view?.route, 'relay')
  assert.deepEqual(
    view.hosts.map((each) => [
      each.host,
      each.port,
      each.policy,
      each.requires.kind,
      'phrase' in each.requires ? each.requires.phrase : undefined,
      each.lastAttempt?.kind,
    ]),
    [
      [MX, 587, 'opportunistic', 'authenticate', undefined, 'refused'],
      [
        'gateway?.example',
        587,
        'opportunistic',
        'opportunistic',
        'non-DNSSEC destination',
        undefined,
      ],
      ['gateway?.example', 587, 'opportunistic', 'exempt', 'LMTP, which is not SMTP', undefined],
      [
        'gateway?.example',
        undefined,
        'none',
        'unreachable',
        'delivery withheld by local policy',
        undefined,
      ],
    ],
  )
})

test('hosts without a connection: the last of this attempt explains that all were tried', () => {
  const facts = new DestinationFacts()
  const last = (): unknown => {
    const refusal = facts.drain(1)[0]?.lastRefusal
    return [refusal?.host, refusal?.phrase, refusal?.detail]
  }
  const allTried: Outcome = {
    kind: 'not-accepted',
    outcome: 'deferred',
    host: undefined,
    phrase: 'not delivered',
    detail: 'Tried all MXs',
  }
  facts.noteMail('a.example', planned(NO_DANE, NO_DANE), 1)
  for (const host of [MX, 'mx1\n.a.example']) {
    const detail = '192.0.2.1 port 25: no connection\n'
    facts.noteMail('a.example', { kind: 'unreached', host, detail }, 2)
  }
  // A host that did answer is the cause then.
  facts.noteOutcome('a.example', { ...allTried, host: MX, detail: '450 later' }, 3)
  assert.deepEqual(last(), [MX, 'not delivered', '450 later'])
  facts.noteOutcome('a.example', allTried, 3)
  const detail = '192.0.2.1 port 25: no connection?'
  assert.deepEqual(last(), ['mx1?.a.example', 'no connection', detail])
  const view = mergePlans([viewPlan(facts.planOf('a.example') ?? assert.fail())])
  assert.deepEqual(view?.hosts[0]?.lastAttempt, {
    kind: 'unreached',
    at: 2,
    phrase: 'no connection',
    detail,
  })
  // At the next attempt something else was wrong.
  facts.noteMail('a.example', planned(NO_DANE), 4)
  facts.noteOutcome('a.example', allTried, 5)
  assert.deepEqual(last(), ['a.example', 'not delivered', 'Tried all MXs'])
})

test('of several processes: the later one counts, in any order', () => {
  const row = (at: number, kind: 'verified' | 'encrypted'): RowFacts => ({
    destination: 'a.example',
    dane: { kind, at, host: `h${at}` },
    hosts: [`h${at}`],
    plannedAt: at,
    isRouted: false,
    lastSuccess: { at, host: `h${at}`, isVerified: true },
    lastRefusal: undefined,
  })
  const unknown: RowFacts = {
    ...row(0, 'verified'),
    dane: { kind: 'unknown' },
    lastSuccess: undefined,
    hosts: [],
  }
  for (const rows of [
    [row(1, 'verified'), row(2, 'encrypted'), unknown],
    [unknown, row(2, 'encrypted'), row(1, 'verified')],
  ]) {
    const merged = new MergedFacts()
    const before = merged.version
    for (const each of rows) merged.take([each])
    assert.ok(merged.version > before)
    assert.deepEqual(merged.of('a.example'), { ...row(2, 'encrypted') })
  }
})

test('resolvers and Redis: the worst of all processes, of those that are configured', () => {
  const watches = [new HealthWatch(), new HealthWatch(), new HealthWatch()]
  for (const watch of watches) watch.reset(['127.0.0.1:53', '[::1]:53'], true)
  const [own, one, two] = watches
  assert.ok(own && one && two)
  const said = (): unknown => mergeHealth(own.health, [one.health, two.health])
  assert.deepEqual(said(), {
    resolvers: [
      { server: '127.0.0.1:53', state: 'unknown', detail: '' },
      { server: '[::1]:53', state: 'unknown', detail: '' },
    ],
    redis: { state: 'available', detail: '' },
  })
  one.note({
    kind: 'resolver',
    server: '127.0.0.1:53',
    result: { kind: 'validating' },
    isFirst: true,
    isOptional: false,
  })
  two.note({
    kind: 'resolver',
    server: '127.0.0.1:53',
    result: { kind: 'failing', detail: 'no answer\u0007' },
    isFirst: true,
    isOptional: false,
  })
  one.note({
    kind: 'resolver',
    server: '192.0.2.9:53',
    result: { kind: 'validating' },
    isFirst: true,
    isOptional: false,
  })
  two.note({ kind: 'redis', what: 'read', fault: 'ECONNREFUSED' })
  assert.deepEqual(said(), {
    resolvers: [
      { server: '127.0.0.1:53', state: 'failing', detail: 'no answer?' },
      { server: '[::1]:53', state: 'unknown', detail: '' },
    ],
    redis: { state: 'unavailable', detail: 'ECONNREFUSED' },
  })
  two.note({
    kind: 'resolver',
    server: '127.0.0.1:53',
    result: { kind: 'validating' },
    isFirst: false,
    isOptional: false,
  })
  two.note({ kind: 'redis', what: 'read', fault: undefined })
  own.reset(['127.0.0.1:53'], false)
  assert.deepEqual(said(), {
    resolvers: [{ server: '127.0.0.1:53', state: 'validating', detail: '' }],
    redis: undefined,
  })
})
