/**
 * Creates the laboratory's zones: signed, unsigned and broken.
 *
 * Zones are text; ldns-keygen and ldns-signzone make keys and signatures. Each zone
 * has one key for everything. A parent gets the DS records of its signed children,
 * whatever is broken in them afterwards, so that a validator can follow the chain up to
 * the damage. The broken zones cover the cases that RFC 8914 distinguishes.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runToEnd } from './child.js'

export type ZoneState =
  | 'signed'
  | 'unsigned'
  /** Signed, but the parent has no DS. */
  | 'island'
  /** Expired signatures. */
  | 'expired'
  /** A DS in the parent and no DNSKEY in the zone. */
  | 'no-dnskey'
  /** Delegated to a server that does not exist. */
  | 'lame'

export type Zone = {
  /** Without the final dot; '' is the root. */
  readonly origin: string
  readonly state: ZoneState
  /** Zone-file lines; names without a final dot are below the origin. */
  readonly records: readonly string[]
  /** RRsets whose signatures are damaged after signing: `owner TYPE`, full owner names. */
  readonly damaged?: readonly string[]
}

/** The files for NSD, and Unbound's trust anchor. */
export type ZoneFiles = {
  readonly served: readonly { readonly origin: string; readonly file: string }[]
  readonly trustAnchorFile: string
}

/** The TTL of records without their own, in seconds. */
export const LAB_TTL = 300

/** Writes all zones into `folder`, children before their parents. */
export async function buildZones(folder: string, zones: readonly Zone[]): Promise<ZoneFiles> {
  await mkdir(folder, { recursive: true })
  const delegations = new Map<string, string[]>()
  const served: { origin: string; file: string }[] = []
  let trustAnchorFile = ''
  for (const zone of [...zones].sort((a, b) => depth(b.origin) - depth(a.origin))) {
    const built = await buildZone(folder, zone, delegations.get(zone.origin) ?? [])
    if (zone.state !== 'lame') served.push({ origin: zone.origin, file: built.file })
    if (zone.origin === '') {
      trustAnchorFile = path.join(folder, 'trust-anchor')
      await writeFile(trustAnchorFile, built.ds)
      continue
    }
    const parent = parentOf(zone.origin, zones)
    const address = zone.state === 'lame' ? NOBODY : SERVER
    const glue = `${zone.origin}. NS ns.${zone.origin}.\nns.${zone.origin}. A ${address}`
    delegations.set(parent, [...(delegations.get(parent) ?? []), glue, built.ds])
  }
  return { served, trustAnchorFile }
}

async function buildZone(
  folder: string,
  { origin, state, records, damaged = [] }: Zone,
  delegations: readonly string[],
): Promise<{ file: string; ds: string }> {
  const name = origin === '' ? 'root' : origin
  const file = path.join(folder, name)
  const fqdn = `${origin}.`
  const text = [
    `$ORIGIN ${fqdn}`,
    `$TTL ${LAB_TTL}`,
    `@ SOA ns.${origin === '' ? 'root.' : fqdn} hostmaster.${origin === '' ? 'root.' : fqdn} 1 3600 600 86400 ${LAB_TTL}`,
    `@ NS ns.${origin === '' ? 'root.' : fqdn}`,
    `ns.${origin === '' ? 'root.' : fqdn} A ${SERVER}`,
    ...records,
    ...delegations,
  ]
  await writeFile(file, `${text.join('\n')}\n`)
  if (state === 'unsigned' || state === 'lame') return { file, ds: '' }

  const key = await keyOf(folder, fqdn)
  const signed = `${file}.signed`
  const times = state === 'expired' ? ['-i', '20200101000000', '-e', '20200201000000'] : []
  await runToEnd('ldns-signzone', [...times, '-o', fqdn, '-f', signed, file, key], { cwd: folder })
  if (state === 'no-dnskey')
    await edit(signed, (line) => (/\s(RRSIG\s+)?DNSKEY\s/.test(line) ? '' : line))
  for (const rrset of damaged) await damage(signed, rrset)
  const ds = state === 'island' ? '' : await readFile(path.join(folder, `${key}.ds`), 'utf8')
  return { file: signed, ds }
}

/** The zone's key, the same each time it is signed. */
async function keyOf(folder: string, fqdn: string): Promise<string> {
  const known = (await readdir(folder)).find((name) => name.startsWith(`K${fqdn}+`))
  if (known !== undefined) return path.parse(known).name
  const keygen = ['-a', 'ECDSAP256SHA256', '-k', '-r', '/dev/urandom', fqdn]
  return (await runToEnd('ldns-keygen', keygen, { cwd: folder })).trim()
}

/** Changes a few digits of the RRSIG over `owner TYPE`. */
async function damage(file: string, rrset: string): Promise<void> {
  const [owner = '', type = ''] = rrset.split(' ')
  let hits = 0
  await edit(file, (line) => {
    const [name, , , rr, covered] = line.split(/\s+/)
    if (name !== `${owner}.` || rr !== 'RRSIG' || covered !== type) return line
    hits++
    return line.replace(
      /(\S+\. )(\S{8})(\S+)/,
      (_, signer: string, start: string, rest: string) =>
        `${signer}${start === 'AAAAAAAA' ? 'BBBBBBBB' : 'AAAAAAAA'}${rest}`,
    )
  })
  if (hits === 0) throw new Error(`no signature over ${rrset} in ${file}`)
}

async function edit(file: string, change: (line: string) => string): Promise<void> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  await writeFile(file, lines.map(change).filter(Boolean).join('\n').concat('\n'))
}

function parentOf(origin: string, zones: readonly Zone[]): string {
  const enclosing = zones
    .map((zone) => zone.origin)
    .filter((other) => other !== origin && (other === '' || origin.endsWith(`.${other}`)))
  return enclosing.sort((a, b) => b.length - a.length)[0] ?? ''
}

function depth(origin: string): number {
  return origin === '' ? 0 : origin.split('.').length
}

/** NSD's address; Unbound's configuration has the port. */
const SERVER = '127.0.0.1'
/** Nothing listens here on port 53. */
const NOBODY = '127.0.0.250'
