/**
 * The rules that DNS data is validated by: the trust anchors, and what the operator exempts.
 * What one process has proven counts for another one only under the same rules, so it
 * carries a digest of them. Pure.
 */
import { createHash } from 'node:crypto'
import type { TrustAnchor } from '../trust-anchor.js'
import type { WireName } from '../wire-name.js'

export type Rules = {
  readonly anchors: readonly TrustAnchor[]
  /** Names at and below which everything is insecure (RFC 7646). */
  readonly insecureZones: readonly WireName[]
  /** Whether algorithms 5 and 7 are supported (RFC 9905). */
  readonly isSha1Allowed: boolean
}

/** 32 hexadecimal digits, the same for the same rules in any order. */
export function provenUnder({ anchors, insecureZones, isSha1Allowed }: Rules): string {
  const parts = anchors.map((anchor) =>
    anchor.kind === 'dnskey'
      ? `dnskey ${hex(anchor.owner)} ${anchor.rdata.toString('hex')}`
      : `ds ${hex(anchor.owner)} ${anchor.keyTag} ${anchor.algorithm} ${anchor.digestType} ${anchor.digest.toString('hex')}`,
  )
  const insecure = insecureZones.map((zone) => `insecure ${hex(zone)}`)
  const all = [...[...parts, ...insecure].sort(), `sha1 ${isSha1Allowed}`].join('\n')
  return createHash('sha256').update(all).digest('hex').slice(0, 32)
}

function hex(name: WireName): string {
  return Buffer.from(name, 'latin1').toString('hex')
}
