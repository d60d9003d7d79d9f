/** Where a stranger's record can send a POST to, and where not (RFC 8460 §3, §5.4). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toEndpoint } from '../../../src/tlsrpt/endpoint.js'
import { isPublicAddress } from '../../../src/tlsrpt/public-address.js'

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

describe('an address', () => {
  for (const address of [
    '1.1.1.1',
    '9.9.9.9',
    '193.0.6.139',
    '2606:4700:4700::1111',
    '2a00:1450::1',
  ]) {
    test(`is public: ${address}`, () => {
      assert.equal(isPublicAddress(address), true)
    })
  }

  for (const address of [
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:1.1.1.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:7f00:1::',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700:4700::1111%1',
    'fec0::1',
    'ff02::1',
    'localhost',
    '1.1.1.1 ',
    '',
  ]) {
    test(`is not public: ${address}`, () => {
      assert.equal(isPublicAddress(address), false)
    })
  }
})
