import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SettingsError } from '../../../src/settings/option-reader.js'
import { parseRedisIni } from '../../../src/settings/redis-ini.js'
import type { RedisDefaults } from '../../../src/settings/redis-ini.js'
import { redisText, withoutSecrets } from '../../../src/settings/redis-settings.js'
import type { RedisPlace, RedisSettings } from '../../../src/settings/redis-settings.js'
import { parseSettings } from '../../../src/settings/settings.js'

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
  ['path = /run/redis.sock', { kind: 'socket', path: '/run/redis.sock' }],
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

describe('invalid values are refused, and secrets are not repeated', () => {
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
    ['pass = hunter2', /unknown option \[redis\] pass$/],
    ['Password = hunter2', /unknown option \[redis\] Password$/],
    ['host = redis://:hunter2@redis.example', /host = \(not shown\): expected a name/],
    ['cluster[] = redis://:hunter2@redis.example', /cluster\[\] = \(not shown\)/],
    ['sentinel[] = :hunter2@redis.example', /sentinel\[\] = \(not shown\)/],
    ['cluster[] = a.example\nsentinel[] = b.example', /cannot be combined/],
    ['cluster[] = a.example\ndb = 1', /db must be 0 with a Cluster/],
    ['master = mail', /need sentinel/],
    ['cluster = a.example', /a list/],
    ['path = redis.sock', /path = \(not shown\)|path = redis.sock/],
    ['path = /run/redis.sock\nport = 6379', /path cannot be combined/],
    ['user = x', /unknown option \[redis\] user/],
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

describe("unset options of [redis] come from Haraka's redis.ini", () => {
  const ini = `[server]
host = shared.example
port = 6400
[opts]
database = 4
password = from-haraka`

  test('all options', () => {
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

  test('Redis is not enabled merely because Haraka has one', () => {
    assert.equal(read('', parseRedisIni(ini)), undefined)
  })

  for (const [lines, place, rest] of [
    ['[server]\nip = 192.0.2.9\ndb = 2', single('192.0.2.9', 6379), { db: 2 }],
    ['[server]\npath = /run/redis.sock\nport = 1', { kind: 'socket', path: '/run/redis.sock' }, {}],
    [
      '[server]\nhost = a.example\ntls = true\ndatabase = 3\nusername = u\npassword = p',
      single('a.example', 6379),
      { isTls: true, db: 3, username: 'u', password: 'p' },
    ],
    [
      '[server]\npassword = server\n[opts]\npassword = opts\ntls = yes\nhost = o.example\nport = 7',
      single('o.example', 7),
      { password: 'server', isTls: true },
    ],
    [
      '[server]\nhost = a.example\nurl = rediss://u:p@b.example:7/5',
      single('b.example', 7),
      { isTls: true, db: 5, username: 'u', password: 'p' },
    ],
    ['[server]\nhost = a.example\nhost = b.example', single('b.example', 6379), {}],
    ['[server]\nhost = a.example\ntls = no\nconnectTimeout = 5', single('a.example', 6379), {}],
    ['[pubsub]\nhost = p.example\n[main]\nx = y', single('127.0.0.1', 6379), {}],
  ] as const) {
    test(lines.replaceAll('\n', ', '), () => {
      const settings = read('enabled = yes', parseRedisIni(lines))
      assert.ok(settings)
      assert.deepEqual(settings.place, place)
      const { db, isTls, username, password } = settings
      const none = { db: 0, isTls: false, username: undefined, password: undefined }
      assert.deepEqual({ db, isTls, username, password }, { ...none, ...rest })
    })
  }

  for (const [lines, complaint] of [
    ['[server]\nsocket = /run/redis.sock', /^redis.ini line 2: \[server\] socket is not supported/],
    ['[opts]\ncredentialsProvider = x', /^redis.ini line 2: \[opts\] credentialsProvider is not/],
    ['[server]\nhost[] = a', /^redis.ini line 2: \[server\] host is not supported/],
    ['[server]\ntls = maybe', /^redis.ini: tls = maybe: expected yes or no/],
    ['[server]\nport = 99999', /^redis.ini: port = 99999: expected a whole number/],
    ['[opts]\ndatabase = mail', /^redis.ini: database = mail: expected a whole number/],
    ['[server]\nurl = http://:hunter2@a', /^redis.ini: url = \(not shown\): expected redis:/],
    ['[server]\npath = redis.sock', /^redis.ini: path = redis.sock: expected the path/],
    ['no ini at all', /^redis.ini line 1: neither/],
  ] as const) {
    test(`${lines.replaceAll('\n', ', ')}: refused where Redis is used, and only there`, () => {
      const isRefusal = (error: unknown): boolean =>
        error instanceof SettingsError && complaint.test(error.message)
      assert.throws(() => read('enabled = yes', parseRedisIni(lines)), isRefusal)
      assert.equal(read('', parseRedisIni(lines)), undefined)
      assert.equal(read('enabled = no', parseRedisIni(lines)), undefined)
    })
  }

  test('TLS and the socket of redis.ini give way to an address in dane.ini', () => {
    const ini = '[server]\npath = /run/redis.sock\ntls = yes'
    assert.deepEqual(read('host = a.example', parseRedisIni(ini))?.place, single('a.example', 6379))
    assert.equal(read('host = a.example', parseRedisIni(ini))?.isTls, true)
    assert.equal(read('url = redis://a.example', parseRedisIni(ini))?.isTls, false)
  })
})

test('a secret echoed by Redis is not logged', () => {
  const settings = read('password = hunter2\nkey = hunter3hunter3hunter3')
  assert.ok(settings)
  assert.equal(
    withoutSecrets(settings, "ERR unknown command 'auth', with args: 'hunter2'"),
    "ERR unknown command 'auth', with args: '(not shown)'",
  )
  assert.doesNotMatch(withoutSecrets(settings, 'hunter3hunter3hunter3'), /hunter/)
})

test('its name in log lines never includes a password', () => {
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
