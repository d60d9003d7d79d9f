/** Whether the trust anchors still fit the keys of the root. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeAnchors } from '../../../src/cli/check/anchors.js'
import type { TrustAnchor } from '../../../src/trust-anchor.js'
import { ROOT } from '../../../src/wire-name.js'
import { dsOf, newSigner } from '../../support/signed-records.js'
import type { Signer } from '../../support/signed-records.js'

const [one, two, next] = [newSigner(13), newSigner(13), newSigner(13)]
const zoneKey = newSigner(13, { flags: 0x0100 })
const revoked = newSigner(13, { flags: 0x0181 })

function ds(signer: Signer): TrustAnchor {
  const rdata = dsOf(ROOT, signer)
  const { keyTag, algorithm } = signer
  return { kind: 'ds', owner: ROOT, keyTag, algorithm, digestType: 2, digest: rdata.subarray(4) }
}

const asKey: TrustAnchor = { kind: 'dnskey', owner: ROOT, rdata: two.rdata }

for (const [title, anchors, keys, level, words] of [
  ['all known', [ds(one), asKey], [one, two, zoneKey], 'ok', /know all keys/],
  ['a new key', [ds(one), asKey], [one, two, next], 'warning', /that no trust anchor knows/],
  ['the old key and a new one', [ds(one)], [one, next], 'warning', /that no trust anchor knows/],
  ['one left', [ds(one), asKey], [one, zoneKey], 'warning', /know one key of the root/],
  [
    'one left, the other revoked',
    [ds(one), ds(revoked)],
    [one, revoked],
    'warning',
    /know one key/,
  ],
  ['none', [ds(one)], [two, zoneKey], 'problem', /no trust anchor fits/],
  ['no keys', [ds(one)], [], 'problem', /no trust anchor fits/],
] as const) {
  test(`keys of the root: ${title}`, () => {
    const finding = judgeAnchors(
      anchors,
      keys.map(({ rdata }) => rdata),
    )
    assert.equal(finding.level, level)
    assert.match(finding.text, words)
    assert.equal(finding.todo === undefined, level === 'ok')
  })
}
