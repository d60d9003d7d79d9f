/** The parts put together by settings, against a scripted resolver. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { assembleResolver } from '../../src/assemble.js'
import type { LookupEvent } from '../../src/lookup.js'
import { SettingsError } from '../../src/option-reader.js'
import { parseSettings } from '../../src/settings.js'
import { ANSWERED, FLAG, reply, rr, TYPE } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'
import { name } from '../support/names.js'

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!isSo()) {
    assert.ok(Date.now() < deadline, what)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('what a resolver said is not remembered once it is found not to validate [R6698-4.1-c]', async () => {
  let isValidating = true
  const server = await startDnsServer(({ id, spelling, type }) => {
    const answer = type === TYPE.A ? rr.a(spelling, '192.0.2.1', 86_400) : rr.soa('.', 60)
    const flags = isValidating ? ANSWERED | FLAG.AD : ANSWERED
    return [reply({ id, flags, question: { name: spelling, type }, answer: [answer] })]
  })
  const events: LookupEvent[] = []
  const resolver = assembleResolver(
    parseSettings(`[resolver]\nserver[] = 127.0.0.1:${server.port}\nprobe_interval = 1s`),
    (event) => events.push(event),
  )
  const ask = async (): Promise<string> => {
    const lookup = await resolver.lookup(name('mx.example'), 'A')
    return lookup.kind === 'failed' ? lookup.cause : lookup.kind
  }
  const changes = (): number => events.filter(({ kind }) => kind === 'resolvers').length
  assert.equal(await ask(), 'found')
  isValidating = false
  await until('the resolver is found out', () => changes() === 1)
  assert.equal(await ask(), 'no-resolver')
  isValidating = true
  await until('the resolver is back', () => changes() === 2)
  const before = server.asked.filter(({ type }) => type === TYPE.A).length
  assert.equal(await ask(), 'found')
  assert.equal(server.asked.filter(({ type }) => type === TYPE.A).length, before + 1)
  resolver.close()
  await server.stop()
})

test('names go out as they are to a resolver on this machine', async () => {
  const server = await startDnsServer(({ id, spelling, type }) => [
    reply({ id, flags: ANSWERED | FLAG.AD, question: { name: spelling, type } }),
  ])
  const resolver = assembleResolver(
    parseSettings(`[resolver]\nserver[] = 127.0.0.1:${server.port}`),
    () => undefined,
  )
  await resolver.lookup(name('a-long-name-with-many-letters.example'), 'A')
  assert.equal(server.asked.at(-1)?.spelling, 'a-long-name-with-many-letters.example')
  resolver.close()
  await server.stop()
})

test('a file of authorities that holds none is refused, not replaced by the public ones', async () => {
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
