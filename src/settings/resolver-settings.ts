/**
 * The settings of the resolvers and of DNSSEC validation: `[resolver]` of dane.ini.
 *
 * Where the plugin validates, a resolver only carries data, so any address will do; where
 * it believes a resolver's AD bit, the channel has to be trusted (RFC 4035 §4.9.3). Pure.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { isTrustedChannel, parseResolverAddress, serverText } from '../server-address.js'
import type { ChannelTrust, ResolverAddress } from '../server-address.js'
import type { OptionReader } from './option-reader.js'

export const VALIDATIONS = ['auto', 'own', 'resolver'] as const
/**
 * Who validates. `own`: the plugin. `resolver`: the resolver, whose AD bit is believed.
 * `auto`: a resolver that validates, over a trusted channel; else the plugin.
 */
export type Validation = (typeof VALIDATIONS)[number]

export type ResolverSettings = {
  readonly validation: Validation
  /** In order of preference; never empty. */
  readonly servers: readonly ResolverAddress[]
  /** False: server[] is not set, and these are 127.0.0.1 and what resolv.conf has. */
  readonly areServersGiven: boolean
  readonly trust: ChannelTrust
  /** A file of certificates to trust for DNS over TLS instead of Node's own list. */
  readonly caFile: string | undefined
  /** A file of trust anchors instead of those built in. */
  readonly anchorsFile: string | undefined
  /** Names at and below which nothing is validated (RFC 7646). */
  readonly insecureZones: readonly DomainName[]
  /** Whether DNSSEC algorithms 5 and 7 are supported (RFC 9905). */
  readonly isSha1Allowed: boolean
  /** For one lookup, including all attempts. */
  readonly timeoutMs: number
  readonly probe: {
    /** A signed name. */
    readonly name: DomainName | '.'
    /** A name with broken signatures. */
    readonly bogusName: DomainName | undefined
    readonly intervalMs: number
  }
}

/**
 * @param firstOpenPort the first port that any process of this machine can bind
 * @param systemServers the resolvers of resolv.conf
 */
export function readResolver(
  reader: OptionReader,
  firstOpenPort: number,
  systemServers: readonly ResolverAddress[],
): ResolverSettings {
  const validation = reader.oneOf('resolver', 'validation', VALIDATIONS, 'auto')
  const trust = { isVouchedFor: reader.isOn('resolver', 'trust', false), firstOpenPort }
  const { servers, areServersGiven } = readServers(reader, validation, trust, systemServers)
  const parseProbe = (text: string): DomainName | '.' | undefined =>
    text === '.' ? text : parseDomainName(text)
  const probeName =
    reader.parsed('resolver', 'probe', 'a domain name, or . for the root', parseProbe) ?? '.'
  const bogusName = reader.parsed('resolver', 'probe_bogus', 'a domain name', parseDomainName)
  if (probeName === bogusName) {
    throw reader.fault(
      `[resolver] probe and probe_bogus must be different names: both are ${bogusName}`,
    )
  }
  return {
    validation,
    servers,
    areServersGiven,
    trust,
    caFile: reader.parsed('resolver', 'ca_file', 'a file name', fileName),
    anchorsFile: reader.parsed('resolver', 'trust_anchors', 'a file name', fileName),
    insecureZones: reader.list(
      'resolver',
      'insecure_zones',
      'a domain name',
      parseDomainName,
      String,
    ),
    isSha1Allowed: reader.isOn('resolver', 'allow_sha1', false),
    timeoutMs: reader.duration('resolver', 'timeout', 100, 10_000, 5_000),
    probe: {
      name: probeName,
      bogusName,
      intervalMs: reader.duration('resolver', 'probe_interval', 1_000, 3_600_000, 60_000),
    },
  }
}

function readServers(
  reader: OptionReader,
  validation: Validation,
  trust: ChannelTrust,
  systemServers: readonly ResolverAddress[],
): Pick<ResolverSettings, 'servers' | 'areServersGiven'> {
  const { firstOpenPort } = trust
  // RFC 4035 §4.9.3: anyone who can answer instead of the resolver could forge its results.
  const isAccepted = (server: ResolverAddress): boolean =>
    validation !== 'resolver' || isTrustedChannel(server, trust)
  const parseServer = (text: string): ResolverAddress | undefined => {
    const server = parseResolverAddress(text)
    return server && isAccepted(server) ? server : undefined
  }
  const wanted =
    validation === 'resolver'
      ? serverWanted(firstOpenPort)
      : 'an IP address, ADDRESS:PORT, or tls://ADDRESS:PORT#NAME'
  const given = reader.list('resolver', 'server', wanted, parseServer, serverText)
  if (given.length > 0) return { servers: given, areServersGiven: true }
  // The system's own are used only where the plugin can validate: they may not.
  const all = validation === 'resolver' ? [LOOPBACK] : [LOOPBACK, ...systemServers]
  const servers = [...new Map(all.map((server) => [serverText(server), server])).values()]
  if (!servers.every(isAccepted)) {
    throw reader.fault(`[resolver] server[] is not set: expected ${wanted}`)
  }
  return { servers, areServersGiven: false }
}

/**
 * Whether the AD bit of this resolver may be believed, if a probe shows that it validates.
 *
 * Not if only resolv.conf names it: behind a stub of the system at a loopback address the
 * answers may come from anywhere, and some stubs stop validating when an attacker makes
 * that look necessary (`DNSSEC=allow-downgrade` of systemd-resolved).
 */
export function mayBeBelieved(
  server: ResolverAddress,
  {
    validation,
    trust,
    areServersGiven = true,
  }: Pick<ResolverSettings, 'validation' | 'trust'> &
    Partial<Pick<ResolverSettings, 'areServersGiven'>>,
): boolean {
  if (validation === 'own') return false
  const isNamed =
    validation === 'resolver' || areServersGiven || serverText(server) === serverText(LOOPBACK)
  return isNamed && isTrustedChannel(server, trust)
}

function fileName(text: string): string | undefined {
  return text || undefined
}

/** In a container all ports may be unprivileged (net.ipv4.ip_unprivileged_port_start = 0), including 53. */
function serverWanted(firstOpenPort: number): string {
  const { port } = LOOPBACK
  return firstOpenPort > port
    ? `an IP address of this machine with a port below ${firstOpenPort}, such as 127.0.0.1:${port}, or ` +
        `tls://ADDRESS:PORT#NAME; a port from ${firstOpenPort} on, which any local user can take over, ` +
        'or an address elsewhere only with trust = yes'
    : `tls://ADDRESS:PORT#NAME; an IP address of this machine only with trust = yes, or after ` +
        `net.ipv4.ip_unprivileged_port_start is raised: it is ${firstOpenPort}, so that any local user can take over port ${port}`
}

const LOOPBACK: ResolverAddress = { address: '127.0.0.1', port: 53, tlsName: undefined }
