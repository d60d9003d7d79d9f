/**
 * Writes and signs the zones of a signed world, children before their parents.
 *
 * ldns-signzone signs, or dnssec-signzone where unsigned delegations shall have no NSEC3
 * record, which ldns-signzone does not know. Breaks are made in the signed file.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runToEnd } from '../child.js'
import { breakZone, DAY, REVOKED_KSK, withFlags } from './breaks.js'
import { createKey, createKeys } from './keys.js'
import type { ZoneKeys } from './keys.js'
import { randomFrom, seedOf } from './random.js'
import { timeText } from './signer.js'
import type { Signing, ZoneSpec } from './spec.js'
import { dsText } from './wire.js'
import { parseLines, writeLines } from './zone-text.js'
import type { Line } from './zone-text.js'

export type BuiltZone = {
  readonly spec: ZoneSpec
  readonly file: string
  /** As served: signed and broken. */
  readonly lines: readonly Line[]
}

export type SignedWorld = {
  readonly zones: readonly BuiltZone[]
  /** Each as a file with one DS record of the root's KSK: Unbound reads it, and so do we. */
  readonly anchorFile: string
  readonly anchorDs: string
}

/** NSD's address; the port is in the configuration of who asks. */
export const SERVER = '127.0.0.1'

export async function buildWorld(folder: string, specs: readonly ZoneSpec[]): Promise<SignedWorld> {
  await mkdir(folder, { recursive: true })
  const keys = await keysOfAll(folder, specs)
  const delegations = new Map<string, string[]>()
  const zones: BuiltZone[] = []
  const deepestFirst = [...specs].sort((a, b) => depth(b.origin) - depth(a.origin))
  for (const level of byDepth(deepestFirst)) {
    const built = await inTurns(level, (spec) =>
      buildZone(folder, spec, specs, keys, delegations.get(spec.origin) ?? []),
    )
    zones.push(...built)
    for (const { spec } of built) {
      if (spec.origin === '') continue
      const parent = parentOf(spec.origin, specs)
      const known = delegations.get(parent) ?? []
      delegations.set(parent, [...known, ...delegationOf(spec, keys.get(spec.origin))])
    }
  }
  const root = keys.get('')
  if (root === undefined) throw new Error('an unsigned root')
  const anchorDs = dsText('', root.ksk.dnskey, 2)
  const anchorFile = path.join(folder, 'anchor.ds')
  await writeFile(anchorFile, `. 3600 IN DS ${anchorDs}\n`)
  return { zones, anchorFile, anchorDs }
}

async function keysOfAll(
  folder: string,
  specs: readonly ZoneSpec[],
): Promise<ReadonlyMap<string, ZoneKeys>> {
  const all = await inTurns(specs, async ({ origin, signing }) =>
    signing === undefined
      ? undefined
      : ([origin, await createKeys(folder, origin, signing.algorithm, signing.scheme)] as const),
  )
  return new Map(all.filter((entry) => entry !== undefined))
}

async function buildZone(
  folder: string,
  spec: ZoneSpec,
  specs: readonly ZoneSpec[],
  keys: ReadonlyMap<string, ZoneKeys>,
  delegations: readonly string[],
): Promise<BuiltZone> {
  const { origin, signing } = spec
  const random = randomFrom(seedOf(origin))
  const ns = origin === '' ? 'ns.root.' : `ns.${origin}.`
  const ttl = random.pick([60, 300, 3600])
  const own = keys.get(origin)
  const published = own === undefined ? [] : [...new Set([own.ksk, own.zsk, ...own.idle])]
  const text = [
    `$TTL ${ttl}`,
    `${origin}. SOA ${ns} hostmaster.${ns} 1 3600 600 86400 ${random.pick([60, 300])}`,
    `${origin}. NS ${ns}`,
    `${ns} A ${SERVER}`,
    ...spec.records,
    ...delegations,
    ...published.map((key) => `${origin}. DNSKEY ${dnskeyText(key.dnskey)}`),
  ]
  const file = path.join(folder, origin === '' ? 'root.zone' : `${origin}.zone`)
  await writeFile(file, `${text.join('\n')}\n`)
  if (signing === undefined || own === undefined) {
    const lines = parseLines(
      text
        .slice(1)
        .join('\n')
        .replace(/^(\S+) /gm, `$1 ${ttl} IN `),
    )
    return { spec, file, lines }
  }
  const signed = `${file}.signed`
  await signZone(folder, file, signed, origin, signing, own)
  const lines = breakZone(parseLines(await readFile(signed, 'utf8')), spec, {
    keys: own,
    parent: around(parentOf(origin, specs), keys),
    sibling: around(random.pick(specs.filter((other) => keys.has(other.origin))).origin, keys),
    stranger: await createKey(folder, origin, signing.algorithm, false),
    now: nowSeconds(),
    random,
  })
  await writeFile(signed, writeLines(lines))
  return { spec, file: signed, lines }
}

async function signZone(
  folder: string,
  file: string,
  signed: string,
  origin: string,
  { denial, period }: Signing,
  { ksk, zsk }: ZoneKeys,
): Promise<void> {
  const shift = { past: -40 * DAY, now: 0, future: 40 * DAY }[period]
  const start = timeText(nowSeconds() - DAY + shift)
  const end = timeText(nowSeconds() + 20 * DAY + shift)
  const bases = [...new Set([ksk.base, zsk.base])]
  if (denial.kind === 'nsec3' && denial.isOptOut) {
    const hashing = ['-3', denial.salt === '' ? '-' : denial.salt, '-H', String(denial.iterations)]
    const output = ['-P', '-A', '-O', 'full', '-s', start, '-e', end, '-f', signed]
    const usage = ksk === zsk ? ['-z'] : ['-x']
    const args = [...hashing, ...output, ...usage, '-o', `${origin}.`, file, ...bases]
    await runToEnd('dnssec-signzone', args, { cwd: folder })
    return
  }
  const hashing =
    denial.kind === 'nsec'
      ? []
      : ['-n', '-t', String(denial.iterations), ...(denial.salt === '' ? [] : ['-s', denial.salt])]
  const args = [
    ...hashing,
    '-i',
    start,
    '-e',
    end,
    '-o',
    `${origin}.`,
    '-f',
    signed,
    file,
    ...bases,
  ]
  await runToEnd('ldns-signzone', args, { cwd: folder })
}

function delegationOf(
  { origin, ds, zoneBreak }: ZoneSpec,
  keys: ZoneKeys | undefined,
): readonly string[] {
  const line = (rdata: string): string => `${origin}. DS ${rdata}`
  const cut = [`${origin}. NS ns.${origin}.`, `ns.${origin}. A ${SERVER}`]
  const nothing = `12345 13 2 ${'ab'.repeat(32)}`
  const published = keys?.ksk.dnskey
  if (ds === 'none') return cut
  if (ds === 'unknown-algorithm') return [...cut, line(`12345 99 2 ${'ab'.repeat(32)}`)]
  // A DS record and no key: the zone is unsigned although its parent says otherwise.
  if (published === undefined) return [...cut, line(nothing)]
  const named = zoneBreak === 'revoked' ? withFlags(published, REVOKED_KSK) : published
  return [...cut, ...dsOf(origin, named, ds).map(line)]
}

function dsOf(origin: string, dnskey: Buffer, form: ZoneSpec['ds']): readonly string[] {
  const sha1 = dsText(origin, dnskey, 1)
  const sha256 = dsText(origin, dnskey, 2)
  const otherDigest = (text: string): string =>
    text.replace(/..$/, (end) => (end === '00' ? '01' : '00'))
  switch (form) {
    case 'sha384':
      return [dsText(origin, dnskey, 4)]
    case 'sha1':
      return [sha1]
    case 'sha1-and-sha256':
      return [sha1, sha256]
    case 'sha1-and-wrong-sha256':
      return [sha1, otherDigest(sha256)]
    case 'unknown-digest':
      return [sha256.replace(/^(\d+ \d+) 2/, '$1 77')]
    case 'wrong-digest':
      return [otherDigest(sha256)]
    case 'wrong-tag':
      return [sha256.replace(/^\d+/, (tag) => String((Number(tag) + 1) % 65536))]
    case 'one-of-two':
      return [sha256, `12345 13 2 ${'ab'.repeat(32)}`]
    default:
      return [sha256]
  }
}

function around(
  origin: string,
  keys: ReadonlyMap<string, ZoneKeys>,
): { origin: string; keys: ZoneKeys } | undefined {
  const own = keys.get(origin)
  return own && { origin, keys: own }
}

function dnskeyText(dnskey: Buffer): string {
  const [, , protocol, algorithm] = dnskey
  return `${dnskey.readUInt16BE(0)} ${protocol} ${algorithm} ${dnskey.toString('base64', 4)}`
}

export function parentOf(origin: string, zones: readonly { readonly origin: string }[]): string {
  const above = zones
    .map((zone) => zone.origin)
    .filter((other) => other !== origin && (other === '' || origin.endsWith(`.${other}`)))
  return above.sort((a, b) => b.length - a.length)[0] ?? ''
}

function depth(origin: string): number {
  return origin === '' ? 0 : origin.split('.').length
}

function byDepth(specs: readonly ZoneSpec[]): readonly (readonly ZoneSpec[])[] {
  const levels = new Map<number, ZoneSpec[]>()
  for (const spec of specs) {
    const level = depth(spec.origin)
    levels.set(level, [...(levels.get(level) ?? []), spec])
  }
  return [...levels.values()]
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

/** As many at a time as keep two cores busy. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < items.length; at += 4) {
    results.push(...(await Promise.all(items.slice(at, at + 4).map(work))))
  }
  return results
}
