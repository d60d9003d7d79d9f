/** TLS versions in a handshake, whatever tls.ini allows (RFC 8996). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { withAcceptedVersions } from '../../../src/session/handshake.js'

const cases: readonly (readonly [string, ConnectionOptions, ConnectionOptions])[] = [
  ['nothing', {}, { minVersion: 'TLSv1.2' }],
  ['older versions', { minVersion: 'TLSv1' }, { minVersion: 'TLSv1.2' }],
  ['TLS 1.3 alone', { minVersion: 'TLSv1.3' }, { minVersion: 'TLSv1.3' }],
  [
    'a maximum version',
    { maxVersion: 'TLSv1.2', ciphers: 'A' },
    { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'A' },
  ],
  ['any method', { secureProtocol: 'TLS_method' }, { minVersion: 'TLSv1.2' }],
  ['its old name', { secureProtocol: 'SSLv23_client_method' }, { minVersion: 'TLSv1.2' }],
  ['a method of old TLS', { secureProtocol: 'TLSv1_1_method' }, { minVersion: 'TLSv1.2' }],
  [
    'a method of TLS 1.2',
    { secureProtocol: 'TLSv1_2_method' },
    { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
  ],
  [
    'a method and a version, which Node rejects',
    { secureProtocol: 'TLS_method', minVersion: 'TLSv1.3' },
    { minVersion: 'TLSv1.3' },
  ],
  [
    'an unknown method, left for Node to report',
    { secureProtocol: 'none', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    { secureProtocol: 'none' },
  ],
]

describe('versions of TLS', () => {
  for (const [circumstance, given, wanted] of cases) {
    test(circumstance, () => {
      assert.deepEqual(withAcceptedVersions(given), wanted)
    })
  }
})
