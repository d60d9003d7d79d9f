/** Replies read into RRsets with their signatures, and hostile ones that are not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MOST_RECORDS, MOST_SIGNATURES, readSignedReply } from '../../../src/dns/signed-reply.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { SignedReply } from '../../../src/signed-message.js'
import { reply, rr, u16, u32, wireName } from '../../support/dns-message.js'
import type { Reply, Rr } from '../../support/dns-message.js'
import { wire } from '../../support/signed-records.js'

const question = { name: 'example.org', type: RR_TYPE.MX }
/** A pointer to the name in the question (RFC 1035 §4.1.4). */
const POINTER = Buffer.from([0xc0, 12])
const NUMBERS = Buffer.alloc(20, 1)

function read(parts: Reply): SignedReply | undefined {
  return readSignedReply(reply({ question, ...parts }), 1_000)
}

function sets(parts: Reply): SignedReply['rrsets'] {
  const message = read(parts)
  assert.ok(message)
  return message.rrsets
}

function record(type: number, rdata: Buffer, owner: string | Buffer = 'example.org'): Rr {
  return { owner, type, rdata }
}

function rrsig(covered: number, signer: Buffer = wireName('example.org'), owner = 'example.org') {
  return record(
    RR_TYPE.RRSIG,
    Buffer.concat([
      u16(covered),
      Buffer.from([13, 2]),
      u32(3600),
      u32(4_000_000_000),
      u32(3_000_000_000),
      u16(12345),
      signer,
      Buffer.from('signature'),
    ]),
    owner,
  )
}

const mx = record(RR_TYPE.MX, Buffer.concat([u16(10), wireName('mx'), Buffer.alloc(0)]))

const mx2 = record(RR_TYPE.MX, Buffer.concat([u16(20), wireName('mx')]))

describe('sets', () => {
  test('[DNSSEC-12] are gathered from answer and authority, whatever the order and letter case (RFC 2181 §5)', () => {
    const [set, ...others] = sets({
      answer: [rrsig(RR_TYPE.MX), { ...mx, owner: 'EXAMPLE.org', ttl: 20 }],
      authority: [{ ...mx2, ttl: 10 }, rrsig(RR_TYPE.MX, wireName('Example.ORG'), 'eXample.org')],
    })
    assert.equal(others.length, 0)
    assert.equal(set?.owner, wire('example.org'))
    assert.equal(set.type, RR_TYPE.MX)
    assert.equal(set.ttl, 10)
    assert.equal(set.rdatas.length, 2)
    assert.deepEqual(set.signatures[0], {
      typeCovered: RR_TYPE.MX,
      algorithm: 13,
      labels: 2,
      originalTtl: 3600,
      expiration: 4_000_000_000,
      inception: 3_000_000_000,
      keyTag: 12345,
      signer: wire('example.org'),
      signature: Buffer.from('signature'),
    })
    assert.deepEqual(set.signatures[1]?.signer, wire('example.org'))
  })

  test('[DNSSEC-28] repeated records and signatures count once (RFC 2181 §5.2)', () => {
    const alias = record(RR_TYPE.CNAME, wireName('alias'))
    const [set, ...others] = sets({
      answer: [alias, rrsig(RR_TYPE.CNAME), alias],
      authority: [rrsig(RR_TYPE.CNAME), rrsig(RR_TYPE.CNAME, wireName('org')), alias],
    })
    assert.equal(others.length, 0)
    assert.equal(set?.rdatas.length, 1)
    assert.equal(set.signatures.length, 2)
  })

  test('[DNSSEC-13] signatures belong to the set of their owner and type alone (RFC 4035 §5.3.1)', () => {
    const [one, two] = sets({
      answer: [mx, rr.a('example.org', '192.0.2.1')],
      authority: [rrsig(RR_TYPE.MX), rrsig(RR_TYPE.MX, undefined, 'a.example.org'), rrsig(99)],
    })
    assert.equal(one?.signatures.length, 1)
    assert.equal(two?.signatures.length, 0)
  })

  test('records of the additional section, of other classes and other types are no part of them', () => {
    const message = read({
      answer: [{ ...mx, class: 3 }, record(99, Buffer.from('another type'))],
      additional: [mx],
    })
    assert.deepEqual(message?.rrsets, [])
  })

  test('a TTL with the top bit set is zero (RFC 2181 §8)', () => {
    const [set] = sets({ answer: [{ ...mx, ttl: 0x80000000 }] })
    assert.equal(set?.ttl, 0)
  })

  test('owners may have any octets', () => {
    const owner = Buffer.from([3, 0x00, 0x2e, 0xff, 0])
    const [set] = sets({ answer: [{ ...mx, owner }] })
    assert.equal(set?.owner, '\u0003\u0000.\u00ff\u0000')
  })
})

describe('the reply', () => {
  test('RCODE, extended errors, time', () => {
    const message = read({ rcode: 2, additional: [rr.opt([[6, 'why']], 1)] })
    assert.equal(message?.rcode, 18)
    assert.equal(message.receivedAt, 1_000)
    assert.deepEqual(message.extendedErrors, [{ code: 6, text: 'why' }])
    assert.equal(message.isStale, false)
  })

  test('a stale answer says so (RFC 8914 §4.4)', () => {
    assert.equal(read({ additional: [rr.opt([[3, '']])] })?.isStale, true)
  })

  test('two OPT records are an error (RFC 6891 §6.1.1)', () => {
    assert.equal(read({ additional: [rr.opt(), rr.opt()] }), undefined)
  })
})

const name = (text: string) => wireName(text)
const NAME = name('Mx.example.org')

describe('[DNSSEC-27] RDATA', () => {
  for (const [title, type, sent, expected] of [
    ['A', RR_TYPE.A, Buffer.alloc(4, 1), 'as sent'],
    ['A of three octets', RR_TYPE.A, Buffer.alloc(3), undefined],
    ['A of five octets', RR_TYPE.A, Buffer.alloc(5), undefined],
    ['AAAA', RR_TYPE.AAAA, Buffer.alloc(16, 1), 'as sent'],
    ['AAAA of 15 octets', RR_TYPE.AAAA, Buffer.alloc(15), undefined],
    ['NS, the letter case as sent', RR_TYPE.NS, NAME, 'as sent'],
    ['NS with a pointer', RR_TYPE.NS, POINTER, name('example.org')],
    [
      'CNAME with labels and a pointer',
      RR_TYPE.CNAME,
      Buffer.concat([Buffer.from([2]), Buffer.from('Mx'), POINTER]),
      NAME,
    ],
    [
      'CNAME with an octet after the name',
      RR_TYPE.CNAME,
      Buffer.concat([NAME, Buffer.alloc(1)]),
      undefined,
    ],
    ['CNAME that overruns', RR_TYPE.CNAME, NAME.subarray(0, -1), undefined],
    ['CNAME of no octets', RR_TYPE.CNAME, Buffer.alloc(0), undefined],
    ['CNAME with half a pointer', RR_TYPE.CNAME, Buffer.from([0xc0]), undefined],
    ['DNAME to the root', RR_TYPE.DNAME, Buffer.alloc(1), 'as sent'],
    ['MX', RR_TYPE.MX, Buffer.concat([u16(1), NAME]), 'as sent'],
    [
      'MX with a pointer',
      RR_TYPE.MX,
      Buffer.concat([u16(1), POINTER]),
      Buffer.concat([u16(1), name('example.org')]),
    ],
    ['MX without a name', RR_TYPE.MX, u16(1), undefined],
    ['MX of one octet', RR_TYPE.MX, Buffer.alloc(1), undefined],
    [
      'MX with an octet after the name',
      RR_TYPE.MX,
      Buffer.concat([u16(1), NAME, Buffer.alloc(1)]),
      undefined,
    ],
    ['SOA', RR_TYPE.SOA, Buffer.concat([NAME, NAME, NUMBERS]), 'as sent'],
    [
      'SOA with pointers',
      RR_TYPE.SOA,
      Buffer.concat([POINTER, POINTER, NUMBERS]),
      Buffer.concat([name('example.org'), name('example.org'), NUMBERS]),
    ],
    [
      'SOA with a number too few',
      RR_TYPE.SOA,
      Buffer.concat([NAME, NAME, NUMBERS.subarray(4)]),
      undefined,
    ],
    [
      'SOA with an octet too many',
      RR_TYPE.SOA,
      Buffer.concat([NAME, NAME, NUMBERS, Buffer.alloc(1)]),
      undefined,
    ],
    ['SOA with one name', RR_TYPE.SOA, Buffer.concat([NAME, NUMBERS]), undefined],
    ['DS without a digest, which no key matches', RR_TYPE.DS, Buffer.alloc(4), 'as sent'],
    ['DS of three octets', RR_TYPE.DS, Buffer.alloc(3), undefined],
    ['DNSKEY without a key, which verifies nothing', RR_TYPE.DNSKEY, Buffer.alloc(4), 'as sent'],
    ['DNSKEY of three octets', RR_TYPE.DNSKEY, Buffer.alloc(3), undefined],
    ['NSEC', RR_TYPE.NSEC, Buffer.concat([NAME, Buffer.from('000101', 'hex')]), 'as sent'],
    ['NSEC that overruns', RR_TYPE.NSEC, NAME.subarray(0, -1), undefined],
    ['NSEC3', RR_TYPE.NSEC3, Buffer.from('0100000a02aabb0111000101', 'hex'), 'as sent'],
    ['NSEC3 without a salt', RR_TYPE.NSEC3, Buffer.from('01000000000111', 'hex'), 'as sent'],
    [
      'NSEC3 with a salt that overruns',
      RR_TYPE.NSEC3,
      Buffer.from('010000000aaabb0111', 'hex'),
      undefined,
    ],
    [
      'NSEC3 with a hash that overruns',
      RR_TYPE.NSEC3,
      Buffer.from('01000000000211', 'hex'),
      undefined,
    ],
    ['NSEC3 with an empty hash', RR_TYPE.NSEC3, Buffer.from('010000000000', 'hex'), undefined],
    ['NSEC3 of four octets', RR_TYPE.NSEC3, Buffer.alloc(4), undefined],
    ['TLSA of any length', RR_TYPE.TLSA, Buffer.alloc(1), 'as sent'],
  ] as const) {
    test(`${title}: ${expected === undefined ? 'the whole reply is malformed' : 'read'}`, () => {
      const message = read({ answer: [mx, record(type, sent, 'x.example.org')] })
      if (expected === undefined) {
        assert.equal(message, undefined)
        return
      }
      const set = message?.rrsets.find(({ owner }) => owner === wire('x.example.org'))
      assert.deepEqual(set?.rdatas, [expected === 'as sent' ? sent : expected])
    })
  }

  for (const [title, rdata] of [
    ['without a signer', rrsig(RR_TYPE.MX).rdata.subarray(0, 18)],
    ['of 17 octets', rrsig(RR_TYPE.MX).rdata.subarray(0, 17)],
    ['of no octets', Buffer.alloc(0)],
    ['with a signer that overruns', rrsig(RR_TYPE.MX).rdata.subarray(0, 25)],
  ] as const) {
    test(`an RRSIG ${title} is malformed`, () => {
      assert.equal(read({ answer: [mx, record(RR_TYPE.RRSIG, rdata)] }), undefined)
    })
  }

  test('an RRSIG without a signature is read, and verifies nothing', () => {
    const rdata = rrsig(RR_TYPE.MX).rdata.subarray(0, 18 + 13)
    const [set] = sets({ answer: [mx, record(RR_TYPE.RRSIG, rdata)] })
    assert.equal(set?.signatures[0]?.signature.length, 0)
  })

  test('what is read does not change with the buffer of the reply', () => {
    const bytes = reply({ question, answer: [mx, rrsig(RR_TYPE.MX)] })
    const message = readSignedReply(bytes, 0)
    const before = JSON.stringify(message)
    bytes.fill(0)
    assert.equal(JSON.stringify(message), before)
  })
})

describe('[DNSSEC-76] limits (CVE-2023-50387, CVE-2024-8508)', () => {
  test('records', () => {
    const answer = Array.from({ length: MOST_RECORDS }, (_, index) =>
      rr.a('example.org', `192.0.${index >> 8}.${index & 255}`),
    )
    assert.equal(sets({ answer })[0]?.rdatas.length, MOST_RECORDS)
    assert.equal(read({ answer, additional: [rr.opt()] }), undefined)
  })

  test('signatures, whatever they cover', () => {
    const answer = Array.from({ length: MOST_SIGNATURES }, () => rrsig(99))
    assert.ok(read({ answer: [mx, ...answer] }))
    assert.equal(read({ answer: [mx, ...answer, rrsig(RR_TYPE.MX)] }), undefined)
  })
})

test('[DNSSEC-79] damaged octets never throw, and nothing is read past the end', () => {
  const bytes = reply({
    question,
    answer: [
      mx,
      rrsig(RR_TYPE.MX),
      record(RR_TYPE.CNAME, Buffer.concat([Buffer.from([1, 0x61]), POINTER]), POINTER),
      record(RR_TYPE.NSEC3, Buffer.from('0100000a02aabb0111000101', 'hex')),
    ],
    authority: [
      record(RR_TYPE.SOA, Buffer.concat([POINTER, POINTER, NUMBERS])),
      rrsig(RR_TYPE.SOA),
    ],
    additional: [rr.opt([[6, 'bogus']])],
  })
  assert.ok(readSignedReply(bytes, 0))
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(readSignedReply(bytes.subarray(0, at), 0), undefined)
    for (let value = 0; value < 256; value += 5) {
      const damaged = Buffer.from(bytes)
      damaged[at] = value
      for (const { rdatas, owner, ttl } of readSignedReply(damaged, 0)?.rrsets ?? []) {
        assert.ok(owner.length <= 255 && ttl < 2 ** 31)
        assert.ok(rdatas.every((rdata) => rdata.length <= 1024))
      }
    }
  }
})
