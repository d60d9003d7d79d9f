/** The mark by which DANE is not applied to a report: it fits one message and no other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyHash, markKey, openMark, sealMark } from '../../../src/tlsrpt/mail-mark.js'
import { DAY, dkimPair, name } from '../../support/report-samples.js'

const [pair, other] = [dkimPair(), dkimPair()]
const key = markKey(pair.pem)
const mark = {
  day: DAY,
  domain: name('example.com'),
  to: 'reports@example.com',
  nonce: '0123',
  at: 1_772_413_323_000,
  body: bodyHash(Buffer.from('A: b\r\n\r\nHello.\r\n')),
}
const sealed = sealMark(key, mark)

describe('the mark of a report mail', () => {
  test('is accepted after Haraka has kept it as JSON', () => {
    assert.deepEqual(openMark(key, JSON.parse(JSON.stringify(sealed))), mark)
  })

  test('is the same key on every relay that has the DKIM key', () => {
    assert.deepEqual(openMark(markKey(pair.pem), sealed), mark)
  })

  for (const [what, note] of [
    ['another recipient', { ...sealed, to: 'victim@example.net' }],
    ['another body', { ...sealed, body: bodyHash(Buffer.from('\r\n\r\nOther.')) }],
    ['another day', { ...sealed, day: '2026-03-02' }],
    ['another domain', { ...sealed, domain: 'example.net' }],
    ['another nonce', { ...sealed, nonce: '4567' }],
    ['a later time', { ...sealed, at: mark.at + 1 }],
    ['a time as text', { ...sealed, at: String(mark.at) }],
    ['no seal', mark],
    ['an empty seal', { ...sealed, seal: '' }],
    ['a seal of another length', { ...sealed, seal: 'ab' }],
    ['a seal of zeros', { ...sealed, seal: '0'.repeat(64) }],
    ['the seal of another key', sealMark(markKey(other.pem), mark)],
    ['true', true],
    ['text', 'dane_tlsrpt'],
    ['null', null],
    ['undefined', undefined],
    ['an array', [sealed]],
  ] as const) {
    test(`is not accepted: ${what}`, () => {
      assert.equal(openMark(key, note), undefined)
    })
  }

  test('fields of the prototype do not count', () => {
    assert.equal(openMark(key, Object.create({ ...sealed, seal: 'x' })), undefined)
  })

  test('the hash covers the body only: Haraka adds to the header section', () => {
    const raw = 'A: b\r\n\r\nHello.\r\n'
    assert.equal(bodyHash(Buffer.from(`Received: x\r\n${raw}`)), bodyHash(Buffer.from(raw)))
    assert.notEqual(bodyHash(Buffer.from(`${raw}.`)), bodyHash(Buffer.from(raw)))
  })
})
