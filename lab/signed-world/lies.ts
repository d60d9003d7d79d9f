/**
 * Validly signed lies: what the owner of one zone, or an old signature, can say about
 * names that are not its own, or beyond what its records mean.
 *
 * Each prepares a forgery and names the question; none is secure, and none insecure. `victim` is a zone of
 * another owner, `evil` is the attacker's. What the references say is asked, not listed.
 */
import { base32Hex, bitmap, nsec, nsec3Hash, record, signedSet } from './forged.js'
import type { ForgedZone, Forgery } from './forged.js'
import type { PartRecord } from './message-parts.js'
import type { Question } from './questions.js'
import type { Status } from './references.js'
import { nameOctets, rdataOctets, uint16 } from './wire.js'

export type Lie = {
  readonly what: string
  readonly prepare: (forgery: Forgery) => Question
}

const A = rdataOctets('A', '10.0.0.1')
const HOST: Question = { name: 'host.victim', type: 'A' }
const SOA = Buffer.concat([
  nameOctets('ns.victim'),
  nameOctets('hostmaster.victim'),
  Buffer.from('00000001000003e8000003e8000003e8000003e8', 'hex'),
])

type Zones = { readonly victim: ForgedZone; readonly evil: ForgedZone; readonly forgery: Forgery }

/** A lie in reply to `question`, whatever else is asked is answered as in `zones`. */
function lie(
  what: string,
  question: Question,
  tell: (zones: Zones) => {
    readonly rcode?: number
    readonly answer?: readonly PartRecord[]
    readonly authority?: readonly PartRecord[]
  },
): Lie {
  return {
    what,
    prepare(forgery) {
      const zones = { victim: forgery.zone('victim'), evil: forgery.zone('evil'), forgery }
      forgery.reply(question.name, question.type, tell(zones))
      // No cut below the victim's apex.
      const soa = zones.victim.signed('victim', 'SOA', [SOA])
      const proof = zones.victim.signed('host.victim', 'NSEC', [
        nsec('victim', ['A', 'RRSIG', 'NSEC']),
      ])
      forgery.otherwise(() => ({ authority: [...soa, ...proof] }))
      return question
    },
  }
}

const soaOf = ({ victim }: Zones): readonly PartRecord[] => victim.signed('victim', 'SOA', [SOA])

function nsec3Of(
  zone: ForgedZone,
  name: string,
  nextOf: (hash: Buffer) => Buffer,
  types: readonly string[],
  flags = 0,
  under = zone.origin,
): readonly PartRecord[] {
  const hash = nsec3Hash(name, 0, Buffer.alloc(0))
  const head = Buffer.concat([Buffer.from([1, flags]), uint16(0), Buffer.from([0, 20])])
  const rdata = Buffer.concat([head, nextOf(hash), bitmap(types)])
  return zone.signed(`${base32Hex(hash)}.${under}`, 'NSEC3', [rdata])
}

const sameHash = (hash: Buffer): Buffer => hash
/** One after, so that nearly nothing is covered. */
const nextHash = (hash: Buffer): Buffer => {
  const next = Buffer.from(hash)
  next[19] = ((next[19] ?? 0) + 1) & 0xff
  return next
}

/** What honest zones say, in the same manner, and the status of it. */
export const TRUTHS: readonly (Lie & { readonly status: Status })[] = [
  {
    status: 'secure found',
    ...lie('a signed record', HOST, ({ victim }) => ({
      answer: victim.signed('host.victim', 'A', [A]),
    })),
  },
  {
    status: 'secure nodata',
    ...lie('NODATA', HOST, (zones) => ({
      authority: [
        ...soaOf(zones),
        ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['AAAA', 'RRSIG', 'NSEC'])]),
      ],
    })),
  },
  {
    status: 'secure nxdomain',
    ...lie('NXDOMAIN', HOST, (zones) => ({
      rcode: 3,
      authority: [
        ...soaOf(zones),
        ...zones.victim.signed('victim', 'NSEC', [
          nsec('x.victim', ['NS', 'SOA', 'RRSIG', 'NSEC']),
        ]),
      ],
    })),
  },
  {
    status: 'secure found',
    ...lie('a wildcard with proof', HOST, ({ victim }) => ({
      answer: victim.signed('host.victim', 'A', [A], { labels: 1 }),
      authority: victim.signed('g.victim', 'NSEC', [nsec('x.victim', ['A', 'RRSIG', 'NSEC'])]),
    })),
  },
  {
    status: 'secure found',
    ...lie('a DNAME and what it makes', { name: 'a.dn.victim', type: 'A' }, ({ victim, evil }) => ({
      answer: [
        ...victim.signed('dn.victim', 'DNAME', [nameOctets('evil')]),
        record('a.dn.victim', 'CNAME', nameOctets('a.evil')),
        ...evil.signed('a.evil', 'A', [A]),
      ],
    })),
  },
  {
    status: 'secure nodata',
    ...lie('NODATA by NSEC3', HOST, (zones) => ({
      authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'host.victim', nextHash, ['AAAA'])],
    })),
  },
  {
    status: 'secure nxdomain',
    ...lie('NXDOMAIN by NSEC3', HOST, (zones) => ({
      rcode: 3,
      authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'victim', sameHash, ['NS', 'SOA'])],
    })),
  },
  ...[
    { flags: 0, name: 'host.victim', next: nextHash, types: ['NS'] },
    { flags: 1, name: 'victim', next: sameHash, types: ['NS', 'SOA'] },
  ].map(({ flags, name, next, types }) => ({
    what: `an unsigned zone, NSEC3 with flags ${flags}`,
    status: 'insecure found' as const,
    prepare(forgery: Forgery) {
      const zones = { victim: forgery.zone('victim'), evil: forgery.zone('evil'), forgery }
      const authority = [...soaOf(zones), ...nsec3Of(zones.victim, name, next, types, flags)]
      forgery.reply('host.victim', 'DS', { authority })
      forgery.reply('host.victim', 'A', { answer: [record('host.victim', 'A', A)] })
      return HOST
    },
  })),
]

export const LIES: readonly Lie[] = [
  lie('another zone signs in its own name', HOST, ({ evil }) => ({
    answer: evil.signed('host.victim', 'A', [A]),
  })),
  lie("another zone signs in the victim's name", HOST, ({ evil }) => ({
    answer: signedSet('host.victim', 'A', [A], evil.key, 'victim'),
  })),
  lie('a wildcard above its zone: fewer labels than the signer', HOST, ({ evil }) => ({
    answer: [
      record('host.victim', 'A', A),
      ...signedSet('host.victim', 'A', [A], evil.key, 'evil', { labels: 0 }).slice(1),
    ],
  })),
  lie("the victim's labels fewer than its own name has", HOST, ({ victim }) => ({
    answer: victim.signed('host.victim', 'A', [A], { labels: 0 }),
  })),
  lie('a wildcard without proof', HOST, ({ victim }) => ({
    answer: victim.signed('host.victim', 'A', [A], { labels: 1 }),
  })),
  lie('a wildcard with proof of another name', HOST, ({ victim }) => ({
    answer: victim.signed('host.victim', 'A', [A], { labels: 1 }),
    authority: victim.signed('x.victim', 'NSEC', [nsec('z.victim', ['A', 'RRSIG', 'NSEC'])]),
  })),
  lie(
    'a wildcard although an encloser is nearer',
    { name: 'a.b.victim', type: 'A' },
    ({ victim }) => ({
      answer: victim.signed('a.b.victim', 'A', [A], { labels: 1 }),
      authority: victim.signed('b.victim', 'NSEC', [nsec('c.victim', ['A', 'RRSIG', 'NSEC'])]),
    }),
  ),
  lie('a denial by another zone whose next owner is beyond it', HOST, (zones) => ({
    rcode: 3,
    authority: [
      ...soaOf(zones),
      ...zones.evil.signed('evil', 'NSEC', [nsec('zzz', ['NS', 'SOA', 'RRSIG', 'NSEC'])]),
    ],
  })),
  lie('a denial whose next owner is outside its zone', HOST, (zones) => ({
    rcode: 3,
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('victim', 'NSEC', [nsec('zzz', ['NS', 'SOA', 'RRSIG', 'NSEC'])]),
    ],
  })),
  lie('the name is denied, its wildcard is not', HOST, (zones) => ({
    rcode: 3,
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('g.victim', 'NSEC', [nsec('i.victim', ['A', 'RRSIG', 'NSEC'])]),
    ],
  })),
  lie("the parent's NSEC at the cut denies a name below it", HOST, (zones) => ({
    rcode: 3,
    authority: zones.forgery.root.signed('victim', 'NSEC', [
      nsec('zzz', ['NS', 'DS', 'RRSIG', 'NSEC']),
    ]),
  })),
  lie(
    "the parent's NSEC at the cut denies a type of the apex",
    { name: 'victim', type: 'A' },
    (zones) => ({
      authority: zones.forgery.root.signed('victim', 'NSEC', [
        nsec('zzz', ['NS', 'DS', 'RRSIG', 'NSEC']),
      ]),
    }),
  ),
  lie(
    'an ancestor delegation denies a name below it',
    { name: 'a.host.victim', type: 'A' },
    (zones) => ({
      rcode: 3,
      authority: [
        ...soaOf(zones),
        ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['NS', 'RRSIG', 'NSEC'])]),
      ],
    }),
  ),
  lie('a name below a DNAME is denied', { name: 'a.host.victim', type: 'A' }, (zones) => ({
    rcode: 3,
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['DNAME', 'RRSIG', 'NSEC'])]),
      ...zones.victim.signed('victim', 'NSEC', [nsec('host.victim', ['NS', 'SOA', 'NSEC'])]),
    ],
  })),
  lie('an NSEC record expanded from a wildcard', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['AAAA', 'RRSIG', 'NSEC'])], {
        labels: 1,
      }),
    ],
  })),
  lie('NODATA although the bit map has CNAME', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['CNAME', 'RRSIG', 'NSEC'])]),
    ],
  })),
  lie('NODATA although the bit map has the type', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [nsec('victim', ['A', 'RRSIG', 'NSEC'])]),
    ],
  })),
  lie('NODATA with a bit map that is malformed', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [
        Buffer.concat([nameOctets('victim'), Buffer.from([1, 1, 0x40, 0, 1, 0x01])]),
      ]),
    ],
  })),
  lie('NODATA by an NSEC record with two RDATA', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...zones.victim.signed('host.victim', 'NSEC', [
        nsec('victim', ['AAAA', 'RRSIG', 'NSEC']),
        nsec('victim', ['A', 'RRSIG', 'NSEC']),
      ]),
    ],
  })),
  lie('an unsigned answer where there is no cut', HOST, () => ({
    answer: [record('host.victim', 'A', A)],
  })),
  lie('an empty reply', HOST, () => ({})),
  lie('NXDOMAIN and nothing else', HOST, () => ({ rcode: 3 })),
  lie('NXDOMAIN with a SOA record alone', HOST, (zones) => ({ rcode: 3, authority: soaOf(zones) })),
  lie('a signature by a key of the victim that is not a zone key', HOST, ({ victim }) => {
    const dnskey = Buffer.from(victim.key.dnskey)
    dnskey.writeUInt16BE(0x001)
    return { answer: signedSet('host.victim', 'A', [A], { ...victim.key, dnskey }, 'victim') }
  }),
  lie('a CNAME that its DNAME does not make', { name: 'a.dn.victim', type: 'A' }, (zones) => ({
    answer: [
      ...zones.victim.signed('dn.victim', 'DNAME', [nameOctets('b.victim')]),
      record('a.dn.victim', 'CNAME', nameOctets('host.evil')),
      ...zones.evil.signed('host.evil', 'A', [A]),
    ],
  })),
  lie('an unsigned CNAME before a signed answer', HOST, ({ evil }) => ({
    answer: [
      record('host.victim', 'CNAME', nameOctets('host.evil')),
      ...evil.signed('host.evil', 'A', [A]),
    ],
  })),
  lie('a signed CNAME to an unsigned answer', HOST, ({ victim }) => ({
    answer: [
      ...victim.signed('host.victim', 'CNAME', [nameOctets('b.victim')]),
      record('b.victim', 'A', A),
    ],
  })),
  lie('NSEC3 by another zone', HOST, (zones) => ({
    rcode: 3,
    authority: [
      ...soaOf(zones),
      ...nsec3Of(zones.evil, 'victim', nextHash, ['NS', 'SOA']),
      ...nsec3Of(zones.evil, 'evil', sameHash, ['NS', 'SOA']),
    ],
  })),
  lie('NSEC3 that is not right below its zone', HOST, (zones) => ({
    authority: [
      ...soaOf(zones),
      ...nsec3Of(zones.victim, 'host.victim', nextHash, ['AAAA'], 0, 'sub.victim'),
    ],
  })),
  lie('NSEC3 without proof of the closest encloser', HOST, (zones) => ({
    rcode: 3,
    authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'x.victim', sameHash, ['A'])],
  })),
  lie('NSEC3 NODATA although the bit map has CNAME', HOST, (zones) => ({
    authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'host.victim', nextHash, ['CNAME'])],
  })),
  lie('NSEC3 of an ancestor delegation', { name: 'a.host.victim', type: 'A' }, (zones) => ({
    rcode: 3,
    authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'host.victim', sameHash, ['NS'])],
  })),
  lie('NSEC3 with unknown flags', HOST, (zones) => ({
    authority: [...soaOf(zones), ...nsec3Of(zones.victim, 'host.victim', nextHash, ['AAAA'], 2)],
  })),
  ...fakeCuts(),
]

/** An unsigned answer, and reasons why there should be an unsigned zone. */
function fakeCuts(): readonly Lie[] {
  const cut = (
    what: string,
    proof: (zones: Zones) => { rcode?: number; authority?: readonly PartRecord[] },
  ): Lie => ({
    what: `no DS: ${what}`,
    prepare(forgery) {
      const zones = { victim: forgery.zone('victim'), evil: forgery.zone('evil'), forgery }
      const denial = proof(zones)
      forgery.otherwise((_, type) => (type === 1 ? {} : denial))
      forgery.reply(HOST.name, HOST.type, { answer: [record('host.victim', 'A', A)] })
      return HOST
    },
  })
  const by = (zone: (zones: Zones) => ForgedZone, types: readonly string[]) => (zones: Zones) => ({
    authority: [
      ...soaOf(zones),
      ...zone(zones).signed('host.victim', 'NSEC', [nsec('victim', types)]),
    ],
  })
  return [
    cut('nothing at all', () => ({})),
    cut('SERVFAIL', () => ({ rcode: 2 })),
    cut('REFUSED', () => ({ rcode: 5 })),
    cut('NXDOMAIN', () => ({ rcode: 3 })),
    cut(
      'an NSEC record without NS',
      by(({ victim }) => victim, ['A', 'RRSIG', 'NSEC']),
    ),
    cut(
      'an NSEC record with SOA',
      by(({ victim }) => victim, ['NS', 'SOA', 'RRSIG', 'NSEC']),
    ),
    cut(
      'an NSEC record with DS',
      by(({ victim }) => victim, ['NS', 'DS', 'RRSIG', 'NSEC']),
    ),
    cut(
      'an NSEC record with CNAME',
      by(({ victim }) => victim, ['NS', 'CNAME', 'RRSIG', 'NSEC']),
    ),
    cut(
      'an NSEC record of another zone',
      by(({ evil }) => evil, ['NS', 'RRSIG', 'NSEC']),
    ),
    cut(
      'an NSEC record of the grandparent',
      by(({ forgery }) => forgery.root, ['NS', 'NSEC']),
    ),
    cut('an unsigned NSEC record', () => ({
      authority: [record('host.victim', 'NSEC', nsec('victim', ['NS', 'RRSIG', 'NSEC']))],
    })),
    cut('an NSEC3 record without NS', (zones) => ({
      authority: nsec3Of(zones.victim, 'host.victim', nextHash, ['A']),
    })),
    cut('an NSEC3 record that covers without opt-out', (zones) => ({
      authority: [...nsec3Of(zones.victim, 'victim', sameHash, ['NS', 'SOA', 'DNSKEY'])],
    })),
    cut('opt-out of another zone', (zones) => ({
      authority: [
        ...nsec3Of(zones.evil, 'victim', nextHash, ['NS', 'SOA'], 1),
        ...nsec3Of(zones.evil, 'evil', sameHash, ['NS', 'SOA'], 1),
      ],
    })),
    cut('a DS record signed by the zone itself', ({ evil }) => ({
      authority: evil.signed('host.victim', 'DS', [rdataOctets('DS', `1 99 2 ${'00'.repeat(32)}`)]),
    })),
  ]
}
