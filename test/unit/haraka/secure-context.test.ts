/** When handshakes share a secure context, and when they must not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { shareContext } from '../../../src/haraka/secure-context.js'
import { handshakeOptions } from '../../../src/session/handshake.js'
import { name } from '../../support/names.js'

/** Haraka's tls_socket.js as it is without any tls.ini. */
const USUAL = { cfg: { main: { mutual_tls: false }, mutual_auth_hosts: {} } }

const lists = { no_tls_hosts: [], rejectUnauthorized: false }
const options = (more: ConnectionOptions = {}, host = 'mx.example.org'): ConnectionOptions =>
  handshakeOptions({ ...lists, ...more }, name(host))

describe('options that are the same', () => {
  test('share a context, whatever the host', () => {
    const withContext = shareContext(() => USUAL)
    const one = withContext(options())
    const other = withContext(options({}, 'mx.example.net'))
    assert.ok(one.secureContext)
    assert.equal(one.secureContext, other.secureContext)
    assert.equal(other.servername, 'mx.example.net')
    assert.equal(other.rejectUnauthorized, false)
  })
})

describe('options that differ', () => {
  const first = { ca: Buffer.from(''), ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }
  for (const [circumstance, more] of Object.entries<ConnectionOptions>({
    'another list of ciphers': { ...first, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    'an equal list of authorities that is another object': { ...first, ca: Buffer.from('') },
    'one option more': { ...first, honorCipherOrder: true },
    'one option fewer': { ca: first.ca },
    'a higher version': { ...first, minVersion: 'TLSv1.3' },
  })) {
    test(`have contexts of their own: ${circumstance}`, () => {
      const withContext = shareContext(() => USUAL)
      const one = withContext(options(first))
      const other = withContext(options(more))
      assert.ok(one.secureContext && other.secureContext)
      assert.notEqual(one.secureContext, other.secureContext)
    })
  }

  test('of a context of its own are left as they are', () => {
    const withContext = shareContext(() => USUAL)
    const { secureContext } = withContext(options())
    assert.ok(secureContext)
    const given = options({ secureContext })
    assert.equal(withContext(given), given)
  })
})

describe('nothing is handed in where Haraka may lay a client certificate over the options', () => {
  for (const [circumstance, tlsSocket] of Object.entries<unknown>({
    'mutual_tls is on': { cfg: { main: { mutual_tls: true }, mutual_auth_hosts: {} } },
    'a host has a certificate of its own': {
      cfg: { main: { mutual_tls: false }, mutual_auth_hosts: { '192.0.2.1': 'mine.pem' } },
    },
    'its settings are not read yet': {},
    'it has no such setting': { cfg: { main: {}, mutual_auth_hosts: {} } },
    'it has no list of hosts': { cfg: { main: { mutual_tls: false } } },
    'there is no such module': undefined,
  })) {
    test(circumstance, () => {
      const given = options()
      assert.equal(shareContext(() => tlsSocket)(given), given)
    })
  }
})
