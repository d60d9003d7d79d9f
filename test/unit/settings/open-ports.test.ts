import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { readFirstOpenPort } from '../../../src/settings/open-ports.js'
import { channelTo, isTrustedChannel, parseResolverAddress } from '../../../src/server-address.js'
import type { Channel } from '../../../src/server-address.js'

describe('the first port that needs no privileges', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-ports-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const cases: readonly (readonly [text: string, wanted: number])[] = [
    ['1024\n', 1024],
    ['0\n', 0],
    ['53\n', 53],
    ['65535\n', 65_535],
    ['', 1024],
    ['-1\n', 1024],
    ['all\n', 1024],
  ]
  for (const [text, wanted] of cases) {
    test(JSON.stringify(text), () => {
      const file = path.join(folder, 'ip_unprivileged_port_start')
      writeFileSync(file, text)
      assert.equal(readFirstOpenPort(file), wanted)
    })
  }

  test('without this kernel setting', () => {
    assert.equal(readFirstOpenPort(path.join(folder, 'nowhere')), 1024)
    assert.equal(readFirstOpenPort(folder), 1024)
  })
})

describe('who could answer instead of a resolver (RFC 4035 §4.9.3)', () => {
  const cases: readonly (readonly [server: string, firstOpenPort: number, wanted: Channel])[] = [
    ['127.0.0.1:53', 1024, 'privileged'],
    ['127.0.0.53:53', 1024, 'privileged'],
    ['[::1]:1023', 1024, 'privileged'],
    ['127.0.0.1:1024', 1024, 'unprivileged'],
    ['[::1]:5353', 1024, 'unprivileged'],
    ['127.0.0.1:53', 0, 'unprivileged'],
    ['127.0.0.1:5353', 6000, 'privileged'],
    ['192.0.2.1:53', 1024, 'network'],
    ['192.0.2.1:5353', 1024, 'network'],
    ['[::ffff:127.0.0.1]:53', 1024, 'network'],
    ['[fe80::1%lo]:53', 1024, 'network'],
    ['tls://127.0.0.1:8853#dns.example', 1024, 'tls'],
    ['tls://192.0.2.1#dns.example', 0, 'tls'],
  ]
  for (const [text, firstOpenPort, wanted] of cases) {
    test(`${text}, first open port ${firstOpenPort}: ${wanted}`, () => {
      const server = parseResolverAddress(text)
      assert.ok(server)
      assert.equal(channelTo(server, { firstOpenPort }), wanted)
      const isTrusted = wanted === 'privileged' || wanted === 'tls'
      assert.equal(isTrustedChannel(server, { isVouchedFor: false, firstOpenPort }), isTrusted)
      assert.ok(isTrustedChannel(server, { isVouchedFor: true, firstOpenPort }))
    })
  }
})
