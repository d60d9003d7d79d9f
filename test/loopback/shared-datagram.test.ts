/** Queries to resolvers on this machine share a socket without being confused. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { runToEnd } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { ROOT } from '../../lab/root.js'
import { sharedUdpTo } from '../../src/dns/datagram.js'
import type { Exchange } from '../../src/dns/transport.js'

type Heard = { readonly text: string; readonly from: RemoteInfo }

/** A server that receives datagrams and answers as scripted. */
async function start(context: TestContext, hear: (heard: Heard, say: Say) => void, port = 0) {
  const server = createSocket('udp4')
  const ports = new Set<number>()
  server.on('message', (bytes, from) => {
    ports.add(from.port)
    hear({ text: bytes.toString(), from }, (text) => {
      server.send(text, from.port, from.address)
    })
  })
  await new Promise<void>((resolve) => server.bind(port, '127.0.0.1', resolve))
  let isOpen = true
  const stop = (): void => {
    if (isOpen) server.close()
    isOpen = false
  }
  context.after(stop)
  return { port: server.address().port, ports, stop }
}
type Say = (text: string) => void

const transport = (port: number) => sharedUdpTo({ address: '127.0.0.1', port })
const question = (text: string, { exchange }: ReturnType<typeof transport>, timeoutMs = 5_000) =>
  exchange(Buffer.from(text), (bytes) => bytes.toString() === `${text}!`, timeoutMs)
const textOf = (exchange: Exchange): string =>
  exchange.kind === 'reply' ? exchange.bytes.toString() : exchange.kind

test('sixty-four at once, answered in reverse: each gets its own answer, from one port', async (context) => {
  const answers: (() => void)[] = []
  const { port, ports } = await start(context, ({ text }, say) => {
    answers.push(() => say(`${text}!`))
    if (answers.length === 64) for (const answer of answers.reverse()) answer()
  })
  const udp = transport(port)
  const texts = Array.from({ length: 64 }, (_, i) => `q${i}`)
  const exchanges = await Promise.all(texts.map((text) => question(text, udp)))
  assert.deepEqual(
    exchanges.map(textOf),
    texts.map((text) => `${text}!`),
  )
  assert.equal(ports.size, 1)
  udp.close()
})

test('beyond sixty-four each has its own port, since the kernel drops datagrams that a busy process does not read', async (context) => {
  const answers: (() => void)[] = []
  const { port, ports } = await start(context, ({ text }, say) => {
    answers.push(() => say(`${text}!`))
    if (answers.length === 100) for (const answer of answers) answer()
  })
  const udp = transport(port)
  const texts = Array.from({ length: 100 }, (_, i) => `q${i}`)
  const exchanges = await Promise.all(texts.map((text) => question(text, udp)))
  assert.deepEqual(
    exchanges.map(textOf),
    texts.map((text) => `${text}!`),
  )
  assert.equal(ports.size, 37)
  udp.close()
})

test('datagrams that answer no query are ignored and counted', async (context) => {
  const { port } = await start(context, (_, say) => say('something else'))
  const udp = transport(port)
  assert.deepEqual(await question('q', udp, 200), { kind: 'timeout', strays: 1 })
  udp.close()
})

test('datagrams from another port are ignored', async (context) => {
  const forger = createSocket('udp4')
  context.after(() => forger.close())
  const { port } = await start(context, ({ text, from }) => {
    forger.send(`${text}!`, from.port, from.address)
  })
  const udp = transport(port)
  assert.deepEqual(await question('q', udp, 300), { kind: 'timeout', strays: 0 })
  udp.close()
})

test('the port is closed: all pending queries fail, and the next one tries again', async (context) => {
  const port = await freePort()
  const udp = transport(port)
  const both = await Promise.all([question('a', udp), question('b', udp)])
  assert.deepEqual(both.map(textOf), ['network', 'network'])
  await start(context, ({ text }, say) => say(`${text}!`), port)
  assert.equal(textOf(await question('c', udp)), 'c!')
  udp.close()
})

test('closed with a query pending: it still gets its answer', async (context) => {
  const { port } = await start(context, ({ text }, say) => setTimeout(() => say(`${text}!`), 100))
  const udp = transport(port)
  const asked = question('q', udp)
  udp.close()
  assert.equal(textOf(await asked), 'q!')
})

test('the socket does not keep the process alive', async (context) => {
  const { port } = await start(context, ({ text }, say) => say(`${text}!`))
  const script = `
    const { sharedUdpTo } = require('./build/src/dns/datagram.js')
    const { exchange } = sharedUdpTo({ address: '127.0.0.1', port: ${port} })
    exchange(Buffer.from('q'), () => true, 20_000).then(({ kind }) => console.log(kind))`
  assert.equal(await runToEnd(process.execPath, ['-e', script], { cwd: ROOT }), 'reply\n')
})
