/** Many queries on one connection, plain and inside TLS, against misbehaving servers. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { mint } from '../../lab/certificates.js'
import { freePort } from '../../lab/free-port.js'
import { tcpTo, tlsTo } from '../../src/dns/stream.js'
import type { Stream } from '../../src/dns/stream.js'
import type { Exchange } from '../../src/dns/transport.js'
import { framed } from '../support/dns-server.js'
import { name } from '../support/names.js'

/** A scripted server that receives whole messages; messages here are two octets, the id. */
type Peer = {
  readonly port: number
  readonly connections: Socket[]
  readonly heard: number[]
  readonly stop: () => Promise<void>
}

type Behavior = (socket: Socket, id: number, heard: readonly number[]) => void

async function startPeer(behavior: Behavior, server: Server = createServer()): Promise<Peer> {
  const connections: Socket[] = []
  const heard: number[] = []
  const serve = (socket: Socket): void => {
    connections.push(socket)
    let received = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4) {
        const id = received.readUInt16BE(2)
        received = received.subarray(4)
        heard.push(id)
        behavior(socket, id, heard)
      }
    })
  }
  server.on(server.listenerCount('tlsClientError') > 0 ? 'secureConnection' : 'connection', serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    connections,
    heard,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of connections) socket.destroy()
      }),
  }
}

const message = (id: number): Buffer => Buffer.from([id >> 8, id & 0xff])
const answer: Behavior = (socket, id) => socket.write(framed(message(id)))

function ask(stream: Stream, id: number, timeoutMs = 1_000): Promise<Exchange> {
  return stream.exchange(message(id), (bytes) => bytes.equals(message(id)), timeoutMs)
}

const word = (exchange: Exchange): string =>
  exchange.kind === 'reply'
    ? `reply ${exchange.bytes.readUInt16BE(0)}`
    : exchange.kind === 'network'
      ? `network: ${exchange.detail}`
      : exchange.kind

/** Runs the work with a peer and a stream to it, both closed afterwards. */
async function withPeer(
  behavior: Behavior,
  work: (stream: Stream, peer: Peer) => Promise<void>,
): Promise<void> {
  const peer = await startPeer(behavior)
  const stream = tcpTo({ address: '127.0.0.1', port: peer.port })
  try {
    await work(stream, peer)
  } finally {
    stream.close()
    await peer.stop()
  }
}

describe('one connection (RFC 7766)', () => {
  test('a hundred queries at once, answered in reverse (RFC 7766 §6.2.1.1, §7)', async () => {
    const reversed: Behavior = (socket, _, heard) => {
      if (heard.length === 100) for (const id of heard.toReversed()) answer(socket, id, heard)
    }
    await withPeer(reversed, async (stream, peer) => {
      const ids = Array.from({ length: 100 }, (_, id) => id)
      const words = (await Promise.all(ids.map((id) => ask(stream, id)))).map(word)
      assert.deepEqual(
        words,
        ids.map((id) => `reply ${id}`),
      )
      assert.equal(peer.connections.length, 1)
    })
  })

  test('replies octet by octet, and many in one segment', async () => {
    const choppy: Behavior = (socket, id, heard) => {
      if (id < 3) for (const octet of framed(message(id))) socket.write(Buffer.from([octet]))
      else if (heard.length === 10) {
        socket.write(Buffer.concat(heard.slice(3).map((each) => framed(message(each)))))
      }
    }
    await withPeer(choppy, async (stream) => {
      const ids = Array.from({ length: 10 }, (_, id) => id)
      const words = (await Promise.all(ids.map((id) => ask(stream, id)))).map(word)
      assert.deepEqual(
        words,
        ids.map((id) => `reply ${id}`),
      )
    })
  })

  test('replies that answer no query are ignored', async () => {
    const noisy: Behavior = (socket, id) => {
      socket.write(framed(Buffer.alloc(0)))
      socket.write(framed(Buffer.alloc(65_535, 7)))
      socket.write(framed(message(id ^ 0xff)))
      socket.write(framed(message(id)))
    }
    await withPeer(noisy, async (stream) => {
      assert.equal(word(await ask(stream, 5)), 'reply 5')
    })
  })

  test('the connection is reused for the next query', async () => {
    await withPeer(answer, async (stream, peer) => {
      for (const id of [1, 2, 3]) assert.equal(word(await ask(stream, id)), `reply ${id}`)
      assert.equal(peer.connections.length, 1)
    })
  })
})

describe('connections that close or stall', () => {
  test('the server closes after its answer: another connection is opened', async () => {
    const tired: Behavior = (socket, id) => socket.end(framed(message(id)))
    await withPeer(tired, async (stream, peer) => {
      for (const id of [1, 2, 3]) assert.equal(word(await ask(stream, id)), `reply ${id}`)
      assert.equal(peer.connections.length, 3)
    })
  })

  test('closed with a query pending: sent once more on another connection (RFC 7766 §6.2.4)', async () => {
    const fickle: Behavior = (socket, id, heard) => {
      if (heard.filter((each) => each === id).length === 1 && id > 1) socket.destroy()
      else answer(socket, id, heard)
    }
    await withPeer(fickle, async (stream, peer) => {
      assert.equal(word(await ask(stream, 1)), 'reply 1')
      assert.equal(word(await ask(stream, 2)), 'reply 2')
      assert.deepEqual(peer.heard, [1, 2, 2])
    })
  })

  test('closed repeatedly: a failure, retries are bounded', async () => {
    const hostile: Behavior = (socket, id, heard) => {
      if (id === 1) answer(socket, id, heard)
      else socket.destroy()
    }
    await withPeer(hostile, async (stream, peer) => {
      await ask(stream, 1)
      assert.match(word(await ask(stream, 2)), /^network: /)
      assert.deepEqual(peer.heard, [1, 2, 2])
    })
  })

  test('a server that closes without any answer: a failure at once', async () => {
    await withPeer(
      (socket) => socket.destroy(),
      async (stream, peer) => {
        assert.ok(word(await ask(stream, 1)).startsWith('network: connection closed'))
        assert.equal(peer.connections.length, 1)
      },
    )
  })

  test('a connection that stays silent: a timeout, and later queries use another', async () => {
    let silent: Socket | undefined
    const first: Behavior = (socket, id, heard) => {
      if (id === 2) silent = socket
      if (socket !== silent) answer(socket, id, heard)
    }
    await withPeer(first, async (stream, peer) => {
      assert.equal(word(await ask(stream, 1)), 'reply 1')
      const words = await Promise.all([ask(stream, 2, 1_200), ask(stream, 3, 5_000)])
      assert.deepEqual(words.map(word), ['timeout', 'reply 3'])
      assert.equal(peer.connections.length, 2)
    })
  })

  test('short timeouts in a row count as silence', async () => {
    const mute: Behavior = (socket, id, heard) => {
      if (id === 3) answer(socket, id, heard)
    }
    await withPeer(mute, async (stream, peer) => {
      for (let round = 0; round < 7; round++) await ask(stream, 2, 200)
      assert.equal(word(await ask(stream, 3)), 'reply 3')
      assert.equal(peer.connections.length, 2)
    })
  })

  test('unanswered queries for an unreachable zone do not close the connection for others', async () => {
    const lame: Behavior = (socket, id, heard) => {
      if (id < 10) return
      setTimeout(() => answer(socket, id, heard), id < 20 ? 1_600 : 5)
    }
    await withPeer(lame, async (stream, peer) => {
      const slow = ask(stream, 10, 5_000)
      const pairs: Promise<Exchange>[] = []
      for (const id of [1, 3, 5]) {
        pairs.push(ask(stream, id, 1_000), ask(stream, id + 1, 1_000))
        await new Promise((resolve) => setTimeout(resolve, 300))
        assert.equal(word(await ask(stream, 20 + id)), `reply ${20 + id}`)
      }
      assert.deepEqual(new Set((await Promise.all(pairs)).map(word)), new Set(['timeout']))
      assert.equal(word(await slow), 'reply 10')
      assert.equal(peer.connections.length, 1)
    })
  })

  for (const each of [1, 3]) {
    test(`a server that closes after ${each} replies: a burst is answered completely (RFC 7766 §6.2.4)`, async () => {
      const answered = new Map<Socket, number>()
      const limited: Behavior = (socket, id, heard) => {
        const count = (answered.get(socket) ?? 0) + 1
        answered.set(socket, count)
        if (count <= each) answer(socket, id, heard)
        if (count === each) socket.end()
      }
      await withPeer(limited, async (stream) => {
        const ids = Array.from({ length: 20 }, (_, id) => id)
        const words = (await Promise.all(ids.map((id) => ask(stream, id, 5_000)))).map(word)
        assert.deepEqual(
          words,
          ids.map((id) => `reply ${id}`),
        )
      })
    })
  }

  test('connection refused', async () => {
    const stream = tcpTo({ address: '127.0.0.1', port: await freePort() })
    assert.match(word(await ask(stream, 1)), /^network: .*ECONNREFUSED/)
  })

  test('closed by the client: pending queries complete, then no socket is left', async () => {
    const slow: Behavior = (socket, id, heard) => {
      setTimeout(() => answer(socket, id, heard), 50)
    }
    await withPeer(slow, async (stream) => {
      const asking = ask(stream, 1)
      stream.close()
      assert.equal(word(await asking), 'reply 1')
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(
      process.getActiveResourcesInfo().filter((kind) => kind.includes('TCP')),
      [],
    )
  })
})

describe('DNS over TLS (RFC 7858, RFC 8310 §8.1)', () => {
  async function over(
    certificateName: string | undefined,
    {
      trusted = true,
      subject = 'CN=resolver',
      tlsOptions = {},
    }: { trusted?: boolean; subject?: string; tlsOptions?: object } = {},
  ): Promise<string> {
    const ca = await mint({ subject: 'CN=ca', isCa: true })
    const leaf = await mint({
      subject,
      names: certificateName === undefined ? [] : [certificateName],
      issuer: ca,
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
    })
    const server = createTlsServer({ key: leaf.keyPem, cert: leaf.pem, ...tlsOptions })
    server.on('tlsClientError', () => undefined)
    const peer = await startPeer(answer, server)
    const address = { address: '127.0.0.1', port: peer.port, tlsName: name('dns.example') }
    const stream = tlsTo(address, trusted ? ca.pem : undefined)
    try {
      return word(await ask(stream, 1))
    } finally {
      stream.close()
      await peer.stop()
    }
  }

  test('a certificate for the name', async () => {
    assert.equal(await over('dns.example'), 'reply 1')
  })
  test('a certificate for another name is a failure that names both', async () => {
    assert.match(await over('evil.example'), /^network: .*dns\.example.*evil\.example/)
  })
  test('a certificate with the name only in its common name (RFC 9525 §2)', async () => {
    assert.match(await over(undefined, { subject: 'CN=dns.example' }), /^network: .*DNS name/)
  })
  test('a certificate of an untrusted CA', async () => {
    assert.match(
      await over('dns.example', { trusted: false }),
      /^network: .*(issuer|signed|verify)/,
    )
  })
  test('TLS 1.1 (RFC 8996)', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }
    assert.match(await over('dns.example', { tlsOptions: old }), /^network: /)
  })
  test('a server without TLS', async () => {
    const peer = await startPeer((socket) => socket.write('what?'))
    const address = { address: '127.0.0.1', port: peer.port, tlsName: name('dns.example') }
    assert.match(word(await ask(tlsTo(address, undefined), 1, 500)), /^(network|timeout)/)
    await peer.stop()
  })
})
