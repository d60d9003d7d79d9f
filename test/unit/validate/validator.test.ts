/** Whole lookups against signed zones in memory, honest and changed on the way. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Failed, FailureCause, RecordType } from '../../../src/lookup.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset, SignedReply } from '../../../src/signed-message.js'
import { wire } from '../../support/signed-records.js'
import { outcome, rig } from '../../support/validator-rig.js'
import { base32hex, createWorld, NOW, nsec3Hash, signAs } from '../../support/signed-world.js'
import type { Tamper } from '../../support/signed-world.js'

/** A name that is not there. The NSEC3 of six.org covers *.org, another one this name. */
const OPTED_OUT = 'opted-out.org'

const WORLD = createWorld({
  '.': {},
  org: { denial: 'opt-out', records: ['six A 192.0.2.6'] },
  'example.org': {
    records: [
      '@ MX 10 mail.example.org',
      'mail A 192.0.2.1',
      '_25._tcp.mail TLSA 030101aa',
      'alias CNAME mail.example.org',
      'out CNAME host.nsec3.org',
      'in CNAME host.plain.org',
      '*.wild A 192.0.2.7',
      'deep.ent A 192.0.2.8',
      'old DNAME nsec3.org',
      '*.aliases CNAME mail.example.org',
      `astray CNAME ${OPTED_OUT}`,
    ],
  },
  'nsec3.org': {
    denial: 'nsec3',
    records: ['host A 192.0.2.2', '*.wild A 192.0.2.9', 'deep.ent A 192.0.2.8'],
  },
  'plain.org': { denial: 'unsigned', records: ['@ MX 10 host.plain.org', 'host A 192.0.2.3'] },
  'unsigned.example.org': { denial: 'unsigned', records: ['@ A 192.0.2.3'] },
  'island.org': { isIsland: true, records: ['@ MX 10 host.island.org', 'host A 192.0.2.3'] },
})

/** Name and type, and what a validating resolver says of them. */
const HONEST: readonly (readonly [string, RecordType, string])[] = [
  ['example.org', 'MX', 'found secure'],
  ['mail.example.org', 'A', 'found secure'],
  ['_25._tcp.mail.example.org', 'TLSA', 'found secure'],
  ['alias.example.org', 'A', 'found secure'],
  ['out.example.org', 'A', 'found secure'],
  ['in.example.org', 'A', 'found insecure'],
  ['x.wild.example.org', 'A', 'found secure'],
  ['x.y.wild.example.org', 'A', 'found secure'],
  ['x.wild.example.org', 'MX', 'nodata secure'],
  ['ent.example.org', 'A', 'nodata secure'],
  ['mail.example.org', 'AAAA', 'nodata secure'],
  ['none.example.org', 'A', 'nxdomain secure'],
  ['host.old.example.org', 'A', 'found secure'],
  ['none.old.example.org', 'A', 'nxdomain secure'],
  ['host.old.example.org', 'CNAME', 'found secure'],
  ['old.example.org', 'DNAME', 'found secure'],
  ['alias.example.org', 'CNAME', 'found secure'],
  ['host.nsec3.org', 'A', 'found secure'],
  ['x.wild.nsec3.org', 'A', 'found secure'],
  ['x.wild.nsec3.org', 'MX', 'nodata secure'],
  ['ent.nsec3.org', 'A', 'nodata secure'],
  ['host.nsec3.org', 'AAAA', 'nodata secure'],
  ['none.nsec3.org', 'A', 'nxdomain secure'],
  ['plain.org', 'MX', 'found insecure'],
  ['host.plain.org', 'A', 'found insecure'],
  ['none.plain.org', 'A', 'nxdomain insecure'],
  ['host.plain.org', 'MX', 'nodata insecure'],
  ['island.org', 'MX', 'found insecure'],
  ['none.island.org', 'MX', 'nxdomain insecure'],
  ['nothere.org', 'MX', 'nxdomain insecure'],
  [OPTED_OUT, 'MX', 'nxdomain insecure'],
  ['astray.example.org', 'A', 'nxdomain insecure'],
  ['com', 'MX', 'nxdomain secure'],
  ['deep.below.com', 'MX', 'nxdomain secure'],
]

describe('honest replies', () => {
  for (const [name, type, expected] of HONEST) {
    test(`[DNSSEC-1] ${name} ${type}: ${expected}`, async () => {
      const { look } = rig(WORLD)
      assert.equal(outcome(await look(name, type)), expected)
    })
  }

  test('the shape of a Lookup is that of dns/answer.ts', async () => {
    const { look } = rig(WORLD)
    assert.deepEqual(await look('out.example.org', 'A'), {
      kind: 'found',
      records: [{ type: 'A', address: '192.0.2.2' }],
      security: 'secure',
      canonicalName: 'host.nsec3.org',
      aliases: ['out.example.org'],
      expiresAt: NOW + 3_600_000,
    })
    const derived = await look('host.old.example.org', 'A')
    assert.equal(derived.kind === 'found' && derived.dname, 'old.example.org')
    assert.deepEqual(await look('none.example.org', 'MX'), {
      kind: 'absent',
      reason: 'nxdomain',
      security: 'secure',
      canonicalName: 'none.example.org',
      aliases: [],
      expiresAt: NOW + 300_000,
    })
  })
})

/** Changes every RRset of replies to one question. */
function changing(
  name: string,
  type: number | undefined,
  change: (rrset: RRset) => RRset | undefined,
): Tamper {
  return (question, reply) => {
    const isIt = question.name === wire(name) && (type === undefined || question.type === type)
    if (!isIt) return reply
    return { ...reply, rrsets: reply.rrsets.flatMap((rrset) => change(rrset) ?? []) }
  }
}

const unsigned = (rrset: RRset): RRset => ({ ...rrset, signatures: [] })
const broken = (rrset: RRset): RRset => ({
  ...rrset,
  signatures: rrset.signatures.map((rrsig) => ({
    ...rrsig,
    signature: Buffer.from(rrsig.signature.map((octet) => octet ^ 1)),
  })),
})
const without =
  (...types: number[]) =>
  (rrset: RRset) =>
    types.includes(rrset.type) ? undefined : rrset
const { A, CNAME, DNAME, DNSKEY, DS, MX, NS, NSEC, NSEC3 } = RR_TYPE

function failedReply(cause: FailureCause): Failed {
  return { kind: 'failed', cause, detail: 'no reply from 192.0.2.53', extendedErrors: [] }
}

function replying(name: string, type: number, more: Partial<SignedReply>): Tamper {
  return (question, reply) =>
    question.name === wire(name) && question.type === type ? { ...reply, ...more } : reply
}

/** The same signatures in the name of another zone. */
function signedBy(rrset: RRset, signer: string): RRset {
  const signatures = rrset.signatures.map((rrsig) => ({ ...rrsig, signer: wire(signer) }))
  return { ...rrset, signatures }
}

type Attack = readonly [
  circumstance: string,
  name: string,
  type: RecordType,
  tamper: Tamper,
  expected: RegExp,
]

const example = WORLD.zone('example.org')
const org = WORLD.zone('org')

function isNsec3Of(rrset: RRset, name: string): boolean {
  return rrset.type === NSEC3 && rrset.owner === nsec3Owner(nsec3Hash(wire(name)))
}

function nsec3Owner(hash: string): string {
  return wire(`${base32hex(hash)}.org`)
}

/** The NSEC3 of org that covers a name. */
function coverOf(name: string): RRset | undefined {
  const hash = nsec3Owner(nsec3Hash(wire(name)))
  const sorted = [...org.denials].sort((a, b) => (a.owner < b.owner ? -1 : 1))
  return sorted.findLast(({ owner }) => owner < hash) ?? sorted.at(-1)
}

function withoutWildcard(rrset: RRset): RRset | undefined {
  return rrset === coverOf('*.org') ? undefined : rrset
}

const ATTACKS: readonly Attack[] = [
  [
    '[DNSSEC-2 DNSSEC-66] signatures stripped from the answer (RFC 4035 §5.2, CVE-2023-7008)',
    'example.org',
    'MX',
    changing('example.org', MX, unsigned),
    /^bogus: MX of example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-2] all signatures and denials stripped, everywhere (RFC 4035 §4.3)',
    'example.org',
    'MX',
    (_, reply) => ({
      ...reply,
      rrsets: reply.rrsets.filter(({ type }) => type !== NSEC && type !== NSEC3).map(unsigned),
    }),
    /^bogus: /,
  ],
  [
    '[DNSSEC-2] an unsigned answer, and an empty reply for its DS (RFC 4035 §5.2)',
    'example.org',
    'MX',
    (question, reply) =>
      question.type === DS && question.name === wire('example.org')
        ? { ...reply, rrsets: [] }
        : changing('example.org', MX, unsigned)(question, reply),
    /^bogus: no proof that example.org has no DS: no NSEC or NSEC3 of zone org in the reply/,
  ],
  [
    '[DNSSEC-2] an unsigned answer, and an unsigned DS (RFC 4035 §5.2)',
    'example.org',
    'MX',
    changing('example.org', undefined, unsigned),
    /^bogus: DS of example.org: no signature by org/,
  ],
  [
    '[DNSSEC-2] SERVFAIL for the DS of an insecure domain is undetermined (RFC 4035 §4.3)',
    'plain.org',
    'MX',
    replying('plain.org', DS, { rcode: 2, rrsets: [] }),
    /^servfail: DS of plain.org: SERVFAIL/,
  ],
  [
    '[DNSSEC-2] REFUSED for the DNSKEY is undetermined (RFC 4035 §4.3)',
    'example.org',
    'MX',
    replying('example.org', DNSKEY, { rcode: 5, rrsets: [] }),
    /^refused: DNSKEY of example.org: REFUSED/,
  ],
  [
    '[DNSSEC-1] no reply to the question for the DS: undetermined (RFC 4033 §5)',
    'plain.org',
    'MX',
    (question, reply) =>
      question.type === DS && question.name === wire('plain.org') ? failedReply('timeout') : reply,
    /^timeout: DS of plain.org: no reply/,
  ],
  [
    '[DNSSEC-2] an empty reply to the question for the DNSKEY (RFC 4035 §5.2)',
    'example.org',
    'MX',
    replying('example.org', DNSKEY, { rrsets: [] }),
    /^bogus: example.org has a DS, but no DNSKEY/,
  ],
  [
    '[DNSSEC-2] an unsigned DNSKEY (RFC 4035 §5.2)',
    'example.org',
    'MX',
    changing('example.org', DNSKEY, unsigned),
    /^bogus: DNSKEY of example.org: no signature by example.org/,
  ],
  [
    '[DNSSEC-63] a signature over the DNSKEY that does not match (RFC 4035 §5.2)',
    'example.org',
    'MX',
    changing('example.org', DNSKEY, broken),
    /^bogus: DNSKEY of example.org: signature by key \d+ does not match/,
  ],
  [
    '[DNSSEC-4] a broken signature over an alias (RFC 4035 §3.2.3)',
    'in.example.org',
    'A',
    changing('in.example.org', A, broken),
    /^bogus: CNAME of in.example.org: signature by key \d+ does not match/,
  ],
  [
    '[DNSSEC-4] a bogus target behind a secure alias (RFC 4035 §3.2.3)',
    'out.example.org',
    'A',
    (_, reply) => ({
      ...reply,
      rrsets: reply.rrsets.map((rrset) =>
        rrset.owner === wire('host.nsec3.org') && rrset.type === A ? broken(rrset) : rrset,
      ),
    }),
    /^bogus: A of host.nsec3.org: signature by key \d+ does not match/,
  ],
  [
    '[DNSSEC-9] a DS that the child has signed itself (RFC 4035 §2.4, §5.2)',
    'example.org',
    'MX',
    changing('example.org', DS, (rrset) => signAs(example, rrset)),
    /^bogus: DS of example.org: /,
  ],
  [
    '[DNSSEC-9 DNSSEC-15] the NSEC of the child apex in place of the DS (RFC 6840 §4.4)',
    'example.org',
    'MX',
    (question, reply) =>
      question.type === DS && question.name === wire('example.org')
        ? { ...reply, rrsets: example.denials }
        : changing('example.org', MX, unsigned)(question, reply),
    /^bogus: no proof that example.org has no DS/,
  ],
  [
    '[DNSSEC-14] signed by a key of another zone, in its name (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('example.org', MX, (rrset) => signAs(WORLD.zone('nsec3.org'), rrset)),
    /^bogus: /,
  ],
  [
    '[DNSSEC-14] signed by a key of another zone, in the name of its own (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('example.org', MX, (rrset) =>
      signAs({ apex: wire('example.org'), signer: WORLD.zone('nsec3.org').signer }, rrset),
    ),
    /^bogus: MX of example.org: no key \d+/,
  ],
  [
    '[DNSSEC-14] signed by a name that is no zone (RFC 4035 §5.3.1)',
    'mail.example.org',
    'A',
    changing('mail.example.org', A, (rrset) =>
      signAs({ apex: wire('mail.example.org'), signer: example.signer }, rrset),
    ),
    /^bogus: A of mail.example.org: its signer mail.example.org is not a zone/,
  ],
  [
    '[DNSSEC-14] signed by an insecure zone elsewhere (RFC 4035 §5.3.1)',
    'mail.example.org',
    'A',
    changing('mail.example.org', A, (rrset) => signedBy(rrset, 'plain.org')),
    /^bogus: A of mail.example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-14] signed by an insecure name below the owner (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('example.org', MX, (rrset) => signedBy(rrset, 'unsigned.example.org')),
    /^bogus: MX of example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-14 DNSSEC-36] absence signed by an insecure zone elsewhere (RFC 4035 §5.4)',
    'none.example.org',
    'MX',
    changing('none.example.org', MX, (rrset) => signedBy(rrset, 'plain.org')),
    /^bogus: no proof that none.example.org has no MX/,
  ],
  [
    '[DNSSEC-34] a wildcard without proof that the name does not exist (RFC 4035 §5.3.4)',
    'x.wild.example.org',
    'A',
    changing('x.wild.example.org', A, without(NSEC)),
    /^bogus: A of x.wild.example.org: from a wildcard, without proof that x.wild.example.org does not exist/,
  ],
  [
    '[DNSSEC-34] the same with NSEC3 (RFC 5155 §8.8)',
    'x.wild.nsec3.org',
    'A',
    changing('x.wild.nsec3.org', A, without(NSEC3)),
    /^bogus: A of x.wild.nsec3.org: from a wildcard, without proof/,
  ],
  [
    '[DNSSEC-34] the wildcard in place of a name that exists (RFC 4035 §5.3.4)',
    'deep.ent.example.org',
    'A',
    changing('deep.ent.example.org', A, (rrset) => ({
      ...signAs(example, { owner: wire('*.example.org'), type: A, rdatas: [Buffer.alloc(4)] }),
      owner: rrset.owner,
    })),
    /^bogus: A of deep.ent.example.org: from a wildcard, without proof/,
  ],
  [
    '[DNSSEC-36] NSEC3 of a sibling zone deny nothing (RFC 5155 §8.2)',
    'mail.example.org',
    'MX',
    changing('mail.example.org', MX, (rrset) =>
      rrset.type === NSEC ? WORLD.zone('nsec3.org').denials[0] : rrset,
    ),
    /^bogus: no proof that mail.example.org has no MX/,
  ],
  [
    '[DNSSEC-36 DNSSEC-15] NSEC3 of the parent deny nothing in the child (RFC 6840 §4.1)',
    '_25._tcp.mail.example.org',
    'TLSA',
    (question, reply) =>
      question.type === RR_TYPE.TLSA ? { ...reply, rcode: 3, rrsets: org.denials } : reply,
    /^bogus: no proof that _25._tcp.mail.example.org has no TLSA/,
  ],
  [
    '[DNSSEC-53] opt-out, a name error without NSEC3 of the wildcard (RFC 5155 §8.4)',
    OPTED_OUT,
    'MX',
    changing(OPTED_OUT, MX, withoutWildcard),
    new RegExp(`^bogus: no proof that ${OPTED_OUT} has no MX: no NSEC3 covers the wildcard`),
  ],
  [
    '[DNSSEC-53] the same in reply to an alias (RFC 5155 §8.4)',
    'astray.example.org',
    'A',
    (_, reply) => ({
      ...reply,
      rrsets: reply.rrsets.flatMap((rrset) => withoutWildcard(rrset) ?? []),
    }),
    new RegExp(`^bogus: no proof that ${OPTED_OUT} has no A: no NSEC3 covers the wildcard`),
  ],
  [
    '[DNSSEC-52] opt-out, a name error without its closest encloser (RFC 5155 §8.3)',
    OPTED_OUT,
    'MX',
    changing(OPTED_OUT, MX, (rrset) => (isNsec3Of(rrset, 'org') ? undefined : rrset)),
    new RegExp(`^bogus: no proof that ${OPTED_OUT} has no MX: no NSEC3 matches the name`),
  ],
  [
    '[DNSSEC-53] opt-out, no NSEC3 and no signature: an unsigned zone may say so (RFC 5155 §8.9)',
    OPTED_OUT,
    'MX',
    changing(OPTED_OUT, MX, (rrset) => without(NSEC3)(unsigned(rrset))),
    /^nxdomain insecure/,
  ],
  [
    '[DNSSEC-56] an unsigned zone, and next to its SOA an NSEC3 of the zone above that proves nothing (RFC 5155 §8.9)',
    'none.plain.org',
    'MX',
    (question, reply) =>
      question.type === MX
        ? {
            ...reply,
            rrsets: [...reply.rrsets, ...org.denials.filter((each) => isNsec3Of(each, 'org'))],
          }
        : reply,
    /^nxdomain insecure/,
  ],
  [
    '[DNSSEC-6] the RCODE says NXDOMAIN, the proof NODATA: NODATA (RFC 4035 §3.2.3)',
    'mail.example.org',
    'MX',
    replying('mail.example.org', MX, { rcode: 3 }),
    /^nodata secure/,
  ],
  [
    '[DNSSEC-6] the RCODE says NOERROR, the proof NXDOMAIN: NXDOMAIN (RFC 4035 §3.2.3)',
    'none.example.org',
    'MX',
    replying('none.example.org', MX, { rcode: 0 }),
    /^nxdomain secure/,
  ],
  [
    '[DNSSEC-6] NXDOMAIN without proof for a name that exists (RFC 4035 §5.4)',
    'example.org',
    'MX',
    replying('example.org', MX, { rcode: 3, rrsets: [] }),
    /^bogus: no proof that example.org has no MX: zone example.org is signed, but no NSEC/,
  ],
  [
    '[DNSSEC-6] absence with the NSEC of another name (RFC 4035 §5.4)',
    'mail.example.org',
    'A',
    (question, reply) =>
      question.type === A && question.name === wire('mail.example.org')
        ? { ...reply, rrsets: example.denials.slice(0, 1) }
        : reply,
    /^bogus: no proof that mail.example.org has no A/,
  ],
  [
    '[DNSSEC-58] an alias from a wildcard without proof (RFC 4035 §5.3.4)',
    'y.aliases.example.org',
    'A',
    changing('y.aliases.example.org', A, without(NSEC)),
    /^bogus: CNAME of y.aliases.example.org: from a wildcard, without proof/,
  ],
  [
    '[DNSSEC-58] an alias without a signature (RFC 4035 §3.2.3)',
    'alias.example.org',
    'A',
    changing('alias.example.org', A, (rrset) => (rrset.type === CNAME ? unsigned(rrset) : rrset)),
    /^bogus: CNAME of alias.example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-59] the target swapped in the CNAME of a DNAME: derived, not believed (RFC 6672 §5.3.1)',
    'host.old.example.org',
    'A',
    changing('host.old.example.org', A, (rrset) =>
      rrset.type === CNAME
        ? { ...rrset, rdatas: [Buffer.from(wire('host.plain.org'), 'latin1')] }
        : rrset,
    ),
    /^found secure/,
  ],
  [
    '[DNSSEC-59] a CNAME below a DNAME without the DNAME (RFC 6672 §5.3.1)',
    'host.old.example.org',
    'A',
    changing('host.old.example.org', A, without(DNAME)),
    /^bogus: CNAME of host.old.example.org has no signature/,
  ],
  [
    '[DNSSEC-59] a DNAME without a signature (RFC 6672 §5.3.1)',
    'host.old.example.org',
    'A',
    changing('host.old.example.org', A, unsigned),
    /^bogus: DNAME of old.example.org has no signature/,
  ],
  [
    '[DNSSEC-60] data of the target in another zone, unsigned (RFC 4035 §3.2.3)',
    'out.example.org',
    'A',
    (_, reply) => ({
      ...reply,
      rrsets: reply.rrsets.map((rrset) =>
        rrset.owner === wire('host.nsec3.org') ? unsigned(rrset) : rrset,
      ),
    }),
    /^bogus: A of host.nsec3.org has no signature, but zone nsec3.org is signed/,
  ],
  [
    '[DNSSEC-60] a target that the reply leaves out is asked for (RFC 7672 §2.1.3)',
    'out.example.org',
    'A',
    changing('out.example.org', A, (rrset) => (rrset.type === CNAME ? rrset : undefined)),
    /^found secure/,
  ],
  [
    '[DNSSEC-5] an unsigned set beside a secure answer is dropped (RFC 4035 §3.2.3)',
    'mail.example.org',
    'A',
    (_, reply) => ({
      ...reply,
      rrsets: [
        ...reply.rrsets,
        {
          owner: wire('x.example.org'),
          type: A,
          ttl: 1,
          rdatas: [Buffer.alloc(4)],
          signatures: [],
        },
      ],
    }),
    /^found secure/,
  ],
  [
    '[DNSSEC-61] another key of the root than the anchor (RFC 4035 §5)',
    'example.org',
    'MX',
    changing('.', DNSKEY, (rrset) =>
      signAs(
        { apex: wire('.'), signer: org.signer },
        {
          ...rrset,
          rdatas: [org.signer.rdata],
        },
      ),
    ),
    /^bogus: no DNSKEY of \. matches a trust anchor/,
  ],
  [
    '[DNSSEC-63] a DNSKEY that no DS refers to (RFC 4035 §5.2)',
    'example.org',
    'MX',
    changing('example.org', DNSKEY, (rrset) =>
      signAs(
        { apex: wire('example.org'), signer: org.signer },
        {
          ...rrset,
          rdatas: [org.signer.rdata],
        },
      ),
    ),
    /^bogus: no DNSKEY of example.org matches DS \d+/,
  ],
  [
    '[DNSSEC-10] a CNAME in reply to the question for the DNSKEY (RFC 6840 §4.3)',
    'example.org',
    'MX',
    changing('example.org', DNSKEY, (rrset) =>
      signAs(example, { ...rrset, type: CNAME, rdatas: [Buffer.from(wire('a.org'), 'latin1')] }),
    ),
    /^bogus: example.org has a DS, but no DNSKEY/,
  ],
  [
    '[DNSSEC-10] a CNAME of the child in reply to the question for its DS (RFC 6840 §4.3)',
    'example.org',
    'MX',
    (question, reply) =>
      question.type === DS && question.name === wire('example.org')
        ? {
            ...reply,
            rrsets: [
              signAs(example, {
                owner: wire('example.org'),
                type: CNAME,
                rdatas: [Buffer.from(wire('plain.org'), 'latin1')],
              }),
            ],
          }
        : changing('example.org', MX, unsigned)(question, reply),
    /^bogus: no proof that example.org has no DS/,
  ],
  [
    '[DNSSEC-65] no name above exists, says the parent (RFC 8020): an unsigned answer is bogus',
    'deep.none.example.org',
    'A',
    replying('deep.none.example.org', A, {
      rcode: 0,
      rrsets: [
        {
          owner: wire('deep.none.example.org'),
          type: A,
          ttl: 1,
          rdatas: [Buffer.alloc(4)],
          signatures: [],
        },
      ],
    }),
    /^bogus: A of deep.none.example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-66] an unsigned answer at a name of the zone that is no cut (RFC 4035 §5.2)',
    'mail.example.org',
    'A',
    changing('mail.example.org', A, unsigned),
    /^bogus: A of mail.example.org has no signature, but zone example.org is signed/,
  ],
  [
    '[DNSSEC-71] signatures of the root in the past: the clock (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('.', DNSKEY, (rrset) =>
      signAs(WORLD.zone('.'), rrset, { inception: NOW / 1000 - 9e6, expiration: NOW / 1000 - 8e6 }),
    ),
    /^bogus: clock: all signatures of the root have expired/,
  ],
  [
    '[DNSSEC-71] signatures of the root in the future: the clock (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('.', DNSKEY, (rrset) =>
      signAs(WORLD.zone('.'), rrset, { inception: NOW / 1000 + 8e6, expiration: NOW / 1000 + 9e6 }),
    ),
    /^bogus: clock: all signatures of the root are not valid yet/,
  ],
  [
    'an expired signature is told with its day (RFC 4035 §5.3.1)',
    'example.org',
    'MX',
    changing('example.org', MX, (rrset) =>
      signAs(example, rrset, { inception: NOW / 1000 - 9e6, expiration: NOW / 1000 - 8e6 }),
    ),
    /^bogus: MX of example.org: signature by key \d+ expired on 2026-08-19/,
  ],
  [
    'two targets of one alias (RFC 2181 §10.1)',
    'alias.example.org',
    'A',
    changing('alias.example.org', A, (rrset) =>
      rrset.type === CNAME
        ? { ...rrset, rdatas: [...rrset.rdatas, Buffer.from(wire('x.org'), 'latin1')] }
        : rrset,
    ),
    /^malformed: aliases of alias.example.org/,
  ],
  [
    'records next to an alias (RFC 2181 §10.1)',
    'alias.example.org',
    'A',
    (_, reply) => ({
      ...reply,
      rrsets: reply.rrsets.map((rrset) =>
        rrset.type === A ? { ...rrset, owner: wire('alias.example.org') } : rrset,
      ),
    }),
    /^malformed: aliases of alias.example.org/,
  ],
  [
    'NXDOMAIN with records (RFC 2308 §2.1)',
    'mail.example.org',
    'A',
    replying('mail.example.org', A, { rcode: 3 }),
    /^malformed: NXDOMAIN with records/,
  ],
  [
    'records of the type at another name contradict absence',
    'mail.plain.org',
    'MX',
    replying('mail.plain.org', MX, {
      rcode: 0,
      rrsets: [
        {
          owner: wire('other.plain.org'),
          type: MX,
          ttl: 1,
          rdatas: [Buffer.from([0, 1, 0])],
          signatures: [],
        },
      ],
    }),
    /^malformed: records of type MX in the wrong place/,
  ],
  [
    'a referral instead of an answer from an insecure zone (RFC 2308 §2.2)',
    'plain.org',
    'MX',
    replying('plain.org', MX, {
      rrsets: [
        {
          owner: wire('org'),
          type: NS,
          ttl: 1,
          rdatas: [Buffer.from(wire('a.org'), 'latin1')],
          signatures: [],
        },
      ],
    }),
    /^malformed: a referral instead of an answer/,
  ],
]

describe('replies changed on the way', () => {
  for (const [circumstance, name, type, tamper, expected] of ATTACKS) {
    test(circumstance, async () => {
      const { look } = rig(WORLD, tamper)
      const lookup = await look(name, type)
      assert.match(outcome(lookup), expected)
      if (lookup.kind !== 'failed') {
        const honest = await rig(WORLD).look(name, type)
        assert.deepEqual(lookup, honest)
      }
    })
  }
})

test('[DNSSEC-54] opt-out, NODATA without NSEC3 of the wildcard: insecure, perhaps an empty non-terminal (RFC 5155 §8.5, erratum 3441)', async () => {
  const { look } = rig(WORLD, (question, reply) => {
    const isIt = question.type === MX
    return changing(OPTED_OUT, MX, withoutWildcard)(question, isIt ? { ...reply, rcode: 0 } : reply)
  })
  assert.equal(outcome(await look(OPTED_OUT, 'MX')), 'nodata insecure')
})

test('[DNSSEC-70] insecure_zones: what the signed zone above says of the name needs no proof (RFC 7646)', async () => {
  const { look } = rig(WORLD, changing(OPTED_OUT, MX, withoutWildcard), {
    insecureZones: [wire(OPTED_OUT)],
  })
  assert.equal(outcome(await look(OPTED_OUT, 'MX')), 'nxdomain insecure')
})

describe('lifetimes', () => {
  test('[DNSSEC-30] absence lasts no longer than the SOA says (RFC 9077 §3)', async () => {
    const short = changing('none.example.org', MX, (rrset) => ({ ...rrset, ttl: 7 }))
    const lookup = await rig(WORLD, short).look('none.example.org', 'MX')
    assert.equal(lookup.kind === 'absent' && lookup.expiresAt, NOW + 7000)
  })

  test('[DNSSEC-30] nor than the signatures over its NSEC (RFC 4035 §5.3.3)', async () => {
    const soon = changing('none.example.org', MX, (rrset) =>
      rrset.type === NSEC ? signAs(example, rrset, { expiration: NOW / 1000 + 5 }) : rrset,
    )
    const lookup = await rig(WORLD, soon).look('none.example.org', 'MX')
    assert.equal(lookup.kind === 'absent' && lookup.expiresAt, NOW + 5000)
  })

  test('an answer lasts as long as the shortest part of it: the alias', async () => {
    const short = changing('alias.example.org', A, (rrset) =>
      rrset.type === CNAME ? { ...rrset, ttl: 9 } : rrset,
    )
    const lookup = await rig(WORLD, short).look('alias.example.org', 'A')
    assert.equal(lookup.kind === 'found' && lookup.expiresAt, NOW + 9000)
  })

  test('a stale answer says so, and lasts 30 s (RFC 8767 §4)', async () => {
    const lookup = await rig(WORLD, replying('example.org', MX, { isStale: true })).look(
      'example.org',
      'MX',
    )
    assert.equal(lookup.kind === 'found' && lookup.isStale, true)
    assert.equal(lookup.kind === 'found' && lookup.expiresAt, NOW + 30_000)
  })
})

/** A generator of numbers below `limit`, the same in each run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % limit
  }
}

test('[DNSSEC-79] damaged replies: no exception, and never another answer than the honest one', async () => {
  const next = numbers(20_261_127)
  const damage = (rrset: RRset, others: readonly RRset[]): RRset | undefined => {
    const flip = (octets: Buffer) => {
      const copy = Buffer.from(octets)
      if (copy.length > 0) copy[next(copy.length)] = next(256)
      return copy
    }
    switch (next(9)) {
      case 0:
        return undefined
      case 1:
        return { ...rrset, rdatas: rrset.rdatas.map(flip) }
      case 2:
        return {
          ...rrset,
          rdatas: [...rrset.rdatas, ...(others[next(others.length)]?.rdatas ?? [])],
        }
      case 3:
        return {
          ...rrset,
          signatures: rrset.signatures.map((rrsig) => ({
            ...rrsig,
            signature: flip(rrsig.signature),
          })),
        }
      case 4:
        return {
          ...rrset,
          signatures: rrset.signatures.map((rrsig) => ({ ...rrsig, labels: next(5) })),
        }
      case 5:
        return {
          ...rrset,
          signatures: rrset.signatures.map((rrsig) => ({
            ...rrsig,
            signer: others[next(others.length)]?.owner ?? rrsig.signer,
          })),
        }
      case 6:
        return { ...rrset, owner: others[next(others.length)]?.owner ?? rrset.owner }
      case 7:
        return { ...rrset, signatures: [] }
      default:
        return rrset
    }
  }
  // Every reply may lose, swap or change sets; MX and TLSA are what is asked for.
  const isRead = ({ type, rdatas }: RRset) =>
    type === A || type === MX || rdatas.every((rdata) => rdata.length > 4)
  const all = [...WORLD.zones.values()].flatMap(({ sets, denials }) => [
    ...sets.values(),
    ...denials,
  ])
  for (let round = 0; round < 1500; round++) {
    const [name, type] = HONEST[next(HONEST.length)] ?? ['example.org', 'MX']
    const tamper: Tamper = (_, reply) => {
      if (next(3) > 0) return reply
      const at = next(reply.rrsets.length + 1)
      const rrsets = reply.rrsets.flatMap((rrset, i) =>
        i === at ? (damage(rrset, all) ?? []) : rrset,
      )
      return {
        ...reply,
        rcode: next(4) === 0 ? 3 - reply.rcode : reply.rcode,
        rrsets: rrsets.filter(isRead),
      }
    }
    const lookup = await rig(WORLD, tamper).look(name, type)
    if (lookup.kind === 'failed' || lookup.security === 'insecure') continue
    const honest = await rig(WORLD).look(name, type)
    assert.ok(honest.kind !== 'failed')
    assert.deepEqual({ ...lookup, expiresAt: 0 }, { ...honest, expiresAt: 0 }, name)
  }
})
