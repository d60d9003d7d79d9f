/** A connection to Redis that cannot be set up is not used; one that lacks INFO or CLIENT is. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { until } from '../../lab/child.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { openSharedStore } from '../../src/assemble.js'
import { openRedis } from '../../src/cache/redis-client.js'
import type { Fact, LookupEvent } from '../../src/lookup.js'
import { readRedisDefaults } from '../../src/settings/config-folder.js'
import { parseSettings } from '../../src/settings/settings.js'
import { name } from '../support/names.js'

const HOST = name('mx.example')

type RedisNews = Extract<LookupEvent, { kind: 'redis' }>

async function withRedis(
  options: readonly string[],
  work: (redis: RedisServer) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const redis = await startRedis(folder, { options })
  try {
    await work(redis)
  } finally {
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
}

/** Uses the store like lookups do, for longer than two attempts to connect. */
async function use(lines: string): Promise<{ news: RedisNews[]; found: Fact | undefined }> {
  const settings = parseSettings(`[redis]\n${lines}`)
  assert.ok(settings.redis)
  const news: RedisNews[] = []
  const { store, close } = openSharedStore(
    settings.redis,
    settings,
    (event) => {
      if (event.kind === 'redis') news.push(event)
    },
    () => undefined,
  )
  let found: Fact | undefined
  try {
    for (let i = 0; i < 8 && found === undefined; i++) {
      found = await store.find(HOST, 'A')
      const expiresAt = Date.now() + 60_000
      await store.release(HOST, 'A', {
        kind: 'absent',
        reason: 'nodata',
        security: 'secure',
        canonicalName: HOST,
        aliases: [],
        expiresAt,
      })
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
  } finally {
    close()
  }
  return { news, found }
}

const REFUSED: readonly (readonly [
  circumstance: string,
  options: readonly string[],
  commands: readonly (readonly string[])[],
  lines: readonly string[],
  fault: RegExp,
])[] = [
  [
    'a database that is not there',
    ['--databases', '2'],
    [],
    ['db = 9'],
    /^SELECT 9 was refused: ERR DB index is out of range/,
  ],
  [
    'a user without SELECT',
    [],
    [['acl', 'setuser', 'poor', 'on', '>pw', '~*', '+@all', '-select']],
    ['db = 1', 'username = poor', 'password = pw'],
    /^SELECT 1 was refused: NOPERM/,
  ],
  [
    'a wrong password',
    [],
    [['acl', 'setuser', 'poor', 'on', '>pw', '~*', '+@all']],
    ['db = 1', 'username = poor', 'password = other'],
    /^AUTH of user poor was refused: WRONGPASS/,
  ],
  [
    'no password where one is needed',
    [],
    [['config', 'set', 'requirepass', 'pw']],
    ['db = 1'],
    /^SELECT 1 was refused: NOAUTH/,
  ],
  [
    'a password where none is set',
    [],
    [],
    ['password = pw'],
    /^AUTH was refused: ERR AUTH <password> called without any password configured/,
  ],
  [
    'AUTH is not there',
    ['--rename-command', 'AUTH', ''],
    [],
    ['password = pw'],
    /^AUTH was refused/,
  ],
  [
    'SELECT is not there',
    ['--rename-command', 'SELECT', ''],
    [],
    ['db = 1'],
    /^SELECT 1 was refused/,
  ],
]

for (const [circumstance, options, commands, lines, fault] of REFUSED) {
  test(`${circumstance}: lost once with the step and the reply, and nothing is written anywhere`, async () => {
    await withRedis(options, async (redis) => {
      for (const words of commands) await redis.cli(...words)
      const { news, found } = await use(
        [`url = redis://127.0.0.1:${redis.port}`, ...lines].join('\n'),
      )
      assert.equal(found, undefined)
      assert.equal(news.length, 1, JSON.stringify(news))
      assert.match(news[0]?.fault ?? '', fault)
      const info = await redis.cli(
        ...(commands.some((words) => words.includes('requirepass')) ? ['-a', 'pw'] : []),
        ...['info', 'keyspace'],
      )
      assert.doesNotMatch(info, /db\d+:keys/)
    })
  })
}

test('the database is created later: Redis is used from then on, and said to be there once it answers', async () => {
  await withRedis(['--databases', '2'], async (redis) => {
    await redis.cli('acl', 'setuser', 'poor', 'on', '>pw', '~*', '+@all', '-select')
    const { redis: settings } = parseSettings(
      `[redis]\nurl = redis://poor:pw@127.0.0.1:${redis.port}/1`,
    )
    assert.ok(settings)
    const news: (string | undefined)[] = []
    const client = openRedis(settings, undefined, (fault) => news.push(fault))
    try {
      await until('the refusal', () => news.length > 0)
      assert.equal(news.includes(undefined), false)
      await assert.rejects(client.left('absent'), /^Error: no connection: SELECT 1 was refused/)
      await redis.cli('acl', 'setuser', 'poor', '+select')
      await until('Redis', () => news.includes(undefined))
      await client.set('in-one', 'x', undefined)
      assert.equal((await redis.cli('-n', '1', 'get', 'in-one')).trim(), 'x')
    } finally {
      client.close()
    }
  })
})

for (const [circumstance, options] of [
  ['INFO', ['--rename-command', 'INFO', '']],
  ['CLIENT', ['--rename-command', 'CLIENT', '']],
  [
    'INFO, CLIENT, SELECT, SCAN, HELLO and AUTH',
    ['INFO', 'CLIENT', 'SELECT', 'SCAN', 'HELLO', 'AUTH'].flatMap((command) => [
      ...['--rename-command', command, ''],
    ]),
  ],
] as const) {
  test(`a Redis without ${circumstance} is used`, async () => {
    await withRedis(options, async (redis) => {
      const { news, found } = await use(`url = redis://127.0.0.1:${redis.port}`)
      assert.deepEqual(news, [])
      assert.equal(found?.kind, 'absent')
    })
  })
}

test('a Unix socket that only redis.ini names is used', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const socket = path.join(folder, 'redis.sock')
  const redis = await startRedis(folder, { options: ['--unixsocket', socket] })
  try {
    writeFileSync(path.join(folder, 'redis.ini'), `[server]\npath = ${socket}\ndatabase = 3\n`)
    const settings = parseSettings('[redis]\nenabled = yes', 'x', readRedisDefaults(folder)).redis
    assert.ok(settings)
    const client = openRedis(settings, undefined, () => undefined)
    try {
      await client.started
      await client.set('in-three', 'x', undefined)
    } finally {
      client.close()
    }
    assert.equal((await redis.cli('-n', '3', 'get', 'in-three')).trim(), 'x')
  } finally {
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
})
