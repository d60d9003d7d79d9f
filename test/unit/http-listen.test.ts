/** http.ini, as Haraka's server reads it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpListeners, listenerText, reachableFromElsewhere } from '../../src/http-listen.js'
import type { HttpIni } from '../../src/http-listen.js'

const cases: readonly (readonly [string, HttpIni, readonly string[], readonly string[]])[] = [
  ['nothing', { listen: undefined }, [], []],
  ['an empty line', { listen: ' ' }, [], []],
  ['a port alone starts no server', { listen: '', port: '80' }, [], []],
  ['loopback', { listen: '127.0.0.1:8080' }, ['127.0.0.1:8080'], []],
  ['any loopback address', { listen: '127.9.9.9:1' }, ['127.9.9.9:1'], []],
  ['loopback by name', { listen: 'localhost:8080' }, ['localhost:8080'], []],
  ['IPv6 loopback', { listen: '[::1]:8080' }, ['[::1]:8080'], []],
  ['IPv6 loopback without a port', { listen: '::1' }, ['[::1]:80'], []],
  ['without a port', { listen: '127.0.0.1' }, ['127.0.0.1:80'], []],
  ['all addresses', { listen: '0.0.0.0:8080' }, ['0.0.0.0:8080'], ['0.0.0.0:8080']],
  ['all IPv6 addresses', { listen: '[::]:80' }, ['[::]:80'], ['[::]:80']],
  ["Haraka's own spelling of that", { listen: '[::0]:80' }, ['[::0]:80'], ['[::0]:80']],
  ['a port in listen', { listen: '8080' }, ['[::0]:8080'], ['[::0]:8080']],
  [
    'several',
    { listen: '127.0.0.1:1, 192.0.2.1:2 ,[2001:db8::1]:3' },
    ['127.0.0.1:1', '192.0.2.1:2', '[2001:db8::1]:3'],
    ['192.0.2.1:2', '[2001:db8::1]:3'],
  ],
  [
    'a name',
    { listen: 'relay.example.org:80' },
    ['relay.example.org:80'],
    ['relay.example.org:80'],
  ],
  [
    'a Unix socket with its mode',
    { listen: '/run/haraka/http.sock:660' },
    ['/run/haraka/http.sock'],
    [],
  ],
  [
    'a port besides: on all addresses',
    { listen: '127.0.0.1:1', port: '8080' },
    ['[::0]:8080', '127.0.0.1:1'],
    ['[::0]:8080'],
  ],
  [
    'a port besides, on one address',
    { listen: '127.0.0.1:1', port: '8080', listenHost: '127.0.0.1' },
    ['127.0.0.1:8080', '127.0.0.1:1'],
    [],
  ],
  ['nonsense', { listen: '::::, [x, a:b:c' }, [], []],
]

for (const [what, ini, listeners, elsewhere] of cases) {
  test(`http.ini: ${what}`, () => {
    const found = httpListeners(ini)
    assert.deepEqual(found.map(listenerText), listeners)
    assert.deepEqual(reachableFromElsewhere(found), elsewhere)
  })
}
