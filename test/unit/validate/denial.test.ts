/** Which records of a reply count as proof of absence: signed, by one zone, not too many. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NOERROR, NXDOMAIN } from '../../../src/rcode.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset } from '../../../src/signed-message.js'
import { Budget } from '../../../src/validate/budget.js'
import { proveDenial, proveExpansion } from '../../../src/validate/denial.js'
import { readZoneKey } from '../../../src/validate/key.js'
import type { ZoneKeys } from '../../../src/validate/signature.js'
import { createWork } from '../../../src/validate/work.js'
import { wire } from '../../support/signed-records.js'
import {
  base32hex,
  createWorld,
  NOW,
  nsec3Hash,
  nsec3Rdata,
  signAs,
} from '../../support/signed-world.js'
import type { Zone, ZoneSpec } from '../../support/signed-world.js'

const { A, DS, MX, NSEC, NSEC3 } = RR_TYPE
const RECORDS = ['a A 192.0.2.1', 'd NS ns.other', '*.w A 192.0.2.2']

function zoneOf(denial: 'nsec' | 'nsec3' | 'opt-out', more: ZoneSpec = {}): Zone {
  return createWorld({ '.': {}, example: { denial, records: RECORDS, ...more } }).zone('example')
}

function keysOf({ apex, signer }: Zone): ZoneKeys {
  const key = readZoneKey(signer.rdata, { sha1: false })
  assert.ok(key.kind === 'key')
  return { zone: apex, keys: [key] }
}

const work = () => createWork(NOW, new Budget(), { sha1: false })

function prove(
  zone: Zone,
  rrsets: readonly RRset[],
  name: string,
  type: number,
  rcode = NXDOMAIN,
): string {
  return proveDenial({ rrsets, rcode }, keysOf(zone), wire(name), type, work()).kind
}

function expand(zone: Zone, rrsets: readonly RRset[], name: string): string {
  return proveExpansion(rrsets, keysOf(zone), wire(name), wire('w.example'), work()).kind
}

const unsigned = (rrset: RRset): RRset => ({ ...rrset, signatures: [] })

describe('records of denial', () => {
  const nsec = zoneOf('nsec')
  const nsec3 = zoneOf('nsec3')
  const optOut = zoneOf('opt-out')
  const beyond = zoneOf('nsec3', { iterations: 151 })
  const most = zoneOf('nsec3', { iterations: 150 })
  const other = createWorld({ '.': {}, other: { records: RECORDS } }).zone('other')
  const expired = { expiration: NOW / 1000 - 864_000, inception: NOW / 1000 - 1_728_000 }

  const cases: readonly (readonly [string, Zone, readonly RRset[], string, number, string])[] = [
    ['NSEC of the zone', nsec, nsec.denials, 'b.example', A, 'nxdomain'],
    ['NSEC3 of the zone', nsec3, nsec3.denials, 'b.example', A, 'nxdomain'],
    ['[DNSSEC-53] opt-out', optOut, optOut.denials, 'b.example', A, 'insecure'],
    [
      '[DNSSEC-56] opt-out at an unsigned delegation',
      optOut,
      optOut.denials,
      'd.example',
      DS,
      'insecure',
    ],
    ['[DNSSEC-2] without signatures', nsec, nsec.denials.map(unsigned), 'b.example', A, 'nothing'],
    [
      '[DNSSEC-2] NSEC3 without signatures',
      nsec3,
      nsec3.denials.map(unsigned),
      'b.example',
      A,
      'nothing',
    ],
    [
      '[DNSSEC-36] with signatures that have expired',
      nsec,
      nsec.denials.map((rrset) => signAs(nsec, rrset, expired)),
      'b.example',
      A,
      'nothing',
    ],
    [
      '[DNSSEC-36] with signatures by another key',
      nsec,
      nsec.denials.map((rrset) => signAs({ apex: nsec.apex, signer: other.signer }, rrset)),
      'b.example',
      A,
      'nothing',
    ],
    ['[DNSSEC-36] of another zone', nsec, other.denials, 'b.example', A, 'nothing'],
    ['none', nsec, [], 'b.example', A, 'nothing'],
    [
      '[DNSSEC-18] expanded from a wildcard (RFC 4592 §4)',
      nsec,
      [
        {
          ...signAs(nsec, {
            owner: wire('*.example'),
            type: NSEC,
            rdatas: nsec.denials[0]?.rdatas ?? [],
          }),
          owner: wire('a.example'),
        },
      ],
      'a.example',
      MX,
      'nothing',
    ],
    [
      '[DNSSEC-51] too many iterations, signed by the zone: insecure (RFC 9276 §3.2)',
      beyond,
      beyond.denials,
      'b.example',
      A,
      'insecure',
    ],
    [
      '[DNSSEC-51] too many iterations, not signed (RFC 5155 §10.3)',
      beyond,
      beyond.denials.map(unsigned),
      'b.example',
      A,
      'nothing',
    ],
    ['[DNSSEC-51] as many as are allowed', most, most.denials, 'a.example', MX, 'nodata'],
    [
      '[DNSSEC-74] more than 16 of them (CVE-2023-50868)',
      nsec3,
      Array.from({ length: 17 }, (_, i) => {
        const hash = nsec3Hash(wire(`x${i}.example`))
        return signAs(nsec3, {
          owner: wire(`${base32hex(hash)}.example`),
          type: NSEC3,
          rdatas: [nsec3Rdata(hash, [A])],
        })
      }),
      'b.example',
      A,
      'exhausted',
    ],
  ]
  test('[DNSSEC-53] opt-out without the NSEC3 that covers the wildcard (RFC 5155 §8.4)', () => {
    // That of a.example covers *.example, that of w.example the names.
    const hash = base32hex(nsec3Hash(wire('a.example')))
    const rest = optOut.denials.filter(({ owner }) => owner !== wire(`${hash}.example`))
    assert.equal(rest.length, optOut.denials.length - 1)
    assert.equal(prove(optOut, rest, 'e.example', A, NXDOMAIN), 'nothing')
    assert.equal(prove(optOut, rest, 'e.example', A, NOERROR), 'insecure')
    assert.equal(prove(optOut, rest, 'd.example', DS, NXDOMAIN), 'insecure')
  })

  for (const [circumstance, zone, rrsets, name, type, expected] of cases) {
    test(`${circumstance}: ${expected}`, () => {
      assert.equal(prove(zone, rrsets, name, type), expected)
    })
  }

  test('[DNSSEC-50] a proof that needs records of two salts: nothing (RFC 5155 §8.2)', () => {
    const plain = nsec3.denials
    const salted = zoneOf('nsec3', { iterations: 3 }).denials
    const encloser = (rrset: RRset, iterations: number) =>
      rrset.owner.includes(base32hex(nsec3Hash(wire('example'), iterations)))
    const mixed = [
      ...plain.filter((rrset) => encloser(rrset, 0)),
      ...salted.filter((rrset) => !encloser(rrset, 3)),
    ]
    assert.equal(prove(nsec3, plain, 'bb.example', A), 'nxdomain')
    assert.equal(prove(nsec3, salted, 'bb.example', A), 'nxdomain')
    // The apex may itself be the record that covers; then another name shows the same.
    const results = ['bb', 'bc', 'be', 'bf', 'bg'].map((name) =>
      prove(nsec3, mixed, `${name}.example`, A),
    )
    assert.ok(results.includes('nothing'))
    assert.ok(!results.includes('nodata'))
  })

  test('[DNSSEC-30] the proof lasts as long as its shortest record', () => {
    const short = nsec.denials.map((rrset) => ({ ...rrset, ttl: 11 }))
    const proof = proveDenial(
      { rrsets: short, rcode: NXDOMAIN },
      keysOf(nsec),
      wire('b.example'),
      A,
      work(),
    )
    assert.deepEqual(proof, { kind: 'nxdomain', expiresAt: NOW + 11_000 })
  })

  test('[DNSSEC-34] the proof of an expansion', () => {
    assert.equal(expand(nsec, nsec.denials, 'x.w.example'), 'proven')
    assert.equal(expand(nsec3, nsec3.denials, 'x.w.example'), 'proven')
    assert.equal(expand(optOut, optOut.denials, 'x.w.example'), 'insecure')
    assert.equal(expand(beyond, beyond.denials, 'x.w.example'), 'insecure')
    assert.equal(expand(nsec, nsec.denials.map(unsigned), 'x.w.example'), 'nothing')
    assert.equal(expand(nsec3, nsec3.denials.map(unsigned), 'x.w.example'), 'nothing')
    assert.equal(expand(beyond, beyond.denials.map(unsigned), 'x.w.example'), 'nothing')
    assert.equal(expand(nsec, other.denials, 'x.w.example'), 'nothing')
    assert.equal(expand(nsec, [], 'x.w.example'), 'nothing')
  })
})
