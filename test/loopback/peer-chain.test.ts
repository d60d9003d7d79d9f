/** The chain as Node hands it out after a real handshake, against the list as sent. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { connect, createServer, rootCertificates } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { mint } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { peerChain } from '../../src/session/handshake.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let noise: Minted

before(async () => {
  root = await mint({ subject: 'CN=root', isCa: true })
  intermediate = await mint({ subject: 'CN=intermediate', isCa: true, issuer: root })
  leaf = await mint({
    subject: 'CN=mx.example.org',
    names: ['mx.example.org'],
    issuer: intermediate,
  })
  noise = await mint({ subject: 'CN=noise', isCa: true })
})

/** Connects once and returns what `look` sees when the handshake is done. */
async function handshake<T>(
  sent: readonly Minted[],
  look: (socket: TLSSocket) => T,
  options: object = {},
  serverOptions: object = {},
): Promise<T> {
  const [first] = sent
  const server = createServer({
    ...(first && { key: first.keyPem, cert: sent.map(({ pem }) => pem).join('\n') }),
    ...serverOptions,
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  try {
    return await new Promise<T>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
      socket.on('error', reject)
      socket.on('secureConnect', () => {
        resolve(look(socket))
        socket.destroy()
      })
    })
  } finally {
    server.close()
  }
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
      const chain = await handshake(sent(), peerChain, { minVersion: version, maxVersion: version })
      assert.deepEqual(
        chain?.map((der) => der.toString('hex')),
        sent().map(({ der }) => der.toString('hex')),
      )
    })
  }

  test(`${version}: a root in Node's own list is not added [DERIVED-tls-h]`, async () => {
    const ca = [...rootCertificates, root.pem]
    const chain = await handshake([leaf, intermediate], peerChain, {
      ca,
      minVersion: version,
      maxVersion: version,
    })
    assert.equal(chain?.length, 2)
  })
}

test('a suite without certificates shows none [R7672-8.2-a]', async () => {
  const anonymous = { ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' }
  const chain = await handshake([], peerChain, anonymous, anonymous)
  assert.equal(chain, undefined)
})

test('a resumed session shows none, so it is never offered [DERIVED-tls-f]', async () => {
  const options = { maxVersion: 'TLSv1.2' } as const
  const server = createServer({ key: leaf.keyPem, cert: leaf.pem, ...options })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const once = (session?: Buffer): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ...options,
        ...(session && { session }),
      })
      socket.on('error', reject)
      socket.on('secureConnect', () => resolve(socket))
    })
  const first = await once()
  const second = await once(first.getSession())
  assert.equal(second.isSessionReused(), true)
  assert.equal(peerChain(second), undefined)
  first.destroy()
  second.destroy()
  server.close()
})
