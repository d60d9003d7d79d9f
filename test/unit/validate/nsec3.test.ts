/** What NSEC3 records prove, and what they do not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset } from '../../../src/signed-message.js'
import { BUDGET, Budget } from '../../../src/validate/budget.js'
import {
  byParameters,
  deniedByNsec3,
  hasTooManyIterations,
  nsec3OfExpansion,
  readNsec3,
} from '../../../src/validate/nsec3.js'
import type { HashedZone, Nsec3 } from '../../../src/validate/nsec3.js'
import { wire } from '../../support/signed-records.js'
import { base32hex, bitmap, nsec3Hash, nsec3Rdata } from '../../support/signed-world.js'
import type { Nsec3Parameters } from '../../support/signed-world.js'

const { A, CNAME, DNAME, DS, MX, NS, NSEC3, SOA, TLSA } = RR_TYPE
const ZONE = wire('example')
const SALT = Buffer.from('aabbccdd', 'hex')

function rrset(hash: string, rdata: Buffer, zone = 'example'): RRset {
  const owner = wire(`${base32hex(hash)}.${zone}`)
  return { owner, type: NSEC3, ttl: 300, rdatas: [rdata], signatures: [] }
}

function read(hash: string, next: string, types: readonly number[], more: Nsec3Parameters): Nsec3 {
  const record = readNsec3(rrset(hash, nsec3Rdata(next, types, more)), ZONE)
  assert.ok(record)
  return record
}

/** The octets as a number, one more or less. */
function beside(hash: string, step: 1 | -1): string {
  const number = BigInt(`0x${Buffer.from(hash, 'latin1').toString('hex')}`) + BigInt(step)
  return Buffer.from(number.toString(16).padStart(40, '0'), 'hex').toString('latin1')
}

/** A record at a name, which covers nothing. */
function match(name: string, types: readonly number[], more: Nsec3Parameters = {}): Nsec3 {
  const hash = nsec3Hash(wire(name), more.iterations, more.salt)
  return read(hash, beside(hash, 1), types, more)
}

/** A record that covers nothing but a name. */
function cover(name: string, more: Nsec3Parameters = {}): Nsec3 {
  const hash = nsec3Hash(wire(name), more.iterations, more.salt)
  return read(beside(hash, -1), beside(hash, 1), [A], more)
}

function hashedZone(records: readonly Nsec3[], budget = new Budget()) {
  return { zone: ZONE, records, hashes: new Map<string, string>(), budget }
}

function denied(hashed: HashedZone, name: string, type: number, claim: Claim = 'NXDOMAIN') {
  return deniedByNsec3(hashed, wire(name), type, claim === 'NXDOMAIN')
}

const APEX = [NS, SOA, MX]

type Case = readonly [
  circumstance: string,
  records: readonly Nsec3[],
  name: string,
  type: number,
  expected: string,
]

type Claim = 'NOERROR' | 'NXDOMAIN'
const CLAIMS: readonly Claim[] = ['NOERROR', 'NXDOMAIN']

const CASES: readonly Case[] = [
  [
    '[DNSSEC-53] closest encloser, next closer and wildcard: NXDOMAIN (RFC 5155 §8.4)',
    [match('example', APEX), cover('b.example'), cover('*.example')],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-52] several labels below the encloser (RFC 5155 §8.3)',
    [match('example', APEX), cover('b.example'), cover('*.example')],
    'x.y.b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-52] the name is covered, but not the next closer name (RFC 5155 §8.3)',
    [match('example', APEX), cover('x.b.example'), cover('*.example')],
    'x.b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-52] no closest encloser (RFC 5155 §8.3)',
    [cover('b.example'), cover('*.example')],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-53] the wildcard is not covered (RFC 5155 §8.4)',
    [match('example', APEX), cover('b.example')],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-53] a wildcard above the encloser is covered (RFC 5155 §8.4)',
    [match('d.example', [A]), cover('b.d.example'), cover('*.example')],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-53] opt-out over the wildcard alone (RFC 5155 §8.4)',
    [match('example', APEX), cover('b.example'), cover('*.example', { isOptOut: true })],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-52 DNSSEC-39] the encloser is a delegation (RFC 5155 §8.3)',
    [match('d.example', [NS]), cover('b.d.example'), cover('*.d.example')],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-52 DNSSEC-39] the encloser is a signed delegation (RFC 5155 §8.3)',
    [match('d.example', [NS, DS]), cover('b.d.example'), cover('*.d.example')],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-52 DNSSEC-40] the encloser is a DNAME (RFC 5155 §8.3, RFC 6672 §5.3.4.1)',
    [match('d.example', [DNAME]), cover('b.d.example'), cover('*.d.example')],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-54] the name without the type: NODATA (RFC 5155 §8.5)',
    [match('a.example', [A])],
    'a.example',
    TLSA,
    'nodata',
  ],
  [
    '[DNSSEC-54] an empty non-terminal has a record of its own (RFC 5155 §7.1)',
    [match('ent.example', [])],
    'ent.example',
    TLSA,
    'nodata',
  ],
  [
    '[DNSSEC-54] the type is in the bitmap (RFC 5155 §8.5)',
    [match('a.example', [A, TLSA])],
    'a.example',
    TLSA,
    'nothing',
  ],
  [
    '[DNSSEC-54] there is a CNAME instead (RFC 6840 §4.3)',
    [match('a.example', [CNAME])],
    'a.example',
    TLSA,
    'nothing',
  ],
  [
    '[DNSSEC-54 DNSSEC-39] the parent side of a delegation denies no type but DS (RFC 6840 §4.1)',
    [match('d.example', [NS])],
    'd.example',
    MX,
    'nothing',
  ],
  [
    '[DNSSEC-56] a delegation without DS (RFC 5155 §8.9)',
    [match('d.example', [NS])],
    'd.example',
    DS,
    'nodata NS',
  ],
  [
    '[DNSSEC-56] a delegation with DS (RFC 5155 §8.9)',
    [match('d.example', [NS, DS])],
    'd.example',
    DS,
    'nothing',
  ],
  [
    '[DNSSEC-54] the apex of the child does not deny its DS (RFC 6840 §4.4)',
    [match('example', APEX)],
    'example',
    DS,
    'nothing',
  ],
  [
    '[DNSSEC-56] DS below a span without opt-out and without wildcard proof (RFC 5155 §8.6)',
    [match('example', APEX), cover('d.example')],
    'd.example',
    DS,
    'nothing',
  ],
  [
    '[DNSSEC-55] a wildcard without the type (RFC 5155 §8.7)',
    [match('example', APEX), cover('b.example'), match('*.example', [MX])],
    'b.example',
    A,
    'nodata',
  ],
  [
    '[DNSSEC-55] a wildcard with the type (RFC 5155 §8.7)',
    [match('example', APEX), cover('b.example'), match('*.example', [A])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-55] a wildcard with a CNAME (RFC 5155 §8.7)',
    [match('example', APEX), cover('b.example'), match('*.example', [CNAME])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-55] a wildcard without cover of the next closer name (RFC 5155 §8.7)',
    [match('example', APEX), match('*.example', [MX])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-50] hashed with salt and iterations (RFC 5155 §5)',
    [
      match('example', APEX, { iterations: 12, salt: SALT }),
      cover('b.example', { iterations: 12, salt: SALT }),
      cover('*.example', { iterations: 12, salt: SALT }),
    ],
    'b.example',
    A,
    'nxdomain',
  ],
  ['no NSEC3 at all', [], 'b.example', A, 'exhausted'],
]

const OPT_OUT = { isOptOut: true }
/** The name, the type, and what the proof is worth for each RCODE. */
const OPT_OUT_CASES: readonly (readonly [
  circumstance: string,
  records: readonly Nsec3[],
  name: string,
  type: number,
  expected: Readonly<Record<Claim, string>>,
])[] = [
  [
    '[DNSSEC-53] closest encloser, next closer and wildcard (RFC 5155 §8.4, §9.2)',
    [match('example', APEX), cover('b.example', OPT_OUT), cover('*.example')],
    'b.example',
    A,
    { NOERROR: 'insecure', NXDOMAIN: 'insecure' },
  ],
  [
    '[DNSSEC-53] the wildcard is not covered: no name error (RFC 5155 §8.4), but perhaps an empty non-terminal (§8.5, erratum 3441)',
    [match('example', APEX), cover('b.example', OPT_OUT)],
    'b.example',
    A,
    { NOERROR: 'insecure', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-53] a wildcard above the encloser is covered (RFC 5155 §8.4)',
    [match('d.example', [A]), cover('b.d.example', OPT_OUT), cover('*.example')],
    'b.d.example',
    A,
    { NOERROR: 'insecure', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-53] a wildcard below the encloser is covered (RFC 5155 §8.4)',
    [match('example', APEX), cover('b.example', OPT_OUT), cover('*.b.example')],
    'x.b.example',
    A,
    { NOERROR: 'insecure', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-55] a wildcard without the type (RFC 5155 §8.7, §9.2)',
    [match('example', APEX), cover('b.example', OPT_OUT), match('*.example', [MX])],
    'b.example',
    A,
    { NOERROR: 'insecure', NXDOMAIN: 'insecure' },
  ],
  [
    '[DNSSEC-55] a wildcard with the type (RFC 5155 §8.7)',
    [match('example', APEX), cover('b.example', OPT_OUT), match('*.example', [A])],
    'b.example',
    A,
    { NOERROR: 'nothing', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-55] a wildcard with a CNAME (RFC 5155 §8.7)',
    [match('example', APEX), cover('b.example', OPT_OUT), match('*.example', [CNAME])],
    'b.example',
    A,
    { NOERROR: 'nothing', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-53] no closest encloser (RFC 5155 §8.3)',
    [cover('b.example', OPT_OUT), cover('*.example', OPT_OUT)],
    'b.example',
    A,
    { NOERROR: 'nothing', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-53] the name is covered, but not the next closer name (RFC 5155 §8.3)',
    [match('example', APEX), cover('x.b.example', OPT_OUT), cover('*.example')],
    'x.b.example',
    A,
    { NOERROR: 'nothing', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-53 DNSSEC-39] the encloser is a delegation (RFC 5155 §8.3)',
    [match('d.example', [NS]), cover('b.d.example', OPT_OUT), cover('*.d.example')],
    'b.d.example',
    A,
    { NOERROR: 'nothing', NXDOMAIN: 'nothing' },
  ],
  [
    '[DNSSEC-54] the name without the type: the flag of a match means nothing (RFC 5155 §8.5)',
    [match('a.example', [A], OPT_OUT)],
    'a.example',
    TLSA,
    { NOERROR: 'nodata', NXDOMAIN: 'nodata' },
  ],
  [
    '[DNSSEC-56 DNSSEC-54] DS: an unsigned delegation, whatever the wildcard (RFC 5155 §8.6, §8.9)',
    [match('example', APEX), cover('d.example', OPT_OUT)],
    'd.example',
    DS,
    { NOERROR: 'insecure', NXDOMAIN: 'insecure' },
  ],
  [
    '[DNSSEC-56] DS: opt-out over the wildcard alone (RFC 5155 §8.6)',
    [match('example', APEX), cover('d.example'), cover('*.example', OPT_OUT)],
    'd.example',
    DS,
    { NOERROR: 'nxdomain', NXDOMAIN: 'nxdomain' },
  ],
]

describe('denied by NSEC3', () => {
  for (const [circumstance, records, name, type, expected] of CASES) {
    test(circumstance, () => {
      for (const order of [records, [...records].reverse()]) {
        for (const claim of CLAIMS) {
          const denial = denied(hashedZone(order), name, type, claim)
          const isCut = denial?.kind === 'nodata' && denial.types?.has(NS)
          assert.equal(isCut ? `${denial.kind} NS` : (denial?.kind ?? 'exhausted'), expected)
        }
      }
    })
  }

  for (const [circumstance, records, name, type, expected] of OPT_OUT_CASES) {
    for (const claim of CLAIMS) {
      test(`opt-out over the next closer name, ${claim}: ${circumstance}`, () => {
        for (const order of [records, [...records].reverse()]) {
          assert.equal(denied(hashedZone(order), name, type, claim)?.kind, expected[claim])
        }
      })
    }
  }

  test('[DNSSEC-57] names are hashed in lower case, each once (RFC 5155 §5)', () => {
    let hashes = 0
    const budget = new Budget()
    const take = budget.take.bind(budget)
    budget.take = (work, cost) => {
      hashes++
      return take(work, cost)
    }
    const records = [match('example', APEX), cover('b.example'), cover('*.example')]
    const hashed = hashedZone(records, budget)
    for (const type of [A, TLSA, MX]) {
      assert.equal(denied(hashed, 'X.B.example', type)?.kind, 'nxdomain')
    }
    // The name, the next closer name, the encloser, and the wildcard.
    assert.equal(hashes, 4)
  })

  test('[DNSSEC-74] no more hashes than the budget has: undefined (CVE-2023-50868)', () => {
    const budget = new Budget()
    for (let i = 0; i < BUDGET.hashes - 2; i++) budget.take('hashes')
    const records = [match('example', APEX), cover('b.example'), cover('*.example')]
    assert.equal(denied(hashedZone(records, budget), 'b.example', A), undefined)
    assert.match(budget.exhausted ?? '', /NSEC3 hashes/)
  })

  test('the appendix of RFC 5155: hashes of its zone', () => {
    const parameters = [12, SALT] as const
    assert.equal(
      base32hex(nsec3Hash(wire('example'), ...parameters)),
      '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom',
    )
    // Appendix B.1: no a.c.x.w.example.
    const record = (hash: string, next: string, isOptOut = true) => {
      const octets = Buffer.concat([
        Buffer.from([1, isOptOut ? 1 : 0, 0, 12, 4]),
        SALT,
        Buffer.from([20]),
        fromHex(next),
        bitmap([MX]),
      ])
      const set = { ...rrset(nsec3Hash(ZONE), octets), owner: wire(`${hash}.example`) }
      const read = readNsec3(set, ZONE)
      assert.ok(read)
      return read
    }
    const records = [
      record('0p9mhaveqvm6t7vbl5lop2u3t2rp3tom', '2t7b4g4vsa5smi47k61mv5bv1a22bojr'),
      record('b4um86eghhds6nea196smvmlo4ors995', 'gjeqe526plbf1g8mklp59enfd789njgi'),
      record('35mthgpgcu1qg68fab165klnsnk3dpvl', 'b4um86eghhds6nea196smvmlo4ors995'),
    ]
    // All of that zone are opt-out, so nothing is secure.
    assert.equal(denied(hashedZone(records), 'a.c.x.w.example', A)?.kind, 'insecure')
    const strict = records.map((each) => ({ ...each, isOptOut: false }))
    assert.equal(denied(hashedZone(strict), 'a.c.x.w.example', A)?.kind, 'nxdomain')
  })
})

/** From base32hex. */
function fromHex(text: string): Buffer {
  const bits = Array.from(text, (c) => Number.parseInt(c, 32).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)))
}

describe('the NSEC3 of an expansion', () => {
  const cases: readonly (readonly [string, readonly Nsec3[], string, string, string])[] = [
    [
      '[DNSSEC-34] the next closer name is covered (RFC 5155 §8.8)',
      [cover('b.example')],
      'x.b.example',
      'example',
      'covered',
    ],
    [
      '[DNSSEC-34] only the name is covered (RFC 5155 §8.8)',
      [cover('x.b.example')],
      'x.b.example',
      'example',
      'nothing',
    ],
    [
      '[DNSSEC-34] the name exists (RFC 5155 §8.8)',
      [match('b.example', [A])],
      'b.example',
      'example',
      'nothing',
    ],
    [
      '[DNSSEC-34] the name is the next one of the last record (RFC 5155 §3.1.7)',
      [read(beside(nsec3Hash(wire('b.example')), 1), nsec3Hash(wire('b.example')), [A], {})],
      'b.example',
      'example',
      'nothing',
    ],
    [
      '[DNSSEC-34] the last record covers the others (RFC 5155 §3.1.7)',
      [read(beside(nsec3Hash(wire('a.example')), 1), nsec3Hash(wire('a.example')), [A], {})],
      'b.example',
      'example',
      'covered',
    ],
    [
      '[DNSSEC-53] opt-out over the next closer name (RFC 5155 §9.2)',
      [cover('b.example', { isOptOut: true })],
      'b.example',
      'example',
      'covered with opt-out',
    ],
  ]
  for (const [circumstance, records, name, encloser, expected] of cases) {
    test(circumstance, () => {
      const result = nsec3OfExpansion(hashedZone(records), wire(name), wire(encloser))
      const isOptOut = result?.kind === 'covered' && result.isOptOut
      assert.equal(`${result?.kind ?? ''}${isOptOut ? ' with opt-out' : ''}`, expected)
    })
  }
})

describe('an NSEC3 that proves nothing', () => {
  const hash = nsec3Hash(wire('a.example'))
  const next = beside(hash, 1)
  const good = nsec3Rdata(next, [A])
  const bad: readonly (readonly [string, RRset])[] = [
    ['[DNSSEC-49] unknown hash (RFC 5155 §8.1)', rrset(hash, nsec3Rdata(next, [A], { hash: 2 }))],
    ['[DNSSEC-49] unknown flags (RFC 5155 §8.2)', rrset(hash, nsec3Rdata(next, [A], { flags: 2 }))],
    [
      '[DNSSEC-49] unknown flags next to opt-out (RFC 5155 §8.2)',
      rrset(hash, nsec3Rdata(next, [A], { flags: 0x81 })),
    ],
    [
      '[DNSSEC-43] two labels below its zone (CVE-2026 b32.signerzone)',
      rrset(hash, good, 'sub.example'),
    ],
    ['[DNSSEC-43] in another zone', rrset(hash, good, 'other')],
    [
      '[DNSSEC-43] the owner is too short for a hash (RFC 5155 §3)',
      { ...rrset(hash, good), owner: wire('0p9mhaveqvm6t7vbl5lop2u3t2rp3to.example') },
    ],
    [
      '[DNSSEC-43] the owner is not base32hex (RFC 5155 §3)',
      { ...rrset(hash, good), owner: wire('wp9mhaveqvm6t7vbl5lop2u3t2rp3tom.example') },
    ],
    ['[DNSSEC-43] a next hash of 19 octets', rrset(hash, nsec3Rdata(next.slice(1), [A]))],
    ['[DNSSEC-43] a next hash of 21 octets', rrset(hash, nsec3Rdata(`${next}x`, [A]))],
    [
      '[DNSSEC-43] a hash length that is not that of SHA-1',
      rrset(hash, Buffer.concat([good.subarray(0, 5), Buffer.from([21]), good.subarray(6)])),
    ],
    ['[DNSSEC-42] the salt is cut off', rrset(hash, Buffer.from([1, 0, 0, 0, 200, 1, 2]))],
    ['[DNSSEC-42] the hash is cut off', rrset(hash, good.subarray(0, 20))],
    ['[DNSSEC-42] the bitmap is cut off', rrset(hash, good.subarray(0, -1))],
    ['[DNSSEC-42] no octets', rrset(hash, Buffer.alloc(0))],
    ['two records with one owner', { ...rrset(hash, good), rdatas: [good, good] }],
  ]
  for (const [circumstance, set] of bad) {
    test(circumstance, () => assert.equal(readNsec3(set, ZONE), undefined))
  }
  test('the sample these are made of is good', () => {
    assert.ok(readNsec3(rrset(hash, good), ZONE))
  })
})

test('[DNSSEC-77] hashing stops when the slice of this turn is used up, and goes on in the next', () => {
  const more = { iterations: 150 }
  const records = [match('example', APEX, more), cover('b.example', more), cover('*.example', more)]
  const hashed = hashedZone(records)
  let turns = 1
  let denial = denied(hashed, 'x.y.z.b.example', A)
  for (; denial === undefined && turns < 9; turns++) {
    assert.equal(hashed.budget.exhausted, undefined)
    hashed.budget.startSlice()
    denial = denied(hashed, 'x.y.z.b.example', A)
  }
  assert.equal(denial?.kind, 'nxdomain')
  assert.ok(turns > 1)
})

test('[DNSSEC-50] records of other parameters are another proof (RFC 5155 §8.2)', () => {
  const records = [
    match('example', APEX),
    cover('b.example', { salt: SALT }),
    cover('*.example', { iterations: 1 }),
    match('a.example', [A]),
  ]
  assert.deepEqual(
    byParameters(records).map((group) => group.length),
    [2, 1, 1],
  )
})

test('[DNSSEC-51] more than 150 iterations are too many (RFC 9276 §3.2)', () => {
  assert.equal(hasTooManyIterations([match('a.example', [A], { iterations: 150 })]), false)
  assert.equal(hasTooManyIterations([match('a.example', [A], { iterations: 151 })]), true)
})
