/** When handshakes share a secure context, and when they must not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { shareContext } from '../../../../src/haraka/connection/secure-context.js'
import { handshakeOptions } from '../../../../src/session/handshake.js'
import { name } from '../../../support/names.js'

/** Haraka's tls_socket.js without any tls.ini. */
const USUAL = { cfg: { main: { mutual_tls: false }, mutual_auth_hosts: {} } }

const lists = { no_tls_hosts: [], rejectUnauthorized: false }
const options = (more: ConnectionOptions = {}, host = 'mx.example.org'): ConnectionOptions =>
  handshakeOptions({ ...lists, ...more }, name(host))

describe('equal options', () => {
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

describe('different options', () => {
  const first = { ca: Buffer.from(''), ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }
  for (const [circumstance, more] of Object.entries<ConnectionOptions>({
    'another list of ciphers': { ...first, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    'an equal list of authorities that is another object': { ...first, ca: Buffer.from('') },
    'one option more': { ...first, honorCipherOrder: true },
    'one option fewer': { ca: first.ca },
    'a higher version': { ...first, minVersion: 'TLSv1.3' },
  })) {
    test(`have separate contexts: ${circumstance}`, () => {
      const withContext = shareContext(() => USUAL)
      const one = withContext(options(first))
      const other = withContext(options(more))
      assert.ok(one.secureContext && other.secureContext)
      assert.notEqual(one.secureContext, other.secureContext)
    })
  }

  test('with a context supplied by the caller are left unchanged', () => {
    const withContext = shareContext(() => USUAL)
    const { secureContext } = withContext(options())
    assert.ok(secureContext)
    const given = options({ secureContext })
    assert.equal(withContext(given), given)
  })
})

/** Haraka with a client certificate, and the options above it in tls.ini. */
function mutual(
  cfg: Readonly<Record<string, unknown>>,
  certificates: Readonly<Record<string, unknown>>,
): unknown {
  return { cfg, tls_valid: true, certsByHost: certificates }
}

const ON = { main: { mutual_tls: true }, mutual_auth_hosts: {}, mutual_auth_hosts_exclude: {} }
const OF_HOSTS = { ...ON, main: {}, mutual_auth_hosts: { '192.0.2.1': 'mine' } }

describe('when Haraka overrides our options with those of its own certificate', () => {
  test('they are part of the context, and equal ones share it', () => {
    const withContext = shareContext(() => mutual(ON, { '*': { ciphers: 'AES128-SHA256' } }))
    const one = withContext(options(), '192.0.2.1')
    assert.ok(one.secureContext)
    assert.equal(withContext(options(), '192.0.2.2').secureContext, one.secureContext)
    assert.notEqual(shareContext(() => USUAL)(options()).secureContext, one.secureContext)
  })

  for (const [circumstance, tlsSocket] of Object.entries<unknown>({
    mutual_tls: mutual(ON, { '*': { ciphers: 'NO-SUCH-CIPHER' } }),
    'mutual_tls, a certificate for this host': mutual(ON, {
      '*': {},
      '192.0.2.1': { ciphers: 'NO-SUCH-CIPHER' },
    }),
    mutual_auth_hosts: mutual(OF_HOSTS, { '*': {}, mine: { ciphers: 'NO-SUCH-CIPHER' } }),
    'ALPN, which is in no context': mutual(ON, { '*': { ALPNProtocols: 'smtp' } }),
  })) {
    test(`contradictory options throw here, not in tls.connect: ${circumstance}`, () => {
      const withContext = shareContext(() => tlsSocket)
      assert.throws(() => withContext(options(), '192.0.2.1'), /no cipher match|Buffer/)
      // Nor is it cached as good.
      assert.throws(() => withContext(options(), '192.0.2.1'), /no cipher match|Buffer/)
    })
  }

  for (const [circumstance, tlsSocket] of Object.entries<unknown>({
    'another host has a certificate': mutual(OF_HOSTS, { mine: { ciphers: 'NO-SUCH-CIPHER' } }),
    'this host is excluded': mutual(
      { ...ON, mutual_auth_hosts_exclude: { '192.0.2.9': true } },
      { '*': { ciphers: 'NO-SUCH-CIPHER' } },
    ),
    'there is no certificate': { cfg: ON, tls_valid: false, certsByHost: {} },
  })) {
    test(`nothing overrides them: ${circumstance}`, () => {
      assert.ok(shareContext(() => tlsSocket)(options(), '192.0.2.9').secureContext)
    })
  }
})

describe('no context is supplied when it is unknown what Haraka overrides', () => {
  for (const [circumstance, tlsSocket] of Object.entries<unknown>({
    'its settings have not been read yet': {},
    'it has no such certificate': mutual(ON, {}),
    'there is no such module': undefined,
  })) {
    test(circumstance, () => {
      const given = options()
      assert.equal(shareContext(() => tlsSocket)(given), given)
    })

    test(`${circumstance}: contradictory options still throw`, () => {
      const given = options({ ciphers: 'NO-SUCH-CIPHER' })
      assert.throws(() => shareContext(() => tlsSocket)(given), /no cipher match/)
    })
  }
})
