/** More hosts and addresses than are used at first: how many are left out, and when they have their turn. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { discover } from '../../../src/discover/discover.js'
import { planLater } from '../../../src/enforce/plan.js'
import { toCandidates, decideByHosts } from '../../../src/haraka/attempt/decision.js'
import type { DeliveryParts } from '../../../src/haraka/attempt/decision.js'
import { stepLines } from '../../../src/cli/report/text.js'
import type { Resolver } from '../../../src/lookup.js'
import type { Plan } from '../../../src/plan.js'
import { parseSettings } from '../../../src/settings/settings.js'
import { name } from '../../support/names.js'
import { answersOf, resolverOf, uncached } from '../../support/scenario.js'

const options = { policy: 'opportunistic', insecureMx: 'dane', port: 25 } as const

/** A destination with so many hosts, each but the last `dead` first ones with so many addresses. */
function resolverFor(hosts: number, dead = 0, addresses = 1): Resolver {
  const numbers = Array.from({ length: hosts }, (_, index) => index + 1)
  const lines = [
    `example.org MX secure ${numbers.map((each) => `${each} mx${each}.example.org`).join(', ')}`,
    ...numbers.flatMap((each) => {
      const host = `mx${each}.example.org`
      const list = Array.from({ length: addresses }, (_, index) => `192.0.2.${index + 1}`)
      return each <= dead
        ? [`${host} A secure nodata`, `${host} AAAA secure nodata`]
        : [`${host} A insecure ${list.join(', ')}`, `${host} AAAA insecure nodata`]
    }),
  ]
  return resolverOf(answersOf(lines.join('\n')))
}

async function planOf(hosts: number, dead: number, addresses = 1): Promise<Plan> {
  const found = await discover(resolverFor(hosts, dead, addresses), name('example.org'), options)
  assert.ok(found.kind === 'plan')
  return found
}

describe('MX hosts (RFC 5321 §5.1)', () => {
  for (const [hosts, dead, planned, later, omitted] of [
    [32, 0, 32, undefined, undefined],
    [40, 0, 32, 8, undefined],
    [40, 31, 32, 8, undefined],
    [40, 32, 40, undefined, undefined],
    [100, 40, 64, 36, undefined],
    [100, 100, 100, undefined, undefined],
    [128, 0, 32, 96, undefined],
    [130, 0, 32, 96, 2],
    [300, 300, 128, undefined, 172],
  ] as const) {
    test(`${hosts}, the first ${dead} without an address: ${planned} planned, ${later ?? 0} later, ${omitted ?? 0} never`, async () => {
      const plan = await planOf(hosts, dead)
      const counts = [plan.hosts.length, plan.laterHosts?.length, plan.omittedHosts]
      assert.deepEqual(counts, [planned, later, omitted])
    })
  }

  test('each of 128 has its turn once, in order of preference', async () => {
    const names: string[] = []
    const resolver = resolverFor(130)
    for (
      let plan: Plan | undefined = await planOf(130, 0);
      plan;
      plan =
        plan.laterHosts && (await planLater({ cached: resolver, fresh: resolver }, plan, options))
    )
      names.push(...plan.hosts.map(({ exchange }) => exchange))
    const wanted = Array.from({ length: 128 }, (_, index) => `mx${index + 1}.example.org`)
    assert.deepEqual(names, wanted)
  })

  test('verify says how many are left for later or never used, once', async () => {
    const plan = await planOf(130, 0)
    const lines = plan.hosts.flatMap((host, index) =>
      stepLines(
        {
          domain: name('example.org'),
          policy: { policy: 'opportunistic', source: { kind: 'default' } },
          judgedAs: 'opportunistic',
          insecureMx: 'dane',
          port: 25,
          isConnecting: false,
          isHost: false,
        },
        { kind: 'host', index, plan, host, demand: host.policy },
        Date.now(),
      ),
    )
    assert.deepEqual(
      lines.filter((line) => line.includes('more MX hosts')),
      [
        '96 more MX hosts of example.org are not checked: mail goes there only if none of the first 32 takes it',
        '2 more MX hosts of example.org are never used: the limit is 128',
      ],
    )
  })
})

describe('addresses of one host', () => {
  const parts: DeliveryParts = {
    settings: parseSettings(''),
    resolver: uncached(resolverOf(answersOf(''))),
    isTlsEnabled: true,
    deadlineMs: 1_000,
    random: () => 0,
  }

  test('those beyond 16 of a family have their turn after the first of all hosts', async () => {
    const { route, hosts } = await planOf(2, 0, 20)
    assert.deepEqual(
      hosts.map(({ addresses, laterAddresses }) => [addresses.length, laterAddresses?.length]),
      [
        [16, 4],
        [16, 4],
      ],
    )
    const decisions = hosts.map((host) => toCandidates(parts, { route, host }, options, {}))
    const decision = decideByHosts(decisions, 'example.org')
    assert.ok(decision.kind === 'deliver')
    const order = decision.candidates.map(({ host }) => host.slice(0, 3)).join(' ')
    const of = (host: string, count: number): string[] => Array.from({ length: count }, () => host)
    const wanted = [...of('mx1', 16), ...of('mx2', 16), ...of('mx1', 4), ...of('mx2', 4)]
    assert.equal(order, wanted.join(' '))
  })
})
