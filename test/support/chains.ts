/** Helpers that combine records, chains and expected verdicts. */
import type { Minted } from '../../lab/certificates.js'
import { NOON, tlsaFor } from '../../lab/certificates.js'
import type { AuthenticateHost } from '../../src/plan.js'
import { filterTlsa } from '../../src/tlsa.js'
import type { PeerChain, Verdict } from '../../src/verdict.js'
import { verify } from '../../src/verify/verify.js'
import { name } from './names.js'

/** `3 1 1 HEX` as published. */
export function published(text: string): { readonly rdata: Buffer } {
  const [usage, selector, matchingType, data = ''] = text.split(' ')
  const parameters = Buffer.from([usage, selector, matchingType].map(Number))
  return { rdata: Buffer.concat([parameters, Buffer.from(data, 'hex')]) }
}

/** The decision for mx.example.org with these records, as an MX host of example.org. */
export function expectation(
  records: readonly string[],
  names: readonly string[] = ['mx.example.org', 'example.org'],
): AuthenticateHost {
  const { usable, unusable } = filterTlsa(records.map(published))
  const [first, ...rest] = usable
  const [base, ...others] = names.map(name)
  if (first === undefined || base === undefined) throw new Error('nothing to authenticate by')
  return {
    kind: 'authenticate',
    tlsaBase: base,
    records: [first, ...rest],
    referenceNames: [base, ...others],
    unusable,
  }
}

export function chainOf(...certificates: readonly [Minted, ...Minted[]]): PeerChain {
  const [leaf, ...others] = certificates
  return [leaf.der, ...others.map(({ der }) => der)]
}

/** The verdict on a chain at NOON, with records for these certificates. */
export function judge(
  records: readonly string[],
  chain: PeerChain,
  { names, instant = NOON.getTime() }: { names?: readonly string[]; instant?: number } = {},
): Verdict {
  return verify(expectation(records, names), chain, instant)
}

/** In one or two words. */
export function word(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'authenticated':
      return `authenticated at ${verdict.depth}`
    case 'encrypted':
      return 'encrypted'
    case 'refused':
      return verdict.reason
  }
}

export { tlsaFor }
