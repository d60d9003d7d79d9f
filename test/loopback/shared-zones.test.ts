/**
 * Zones that processes share through a real Redis: fewer questions for the second one, and
 * what is done about entries that are not to be believed.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { runCommand } from '../support/command.js'
import { startZoneSharing } from '../support/zone-sharing.js'
import type { LookupProcess, ZoneSharing } from '../support/zone-sharing.js'

let sharing: ZoneSharing
let usual: LookupProcess
let usualConfig: string
before(async () => {
  sharing = await startZoneSharing()
  usualConfig = await sharing.config('usual')
  usual = sharing.start(usualConfig)
})
after(() => sharing.stop())

/** A name that was not looked up before. */
let used = 0
const fresh = (zone = 'signed.example'): string => `n${used++}.${zone}`

const CHAIN = /^(?:DS|DNSKEY) /

/** The keys of zones that one process has written, by its rules. */
async function zoneKeys(rules = ''): Promise<readonly string[]> {
  const keys = (await sharing.redis.cli('keys', `*zone:${rules}*`)).trim().split('\n')
  return keys.filter((key) => key !== '').sort()
}

/** The digest of its rules in the keys of `usual`. */
let usualRules = ''

/** The key of signed.example. */
async function signedKey(): Promise<string> {
  const key = (await zoneKeys(usualRules)).find((each) => each.endsWith(':signed.example'))
  assert.ok(key)
  return key
}

test('another process asks for no DS and no DNSKEY', async () => {
  const first = await sharing.asked(async () => {
    assert.equal(await usual.look(fresh()), 'found secure')
    assert.equal(await usual.look(fresh('unsigned.example')), 'found insecure')
  })
  assert.ok(first.filter((question) => CHAIN.test(question)).length >= 4, first.join())
  // No lookup waits for writing.
  await until('the zones in Redis', async () => (await zoneKeys()).length === 4)
  usualRules = /[0-9a-f]{32}/.exec(await signedKey())?.[0] ?? ''
  const second = sharing.start(await sharing.config('second'))
  assert.notEqual(second.pid, usual.pid)
  for (const [zone, result] of [
    ['signed.example', 'found secure'],
    ['unsigned.example', 'found insecure'],
  ] as const) {
    const name = fresh(zone)
    const asked = await sharing.asked(async () => {
      assert.equal(await second.look(name), result)
    })
    assert.deepEqual(asked, [`A ${name}.`])
  }
})

test('with other trust anchors nothing counts, and nothing is lost', async () => {
  const text = await readFile(sharing.anchorFile, 'utf8')
  const file = path.join(path.dirname(sharing.anchorFile), 'more-anchors')
  await writeFile(file, `${text}\n. IN DS 12345 13 2 ${'ab'.repeat(32)}\n`)
  const other = sharing.start(await sharing.config('more-anchors-config', { anchorFile: file }))
  const asked = await sharing.asked(async () => {
    assert.equal(await other.look(fresh()), 'found secure')
  })
  assert.ok(asked.includes('DNSKEY signed.example.'), asked.join())
  assert.ok(asked.includes('DNSKEY example.'), asked.join())
  await usual.restart()
  const name = fresh()
  assert.deepEqual(await sharing.asked(() => usual.look(name)), [`A ${name}.`])
  // Nor does the answer: a secure one is secure by other keys.
  assert.ok((await sharing.asked(() => other.look(name))).includes(`A ${name}.`))
})

test('with trust anchors that nothing leads to, no answer of others is secure', async () => {
  const name = fresh()
  assert.equal(await usual.look(name), 'found secure')
  const file = path.join(path.dirname(sharing.anchorFile), 'no-anchor')
  await writeFile(file, `. IN DS 12345 13 2 ${'ab'.repeat(32)}\n`)
  const other = sharing.start(await sharing.config('no-anchor-config', { anchorFile: file }))
  assert.match(await other.look(name), /^no-resolver: /)
})

describe('an entry that is not to be believed: the zone is proven again', () => {
  /** What becomes of the entry of signed.example; `of` gives the text of another. */
  const cases: readonly (readonly [
    what: string,
    change: (text: string, of: (zone: string) => Promise<string>) => string | Promise<string>,
  ])[] = [
    ['cut short', (text) => text.slice(0, -10)],
    ['not an entry', () => 'hello'],
    ['empty', () => ''],
    ['40 kB of keys', (text) => text.replace(/\["[^\]]+"\]\]$/, `["${'A'.repeat(40_000)}"]]`)],
    ['of another zone', (_, of) => of('hosts.example')],
    ['of an unsigned zone', (_, of) => of('unsigned.example')],
    ['of another epoch', (text) => text.replace(/^- \d/, '- 9')],
    ['of a clock far ahead', (text) => text.replace(/^(- \S+ )\d/, '$19')],
    ['of other anchors', (text) => text.replace(/\["[0-9a-f]{32}"/, `["${'0'.repeat(32)}"`)],
    ['whose signatures have expired', (text) => text.replace(/,1\d{12},/, ',1000000000000,')],
    ['with a key that is none', (text) => text.replace(/\["[^\]]+"\]\]$/, '["AQEDDQ=="]]')],
    [
      'with the keys of another zone',
      async (text, of) => {
        const [keys = ''] = /\["[^\]]+"\]\]$/.exec(await of('hosts.example')) ?? []
        return text.replace(/\["[^\]]+"\]\]$/, keys)
      },
    ],
  ]
  before(async () => {
    // So that its zone is there too.
    assert.equal(await usual.look(fresh('hosts.example')), 'found secure')
    await until('its zone', async () => (await zoneKeys(usualRules)).length === 5)
  })

  for (const [what, change] of cases) {
    test(what, async () => {
      const { cli } = sharing.redis
      const key = await signedKey()
      const before = (await cli('get', key)).trim()
      const changed = await change(before, async (zone) =>
        (await cli('get', key.replace('signed.example', zone))).trim(),
      )
      assert.notEqual(changed, before)
      await cli('set', key, changed, 'px', '60000')
      await provesAgain(key, changed)
    })
  }

  test('of 300 kB, without an end, or of another type', async () => {
    const { cli } = sharing.redis
    const key = await signedKey()
    // Spaces would not matter to a reader of JSON.
    await cli('eval', `redis.call('append', KEYS[1], string.rep(' ', 300000))`, '1', key)
    await provesAgain(key, (await cli('get', key)).trim())
    await cli('persist', key)
    await provesAgain(key, '')
    await cli('del', key)
    await cli('hset', key, 'field', 'value')
    const asked = await sharing.asked(async () => {
      await usual.restart()
      assert.equal(await usual.look(fresh()), 'found secure')
    })
    assert.ok(asked.includes('DNSKEY signed.example.'), asked.join())
    await cli('del', key)
  })

  async function provesAgain(key: string, changed: string): Promise<void> {
    const asked = await sharing.asked(async () => {
      await usual.restart()
      assert.equal(await usual.look(fresh()), 'found secure')
    })
    assert.ok(asked.includes('DNSKEY signed.example.'), asked.join())
    // What is proven replaces it.
    const { cli } = sharing.redis
    await until('the entry', async () => {
      const text = (await cli('get', key)).trim()
      return text !== changed && Number(await cli('pttl', key)) > 0
    })
  }
})

describe('haraka-dane cache', () => {
  const cache = async (...args: readonly string[]) => {
    const { code, lines, stderr } = await runCommand(['cache', ...args, '--config', usualConfig])
    return { code, lines, stderr }
  }
  before(async () => {
    await usual.restart()
    for (const zone of ['signed.example', 'hosts.example', 'unsigned.example']) {
      await usual.look(fresh(zone))
    }
    assert.equal(await usual.look('signed.example', 'MX'), 'found secure')
    await until('the zones', async () => (await zoneKeys(usualRules)).length === 5)
  })

  test('show: the zones of the domain and of its hosts, with their keys', async () => {
    const { code, lines, stderr } = await cache('show', 'signed.example', 'n1.unsigned.example')
    assert.equal(code, 0, stderr)
    const zones = lines.filter((line) => line.startsWith('zone '))
    const secure = /^zone (\S+) SECURE ttl=\d+ key \d+ 13 ECDSAP256SHA256$/
    assert.deepEqual(
      zones.map((line) => secure.exec(line)?.[1] ?? line.replace(/ttl=\d+/, 'ttl')),
      [
        'signed.example',
        'hosts.example',
        'zone unsigned.example INSECURE ttl unsigned.example has no DS',
      ],
    )
  })

  test('show: a zone that is not believed', async () => {
    const key = await signedKey()
    const text = (await sharing.redis.cli('get', key)).trim()
    await sharing.redis.cli('set', key, 'hello', 'px', '60000')
    const { lines } = await cache('show', 'signed.example')
    assert.match(lines.join('\n'), /^zone signed\.example is present but ignored: damaged, /m)
    await sharing.redis.cli('set', key, text, 'px', '60000')
  })

  test('purge: the zones of the domain and its hosts are proven again, in every process', async () => {
    const others = /:(?:\.|example|unsigned\.example)$/
    const kept = (await zoneKeys(usualRules)).filter((key) => others.test(key))
    const { code, lines, stderr } = await cache('purge', 'signed.example')
    assert.equal(code, 0, stderr)
    assert.match(lines[0] ?? '', /^\d answers and 2 zones purged from redis:/)
    assert.deepEqual(await zoneKeys(usualRules), kept)
    // A process that connects again sees at once what it would see within five seconds.
    await sharing.redis.cli('client', 'kill', 'type', 'normal')
    await until('the purge to be noticed', async () => {
      const asked = await sharing.asked(() => usual.look(fresh()))
      return asked.includes('DNSKEY signed.example.')
    })
  })

  test('purge --all: every zone', async () => {
    const { code, lines, stderr } = await cache('purge', '--all')
    assert.equal(code, 0, stderr)
    assert.match(lines[0] ?? '', /^\d+ answers and [4-9] zones purged from redis:/)
    assert.deepEqual(await zoneKeys(usualRules), [])
  })
})

test('with a key, entries of others are ignored', async () => {
  const redis = (key: string) => ['prefix = sealed:', `key = ${key}`]
  const ours = sharing.start(await sharing.config('ours', { redis: redis('0123456789abcdef') }))
  assert.equal(await ours.look(fresh()), 'found secure')
  const theirs = sharing.start(await sharing.config('theirs', { redis: redis('fedcba9876543210') }))
  const asked = await sharing.asked(async () => {
    assert.equal(await theirs.look(fresh()), 'found secure')
  })
  assert.ok(asked.includes('DNSKEY signed.example.'), asked.join())
})

test('Redis falls silent and then ends: the zones are proven from DNS', async () => {
  const gone = sharing.start(await sharing.config('gone', { redis: ['timeout = 100ms'] }))
  const steps: readonly (() => Promise<unknown>)[] = [
    () => sharing.redis.cli('client', 'pause', '60000'),
    async () => {
      sharing.redis.child.signal('SIGKILL')
      await sharing.redis.child.exited
    },
  ]
  for (const step of steps) {
    await gone.restart()
    // The lookup may have begun when it happens.
    const [result] = await Promise.all([gone.look(fresh()), step()])
    assert.equal(result, 'found secure')
    await gone.restart()
    const asked = await sharing.asked(async () => {
      assert.equal(await gone.look(fresh()), 'found secure')
    })
    assert.ok(asked.includes('DNSKEY signed.example.'), asked.join())
  }
})
