/** The resolvers of resolv.conf. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { serverText } from '../../../src/server-address.js'
import { parseResolvConf, readSystemResolvers } from '../../../src/settings/resolv-conf.js'

for (const [title, text, wanted] of [
  [
    'in their order',
    'nameserver 192.0.2.2\nnameserver 192.0.2.1\n',
    ['192.0.2.2:53', '192.0.2.1:53'],
  ],
  [
    'among other lines',
    '# nameserver 192.0.2.9\n; nameserver 192.0.2.8\nsearch example.org\noptions edns0\nnameserver\t127.0.0.53',
    ['127.0.0.53:53'],
  ],
  [
    'IPv6, with a zone',
    'nameserver 2001:db8::1\nnameserver fe80::1%eth0',
    ['[2001:db8::1]:53', '[fe80::1%eth0]:53'],
  ],
  [
    'no more than three',
    '1234'.replace(/./g, 'nameserver 192.0.2.$&\n'),
    ['192.0.2.1:53', '192.0.2.2:53', '192.0.2.3:53'],
  ],
  [
    'no names, no nonsense',
    'nameserver dns.example\nnameserver 0.0.0.0\nnameserver\nnameserver tls://192.0.2.1#a.example',
    [],
  ],
  ['nothing', '', []],
] as const) {
  test(`resolv.conf: ${title}`, () => {
    assert.deepEqual(parseResolvConf(text).map(serverText), wanted)
  })
}

test('a file that is not there has none', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'resolv-conf-'))
  try {
    const file = path.join(folder, 'resolv.conf')
    assert.deepEqual(readSystemResolvers(file), [])
    writeFileSync(file, 'nameserver 192.0.2.1\n')
    assert.deepEqual(readSystemResolvers(file).map(serverText), ['192.0.2.1:53'])
    assert.deepEqual(readSystemResolvers(folder), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
