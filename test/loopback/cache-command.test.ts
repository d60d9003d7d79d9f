/** `haraka-dane cache` on the entries that a real delivery left in a real Redis. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
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

/** The relay's config folder with another resolver. */
async function configWith(server: string): Promise<string> {
  const folder = path.join(relay.folder, 'config')
  const other = path.join(relay.folder, 'other')
  await mkdir(other, { recursive: true })
  const text = await readFile(path.join(folder, 'dane.ini'), 'utf8')
  await writeFile(path.join(other, 'dane.ini'), text.replace(/^server\[\] = .*$/m, server))
  return other
}

async function run(...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const folder = path.join(relay.folder, 'config')
  const child = startChild(COMMAND, ['cache', ...args, '--config', folder])
  const code = await child.exited
  return { code, text: child.output().trim() }
}

const keysOf = async (label: string): Promise<readonly string[]> => {
  const keys = (await redis.cli('keys', '*')).trim().split('\n')
  return keys.filter((key) => key.endsWith(domainOf(label)) || key.endsWith(hostOf(label)))
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

test('show: nothing for a domain that was never looked up', async () => {
  const { code, text } = await run('show', domainOf('nobody'))
  assert.equal(code, 1)
  assert.match(text, /^redis:\/\/127\S+ has no entries for nobody\.signed\.example$/)
})

test('show: rejected entries are distinguished from missing ones', async () => {
  await redis.cli('set', `dane:2:MX:${domainOf('forged')}`, '- garbage')
  const { code, text } = await run('show', domainOf('forged'))
  assert.equal(code, 0)
  assert.match(text, /^MX forged\.signed\.example is present but ignored/)
})

test('purge: the domain is looked up again, also by relays that have it in memory', async () => {
  assert.equal(await sharing.deliver(relay, `b@${domainOf('other')}`), 'delivered')
  const { code, text } = await run('purge', domainOf('good'))
  assert.equal(code, 0, text)
  assert.match(text, /^4 answers purged from redis:/)
  // By the command and by deliveries; the command queries these itself too.
  const asked = questions().length
  assert.deepEqual(await keysOf('good'), [])
  assert.equal((await keysOf('other')).length, 4)
  let turn = 0
  await until('DNS to be asked again', async () => {
    turn++
    assert.equal(await sharing.deliver(relay, `c${turn}@${domainOf('good')}`), 'delivered')
    return questions().length === asked + 4
  })
})

for (const lost of ['MX', 'A', 'AAAA'] as const) {
  test(`show and purge find every entry that a delivery could use, even if the ${lost} entry is missing`, async () => {
    await run('purge', '--all')
    // If the relay queries again, it has flushed its memory too.
    let turn = 0
    await until('the entries', async () => {
      turn++
      assert.equal(await sharing.deliver(relay, `${lost}${turn}@${domainOf('good')}`), 'delivered')
      return (await keysOf('good')).length === 4
    })
    await redis.cli('del', `dane:2:${lost}:${lost === 'MX' ? domainOf('good') : hostOf('good')}`)
    const shown = await run('show', domainOf('good'))
    assert.equal(shown.code, 0)
    assert.match(shown.text, new RegExp(`^TLSA ${owner()} `, 'm'))
    const { code, text } = await run('purge', domainOf('good'))
    assert.equal(code, 0, text)
    assert.match(text, /^3 answers purged/)
    assert.deepEqual(await keysOf('good'), [])
  })
}

test('purge: if DNS does not answer, it warns that entries may remain', async () => {
  const folder = await configWith('server[] = 127.0.0.1:1')
  const child = startChild(COMMAND, ['cache', 'purge', domainOf('good'), '--config', folder])
  assert.equal(await child.exited, 3)
  assert.match(
    child.output(),
    /DNS does not answer \(MX good\.signed\.example: .*--all removes them/,
  )
})

test('purge --all with more keys than fit into memory at once, written by another program', async () => {
  const script = `for i = 1, 300000 do redis.call('set', 'dane:2:MX:' .. i .. string.rep('x', 100), '') end`
  await redis.cli('eval', script, '0')
  const folder = path.join(relay.folder, 'config')
  const child = startChild(COMMAND, ['cache', 'purge', '--all', '--config', folder], {
    env: { NODE_OPTIONS: '--max-old-space-size=48' },
  })
  assert.equal(await child.exited, 0, child.output())
  assert.match(child.output(), /^300\d\d\d answers purged/)
})

test('purge --all', async () => {
  let turn = 0
  await until('the entries', async () => {
    turn++
    for (const label of ['good', 'other']) {
      assert.equal(await sharing.deliver(relay, `all${turn}@${domainOf(label)}`), 'delivered')
    }
    return (await keysOf('good')).length === 4 && (await keysOf('other')).length === 4
  })
  await redis.cli('set', `dane:2:MX:${domainOf('forged')}`, '- garbage')
  const { code, text } = await run('purge', '--all')
  assert.equal(code, 0)
  // Two domains, and a rejected entry.
  assert.match(text, /^9 answers purged/)
  assert.deepEqual((await redis.cli('keys', '*')).trim().split('\n').sort(), [
    'dane:2:epoch',
    'dane:2:purge',
  ])
})

test('bad usage ends with 2 and says why', async () => {
  for (const [args, complaint] of [
    [['show'], /no domain given/],
    [['show', '--all'], /--all applies to purge only/],
    [['purge'], /no domain given/],
    [['purge', '--all', 'example.org'], /--all applies to purge only, without a domain/],
    [['shwo', 'example.org'], /expected cache show or cache purge/],
    [['show', 'ex ample'], /not a domain name/],
  ] as const) {
    const { code, text } = await run(...args)
    assert.equal(code, 2, text)
    assert.match(text, complaint)
  }
})

test('Redis is down: 3, and its name', async () => {
  await redis.child.stop()
  for (const args of [
    ['show', domainOf('good')],
    ['purge', domainOf('good')],
    ['purge', '--all'],
  ]) {
    const { code, text } = await run(...args)
    assert.equal(code, 3)
    assert.equal(
      text,
      `cache ${args[0]} at redis://127.0.0.1:${redis.port}/0 failed: no connection: connect ECONNREFUSED 127.0.0.1:${redis.port}\n` +
        'what to do: check that Redis runs, and host, port or path in [redis] of dane.ini',
    )
  }
})
