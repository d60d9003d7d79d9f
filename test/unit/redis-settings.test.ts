import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SettingsError } from '../../src/option-reader.js'
import { parseRedisIni, redisText, withoutSecrets } from '../../src/redis-settings.js'
import type { RedisDefaults, RedisPlace, RedisSettings } from '../../src/redis-settings.js'
import { parseSettings } from '../../src/settings.js'

function read(lines: string, defaults: RedisDefaults = {}): RedisSettings | undefined {
  return parseSettings(`[redis]\n${lines}`, 'dane.ini', defaults).redis
}

const single = (host: string, port: number): RedisPlace => ({
  kind: 'single',
  node: { host, port },
})

const places: readonly (readonly [string, RedisPlace])[] = [
  ['enabled = yes', single('127.0.0.1', 6379)],
  ['enabled = true', single('127.0.0.1', 6379)],
  ['host = redis.example', single('redis.example', 6379)],
  ['host = ::1\nport = 7000', single('::1', 7000)],
  ['url = redis://redis.example', single('redis.example', 6379)],
  ['url = redis://:secret@192.0.2.1:7000/2', single('192.0.2.1', 7000)],
  ['url = redis://redis.example:7000\nhost = other.example', single('other.example', 7000)],
  [
    'sentinel[] = one.example\nsentinel[] = [2001:db8::1]:7001\nmaster = mail',
    {
      kind: 'sentinel',
      sentinels: [
        { host: 'one.example', port: 26379 },
        { host: '2001:db8::1', port: 7001 },
      ],
      master: 'mail',
      sentinelPassword: undefined,
    },
  ],
  [
    'cluster[] = one.example\ncluster[] = 192.0.2.1:7001',
    {
      kind: 'cluster',
      nodes: [
        { host: 'one.example', port: 6379 },
        { host: '192.0.2.1', port: 7001 },
      ],
    },
  ],
]

for (const [lines, place] of places) {
  test(`[redis] ${lines.replaceAll('\n', ', ')}`, () => {
    assert.deepEqual(read(lines)?.place, place)
  })
}

test('[redis] without a line, or not enabled: no Redis', () => {
  assert.equal(read(''), undefined)
  assert.equal(read('enabled = no\nurl = redis://redis.example'), undefined)
})

describe('what cannot be meant is refused, and secrets are not repeated', () => {
  for (const [lines, complaint] of [
    ['url = http://redis.example', /url = \(not shown\): expected redis:/],
    ['url = redis://:hunter2@redis.example/x', /url = \(not shown\)/],
    ['url = redis://redis.example/0?family=6', /url/],
    ['url = redis://', /url/],
    ['key = hunter2', /key = \(not shown\): expected at least 16/],
    ['password = hunter2\npassword = hunter2', /password = \(not shown\): expected only once/],
    ['port = 0', /port = 0/],
    ['timeout = 9ms', /timeout = 9ms: expected a time from 10ms to 2s/],
    ['prefix = {dane}:', /prefix = \{dane\}:/],
    ['prefix = *', /prefix/],
    ['cluster[] = redis.example:0', /cluster\[\]/],
    ['pass = hunter2', /pass = \(not shown\): expected an option that exists/],
    ['Password = hunter2', /Password = \(not shown\)/],
    ['host = redis://:hunter2@redis.example', /host = \(not shown\): expected a name/],
    ['cluster[] = redis://:hunter2@redis.example', /cluster\[\] = \(not shown\)/],
    ['sentinel[] = :hunter2@redis.example', /sentinel\[\] = \(not shown\)/],
    ['cluster[] = a.example\nsentinel[] = b.example', /exclude each other/],
    ['cluster[] = a.example\ndb = 1', /a Cluster has no db but 0/],
    ['master = mail', /go with sentinel/],
    ['cluster = a.example', /a list/],
    ['user = x', /an option that exists/],
  ] as const) {
    test(lines.replaceAll('\n', ', '), () => {
      assert.throws(
        () => read(lines),
        (error: unknown) =>
          error instanceof SettingsError &&
          complaint.test(error.message) &&
          !error.message.includes('hunter2'),
      )
    })
  }
})

describe("what [redis] leaves open comes from Haraka's redis.ini", () => {
  const ini = `[server]
host = shared.example
port = 6400
[opts]
database = 4
password = from-haraka`

  test('all of it', () => {
    const settings = read('enabled = yes', parseRedisIni(ini))
    assert.ok(settings)
    assert.deepEqual(settings.place, single('shared.example', 6400))
    assert.equal(settings.db, 4)
    assert.equal(settings.password, 'from-haraka')
  })

  test('unless dane.ini says otherwise', () => {
    const settings = read('url = redis://:own@own.example/1', parseRedisIni(ini))
    assert.ok(settings)
    assert.deepEqual(settings.place, single('own.example', 6379))
    assert.equal(settings.db, 1)
    assert.equal(settings.password, 'own')
  })

  test('but Redis is not used because Haraka has one', () => {
    assert.equal(read('', parseRedisIni(ini)), undefined)
  })

  test('the older names, and what is no redis.ini', () => {
    assert.deepEqual(parseRedisIni('[server]\nip = 192.0.2.9\ndb = 2'), {
      host: '192.0.2.9',
      port: undefined,
      db: 2,
      username: undefined,
      password: undefined,
    })
    assert.deepEqual(parseRedisIni('no ini at all'), {})
  })
})

test('what Redis repeats of a secret is not repeated again', () => {
  const settings = read('password = hunter2\nkey = hunter3hunter3hunter3')
  assert.ok(settings)
  assert.equal(
    withoutSecrets(settings, "ERR unknown command 'auth', with args: 'hunter2'"),
    "ERR unknown command 'auth', with args: '(not shown)'",
  )
  assert.doesNotMatch(withoutSecrets(settings, 'hunter3hunter3hunter3'), /hunter/)
})

test('how log lines name it: never with a password', () => {
  for (const [lines, text] of [
    ['url = rediss://user:hunter2@redis.example/1', 'rediss://redis.example:6379/1'],
    ['sentinel[] = s.example\npassword = hunter2', /^redis master mymaster of Sentinels s\.ex/],
    ['cluster[] = c.example\nkey = hunter2hunter2hunter2', /^redis Cluster at c\.example:6379$/],
  ] as const) {
    const settings = read(lines)
    assert.ok(settings)
    const said = redisText(settings)
    if (typeof text === 'string') assert.equal(said, text)
    else assert.match(said, text)
    assert.doesNotMatch(said, /hunter2/)
  }
})
