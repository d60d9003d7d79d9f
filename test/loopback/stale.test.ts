/** What comes of a real Unbound that serves what has expired (RFC 8767), and says so or not. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { startNameServers } from '../../lab/name-servers.js'
import type { NameServers } from '../../lab/name-servers.js'
import type { Zone } from '../../lab/zones.js'
import { assembleResolver } from '../../src/assemble.js'
import { resolverFindings } from '../../src/cli/check/resolvers.js'
import { inTime, planDomain } from '../../src/enforce/plan.js'
import type { CachedResolver } from '../../src/lookup.js'
import type { Discovery } from '../../src/plan.js'
import { parseSettings } from '../../src/settings/settings.js'
import { name } from '../support/names.js'

const OLD = ['host 1 MX 10 mx.signed.example.', 'mx 1 A 192.0.2.1']
const TLSA = `_25._tcp.mx 1 TLSA 3 1 1 ${'ab'.repeat(32)}`

function zones(records: readonly string[]): readonly Zone[] {
  return [
    { origin: '', state: 'signed', records: [] },
    { origin: 'example', state: 'signed', records: [] },
    { origin: 'signed.example', state: 'signed', records },
  ]
}

/** Unbound that keeps nothing for longer than a second, and serves it for an hour. */
async function withStale(
  isSaid: boolean,
  work: (names: NameServers, port: number, resolver: CachedResolver) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-stale-'))
  const names = await startNameServers(folder, zones(OLD))
  try {
    const { port } = await names.startResolver({
      more: [
        'cache-max-ttl: 1',
        'cache-max-negative-ttl: 1',
        'serve-expired: yes',
        'serve-expired-ttl: 3600',
        'serve-expired-client-timeout: 0',
        `ede-serve-expired: ${isSaid ? 'yes' : 'no'}`,
      ],
    })
    const resolver = assembleResolver(settingsFor(port), () => undefined)
    try {
      await work(names, port, resolver)
    } finally {
      resolver.close()
    }
  } finally {
    await names.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function settingsFor(port: number): ReturnType<typeof parseSettings> {
  return parseSettings(`[resolver]\nserver[] = 127.0.0.1:${port}\ntrust = yes\ntimeout = 2s`)
}

async function plan(resolver: CachedResolver, domain: string): Promise<string> {
  const options = { policy: 'opportunistic', insecureMx: 'dane', port: 25 } as const
  const found: Discovery = await inTime(resolver, 10_000, (timed) =>
    planDomain(timed, name(domain), options),
  )
  if (found.kind !== 'plan') return `${found.kind} ${found.reason}`
  return found.hosts.map(({ policy }) => policy.kind).join()
}

/** On a busy machine no address may be known in time: not sent, and so not sent unverified. */
const HELD_OR_VERIFIED = /^authenticate$|^unreachable$|^unresolved/

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

for (const isSaid of [true, false]) {
  describe(`Unbound that serves what has expired and ${isSaid ? 'says so' : 'does not say so'}`, () => {
    test('a domain that exists by now is not returned (RFC 8767 §7)', async () => {
      await withStale(isSaid, async (names, _, resolver) => {
        assert.equal(await plan(resolver, 'new.signed.example'), 'undeliverable no-such-domain')
        await names.publish(zones([...OLD, 'new 1 MX 10 mx.signed.example.']))
        await pass(2_500)
        assert.equal(await plan(resolver, 'new.signed.example'), 'opportunistic')
      })
    })
  })
}

describe('Unbound that cannot ask any more and says so', () => {
  test('mail is neither returned nor sent without DANE by what has expired (RFC 8767 §7)', async () => {
    await withStale(true, async (names, _, resolver) => {
      assert.equal(await plan(resolver, 'gone.signed.example'), 'undeliverable no-such-domain')
      assert.equal(await plan(resolver, 'host.signed.example'), 'opportunistic')
      await names.nsd.stop()
      await pass(2_500)
      assert.match(await plan(resolver, 'gone.signed.example'), /^unresolved mx-lookup-failed$/)
      assert.match(await plan(resolver, 'host.signed.example'), /^unreachable$|^unresolved/)
    })
  })

  test('records that demand DANE are still demanded (RFC 8767 §5)', async () => {
    await withStale(true, async (names, _, resolver) => {
      await names.publish(zones([...OLD, TLSA]))
      await pass(1_500)
      await plan(resolver, 'host.signed.example')
      await pass(1_500)
      assert.equal(await plan(resolver, 'host.signed.example'), 'authenticate')
      await names.nsd.stop()
      await pass(2_500)
      assert.match(await plan(resolver, 'host.signed.example'), HELD_OR_VERIFIED)
    })
  })
})

describe('haraka-dane check', () => {
  test('reports a resolver that serves what has expired', async () => {
    await withStale(true, async (_, port) => {
      const { resolver } = settingsFor(port)
      const findings = await resolverFindings(resolver, [name('host.signed.example')])
      const found = findings.find(({ text }) => text.includes('serves answers that have expired'))
      assert.equal(found?.level, 'warning', JSON.stringify(findings))
      assert.match(found.todo ?? '', /serve-expired/)
    })
  })

  test('and says nothing of one that does not', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'dane-stale-'))
    const names = await startNameServers(folder, zones(OLD))
    try {
      const { resolver } = settingsFor(names.unboundPort)
      const findings = await resolverFindings(resolver, [name('host.signed.example')])
      assert.ok(
        findings.every(({ text }) => !text.includes('expired')),
        JSON.stringify(findings),
      )
    } finally {
      await names.stop()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
