/**
 * `haraka-dane verify --chain`: the chain of trust of a domain, from the root link by link.
 *
 * Validates here, whatever dane.ini says of validation: the MX record, and the TLSA records
 * of each host that a secure MX record names. The first resolver that passes DNSSEC data
 * on is asked. Effects: network, standard output.
 */
import { algorithmText, openMember, typeText } from '../assemble.js'
import type { ChainReport, SignatureReport, ZoneReport } from '../assemble.js'
import { lookupText, probeText } from '../lookup-text.js'
import { failureText, statusWord } from '../lookup.js'
import type { RecordType } from '../lookup.js'
import { tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import { serverText } from '../server-address.js'
import type { Settings } from '../settings/settings.js'

/** @returns 0 all proven, secure or insecure; 1 some bogus; 3 some could not be determined */
export async function runChain(
  settings: Settings,
  domains: readonly DomainName[],
  isJson: boolean,
): Promise<number> {
  const opened = await firstPassing(settings)
  if (typeof opened === 'string') {
    console.error(`no resolver passes on what validation needs: ${opened}`)
    return 3
  }
  let code = 0
  try {
    for (const domain of domains) {
      const reports = await chainsOf(opened.explain, domain, settings)
      if (isJson) console.log(JSON.stringify(toJson(domain, opened.server, reports)))
      else for (const line of chainLines(reports, Date.now())) console.log(line)
      for (const { lookup } of reports) code = worse(code, codeOf(statusWord(lookup)))
    }
  } finally {
    opened.close()
  }
  return code
}

type Opened = Pick<ReturnType<typeof openMember>, 'explain' | 'server' | 'close'>

/** A resolver that can be asked, or what is wrong with each. */
async function firstPassing({ resolver }: Settings): Promise<Opened | string> {
  const faults: string[] = []
  for (const server of resolver.servers) {
    const member = openMember(server, { ...resolver, validation: 'own' }, () => undefined)
    const result = await member.probe(Date.now() + resolver.timeoutMs)
    // With a wrong clock or other anchors, the chain shows where it breaks.
    const isOfUse = result.kind === 'unusable' && SHOWN_BY_CHAIN.has(result.problem)
    if (result.kind === 'passing' || isOfUse) return member
    member.close()
    faults.push(`${serverText(server)} ${probeText(result)}`)
  }
  return faults.join('; ')
}

async function chainsOf(
  explain: Opened['explain'],
  domain: DomainName,
  { port, resolver }: Settings,
): Promise<readonly ChainReport[]> {
  const told = (name: DomainName, type: RecordType): Promise<ChainReport> =>
    explain(name, type, Date.now() + resolver.timeoutMs)
  const reports = [await told(domain, 'MX')]
  const { lookup } = reports[0] ?? {}
  if (lookup?.kind === 'failed' || lookup?.security !== 'secure') return reports
  // RFC 7672 §2.2.1: without MX records the domain itself is the host.
  const records = lookup.kind === 'found' ? lookup.records : []
  const named = records.flatMap((record) =>
    record.type === 'MX' && record.exchange.kind === 'host' ? [record.exchange.name] : [],
  )
  const hosts = lookup.kind === 'absent' && lookup.reason === 'nodata' ? [domain] : named
  for (const host of hosts.slice(0, MOST_HOSTS)) {
    const owner = tlsaOwner(port, host)
    if (owner !== undefined) reports.push(await told(owner, 'TLSA'))
  }
  return reports
}

/** @param now milliseconds since the epoch */
export function chainLines(reports: readonly ChainReport[], now: number): readonly string[] {
  const shown = new Set<string>()
  return reports.flatMap((report) => {
    const zones = report.zones.filter(({ zone }) => !shown.has(zone))
    for (const { zone } of zones) shown.add(zone)
    return [
      `${report.type} of ${report.name}`,
      ...zones.flatMap(zoneLines),
      ...report.rrsets.flatMap(({ owner, type, kind, detail, signatures }) => [
        `  ${typeText(type)} of ${owner}: ${kind}${detail === '' ? '' : `, ${detail}`}`,
        ...signatures.map(signatureLine),
      ]),
      `  ${lookupText(report.lookup, now)}`,
    ]
  })
}

function zoneLines({ zone, kind, detail, ds, keys, signatures }: ZoneReport): readonly string[] {
  return [
    `  zone ${zone}: ${kind}${detail === '' ? '' : `, ${detail}`}`,
    ...ds.map(({ keyTag, algorithm, digestType, isAnchor }) => {
      const what = isAnchor ? 'trust anchor' : 'DS'
      const digest = digestType === 0 ? 'DNSKEY' : `digest type ${digestType}`
      return `    ${what} ${keyTag}, ${algorithmText(algorithm)}, ${digest}`
    }),
    ...keys.map(({ keyTag, algorithm, isSep, isRevoked, unusable }) => {
      const role = `${isSep ? ', KSK' : ''}${isRevoked ? ', revoked' : ''}`
      return `    key ${keyTag}, ${algorithmText(algorithm)}${role}${unusable === undefined ? '' : `: ${unusable}`}`
    }),
    ...signatures.map(signatureLine),
  ]
}

function signatureLine({ keyTag, algorithm, expiresAt, daysLeft }: SignatureReport): string {
  const day = new Date(expiresAt).toISOString().slice(0, 10)
  const left = daysLeft < 0 ? `expired on ${day}` : `until ${day}, ${daysLeft} days left`
  return `    signed by ${keyTag}, ${algorithmText(algorithm)}, ${left}`
}

/** Described by docs/verify-chain.schema.json. */
function toJson(domain: DomainName, server: string, reports: readonly ChainReport[]): unknown {
  return {
    version: 1,
    domain,
    resolver: server,
    chains: reports.map(({ lookup, ...report }) => ({
      ...report,
      result: statusWord(lookup),
      detail: lookup.kind === 'failed' ? failureText(lookup) : '',
    })),
  }
}

function codeOf(status: ReturnType<typeof statusWord>): number {
  if (status === 'bogus') return 1
  return PROVEN.has(status) ? 0 : 3
}

/** As in `verify`: some are not verified, rather than some could not be determined. */
function worse(one: number, other: number): number {
  return one === 1 || other === 1 ? 1 : Math.max(one, other)
}

const PROVEN: ReadonlySet<string> = new Set(['secure', 'insecure', 'nodata', 'nxdomain'])
const SHOWN_BY_CHAIN: ReadonlySet<string> = new Set(['clock', 'anchors'])
/** Hosts whose TLSA records are looked up. */
const MOST_HOSTS = 10
