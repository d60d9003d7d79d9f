/**
 * What `verify --watch` looks at, and what has changed since the last time.
 *
 * A `Sighting` is what one check saw of a domain, as short texts: the MX hosts, their
 * addresses and TLSA records, the certificates they showed, the verdict. Two of them are
 * compared text by text, so that the order of an answer is no change. Pure.
 */
import { failureText } from '../../lookup.js'
import { tlsaOwner } from '../../name.js'
import type { HostPlan } from '../../plan.js'
import { tlsaText } from '../../tlsa.js'
import type { TlsaRecord } from '../../tlsa.js'
import { dayText } from '../shown-certificate.js'
import type { ShownCertificate } from '../shown-certificate.js'
import type { AddressReport, DomainVerdict, HostReport, Report } from './report.js'

export type What = 'mx' | 'address' | 'tlsa' | 'certificate' | 'verdict'

export type Seen = {
  readonly what: What
  /** The name, host or address that it is about. */
  readonly where: string
  /** Sorted. */
  readonly values: readonly string[]
}

export type Sighting = {
  readonly verdict: DomainVerdict
  /** Milliseconds since the epoch. */
  readonly instant: number
  /** By what it is about. */
  readonly seen: ReadonlyMap<string, Seen>
  /** Milliseconds until a TLSA RRset has to be queried again by its TTL; undefined without one. */
  readonly ttlMs: number | undefined
}

export type Change = Omit<Seen, 'values'> & {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** @param before of the last check; what could not be looked up this time is as it was */
export function sightingOf(report: Report, before?: Sighting): Sighting {
  const { question, discovery, hosts, verdict, instant } = report
  const seen = new Map<string, Seen>()
  const note = (what: What, where: string, values: readonly string[]): void => {
    seen.set(`${what} ${where}`, { what, where, values: values.toSorted() })
  }
  if (discovery.kind !== 'plan') {
    for (const [key, each] of before?.seen ?? []) seen.set(key, each)
    note('mx', question.domain, [discovery.reason])
  } else {
    const { route, laterHosts = [], omittedHosts = 0 } = discovery
    const unlisted = laterHosts.length + omittedHosts
    note('mx', question.domain, [
      `${route.kind} ${route.security}`,
      ...hosts.map(({ plan }) => `${plan.preference} ${plan.exchange}`),
      ...(unlisted > 0 ? [`${unlisted} more hosts, not checked`] : []),
    ])
    for (const host of hosts) noteHost(host, question.port, note)
  }
  note('verdict', question.domain, [verdictText(report)])
  return { verdict, instant, seen, ttlMs: leastTtl(hosts, instant) }
}

/** In the order of the new sighting, with what has disappeared at the end. */
export function changesOf(before: Sighting | undefined, after: Sighting): readonly Change[] {
  const changes: Change[] = []
  for (const [key, { what, where, values }] of after.seen) {
    const known = before?.seen.get(key)?.values ?? []
    if (!isSame(known, values)) changes.push({ what, where, before: known, after: values })
  }
  for (const [key, { what, where, values }] of before?.seen ?? [])
    if (!after.seen.has(key)) changes.push({ what, where, before: values, after: [] })
  return changes
}

/** `new` is what the first check found. */
export function changeText({ what, where, before, after }: Change): string {
  const subject = `${LABEL[what]} ${where}`
  if (before.length === 0) return `${subject}: ${after.join('; ') || 'none'}`
  if (after.length === 0) return `${subject}: no longer seen`
  if (what === 'verdict') return `${subject}: ${after.join('; ')} (before: ${before.join('; ')})`
  const gone = before.filter((each) => !after.includes(each))
  const come = after.filter((each) => !before.includes(each))
  const parts = [...come.map((each) => `new: ${each}`), ...gone.map((each) => `gone: ${each}`)]
  return `${subject}: ${parts.join('; ')}`
}

const LABEL: Readonly<Record<What, string>> = {
  mx: 'MX of',
  address: 'addresses of',
  tlsa: 'TLSA of',
  certificate: 'certificates of',
  verdict: 'verdict for',
}

type Note = (what: What, where: string, values: readonly string[]) => void

function noteHost({ plan, addresses }: HostReport, port: number, note: Note): void {
  const { exchange, facts } = plan
  const status = 'security' in facts ? facts.security : facts.kind
  note('address', exchange, [status, ...plan.addresses])
  const values = tlsaValues(plan)
  if (values.length > 0) note('tlsa', tlsaName(plan, port), values)
  for (const each of addresses) {
    const shown = shownValues(each)
    if (shown.length > 0) note('certificate', `${exchange} at ${each.address}`, shown)
  }
}

/** That of the host itself, while it is not known under which name the records are. */
function tlsaName({ exchange, tlsa }: HostPlan, port: number): string {
  const base = tlsa?.kind === 'secure' ? tlsa.tlsaBase : undefined
  return (base && tlsaOwner(port, base)) ?? `_${port}._tcp.${exchange}`
}

function tlsaValues({ tlsa }: HostPlan): readonly string[] {
  switch (tlsa?.kind) {
    case undefined:
      return []
    case 'insecure':
      return ['insecure']
    case 'absent':
      return ['none']
    case 'lookup-failed':
      return [`lookup failed: ${failureText({ ...tlsa.failed, detail: '' })}`]
    case 'secure':
      return [
        ...tlsa.usable.map(({ published }) => recordText(published)),
        ...tlsa.unusable.map(({ record, reason }) => `${recordText(record)} (${reason})`),
      ]
  }
}

/** Digests whole, to be compared with those of certificates. */
function recordText(record: TlsaRecord): string {
  const { rdata } = record
  const [usage, selector, matchingType] = rdata
  const isDigest = matchingType === 1 || matchingType === 2
  return isDigest && rdata.length <= 3 + 64
    ? `${usage ?? ''} ${selector ?? ''} ${matchingType} ${rdata.toString('hex', 3)}`
    : tlsaText(record)
}

function shownValues({ connection }: AddressReport): readonly string[] {
  switch (connection.kind) {
    case 'not-tried':
      return []
    case 'no-route':
      return ['no route from here']
    case 'failed':
      return [`none: ${connection.reason}`]
    case 'refused':
    case 'passed':
      return connection.session.shown.map(certificateText)
  }
}

/** In the form of a TLSA record that would match it. */
function certificateText({ publicKey, notAfter }: ShownCertificate, depth: number): string {
  const record = `${depth === 0 ? 3 : 2} 1 1 ${publicKey?.sha256 ?? 'unreadable'}`
  return `depth ${depth}, ${record}, until ${dayText(notAfter)}`
}

function verdictText({ verdict, cause }: Report): string {
  if (cause === undefined) return verdict
  return `${verdict}: ${cause.reason}${cause.host === undefined ? '' : ` at ${cause.host}`}`
}

function leastTtl(hosts: readonly HostReport[], instant: number): number | undefined {
  const left = hosts.flatMap(({ plan: { tlsa } }) =>
    tlsa?.kind === 'secure' ? [Math.max(0, tlsa.expiresAt - instant)] : [],
  )
  return left.length === 0 ? undefined : Math.min(...left)
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index])
}
