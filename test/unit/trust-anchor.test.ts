/** Trust anchors: built in, and read from files. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { BUILT_IN_ANCHORS, parseTrustAnchors } from '../../src/trust-anchor.js'
import type { TrustAnchor } from '../../src/trust-anchor.js'
import {
  digestOf,
  isSupportedAlgorithm,
  isSupportedDigest,
  keyTagOf,
} from '../../src/validate/key.js'
import { ROOT } from '../../src/wire-name.js'

const DS = '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D'
/** The root's keys as published; their digests have to be the built-in anchors. */
const KEYS = {
  20326:
    'AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=',
  38696:
    'AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=',
}

function parse(text: string) {
  return parseTrustAnchors(
    text,
    (algorithm, digestType) =>
      isSupportedAlgorithm(algorithm, { sha1: false }) &&
      (digestType === undefined || isSupportedDigest(digestType)),
  )
}

function anchorsIn(text: string): readonly TrustAnchor[] {
  const read = parse(text)
  assert.ok(read.kind === 'anchors', read.kind === 'unreadable' ? read.detail : '')
  return read.anchors
}

function why(text: string): string {
  const read = parse(text)
  return read.kind === 'unreadable' ? read.detail : 'anchors'
}

describe('built in', () => {
  for (const [tag, base64] of Object.entries(KEYS)) {
    test(`the DS of the root's key ${tag}`, () => {
      const [key] = anchorsIn(`. IN DNSKEY 257 3 8 ${base64}`)
      assert.ok(key?.kind === 'dnskey')
      assert.equal(keyTagOf(key.rdata), Number(tag))
      const ds = BUILT_IN_ANCHORS.find(
        (anchor) => anchor.kind === 'ds' && anchor.keyTag === Number(tag),
      )
      assert.ok(ds?.kind === 'ds')
      assert.deepEqual(digestOf(2, ROOT, key.rdata), ds.digest)
      assert.equal(ds.algorithm, 8)
    })
  }

  const debian = '/usr/share/dns/root.ds'
  test('the same as in dns-root-data', { skip: !existsSync(debian) }, () => {
    assert.deepEqual(anchorsIn(readFileSync(debian, 'utf8')), BUILT_IN_ANCHORS)
  })
})

describe('a file', () => {
  const [first] = BUILT_IN_ANCHORS
  const digest = DS.split(' ').at(-1) ?? ''

  for (const [title, text] of [
    ['as Debian has it', DS],
    ['with a TTL', DS.replace('IN', '172800 IN')],
    ['with the TTL after the class', DS.replace('IN', 'IN 172800')],
    ['without a class', DS.replace('IN ', '')],
    ['with comments and empty lines', `; root\n\n${DS} ; the first\n;; end\n`],
    ['in lower case', DS.toLowerCase()],
    ['with a digest in parts', DS.replace('1D39', '1D39 ')],
    [
      'in parentheses',
      `. IN DS 20326 8 2 (\n  ${digest.slice(0, 20)} ; half\n  ${digest.slice(20)}\n)`,
    ],
    ['with CRLF and tabs', `${DS.replaceAll(' ', '\t')}\r\n`],
    ['with a key that is revoked', `${DS}\n. IN DNSKEY 385 3 8 ${KEYS[20326]}`],
    ['with a key that is no zone key', `${DS}\n. IN DNSKEY 1 3 8 ${KEYS[20326]}`],
    ['with an algorithm that is not supported', `${DS}\n. IN DS 1 1 2 ${digest}`],
    ['with SHA-1 next to it', `${DS}\n. IN DS 20326 8 1 ${digest.slice(0, 40)}`],
    ['with a digest of the wrong length', `${DS}\n. IN DS 20326 8 2 ${digest.slice(2)}`],
  ] as const) {
    test(title, () => {
      assert.deepEqual(anchorsIn(text), [first])
    })
  }

  test('as Unbound keeps it', () => {
    const text = `; autotrust trust anchor file\n;;id: . 1\n.\t86400\tIN\tDNSKEY\t257 3 8 ${KEYS[38696]} ;{id = 38696 (ksk), size = 2048b} ;;state=2 [  VALID  ]`
    const [key] = anchorsIn(text)
    assert.ok(key?.kind === 'dnskey')
    assert.equal(keyTagOf(key.rdata), 38696)
  })

  for (const [title, text, expected] of [
    ['empty', '', /no usable/],
    ['comments alone', '; nothing', /no usable/],
    ['revoked keys alone', `. IN DNSKEY 385 3 8 ${KEYS[20326]}`, /no usable/],
    ['SHA-1 alone', `. IN DS 20326 8 1 ${digest.slice(0, 40)}`, /no usable/],
    ['another name', DS.replace('.', 'org.'), /line 1: expected a record of the root/],
    ['another type', `${DS}\n. IN NS a.root.`, /line 2: expected DS or DNSKEY/],
    ['a directive', `$TTL 3600\n${DS}`, /line 1: expected a record of the root/],
    ['half a digit', DS.slice(0, -1), /line 1: expected DS or DNSKEY/],
    ['no digest', '. IN DS 20326 8 2', /line 1: expected DS or DNSKEY/],
    ['a key tag too large', DS.replace('20326', '65536'), /line 1/],
    ['a negative number', DS.replace('20326', '-1'), /line 1/],
    ['bad base64', `. IN DNSKEY 257 3 8 ${KEYS[20326].slice(1)}`, /line 1: expected DS or DNSKEY/],
    ['a file of another kind', '<TrustAnchor id="x">', /line 1: expected a record of the root/],
    ['a very long file', ';'.repeat(200_001), /too long/],
  ] as const) {
    test(`${title} is refused`, () => {
      assert.match(why(text), expected)
    })
  }
})
