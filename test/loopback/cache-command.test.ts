/** `haraka-dane cache` on what a real delivery left in a real Redis. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { startChild, until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import { questionsAt } from '../../lab/name-servers.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { domainOf, hostOf, startSharing } from '../support/sharing.js'
import type { Sharing } from '../support/sharing.js'

const COMMAND = path.join(ROOT, 'build/relay/node_modules/.bin/haraka-dane')

let sharing: Sharing
let redis: RedisServer
let relay: Haraka
let questions: () => readonly string[]
before(async () => {
  sharing = await startSharing({ good: {}, other: {} })
  redis = await startRedis(sharing.laboratory.folder)
  const { port, child } = await sharing.laboratory.names.startResolver({ isNoting: true })
  questions = () => questionsAt(child)
  relay = await sharing.startRelay({
    resolverPort: port,
    redisLines: [`url = redis://127.0.0.1:${redis.port}`],
  })
})
after(async () => {
  await redis.child.stop()
  await sharing.laboratory.stop()
})

async function run(...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const folder = path.join(relay.folder, 'config')
  const child = startChild(COMMAND, ['cache', ...args, '--config', folder])
  const code = await child.exited
  return { code, text: child.output().trim() }
}

const owner = (): string => `_${sharing.laboratory.smtpPort}._tcp.${hostOf('good')}`

test('show: status, seconds left and records of all that a delivery uses', async () => {
  assert.equal(await sharing.deliver(relay, `a@${domainOf('good')}`), 'delivered')
  const { code, text } = await run('show', domainOf('good'))
  assert.equal(code, 0, text)
  const patterns = [
    new RegExp(`^MX ${domainOf('good')} SECURE ttl=(29\\d|300) 10 ${hostOf('good')}$`),
    new RegExp(`^A ${hostOf('good')} SECURE ttl=(29\\d|300) 127\\.`),
    new RegExp(`^AAAA ${hostOf('good')} NODATA SECURE ttl=(29\\d|300)$`),
    new RegExp(`^TLSA ${owner()} SECURE ttl=(29\\d|300) 3 1 1 [0-9a-f]{16}`),
  ]
  const lines = text.split('\n')
  assert.equal(lines.length, patterns.length, text)
  for (const [index, pattern] of patterns.entries()) assert.match(lines[index] ?? '', pattern)
})

test('show: what nobody asked for is not there', async () => {
  const { code, text } = await run('show', domainOf('nobody'))
  assert.equal(code, 1)
  assert.match(text, /^nothing of nobody\.signed\.example is held in redis:\/\/127/)
})

test('show: what is not believed is told from what is not there', async () => {
  await redis.cli('set', `dane:1:MX:${domainOf('forged')}`, '- garbage')
  const { code, text } = await run('show', domainOf('forged'))
  assert.equal(code, 0)
  assert.match(text, /^MX forged\.signed\.example is there and not believed/)
})

test('purge: the domain is asked for anew, by relays that remember too', async () => {
  assert.equal(await sharing.deliver(relay, `b@${domainOf('other')}`), 'delivered')
  const asked = questions().length
  const { code, text } = await run('purge', domainOf('good'))
  assert.equal(code, 0, text)
  assert.match(text, /^4 answers purged from redis:/)
  assert.equal((await run('show', domainOf('good'))).code, 1)
  assert.equal((await run('show', domainOf('other'))).code, 0)
  let turn = 0
  await until('DNS to be asked again', async () => {
    turn++
    assert.equal(await sharing.deliver(relay, `c${turn}@${domainOf('good')}`), 'delivered')
    return questions().length === asked + 4
  })
})

test('purge --all', async () => {
  const { code, text } = await run('purge', '--all')
  assert.equal(code, 0)
  // Two domains, and what is not believed.
  assert.match(text, /^9 answers purged/)
  assert.equal((await redis.cli('keys', '*')).trim(), 'dane:1:epoch')
})

test('what cannot be meant ends with 2 and says why', async () => {
  for (const [args, complaint] of [
    [['show'], /a domain is needed/],
    [['show', '--all'], /--all goes with purge/],
    [['purge'], /a domain is needed/],
    [['purge', '--all', 'example.org'], /--all goes with purge, and with no domain/],
    [['shwo', 'example.org'], /cache show, or cache purge/],
    [['show', 'ex ample'], /not a domain name/],
  ] as const) {
    const { code, text } = await run(...args)
    assert.equal(code, 2, text)
    assert.match(text, complaint)
  }
})

test('a Redis that is gone: 3, and its name', async () => {
  await redis.child.stop()
  const { code, text } = await run('show', domainOf('good'))
  assert.equal(code, 3)
  assert.equal(text, `redis://127.0.0.1:${redis.port}/0: no connection`)
})
