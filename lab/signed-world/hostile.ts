/**
 * Zones whose owners mean harm: work without end for a validator (KeyTrap,
 * CVE-2023-50387; NSEC3, CVE-2023-50868), and chains without end.
 *
 * Each prepares a forgery and names the question. None may be answered as secure.
 */
import { createHash } from 'node:crypto'
import type { PartRecord } from './message-parts.js'
import { base32Hex, bitmap, forgeKey, nsec, record, signedSet } from './forged.js'
import type { ForgedKey, Forgery } from './forged.js'
import type { Question } from './questions.js'
import { dsText, keyTag, nameOctets, rdataOctets, uint16 } from './wire.js'

export type HostileZone = {
  readonly what: string
  readonly prepare: (forgery: Forgery) => Question
}

const A = rdataOctets('A', '10.0.0.1')
const TAG = 0x1234

/** Colliding keys are made once: there are hundreds of them. */
let made: readonly ForgedKey[] = []
function colliding(count: number): readonly ForgedKey[] {
  while (made.length < count) made = [...made, forgeKey('P-384', TAG)]
  return made.slice(0, count)
}

/** Records of a set with `count` signatures that no key of these made, but each could have. */
function trapped(
  owner: string,
  type: string,
  rdatas: readonly Buffer[],
  signer: string,
  count: number,
): readonly PartRecord[] {
  const stranger = forgeKey('P-384', TAG)
  const signatures = many(count, (index) => {
    // A different octet of the expiration makes each another signature.
    const now = Math.floor(Date.now() / 1000)
    const fields = { expiration: now + 86_400 + index }
    return signedSet(owner, type, rdatas, stranger, signer, fields).slice(-1)
  })
  return [...rdatas.map((rdata) => record(owner, type, rdata)), ...signatures.flat()]
}

function many<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function keyTrap(keys: number, signatures: number): HostileZone {
  return {
    what: `${keys} keys of one tag, ${signatures} wrong signatures`,
    prepare(forgery) {
      forgery.zone('trap', colliding(keys))
      forgery.reply('host.trap', 'A', {
        answer: trapped('host.trap', 'A', [A], 'trap', signatures),
      })
      return { name: 'host.trap', type: 'A' }
    },
  }
}

function nsec3Trap(what: string, iterations: number, salts: number, labels: number): HostileZone {
  return {
    what,
    prepare(forgery) {
      const zone = forgery.zone('trap')
      const name = [...many(labels, () => 'a'), 'trap'].join('.')
      const proof = many(16, (index) => {
        const salt = Buffer.alloc(8, index % salts)
        // The hash of nothing.
        const hash = createHash('sha1').update(`n${index}`).digest()
        const next = Buffer.from(hash)
        next[19] = (next[19] ?? 0) ^ 1
        const head = Buffer.concat([
          Buffer.from([1, 0]),
          uint16(iterations),
          Buffer.from([8]),
          salt,
        ])
        const rdata = Buffer.concat([head, Buffer.from([20]), next, bitmap(['A', 'RRSIG'])])
        return zone.signed(`${base32Hex(hash)}.trap`, 'NSEC3', [rdata])
      })
      forgery.otherwise(() => ({ rcode: 3, authority: proof.flat() }))
      return { name, type: 'A' }
    },
  }
}

export const HOSTILE_ZONES: readonly HostileZone[] = [
  keyTrap(30, 16),
  keyTrap(30, 60),
  keyTrap(300, 60),
  keyTrap(30, 400),
  {
    what: 'a DNSKEY set of colliding keys with 12 DS records, signed 60 times by none',
    prepare(forgery) {
      forgery.zone('trap')
      const keys = colliding(30)
      const ds = keys.slice(0, 12).map(({ dnskey }) => rdataOctets('DS', dsText('trap', dnskey, 2)))
      forgery.reply('trap', 'DS', { answer: forgery.root.signed('trap', 'DS', ds) })
      const dnskeys = keys.map(({ dnskey }) => dnskey)
      forgery.reply('trap', 'DNSKEY', { answer: trapped('trap', 'DNSKEY', dnskeys, 'trap', 60) })
      forgery.reply('host.trap', 'A', { answer: trapped('host.trap', 'A', [A], 'trap', 60) })
      return { name: 'host.trap', type: 'A' }
    },
  },
  {
    what: '15 denials with four wrong signatures each',
    prepare(forgery) {
      forgery.zone('trap', colliding(30))
      const proof = many(15, (index) =>
        trapped(
          `n${index}.trap`,
          'NSEC',
          [nsec(`n${index}x.trap`, ['A', 'NSEC', 'RRSIG'])],
          'trap',
          4,
        ),
      )
      forgery.otherwise(() => ({ rcode: 3, authority: proof.flat() }))
      return { name: 'host.trap', type: 'A' }
    },
  },
  {
    what: '15 aliases, each with 50 wrong signatures and a right one',
    prepare(forgery) {
      const zone = forgery.zone('trap', colliding(30))
      for (let index = 0; index < 15; index++) {
        const target = [nameOctets(`a${index + 1}.trap`)]
        const owner = `a${index}.trap`
        const answer = [
          ...trapped(owner, 'CNAME', target, 'trap', 50),
          ...zone.signed(owner, 'CNAME', target).slice(-1),
        ]
        for (const type of ['A', 'CNAME']) forgery.reply(owner, type, { answer })
      }
      return { name: 'a0.trap', type: 'A' }
    },
  },
  {
    what: 'a set of 400 records with 60 wrong signatures',
    prepare(forgery) {
      forgery.zone('trap', colliding(30))
      const rdatas = many(400, (index) =>
        Buffer.concat([Buffer.from([3, 1, 1]), Buffer.alloc(90, 7), uint16(index)]),
      )
      forgery.reply('_25._tcp.trap', 'TLSA', {
        answer: trapped('_25._tcp.trap', 'TLSA', rdatas, 'trap', 60),
      })
      return { name: '_25._tcp.trap', type: 'TLSA' }
    },
  },
  {
    what: '30 RSA keys of 4096 bits with exponents of 64 bits, 60 wrong signatures',
    prepare(forgery) {
      const tags = new Set<number>()
      const keys = many(30, (index) => {
        const modulus = Buffer.alloc(512, 0xc3)
        modulus.writeUInt32BE(index, 100)
        modulus[511] = 0x5b
        const exponent = Buffer.from('ffffffffffffffc5', 'hex')
        const dnskey = Buffer.concat([Buffer.from([1, 1, 3, 8, 8]), exponent, modulus])
        tags.add(keyTag(dnskey))
        return { dnskey, privateKey: forgery.root.key.privateKey }
      })
      forgery.zone('trap', keys)
      const [signature] = trapped('host.trap', 'A', [A], 'trap', 1).slice(-1)
      if (signature === undefined) throw new Error('no signature')
      const signatures = many(60, (index) => {
        const rdata = Buffer.concat([
          signature.rdata.subarray(0, 18),
          nameOctets('trap'),
          Buffer.alloc(512, 1 + index),
        ])
        rdata[2] = 8
        rdata.writeUInt16BE([...tags][index % tags.size] ?? 0, 16)
        return { ...signature, rdata }
      })
      forgery.reply('host.trap', 'A', { answer: [record('host.trap', 'A', A), ...signatures] })
      return { name: 'host.trap', type: 'A' }
    },
  },
  nsec3Trap('16 NSEC3 records of 100 iterations, a name of 100 labels', 100, 1, 100),
  nsec3Trap('16 NSEC3 records with 16 salts, a name of 100 labels', 100, 16, 100),
  nsec3Trap('16 NSEC3 records of 65535 iterations', 65_535, 1, 100),
  ...[16, 60].map((levels): HostileZone => ({
    what: `a chain of ${levels} zones`,
    prepare(forgery) {
      const names = many(levels, (index) => many(index + 1, () => 'z').join('.'))
      const zones = names.map((name) => forgery.zone(name))
      const last = zones.at(-1)
      if (last === undefined) throw new Error('no zone')
      const name = `host.${last.origin}`
      forgery.reply(name, 'A', { answer: trapped(name, 'A', [A], last.origin, 8) })
      return { name, type: 'A' }
    },
  })),
  {
    what: 'an alias loop across 20 zones',
    prepare(forgery) {
      for (let index = 0; index < 20; index++) {
        const zone = forgery.zone(`l${index}`)
        const target = [nameOctets(`a.l${(index + 1) % 20}`)]
        const answer = zone.signed(`a.l${index}`, 'CNAME', target)
        for (const type of ['A', 'CNAME']) forgery.reply(`a.l${index}`, type, { answer })
      }
      return { name: 'a.l0', type: 'A' }
    },
  },
  {
    what: 'names of a reply of 64 kB that are all pointers to pointers',
    prepare(forgery) {
      forgery.zone('trap')
      forgery.octets('host.trap', 'A', ofPointers('host.trap'))
      return { name: 'host.trap', type: 'A' }
    },
  },
  {
    what: '500 records of 120 labels and no signature',
    prepare(forgery) {
      forgery.zone('trap')
      const owner = [...many(120, () => 'a'), 'trap'].join('.')
      const answer = many(250, (index) =>
        record(owner, 'MX', rdataOctets('MX', `${index} ${owner}`)),
      )
      forgery.reply(owner, 'MX', { answer })
      return { name: owner, type: 'MX' }
    },
  },
]

/** As many A records as fit, each owner a pointer into a chain of 120 labels (CVE-2024-8508). */
function ofPointers(name: string): Buffer {
  const question = Buffer.concat([nameOctets(name), Buffer.from([0, 1, 0, 1])])
  const records: Buffer[] = []
  let at = 12 + question.length
  let previous = 12
  // A label and a pointer to the one before: a name that takes a step for each.
  for (let index = 0; at < 65_000; index++) {
    const isLabel = index < 118
    const owner = isLabel
      ? Buffer.from([1, 0x61, 0xc0 | (previous >> 8), previous & 0xff])
      : Buffer.from([0xc0 | (previous >> 8), previous & 0xff])
    if (isLabel) previous = at
    const one = Buffer.concat([owner, Buffer.from([0, 1, 0, 1, 0, 0, 1, 44, 0, 4]), A])
    records.push(one)
    at += one.length
  }
  const counts = [1, records.length, 0, 0].map(uint16)
  return Buffer.concat([uint16(0), uint16(0x8180), ...counts, question, ...records])
}
