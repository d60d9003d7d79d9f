/** Many doors: so many connections at a time, each address once for each name. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { createKnock } from '../../src/cli/knock.js'
import { name } from '../support/names.js'

test('no more connections than allowed, whoever is silent; the same door is knocked at once', async () => {
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
  const knock = createKnock({ helloName: 'test.example', timeoutMs: 300, most: 3 })
  const doors = Array.from({ length: 10 }, (_, index) => name(`mx${index % 8}.example`))
  const probes = await Promise.all(doors.map((door) => knock('127.0.0.1', bound.port, door)))
  assert.ok(probes.every((probe) => probe.kind === 'refused' && probe.reason === 'connection-lost'))
  // The server hears of an end a little later than the next one of a beginning.
  assert.ok(peak >= 3 && peak <= 6, `${peak} at a time`)
  assert.equal(count, 8)
})

test('an address that this machine has no way to says nothing of the host', async () => {
  const knock = createKnock({ helloName: 'test.example', timeoutMs: 1_000, most: 1 })
  // RFC 6666: nobody routes these; where there is no IPv6 at all, there is no way either.
  const probe = await knock('100::1', 25, name('mx.example'))
  assert.ok(
    probe.kind === 'no-route' || (probe.kind === 'refused' && probe.reason === 'connection-failed'),
  )
})
