/** How Haraka would interpret an MX entry of another plugin, as a closed value. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readHop, readHops } from '../../../../src/haraka/attempt/next-hop.js'

/** `kind place:port of=NAME`, as far as present. */
function text(given: unknown): string {
  const hop = readHop(given, 25)
  switch (hop.kind) {
    case 'unfit':
      return `unfit ${hop.detail.replace('the entry of another plugin ', '')}`
    case 'null-mx':
      return hop.kind
    case 'socket':
      return `socket ${String(hop.entry.path)} ${String(hop.entry.exchange)}`
    case 'lmtp':
      return `lmtp ${String(hop.entry.exchange)}:${String(hop.entry.port)}`
    case 'name':
      return `name ${hop.name}:${hop.entry.port}${hop.learnedFor ? ` of=${hop.learnedFor}` : ''}`
    case 'address':
      return `address ${hop.address}:${hop.entry.port}${hop.name ? ` of=${hop.name}` : ''}`
  }
}

const HOST = 'mx.example'

describe('the closed form of an entry', () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    // Values that Haraka tests for truthiness.
    ['a name', { exchange: HOST }, 'name mx.example:25'],
    ['path null', { path: null, exchange: HOST }, 'name mx.example:25'],
    ['path empty', { path: '', exchange: HOST }, 'name mx.example:25'],
    ['path 0', { path: 0, exchange: HOST }, 'name mx.example:25'],
    ['path false', { path: false, exchange: HOST }, 'name mx.example:25'],
    ['path undefined', { path: undefined, exchange: HOST }, 'name mx.example:25'],
    ['path NaN', { path: Number.NaN, exchange: HOST }, 'name mx.example:25'],
    ['a path', { path: '/run/lmtp' }, 'socket /run/lmtp undefined'],
    ['a path and an address', { path: '/s', exchange: '127.0.0.1' }, 'socket /s 127.0.0.1'],
    ['a path and a name', { path: '/s', exchange: HOST }, 'socket /s undefined'],
    ['a path that is not a string', { path: 7, exchange: HOST }, 'unfit path is not a string'],
    ['using_lmtp', { using_lmtp: true, exchange: HOST }, 'lmtp mx.example:24'],
    ['using_lmtp 1', { using_lmtp: 1, exchange: HOST }, 'lmtp mx.example:24'],
    ['using_lmtp as a string', { using_lmtp: 'false', exchange: HOST }, 'lmtp mx.example:24'],
    ['using_lmtp empty', { using_lmtp: '', exchange: HOST }, 'name mx.example:25'],
    ['using_lmtp null', { using_lmtp: null, exchange: HOST }, 'name mx.example:25'],
    // net.isIP.
    ['an IPv4 address', { exchange: '192.0.2.1' }, 'address 192.0.2.1:25'],
    ['an IPv6 address', { exchange: '2001:db8::1' }, 'address 2001:db8::1:25'],
    ['an address with a zone', { exchange: 'fe80::1%eth0' }, 'address fe80::1%eth0:25'],
    ['a short IPv4 address', { exchange: '127.1' }, 'name 127.1:25'],
    ['an address in brackets', { exchange: '[192.0.2.1]' }, 'unfit exchange is not a host name'],
    ['a space', { exchange: ' mx.example' }, 'unfit exchange is not a host name'],
    ['an escape', { exchange: 'm\\120.example' }, 'unfit exchange is not a host name'],
    ['a list', { exchange: [HOST] }, 'unfit names no host'],
    ['an object', { exchange: { toString: () => HOST } }, 'unfit names no host'],
    ['empty', { exchange: '' }, 'unfit names no host'],
    ['missing', {}, 'unfit names no host'],
    ['not an object', HOST, 'unfit is not an object'],
    ['null', null, 'unfit is not an object'],
    // The owner of the entry.
    ['from_dns', { exchange: '192.0.2.1', from_dns: HOST }, 'address 192.0.2.1:25 of=mx.example'],
    ['from_dns empty', { exchange: '192.0.2.1', from_dns: '' }, 'address 192.0.2.1:25'],
    ['from_dns null', { exchange: '192.0.2.1', from_dns: null }, 'address 192.0.2.1:25'],
    [
      'from_dns an address',
      { exchange: '192.0.2.1', from_dns: '192.0.2.1' },
      'address 192.0.2.1:25',
    ],
    [
      'from_dns a literal',
      { exchange: '192.0.2.1', from_dns: '[IPv6:2001:db8::1]' },
      'address 192.0.2.1:25',
    ],
    [
      'from_dns not a name',
      { exchange: '192.0.2.1', from_dns: 'no name' },
      'unfit from_dns is not a host name',
    ],
    [
      'from_dns true',
      { exchange: '192.0.2.1', from_dns: true },
      'unfit from_dns is not a host name',
    ],
    [
      'from_dns of a name',
      { exchange: HOST, from_dns: 'example.org' },
      'name mx.example:25 of=example.org',
    ],
    ['from_dns the name itself', { exchange: HOST, from_dns: 'MX.example.' }, 'name mx.example:25'],
    // Ports.
    ['port 587', { exchange: HOST, port: 587 }, 'name mx.example:587'],
    ['port as a string', { exchange: HOST, port: '587' }, 'name mx.example:587'],
    ['port null', { exchange: HOST, port: null }, 'name mx.example:25'],
    ['port 0', { exchange: HOST, port: 0 }, 'name mx.example:25'],
    ['port NaN', { exchange: HOST, port: Number.NaN }, 'name mx.example:25'],
    ['port a word', { exchange: HOST, port: 'smtp' }, 'unfit port smtp is not a port'],
    ['port too large', { exchange: HOST, port: 65536 }, 'unfit port 65536 is not a port'],
    ['port negative', { exchange: HOST, port: -1 }, 'unfit port -1 is not a port'],
    ['port hexadecimal', { exchange: HOST, port: '0x19' }, 'unfit port 0x19 is not a port'],
    [
      'port an object',
      { exchange: HOST, port: { valueOf: () => 25 } },
      'unfit port ? is not a port',
    ],
    // Values that would crash Haraka or inject commands.
    [
      'auth_type not a string',
      { exchange: HOST, auth_type: {} },
      'unfit auth_type is not a string',
    ],
    ['bind a name', { exchange: HOST, bind: HOST }, 'unfit bind is not an address'],
    [
      'bind_helo two lines',
      { exchange: HOST, bind_helo: 'a\r\nMAIL' },
      'unfit bind_helo is not a host name',
    ],
  ]
  for (const [circumstance, given, wanted] of cases) {
    test(circumstance, () => assert.equal(text(given), wanted))
  }

  test('each property is read once, and Haraka is given the values read', () => {
    const reads = new Map<string, number>()
    const entry = new Proxy(
      { exchange: HOST, port: 587, auth_user: 'me', auth_pass: 'secret', auth_type: null },
      {
        get(target, key) {
          reads.set(String(key), (reads.get(String(key)) ?? 0) + 1)
          const value: unknown = Reflect.get(target, key)
          return value
        },
      },
    )
    const hop = readHop(entry, 25)
    assert.ok(hop.kind === 'name')
    assert.deepEqual(
      [...reads.values()].filter((count) => count !== 1),
      [],
    )
    assert.notEqual(hop.entry, entry)
    assert.deepEqual(hop.entry, {
      priority: 0,
      exchange: HOST,
      port: 587,
      auth_user: 'me',
      auth_pass: 'secret',
    })
  })
})

describe('null MX (RFC 7505 §3)', () => {
  const cases: readonly (readonly [string, readonly unknown[], string])[] = [
    ['the one entry', [{ exchange: '', priority: 0 }], 'null-mx'],
    ['one of two', [{ exchange: '', priority: 0 }, { exchange: HOST }], 'unfit name'],
    ['another preference', [{ exchange: '', priority: 10 }], 'unfit'],
    ['a path', [{ exchange: '', path: '/s', priority: 0 }], 'socket'],
    ['nothing', [], ''],
  ]
  for (const [circumstance, entries, wanted] of cases) {
    test(circumstance, () => {
      const kinds = readHops(entries, 25).map(({ kind }) => kind)
      assert.equal(kinds.join(' '), wanted)
    })
  }
})
