/**
 * The laboratory of the bench.
 *
 * One mail host and any number of destinations, all signed, each with its own
 * host name, address and TLSA record, so that cached data of one does not
 * help another. The resolver is real, has room for all of it and is queried for everything
 * in advance: the relay is measured, not the resolver.
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
  /** A destination not counted in any figure, for warming up a resolver or a Redis. */
  readonly other: string
  /** The host that accepts all mail. */
  readonly sink: MxHost
  readonly resolverPort: number
  /** Options for another resolver like it. */
  readonly resolverLines: readonly string[]
  readonly startRelay: (setup: RelaySetup) => Promise<Relay>
  readonly stop: () => Promise<void>
}

export type RelaySetup = {
  /** Lines of dane.ini; undefined: Haraka without the plugin. */
  readonly daneIni: readonly string[] | undefined
  readonly resolverPort?: number
  /** Lines of [resolver] other than `server`. */
  readonly resolverLines?: readonly string[]
  readonly workers?: number
  /** Additional configuration files, by name. */
  readonly files?: Readonly<Record<string, string>>
}

const SINK = 'bench'
const TLD = 'example'

/** Where the destinations are: all in one zone, or each in a signed zone of its own below one TLD. */
export type Zoning = 'one zone' | 'zone each'

export async function startWorld(
  destinations: number,
  zoning: Zoning = 'one zone',
): Promise<World> {
  const authority = await createAuthority()
  const parent = zoning === 'one zone' ? PLACE.signed : TLD
  const domains = Array.from({ length: destinations }, (_, i) => `d${i}.${parent}`)
  const nameOfHost = (domain: string): string =>
    zoning === 'one zone' ? `mx-${domain}` : `mx.${domain}`
  const { laboratory } = await startLaboratory(
    async (port) => {
      const { row, host } = await destination(port, authority, SINK, { ttl: DAY })
      const like = likeSink(row, port, host, nameOfHost)
      return [{ ...row, records: [...row.records, ...domains.flatMap(like)] }]
    },
    zoning === 'one zone' ? [] : domains,
  )
  const sink = laboratory.hosts.get(`mx-${SINK}.${PLACE.signed}`)
  if (sink === undefined) throw new Error('the host of the bench is missing')
  const resolverLines = [
    // Answers stay cached until the end.
    'cache-min-ttl: 86400',
    'cache-max-negative-ttl: 86400',
    'msg-cache-size: 256m',
    'rrset-cache-size: 256m',
  ]
  const { port: resolverPort } = await laboratory.names.startResolver({ more: resolverLines })
  return {
    laboratory,
    domains,
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
          ...(setup.resolverLines && { resolverLines: setup.resolverLines }),
          plugins: [...(isPlain ? [] : ['dane']), 'steward'],
          ownPlugins: { steward: readFileSync(path.join(ROOT, 'bench/steward.cjs'), 'utf8') },
          files: { 'outbound.ini': OUTBOUND_INI, ...setup.files },
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
function likeSink(
  row: Row,
  port: number,
  host: string,
  nameOfHost: (domain: string) => string,
): (domain: string) => readonly string[] {
  const tlsa = / TLSA (.*)$/.exec(row.records.find((line) => line.includes(' TLSA ')) ?? '')?.[1]
  return (domain) => {
    const name = nameOfHost(domain)
    return [
      `${domain}. ${DAY} MX 10 ${name}.`,
      `${name}. ${DAY} A @ADDRESS:${host}@`,
      `_${port}._tcp.${name}. ${DAY} TLSA ${tlsa ?? ''}`,
      `_smtp._tls.${domain}. ${DAY} TXT "v=TLSRPTv1; rua=mailto:tlsrpt@${domain}"`,
    ]
  }
}

const DAY = 86_400

/** The concurrency, equal to the process limit of the Postfix it is compared with. */
export const AT_ONCE = 100

const OUTBOUND_INI = `local_mx_ok=true
concurrency_max=${AT_ONCE}
connect_timeout=30
temp_fail_intervals=1h*3`
