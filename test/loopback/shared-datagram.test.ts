/** Queries to this machine share a socket, and stay apart on it. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { freePort, runToEnd } from '../../lab/child.js'
import { ROOT } from '../../lab/root.js'
import { sharedUdpTo } from '../../src/dns/datagram.js'
import type { Exchange } from '../../src/dns/transport.js'

type Heard = { readonly text: string; readonly from: RemoteInfo }

/** A server that hears datagrams and answers as it is told. */
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

test('sixty-four at once, answered backwards: each has its own answer, from one port', async (context) => {
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

test('beyond sixty-four each has a port of its own, since the kernel drops what a busy process leaves', async (context) => {
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

test('what answers nobody is passed over and counted', async (context) => {
  const { port } = await start(context, (_, say) => say('something else'))
  const udp = transport(port)
  assert.deepEqual(await question('q', udp, 200), { kind: 'timeout', strays: 1 })
  udp.close()
})

test('what comes from another port is not heard', async (context) => {
  const forger = createSocket('udp4')
  context.after(() => forger.close())
  const { port } = await start(context, ({ text, from }) => {
    forger.send(`${text}!`, from.port, from.address)
  })
  const udp = transport(port)
  assert.deepEqual(await question('q', udp, 300), { kind: 'timeout', strays: 0 })
  udp.close()
})

test('the port is closed: a failure for all that wait, and the next is tried anew', async (context) => {
  const port = await freePort()
  const udp = transport(port)
  const both = await Promise.all([question('a', udp), question('b', udp)])
  assert.deepEqual(both.map(textOf), ['network', 'network'])
  await start(context, ({ text }, say) => say(`${text}!`), port)
  assert.equal(textOf(await question('c', udp)), 'c!')
  udp.close()
})

test('closed while one waits: it has its answer all the same', async (context) => {
  const { port } = await start(context, ({ text }, say) => setTimeout(() => say(`${text}!`), 100))
  const udp = transport(port)
  const asked = question('q', udp)
  udp.close()
  assert.equal(textOf(await asked), 'q!')
})

test('a process with nothing else to do ends', async (context) => {
  const { port } = await start(context, ({ text }, say) => say(`${text}!`))
  const script = `
    const { sharedUdpTo } = require('./build/src/dns/datagram.js')
    const { exchange } = sharedUdpTo({ address: '127.0.0.1', port: ${port} })
    exchange(Buffer.from('q'), () => true, 20_000).then(({ kind }) => console.log(kind))`
  assert.equal(await runToEnd(process.execPath, ['-e', script], { cwd: ROOT }), 'reply\n')
})
