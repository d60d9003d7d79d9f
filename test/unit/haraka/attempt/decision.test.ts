import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decideByDiscovery, destinationOf } from '../../../../src/haraka/attempt/decision.js'
import type { Decision, DeliveryParts } from '../../../../src/haraka/attempt/decision.js'
import { readHops } from '../../../../src/haraka/attempt/next-hop.js'
import { decideByRoute } from '../../../../src/haraka/attempt/routes.js'
import type { RoutedHop } from '../../../../src/haraka/attempt/routes.js'
import type { Mx } from '../../../../src/haraka/host.js'
import type { Discovery, HostPlan, HostPolicy } from '../../../../src/plan.js'
import type { EnforcedPolicy } from '../../../../src/policy.js'
import { parseSettings } from '../../../../src/settings/settings.js'
import { name } from '../../../support/names.js'
import { readScenarios, resolverOf, uncached } from '../../../support/scenario.js'
import path from 'node:path'
import { ROOT } from '../../../../lab/root.js'

const parts = (more: Partial<DeliveryParts> = {}): DeliveryParts => ({
  settings: parseSettings(''),
  resolver: uncached({ lookup: () => new Promise(() => undefined) }),
  isTlsEnabled: true,
  deadlineMs: 20,
  random: () => 0.5,
  ...more,
})

const host = (
  exchange: string,
  preference: number,
  policy: HostPolicy,
  addresses = ['192.0.2.1'],
): HostPlan => ({
  exchange,
  preference,
  policy,
  addresses,
  facts: { kind: 'no-address' },
  tlsa: undefined,
})

const plan = (...hosts: readonly HostPlan[]): Discovery => ({
  kind: 'plan',
  route: {
    kind: 'mx',
    nextHop: name('example.org'),
    expandedNextHop: name('example.org'),
    security: 'secure',
  },
  hosts,
})

const opportunistic: HostPolicy = { kind: 'opportunistic', reason: 'no-tlsa-record' }
const encrypt: HostPolicy = { kind: 'encrypt', tlsaBase: name('mx.example.org'), unusable: [] }
const bogus: HostPolicy = { kind: 'unreachable', reason: 'tlsa-bogus', detail: 'bogus' }
const silent: HostPolicy = { kind: 'unreachable', reason: 'no-address', detail: 'none' }

/** The order of hosts, or the reason for none. */
function text(decision: Decision): string {
  switch (decision.kind) {
    case 'deliver':
      return decision.candidates
        .map(({ host: each, mx }) => `${each}@${String(mx.exchange)}:${String(mx.port)}`)
        .join(' ')
    case 'defer':
    case 'return':
      return `${decision.kind} ${decision.refusal.reason} ${decision.refusal.host}`
  }
}

describe('the destination', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    ['example.org', 'domain'],
    ['Example.ORG.', 'domain'],
    ['[192.0.2.1]', 'literal'],
    ['[IPv6:2001:db8::1]', 'literal'],
    ['192.0.2.1', 'invalid'],
    ['', 'invalid'],
    [null, 'invalid'],
    [undefined, 'invalid'],
    [{ evil: true }, 'invalid'],
    ['a'.repeat(10_000), 'invalid'],
    ['exam\u0000ple.org', 'invalid'],
  ]
  for (const [domain, wanted] of cases) {
    test(`${JSON.stringify(String(domain)).slice(0, 40)} is a ${wanted}`, () => {
      const destination = destinationOf({ todo: { domain, rcpt_to: [] } })
      assert.equal(destination.kind, wanted)
      assert.match(destination.text, /^[ -~]*$/)
    })
  }
})

describe('the list of hosts', () => {
  test('by preference, whatever the order (RFC 5321 §5.1)', () => {
    const decision = decideByDiscovery(
      parts(),
      'opportunistic',
      plan(host('b.example', 20, opportunistic), host('a.example', 10, opportunistic)),
      'example.org',
    )
    assert.equal(text(decision), 'a.example@192.0.2.1:25 b.example@192.0.2.1:25')
  })

  test('hosts of equal preference in random order, each order about equally often [R5321-5.1-f]', () => {
    const hosts = ['a.example', 'b.example', 'c.example'].map((each) =>
      host(each, 10, opportunistic),
    )
    const seen = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const order = text(
        decideByDiscovery(
          parts({ random: Math.random }),
          'opportunistic',
          plan(...hosts),
          'example.org',
        ),
      )
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    assert.equal(seen.size, 6)
    for (const count of seen.values()) assert.ok(count > 700, `${count} of 6000`)
  })

  test('every address of a host, before the next host', () => {
    const hosts = [
      host('a.example', 10, opportunistic, ['2001:db8::1', '192.0.2.1']),
      host('b.example', 20, opportunistic),
    ]
    const decision = decideByDiscovery(parts(), 'opportunistic', plan(...hosts), 'example.org')
    assert.equal(
      text(decision),
      'a.example@2001:db8::1:25 a.example@192.0.2.1:25 b.example@192.0.2.1:25',
    )
  })

  test('unreachable hosts are omitted and recorded', () => {
    const decision = decideByDiscovery(
      parts(),
      'opportunistic',
      plan(host('a.example', 10, bogus), host('b.example', 20, opportunistic)),
      'example.org',
    )
    assert.equal(text(decision), 'b.example@192.0.2.1:25')
    assert.deepEqual(decision.kind === 'deliver' && decision.refusals.map(({ reason }) => reason), [
      'tlsa-bogus',
    ])
  })

  test('none left: the most specific reason, of the preferred host', () => {
    const hosts = [
      host('a.example', 5, silent),
      host('b.example', 10, bogus),
      host('c.example', 20, { ...bogus, reason: 'address-bogus' }),
    ]
    assert.equal(
      text(decideByDiscovery(parts(), 'opportunistic', plan(...hosts), 'example.org')),
      'defer tlsa-bogus b.example',
    )
  })

  test('outbound.ini without TLS: hosts that require TLS are not contacted', () => {
    const hosts = [host('a.example', 10, encrypt), host('b.example', 20, opportunistic)]
    assert.equal(
      text(
        decideByDiscovery(
          parts({ isTlsEnabled: false }),
          'opportunistic',
          plan(...hosts),
          'example.org',
        ),
      ),
      'b.example@192.0.2.1:25',
    )
    assert.equal(
      text(
        decideByDiscovery(
          parts({ isTlsEnabled: false }),
          'opportunistic',
          plan(host('a.example', 10, encrypt)),
          'example.org',
        ),
      ),
      'defer tls-disabled a.example',
    )
  })

  test('no host at all is a deferral', () => {
    assert.equal(
      text(decideByDiscovery(parts(), 'opportunistic', plan(), 'example.org')),
      'defer no-address example.org',
    )
  })
})

describe('hosts that another plugin chose (RFC 7672 §2.2.2)', () => {
  const scenarios = readScenarios(path.join(ROOT, 'test/scenario/routes.txt'))
  const resolver = (title: string): DeliveryParts['resolver'] => {
    const scenario = scenarios.find((each) => each.title === title)
    assert.ok(scenario, title)
    return uncached(resolverOf(scenario))
  }
  const routeTo = (policy: EnforcedPolicy, mxs: readonly Mx[]): readonly RoutedHop[] =>
    readHops(mxs, 25).map((hop) => ({ hop, policy }))
  const RECIPIENTS = destinationOf({ todo: { domain: 'example.org', rcpt_to: [] } })
  const route = async (
    title: string,
    policy: 'opportunistic' | 'mandatory',
    ...mxs: readonly Mx[]
  ): Promise<string> =>
    text(
      (
        await decideByRoute(
          parts({ deadlineMs: 1000, resolver: resolver(title) }),
          routeTo(policy, mxs),
          RECIPIENTS,
        )
      ).decision,
    )

  const cases: readonly (readonly [string, Mx, string, string])[] = [
    [
      'relay with TLSA',
      { exchange: 'relay.example', port: 587 },
      'relay.example@192.0.2.1:587',
      'relay.example@192.0.2.1:587',
    ],
    [
      'relay with TLSA',
      { exchange: 'relay.example', port: '587' },
      'relay.example@192.0.2.1:587',
      'relay.example@192.0.2.1:587',
    ],
    [
      'relay on port 25',
      { exchange: 'relay.example', port: null },
      'relay.example@192.0.2.1:25',
      'defer no-tlsa-record relay.example',
    ],
    [
      'nothing',
      { exchange: '192.0.2.9', port: 25 },
      '192.0.2.9@192.0.2.9:25',
      'defer address-literal 192.0.2.9',
    ],
    [
      'nothing',
      { exchange: '127.0.0.1', port: 24, using_lmtp: true },
      '127.0.0.1@127.0.0.1:24',
      '127.0.0.1@127.0.0.1:24',
    ],
    [
      'nothing',
      { path: '/run/lmtp', exchange: '127.0.0.1' },
      '/run/lmtp@127.0.0.1:undefined',
      '/run/lmtp@127.0.0.1:undefined',
    ],
    [
      'nothing',
      { exchange: 'relay.example', port: 'smtp' },
      'defer route-deferred relay.example',
      'defer route-deferred relay.example',
    ],
    [
      'relay bogus',
      { exchange: 'relay.example' },
      'defer address-bogus relay.example',
      'defer address-bogus relay.example',
    ],
  ]
  for (const [title, mx, asOpportunistic, asMandatory] of cases) {
    test(`${title}: ${JSON.stringify(mx)}`, async () => {
      assert.equal(await route(title, 'opportunistic', mx), asOpportunistic)
      assert.equal(await route(title, 'mandatory', mx), asMandatory)
    })
  }

  test('the order of the other plugin is kept, and its credentials', async () => {
    const mxs = [
      { exchange: '192.0.2.9', priority: 50 },
      { exchange: 'relay.example', port: 587, auth_user: 'me', auth_pass: 'secret', priority: 10 },
    ]
    const { decision, hosts } = await decideByRoute(
      parts({ deadlineMs: 1000, resolver: resolver('relay with TLSA') }),
      routeTo('opportunistic', mxs),
      RECIPIENTS,
    )
    assert.equal(text(decision), '192.0.2.9@192.0.2.9:25 relay.example@192.0.2.1:587')
    assert.ok(decision.kind === 'deliver')
    assert.equal(Reflect.get(decision.candidates[1]?.mx ?? {}, 'auth_pass'), 'secret')
    assert.equal(decision.candidates[1]?.demand?.policy.kind, 'authenticate')
    assert.deepEqual(
      hosts.map(({ host, port, says }) => [host, port, says.kind]),
      [
        ['192.0.2.9', 25, 'exempt'],
        ['relay.example', 587, 'planned'],
      ],
    )
    assert.doesNotMatch(JSON.stringify(hosts), /secret/)
  })

  test('a resolver that never answers', async () => {
    assert.equal(
      text(
        (
          await decideByRoute(
            parts(),
            routeTo('opportunistic', [{ exchange: 'relay.example' }]),
            RECIPIENTS,
          )
        ).decision,
      ),
      'defer address-lookup-failed relay.example',
    )
  })
})
