/**
 * Serves a signed world, and asks the reference validators about it.
 *
 * NSD has the zones. An Unbound that does not validate resolves for everybody, as the
 * resolver of a network that passes DNSSEC data on. Behind it, or behind a proxy in front
 * of it, Unbound and BIND validate with the world's own trust anchor.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startChild, until } from '../child.js'
import type { Child } from '../child.js'
import { freePort } from '../free-port.js'
import { openDnsClient } from './dns-client.js'
import { SERVER } from './build.js'
import type { SignedWorld } from './build.js'

export type Server = { readonly port: number; readonly child: Child }

export async function startAuthority(folder: string, { zones }: SignedWorld): Promise<Server> {
  const port = await freePort()
  const config = path.join(folder, 'nsd.conf')
  const blocks = zones.map(
    ({ spec, file }) =>
      `zone:\n  name: "${spec.origin === '' ? '.' : spec.origin}"\n  zonefile: "${file}"\n`,
  )
  await writeFile(
    config,
    `server:
  ip-address: ${SERVER}@${port}
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  pidfile: ""
  database: ""
  zonelistfile: "${folder}/nsd.zonelist"
  xfrdfile: "${folder}/nsd.xfrd"
  xfrdir: "${folder}"
  logfile: "${folder}/nsd.log"
  rrl-ratelimit: 0
  minimal-responses: yes
  tcp-count: 1000
remote-control:
  control-enable: no
${blocks.join('')}`,
  )
  return { port, child: await started('nsd', ['-d', '-c', config], port) }
}

/** Resolves without validating. */
export async function startPlainResolver(
  folder: string,
  { zones }: SignedWorld,
  authority: number,
): Promise<Server> {
  const stubs = zones.map(
    ({ spec }) => `stub-zone:\n  name: "${spec.origin}."\n  stub-addr: ${SERVER}@${authority}\n`,
  )
  return startUnbound(folder, 'iterator', stubs.join(''), '')
}

/** Validates what the server at `upstream` answers. */
export function startUnboundValidator(
  folder: string,
  { anchorFile }: SignedWorld,
  upstream: number,
): Promise<Server> {
  const forward = `forward-zone:\n  name: "."\n  forward-addr: ${SERVER}@${upstream}\n`
  return startUnbound(folder, 'validator iterator', forward, `trust-anchor-file: "${anchorFile}"`)
}

async function startUnbound(
  folder: string,
  modules: string,
  zones: string,
  more: string,
): Promise<Server> {
  const port = await freePort()
  const config = path.join(folder, `unbound-${port}.conf`)
  await writeFile(
    config,
    `server:
  interface: ${SERVER}@${port}
  do-ip6: no
  num-threads: 1
  do-daemonize: no
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 0
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  module-config: "${modules}"
  do-not-query-localhost: no
  ede: yes
  minimal-responses: yes
  aggressive-nsec: no
  target-fetch-policy: "0 0 0 0 0"
  local-zone: "." nodefault
  val-bogus-ttl: 1
  infra-host-ttl: 1
  ratelimit: 0
  outgoing-range: 4096
  num-queries-per-thread: 4096
  incoming-num-tcp: 1000
  outgoing-num-tcp: 200
  max-udp-size: 4096
  edns-buffer-size: 1232
  so-rcvbuf: 1m
  ${more}
${zones}
remote-control:
  control-enable: no
`,
  )
  return { port, child: await started('unbound', ['-d', '-c', config], port) }
}

/** As above, with BIND. It asks until `timeoutMs` are over where a zone has no keys. */
export async function startBindValidator(
  folder: string,
  { anchorDs }: SignedWorld,
  upstream: number,
  timeoutMs: number,
): Promise<Server> {
  const port = await freePort()
  const home = path.join(folder, `named-${port}`)
  await mkdir(home, { recursive: true })
  await writeFile(path.join(home, 'anchors'), anchorsForBind(anchorDs))
  const config = path.join(home, 'named.conf')
  await writeFile(
    config,
    `options {
  directory "${home}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${SERVER}; };
  listen-on-v6 { none; };
  forwarders port ${upstream} { ${SERVER}; };
  forward only;
  recursion yes;
  dnssec-validation yes;
  synth-from-dnssec no;
  servfail-ttl 0;
  resolver-query-timeout ${timeoutMs};
  lame-ttl 0;
  minimal-responses yes;
  empty-zones-enable no;
  recursive-clients 10000;
  clients-per-query 0;
  max-recursion-queries 500;
};
include "${home}/anchors";
controls { };
logging {
  channel out { file "${home}/log"; severity info; };
  category default { out; };
  category lame-servers { null; };
};
`,
  )
  return { port, child: await started('named', ['-f', '-n', '1', '-c', config], port) }
}

/** The anchor in the syntax of named.conf and delv. */
export function anchorsForBind(anchorDs: string): string {
  const [tag, algorithm, digestType, digest = ''] = anchorDs.split(' ')
  const anchor = `static-ds ${tag} ${algorithm} ${digestType} "${digest}"`
  return `trust-anchors { "." ${anchor}; };\n`
}

async function started(program: string, args: readonly string[], port: number): Promise<Child> {
  const child = startChild(program, args)
  const client = await openDnsClient(port)
  try {
    await until(program, async () => (await client.ask('.', 'SOA', 1_000)).kind === 'reply', {
      child,
    })
  } catch (error) {
    await child.stop()
    throw error
  } finally {
    client.close()
  }
  return child
}
