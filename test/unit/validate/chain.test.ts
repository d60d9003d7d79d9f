/** Chains of trust: which zones are secure, insecure or bogus, and what a lookup may cost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset, SignedReply } from '../../../src/signed-message.js'
import { BUDGET } from '../../../src/validate/budget.js'
import { createMemoryZones } from '../../../src/validate/zone-store.js'
import { dsOf, newSigner, signatureOf, wire } from '../../support/signed-records.js'
import { anchorOf, createWorld, NOW, signAs, TIMES } from '../../support/signed-world.js'
import type { Tamper, World, ZoneSpec } from '../../support/signed-world.js'
import { domain, outcome, rig } from '../../support/validator-rig.js'

const { A, DNSKEY, DS, MX } = RR_TYPE
const RECORDS = ['@ MX 10 mail.example.org', 'mail A 192.0.2.1', '_25._tcp.mail TLSA 030101aa']

function world(spec: ZoneSpec, more: Record<string, ZoneSpec> = {}): World {
  return createWorld({ '.': {}, org: {}, 'example.org': { records: RECORDS, ...spec }, ...more })
}

const ds = (type: number, change: (rdata: Buffer) => void = () => undefined) => {
  const { apex, signer } = world({}).zone('example.org')
  const rdata = Buffer.from(dsOf(apex, signer, type))
  change(rdata)
  return rdata
}
const unknownAlgorithm = ds(2, (rdata) => rdata.writeUInt8(99, 2))
const unknownDigest = ds(2, (rdata) => rdata.writeUInt8(99, 3))
const otherTag = ds(2, (rdata) => rdata.writeUInt16BE((rdata.readUInt16BE(0) + 1) % 65536, 0))
const otherDigest = ds(2, (rdata) => rdata.writeUInt8((rdata.at(-1) ?? 0) ^ 1, rdata.length - 1))
const otherSha1 = ds(1, (rdata) => rdata.writeUInt8((rdata.at(-1) ?? 0) ^ 1, rdata.length - 1))

describe('the zone of a DS', () => {
  const cases: readonly (readonly [string, readonly Buffer[], RegExp])[] = [
    ['[DNSSEC-62] SHA-256 (RFC 4509)', [ds(2)], /^found secure/],
    ['[DNSSEC-62] SHA-384 (RFC 6605 §2)', [ds(4)], /^found secure/],
    ['[DNSSEC-62] SHA-1 alone (RFC 4509 §3)', [ds(1)], /^found secure/],
    [
      '[DNSSEC-62] SHA-1 is ignored next to SHA-256 (RFC 4509 §3)',
      [ds(1), otherDigest],
      /^bogus: no DNSKEY of example.org matches DS \d+$/,
    ],
    ['[DNSSEC-61] one that matches is enough (RFC 4035 §5.2)', [otherTag, ds(2)], /^found secure/],
    [
      '[DNSSEC-64] no algorithm is supported: insecure (RFC 4035 §5.2)',
      [unknownAlgorithm],
      /^found insecure/,
    ],
    [
      '[DNSSEC-64] no digest is supported: insecure (RFC 6840 §5.2)',
      [unknownDigest],
      /^found insecure/,
    ],
    [
      '[DNSSEC-64] some are supported, none leads: bogus (RFC 4035 §5.2)',
      [unknownAlgorithm, unknownDigest, otherTag],
      /^bogus: no DNSKEY of example.org matches DS \d+$/,
    ],
    [
      '[DNSSEC-63] another digest (RFC 4034 §5.1.4)',
      [otherDigest],
      /^bogus: no DNSKEY of example.org matches/,
    ],
    [
      '[DNSSEC-62] another digest by SHA-1 alone (RFC 4034 §5.1.4)',
      [otherSha1],
      /^bogus: no DNSKEY of example.org matches/,
    ],
    [
      '[DNSSEC-63] another tag (RFC 4034 §5.1.1)',
      [otherTag],
      /^bogus: no DNSKEY of example.org matches/,
    ],
    [
      '[DNSSEC-63] a digest that is cut off (RFC 4034 §5.1.4)',
      [ds(2).subarray(0, 20)],
      /^bogus: no DNSKEY of example.org matches/,
    ],
    [
      '[DNSSEC-73] more than 12 DS records (CVE-2023-50387)',
      Array.from({ length: 13 }, (_, i) => ds(2, (rdata) => rdata.writeUInt16BE(i, 0))),
      /^bogus: more than 12 DS records of example.org/,
    ],
  ]
  for (const [circumstance, rdatas, expected] of cases) {
    test(circumstance, async () => {
      const { look } = rig(world({ ds: [...rdatas] }))
      assert.match(outcome(await look('example.org', 'MX')), expected)
    })
  }
})

describe('the keys of a zone', () => {
  const signer = newSigner(13)
  const lookAt = async (spec: ZoneSpec) => outcome(await rig(world(spec)).look('example.org', 'MX'))

  test('[DNSSEC-63] a key without the zone flag leads nowhere (RFC 4034 §2.1.1)', async () => {
    const notZone = newSigner(13, { flags: 0x0001 })
    assert.match(await lookAt({ signer: notZone }), /^bogus: no DNSKEY of example.org matches/)
  })

  test('[DNSSEC-63] a revoked key leads nowhere (RFC 5011 §2.1)', async () => {
    const revoked = newSigner(13, { flags: 0x0181 })
    assert.match(await lookAt({ signer: revoked }), /^bogus: no DNSKEY of example.org matches/)
  })

  test('[DNSSEC-63] protocol 2 leads nowhere (RFC 4034 §2.1.2)', async () => {
    const other = newSigner(13, { protocol: 2 })
    assert.match(await lookAt({ signer: other }), /^bogus: no DNSKEY of example.org matches/)
  })

  test('[DNSSEC-63] the key of the DS has to sign the DNSKEY RRset itself (RFC 4035 §5.2)', async () => {
    const { apex } = world({}).zone('example.org')
    const unsignedKey = { ds: [dsOf(apex, signer)], moreKeys: [signer.rdata] }
    assert.match(await lookAt(unsignedKey), /^bogus: DNSKEY of example.org: no key \d+/)
  })

  test('[DNSSEC-63] without the SEP flag it leads as well (RFC 6840 §6.2)', async () => {
    assert.equal(await lookAt({ signer: newSigner(13, { flags: 0x0100 }) }), 'found secure')
  })

  test('[DNSSEC-24] two algorithms in the DS, signed by the first alone (RFC 6840 §5.11)', async () => {
    const { apex, signer: own } = world({}).zone('example.org')
    const other = newSigner(15)
    const both = { ds: [dsOf(apex, own), dsOf(apex, other)], moreKeys: [other.rdata] }
    assert.equal(await lookAt(both), 'found secure')
  })

  test('[DNSSEC-73] more than 32 keys (CVE-2023-50387)', async () => {
    const moreKeys = Array.from({ length: 32 }, (_, i) =>
      Buffer.concat([signer.rdata.subarray(0, 4), Buffer.alloc(64, i)]),
    )
    assert.match(await lookAt({ moreKeys }), /^bogus: more than 32 DNSKEY records of example.org/)
  })
})

describe('trust anchors', () => {
  test('[DNSSEC-3] none at or above the name: undetermined (RFC 4033 §5)', async () => {
    const all = world({})
    const { look } = rig(all, undefined, { anchors: [anchorOf(all.zone('org'))] })
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
    assert.match(outcome(await look('com', 'MX')), /^no-resolver: no trust anchor at or above/)
  })

  test('[DNSSEC-61] a DNSKEY as an anchor (RFC 4035 §5)', async () => {
    const all = world({})
    const { apex, signer } = all.zone('.')
    const anchors = [{ kind: 'dnskey', owner: apex, rdata: signer.rdata } as const]
    assert.equal(
      outcome(await rig(all, undefined, { anchors }).look('example.org', 'MX')),
      'found secure',
    )
  })

  test('[DNSSEC-61 DNSSEC-69] one of two anchors is enough (RFC 9718)', async () => {
    const all = world({})
    const other = anchorOf({ apex: wire('.'), signer: newSigner(13) })
    const { look } = rig(all, undefined, { anchors: [other, ...all.anchors] })
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
  })

  test('[DNSSEC-61] anchors of unsupported algorithms make nothing insecure (RFC 4035 §5)', async () => {
    const all = world({})
    const anchors = all.anchors.map((anchor) => ({ ...anchor, algorithm: 99 }))
    const { look } = rig(all, undefined, { anchors })
    assert.match(
      outcome(await look('example.org', 'MX')),
      /^bogus: no DNSKEY of \. matches a trust anchor/,
    )
  })

  test('[DNSSEC-61] no anchors at all: nothing is secure or insecure', async () => {
    const { look } = rig(world({}), undefined, { anchors: [] })
    assert.match(outcome(await look('example.org', 'MX')), /^no-resolver/)
  })

  test('[DNSSEC-70] insecure_zones: insecure at and below the name, whatever is signed (RFC 7646)', async () => {
    const broken: Tamper = (question, reply) => ({
      ...reply,
      rrsets: reply.rrsets.map((rrset) =>
        question.name === wire('.') || question.type === DS ? rrset : { ...rrset, signatures: [] },
      ),
    })
    const all = world({}, { 'other.org': { records: ['@ MX 10 a.org'] } })
    const { look } = rig(all, broken, { insecureZones: [wire('example.org')] })
    assert.equal(outcome(await look('example.org', 'MX')), 'found insecure')
    assert.equal(outcome(await look('mail.example.org', 'A')), 'found insecure')
    assert.match(outcome(await look('other.org', 'MX')), /^bogus/)
  })
})

describe('cuts', () => {
  const DEEP = createWorld({
    '.': {},
    org: {},
    'example.org': { records: ['a.b MX 10 mail.example.org', 'c.d.e A 192.0.2.1'] },
    'sub.x.example.org': { records: ['h A 192.0.2.2'] },
    'plain.y.example.org': { denial: 'unsigned', records: ['h A 192.0.2.2'] },
    'lower.plain.y.example.org': { records: ['h A 192.0.2.3'] },
  })
  const cases: readonly (readonly [string, string, string])[] = [
    [
      '[DNSSEC-65] a zone below an empty non-terminal (RFC 4035 §5.2)',
      'h.sub.x.example.org',
      'found secure',
    ],
    [
      '[DNSSEC-65] an insecure zone below an empty non-terminal',
      'h.plain.y.example.org',
      'found insecure',
    ],
    [
      '[DNSSEC-65] a signed zone below an insecure one: insecure',
      'h.lower.plain.y.example.org',
      'found insecure',
    ],
    ['[DNSSEC-65] no cut at all between apex and name', 'c.d.e.example.org', 'found secure'],
    [
      '[DNSSEC-65] absence in a zone below an empty non-terminal',
      'no.sub.x.example.org',
      'nxdomain secure',
    ],
    [
      '[DNSSEC-65] absence in an insecure zone below',
      'no.plain.y.example.org',
      'nxdomain insecure',
    ],
  ]
  for (const [circumstance, name, expected] of cases) {
    test(circumstance, async () => {
      assert.equal(outcome(await rig(DEEP).look(name, 'A')), expected)
    })
  }

  test('[DNSSEC-75] no more than 20 labels are walked below a zone', async () => {
    const name = `${'a.'.repeat(25)}example.org`
    const stripped: Tamper = (question, reply) =>
      question.type === A ? { ...reply, rcode: 0, rrsets: [unsignedA(name)] } : reply
    assert.match(
      outcome(await rig(DEEP, stripped).look(name, 'A')),
      /^bogus: .* is more than 20 labels below its zone/,
    )
  })
})

function unsignedA(owner: string): RRset {
  return { owner: wire(owner), type: A, ttl: 1, rdatas: [Buffer.alloc(4)], signatures: [] }
}

describe('rounds and questions', () => {
  test('a cold domain: two rounds, each question once', async () => {
    const { look, asked, events } = rig(world({}))
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
    assert.deepEqual(asked.toSorted(), [
      'DNSKEY .',
      'DNSKEY example.org',
      'DNSKEY org',
      'DS example.org',
      'DS org',
      'MX example.org',
    ])
    assert.deepEqual(events, [
      { kind: 'validated', name: 'example.org', type: 'MX', questions: 6, rounds: 2 },
    ])
  })

  test('[DNSSEC-67] a known zone costs the question alone (RFC 4035 §5.3.3)', async () => {
    const { look, asked } = rig(world({}))
    await look('example.org', 'MX')
    asked.length = 0
    await look('_25._tcp.mail.example.org', 'TLSA')
    assert.deepEqual(asked, ['TLSA _25._tcp.mail.example.org'])
  })

  test('an insecure domain that is known costs the question alone', async () => {
    const { look, asked } = rig(world({ denial: 'unsigned' }))
    await look('example.org', 'MX')
    asked.length = 0
    assert.equal(outcome(await look('mail.example.org', 'A')), 'found insecure')
    assert.deepEqual(asked, ['A mail.example.org'])
  })

  test('[DNSSEC-11] lookups side by side ask each question once', async () => {
    const { look, asked } = rig(world({}))
    const lookups = await Promise.all([
      look('example.org', 'MX'),
      look('mail.example.org', 'A'),
      look('_25._tcp.mail.example.org', 'TLSA'),
      look('example.org', 'MX'),
    ])
    assert.deepEqual(new Set(lookups.map(outcome)), new Set(['found secure']))
    assert.deepEqual(asked.toSorted(), [...new Set(asked)].toSorted())
  })

  test('[DNSSEC-11] the reply to a question names itself as its signer: no loop', async () => {
    const all = world({})
    const self: Tamper = (question, reply) =>
      question.type === DS || question.type === DNSKEY
        ? {
            ...reply,
            rrsets: reply.rrsets.map((rrset) =>
              signAs({ apex: rrset.owner, signer: all.zone('org').signer }, rrset),
            ),
          }
        : reply
    const { look, asked } = rig(all, self)
    assert.match(outcome(await look('example.org', 'MX')), /^bogus/)
    assert.ok(asked.length < 20)
  })

  test('[DNSSEC-67] kept keys end with the signature over them (RFC 4035 §5.3.3)', async () => {
    let now = NOW
    const shared = { zones: createMemoryZones(), now: () => now }
    const all = world({})
    const soon: Tamper = (question, reply) =>
      question.type === DNSKEY && question.name === wire('example.org')
        ? {
            ...reply,
            rrsets: reply.rrsets.map((rrset) =>
              signAs(all.zone('example.org'), rrset, { expiration: NOW / 1000 + 60 }),
            ),
          }
        : reply
    const { look, asked } = rig(all, soon, shared)
    await look('example.org', 'MX')
    now = NOW + 59_000
    asked.length = 0
    await look('example.org', 'MX')
    assert.deepEqual(asked, ['MX example.org'])
    now = NOW + 61_000
    asked.length = 0
    await look('example.org', 'MX')
    assert.ok(asked.includes('DNSKEY example.org'))
  })

  test('[DNSSEC-67] the keys have changed: proven again before it is bogus (RFC 4035 §5.3.3)', async () => {
    const shared = { zones: createMemoryZones() }
    await rig(world({}), undefined, shared).look('example.org', 'MX')
    const rolled = world({ signer: newSigner(13) })
    const { look } = rig(rolled, undefined, shared)
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
  })

  test('[DNSSEC-67] other anchors forget all zones', async () => {
    const shared = { zones: createMemoryZones() }
    const all = world({})
    await rig(all, undefined, shared).look('example.org', 'MX')
    const anchors = [anchorOf({ apex: wire('.'), signer: newSigner(13) })]
    const { look } = rig(all, undefined, { ...shared, anchors })
    assert.match(outcome(await look('example.org', 'MX')), /^bogus: no DNSKEY of \. matches/)
  })

  test('[DNSSEC-68] a bogus zone is not kept (RFC 4035 §4.7)', async () => {
    let isBroken = true
    const strip: Tamper = (question, reply) =>
      isBroken && question.type === DNSKEY
        ? { ...reply, rrsets: reply.rrsets.map((rrset) => ({ ...rrset, signatures: [] })) }
        : reply
    const { look } = rig(world({}), strip)
    assert.match(outcome(await look('example.org', 'MX')), /^bogus/)
    isBroken = false
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
  })

  test('[DNSSEC-68] what could not be asked is not kept (RFC 9520)', async () => {
    let isDown = true
    const down: Tamper = (question, reply) =>
      isDown && question.type === DS
        ? { kind: 'failed', cause: 'timeout', detail: 'no reply', extendedErrors: [] }
        : reply
    const { look } = rig(world({ denial: 'unsigned' }), down)
    assert.match(outcome(await look('example.org', 'MX')), /^timeout/)
    isDown = false
    assert.equal(outcome(await look('example.org', 'MX')), 'found insecure')
  })

  test('a question that rejects is a failure, and ends no process', async () => {
    const reject: Tamper = ({ type }, reply) =>
      type === DS ? Promise.reject(new Error('socket\u0007')) : reply
    const { look } = rig(world({ denial: 'unsigned' }), reject)
    assert.match(outcome(await look('example.org', 'MX')), /^network: DS of [a-z.]+: .*socket\?$/)
  })

  test('no time left', async () => {
    const { validator } = rig(world({}))
    const lookup = await validator.lookup(domain('example.org'), 'MX', NOW)
    assert.match(outcome(lookup), /^timeout: no time left for MX of example.org/)
  })
})

describe('budgets', () => {
  /** A reply with one set, signed many times by one key, wrongly. */
  function flooded(reply: SignedReply, all: World, count: number): SignedReply {
    const zone = all.zone('example.org')
    const rrsets = reply.rrsets.map((rrset) => ({
      ...rrset,
      signatures: Array.from({ length: count }, (_, i) =>
        signatureOf({
          ...TIMES,
          signer: zone.signer,
          zone: zone.apex,
          owner: wire(`x${i}.example.org`),
          type: rrset.type,
          rdatas: rrset.rdatas,
          labels: 2,
        }),
      ),
    }))
    return { ...reply, rrsets }
  }

  test('[DNSSEC-72] signatures that do not match end the lookup (CVE-2023-50387)', async () => {
    const all = world({})
    const { look } = rig(all, (question, reply) =>
      question.type === MX ? flooded(reply, all, 60) : reply,
    )
    assert.match(outcome(await look('example.org', 'MX')), /^bogus: MX of example.org: /)
  })

  test('[DNSSEC-75] aliases without end through zones without end', async () => {
    const specs: Record<string, ZoneSpec> = { '.': {} }
    for (let i = 0; i < 30; i++) {
      specs[`z${i}.org`] = { denial: 'unsigned', records: [`@ CNAME z${i + 1}.org`] }
    }
    const all = createWorld({ ...specs, org: { denial: 'opt-out' } })
    const { look, asked } = rig(all)
    assert.match(outcome(await look('z0.org', 'A')), /^alias-loop/)
    assert.ok(asked.length <= BUDGET.questions)
  })

  test('[DNSSEC-75] no more than 16 zones', async () => {
    const specs: Record<string, ZoneSpec> = { '.': {} }
    let apex = 'z'
    for (let i = 0; i < 17; i++) {
      specs[apex] = { records: ['h A 192.0.2.1'] }
      apex = `z.${apex}`
    }
    const { look } = rig(createWorld(specs))
    const deep = (zones: number) => `h.${'z.'.repeat(zones).slice(0, -1)}`
    assert.equal(outcome(await look(deep(15), 'A')), 'found secure')
    const cold = rig(createWorld(specs))
    assert.match(
      outcome(await cold.look(deep(17), 'A')),
      /^bogus: more than 16 zones in one lookup/,
    )
  })

  test('[DNSSEC-75] no more than 48 questions', async () => {
    const specs: Record<string, ZoneSpec> = { '.': {}, org: {} }
    for (let i = 0; i < 15; i++) {
      const apex = `a.b.c.z${i}.org`
      specs[apex] = { denial: 'unsigned', records: [`@ CNAME a.b.c.z${i + 1}.org`] }
    }
    const all = createWorld(specs)
    // Each target has to be asked for.
    const first: Tamper = ({ type }, reply) =>
      type === A ? { ...reply, rrsets: reply.rrsets.slice(0, 1) } : reply
    const { look, asked } = rig(all, first)
    assert.match(outcome(await look('a.b.c.z0.org', 'A')), /^bogus: more than 48 questions/)
    assert.equal(asked.length, BUDGET.questions)
  })

  test('[DNSSEC-77] after 2 ms of verifying other events come first', async () => {
    let turns = 0
    const all = createWorld({
      '.': { algorithm: 14 },
      org: { algorithm: 14 },
      'example.org': { algorithm: 14, records: RECORDS },
    })
    const { look } = rig(all, undefined, {
      yieldTurn: () => {
        turns++
        return new Promise((resolve) => setImmediate(resolve))
      },
    })
    // All replies are there when verifying begins: 6 verifications by P-384.
    assert.equal(outcome(await look('example.org', 'MX')), 'found secure')
    assert.ok(turns > 0)
  })
})

describe('the report of a chain', () => {
  test('tells each zone with its DS, keys, algorithms and days', async () => {
    const all = world({})
    const report = await rig(all).explain('mail.example.org', 'A')
    const { keyTag } = all.zone('example.org').signer
    assert.deepEqual(
      report.zones.map(({ zone, kind }) => `${zone} ${kind}`),
      ['. secure', 'org secure', 'example.org secure'],
    )
    assert.equal(report.zones[0]?.ds[0]?.isAnchor, true)
    assert.deepEqual(report.zones[2], {
      zone: 'example.org',
      kind: 'secure',
      detail: '',
      ds: [{ keyTag, algorithm: 13, digestType: 2, isAnchor: false }],
      keys: [{ keyTag, algorithm: 13, isSep: true, isRevoked: false, unusable: undefined }],
      signatures: [{ keyTag, algorithm: 13, expiresAt: TIMES.expiration * 1000, daysLeft: 10 }],
    })
    assert.deepEqual(
      report.rrsets.map(({ owner, type, kind }) => ({ owner, type, kind })),
      [{ owner: 'mail.example.org', type: A, kind: 'secure' }],
    )
    assert.equal(outcome(report.lookup), 'found secure')
  })

  test('does not rest on what is kept', async () => {
    const { look, explain, asked } = rig(world({}))
    await look('example.org', 'MX')
    asked.length = 0
    const report = await explain('example.org', 'MX')
    assert.equal(report.zones.length, 3)
    assert.ok(asked.includes('DNSKEY .'))
  })

  test('tells where a chain is insecure, and where it is broken', async () => {
    const plain = await rig(world({ denial: 'unsigned' })).explain('example.org', 'MX')
    assert.deepEqual(
      plain.zones.map(({ zone, kind, detail }) => `${zone} ${kind} ${detail}`),
      ['. secure ', 'org secure ', 'example.org insecure example.org has no DS'],
    )
    const bad = await rig(world({ ds: [otherTag] })).explain('example.org', 'MX')
    assert.match(bad.zones.at(-1)?.detail ?? '', /^no DNSKEY of example.org matches DS/)
    assert.equal(bad.zones.at(-1)?.kind, 'bogus')
    assert.equal(bad.lookup.kind, 'failed')
  })
})

test('a zone fits into the memory that is set aside, the oldest is forgotten', () => {
  const zones = createMemoryZones(2)
  const zone = { keys: undefined, detail: '', expiresAt: NOW, under: '' }
  for (const apex of ['a', 'b']) zones.put({ ...zone, apex: wire(apex) })
  zones.get(wire('a'))
  zones.put({ ...zone, apex: wire('c') })
  assert.deepEqual(
    ['a', 'b', 'c'].map((apex) => zones.get(wire(apex)) !== undefined),
    [true, false, true],
  )
})
