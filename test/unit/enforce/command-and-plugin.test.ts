/** `haraka-dane verify` and a delivery come to the same result when DNS has changed since it was cached. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { mint, NOON, tlsaFor } from '../../../lab/certificates.js'
import type { Minted } from '../../../lab/certificates.js'
import { investigate } from '../../../src/cli/investigate.js'
import type { AddressReport, Report } from '../../../src/cli/report/report.js'
import { Attempt } from '../../../src/haraka/attempt/attempt.js'
import type { Environment } from '../../../src/haraka/attempt/attempt.js'
import type { Decision } from '../../../src/haraka/attempt/decision.js'
import { HarakaSteps } from '../../../src/haraka/attempt/haraka-steps.js'
import { Settlement } from '../../../src/haraka/attempt/settlement.js'
import { judgeTwice } from '../../../src/haraka/connection/guard-connection.js'
import type { CachedResolver } from '../../../src/lookup.js'
import type { MailEvent } from '../../../src/mail-event.js'
import type { EnforcedPolicy } from '../../../src/policy.js'
import { parseSettings } from '../../../src/settings/settings.js'
import type { PeerChain } from '../../../src/verdict.js'
import { chainOf } from '../../support/chains.js'
import { FakeHmail, PLUGIN } from '../../support/hmails.js'
import { name } from '../../support/names.js'
import { answersOf, resolverOf } from '../../support/scenario.js'

const HOSTS = `
example.org MX secure 10 mx.example.org
mx.example.org AAAA secure nodata`
const ADDRESS = 'mx.example.org A secure 192.0.2.1'
const tlsa = (text: string): string => `_25._tcp.mx.example.org TLSA secure ${text}`

/** A resolver that has cached one state of DNS and finds another when it queries. */
function stale(cached: string, current: string): CachedResolver {
  const memory = resolverOf(answersOf(cached))
  const dns = resolverOf(answersOf(current))
  return {
    lookup: (owner, type) => memory.lookup(owner, type),
    refresh: (owner, type) => dns.lookup(owner, type),
  }
}

/** What one delivery does about the domain, and about the chain that its first host presents. */
async function deliver(
  resolver: CachedResolver,
  chain: PeerChain | undefined,
  policy: EnforcedPolicy,
): Promise<{ readonly text: string; readonly isRolledOver: boolean }> {
  const hmail = new FakeHmail()
  const events: MailEvent[] = []
  const env: Environment = {
    plugin: PLUGIN,
    parts: () => ({
      settings: parseSettings(`policy = ${policy}`),
      resolver,
      deadlineMs: 10_000,
      random: () => 0,
    }),
    toMx: () => ({}),
    codes: { ok: 0, deny: 1, denysoft: 2, delay: 3 },
    withContext: (options) => options,
    now: () => NOON.getTime(),
    report: (_, event) => events.push(event),
  }
  const settlement = new Settlement({
    plugin: PLUGIN,
    hmail,
    steps: new HarakaSteps(PLUGIN, hmail),
    delay: 1,
  })
  const attempt = new Attempt(env, hmail, settlement)
  const text = await outcome(env, attempt, await attempt.decide(), chain)
  return { text, isRolledOver: events.some(({ kind }) => kind === 'rollover') }
}

async function outcome(
  env: Environment,
  attempt: Attempt,
  decision: Decision,
  chain: PeerChain | undefined,
): Promise<string> {
  if (decision.kind !== 'deliver') {
    return `${decision.refusal.reason}: ${decision.refusal.detail}`
  }
  const demand = decision.candidates[0]?.demand
  if (demand === undefined) return 'no DANE'
  const verdict = await judgeTwice(env, attempt, demand, chain)
  return verdict.kind === 'refused' ? `${verdict.reason}: ${verdict.detail}` : verdict.kind
}

/** The same from the command. */
async function verify(
  resolver: CachedResolver,
  chain: PeerChain | undefined,
  policy: EnforcedPolicy,
): Promise<{ readonly text: string; readonly isRolledOver: boolean }> {
  const session = { protocol: 'TLSv1.3', cipher: 'any', local: '192.0.2.9', milliseconds: 1 }
  const steps = investigate(
    {
      resolver,
      probe: () => Promise.resolve({ kind: 'handshake', chain, ...session }),
      now: () => NOON.getTime(),
    },
    {
      domain: name('example.org'),
      judgedAs: policy,
      policy: { policy, source: { kind: 'command' } },
      insecureMx: 'dane',
      port: 25,
      isConnecting: true,
      isHost: false,
    },
  )
  let step = await steps.next()
  while (!step.done) step = await steps.next()
  return reported(step.value)
}

function reported({ discovery, hosts, question }: Report): {
  readonly text: string
  readonly isRolledOver: boolean
} {
  const text = (what: string): { readonly text: string; readonly isRolledOver: boolean } => ({
    text: what,
    isRolledOver: false,
  })
  if (discovery.kind !== 'plan') return text(`${discovery.reason}: ${discovery.detail}`)
  const [host] = hosts
  assert.ok(host)
  const demand = host.demands[question.judgedAs]
  if (demand.kind === 'unreachable') return text(`${demand.reason}: ${demand.detail}`)
  if (demand.kind === 'opportunistic') return text('no DANE')
  const connection: AddressReport['connection'] | undefined = host.addresses[0]?.connection
  assert.ok(connection)
  switch (connection.kind) {
    case 'refused':
      return text(`${connection.reason}: ${connection.detail}`)
    case 'passed':
      return { text: connection.verdict.kind, isRolledOver: connection.isRolledOver }
    case 'failed':
    case 'no-route':
    case 'not-tried':
      return text(connection.kind)
  }
}

describe('when what is cached is out of date', () => {
  let leaf: Minted
  before(async () => {
    leaf = await mint({ subject: 'CN=mx.example.org', names: ['mx.example.org'] })
  })
  const other = (octet: string): string => `3 1 1 ${octet}*32`

  type Case = readonly [
    title: string,
    cached: () => string,
    current: () => string,
    wanted: RegExp,
    policies?: readonly EnforcedPolicy[],
  ]
  const cases: readonly Case[] = [
    [
      'another record, which does not match either: the current one is named',
      () => [HOSTS, ADDRESS, tlsa(other('aa'))].join('\n'),
      () => [HOSTS, ADDRESS, tlsa(other('bb'))].join('\n'),
      /^certificate-mismatch: CN=mx\.example\.org is 3 1 1 \w+\.\.\., expected 3 1 1 bbbbbbbbbbbbbbbb\.\.\.$/,
    ],
    [
      'the record of the new certificate',
      () => [HOSTS, ADDRESS, tlsa(other('aa'))].join('\n'),
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^authenticated$/,
    ],
    [
      'the records have been withdrawn: the cached ones apply to this attempt',
      () => [HOSTS, ADDRESS, tlsa(other('aa'))].join('\n'),
      () => [HOSTS, ADDRESS, tlsa('nodata')].join('\n'),
      /expected 3 1 1 aaaaaaaaaaaaaaaa/,
    ],
    [
      'DNS fails: the cached records apply to this attempt',
      () => [HOSTS, ADDRESS, tlsa(other('aa'))].join('\n'),
      () => [HOSTS, ADDRESS, '_25._tcp.mx.example.org TLSA timeout'].join('\n'),
      /expected 3 1 1 aaaaaaaaaaaaaaaa/,
    ],
    [
      'an address that was missing',
      () => [HOSTS, 'mx.example.org A secure nodata'].join('\n'),
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^authenticated$/,
    ],
    [
      'a domain that did not exist',
      () => 'example.org MX secure nxdomain',
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^authenticated$/,
    ],
    [
      'a domain that does not exist, as before',
      () => 'example.org MX secure nxdomain',
      () => 'example.org MX secure nxdomain',
      /^no-such-domain: /,
    ],
    [
      'TLSA records that were missing, under mandatory',
      () => [HOSTS, ADDRESS, tlsa('nodata')].join('\n'),
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^authenticated$/,
      ['mandatory'],
    ],
    [
      'TLSA records that were missing, under opportunistic: no host is passed over, so the cache counts',
      () => [HOSTS, ADDRESS, tlsa('nodata')].join('\n'),
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^no DANE$/,
      ['opportunistic'],
    ],
    [
      'an insecure MX record that is secure now, under mandatory',
      () =>
        'example.org MX insecure 10 mx.example.org\n' +
        [ADDRESS, tlsa('nodata')].join('\n') +
        '\nmx.example.org AAAA secure nodata',
      () => [HOSTS, ADDRESS, tlsa(tlsaFor(3, 1, 1, leaf))].join('\n'),
      /^authenticated$/,
      ['mandatory'],
    ],
  ]
  for (const [title, cached, current, wanted, policies] of cases) {
    for (const policy of policies ?? (['opportunistic', 'mandatory'] as const)) {
      test(`${policy}: ${title}`, async () => {
        const chain = chainOf(leaf)
        const resolver = stale(cached(), current())
        const log = await deliver(resolver, chain, policy)
        const command = await verify(resolver, chain, policy)
        assert.match(log.text, wanted)
        assert.deepEqual(command, log)
      })
    }
  }

  test('no certificate: nothing that DNS could change', async () => {
    const state = [HOSTS, ADDRESS, tlsa(other('aa'))].join('\n')
    const resolver = stale(state, state)
    const log = await deliver(resolver, undefined, 'opportunistic')
    assert.match(log.text, /^no-certificate: /)
    assert.deepEqual(await verify(resolver, undefined, 'opportunistic'), log)
  })
})
