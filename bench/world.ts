/**
 * Where does the bench send its mail?
 *
 * A laboratory of one mail host and any number of destinations, all signed, each with a
 * host name, address and TLSA record of its own, so that nothing that is known of one
 * helps another. The resolver is real, has room for all of it and is asked for everything
 * before anything is measured: what is measured is the relay and not the resolver.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { destination } from '../lab/destination.js'
import { createAuthority, startLaboratory } from '../lab/laboratory.js'
import type { Laboratory } from '../lab/laboratory.js'
import type { MxHost } from '../lab/mx-host.js'
import { ROOT } from '../lab/root.js'
import { PLACE } from '../lab/rows.js'
import type { Row } from '../lab/rows.js'
import { createSteward } from './steward.js'
import type { Relay } from './steward.js'

export type World = {
  readonly laboratory: Laboratory
  readonly domains: readonly string[]
  /** A destination that no figure counts: to have a resolver or a Redis looked at. */
  readonly other: string
  /** The host that takes all the mail. */
  readonly sink: MxHost
  readonly resolverPort: number
  /** For another resolver like it. */
  readonly resolverLines: readonly string[]
  readonly startRelay: (setup: RelaySetup) => Promise<Relay>
  readonly stop: () => Promise<void>
}

export type RelaySetup = {
  /** Lines of dane.ini; undefined: Haraka without the plugin. */
  readonly daneIni: readonly string[] | undefined
  readonly resolverPort?: number
  readonly workers?: number
}

const SINK = 'bench'

export async function startWorld(destinations: number): Promise<World> {
  const authority = await createAuthority()
  const labels = Array.from({ length: destinations }, (_, i) => `d${i}`)
  const { laboratory } = await startLaboratory(async (port) => {
    const { row, host } = await destination(port, authority, SINK, { ttl: DAY })
    return [{ ...row, records: [...row.records, ...labels.flatMap(likeSink(row, port, host))] }]
  })
  const sink = laboratory.hosts.get(`mx-${SINK}.${PLACE.signed}`)
  if (sink === undefined) throw new Error('the host of the bench is missing')
  const resolverLines = [
    // What was asked for once stays known until the end.
    'cache-min-ttl: 86400',
    'cache-max-negative-ttl: 86400',
    'msg-cache-size: 256m',
    'rrset-cache-size: 256m',
  ]
  const { port: resolverPort } = await laboratory.names.startResolver({ more: resolverLines })
  return {
    laboratory,
    domains: labels.map((label) => `${label}.${PLACE.signed}`),
    other: `${SINK}.${PLACE.signed}`,
    sink,
    resolverPort,
    resolverLines,
    async startRelay(setup) {
      const isPlain = setup.daneIni === undefined
      const relay = await laboratory.startRelay(
        'dane',
        {
          unboundPort: setup.resolverPort ?? resolverPort,
          plugins: [...(isPlain ? [] : ['dane']), 'steward'],
          ownPlugins: { steward: readFileSync(path.join(ROOT, 'bench/steward.cjs'), 'utf8') },
          files: { 'outbound.ini': OUTBOUND_INI },
          isLogInFile: true,
          workers: setup.workers ?? 0,
        },
        (setup.daneIni ?? []).join('\n'),
      )
      return createSteward(relay, setup.workers ?? 0)
    },
    stop: () => laboratory.stop(),
  }
}

/** The records of one more destination, its host at the sink's address and with its certificate. */
function likeSink(row: Row, port: number, host: string): (label: string) => readonly string[] {
  const tlsa = / TLSA (.*)$/.exec(row.records.find((line) => line.includes(' TLSA ')) ?? '')?.[1]
  return (label) => {
    const name = `mx-${label}.${PLACE.signed}`
    return [
      `${label}.${PLACE.signed}. ${DAY} MX 10 ${name}.`,
      `${name}. ${DAY} A @ADDRESS:${host}@`,
      `_${port}._tcp.${name}. ${DAY} TLSA ${tlsa ?? ''}`,
    ]
  }
}

const DAY = 86_400

/** As many messages at a time as the Postfix beside it has processes. */
export const AT_ONCE = 100

const OUTBOUND_INI = `local_mx_ok=true
concurrency_max=${AT_ONCE}
connect_timeout=30
temp_fail_intervals=1h*3`
