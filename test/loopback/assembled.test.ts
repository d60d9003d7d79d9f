/** The parts as assembled from settings, against a scripted resolver. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startRedis } from '../../lab/redis.js'
import { assembleResolver, openMember } from '../../src/assemble.js'
import type { LookupEvent } from '../../src/lookup.js'
import { SettingsError } from '../../src/settings/option-reader.js'
import { parseSettings } from '../../src/settings/settings.js'
import { ANSWERED, FLAG, reply, rr, TYPE } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'
import { name } from '../support/names.js'

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!isSo()) {
    assert.ok(Date.now() < deadline, what)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('answers of a resolver are discarded once it is found not to validate [R6698-4.1-c]', async () => {
  let isValidating = true
  const server = await startDnsServer(({ id, spelling, type }) => {
    const answer = type === TYPE.A ? rr.a(spelling, '192.0.2.1', 86_400) : rr.soa('.', 60)
    const flags = isValidating ? ANSWERED | FLAG.AD : ANSWERED
    return [reply({ id, flags, question: { name: spelling, type }, answer: [answer] })]
  })
  const events: LookupEvent[] = []
  const resolver = assembleResolver(
    parseSettings(
      `[resolver]\ntrust = yes\nserver[] = 127.0.0.1:${server.port}\nprobe_interval = 1s`,
    ),
    (event) => events.push(event),
  )
  const ask = async (): Promise<string> => {
    const lookup = await resolver.lookup(name('mx.example'), 'A')
    return lookup.kind === 'failed' ? lookup.cause : lookup.kind
  }
  const changes = (): number => events.filter(({ kind }) => kind === 'resolvers').length
  try {
    assert.equal(await ask(), 'found')
    isValidating = false
    await until('the resolver is found out', () => changes() === 1)
    assert.equal(await ask(), 'no-resolver')
    isValidating = true
    await until('the resolver is back', () => changes() === 2)
    const before = server.asked.filter(({ type }) => type === TYPE.A).length
    assert.equal(await ask(), 'found')
    assert.equal(server.asked.filter(({ type }) => type === TYPE.A).length, before + 1)
  } finally {
    resolver.close()
    await server.stop()
  }
})

test('settings are reloaded while Redis hangs: stored entries are still invalidated', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-'))
  const redis = await startRedis(folder)
  let isValidating = true
  const server = await startDnsServer(({ id, spelling, type }) => {
    const answer = type === TYPE.A ? rr.a(spelling, '192.0.2.1', 86_400) : rr.soa('.', 60)
    const flags = isValidating ? ANSWERED | FLAG.AD : ANSWERED
    return [reply({ id, flags, question: { name: spelling, type }, answer: [answer] })]
  })
  const lines = [
    ...['[resolver]', 'trust = yes', `server[] = 127.0.0.1:${server.port}`, 'probe_interval = 1s'],
    ...['[redis]', `url = redis://127.0.0.1:${redis.port}`],
  ]
  const events: LookupEvent[] = []
  const resolver = assembleResolver(parseSettings(lines.join('\n')), (event) => events.push(event))
  try {
    await resolver.lookup(name('mx.example'), 'A')
    const before = await redis.cli('get', 'dane:2:epoch')
    redis.child.signal('SIGSTOP')
    isValidating = false
    await until('it is found out', () => events.some((event) => event.kind === 'resolvers'))
    resolver.close()
    redis.child.signal('SIGCONT')
    let now = before
    for (let i = 0; now === before && i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      now = await redis.cli('get', 'dane:2:epoch')
    }
    assert.notEqual(now, before)
  } finally {
    resolver.close()
    await server.stop()
    await redis.child.stop()
    await rm(folder, { recursive: true })
  }
})

test('only the AD bit of a resolver that may be believed is tried [R4035-4.9.3-a]', async () => {
  // It has no signatures to pass on.
  let ad: number = FLAG.AD
  const server = await startDnsServer(({ id, spelling, type }) => {
    const answer = [type === TYPE.A ? rr.a(spelling, '192.0.2.1') : rr.soa('.', 60)]
    return [reply({ id, flags: ANSWERED | ad, question: { name: spelling, type }, answer })]
  })
  const open = (lines: string) => {
    const { resolver } = parseSettings(`[resolver]\n${lines}\nserver[] = 127.0.0.1:${server.port}`)
    const [address] = resolver.servers
    assert.ok(address)
    return openMember(address, resolver, () => undefined)
  }
  try {
    for (const [lines, probed, lookup] of [
      ['', 'unusable', 'insecure'],
      ['trust = yes', 'validating', 'secure'],
      ['validation = own', 'unusable', 'insecure'],
      ['trust = yes\nvalidation = own', 'unusable', 'insecure'],
      ['trust = yes\nvalidation = resolver', 'validating', 'secure'],
    ] as const) {
      const member = open(lines)
      const result = await member.probe(Date.now() + 5_000)
      const answer = await member.lookup(name('mx.example'), 'A', Date.now() + 5_000)
      member.close()
      assert.deepEqual([result.kind, answer.kind === 'found' && answer.security], [probed, lookup])
    }
    ad = 0
    const member = open('trust = yes')
    const result = await member.probe(Date.now() + 5_000)
    member.close()
    // What it had been believed for is known to be wrong, whatever it is used for now.
    assert.equal(result.kind === 'unusable' && result.byItself?.kind, 'not-validating')
  } finally {
    await server.stop()
  }
})

test('0x20 is not used for a resolver on this machine', async () => {
  const server = await startDnsServer(({ id, spelling, type }) => [
    reply({ id, flags: ANSWERED | FLAG.AD, question: { name: spelling, type } }),
  ])
  const resolver = assembleResolver(
    parseSettings(`[resolver]\ntrust = yes\nserver[] = 127.0.0.1:${server.port}`),
    () => undefined,
  )
  try {
    await resolver.lookup(name('a-long-name-with-many-letters.example'), 'A')
    assert.equal(server.asked.at(-1)?.spelling, 'a-long-name-with-many-letters.example')
  } finally {
    resolver.close()
    await server.stop()
  }
})

test('a CA file without certificates is refused, not replaced by the public CAs', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-'))
  const file = path.join(folder, 'ca.pem')
  for (const text of [undefined, '', 'no certificate']) {
    if (text !== undefined) await writeFile(file, text)
    for (const lines of [
      `[resolver]\nserver[] = tls://127.0.0.1#dns.example\nca_file = ${file}`,
      `[redis]\nurl = rediss://127.0.0.1:1\nca_file = ${file}`,
    ]) {
      assert.throws(
        () => assembleResolver(parseSettings(lines), () => undefined),
        (error: unknown) => error instanceof SettingsError && error.message.includes(file),
      )
    }
  }
  await rm(folder, { recursive: true })
})
