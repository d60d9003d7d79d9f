/**
 * Runs the laboratory's DNS servers.
 *
 * NSD serves the zones of zones.ts, Unbound resolves and validates them under the
 * laboratory's own trust anchor; both on loopback and free ports, in a folder of
 * their own. Unbound finds each zone at NSD's one address through a stub, since
 * referrals cannot name a port.
 */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openMember } from '../src/assemble.js'
import type { RecordType, Resolver } from '../src/lookup.js'
import { parseDomainName } from '../src/name.js'
import { parseSettings } from '../src/settings/settings.js'
import { startChild, until } from './child.js'
import { freePort } from './free-port.js'
import type { Child } from './child.js'
import { buildZones } from './zones.js'
import type { Zone, ZoneFiles } from './zones.js'

export type NameServers = {
  readonly nsdPort: number
  readonly unboundPort: number
  readonly nsd: Child
  readonly unbound: Child
  /** DS of the laboratory's root, for `trust_anchors`. */
  readonly trustAnchorFile: string
  /** A plain stub on Unbound, without a cache. */
  readonly resolver: Resolver
  /** Another Unbound on the same zones, stopped with the rest unless stopped before. */
  readonly startResolver: (options?: UnboundOptions) => Promise<{ port: number; child: Child }>
  /** Rewrites and signs the zones and reloads NSD; Unbound keeps its cache. */
  readonly publish: (zones: readonly Zone[]) => Promise<void>
  readonly stop: () => Promise<void>
}

export type UnboundOptions = {
  /** Defaults to a free port. */
  readonly port?: number
  /** Resolves, but neither validates nor sets AD. */
  readonly isPlain?: boolean
  /** Sends no extended errors with SERVFAIL (RFC 8914). */
  readonly isTaciturn?: boolean
  /** Logs every query; see `questionsAt`. */
  readonly isNoting?: boolean
  /** Additional lines of its `server:` section. */
  readonly more?: readonly string[]
}

export async function startNameServers(
  folder: string,
  zones: readonly Zone[],
): Promise<NameServers> {
  const files = await buildZones(path.join(folder, 'zones'), zones)
  const nsdPort = await freePort()
  const nsd = await startNsd(folder, nsdPort, files)
  const resolvers: Child[] = []
  const startResolver: NameServers['startResolver'] = async (options = {}) => {
    const port = options.port ?? (await freePort())
    const child = await startUnbound(folder, port, nsdPort, files, options)
    resolvers.push(child)
    return { port, child }
  }
  const { port: unboundPort, child: unbound } = await startResolver()
  return {
    nsdPort,
    unboundPort,
    nsd,
    unbound,
    trustAnchorFile: files.trustAnchorFile,
    resolver: stubOn(unboundPort),
    startResolver,
    async publish(changed) {
      await buildZones(path.join(folder, 'zones'), changed)
      nsd.signal('SIGHUP')
    },
    async stop() {
      await Promise.all([nsd, ...resolvers].map((child) => child.stop()))
    },
  }
}

async function startNsd(folder: string, port: number, files: ZoneFiles): Promise<Child> {
  const config = path.join(folder, 'nsd.conf')
  const zones = files.served.map(
    ({ origin, file }) => `zone:\n  name: "${origin === '' ? '.' : origin}"\n  zonefile: "${file}"`,
  )
  await writeFile(
    config,
    `server:
  ip-address: 127.0.0.1@${port}
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  database: ""
  zonelistfile: "${folder}/nsd.zonelist"
  xfrdfile: "${folder}/nsd.xfrd"
  xfrdir: "${folder}"
  logfile: "${folder}/nsd.log"
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
${zones.join('\n')}
`,
  )
  const child = startChild('nsd', ['-d', '-c', config])
  await until('NSD', () => answers(port, 'A', READY_NAME), { child })
  return child
}

async function startUnbound(
  folder: string,
  port: number,
  nsdPort: number,
  { served, trustAnchorFile }: ZoneFiles,
  { isPlain = false, isTaciturn = false, isNoting = false, more = [] }: UnboundOptions,
): Promise<Child> {
  const config = path.join(folder, `unbound-${port}.conf`)
  const stubs = served.map(
    ({ origin }) => `stub-zone:\n  name: "${origin}."\n  stub-addr: 127.0.0.1@${nsdPort}`,
  )
  await writeFile(
    config,
    `server:
  interface: 127.0.0.1@${port}
  do-ip6: no
  num-threads: 1
  do-daemonize: no
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 2
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  trust-anchor-file: "${trustAnchorFile}"
  module-config: "${isPlain ? 'iterator' : 'validator iterator'}"
  do-not-query-localhost: no
  log-queries: ${isNoting ? 'yes' : 'no'}
  ede: ${isTaciturn ? 'no' : 'yes'}
  target-fetch-policy: "0 0 0 0 0"
  # Broken zones are asked for again and again on purpose.
  val-bogus-ttl: 1
  infra-host-ttl: 1
  ratelimit: 0
  outgoing-range: 4096
  num-queries-per-thread: 4096
  so-rcvbuf: 1m
${more.map((line) => `  ${line}`).join('\n')}
${stubs.join('\n')}
remote-control:
  control-enable: no
`,
  )
  const child = startChild('unbound', ['-d', '-c', config])
  await until('Unbound', () => answers(port, 'A', READY_NAME), { child })
  return child
}

/** The queries that a logging Unbound received, as `TYPE name`, except probes and our own. */
export function questionsAt(unbound: Child): readonly string[] {
  const lines = unbound.output().matchAll(/info: 127\.0\.0\.1 (\S+)\. (\S+) IN$/gm)
  return Array.from(lines, ([, owner = '', type = '']) => `${type} ${owner.toLowerCase()}`).filter(
    (question) => !question.startsWith('SOA ') && question !== `A ${READY_NAME}`,
  )
}

export function stubOn(port: number): Resolver {
  const server = { address: '127.0.0.1', port, tlsName: undefined }
  const { resolver } = parseSettings('[resolver]\nvalidation = resolver\ntrust = yes')
  const { lookup } = openMember(server, resolver, () => undefined)
  return { lookup: (name, type) => lookup(name, type, Date.now() + resolver.timeoutMs) }
}

/** The name queried to see whether a name server answers. */
const READY_NAME = 'ns.root'

async function answers(port: number, type: RecordType, text: string): Promise<boolean> {
  const name = parseDomainName(text)
  if (name === undefined) throw new Error(`no name: ${text}`)
  const lookup = await stubOn(port).lookup(name, type)
  return lookup.kind !== 'failed'
}
