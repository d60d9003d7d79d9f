/** Answers of the status that no one reads: they are counted, and their time is limited. */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mock, test } from 'node:test'
import type { HttpHost } from '../../../src/haraka/host.js'
import { READING_MS } from '../../../src/haraka/status/reply.js'
import { addStatusPages } from '../../../src/haraka/status/web.js'
import { AT_ONCE } from '../../../src/status/page/admission.js'
import { SAMPLE } from '../../support/status-sample.js'

type Handler = Parameters<HttpHost['http']['app']['use']>[0]

/** As much of Node's ServerResponse as the status uses; `close` comes when the test says so. */
class Response extends EventEmitter {
  status = 0
  readonly ended = new Promise<void>((resolve) => this.once('ended', resolve))
  removeHeader(): void {
    return undefined
  }
  writeHead(status: number): void {
    this.status = status
  }
  end(): void {
    this.emit('ended')
  }
  destroy(): void {
    this.emit('close')
  }
}

function statusHandler(): Handler {
  let handler: Handler | undefined
  const app = {
    get: () => undefined,
    use: (own: Handler) => {
      handler = own
    },
  }
  const log = { loginfo: () => undefined }
  const source = {
    currentStatus: () => Promise.resolve(SAMPLE),
    destination: () => Promise.resolve(undefined),
  }
  const settings = { path: '/dane', isProxied: false, hosts: [] }
  addStatusPages({ http: { app } }, settings, source, log)
  return handler ?? assert.fail()
}

/** Over a connection of its own unless one is given. */
async function view(handler: Handler, socket: object = {}): Promise<Response> {
  const response = new Response()
  const headers = { host: 'localhost' }
  handler({ method: 'GET', url: '/dane', headers, socket }, response, () => undefined)
  await response.ended
  return response
}

test('a view counts until its answer has left; then there is room for another', async () => {
  const handler = statusHandler()
  const open = []
  for (let i = 0; i < AT_ONCE; i++) open.push(await view(handler))
  assert.deepEqual([...new Set(open.map(({ status }) => status))], [200])
  assert.equal((await view(handler)).status, 503)
  open[0]?.emit('close')
  await new Promise(setImmediate)
  assert.equal((await view(handler)).status, 200)
  assert.equal((await view(handler)).status, 503)
})

test('a client that does not read its answer in time is disconnected', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const handler = statusHandler()
    const slow = await view(handler)
    const quick = await view(handler)
    quick.emit('close')
    let destroyed = 0
    for (const each of [slow, quick]) each.once('close', () => destroyed++)
    mock.timers.tick(READING_MS - 1)
    assert.equal(destroyed, 0)
    mock.timers.tick(1)
    assert.equal(destroyed, 1)
  } finally {
    mock.timers.reset()
  }
})

test('a connection that waits for many answers is closed', async () => {
  const handler = statusHandler()
  const socket = {}
  const waiting = [await view(handler, socket), await view(handler, socket)]
  waiting[0]?.emit('close')
  await new Promise(setImmediate)
  for (let i = 0; i < 3; i++) waiting.push(await view(handler, socket))
  const closed = new Promise((resolve) => {
    const response = new Response()
    response.once('close', resolve)
    const headers = { host: 'localhost' }
    handler({ method: 'GET', url: '/dane', headers, socket }, response, () => undefined)
  })
  await closed
})
