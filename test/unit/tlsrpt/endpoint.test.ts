/** Where a stranger's record can send a POST to, and where not (RFC 8460 §3, §5.4). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toEndpoint } from '../../../src/tlsrpt/endpoint.js'

describe('an https URI', () => {
  for (const [uri, wanted] of [
    ['https://tls.example.com/report', ['tls.example.com', 443, '/report']],
    ['https://tls.example.com', ['tls.example.com', 443, '/']],
    ['https://TLS.Example.com:8443/a?b=c', ['tls.example.com', 8443, '/a?b=c']],
    ['https://b\u00fccher.example/', ['xn--bcher-kva.example', 443, '/']],
    ['https://tls.example.com./', ['tls.example.com', 443, '/']],
  ] as const) {
    test(`is used: ${uri}`, () => {
      const check = toEndpoint(uri)
      assert.ok(check.kind === 'endpoint')
      const { host, port, path } = check.endpoint
      assert.deepEqual([host, port, path], wanted)
    })
  }

  for (const uri of [
    'http://tls.example.com/',
    'ftp://tls.example.com/',
    'file:///etc/passwd',
    'https://user@tls.example.com/',
    'https://user:pass@tls.example.com/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://192.0.2.1/',
    'https://localhost/',
    'https://localhost./',
    'https://a.localhost/',
    'https://printer.local/',
    'https://nas.lan/',
    'https://intranet/',
    'https://host.internal/',
    'https://host.home.arpa/',
    'https://x.onion/',
    'https://tls.example.com:25/',
    'https://tls.example.com:22/',
    'https://tls.example.com:1023/',
    'https://tls.example.com:0/',
    `https://tls.example.com/${'a'.repeat(1000)}`,
    'https://',
    'not a url',
    '',
  ]) {
    test(`is refused: ${uri.slice(0, 60)}`, () => {
      assert.equal(toEndpoint(uri).kind, 'refused')
    })
  }

  test('a line break cannot reach the request line', () => {
    const check = toEndpoint('https://tls.example.com/a\r\nHost: victim.example\r\n\r\nGET /')
    assert.ok(check.kind === 'refused' || !/[\r\n ]/.test(check.endpoint.path))
  })
})
