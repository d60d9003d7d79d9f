/**
 * Counts the queries between a relay and a server, and the rounds they take.
 *
 * A tap is a proxy for the real server that delays each reply for
 * a while. A round begins with a query while none is pending, so queries sent
 * at the same time are one round, and one that depends on an answer is another.
 */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { decode } from 'dns-packet'
import { freePort } from '../lab/free-port.js'

export type Tap = {
  readonly port: number
  /** Queries and rounds since the last call, and the queries themselves. */
  readonly take: () => Count
  readonly close: () => void
}

export type Count = {
  readonly questions: number
  readonly rounds: number
  readonly asked: readonly string[]
}

/** @param isCounted false for queries that no message causes */
function createCounter(isCounted: (question: string) => boolean): {
  readonly ask: (question: string) => void
  readonly answer: (question: string) => void
  readonly take: () => Count
} {
  let asked: string[] = []
  let rounds = 0
  let open = 0
  return {
    ask(question) {
      if (!isCounted(question)) return
      asked.push(question)
      if (open++ === 0) rounds += 1
    },
    answer(question) {
      if (isCounted(question)) open -= 1
    },
    take() {
      const count = { questions: asked.length, rounds, asked }
      asked = []
      rounds = 0
      return count
    },
  }
}

/** A tap for a name server over UDP. */
export async function startDnsTap(
  serverPort: number,
  delayMs: number,
  isCounted: (question: string) => boolean,
): Promise<Tap> {
  const counter = createCounter(isCounted)
  const front = createSocket('udp4')
  const port = await freePort()
  await new Promise<void>((resolve) => front.bind(port, '127.0.0.1', resolve))
  const open = new Set<ReturnType<typeof createSocket>>()
  front.on('message', (query, client) => {
    const [question] = decode(query).questions ?? []
    const text = `${question?.type ?? ''} ${question?.name.toLowerCase() ?? ''}`
    counter.ask(text)
    const back = createSocket('udp4')
    open.add(back)
    back.on('message', (reply) => {
      open.delete(back)
      back.close()
      setTimeout(() => {
        counter.answer(text)
        front.send(reply, client.port, client.address)
      }, delayMs)
    })
    back.send(query, serverPort, '127.0.0.1')
  })
  return {
    port,
    take: counter.take,
    close() {
      front.close()
      for (const socket of open) socket.close()
    },
  }
}

/** A tap for a Redis. Commands are recognized by their text, which arrives whole on loopback. */
export async function startRedisTap(
  serverPort: number,
  delayMs: number,
  isCounted: (command: string) => boolean,
): Promise<Tap> {
  const counter = createCounter(isCounted)
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const redis = connect({ port: serverPort, host: '127.0.0.1', noDelay: true })
    const unanswered: string[] = []
    client.setNoDelay(true)
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      open.add(one)
      one.on('error', () => undefined)
      one.on('close', () => other.destroy())
    }
    client.on('data', (chunk) => {
      for (const command of commandsIn(chunk.toString('latin1'))) {
        unanswered.push(command)
        counter.ask(command)
      }
      redis.write(chunk)
    })
    redis.on('data', (chunk) => {
      setTimeout(() => {
        for (const command of unanswered.splice(0, repliesIn(chunk.toString('latin1')))) {
          counter.answer(command)
        }
        client.write(chunk)
      }, delayMs)
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    take: counter.take,
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

/** `GETRANGE dane:1:MX:example.org` for each `*n` array of bulk strings. */
function commandsIn(text: string): readonly string[] {
  return text
    .split(/(?:^|\r\n)\*\d+\r\n/)
    .filter((each) => each !== '')
    .map((each) => {
      const words = each.split(/\r?\n?\$\d+\r\n/).filter((word) => word !== '')
      return `${(words[0] ?? '').toUpperCase()} ${words[1] ?? ''}`.trim()
    })
}

/** For simple replies and bulk strings without line breaks, such as entries. */
function repliesIn(text: string): number {
  const lines = text.split('\r\n').slice(0, -1)
  // The text of a bulk string follows its length on a separate line.
  return lines.filter((line) => !/^\$\d+$/.test(line)).length
}
