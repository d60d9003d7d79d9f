import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answersQuestion, composeQuery, mixCase } from '../../../src/dns/query.js'
import { ANSWERED, FLAG, reply, rr, TYPE, u16, wireName } from '../../support/dns-message.js'
import type { Reply } from '../../support/dns-message.js'
import { name } from '../../support/names.js'

const owner = '_25._tcp.mx.example.org'
const spelling = '_25._tCp.Mx.eXamPle.Org'
const asked = { id: 0xbeef, spelling, type: 'TLSA' } as const
const question = { name: spelling, type: TYPE.TLSA }
const good: Reply = { id: asked.id, question, answer: [rr.tlsa(owner, `030101${'ab'.repeat(32)}`)] }

const FLAGS_AT = 2
/** OPT: root, type 41, 1232 octets, DO set, options of that many octets (RFC 6891 §6.1.2). */
const opt = (octets: number): Buffer =>
  Buffer.concat([Buffer.from('00002904d000008000', 'hex'), u16(octets)])

test('a query sets DO, and leaves AD and CD clear (RFC 6840 §5.8, RFC 4035 §4.6, §4.9.2) [R4035-4.9.2-a R6840-5.7-a R4035-4.1-a]', () => {
  const query = composeQuery(asked)
  assert.equal(query.readUInt16BE(0), 0xbeef)
  const flags = query.readUInt16BE(FLAGS_AT)
  assert.equal(flags & 0x8000, 0, 'QR')
  assert.equal(flags & 0x0100, 0x0100, 'RD')
  assert.equal(flags & FLAG.AD, 0, 'AD')
  assert.equal(flags & FLAG.CD, 0, 'CD')
  assert.deepEqual(
    query.subarray(12),
    Buffer.concat([wireName(spelling), u16(TYPE.TLSA), u16(1), opt(0)]),
  )
})

test('a diagnostic query sets CD in addition', () => {
  const checked = composeQuery(asked)
  const unchecked = composeQuery({ ...asked, isUnchecked: true })
  assert.equal(unchecked.readUInt16BE(FLAGS_AT), checked.readUInt16BE(FLAGS_AT) | FLAG.CD)
  assert.deepEqual(unchecked.subarray(4), checked.subarray(4))
})

test('a probe of the root', () => {
  const query = composeQuery({ id: 1, spelling: '.', type: 'SOA' })
  assert.deepEqual(
    query.subarray(12),
    Buffer.concat([Buffer.from([0]), u16(TYPE.SOA), u16(1), opt(0)]),
  )
})

test('padded queries have the same length (RFC 8467 §4.1)', () => {
  for (const label of ['a', 'abc', 'a'.repeat(40)]) {
    const query = composeQuery({ ...asked, spelling: `${label}.example`, isPadded: true })
    assert.equal(query.length, 128)
  }
  const long = composeQuery({ ...asked, spelling: `${'a'.repeat(60)}.`.repeat(3), isPadded: true })
  assert.equal(long.length, 256)
})

test('the case of letters is random (0x20)', () => {
  const domain = name('_25._tcp.mx-1.example.org')
  assert.equal(mixCase(domain, Buffer.alloc(32)), domain)
  assert.equal(mixCase(domain, Buffer.alloc(32, 0xff)), domain.toUpperCase())
  assert.equal(mixCase(domain, Buffer.alloc(32, 0xaa)), '_25._TcP.Mx-1.eXaMpLe.oRg')
  const longest = name(Array.from({ length: 4 }, () => 'a'.repeat(62)).join('.'))
  assert.equal(mixCase(longest, Buffer.alloc(32, 0xff)), longest.toUpperCase())
})

const matching: readonly (readonly [string, Buffer, boolean])[] = [
  ['the reply', reply(good), true],
  [
    'the name in different case (0x20)',
    reply({ ...good, question: { ...question, name: owner } }),
    false,
  ],
  ['another id', reply({ ...good, id: 2 }), false],
  ['a query', reply({ ...good, flags: 0x0100 }), false],
  ['another opcode', reply({ ...good, flags: ANSWERED | 0x2000 }), false],
  [
    'another name',
    reply({ ...good, question: { ...question, name: spelling.replace('Org', 'Net') } }),
    false,
  ],
  ['a longer name', reply({ ...good, question: { ...question, name: `x.${spelling}` } }), false],
  ['another type', reply({ ...good, question: { ...question, type: TYPE.A } }), false],
  ['another class', reply({ ...good, question: { ...question, class: 3 } }), false],
  ['no question', reply({ answer: [] }), false],
  ['only the header', reply(good).subarray(0, 12), false],
  ['a truncated question', reply(good).subarray(0, 20), false],
  ['nothing', Buffer.alloc(0), false],
]

for (const [circumstance, bytes, wanted] of matching) {
  test(`whether a datagram answers the query: ${circumstance} (RFC 5452 §9.1) [DERIVED-dns-b]`, () => {
    assert.equal(answersQuestion(bytes, asked), wanted)
  })
}
