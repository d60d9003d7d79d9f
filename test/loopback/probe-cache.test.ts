/** Many mail hosts: bounded concurrency, one connection per address and name. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { createProbeCache } from '../../src/cli/probe-cache.js'
import { name } from '../support/names.js'

test('no more connections than allowed, even if hosts are silent; the same host is connected to once', async () => {
  const open = new Set<Socket>()
  let peak = 0
  let count = 0
  const server = createServer((socket) => {
    count++
    open.add(socket)
    peak = Math.max(peak, open.size)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('no port')
  after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const probe = createProbeCache({ helloName: 'test.example', tls: {}, timeoutMs: 300, most: 3 })
  const doors = Array.from({ length: 10 }, (_, index) => name(`mx${index % 8}.example`))
  const probes = await Promise.all(doors.map((door) => probe('127.0.0.1', bound.port, door)))
  assert.ok(probes.every((each) => each.kind === 'refused' && each.reason === 'connection-lost'))
  // The server sees the end of one connection slightly after the start of the next.
  assert.ok(peak >= 3 && peak <= 6, `${peak} at a time`)
  assert.equal(count, 8)
})

test('an address unreachable from this machine does not count against the host', async () => {
  const probe = createProbeCache({ helloName: 'test.example', tls: {}, timeoutMs: 1_000, most: 1 })
  // RFC 6666: these are never routed; without IPv6 they are unreachable too.
  const shown = await probe('100::1', 25, name('mx.example'))
  assert.ok(
    shown.kind === 'no-route' || (shown.kind === 'refused' && shown.reason === 'connection-failed'),
  )
})
