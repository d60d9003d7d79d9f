/**
 * What a handshake with our options offers and accepts, on real TLS servers:
 * TLSA alone decides, so neither PKIX, a resumed session nor a shared key
 * may replace the certificates.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import { before, describe, test } from 'node:test'
import { connect, createSecureContext } from 'node:tls'
import type { ConnectionOptions, TlsOptions } from 'node:tls'
import { NOON } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { parseDomainName } from '../../src/name.js'
import { handshakeOptions, isAcceptedProtocol, peerChain } from '../../src/session/handshake.js'
import type { Verdict } from '../../src/verdict.js'
import { verify, verifyNothing } from '../../src/verify/verify.js'
import { expectation, tlsaFor, word } from '../support/chains.js'
import { build, ecKeys, pemOf } from '../support/der-builder.js'
import { parseClientHello } from '../support/client-hello.js'
import { family, leafOf } from '../support/mint.js'
import { name } from '../support/names.js'
import { MX } from '../support/shapes.js'
import { handshake, identity, withTlsServer } from '../support/tls.js'

const BASE = name(MX)
let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger } = await family())
})

/** The verdict on a handshake, as in the gate and the command line. */
function verdictOf(
  server: TlsOptions,
  records: readonly string[],
  given: ConnectionOptions = {},
): Promise<Verdict> {
  return withTlsServer(server, (port) =>
    handshake(port, handshakeOptions(given, BASE), (socket) => {
      const chain = peerChain(socket)
      return chain ? verify(expectation(records), chain, NOON.getTime()) : verifyNothing()
    }),
  )
}

describe('what is offered', () => {
  /** The first flight of a client with these options. */
  async function clientHello(
    given: ConnectionOptions,
  ): Promise<ReturnType<typeof parseClientHello>> {
    const server = createTcpServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const socket = connect({ port, host: '127.0.0.1', ...handshakeOptions(given, BASE) })
    socket.on('error', () => undefined)
    try {
      return await new Promise((resolve) => {
        server.on('connection', (peer) =>
          peer.once('data', (bytes) => resolve(parseClientHello(bytes))),
        )
      })
    } finally {
      socket.destroy()
      server.close()
    }
  }

  test('the TLSA base domain as server name, whatever the options say [R7672-8.1-a R7671-7-b R7671-10.2-a]', async () => {
    const { serverName } = await clientHello({ servername: 'other.example' })
    assert.equal(serverName, MX)
  })

  test('a TLS ClientHello, not SSL 2 [R7672-8.1-c]', async () => {
    assert.equal((await clientHello({})).isTlsRecord, true)
  })

  test('no raw public keys [R7671-5.1-b], no SCTs [R7671-4.2-a], no OCSP status [R7672-4-b]', async () => {
    const { extensions } = await clientHello({})
    // client_certificate_type, server_certificate_type; signed_certificate_timestamp; status_request.
    for (const type of [19, 20, 18, 5]) assert.ok(!extensions.includes(type), String(type))
  })

  test('no cipher suite without certificates [R7672-8.2-a]', async () => {
    const { suites } = await clientHello({})
    assert.ok(suites.length > 10)
    assert.deepEqual(suites.filter(isWithoutCertificate), [])
  })

  test('only TLS 1.2 and 1.3, even if older versions are allowed elsewhere [R8996-4/5 R7671-3-a]', async () => {
    for (const minVersion of ['TLSv1', 'TLSv1.1', 'TLSv1.2', undefined] as const) {
      const { versions } = await clientHello(minVersion ? { minVersion } : {})
      assert.deepEqual(versions, [0x0304, 0x0303])
    }
    assert.deepEqual((await clientHello({ minVersion: 'TLSv1.3' })).versions, [0x0304])
  })
})

/** Anonymous Diffie-Hellman and pre-shared keys, by IANA number. */
function isWithoutCertificate(suite: number): boolean {
  const ranges = [
    [0x0017, 0x001b],
    [0x0034, 0x0034],
    [0x003a, 0x003a],
    [0x0046, 0x0046],
    [0x006c, 0x006d],
    [0x0089, 0x0095],
    [0x009b, 0x009b],
    [0x00a6, 0x00b9],
    [0x00bf, 0x00bf],
    [0x00c5, 0x00c5],
    [0xc015, 0xc019],
    [0xc033, 0xc03b],
    [0xd001, 0xd005],
  ] as const
  return ranges.some(([from, to]) => suite >= from && suite <= to)
}

describe('server names (RFC 6066 §3)', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['mx.example.org', 'mx.example.org'],
    ['MX.Example.ORG.', 'mx.example.org'],
    ['b\u00fccher.example', 'xn--bcher-kva.example'],
    ['192.0.2.1', undefined],
    ['2001:db8::1', undefined],
  ]
  for (const [text, wanted] of cases) {
    test(`${text}: ${wanted ?? 'none'} [R7672-8.1-b R6066-3-a R6698-3-b]`, async () => {
      const base = parseDomainName(text)
      if (base === undefined || wanted === undefined) {
        assert.equal(base, wanted)
        return
      }
      let seen: string | undefined
      const server: TlsOptions = {
        ...identity([leaf]),
        SNICallback: (servername, done) => {
          seen = servername
          done(null, createSecureContext(identity([leaf])))
        },
      }
      await withTlsServer(server, (port) =>
        handshake(port, handshakeOptions({}, base), () => undefined),
      )
      assert.equal(seen, wanted)
    })
  }

  test('a server that does not know the name and presents the certificate of the next hop [R7672-8.1-d]', async () => {
    const other = await leafOf(root, { subject: 'CN=example.org', names: ['example.org'] })
    const verdict = await verdictOf(identity([other, root]), [tlsaFor(2, 1, 1, root)])
    assert.equal(word(verdict), 'authenticated at 1')
  })
})

describe('PKIX neither helps nor hurts', () => {
  test('a chain of an unknown CA, and options that require PKIX [DERIVED-tls-i DERIVED-tls-g]', async () => {
    const given = {
      rejectUnauthorized: true,
      ca: [],
      checkServerIdentity: () => assert.fail('asked for PKIX names'),
    }
    const verdict = await verdictOf(identity([leaf]), [tlsaFor(3, 1, 1, leaf)], given)
    assert.equal(word(verdict), 'authenticated at 0')
  })

  test('a chain that PKIX trusts: its names are not checked [DERIVED-tls-i DERIVED-tls-g]', async () => {
    const given = { ca: [root.pem], checkServerIdentity: () => assert.fail('asked for PKIX names') }
    const sent = identity([leaf, intermediate, root])
    const verdict = await verdictOf(sent, [tlsaFor(3, 1, 1, leaf)], given)
    assert.equal(word(verdict), 'authenticated at 0')
  })

  test('a chain that PKIX trusts does not replace TLSA [DERIVED-tls-i R7672-1.3.2-a]', async () => {
    const given = { ca: [root.pem], rejectUnauthorized: true }
    const sent = identity([leaf, intermediate, root])
    const trusted = await withTlsServer(sent, (port) =>
      handshake(port, { servername: MX, ...given }, ({ authorized }) => authorized),
    )
    assert.equal(trusted, true)
    for (const record of [tlsaFor(3, 1, 1, stranger), tlsaFor(2, 1, 1, stranger)]) {
      assert.equal(word(await verdictOf(sent, [record], given)), 'certificate-mismatch')
    }
  })
})

describe('no handshake without certificates passes', () => {
  const suites: readonly (readonly [string, TlsOptions, ConnectionOptions])[] = [
    [
      'anonymous Diffie-Hellman',
      { ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' },
      { ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' },
    ],
    [
      'a pre-shared key',
      {
        ciphers: 'PSK-AES128-GCM-SHA256',
        maxVersion: 'TLSv1.2',
        pskCallback: () => Buffer.alloc(16, 1),
      },
      {
        ciphers: 'PSK-AES128-GCM-SHA256',
        maxVersion: 'TLSv1.2',
        pskCallback: () => ({ identity: 'relay', psk: Buffer.alloc(16, 1) }),
      },
    ],
  ]
  for (const [circumstance, server, given] of suites) {
    test(`${circumstance} [R7672-8.2-a]`, async () => {
      const verdict = await verdictOf(server, [tlsaFor(3, 1, 1, leaf)], given)
      assert.equal(word(verdict), 'no-certificate')
    })
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const fixed = { minVersion: version, maxVersion: version } as const
    test(`${version}: a resumed session has no certificates, so resumption is never offered [DERIVED-tls-f]`, async () => {
      await withTlsServer({ ...identity([leaf]), ...fixed }, async (port) => {
        const unsafe = { ...fixed, rejectUnauthorized: false }
        const session = await handshake(port, unsafe, async (socket) => {
          if (version === 'TLSv1.2') return socket.getSession()
          return new Promise<Buffer>((resolve) => socket.once('session', resolve))
        })
        assert.ok(session)
        const without = await handshake(port, { ...unsafe, session }, (socket) => [
          socket.isSessionReused(),
          peerChain(socket)?.length,
        ])
        assert.deepEqual(without, [true, undefined], 'what would happen')
        const given = handshakeOptions({ ...fixed, session }, BASE)
        const found = await handshake(port, given, (socket) => [
          socket.isSessionReused(),
          peerChain(socket)?.length,
        ])
        assert.deepEqual(found, [false, 1])
      })
    })
  }

  test('TLS 1.1 only: no handshake, and TLS 1.1 is refused even after a handshake [R8996-4/5]', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
    await assert.rejects(
      verdictOf({ ...identity([leaf]), ...old }, [tlsaFor(3, 1, 1, leaf)], {
        ciphers: 'ALL:@SECLEVEL=0',
        minVersion: 'TLSv1',
      }),
      /alert|protocol version/i,
    )
    for (const protocol of ['SSLv3', 'TLSv1', 'TLSv1.1', 'unknown', '']) {
      assert.equal(isAcceptedProtocol(protocol), false, protocol)
    }
    for (const protocol of ['TLSv1.2', 'TLSv1.3']) assert.equal(isAcceptedProtocol(protocol), true)
  })
})

describe('every key type of TLS', () => {
  const kinds = {
    RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    'RSA-PSS': () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
    'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    'P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    Ed25519: () => generateKeyPairSync('ed25519'),
    Ed448: () => generateKeyPairSync('ed448'),
  }
  for (const [kind, generate] of Object.entries(kinds)) {
    test(`${kind} [R7672-3.1.1-a]`, async () => {
      const keys = generate()
      const { der, spki } = build({ keys, signedBy: ecKeys() })
      const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' })
      const verdict = await verdictOf({ key, cert: pemOf(der) }, [tlsaFor(3, 1, 1, { der, spki })])
      assert.equal(word(verdict), 'authenticated at 0')
    })
  }
})
