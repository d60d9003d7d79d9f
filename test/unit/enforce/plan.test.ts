/** Plans: the deadline, the second look at what is missing, both policies from one walk. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../../lab/root.js'
import { inTime, planBoth, planDomain, planRelay } from '../../../src/enforce/plan.js'
import type { PlanOptions } from '../../../src/enforce/plan.js'
import type { CachedResolver } from '../../../src/lookup.js'
import type { Discovery, HostPlan } from '../../../src/plan.js'
import type { EnforcedPolicy } from '../../../src/policy.js'
import { name } from '../../support/names.js'
import { answersOf, readScenarios, resolverOf, uncached } from '../../support/scenario.js'

const options: PlanOptions = { policy: 'opportunistic', insecureMx: 'dane', port: 25 }
const DEADLINE_MS = 10_000

function domain(
  resolver: CachedResolver,
  policy: EnforcedPolicy = 'opportunistic',
  deadlineMs = DEADLINE_MS,
): Promise<Discovery> {
  return inTime(resolver, deadlineMs, (timed) =>
    planDomain(timed, name('example.org'), { ...options, policy }),
  )
}

/** A resolver that has cached one state of DNS and finds another when it queries. */
function stale(cached: string, current: string): CachedResolver {
  const memory = resolverOf(answersOf(cached))
  const dns = resolverOf(answersOf(current))
  return {
    lookup: (owner, type) => memory.lookup(owner, type),
    refresh: (owner, type) => dns.lookup(owner, type),
  }
}

function text(discovery: Discovery): string {
  return discovery.kind === 'plan'
    ? discovery.hosts.map(hostText).join(', ')
    : `${discovery.kind} ${discovery.reason}`
}

function hostText({ exchange, policy }: HostPlan): string {
  return 'reason' in policy
    ? `${exchange} ${policy.kind} ${policy.reason}`
    : `${exchange} ${policy.kind}`
}

describe('the deadline', () => {
  const silent = uncached({ lookup: () => new Promise(() => undefined) })

  test('a resolver that never answers: unresolved in time', async () => {
    assert.equal(text(await domain(silent, 'opportunistic', 20)), 'unresolved mx-lookup-failed')
  })

  test('the same for a relay', async () => {
    const { host } = await inTime(silent, 20, (timed) =>
      planRelay(timed, name('relay.example'), options),
    )
    assert.equal(hostText(host), 'relay.example unreachable address-lookup-failed')
  })

  test('it holds for the second look', async () => {
    const cached = resolverOf(answersOf('example.org MX secure nxdomain'))
    const resolver: CachedResolver = {
      lookup: (owner, type) => cached.lookup(owner, type),
      refresh: () => new Promise(() => undefined),
    }
    assert.equal(text(await domain(resolver, 'opportunistic', 20)), 'unresolved mx-lookup-failed')
  })

  test('a host whose lookups are slow does not affect the other hosts (RFC 7672 §2.1.2)', async () => {
    const scenario = readScenarios(path.join(ROOT, 'test/scenario/routes.txt')).find(
      ({ title }) => title === 'a good host and a silent one',
    )
    assert.ok(scenario)
    const known = resolverOf(scenario)
    const resolver = uncached({
      lookup: (owner, type) =>
        owner === 'silent.example' ? new Promise(() => undefined) : known.lookup(owner, type),
    })
    assert.match(
      text(await domain(resolver, 'opportunistic', 50)),
      /good\.example authenticate.*silent\.example unreachable address-lookup-failed|silent\.example unreachable address-lookup-failed.*good\.example authenticate/,
    )
  })
})

describe('the second look at what is missing', () => {
  const HOST = `example.org MX secure 10 mx.example.org
mx.example.org AAAA secure nodata`
  const TWO = `example.org MX secure 10 mx.example.org, 20 gone.example.org
mx.example.org AAAA secure nodata
mx.example.org A secure 192.0.2.1
_25._tcp.mx.example.org TLSA secure nodata
gone.example.org AAAA secure nodata
gone.example.org A secure nodata`
  const NO_ADDRESS = `${HOST}
mx.example.org A secure nodata`
  const NO_TLSA = `${HOST}
mx.example.org A secure 192.0.2.1
_25._tcp.mx.example.org TLSA secure nodata`
  const DANE = `${HOST}
mx.example.org A secure 192.0.2.1
_25._tcp.mx.example.org TLSA secure 3 1 1 aa*32`
  const FAILING = 'example.org MX timeout'
  /** Nothing may be asked. */
  const UNUSED = ''

  type Case = readonly [title: string, cached: string, current: string, string, string]
  const cases: readonly Case[] = [
    [
      'nothing is missing: DNS is not asked again',
      DANE,
      UNUSED,
      'mx.example.org authenticate',
      'mx.example.org authenticate',
    ],
    ['an address', NO_ADDRESS, DANE, 'mx.example.org authenticate', 'mx.example.org authenticate'],
    [
      'TLSA records, which only mandatory passes hosts over for',
      NO_TLSA,
      DANE,
      'mx.example.org opportunistic no-tlsa-record',
      'mx.example.org authenticate',
    ],
    [
      'DNS fails, and no host can be tried: the failure',
      NO_ADDRESS,
      FAILING,
      'unresolved mx-lookup-failed',
      'unresolved mx-lookup-failed',
    ],
    [
      'DNS fails, and other hosts can be tried: what is cached still applies',
      TWO,
      FAILING,
      'mx.example.org opportunistic no-tlsa-record, gone.example.org unreachable no-address',
      'unresolved mx-lookup-failed',
    ],
    [
      'the domain itself is gone',
      NO_ADDRESS,
      'example.org MX secure nxdomain',
      'undeliverable no-such-domain',
      'undeliverable no-such-domain',
    ],
    [
      'a failed lookup is not absence',
      FAILING,
      UNUSED,
      'unresolved mx-lookup-failed',
      'unresolved mx-lookup-failed',
    ],
  ]
  for (const [title, cached, current, relaxed, strict] of cases) {
    test(title, async () => {
      const resolver = stale(cached, current)
      assert.equal(text(await domain(resolver)), relaxed)
      assert.equal(text(await domain(resolver, 'mandatory')), strict)
      const both = await inTime(resolver, DEADLINE_MS, (timed) =>
        planBoth(timed, name('example.org'), options),
      )
      assert.equal(text(both.opportunistic), relaxed)
      assert.equal(text(both.mandatory), strict)
    })
  }

  test('of a relay', async () => {
    const resolver = stale(
      `relay.example AAAA secure nodata
relay.example A secure nodata`,
      `relay.example AAAA secure nodata
relay.example A secure 192.0.2.1
_25._tcp.relay.example TLSA secure 3 1 1 aa*32`,
    )
    const { host } = await inTime(resolver, DEADLINE_MS, (timed) =>
      planRelay(timed, name('relay.example'), options),
    )
    assert.equal(hostText(host), 'relay.example authenticate')
  })
})
