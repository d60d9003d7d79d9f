/** Detects TLS options with which no handshake can start, and names the culprit. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { withAcceptedVersions } from '../../../src/session/handshake.js'
import { rehearse, throwIfImpossible } from '../../../src/session/rehearsal.js'

const rehearsed = async (options: Readonly<Record<string, unknown>>): Promise<string> => {
  const result = await rehearse(options, withAcceptedVersions)
  return result.kind === 'possible'
    ? result.kind
    : `${result.culprits.join(' or ')}: ${result.detail}`
}

const NODE = Number.parseInt(process.versions.node, 10)

const CASES: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ['none', {}, /^possible$/],
  ["Haraka's own", { no_tls_hosts: [], rejectUnauthorized: true, redis: {} }, /^possible$/],
  ['ciphers that do not exist', { ciphers: 'NO-SUCH' }, /^ciphers: .*no cipher match/],
  [
    'only TLS 1.3 ciphers, without TLS 1.3',
    { ciphers: 'TLS_AES_128_GCM_SHA256', maxVersion: 'TLSv1.2' },
    /^ciphers or maxVersion: .*no ciphers available/,
  ],
  ['a maximum version that is too old', { maxVersion: 'TLSv1.1' }, /^maxVersion: .*no protocols/],
  [
    'versions in the wrong order',
    { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
    /^minVersion or maxVersion: .*no protocols available/,
  ],
  ['a version that does not exist', { maxVersion: 'TLSv9' }, /^maxVersion: .*TLSv9/],
  ['a method of TLS 1.2', { secureProtocol: 'TLSv1_2_method' }, /^possible$/],
  ['a method of old TLS', { secureProtocol: 'TLSv1_method' }, /^possible$/],
  [
    'a method and versions, which Node rejects',
    { secureProtocol: 'TLS_method', minVersion: 'TLSv1.2' },
    /^possible$/,
  ],
  ['a method that does not exist', { secureProtocol: 'none' }, /^secureProtocol: Unknown method/],
  ['a method of servers', { secureProtocol: 'TLS_server_method' }, /^possible$|^secureProtocol: /],
  ['a key without its certificate in PEM', { key: 'x', cert: 'y' }, /: .*no start line/],
  ['signature algorithms that do not exist', { sigalgs: 'none' }, /^sigalgs: /],
  ['a curve that does not exist', { ecdhCurve: 'none' }, /^ecdhCurve: /],
  ['ALPN that is not a list', { ALPNProtocols: 'smtp' }, /^ALPNProtocols: /],
  ['an ALPN name that is too long', { ALPNProtocols: ['x'.repeat(300)] }, /^ALPNProtocols: /],
  // From Node 22 on, an invalid session is ignored.
  ['an invalid session', { session: 'x' }, NODE < 22 ? /^session: / : /^possible$/],
  ['an invalid CRL', { crl: 'x' }, /^crl: /],
  ['a number instead of a string', { sessionIdContext: 5 }, /^sessionIdContext: /],
  ['two bad options', { ciphers: 'NO-SUCH', sigalgs: 'none' }, /^: /],
]

describe('options of a handshake', () => {
  for (const [circumstance, options, wanted] of CASES) {
    test(circumstance, async () => {
      assert.match(await rehearsed(options), wanted)
    })
  }
})

test('throws what tls.connect would throw, and nothing else', () => {
  throwIfImpossible({})
  throwIfImpossible({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' })
  assert.throws(() => {
    throwIfImpossible({ ciphers: 'NO-SUCH' })
  }, /no cipher match/)
})
