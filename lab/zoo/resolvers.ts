/**
 * Real resolvers under the trust anchor of the laboratory.
 *
 * BIND resolves by itself, PowerDNS Recursor has the server of each zone in its
 * configuration. Knot Resolver, dnsmasq and systemd-resolved validate what an Unbound
 * without validation resolves for them: only for such a server they accept another port.
 * dnsmasq also runs as most routers have it, as a forwarder that does not validate.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startChild, until } from '../child.js'
import type { Child } from '../child.js'
import { freePort } from '../free-port.js'
import { stubOn } from '../name-servers.js'
import { parseDomainName } from '../../src/name.js'
import { PLACE } from '../rows.js'
import { namespaceFault, startInNamespace } from './namespace.js'

export type Surroundings = {
  /** Of the laboratory; it has the trust anchor. */
  readonly folder: string
  /** A folder that every user may enter. */
  readonly guests: string
  /** Serves all zones at 127.0.0.1. */
  readonly nsdPort: number
  /** Resolves without validation. */
  readonly plainPort: number
}

export type Expected = {
  /** Why plans differ from those at Unbound, by the first label; the mail must wait. */
  readonly otherwise?: Readonly<Record<string, string>>
  /** Why the resolver is not used. */
  readonly unusable?: string
}

export type ResolverKind = {
  readonly name: string
  readonly program: string
  readonly debian: string
  /** While its answers are believed. */
  readonly resolver?: Expected
  /** While they are validated here. */
  readonly own?: Expected
  readonly start: (port: number, folder: string, surroundings: Surroundings) => Promise<Child>
}

const DNAME_FAILS = 'dnsmasq takes an answer by a DNAME for bogus'

export const RESOLVERS: readonly ResolverKind[] = [
  { name: 'BIND', program: 'named', debian: 'bind9', start: startBind },
  {
    name: 'PowerDNS Recursor',
    program: 'pdns_recursor',
    debian: 'pdns-recursor',
    start: startPowerDns,
  },
  { name: 'Knot Resolver', program: 'kresd', debian: 'knot-resolver', start: startKnot },
  {
    name: 'dnsmasq',
    program: 'dnsmasq',
    debian: 'dnsmasq',
    resolver: { otherwise: { 'zoo-dname': DNAME_FAILS, 'zoo-dname-out': DNAME_FAILS } },
    start: (port, _, around) => startDnsmasq(port, around, true),
  },
  {
    name: 'dnsmasq, no validation',
    program: 'dnsmasq',
    debian: 'dnsmasq',
    resolver: { unusable: 'it does not validate' },
    start: (port, _, around) => startDnsmasq(port, around, false),
  },
  {
    name: 'systemd-resolved',
    program: '/lib/systemd/systemd-resolved',
    debian: 'systemd-resolved',
    start: startResolved,
  },
]

/** Where the program is; undefined if it is not installed. */
export function programOf({ program }: Pick<ResolverKind, 'program'>): string | undefined {
  const folders = ['', ...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders
    .map((folder) => (folder === '' ? program : path.join(folder, program)))
    .find((place) => path.isAbsolute(place) && existsSync(place))
}

/** Starts it on a port of its own and waits until it answers. */
export async function startResolver(
  kind: ResolverKind,
  around: Surroundings,
): Promise<{ readonly port: number; readonly child: Child }> {
  const port = await freePort()
  const folder = path.join(around.guests, `resolver-${port}`)
  await mkdir(folder)
  const child = await kind.start(port, folder, around)
  const name = parseDomainName('ns.root')
  if (name === undefined) throw new Error('no name')
  const answers = async (): Promise<boolean> =>
    (await stubOn(port).lookup(name, 'A')).kind !== 'failed'
  try {
    await until(kind.name, answers, { child, timeoutMs: 30_000 })
  } catch (error) {
    await child.stop()
    throw error
  }
  return { port, child }
}

/** All zones that are served, deepest first; lame ones have no server. */
const ZONES: readonly string[] = [
  PLACE.signed,
  PLACE.unsigned,
  PLACE.island,
  PLACE.expired,
  PLACE.noDnskey,
  'example',
  '',
]

/** `TAG ALGORITHM DIGEST-TYPE DIGEST` of the root's DS. */
async function anchor({
  folder,
}: Surroundings): Promise<readonly [string, string, string, string]> {
  const text = await readFile(path.join(folder, 'zones/trust-anchor'), 'utf8')
  const [, tag, algorithm, type, digest] =
    /DS\s+(\d+)\s+(\d+)\s+(\d+)\s+([0-9a-fA-F]+)/.exec(text) ?? []
  if (tag === undefined || algorithm === undefined || type === undefined || digest === undefined)
    throw new Error(`no DS: ${text}`)
  return [tag, algorithm, type, digest]
}

async function startBind(port: number, folder: string, around: Surroundings): Promise<Child> {
  const [tag, algorithm, type, digest] = await anchor(around)
  const hints = path.join(folder, 'hints')
  await writeFile(hints, '. 3600 NS ns.root.\nns.root. 3600 A 127.0.0.1\n')
  const config = path.join(folder, 'named.conf')
  await writeFile(
    config,
    `options {
  directory "${folder}";
  // Also the port of the servers that it asks.
  port ${around.nsdPort};
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  recursion yes;
  dnssec-validation yes;
  servfail-ttl 0;
  empty-zones-enable no;
};
controls { };
trust-anchors { . static-ds ${tag} ${algorithm} ${type} "${digest}"; };
zone "." { type hint; file "${hints}"; };
`,
  )
  return startChild('named', ['-g', '-4', '-n', '1', '-c', config])
}

async function startPowerDns(port: number, folder: string, around: Surroundings): Promise<Child> {
  const [tag, algorithm, type, digest] = await anchor(around)
  const lua = path.join(folder, 'anchors.lua')
  await writeFile(lua, `clearTA()\naddTA('.', "${tag} ${algorithm} ${type} ${digest}")\n`)
  const zones = ZONES.map((zone) => `${zone}.=127.0.0.1:${around.nsdPort}`).join(', ')
  await writeFile(
    path.join(folder, 'recursor.conf'),
    `local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
lua-config-file=${lua}
forward-zones=${zones}
dont-query=
dnssec=validate
extended-resolution-errors=yes
threads=1
security-poll-suffix=
serve-rfc1918=no
hint-file=no
packetcache-servfail-ttl=0
`,
  )
  return startChild('pdns_recursor', [`--config-dir=${folder}`, '--daemon=no'])
}

async function startKnot(port: number, folder: string, around: Surroundings): Promise<Child> {
  const ds = (await anchor(around)).join(' ')
  const config = path.join(folder, 'kresd.conf')
  await writeFile(
    config,
    `net.listen('127.0.0.1', ${port}, { kind = 'dns' })
net.ipv6 = false
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
trust_anchors.remove('.')
trust_anchors.add('. IN DS ${ds}')
cache.size = 10*MB
policy.add(policy.all(policy.FORWARD({'127.0.0.1@${around.plainPort}'})))
`,
  )
  return startChild('kresd', ['-n', '-c', config, folder])
}

async function startDnsmasq(
  port: number,
  around: Surroundings,
  isValidating: boolean,
): Promise<Child> {
  const [tag, algorithm, type, digest] = await anchor(around)
  return startChild('dnsmasq', [
    '--keep-in-foreground',
    '--log-facility=-',
    '--conf-file=/dev/null',
    '--pid-file',
    '--no-resolv',
    '--no-hosts',
    '--user=root',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    `--server=127.0.0.1#${around.plainPort}`,
    ...(isValidating
      ? [
          '--dnssec',
          `--trust-anchor=.,${tag},${algorithm},${type},${digest}`,
          '--dnssec-check-unsigned',
        ]
      : []),
  ])
}

async function startResolved(port: number, folder: string, around: Surroundings): Promise<Child> {
  const fault = await namespaceFault()
  if (fault !== undefined) throw new Error(fault)
  const ds = (await anchor(around)).join(' ')
  await chmod(folder, 0o755)
  return startInNamespace(folder, {
    packages: [],
    users: ['systemd-resolve'],
    files: {
      '/etc/systemd/resolved.conf': [
        '[Resolve]',
        `DNS=127.0.0.1:${around.plainPort}`,
        'FallbackDNS=',
        'Domains=~.',
        'DNSSEC=yes',
        'LLMNR=no',
        'MulticastDNS=no',
        'Cache=yes',
        'DNSStubListener=no',
        `DNSStubListenerExtra=127.0.0.1:${port}`,
        'ReadEtcHosts=no',
        '',
      ].join('\n'),
      '/etc/dnssec-trust-anchors.d/laboratory.positive': `. IN DS ${ds}\n`,
    },
    before: [
      'mkdir -p /run/systemd/resolve',
      'chown systemd-resolve:systemd-resolve /run/systemd/resolve',
    ],
    command: '/lib/systemd/systemd-resolved',
  })
}
