/** Mints CAs, and leaves for mx.example.org. */
import { mint } from '../../lab/certificates.js'
import type { Minted, MintOptions } from '../../lab/certificates.js'
import { MX } from './shapes.js'

export function ca(subject: string, options: Partial<MintOptions> = {}): Promise<Minted> {
  return mint({ subject: `CN=${subject}`, isCa: true, ...options })
}

export function leafOf(issuer: Minted, options: Partial<MintOptions> = {}): Promise<Minted> {
  return mint({ subject: `CN=${MX}`, names: [MX], issuer, ...options })
}

export type Family = {
  readonly root: Minted
  readonly intermediate: Minted
  readonly leaf: Minted
  readonly stranger: Minted
}

/** A flawless chain of three, and an unrelated CA. */
export async function family(): Promise<Family> {
  const root = await ca('root')
  const intermediate = await ca('intermediate', { issuer: root })
  const leaf = await leafOf(intermediate)
  return { root, intermediate, leaf, stranger: await ca('stranger') }
}
