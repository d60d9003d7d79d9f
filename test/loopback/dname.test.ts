/** Names below a signed DNAME into an unsigned zone, at a real Unbound, and at a resolver that sends no CNAME. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startNameServers } from '../../lab/name-servers.js'
import type { NameServers } from '../../lab/name-servers.js'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { discover } from '../../src/discover/discover.js'
import type { Discovery } from '../../src/plan.js'
import { openMember } from '../../src/assemble.js'
import { parseSettings } from '../../src/settings/settings.js'
import { ANSWERED, reply, rr } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'
import { name } from '../support/names.js'

const DIGEST = 'ab'.repeat(32)

let folder: string
let names: NameServers
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dane-dname-'))
  names = await startNameServers(folder, [
    { origin: '', state: 'signed', records: [] },
    { origin: 'example', state: 'signed', records: [] },
    {
      origin: 'signed.example',
      state: 'signed',
      records: [
        'host MX 10 mx.below.signed.example.',
        'below DNAME there.unsigned.example.',
        'within MX 10 mx.inside.signed.example.',
        'inside DNAME real.signed.example.',
        'mx.real A 192.0.2.2',
        `_25._tcp.mx.real TLSA 3 1 1 ${DIGEST}`,
        // The address leads out of DNSSEC behind the second alias, the TLSA records do not.
        'apart MX 10 mx.split.signed.example.',
        'split DNAME half.signed.example.',
        'mx.half CNAME mx.there.unsigned.example.',
        `_25._tcp.mx.half TLSA 3 1 1 ${DIGEST}`,
        'tlsa MX 10 mx.tlsa.signed.example.',
        'mx.tlsa A 192.0.2.3',
        '_tcp.mx.tlsa DNAME there.unsigned.example.',
      ],
    },
    {
      origin: 'unsigned.example',
      state: 'unsigned',
      records: ['mx.there A 192.0.2.1', 'owner.there MX 10 mx.there.unsigned.example.'],
    },
  ])
})
after(async () => {
  await names.stop()
  await rm(folder, { recursive: true, force: true })
})

async function plan(domain: string): Promise<string> {
  const options = { policy: 'opportunistic', insecureMx: 'dane', port: 25 } as const
  return text(await discover(names.resolver, name(domain), options))
}

function text(discovery: Discovery): string {
  if (discovery.kind !== 'plan') return `${discovery.kind} ${discovery.reason}: ${discovery.detail}`
  const [host] = discovery.hosts
  if (host === undefined) return 'no host'
  const { policy, addresses } = host
  switch (policy.kind) {
    case 'opportunistic':
      return `${policy.reason} ${addresses.join()}`
    case 'unreachable':
      return `${policy.reason}: ${policy.detail}`
    case 'authenticate':
    case 'encrypt':
      return `${policy.kind} ${policy.tlsaBase} ${addresses.join()}`
  }
}

const cases: readonly (readonly [string, string, string])[] = [
  // TLSA below the DNAME is in the unsigned zone as well, so nothing that is protected is left out.
  [
    'MX host below a signed DNAME into an unsigned zone (RFC 6672 §5.3.1, RFC 7672 §2.1.3)',
    'host.signed.example',
    'no-tlsa-record 192.0.2.1',
  ],
  [
    'MX host below a signed DNAME inside DNSSEC (RFC 7672 §2.2.3)',
    'within.signed.example',
    'authenticate mx.real.signed.example 192.0.2.2',
  ],
  [
    'TLSA records at the name below the DNAME are still found (RFC 7672 §2.2.2)',
    'apart.signed.example',
    'authenticate mx.split.signed.example 192.0.2.1',
  ],
  [
    'MX owner below a signed DNAME into an unsigned zone (RFC 7672 §2.2.1)',
    'owner.below.signed.example',
    'address-insecure 192.0.2.1',
  ],
  [
    'TLSA owner below a signed DNAME into an unsigned zone (RFC 7672 §2.2.3)',
    'tlsa.signed.example',
    'no-tlsa-record 192.0.2.3',
  ],
]

describe('by Unbound', () => {
  for (const [circumstance, domain, wanted] of cases) {
    test(circumstance, async () => {
      assert.equal(await plan(domain), wanted)
      assert.equal(await plan(domain), wanted, 'from its cache')
    })
  }

  test('its answer for a DNAME is secure', async () => {
    const lookup = await names.resolver.lookup(name('below.signed.example'), 'DNAME')
    assert.ok(lookup.kind === 'found' && lookup.security === 'secure', JSON.stringify(lookup))
  })
})

test('by a resolver that sends DNAME and address without a CNAME', async () => {
  const server = await startDnsServer((query) => [
    reply({
      id: query.id,
      flags: ANSWERED,
      question: { name: query.spelling, type: query.type },
      answer: [rr.dname('below.example', 'real.example'), rr.a('mx.real.example', '192.0.2.1')],
    }),
  ])
  const { resolver } = parseSettings('[resolver]\nvalidation = resolver\ntrust = yes')
  const member = openMember({ ...server, tlsName: undefined }, resolver, () => undefined)
  try {
    const lookup = await member.lookup(name('mx.below.example'), 'A', Date.now() + 5_000)
    assert.ok(lookup.kind === 'found', JSON.stringify(lookup))
    assert.equal(lookup.canonicalName, 'mx.real.example')
    assert.equal(lookup.dname, 'below.example')
  } finally {
    member.close()
    await server.stop()
  }
})
