/**
 * Starts a whole laboratory: name servers, mail hosts and relays.
 *
 * From rows to running servers: zones for all of them, one SMTP server per host on a
 * loopback address of its own and a common port, a validating resolver, and one
 * Haraka for each value of `insecure_mx` that the rows need. Everything is on
 * loopback, on free ports, in a temporary folder, and removed when it is stopped.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { InsecureMx } from '../src/policy.js'
import { mint } from './certificates.js'
import { freePort } from './free-port.js'
import { startHaraka } from './haraka.js'
import type { Haraka, HarakaOptions } from './haraka.js'
import { startMxHost } from './mx-host.js'
import type { MxHost } from './mx-host.js'
import { startNameServers } from './name-servers.js'
import type { NameServers } from './name-servers.js'
import { PLACE } from './rows.js'
import type { Authority, Row } from './rows.js'
import type { Zone } from './zones.js'

export type Laboratory = {
  readonly folder: string
  /** A folder that every user may enter, for servers that run as a user of their own. */
  readonly guests: string
  /** The port of all SMTP servers. */
  readonly smtpPort: number
  readonly names: NameServers
  /** A config folder with only `trust = yes`, for `haraka-dane verify --resolver`. */
  readonly trusting: string
  /** By host name. */
  readonly hosts: ReadonlyMap<string, MxHost>
  readonly startRelay: (
    insecureMx: InsecureMx,
    more?: Partial<HarakaOptions>,
    daneIni?: string,
  ) => Promise<Haraka>
  /** Changes the zones to the records of these rows; the hosts are unchanged. */
  readonly publish: (rows: readonly Row[]) => Promise<void>
  readonly stop: () => Promise<void>
}

export async function createAuthority(): Promise<Authority> {
  const ca = await mint({ subject: 'CN=Laboratory CA', isCa: true })
  return {
    ca,
    issue: (name, more) => mint({ subject: `CN=${name}`, names: [name], issuer: ca, ...more }),
  }
}

/** @param origins signed zones below `example`, in addition to those of PLACE */
export async function startLaboratory(
  rowsAt: (smtpPort: number) => Promise<readonly Row[]>,
  origins: readonly string[] = [],
): Promise<{ readonly laboratory: Laboratory; readonly rows: readonly Row[] }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-laboratory-'))
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const end of stops.reverse()) await end()
  }
  try {
    const smtpPort = await freePort()
    const rows = await rowsAt(smtpPort)
    const addresses = giveAddresses(rows)
    const hosts = await startHosts(rows, addresses, smtpPort)
    stops.push(() => Promise.all([...hosts.values()].map((host) => host.stop())))
    const names = await startNameServers(folder, toZones(rows, addresses, origins))
    stops.push(() => names.stop())
    const guests = await mkdtemp(path.join(tmpdir(), 'dane-guests-'))
    stops.push(() => rm(guests, { recursive: true, force: true }))
    await chmod(guests, 0o755)
    const trusting = path.join(folder, 'trusting')
    await mkdir(trusting)
    await writeFile(path.join(trusting, 'dane.ini'), '[resolver]\ntrust = yes\n')
    const laboratory: Laboratory = {
      folder,
      guests,
      smtpPort,
      names,
      trusting,
      hosts,
      async startRelay(insecureMx, more = {}, daneIni = toDaneIni(rows, insecureMx)) {
        const relay = await startHaraka({
          folder: path.join(await mkdtemp(path.join(folder, 'relay-')), 'haraka'),
          unboundPort: names.unboundPort,
          smtpPort,
          daneIni,
          ...more,
        })
        stops.push(() => relay.stop())
        return relay
      },
      publish: (changed) => names.publish(toZones(changed, addresses, origins)),
      stop,
    }
    return { laboratory, rows }
  } catch (error) {
    await stop()
    throw error
  }
}

/** dane.ini with the policies of all rows. */
export function toDaneIni(rows: readonly Row[], insecureMx: InsecureMx): string {
  const domains = rows
    .filter((row) => row.insecureMx === insecureMx)
    .map(({ domain, policy }) => `${domain} = ${policy}`)
  return [`insecure_mx = ${insecureMx}`, '[domains]', ...domains].join('\n')
}

/** One address per host, from 127.0.1.1 on. */
function giveAddresses(rows: readonly Row[]): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  for (const { name, isIpv6 } of rows.flatMap((row) => row.hosts)) {
    const number = addresses.size + 1
    addresses.set(
      name,
      isIpv6 ? '::1' : `127.0.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`,
    )
  }
  return addresses
}

async function startHosts(
  rows: readonly Row[],
  addresses: ReadonlyMap<string, string>,
  port: number,
): Promise<ReadonlyMap<string, MxHost>> {
  const hosts = rows
    .flatMap((row) => row.hosts)
    .filter(({ isDown }) => isDown !== true)
    .map(async ({ name, ...options }) => {
      const address = addresses.get(name) ?? ''
      return [name, await startMxHost({ ...options, address, port })] as const
    })
  return new Map(await Promise.all(hosts))
}

/** The zones that PLACE and `origins` name, with every row's records in the one they belong to. */
function toZones(
  rows: readonly Row[],
  addresses: ReadonlyMap<string, string>,
  origins: readonly string[],
): readonly Zone[] {
  const records = rows
    .flatMap((row) => row.records)
    .map((line) =>
      line.replace(/@ADDRESS:([^@]+)@/, (_, name: string) => addresses.get(name) ?? 'missing'),
    )
  const damaged = rows.flatMap((row) => row.damaged ?? [])
  const below = (line: string, origin: string): boolean =>
    `.${(line.split(' ')[0] ?? '').replace(/\.$/, '')}`.endsWith(`.${origin}`)
  const zone = (origin: string, state: Zone['state']): Zone => ({
    origin,
    state,
    records: records.filter((line) => below(line, origin)),
    damaged: damaged.filter((rrset) => below(rrset, origin)),
  })
  return [
    { origin: '', state: 'signed', records: [] },
    { origin: 'example', state: 'signed', records: [] },
    zone(PLACE.signed, 'signed'),
    zone(PLACE.unsigned, 'unsigned'),
    zone(PLACE.island, 'island'),
    zone(PLACE.expired, 'expired'),
    zone(PLACE.noDnskey, 'no-dnskey'),
    zone(PLACE.lame, 'lame'),
    ...origins.map((origin) => zone(origin, 'signed')),
  ]
}
