/** The chain that Node returns after a real handshake, compared with the list sent. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import type { Minted } from '../../lab/certificates.js'
import { peerChain } from '../../src/session/handshake.js'
import type { PeerChain } from '../../src/verdict.js'
import { BUDGET } from '../../src/verify/budget.js'
import { build, ecKeys, pemOf, seq } from '../support/der-builder.js'
import { family } from '../support/mint.js'
import { handshake, identity, withTlsServer } from '../support/tls.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let noise: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger: noise } = await family())
})

function chainOf(sent: readonly Minted[], options: object): Promise<PeerChain | undefined> {
  return withTlsServer(identity(sent), (port) =>
    handshake(port, { rejectUnauthorized: false, ...options }, peerChain),
  )
}

const lists: readonly (readonly [string, () => readonly Minted[]])[] = [
  ['in order', () => [leaf, intermediate, root]],
  ['the leaf alone', () => [leaf]],
  ['unordered', () => [leaf, root, intermediate]],
  ['padded with noise', () => [leaf, noise, intermediate, noise, root]],
  ['doubled', () => [leaf, intermediate, intermediate, root, root, leaf]],
  ['the root missing', () => [leaf, intermediate]],
]

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [circumstance, sent] of lists) {
    test(`${version}, ${circumstance}: exactly the list as sent [DERIVED-tls-h]`, async () => {
      const chain = await chainOf(sent(), { minVersion: version, maxVersion: version })
      assert.deepEqual(
        chain?.map((der) => der.toString('hex')),
        sent().map(({ der }) => der.toString('hex')),
      )
    })
  }

  test(`${version}: a root in Node's own list is not added [DERIVED-tls-h]`, async () => {
    const ca = [...rootCertificates, root.pem]
    const options = { ca, minVersion: version, maxVersion: version }
    assert.equal((await chainOf([leaf, intermediate], options))?.length, 2)
  })
}

test('a list longer than verify accepts is still too long when truncated [DERIVED-chain-c]', async () => {
  const keys = ecKeys()
  const crowd = Array.from({ length: 220 }, (_, serial) => build({ keys, serial, subject: seq() }))
  const cert = [leaf.pem, ...crowd.map(({ der }) => pemOf(der))].join('\n')
  const chain = await withTlsServer({ key: leaf.keyPem, cert }, (port) =>
    handshake(port, { rejectUnauthorized: false }, peerChain),
  )
  assert.equal(chain?.length, 201)
  assert.ok(chain.length - 1 > BUDGET.certificates)
})
