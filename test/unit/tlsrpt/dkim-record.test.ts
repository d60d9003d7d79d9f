/** Whether a DKIM record lets receivers verify our reports (RFC 6376 §3.6.1, RFC 8460 §3). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkDkimRecord, dkimRecordFor } from '../../../src/tlsrpt/dkim-record.js'
import { dkimPair } from '../../support/report-samples.js'

const { pem, record } = dkimPair()
const p = record.replace(/^.*p=/, 'p=')

describe('the DKIM record of the reports', () => {
  for (const [what, text] of [
    ['as we print it', dkimRecordFor(pem) ?? ''],
    ['without s=: any service', `v=DKIM1; ${p}`],
    ['s=* and blanks', `v = DKIM1 ; s = * ; ${p} ;`],
    ['s= with several services', `v=DKIM1; s=email:tlsrpt; ${p}`],
    ['h= with several hashes', `v=DKIM1; h=sha1:sha256; ${p}`],
    ['blanks in the key', `v=DKIM1; ${p.slice(0, 80)} ${p.slice(80)}`],
  ] as const) {
    test(`fits: ${what}`, () => {
      assert.deepEqual(checkDkimRecord(['v=spf1 -all', text], pem), { kind: 'fits', bits: 2048 })
    })
  }

  for (const [what, records] of [
    ['no record', []],
    ['another TXT record only', ['v=spf1 -all']],
    ['two records', [record, record]],
    ['another key', [dkimPair().record]],
    ['a revoked key', ['v=DKIM1; p=']],
    ['s=email: RFC 8460 §3 wants tlsrpt or *', [`v=DKIM1; s=email; ${p}`]],
    ['h=sha1', [`v=DKIM1; h=sha1; ${p}`]],
    ['k=ed25519', [`v=DKIM1; k=ed25519; ${p}`]],
    ['another version', [`v=DKIM2; ${p}`]],
  ] as const) {
    test(`does not fit: ${what}`, () => {
      assert.equal(checkDkimRecord(records, pem).kind, 'wrong')
    })
  }

  test('a private key that is none has no record', () => {
    assert.equal(dkimRecordFor('no key'), undefined)
    assert.equal(checkDkimRecord([record], 'no key').kind, 'wrong')
  })
})
