/** What NSEC records prove, and what they do not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset } from '../../../src/signed-message.js'
import { readBitmap } from '../../../src/validate/bitmap.js'
import { deniedByNsec, nsecOfExpansion, readNsec } from '../../../src/validate/nsec.js'
import type { Nsec } from '../../../src/validate/nsec.js'
import { bitmap, nsecRdata } from '../../support/signed-world.js'
import { wire } from '../../support/signed-records.js'

const { A, CNAME, DNAME, DS, MX, NS, NSEC, RRSIG, SOA, TLSA } = RR_TYPE
const NXNAME = 128
const ZONE = wire('example')

function rrset(owner: string, rdata: Buffer): RRset {
  return { owner: wire(owner), type: NSEC, ttl: 300, rdatas: [rdata], signatures: [] }
}

/** `owner next TYPES`, read as of a zone. */
function nsec(owner: string, next: string, types: readonly number[], zone = ZONE): Nsec {
  const read = readNsec(rrset(owner, nsecRdata(wire(next), [...types, RRSIG, NSEC])), zone)
  assert.ok(read, `${owner} NSEC ${next}`)
  return read
}

const APEX = [NS, SOA, MX]

type Case = readonly [
  circumstance: string,
  records: readonly Nsec[],
  name: string,
  type: number,
  expected: string,
]

const CASES: readonly Case[] = [
  [
    '[DNSSEC-44] a name between two others, the wildcard covered as well: NXDOMAIN (RFC 4035 §5.4)',
    [nsec('a.example', 'c.example', [A]), nsec('example', 'a.example', APEX)],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-44] one NSEC covers both name and wildcard (RFC 4035 §5.4)',
    [nsec('example', 'c.example', APEX)],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-44] the wildcard is not covered: nothing (RFC 4035 §5.4)',
    [nsec('a.example', 'c.example', [A])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-44] the wildcard of a name above the closest encloser is covered: nothing (RFC 4592 §3.3.1)',
    [nsec('a.d.example', 'c.d.example', [A]), nsec('example', 'a.example', APEX)],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-44] the encloser is shown by the next name alone (RFC 4592 §3.3.1)',
    [nsec('c.example', 'x.d.example', [A]), nsec('c.example', 'x.d.example', [A])],
    'b.d.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-38] the last NSEC leads back to the apex (RFC 4034 §4.1.1)',
    [nsec('example', 'a.example', APEX), nsec('x.example', 'example', [A])],
    'z.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-38] the only NSEC of a zone covers all but the apex (RFC 4034 §4.1.1)',
    [nsec('example', 'example', APEX)],
    'a.b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-38] the owner is not covered (RFC 4034 §4.1.1)',
    [nsec('b.example', 'c.example', [A]), nsec('example', 'a.example', APEX)],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-38] the next name is not covered (RFC 4034 §4.1.1)',
    [nsec('a.example', 'b.example', [A]), nsec('example', 'a.example', APEX)],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-38] order is by label from the right, not by text (RFC 4034 §6.1)',
    [nsec('a.example', 'z.a.example', [A]), nsec('example', 'a.example', APEX)],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-38] an octet above letters, and one below them (RFC 4034 §6.1)',
    [nsec('*.z.example', '\u00c8.z.example', [A]), nsec('example', 'a.example', APEX)],
    'yljkjljk.z.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-39] the NSEC of a delegation denies nothing below it (RFC 6840 §4.1)',
    [nsec('d.example', 'z.example', [NS]), nsec('example', 'd.example', APEX)],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-39] nor a wildcard below it (RFC 6840 §4.1)',
    [nsec('a.d.example', 'c.d.example', [A]), nsec('d.example', 'a.d.example', [NS])],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-39] the NSEC of a delegation denies no type but DS at it (RFC 6840 §4.1)',
    [nsec('d.example', 'e.example', [NS])],
    'd.example',
    MX,
    'nothing',
  ],
  [
    '[DNSSEC-39] with SOA it is the apex of a zone, and speaks for names below (RFC 6840 §4.1)',
    [nsec('example', 'z.example', [NS, SOA])],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-40] the NSEC of a DNAME denies nothing below it (RFC 6840 §4.1, RFC 6672 §5.3.4.1)',
    [nsec('d.example', 'z.example', [DNAME]), nsec('example', 'd.example', APEX)],
    'b.d.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-40] but types at the DNAME itself (RFC 6672 §2.3)',
    [nsec('d.example', 'z.example', [DNAME])],
    'd.example',
    A,
    'nodata',
  ],
  [
    '[DNSSEC-41] the name without the type: NODATA (RFC 4035 §5.4)',
    [nsec('a.example', 'c.example', [A])],
    'a.example',
    TLSA,
    'nodata',
  ],
  [
    '[DNSSEC-41] the type is in the bitmap (RFC 4035 §5.4)',
    [nsec('a.example', 'c.example', [A, TLSA])],
    'a.example',
    TLSA,
    'nothing',
  ],
  [
    '[DNSSEC-41] there is a CNAME instead (RFC 6840 §4.3)',
    [nsec('a.example', 'c.example', [CNAME])],
    'a.example',
    TLSA,
    'nothing',
  ],
  [
    '[DNSSEC-48] a delegation without DS (RFC 4035 §5.2)',
    [nsec('d.example', 'e.example', [NS])],
    'd.example',
    DS,
    'nodata NS',
  ],
  [
    '[DNSSEC-48] a delegation with DS (RFC 4035 §5.2)',
    [nsec('d.example', 'e.example', [NS, DS])],
    'd.example',
    DS,
    'nothing',
  ],
  [
    '[DNSSEC-41] the apex of the child does not deny its DS (RFC 6840 §4.4)',
    [nsec('example', 'e.example', APEX)],
    'example',
    DS,
    'nothing',
  ],
  [
    '[DNSSEC-48] no delegation at the name (RFC 6840 §4.4)',
    [nsec('d.example', 'e.example', [A])],
    'd.example',
    DS,
    'nodata',
  ],
  [
    '[DNSSEC-45] an empty non-terminal: the next name is below it (RFC 4592 §2.2.2)',
    [nsec('a.example', 'x.b.example', [A])],
    'b.example',
    A,
    'nodata',
  ],
  [
    '[DNSSEC-46] a wildcard without the type (RFC 4035 §3.1.3.4)',
    [nsec('a.example', 'c.example', [A]), nsec('*.example', 'a.example', [MX])],
    'b.example',
    A,
    'nodata',
  ],
  [
    '[DNSSEC-46] a wildcard with the type (RFC 4035 §3.1.3.4)',
    [nsec('a.example', 'c.example', [A]), nsec('*.example', 'a.example', [A])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-46] a wildcard with a CNAME (RFC 6840 §4.3)',
    [nsec('a.example', 'c.example', [A]), nsec('*.example', 'a.example', [CNAME])],
    'b.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-46] a wildcard that has only names below it (RFC 4592 §2.2.2)',
    [nsec('a.example', 'c.example', [A]), nsec('example', 'x.*.example', APEX)],
    'b.example',
    A,
    'nodata',
  ],
  [
    '[DNSSEC-18] the NSEC of a wildcard denies at that name, not at others (RFC 4592 §4)',
    [nsec('*.example', 'c.example', [MX])],
    'd.example',
    A,
    'nothing',
  ],
  [
    '[DNSSEC-47] compact denial: the name with NXNAME does not exist (RFC 9824 §2.2)',
    [nsec('b.example', '\u0000.b.example', [NXNAME])],
    'b.example',
    A,
    'nxdomain',
  ],
  [
    '[DNSSEC-47] compact denial: NODATA (RFC 9824 §3.1)',
    [nsec('b.example', '\u0000.b.example', [A])],
    'b.example',
    MX,
    'nodata',
  ],
  ['no NSEC at all', [], 'b.example', A, 'nothing'],
]

describe('denied by NSEC', () => {
  for (const [circumstance, records, name, type, expected] of CASES) {
    test(circumstance, () => {
      for (const order of [records, [...records].reverse()]) {
        const denial = deniedByNsec(order, ZONE, wire(name), type)
        const isCut = denial.kind === 'nodata' && denial.types?.has(NS)
        assert.equal(isCut ? `${denial.kind} NS` : denial.kind, expected)
        if (denial.kind !== 'nothing') assert.ok(denial.used.length > 0)
      }
    })
  }

  test('[DNSSEC-41] the root has no parent to deny its DS (RFC 6840 §4.4)', () => {
    const root = nsec('.', 'com', [NS, SOA], wire('.'))
    assert.equal(deniedByNsec([root], wire('.'), wire('.'), DS).kind, 'nodata')
  })

  test('[DNSSEC-38] example of RFC 4034 §6.1, each name between its neighbors', () => {
    const order = [
      'example',
      'a.example',
      'yljkjljk.a.example',
      'Z.a.example',
      'zABC.a.EXAMPLE',
      'z.example',
      '\u0001.z.example',
      '*.z.example',
      '\u00c8.z.example',
    ]
    for (let i = 1; i + 1 < order.length; i++) {
      const cover = nsec(order[i - 1] ?? '', order[i + 1] ?? '', [A])
      // Used with its own wildcard in reach or not: it must not be 'no NSEC covers the name'.
      const denial = deniedByNsec([cover], ZONE, wire(order[i] ?? ''), A)
      assert.notDeepEqual(denial, { kind: 'nothing', detail: 'no NSEC covers the name' })
    }
  })
})

describe('the NSEC of an expansion', () => {
  const cases: readonly (readonly [string, readonly Nsec[], string, string, boolean])[] = [
    [
      '[DNSSEC-34] the name is covered (RFC 4035 §5.3.4)',
      [nsec('a.example', 'c.example', [A])],
      'b.example',
      'example',
      true,
    ],
    ['[DNSSEC-34] no NSEC (RFC 4035 §5.3.4)', [], 'b.example', 'example', false],
    [
      '[DNSSEC-34] another name is covered (RFC 4035 §5.3.4)',
      [nsec('a.example', 'c.example', [A])],
      'd.example',
      'example',
      false,
    ],
    [
      '[DNSSEC-34] the name itself exists (RFC 4035 §5.3.4)',
      [nsec('b.example', 'c.example', [A])],
      'b.example',
      'example',
      false,
    ],
    [
      '[DNSSEC-35] something closer than the wildcard exists: the owner (RFC 4592 §3.3.1)',
      [nsec('a.d.example', 'c.d.example', [A])],
      'b.d.example',
      'example',
      false,
    ],
    [
      '[DNSSEC-35] something closer than the wildcard exists: the next name (RFC 4592 §3.3.1)',
      [nsec('a.example', 'c.d.example', [A])],
      'b.d.example',
      'example',
      false,
    ],
    [
      '[DNSSEC-35] an empty non-terminal exists (RFC 4592 §2.2.2)',
      [nsec('a.example', 'x.b.example', [A])],
      'b.example',
      'example',
      false,
    ],
    [
      '[DNSSEC-35] the NSEC of a delegation (RFC 6840 §4.1)',
      [nsec('d.example', 'z.example', [NS])],
      'b.d.example',
      'd.example',
      false,
    ],
    [
      '[DNSSEC-34] several labels below the encloser (RFC 4592 §3.3.1)',
      [nsec('a.example', 'z.example', [A])],
      'x.y.b.example',
      'example',
      true,
    ],
  ]
  for (const [circumstance, records, name, encloser, expected] of cases) {
    test(circumstance, () => {
      assert.equal(nsecOfExpansion(records, wire(name), wire(encloser)) !== undefined, expected)
    })
  }
})

describe('an NSEC that proves nothing', () => {
  const types = bitmap([A, NSEC])
  const next = Buffer.from(wire('c.example'), 'latin1')
  const bad: readonly (readonly [string, RRset])[] = [
    [
      '[DNSSEC-37] next name outside of the zone (CVE-2026 overreaching next owner)',
      rrset('a.example', nsecRdata(wire('c.other'), [A])),
    ],
    ['[DNSSEC-37] next name above the zone', rrset('a.example', nsecRdata(wire('.'), [A]))],
    ['[DNSSEC-37] owner outside of the zone', rrset('a.other', nsecRdata(wire('c.example'), [A]))],
    [
      '[DNSSEC-38] it leads back, but not to the apex (RFC 4034 §4.1.1)',
      rrset('c.example', nsecRdata(wire('a.example'), [A])),
    ],
    [
      '[DNSSEC-38] it leads to itself, below the apex (RFC 4034 §4.1.1)',
      rrset('c.example', nsecRdata(wire('c.example'), [A])),
    ],
    ['[DNSSEC-42] no octets', rrset('a.example', Buffer.alloc(0))],
    ['[DNSSEC-42] the next name is cut off', rrset('a.example', next.subarray(0, 3))],
    [
      '[DNSSEC-42] the next name is compressed (RFC 4034 §4.1.1)',
      rrset('a.example', Buffer.concat([Buffer.from([0xc0, 0x0c]), types])),
    ],
    [
      '[DNSSEC-42] the bitmap is cut off (RFC 4034 §4.1.2)',
      rrset('a.example', Buffer.concat([next, types.subarray(0, -1)])),
    ],
    [
      '[DNSSEC-42] octets after the bitmap (RFC 4034 §4.1.2)',
      rrset('a.example', Buffer.concat([next, types, Buffer.from([0])])),
    ],
    [
      'two records with one owner (RFC 4034 §4.1)',
      { ...rrset('a.example', nsecRdata(wire('b.example'), [A])), rdatas: [next, next] },
    ],
  ]
  for (const [circumstance, set] of bad) {
    test(circumstance, () => assert.equal(readNsec(set, ZONE), undefined))
  }
})

describe('bitmaps', () => {
  test('[DNSSEC-42] types of several windows are found (RFC 4034 §4.1.2)', () => {
    const types = readBitmap(bitmap([1, 47, 52, 257, 1234, 65535]))
    for (const type of [1, 47, 52, 257, 1234, 65535]) assert.equal(types?.has(type), true)
    for (const type of [0, 2, 48, 256, 258, 1235, 65534]) assert.equal(types?.has(type), false)
  })

  test('[DNSSEC-42] an empty one lists no type (RFC 5155 §7.1)', () => {
    assert.equal(readBitmap(Buffer.alloc(0))?.has(1), false)
  })

  const bad: readonly (readonly [string, readonly number[]])[] = [
    ['[DNSSEC-42] a window of no octets (RFC 4034 §4.1.2)', [0, 0]],
    ['[DNSSEC-42] a window of 33 octets (RFC 4034 §4.1.2)', [0, 33, ...Array<number>(33).fill(1)]],
    ['[DNSSEC-42] windows in the wrong order (RFC 4034 §4.1.2)', [1, 1, 1, 0, 1, 1]],
    ['[DNSSEC-42] the same window twice (RFC 4034 §4.1.2)', [0, 1, 1, 0, 1, 1]],
    ['[DNSSEC-42] a window that is cut off (RFC 4034 §4.1.2)', [0, 2, 1]],
    ['[DNSSEC-42] a window without a length (RFC 4034 §4.1.2)', [0, 1, 1, 1]],
  ]
  for (const [circumstance, octets] of bad) {
    test(circumstance, () => assert.equal(readBitmap(Buffer.from(octets)), undefined))
  }
})
