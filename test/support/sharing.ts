/**
 * Relays that share DNS facts through Redis: starts them, sends them mail in
 * bursts, and reports what arrived, what was verified and how long it took.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { until } from '../../lab/child.js'
import { destinations } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import type { Haraka } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import type { Authority, Row } from '../../lab/rows.js'

export const domainOf = (label: string): string => `${label}.${PLACE.signed}`
export const hostOf = (label: string): string => `mx-${label}.${PLACE.signed}`

export type Setup = {
  readonly resolverPort?: number
  /** Additional lines of [resolver]. */
  readonly resolverLines?: readonly string[]
  readonly redisLines: readonly string[]
  readonly policyLines?: readonly string[]
  readonly workers?: number
  /** How far the relay's wall clock is ahead, in milliseconds. */
  readonly aheadMs?: number
}

export type Sharing = {
  readonly laboratory: Laboratory
  readonly authority: Authority
  readonly rows: readonly Row[]
  readonly startRelay: (setup: Setup) => Promise<Haraka>
  /** The outcome of one message to this recipient. */
  readonly deliver: (relay: Haraka, to: string) => Promise<string>
  /** Recipients whose mail this host accepted. */
  readonly arrivals: (host: string) => readonly Arrival[]
}

type Arrival = { readonly to: string; readonly isEncrypted: boolean }

/** @param labels destinations, and the options of each */
export async function startSharing(
  labels: Readonly<Record<string, DestinationOptions>>,
): Promise<Sharing> {
  const authority = await createAuthority()
  const { laboratory, rows } = await startLaboratory(async (port) => {
    return destinations(port, labels, authority)
  })
  return {
    laboratory,
    authority,
    rows,

    startRelay({
      resolverPort,
      resolverLines = [],
      redisLines,
      policyLines = [],
      workers = 0,
      aheadMs = 0,
    }) {
      const daneIni = [
        ...policyLines,
        '[resolver]',
        `server[] = 127.0.0.1:${resolverPort ?? laboratory.names.unboundPort}`,
        ...resolverLines,
        '[redis]',
        ...redisLines,
      ]
      const files = {
        'outbound.ini': 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=1h*3',
      }
      const options =
        aheadMs === 0
          ? {}
          : { plugins: ['clock', 'dane'], ownPlugins: { clock: clockAhead(aheadMs) } }
      return laboratory.startRelay('dane', { files, workers, ...options }, daneIni.join('\n'))
    },

    async deliver(relay, to) {
      const outcome = await relay.outcomeOf(await relay.submit(to))
      return outcome.kind === 'delivered' ? outcome.kind : `${outcome.kind}: ${outcome.reason}`
    },

    arrivals: (host) =>
      (laboratory.hosts.get(host)?.sessions ?? [])
        .filter(({ delivered }) => delivered.length > 0)
        .flatMap(({ recipients }) => recipients),
  }
}

/** A plugin that sets the wall clock of the whole process, not only of Haraka's plugin sandbox. */
function clockAhead(milliseconds: number): string {
  return [
    `const clock = require('node:events').constructor('return Date')()`,
    'const now = clock.now',
    `clock.now = () => now() + ${milliseconds}`,
    'exports.register = () => undefined',
    '',
  ].join('\n')
}

/** How often the log has this text. */
export const count = (relay: Haraka, text: string): number =>
  relay.log().filter((line) => line.includes(text)).length

/** Messages in a burst; set with `BURST=500 npm test -- redis-faults`. */
export const BURST = Number(process.env['BURST'] ?? 250)

/** Sends a burst, each message to a domain not queried before, and injects a fault halfway. */
export async function burst(
  context: TestContext,
  { arrivals }: Sharing,
  relay: Haraka,
  label: string,
  fault: () => Promise<void> = () => Promise.resolve(),
  size = BURST,
): Promise<void> {
  const recipients = Array.from({ length: size }, (_, i) => `m@${label}-${i}.${domainOf('many')}`)
  const arrived = (): readonly Arrival[] =>
    arrivals(hostOf('many')).filter(({ to }) => to.startsWith(`m@${label}-`))
  const startedAt = Date.now()
  const submitted = Promise.all(recipients.map((each) => relay.submit(each)))
  await until('a third', () => arrived().length >= size / 3, { timeoutMs: 60_000 })
  const third = { count: arrived().length, at: Date.now() }
  await fault()
  await submitted
  await until('all of them', () => arrived().length >= size, { timeoutMs: 90_000 })
  const rate = (count: number, milliseconds: number): string =>
    `${Math.round((1000 * count) / Math.max(1, milliseconds))}/s`
  context.diagnostic(
    `${label}: ${rate(third.count, third.at - startedAt)} before, ` +
      `${rate(size - third.count, Date.now() - third.at)} from the fault on`,
  )
  const all = arrived()
  assert.equal(all.length, size, 'none lost, none twice')
  assert.deepEqual(new Set(all.map(({ to }) => to)), new Set(recipients))
  assert.ok(all.every(({ isEncrypted }) => isEncrypted))
  const verified = relay
    .log()
    .filter((line) => line.includes('TLS success') && line.includes(` for ${label}-`))
  assert.equal(verified.length, size)
  assert.ok(relay.child.isRunning())
}
