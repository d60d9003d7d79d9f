import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMessage } from '../../../src/dns/message.js'
import {
  ANSWERED,
  FLAG,
  option,
  reply,
  rr,
  TYPE,
  u16,
  wireName,
  wireRr,
} from '../../support/dns-message.js'
import type { Reply } from '../../support/dns-message.js'

const owner = '_25._tcp.mx.example.org'
const question = { name: owner, type: TYPE.TLSA }
const digest = `030101${'ab'.repeat(32)}`
const good: Reply = { question, answer: [rr.tlsa(owner, digest)] }

test('records of all supported types', () => {
  const message = parseMessage(
    reply({
      question,
      flags: ANSWERED | FLAG.AD,
      answer: [
        rr.tlsa(owner, digest, 60),
        rr.a('a.example.org', '192.0.2.1'),
        {
          owner: 'a.example.org',
          type: TYPE.AAAA,
          rdata: Buffer.from('20010db8000000000000000000000001', 'hex'),
        },
        rr.mx('example.org', 10, 'MX.example.org'),
        rr.mx('example.org', 0, '.'),
        rr.cname('b.example.org', 'c.example.org'),
      ],
    }),
  )
  assert.equal(message?.authenticData, true)
  assert.deepEqual(
    message.answers.map(({ record }) => record),
    [
      { type: 'TLSA', rdata: Buffer.from(digest, 'hex') },
      { type: 'A', address: '192.0.2.1' },
      { type: 'AAAA', address: '2001:db8::1' },
      { type: 'MX', preference: 10, exchange: { kind: 'host', name: 'mx.example.org' } },
      { type: 'MX', preference: 0, exchange: { kind: 'root' } },
      { type: 'CNAME', target: 'c.example.org' },
    ],
  )
  assert.equal(message.answers[0]?.ttl, 60)
})

test('the strings of a TXT record are joined with nothing between (RFC 8460 §3)', () => {
  const strings = (...parts: readonly string[]): Buffer =>
    Buffer.concat(
      parts.flatMap((part) => [Buffer.from([part.length]), Buffer.from(part, 'latin1')]),
    )
  const cases: readonly (readonly [Buffer, string])[] = [
    [
      strings('v=TLSRPTv1;', 'rua=mail', '', 'to:a@example.org'),
      'v=TLSRPTv1;rua=mailto:a@example.org',
    ],
    [strings('\xff\0'), '\xff\0'],
    [strings('x'.repeat(255), 'y'), `${'x'.repeat(255)}y`],
    // Malformed: says nothing, and the rest of the message is used.
    [Buffer.alloc(0), ''],
    [Buffer.from('0561', 'hex'), ''],
    [Buffer.from('016105', 'hex'), ''],
  ]
  for (const [rdata, text] of cases) {
    const txt = { owner, type: TYPE.TXT, rdata }
    const message = parseMessage(reply({ question, answer: [txt, rr.tlsa(owner, digest)] }))
    assert.deepEqual(
      message?.answers.map(({ record }) => record),
      [
        { type: 'TXT', text },
        { type: 'TLSA', rdata: Buffer.from(digest, 'hex') },
      ],
    )
  }
})

test('RRSIG, NSEC and unknown types between the records are skipped (RFC 4035 §4.9) [R4035-4.9-a]', () => {
  const noise = [TYPE.RRSIG, TYPE.NSEC, 65_280].map((type) => ({
    owner,
    type,
    rdata: Buffer.from('00'.repeat(3), 'hex'),
  }))
  const message = parseMessage(
    reply({ question, answer: [...noise, rr.tlsa(owner, digest), ...noise] }),
  )
  assert.equal(message?.answers.length, 1)
})

test('records of another class are ignored [DERIVED-dns-c]', () => {
  const chaos = { ...rr.tlsa(owner, digest), class: 3 }
  assert.deepEqual(parseMessage(reply({ question, answer: [chaos] }))?.answers, [])
})

test('records in the authority and additional sections are ignored', () => {
  const record = rr.tlsa(owner, digest)
  const message = parseMessage(reply({ question, authority: [record], additional: [record] }))
  assert.deepEqual(message?.answers, [])
})

test('TLSA RDATA of any length is accepted', () => {
  for (const hex of ['', '03', '0301', '030101', 'ff'.repeat(300)]) {
    const message = parseMessage(reply({ question, answer: [rr.tlsa(owner, hex)] }))
    assert.deepEqual(message?.answers[0]?.record, { type: 'TLSA', rdata: Buffer.from(hex, 'hex') })
  }
})

test('an exchange with unusual octets makes its record unusable, not the message malformed', () => {
  for (const exchange of ['mx\\.a.example.org', 'mx\u0007.example.org', 'm\u00fcx.example.org']) {
    const message = parseMessage(reply({ question, answer: [rr.mx('example.org', 1, exchange)] }))
    assert.deepEqual(message?.answers[0]?.record, {
      type: 'MX',
      preference: 1,
      exchange: { kind: 'unusable' },
    })
  }
})

test('the RCODE has twelve bits (RFC 6891 §6.1.3) [R6891-6.1.3]', () => {
  assert.equal(parseMessage(reply({ question, additional: [rr.opt([], 1)] }))?.rcode, 16)
  assert.equal(parseMessage(reply({ question, rcode: 7, additional: [rr.opt([], 1)] }))?.rcode, 23)
  assert.equal(parseMessage(reply({ question, rcode: 3 }))?.rcode, 3)
})

test('extended errors: several, with and without NUL, in any message (RFC 8914 §2, §3) [R8914-2-a R8914-3-b R8914-3-c]', () => {
  const errors = [
    [9, 'no DNSKEY\0'],
    [7, ''],
    [22, Buffer.from([0xff, 0x0a, 0x1b])],
  ] as const
  assert.deepEqual(
    parseMessage(reply({ question, additional: [rr.opt(errors)] }))?.extendedErrors,
    [
      { code: 9, text: 'no DNSKEY' },
      { code: 7, text: '' },
      { code: 22, text: '???' },
    ],
  )
})

test('extended errors are bounded in number and length [R8914-2-a]', () => {
  const errors = Array.from({ length: 100 }, () => [6, 'x'.repeat(500)] as const)
  const found =
    parseMessage(reply({ question, additional: [rr.opt(errors)] }))?.extendedErrors ?? []
  assert.equal(found.length, 4)
  assert.ok(found.every(({ text }) => text.length < 220))
})

test('negative TTL: the lesser of SOA TTL and MINIMUM (RFC 2308 §5) [R2308-7.1-a]', () => {
  const ttl = (minimum: number, own: number): number | undefined =>
    parseMessage(reply({ question, authority: [rr.soa('example.org', minimum, own)] }))?.soas[0]
      ?.negativeTtl
  assert.equal(ttl(60, 3600), 60)
  assert.equal(ttl(3600, 60), 60)
  assert.equal(ttl(0xffffffff, 60), 0, 'RFC 2181 §8')
})

test('a TTL with the top bit set counts as zero (RFC 2181 §8) [R2181-8-a]', () => {
  const message = parseMessage(reply({ question, answer: [rr.tlsa(owner, digest, 0x80000000)] }))
  assert.equal(message?.answers[0]?.ttl, 0)
})

test('the authority section is summarized: owner of the SOA, and whether it has NS records', () => {
  const message = parseMessage(
    reply({
      question,
      authority: [
        rr.ns('example.org', 'ns.example.org'),
        rr.soa('Example.org', 60),
        rr.soa('.', 30),
      ],
    }),
  )
  assert.equal(message?.hasNs, true)
  assert.deepEqual(message.soas, [
    { owner: 'example.org', isRoot: false, negativeTtl: 60 },
    { owner: undefined, isRoot: true, negativeTtl: 30 },
  ])
})

test('every type present is noted, in any class, with the types covered by signatures', () => {
  const rrsig = { owner, type: TYPE.RRSIG, rdata: u16(TYPE.TLSA) }
  const chaos = { ...rr.a(owner, '192.0.2.1'), class: 3 }
  const message = parseMessage(
    reply({
      question,
      answer: [rrsig],
      authority: [chaos],
      additional: [rr.mx(owner, 1, 'mx.example.org')],
    }),
  )
  assert.deepEqual([...(message?.present ?? [])].sort(), [TYPE.A, TYPE.TLSA])
})

test('a message with too many records is refused', () => {
  const many = (count: number): Buffer =>
    reply({ question, answer: Array.from({ length: count }, () => rr.a(owner, '192.0.2.1')) })
  assert.equal(parseMessage(many(512))?.answers.length, 512)
  assert.equal(parseMessage(many(513)), undefined)
})

const pointer = (target: number): Buffer => u16(0xc000 + target)

/** A TLSA record with these bytes as its owner. */
const ownedBy = (bytes: Buffer): Buffer =>
  reply({
    question,
    answer: [{ owner: bytes, type: TYPE.TLSA, rdata: Buffer.from(digest, 'hex') }],
  })

test('compressed names (RFC 1035 §4.1.4)', () => {
  const message = parseMessage(ownedBy(pointer(12)))
  assert.equal(message?.answers[0]?.owner, owner)
})

const answerStart = 12 + wireName(owner).length + 4

const broken: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['half a header', reply(good).subarray(0, 11)],
  ['an octet missing', reply(good).subarray(0, -1)],
  ['an octet too many', Buffer.concat([reply(good), Buffer.from([0])])],
  ['a count too high', Buffer.from(reply(good)).fill(2, 7, 8)],
  ['a count too low', Buffer.from(reply(good)).fill(0, 7, 8)],
  ['two questions', Buffer.from(reply(good)).fill(2, 5, 6)],
  [
    'RDATA longer than the message',
    (() => {
      const bytes = Buffer.from(reply(good))
      bytes.writeUInt16BE(0xffff, answerStart + wireName(owner).length + 8)
      return bytes
    })(),
  ],
  ['a pointer to itself', ownedBy(pointer(answerStart))],
  ['a pointer forward', ownedBy(pointer(answerStart + 20))],
  ['a pointer past the end', ownedBy(pointer(0x3fff))],
  ['a pointer into the header', ownedBy(pointer(4))],
  ['half a pointer', Buffer.concat([reply(good).subarray(0, answerStart), Buffer.from([0xc0])])],
  ['a reserved label type', ownedBy(Buffer.from([0x40, 0x61, 0]))],
  [
    'a name of 256 octets',
    ownedBy(wireName(['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(63)].join('.'))),
  ],
  [
    'an A record of five octets',
    reply({ question, answer: [{ owner, type: TYPE.A, rdata: Buffer.alloc(5) }] }),
  ],
  [
    'an A record of nothing',
    reply({ question, answer: [{ owner, type: TYPE.A, rdata: Buffer.alloc(0) }] }),
  ],
  [
    'an AAAA record of four octets',
    reply({ question, answer: [{ owner, type: TYPE.AAAA, rdata: Buffer.alloc(4) }] }),
  ],
  [
    'an MX record without exchange',
    reply({ question, answer: [{ owner, type: TYPE.MX, rdata: u16(10) }] }),
  ],
  [
    'an MX record with a trailing octet',
    reply({
      question,
      answer: [
        { owner, type: TYPE.MX, rdata: Buffer.concat([u16(1), wireName('a.b'), Buffer.from([0])]) },
      ],
    }),
  ],
  [
    'an MX name that runs past its RDATA',
    Buffer.concat([
      reply({ question, answer: [{ owner, type: TYPE.MX, rdata: Buffer.from([0, 1, 3, 0x61]) }] }),
      Buffer.from([0x62, 0x63, 0]),
    ]),
  ],
  [
    'a CNAME of nothing',
    reply({ question, answer: [{ owner, type: TYPE.CNAME, rdata: Buffer.alloc(0) }] }),
  ],
  [
    'a CNAME with a trailing octet',
    reply({ question, answer: [{ owner, type: TYPE.CNAME, rdata: Buffer.from([0, 0]) }] }),
  ],
  ['a CNAME to the root', reply({ question, answer: [rr.cname(owner, '.')] })],
  [
    'a CNAME to an unusable name',
    reply({ question, answer: [rr.cname(owner, 'a\\.b.example.org')] }),
  ],
  [
    'a truncated SOA',
    reply({
      question,
      authority: [
        { ...rr.soa('example.org', 60), rdata: rr.soa('example.org', 60).rdata.subarray(0, -4) },
      ],
    }),
  ],
  ['two OPT records (RFC 6891 §6.1.1)', reply({ question, additional: [rr.opt(), rr.opt()] })],
  [
    'an option longer than OPT',
    reply({
      question,
      additional: [{ ...rr.opt(), rdata: option(15, Buffer.alloc(4)).subarray(0, -1) }],
    }),
  ],
  ['half an option', reply({ question, additional: [{ ...rr.opt(), rdata: Buffer.alloc(3) }] })],
]

for (const [circumstance, bytes] of broken) {
  test(`refused: ${circumstance} [DERIVED-dns-d]`, () => {
    assert.equal(parseMessage(bytes), undefined)
  })
}

test('a broken record makes the whole message malformed, including the good record before it', () => {
  const bytes = reply({
    question,
    answer: [rr.tlsa(owner, digest), { owner, type: TYPE.A, rdata: Buffer.alloc(3) }],
  })
  assert.equal(parseMessage(bytes), undefined)
})

test('the longest names in the longest message are refused quickly [DERIVED-dns-d]', () => {
  const labels = Array.from({ length: 126 }, () => 'a').join('.')
  const small = wireRr({ owner: pointer(12), type: TYPE.A, rdata: Buffer.from([192, 0, 2, 1]) })
  const head = reply({ question: { name: labels, type: TYPE.A } })
  const count = Math.floor((65_535 - head.length) / small.length)
  head.writeUInt16BE(count, 6)
  const bytes = Buffer.concat([head, ...Array.from({ length: count }, () => small)])
  assert.ok(count > 4000)
  assert.equal(parseMessage(bytes), undefined)
})
