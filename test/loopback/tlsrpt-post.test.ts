/** A report by HTTPS (RFC 8460 §5.4), to servers that accept, refuse, lie, dawdle and never end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { createAuthority } from '../../lab/laboratory.js'
import type { Authority } from '../../lab/rows.js'
import { compress } from '../../src/tlsrpt/compose-mail.js'
import { post } from '../../src/tlsrpt/post.js'
import type { PostParts, PostResult } from '../../src/tlsrpt/post.js'
import { isPublicAddress } from '../../src/tlsrpt/public-address.js'
import { name } from '../support/report-samples.js'

const HOST = name('tls.example.com')
const JSON_TEXT = JSON.stringify({ 'report-id': 'x', padding: 'y'.repeat(5_000) })
const BODY = compress(JSON_TEXT)

let authority: Authority
let certificate: { readonly cert: string; readonly key: string }

before(async () => {
  authority = await createAuthority()
  const { pem, keyPem } = await authority.issue(HOST)
  certificate = { cert: pem, key: keyPem }
})

type Seen = {
  requests: number
  connections: number
  body: Buffer
  headers: IncomingMessage['headers']
}

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

/** Runs a server while `work` posts to it. @param early answers at once, not after the body */
async function withServer<T>(
  answer: Answer,
  work: (
    send: (more?: Partial<PostParts>, last?: () => Promise<boolean>) => Promise<PostResult>,
    seen: Seen,
  ) => Promise<T>,
  { early = false, own = certificate } = {},
): Promise<T> {
  const seen: Seen = { requests: 0, connections: 0, body: Buffer.alloc(0), headers: {} }
  const server = createServer(own, (request, response) => {
    seen.requests++
    seen.headers = request.headers
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    if (early) answer(request, response, Buffer.alloc(0))
    request.on('end', () => {
      seen.body = Buffer.concat(chunks)
      if (!early) answer(request, response, seen.body)
    })
  })
  server.on('connection', () => seen.connections++)
  server.on('tlsClientError', () => undefined)
  return listening(
    server,
    (port) => work(poster(port), seen),
    () => {
      server.closeAllConnections()
    },
  )
}

async function listening<T>(
  server: Server,
  work: (port: number) => Promise<T>,
  end: () => void,
): Promise<T> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work(portOf(server.address()))
  } finally {
    end()
    server.close()
  }
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0
}

function poster(port: number) {
  return (more: Partial<PostParts> = {}, last = () => Promise.resolve(true)): Promise<PostResult> =>
    post(
      {
        addressesOf: () => Promise.resolve(['127.0.0.1']),
        isAllowed: () => true,
        userAgent: 'haraka-plugin-dane/test',
        ca: [authority.ca.pem],
        ...more,
      },
      { host: HOST, port, path: '/v1/report?a=b' },
      BODY,
      last,
    )
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(code, headers).end('thanks')
  }

describe('RFC 8460 §5.4: a report by HTTPS', { timeout: 120_000 }, () => {
  test('arrives whole, with its type and nothing about this host', async () => {
    await withServer(status(201), async (send, seen) => {
      assert.deepEqual(await send(), { kind: 'accepted', detail: 'HTTP status 201' })
      assert.equal(gunzipSync(seen.body).toString(), JSON_TEXT)
      const { host, connection, ...headers } = seen.headers
      assert.match(host ?? '', /^tls\.example\.com:\d+$/)
      assert.equal(connection, 'close')
      assert.deepEqual(headers, {
        'content-type': 'application/tlsrpt+gzip',
        'content-length': String(BODY.length),
        'user-agent': 'haraka-plugin-dane/test',
      })
    })
  })

  for (const [code, kind] of [
    [200, 'accepted'],
    [202, 'accepted'],
    [204, 'accepted'],
    [301, 'refused'],
    [302, 'refused'],
    [307, 'refused'],
    [308, 'refused'],
    [400, 'refused'],
    [401, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
    [410, 'refused'],
    [413, 'refused'],
    [408, 'failed'],
    [429, 'failed'],
    [500, 'failed'],
    [503, 'failed'],
  ] as const) {
    test(`status ${code}: ${kind}`, async () => {
      await withServer(
        status(code, { Location: `https://${HOST}/elsewhere` }),
        async (send, seen) => {
          assert.equal((await send()).kind, kind)
          assert.equal(seen.requests, 1, 'no redirect is followed')
        },
      )
    })
  }

  for (const [what, make] of [
    ['signed by nobody known', () => Promise.resolve({ ca: [] })],
    ['expected under another name', () => Promise.resolve({})],
  ] as const) {
    test(`a certificate ${what}: nothing is sent, and it is tried again`, async () => {
      const other = await authority.issue(what.includes('another') ? 'other.example' : HOST)
      const own = { cert: other.pem, key: other.keyPem }
      await withServer(
        status(200),
        async (send, seen) => {
          assert.equal((await send(await make())).kind, 'failed')
          assert.equal(seen.requests, 0)
        },
        { own },
      )
    })
  }

  test('the last octet waits until it is noted: until then the receiver has nothing', async () => {
    await withServer(status(200), async (send, seen) => {
      let isNoted = false
      const result = await send({}, async () => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        assert.equal(seen.body.length, 0)
        isNoted = true
        return true
      })
      assert.ok(isNoted)
      assert.equal(result.kind, 'accepted')
    })
  })

  for (const [what, last] of [
    ['another process has the report', () => Promise.resolve(false)],
    ['it cannot be noted', () => Promise.reject(new Error('the store is away'))],
  ] as const) {
    test(`${what}: the receiver never has it`, async () => {
      await withServer(status(200), async (send, seen) => {
        assert.equal((await send({}, last)).kind, 'failed')
        assert.equal(seen.body.length, 0)
      })
    })
  }

  test('no answer: it may have arrived', async () => {
    await withServer(
      () => undefined,
      async (send) => {
        assert.equal((await send({ totalMs: 500 })).kind, 'unknown')
      },
    )
  })

  test('an answer of one octet at a time ends in time', async () => {
    await withServer(
      ({ socket }) => {
        const timer = setInterval(() => socket.write('H'), 50)
        socket.on('close', () => {
          clearInterval(timer)
        })
      },
      async (send) => {
        assert.equal((await send({ totalMs: 500 })).kind, 'unknown')
      },
    )
  })

  test('a header section without end is not read on', async () => {
    await withServer(
      ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const timer = setInterval(() => socket.write(`X: ${'y'.repeat(1_000)}\r\n`), 5)
        socket.on('close', () => {
          clearInterval(timer)
        })
      },
      async (send) => {
        assert.equal((await send()).kind, 'unknown')
      },
    )
  })

  test('a body without end is not read on', async () => {
    let octets = 0
    await withServer(
      (_, response) => {
        response.writeHead(200)
        const timer = setInterval(() => {
          octets += 1_000
          response.write('y'.repeat(1_000))
        }, 5)
        response.on('close', () => {
          clearInterval(timer)
        })
      },
      async (send) => {
        assert.equal((await send()).kind, 'accepted')
        await new Promise((resolve) => setTimeout(resolve, 500))
      },
    )
    assert.ok(octets < 80_000, String(octets))
  })

  test('an acceptance before the end of the report is none', async () => {
    await withServer(
      status(200),
      async (send) => {
        const result = await send(
          {},
          () => new Promise((resolve) => setTimeout(resolve, 300, true)),
        )
        assert.equal(result.kind, 'failed')
      },
      { early: true },
    )
  })

  test('a server that never begins TLS is left in time', async () => {
    const sockets: { destroy: () => void }[] = []
    const server = createTcpServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => undefined)
    })
    await listening(
      server,
      async (port) => {
        assert.equal((await poster(port)({ connectMs: 300 })).kind, 'failed')
      },
      () => {
        for (const socket of sockets) socket.destroy()
      },
    )
  })

  test('a port where nothing listens: tried again', async () => {
    const server = createTcpServer()
    const port = await listening(
      server,
      (own) => Promise.resolve(own),
      () => undefined,
    )
    assert.equal((await poster(port)()).kind, 'failed')
  })
})

describe('addresses that a stranger chooses', { timeout: 60_000 }, () => {
  for (const addresses of [
    ['127.0.0.1'],
    ['1.1.1.1', '127.0.0.1'],
    ['::ffff:127.0.0.1'],
    ['::1'],
    ['64:ff9b::7f00:1'],
    ['169.254.169.254'],
  ]) {
    test(`${addresses.join(' and ')}: no connection`, async () => {
      await withServer(status(200), async (send, seen) => {
        const result = await send({
          addressesOf: () => Promise.resolve(addresses),
          isAllowed: isPublicAddress,
        })
        assert.equal(result.kind, 'refused')
        assert.equal(seen.connections, 0)
      })
    })
  }

  test('the socket goes where the check looked, not where a second lookup would lead', async () => {
    let asked = 0
    await withServer(status(200), async (send) => {
      const result = await send({
        addressesOf: () => Promise.resolve(asked++ === 0 ? ['127.0.0.1'] : ['192.0.2.1']),
      })
      assert.equal(result.kind, 'accepted')
    })
    assert.equal(asked, 1)
  })

  for (const [what, addressesOf] of [
    ['no address', () => Promise.resolve([])],
    ['no answer from DNS', () => Promise.reject(new Error('timeout'))],
    ['what is no address', () => Promise.resolve(['localhost', 'evil.example'])],
  ] as const) {
    test(`${what}: tried again`, async () => {
      await withServer(status(200), async (send, seen) => {
        assert.equal((await send({ addressesOf })).kind, 'failed')
        assert.equal(seen.connections, 0)
      })
    })
  }
})
