import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../lab/root.js'
import { readTable } from '../../lab/rows.js'
import { discover, discoverRelay, redecide } from '../../src/discover/discover.js'
import { ofType } from '../../src/lookup.js'
import type { Lookup, RecordType, Resolver, Security } from '../../src/lookup.js'
import type { Discovery, HostPlan } from '../../src/plan.js'
import type { EnforcedPolicy, InsecureMx } from '../../src/policy.js'
import { phraseOf } from '../../src/reason.js'
import { name } from '../support/names.js'
import { readScenarios, resolverOf, SCENARIO_EXPIRY } from '../support/scenario.js'
import type { Scenario, Wanted } from '../support/scenario.js'

const scenarios = readScenarios(path.join(ROOT, 'test/scenario/discover.txt'))

for (const scenario of scenarios) {
  describe(scenario.title, () => {
    assert.ok(scenario.wanted.length > 0, 'something is wanted')
    for (const wanted of scenario.wanted) {
      for (const policy of wanted.policies) {
        test(`${policy}${wanted.insecureMx === 'may' ? ', insecure_mx = may' : ''}`, async () => {
          const { found, asked } = await run(scenario, wanted, policy)
          assert.equal(found, wanted.text)
          assert.equal(new Set(asked).size, asked.length, 'nothing is asked twice')
        })
      }
    }
  })
}

test('every record of a scenario is queried under some policy', async () => {
  for (const scenario of scenarios) {
    const asked = new Set<string>()
    for (const wanted of scenario.wanted) {
      for (const policy of wanted.policies) {
        for (const question of (await run(scenario, wanted, policy)).asked) asked.add(question)
      }
    }
    assert.deepEqual(
      [...scenario.answers.keys()].filter((question) => !asked.has(question)),
      [],
      scenario.title,
    )
  }
})

test('address queries come before TLSA queries (RFC 7672 §2.2.2) [R7672-2.2.2-a]', async () => {
  // With several hosts, one may query TLSA while another still queries addresses.
  for (const scenario of scenarios.filter(({ title }) => !title.startsWith('several'))) {
    for (const wanted of scenario.wanted) {
      const { asked } = await run(scenario, wanted, 'opportunistic')
      const types = asked.map((question) => question.split(' ')[1])
      assert.deepEqual(
        types,
        [...types].sort((a, b) => order(a) - order(b)),
        scenario.title,
      )
    }
  }
})

test('a plan for opportunistic, decided again for mandatory, equals the plan for mandatory', async () => {
  let plans = 0
  for (const scenario of scenarios) {
    for (const { insecureMx, isRelay } of scenario.wanted) {
      if (isRelay) continue
      const options = { insecureMx, port: 25 }
      const found = (policy: EnforcedPolicy): Promise<Discovery> =>
        discover(resolverOf(scenario), name('example.org'), { ...options, policy })
      const [relaxed, strict] = [await found('opportunistic'), await found('mandatory')]
      if (relaxed.kind !== 'plan') continue
      plans++
      const anew = redecide(relaxed, { ...options, policy: 'mandatory' })
      assert.equal(discoveryText(anew), discoveryText(strict), scenario.title)
    }
  }
  assert.ok(plans > 40, `${plans} plans`)
})

function order(type: string | undefined): number {
  return ['MX', 'AAAA', 'A', 'CNAME', 'DNAME', 'TLSA'].indexOf(type ?? '')
}

describe('decision-table.csv', () => {
  for (const [index, row] of readTable().entries()) {
    const insecureMx = row.source === 'esa' ? 'may' : 'dane'
    test(`row ${index + 1}: ${Object.values(row).join(', ')}`, async () => {
      const answers = new Map<string, Lookup>([
        [
          'example.org MX',
          status(
            row.mx,
            [
              {
                type: 'MX',
                preference: 10,
                exchange: { kind: 'host', name: name('mx.example.net') },
              },
            ],
            'example.org',
          ),
        ],
        [
          'mx.example.net A',
          status(row.address, [{ type: 'A', address: '192.0.2.1' }], 'mx.example.net'),
        ],
        [
          'mx.example.net AAAA',
          status(row.address === 'bogus' ? 'bogus' : 'nxdomain', [], 'mx.example.net'),
        ],
        [
          '_25._tcp.mx.example.net TLSA',
          status(
            row.tlsa,
            [{ type: 'TLSA', rdata: Buffer.from(`030101${'ab'.repeat(32)}`, 'hex') }],
            '_25._tcp.mx.example.net',
          ),
        ],
      ])
      const options = {
        policy: row.policy === 'mandatory' ? 'mandatory' : 'opportunistic',
        insecureMx,
        port: 25,
      } as const
      const discovery = await discover(resolverOf({ answers }), name('example.org'), options)
      assert.deepEqual(comesTo(discovery), expected(row))
    })
  }
})

/** In the words of the table, as far as discovery decides: a certificate may still mismatch. */
function comesTo(discovery: Discovery): readonly string[] {
  if (discovery.kind !== 'plan') return ['defer', phraseOf(discovery.reason)]
  const [host] = discovery.hosts
  assert.ok(host)
  switch (host.policy.kind) {
    case 'authenticate':
      return ['authenticate']
    case 'opportunistic':
      return ['fallback']
    case 'unreachable':
      return ['defer', phraseOf(host.policy.reason)]
    case 'encrypt':
      return ['encrypt']
  }
}

function expected(row: ReturnType<typeof readTable>[number]): readonly string[] {
  // The second gateway's fallback is delivered here because the certificate matches.
  const isJudgedByCertificate =
    row.tlsa === 'secure' &&
    row.certificate !== 'any' &&
    !(row.policy === 'mandatory' && row.mx === 'insecure')
  if (isJudgedByCertificate) return ['authenticate']
  if (row.action === 'fallback') return ['fallback']
  const twin = readTable().find(
    (other) =>
      other.source === 'ddei' &&
      ['policy', 'mx', 'address', 'tlsa'].every(
        (key) => Reflect.get(other, key) === Reflect.get(row, key),
      ),
  )
  return ['defer', row.reason || (twin?.reason ?? '')]
}

function status(
  word: string,
  records: Extract<Lookup, { kind: 'found' }>['records'],
  owner: string,
): Lookup {
  const common = { canonicalName: name(owner), aliases: [], expiresAt: SCENARIO_EXPIRY }
  switch (word) {
    case 'secure':
    case 'insecure':
      return { kind: 'found', records, security: word, ...common }
    case 'nxdomain':
      return { kind: 'absent', reason: 'nxdomain', security: 'secure', ...common }
    default:
      return { kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] }
  }
}

async function run(
  scenario: Scenario,
  { insecureMx, isRelay, text }: Wanted,
  policy: EnforcedPolicy,
): Promise<{ found: string; asked: readonly string[] }> {
  const resolver = resolverOf(scenario)
  if (!isRelay) {
    const discovery = await discover(resolver, name('example.org'), {
      policy,
      insecureMx,
      port: 25,
    })
    return { found: discoveryText(discovery), asked: resolver.asked }
  }
  const [relay = '', port] = (text.split(' ')[0] ?? '').split(':')
  const { host } = await discoverRelay(resolver, name(relay), {
    policy,
    insecureMx,
    port: Number(port),
  })
  return { found: hostText(host).replace(relay, `${relay}:${port}`), asked: resolver.asked }
}

function discoveryText(discovery: Discovery): string {
  switch (discovery.kind) {
    case 'unresolved':
      return `deferred ${discovery.reason}`
    case 'undeliverable':
      return `returned ${discovery.reason}`
    case 'plan':
      return discovery.hosts.map(hostText).join('; ')
  }
}

function hostText({ exchange, policy }: HostPlan): string {
  switch (policy.kind) {
    case 'authenticate':
      return `${exchange} authenticate ${policy.tlsaBase} names ${policy.referenceNames.join(',')}`
    case 'encrypt':
      return `${exchange} encrypt ${policy.tlsaBase}`
    case 'opportunistic':
    case 'unreachable':
      return `${exchange} ${policy.kind} ${policy.reason}`
  }
}

describe('a chain of MX, address and TLSA, with one step changed at a time (RFC 7672 §2)', () => {
  const steps = ['MX', 'A', 'TLSA'] as const
  const changes = [
    'secure',
    'insecure',
    'bogus',
    'servfail',
    'timeout',
    'malformed',
    'refused',
  ] as const

  /** Derived by hand from RFC 7672 §2.1, §2.2: [step, change] to the outcome under opportunistic and mandatory. */
  const table: Readonly<Record<string, readonly [string, string]>> = {
    'MX insecure': ['authenticate', 'unreachable'],
    'A insecure': ['opportunistic', 'unreachable'],
    'TLSA insecure': ['opportunistic', 'unreachable'],
  }

  for (const step of steps) {
    for (const change of changes) {
      for (const [index, policy] of (['opportunistic', 'mandatory'] as const).entries()) {
        const isFailure = change !== 'secure' && change !== 'insecure'
        const wanted =
          change === 'secure'
            ? 'authenticate'
            : isFailure
              ? step === 'MX'
                ? 'unresolved'
                : 'unreachable'
              : table[`${step} ${change}`]?.[index]
        for (const insecureMx of ['dane', 'may'] as const satisfies readonly InsecureMx[]) {
          // Under `may` an insecure MX record leaves opportunistic mail without DANE.
          const isLax =
            step === 'MX' &&
            change === 'insecure' &&
            insecureMx === 'may' &&
            policy === 'opportunistic'
          test(`${step} ${change}, ${policy}, insecure_mx = ${insecureMx}: ${isLax ? 'opportunistic' : String(wanted)}`, async () => {
            const discovery = await discover(
              resolverOf({ answers: chain(step, change) }),
              name('example.org'),
              { policy, insecureMx, port: 25 },
            )
            const kind =
              discovery.kind === 'plan' ? discovery.hosts[0]?.policy.kind : discovery.kind
            assert.equal(kind, isLax ? 'opportunistic' : wanted)
          })
        }
      }
    }
  }

  function chain(changed: string, change: string): Map<string, Lookup> {
    const of = (
      step: string,
      type: RecordType,
      owner: string,
      records: Extract<Lookup, { kind: 'found' }>['records'],
    ): [string, Lookup] => {
      const word = step === changed ? change : 'secure'
      const common = { canonicalName: name(owner), aliases: [], expiresAt: SCENARIO_EXPIRY }
      const security: Security = word === 'insecure' ? 'insecure' : 'secure'
      if (word === 'secure' || word === 'insecure') {
        return [
          `${owner} ${type}`,
          records.length > 0
            ? { kind: 'found', records, security, ...common }
            : { kind: 'absent', reason: 'nodata', security, ...common },
        ]
      }
      const cause =
        word === 'bogus' || word === 'servfail' || word === 'timeout' || word === 'malformed'
          ? word
          : 'refused'
      return [`${owner} ${type}`, { kind: 'failed', cause, detail: '', extendedErrors: [] }]
    }
    return new Map([
      of('MX', 'MX', 'example.org', [
        { type: 'MX', preference: 10, exchange: { kind: 'host', name: name('mx.example.net') } },
      ]),
      of('A', 'A', 'mx.example.net', [{ type: 'A', address: '192.0.2.1' }]),
      of('A', 'AAAA', 'mx.example.net', []),
      of('TLSA', 'TLSA', '_25._tcp.mx.example.net', [
        { type: 'TLSA', rdata: Buffer.from(`030101${'ab'.repeat(32)}`, 'hex') },
      ]),
    ])
  }
})

test('names in the middle of an alias chain are never TLSA base domains [R7672-2.2.3-e]', async () => {
  const common = { security: 'secure', expiresAt: SCENARIO_EXPIRY } as const
  const target = {
    ...common,
    canonicalName: name('real.example.net'),
    aliases: [name('mx.example.org'), name('middle.example.net')],
  }
  const exchange = { kind: 'host', name: name('mx.example.org') } as const
  const address = { type: 'A', address: '192.0.2.1' } as const
  const asked: string[] = []
  const answer = (owner: string, type: RecordType): Lookup => {
    asked.push(`${owner} ${type}`)
    const own = { ...common, canonicalName: name(owner), aliases: [] }
    if (type === 'MX') {
      const records = [{ type, preference: 10, exchange }] as const
      return { kind: 'found', records, ...own }
    }
    if (type === 'A') return { kind: 'found', records: [address], ...target }
    const where = type === 'AAAA' ? target : own
    return { kind: 'absent', reason: 'nodata', ...where }
  }
  const resolver: Resolver = {
    lookup: (owner, type) => Promise.resolve(ofType(answer(owner, type), type)),
  }
  const options = { insecureMx: 'dane', port: 25, policy: 'opportunistic' } as const
  const found = await discover(resolver, name('example.org'), options)
  assert.equal(found.kind, 'plan')
  assert.deepEqual(
    asked.filter((question) => question.endsWith(' TLSA')),
    ['_25._tcp.real.example.net TLSA', '_25._tcp.mx.example.org TLSA'],
  )
})

test('records with invalid keys are examined once, not for every message', async () => {
  // 64 records that OpenSSL has to parse before it can refuse them.
  const key = Buffer.from('30820122300d06092a864886f70d01010105000382010f00', 'hex')
  const spki = Buffer.concat([key, Buffer.alloc(0x126 - key.length)])
  const records = Array.from({ length: 64 }, () => ({
    type: 'TLSA' as const,
    rdata: Buffer.concat([Buffer.from([3, 1, 0]), spki]),
  }))
  const common = { security: 'secure', aliases: [], expiresAt: SCENARIO_EXPIRY } as const
  const answers = new Map<string, Lookup>([
    [
      '_25._tcp.mx.example.org TLSA',
      { kind: 'found', records, canonicalName: name('_25._tcp.mx.example.org'), ...common },
    ],
    [
      'mx.example.org A',
      {
        kind: 'found',
        records: [{ type: 'A', address: '192.0.2.1' }],
        canonicalName: name('mx.example.org'),
        ...common,
      },
    ],
    [
      'mx.example.org AAAA',
      { kind: 'absent', reason: 'nodata', canonicalName: name('mx.example.org'), ...common },
    ],
    [
      'example.org MX',
      {
        kind: 'found',
        records: [
          { type: 'MX', preference: 1, exchange: { kind: 'host', name: name('mx.example.org') } },
        ],
        canonicalName: name('example.org'),
        ...common,
      },
    ],
  ])
  const once = async (): Promise<HostPlan['tlsa']> => {
    const discovery = await discover(resolverOf({ answers }), name('example.org'), {
      policy: 'opportunistic',
      insecureMx: 'dane',
      port: 25,
    })
    return discovery.kind === 'plan' ? discovery.hosts[0]?.tlsa : undefined
  }
  const [first, second] = [await once(), await once()]
  assert.ok(first?.kind === 'secure' && second?.kind === 'secure')
  // No more are parsed; the rest count as usable, since nothing speaks against them.
  assert.equal(first.unusable.length, 16)
  assert.equal(first.unusable, second.unusable, 'the same object: filtered once')
})
