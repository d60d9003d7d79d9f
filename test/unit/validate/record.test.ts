/** Records read from RDATA are the same as those of dns/message.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMessage } from '../../../src/dns/message.js'
import { readSignedReply } from '../../../src/dns/signed-reply.js'
import type { RecordType } from '../../../src/lookup.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import { readRecord, textName } from '../../../src/validate/record.js'
import { reply, rr, TYPE, u16, wireName } from '../../support/dns-message.js'
import type { Rr } from '../../support/dns-message.js'
import { wire } from '../../support/signed-records.js'

const aaaa = (hex: string): Rr => ({
  owner: 'a.org',
  type: TYPE.AAAA,
  rdata: Buffer.from(hex.padStart(32, '0'), 'hex'),
})
const mx = (exchange: string): Rr => ({
  owner: 'a.org',
  type: TYPE.MX,
  rdata: Buffer.concat([u16(65535), wireName(exchange)]),
})

for (const [circumstance, type, record] of [
  ['an address', 'A', rr.a('a.org', '192.0.2.1')],
  ['an IPv6 address', 'AAAA', aaaa('20010db8000000000000000000000001')],
  ['the IPv6 address ::', 'AAAA', aaaa('0')],
  ['an IPv4 address in an IPv6 address', 'AAAA', aaaa('ffffc0000201')],
  ['an IPv6 address without zeros', 'AAAA', aaaa('20010db8000100020003000400050006')],
  ['an MX', 'MX', rr.mx('a.org', 10, 'Mail.Example.ORG')],
  ['a null MX (RFC 7505)', 'MX', mx('.')],
  ['an MX with a dot in a label', 'MX', mx('a\\.b.org')],
  ['an MX with an octet that is no text', 'MX', mx('a\u00c8b.org')],
  ['a CNAME', 'CNAME', rr.cname('a.org', 'Target.Example.org')],
  ['a DNAME', 'DNAME', rr.dname('a.org', 'Target.Example.org')],
  ['a DNAME to the root', 'DNAME', rr.dname('a.org', '.')],
  ['a TLSA', 'TLSA', rr.tlsa('a.org', '03 01 01 aa')],
  ['a TLSA that is too short', 'TLSA', rr.tlsa('a.org', '03')],
] satisfies [string, RecordType, Rr][]) {
  test(circumstance, () => {
    const bytes = reply({ question: { name: 'a.org', type: TYPE[type] }, answer: [record] })
    const expected = parseMessage(bytes)?.answers[0]?.record
    const rdata = readSignedReply(bytes, 0)?.rrsets[0]?.rdatas[0]
    assert.ok(expected && rdata)
    assert.deepEqual(readRecord(type, rdata), expected)
  })
}

for (const [circumstance, type, rdata] of [
  ['a CNAME to the root', 'CNAME', wireName('.')],
  ['a CNAME with a dot in a label', 'CNAME', wireName('a\\.b.org')],
  ['a CNAME with an octet that is no text', 'CNAME', wireName('a\u0007.org')],
  ['a DNAME with an octet that is no text', 'DNAME', wireName('a\u0007.org')],
] as const) {
  test(`${circumstance} is none`, () => {
    assert.equal(readRecord(type, rdata), undefined)
    const answer = [{ owner: 'a.org', type: RR_TYPE[type], rdata }]
    assert.equal(parseMessage(reply({ question: { name: 'a.org', type: 5 }, answer })), undefined)
  })
}

test('a name is text only if its labels have one reading', () => {
  assert.equal(textName(wire('.')), '.')
  assert.equal(textName(wire('a.B.org')), 'a.b.org')
  assert.equal(textName(wire('a\\.b.org')), undefined)
  assert.equal(textName(wire('a\\b.org')), undefined)
})
