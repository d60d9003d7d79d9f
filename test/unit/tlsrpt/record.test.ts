/** RFC 8460 §3: which TXT records at `_smtp._tls` ask for reports, and where to. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_URIS, parseRecords, recordName } from '../../../src/tlsrpt/record.js'
import type { ReportUri } from '../../../src/tlsrpt/record.js'
import { name } from '../../support/names.js'

const A: ReportUri = { kind: 'mailto', address: 'a@example.org' }
const B: ReportUri = { kind: 'https', url: 'https://report.example.org/tls' }
const V = 'v=TLSRPTv1;'
const LONG = 'x'.repeat(990)

/** What is published, each string a record; what is understood, nothing for no record. */
const cases: readonly (readonly [string, readonly string[], readonly ReportUri[]])[] = [
  ['the example of the RFC', ['v=TLSRPTv1;rua=mailto:a@example.org'], [A]],
  ['an https URI', ['v=TLSRPTv1; rua=https://report.example.org/tls'], [B]],
  ['a semicolon at the end', [`${V} rua=mailto:a@example.org;`], [A]],
  ['a semicolon and blanks at the end', [`${V} rua=mailto:a@example.org ; `], [A]],
  [
    'blanks and tabs around ; and ,',
    [`v=TLSRPTv1 \t; rua=mailto:a@example.org \t, https://report.example.org/tls`],
    [A, B],
  ],
  ['two URIs', [`${V}rua=mailto:a@example.org,https://report.example.org/tls`], [A, B]],
  ['one URI twice', [`${V}rua=mailto:a@example.org,mailto:a@EXAMPLE.org`], [A]],
  ['a field that is not known, after rua', [`${V}rua=mailto:a@example.org;x=1`], [A]],
  ['a field that is not known, before rua', [`${V}x.y_z-1=a,b!c;rua=mailto:a@example.org`], [A]],
  ['a field with an empty value', [`${V}x=;rua=mailto:a@example.org`], [A]],
  ['a field without =', [`${V}rua=mailto:a@example.org;hello`], []],
  ['an empty field between', [`${V};rua=mailto:a@example.org`], []],
  ['no rua', [V], []],
  ['an empty rua', [`${V}rua=`], []],
  ['rua in another case', [`${V}RUA=mailto:a@example.org`], []],
  ['two fields rua', [`${V}rua=mailto:a@example.org;rua=mailto:b@example.org`], []],
  ['blanks before =', [`${V}rua =mailto:a@example.org`], []],
  ['the version in another case', ['v=tlsrptv1;rua=mailto:a@example.org'], []],
  ['another version', ['v=TLSRPTv2;rua=mailto:a@example.org'], []],
  ['a version that goes on', ['v=TLSRPTv10;rua=mailto:a@example.org'], []],
  ['blanks before the version', [` ${V}rua=mailto:a@example.org`], []],
  ['blanks around = of the version', ['v = TLSRPTv1;rua=mailto:a@example.org'], []],
  ['the version last', ['rua=mailto:a@example.org;v=TLSRPTv1;'], []],
  ['no semicolon after the version', ['v=TLSRPTv1 rua=mailto:a@example.org'], []],
  ['two records', [`${V}rua=mailto:a@example.org`, `${V}rua=mailto:b@example.org`], []],
  ['two equal records', [`${V}rua=mailto:a@example.org`, `${V}rua=mailto:a@example.org`], []],
  ['a second record that is broken', [`${V}rua=mailto:a@example.org`, V], []],
  [
    'a record of another protocol next to it',
    ['v=spf1 -all', `${V}rua=mailto:a@example.org`, ''],
    [A],
  ],
  ['only records of other protocols', ['v=spf1 -all', 'v=DMARC1; rua=mailto:a@example.org'], []],
  ['no record', [], []],
  ['a size as DMARC has it', [`${V}rua=mailto:a@example.org!10m`], []],
  ['a size on one of two', [`${V}rua=mailto:b@example.org!10m,mailto:a@example.org`], [A]],
  [
    'an encoded !',
    [`${V}rua=mailto:a%21b@example.org`],
    [{ kind: 'mailto', address: 'a!b@example.org' }],
  ],
  ['an encoded comma, which no plain local part has', [`${V}rua=mailto:a%2Cb@example.org`], []],
  [
    'an encoded comma of a URL',
    [`${V}rua=https://example.org/a%2Cb%3Bc`],
    [{ kind: 'https', url: 'https://example.org/a%2Cb%3Bc' }],
  ],
  ['schemes in capitals', [`${V}rua=MAILTO:a@example.org,HTTPS://report.example.org/tls`], [A, B]],
  ['a scheme that is not known, first', [`${V}rua=ftp://example.org/,mailto:a@example.org`], [A]],
  ['http', [`${V}rua=http://example.org/`], []],
  ['no scheme', [`${V}rua=a@example.org`], []],
  ['a script', [`${V}rua=javascript:alert(1)`], []],
  ['headers in mailto', [`${V}rua=mailto:a@example.org?subject=x&cc=b@example.org`], [A]],
  ['two recipients', [`${V}rua=mailto:a@example.org%2Cb@example.org`], []],
  ['a recipient with CRLF', [`${V}rua=mailto:a@example.org%0D%0ABcc:%20b@example.org`], []],
  ['a recipient with NUL', [`${V}rua=mailto:a%00@example.org`], []],
  ['a raw CRLF', [`${V}rua=mailto:a@example.org\r\nBcc: b@example.org`], []],
  ['a raw control in a URL', [`${V}rua=https://example.org/\u001b[31m`], []],
  ['broken percent-encoding', [`${V}rua=mailto:a%zz@example.org`], []],
  ['a quoted local part', [`${V}rua=mailto:%22a%20b%22@example.org`], []],
  ['an address literal', [`${V}rua=mailto:a@[192.0.2.1]`], []],
  ['no local part', [`${V}rua=mailto:@example.org`], []],
  ['two dots', [`${V}rua=mailto:a..b@example.org`], []],
  ['a local part of 65', [`${V}rua=mailto:${'x'.repeat(65)}@example.org`], []],
  ['mailto://', [`${V}rua=mailto://a@example.org`], []],
  ['credentials in a URL', [`${V}rua=https://user:secret@example.org/`], []],
  ['a URL without a host', [`${V}rua=https:///path`], []],
  ['a relative URL', [`${V}rua=https:path`], []],
  ['a fragment', [`${V}rua=https://report.example.org/tls#x`], [B]],
  ['a URL with a backslash', [`${V}rua=https://report.example.org\\tls`], [B]],
  ['a URI of more than 1,000', [`${V}rua=https://example.org/${LONG}`], []],
  ['octets beyond ASCII', [`${V}rua=mailto:\u00fc@example.org`], []],
  ['a record of more than 8,192', [`${V}rua=mailto:a@example.org;x=${'y'.repeat(8192)}`], []],
]

describe('RFC 8460 §3', () => {
  for (const [what, texts, rua] of cases) {
    test(what, () => {
      assert.deepEqual(parseRecords(texts)?.rua ?? [], rua)
    })
  }

  test('a hundred URIs: the first are used', () => {
    const uris = Array.from({ length: 100 }, (_, index) => `mailto:a${index}@example.org`)
    const rua = parseRecords([`${V}rua=${uris.join(',')}`])?.rua ?? []
    assert.equal(rua.length, MAX_URIS)
    assert.deepEqual(rua[0], { kind: 'mailto', address: 'a0@example.org' })
  })

  test('the name that is asked', () => {
    assert.equal(recordName(name('Example.ORG')), '_smtp._tls.example.org')
    assert.equal(recordName(name(`${'a.'.repeat(123)}example`)), undefined)
  })
})
