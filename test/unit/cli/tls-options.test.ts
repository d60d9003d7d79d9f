/** How `haraka-dane check` reads tls.ini. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { mint } from '../../../lab/certificates.js'
import { tlsFinding } from '../../../src/cli/check/tls-options.js'
import { handshakeOptionsOf } from '../../../src/cli/tls-ini.js'

let files: ReadonlyMap<string, string>
before(async () => {
  const { pem, keyPem } = await mint({ subject: 'CN=relay.example' })
  files = new Map([
    ['tls_cert.pem', pem],
    ['tls_key.pem', keyPem],
    ['not.pem', 'nonsense'],
  ])
})
const fileOf = (name: string): string => files.get(name) ?? ''

describe('the options as Haraka combines them', () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
    ['no file', '', {}],
    ['[outbound] overrides the top level', 'ciphers=A\n[outbound]\nciphers=B', { ciphers: 'B' }],
    ['inherited options', 'ciphers=A\nsecureProtocol=x', { ciphers: 'A' }],
    ['any option in [outbound]', '[outbound]\nsigalgs=x\nn=5', { sigalgs: 'x', n: 5 }],
    ['lists', '[outbound]\nALPNProtocols[]=a\nALPNProtocols[]=b', { ALPNProtocols: ['a', 'b'] }],
    ['booleans', '[outbound]\nrejectUnauthorized=no', { rejectUnauthorized: false }],
    ['a missing key file', '[outbound]\nkey=none.pem', {}],
    ['a session, which is never offered', '[outbound]\nsession=x', {}],
    ['mutual_tls without a certificate', 'mutual_tls=true\nkey=none.pem\nsigalgs=x', {}],
  ]
  for (const [circumstance, text, wanted] of cases) {
    test(circumstance, () => {
      assert.deepEqual(handshakeOptionsOf(text, fileOf), wanted)
    })
  }

  test('mutual_tls: options of the certificate override the rest', () => {
    for (const text of ['mutual_tls=true\n', '[mutual_auth_hosts]\n192.0.2.1=x\n[main]\n']) {
      const options = handshakeOptionsOf(
        `${text}ALPNProtocols=smtp\nciphers=A\n[outbound]\nciphers=B`,
        fileOf,
      )
      assert.equal(options['ciphers'], 'A')
      assert.equal(options['ALPNProtocols'], 'smtp')
      assert.equal(options['key'], fileOf('tls_key.pem'))
    }
  })
})

describe('findings', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['no file', '', /^ok: a TLS handshake is possible$/],
    ['its own certificate', 'mutual_tls=true', /^ok: /],
    [
      'ciphers that do not exist',
      '[outbound]\nciphers=NO-SUCH',
      /^problem: no TLS handshake is possible with ciphers \(.*no cipher match.*\): mail to hosts with DANE waits/,
    ],
    [
      'a key file that is not a key',
      '[outbound]\nkey=not.pem\ncert=tls_cert.pem',
      /^problem: .*with key /,
    ],
    ['ALPN overridden', 'mutual_tls=true\nALPNProtocols=x', /^problem: .*with ALPNProtocols /],
  ]
  for (const [circumstance, text, wanted] of cases) {
    test(circumstance, async () => {
      const { level, text: said } = await tlsFinding(text, fileOf)
      assert.match(`${level}: ${said}`, wanted)
    })
  }
})
