/** What a request for the status page is, from method, URL and Host header. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SITES } from '../../support/http-attacks.js'
import { field, fieldsOf } from '../../support/status.js'
import { isOurs, readRequest } from '../../../src/status/page/request.js'

const HOST = 'localhost:9904'

describe('the Host header', () => {
  const HOSTS = ['status.example.org']
  const ours = [
    'localhost',
    'LocalHost:1',
    'localhost.',
    '127.0.0.1:9904',
    '192.0.2.1',
    '[::1]',
    '[2001:db8::1]:443',
    'status.example.org',
    'STATUS.example.org.:80',
  ]
  const others = [
    undefined,
    '',
    ':80',
    'attacker.example',
    'localhost.attacker.example',
    'xlocalhost',
    'status.example.org.attacker.example',
    'status.example.org@attacker.example',
    '127.0.0.1.attacker.example',
    '127.1',
    '2130706433',
    '0x7f000001',
    '[attacker.example]',
    '[::1]attacker.example',
    '::1',
    'localhost:80:80',
    'localhost, attacker.example',
    'localhost/x',
  ]
  for (const host of ours) {
    test(`ours: ${host}`, () => {
      assert.equal(isOurs(host, HOSTS), true)
    })
  }
  for (const host of others) {
    test(`not ours: ${host ?? '(none)'}`, () => {
      assert.equal(isOurs(host, HOSTS), false)
    })
  }
})

describe('the URL', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/dane', 'list'],
    ['/dane?show=held', 'list'],
    ['/dane/', 'slash'],
    ['/dane.json?d=x', 'json'],
    ['/dane.css?v=1', 'asset'],
    ['/dane/contoso.example', 'destination'],
    ['/dane/a/b', 'destination'],
    ['/dane/..%2f..%2fetc%2fpasswd', 'destination'],
    ['/dane/%E0%A4%A', 'destination'],
    ['/danes', 'elsewhere'],
    ['/dane.txt', 'elsewhere'],
    ['/Dane', 'elsewhere'],
    ['/', 'elsewhere'],
    ['', 'elsewhere'],
    ['http://localhost/dane', 'elsewhere'],
  ]
  for (const [url, kind] of cases) {
    test(`${url || '(empty)'}: ${kind}`, () => {
      assert.equal(readRequest({ method: 'GET', url, host: HOST }, '/dane', []).kind, kind)
    })
  }

  test('a destination is decoded, and bounded', () => {
    const read = (url: string): unknown =>
      readRequest({ method: 'GET', url, host: HOST }, '/dane', [])
    const asked = read('/dane/x%20%3Cb%3E?q=MX&limit=9999999&from=-1')
    assert.equal(field(asked, 'destination'), 'x <b>')
    const { search, offset, limit } = fieldsOf(field(asked, 'query'))
    assert.deepEqual([search, offset, limit], ['mx', 0, 200])
    const long = 'x'.repeat(100_000)
    assert.ok(String(field(read(`/dane/${long}`), 'destination')).length <= 2_000)
    assert.ok(String(field(read(`/dane?q=${long}`), 'query', 'search')).length <= 253)
  })

  test('what another site makes a browser load is refused, a link to the page is not', () => {
    for (const [what, [site, mode, dest], status] of SITES) {
      const request = { method: 'GET', url: '/dane', host: HOST, site, mode, dest }
      const { kind } = readRequest(request, '/dane', [])
      assert.equal(kind, status === 200 ? 'list' : 'other-site', what)
    }
  })

  test('a foreign Host header is refused before the method is looked at', () => {
    const request = { method: 'POST', url: '/dane', host: 'attacker.example' }
    assert.equal(readRequest(request, '/dane', []).kind, 'wrong-host')
    assert.equal(readRequest({ ...request, host: HOST }, '/dane', []).kind, 'wrong-method')
    assert.equal(readRequest({ ...request, method: 'HEAD', host: HOST }, '/dane', []).kind, 'list')
  })
})
