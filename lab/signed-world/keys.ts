/** Creates the keys of a zone with ldns-keygen. */
import path from 'node:path'
import { runToEnd } from '../child.js'
import { readZoneKey } from './signer.js'
import type { ZoneKey } from './signer.js'
import type { Algorithm, KeyScheme } from './spec.js'

export type ZoneKeys = {
  /** Signs the DNSKEY set; what the DS record names. */
  readonly ksk: ZoneKey
  /** Signs everything else; the same with one key for all. */
  readonly zsk: ZoneKey
  /** Published, but signs nothing. */
  readonly idle: readonly ZoneKey[]
}

export async function createKeys(
  folder: string,
  origin: string,
  algorithm: Algorithm,
  scheme: KeyScheme,
): Promise<ZoneKeys> {
  const create = (isKsk: boolean): Promise<ZoneKey> => createKey(folder, origin, algorithm, isKsk)
  const ksk = await create(true)
  if (scheme === 'csk') return { ksk, zsk: ksk, idle: [] }
  const zsk = await create(false)
  return { ksk, zsk, idle: scheme === 'split' ? [] : [await create(true), await create(false)] }
}

export async function createKey(
  folder: string,
  origin: string,
  algorithm: Algorithm,
  isKsk: boolean,
): Promise<ZoneKey> {
  // The shortest RSA keys that BIND and Unbound accept: they are quick to make.
  const args = ['-a', NAMES[algorithm], '-b', '1024', '-r', '/dev/urandom', `${origin}.`]
  const base = await runToEnd('ldns-keygen', [...(isKsk ? ['-k'] : []), ...args], { cwd: folder })
  return readZoneKey(path.join(folder, base.trim()))
}

const NAMES: Readonly<Record<Algorithm, string>> = {
  5: 'RSASHA1',
  7: 'RSASHA1-NSEC3-SHA1',
  8: 'RSASHA256',
  10: 'RSASHA512',
  13: 'ECDSAP256SHA256',
  14: 'ECDSAP384SHA384',
  15: 'ED25519',
  16: 'ED448',
}
