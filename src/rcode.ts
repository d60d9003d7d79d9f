/**
 * What the RCODE of a DNS reply means for a lookup (RFC 1035 §4.1.1). Pure.
 */
import type { ExtendedError } from './extended-error.js'
import type { Failed } from './lookup.js'

/** RFC 1035 §4.1.1. */
export const NOERROR = 0
export const SERVFAIL = 2
export const NXDOMAIN = 3
const REFUSED = 5

type Reply = { readonly rcode: number; readonly extendedErrors: readonly ExtendedError[] }

/** Undefined for NOERROR and NXDOMAIN, which may be answers. Any other is none (RFC 7672 §2.1.1). */
export function failureByRcode({ rcode, extendedErrors }: Reply): Failed | undefined {
  switch (rcode) {
    case NOERROR:
    case NXDOMAIN:
      return undefined
    case SERVFAIL: {
      const isBogus = extendedErrors.some(({ code }) => BOGUS.has(code))
      const cause = isBogus ? 'bogus' : 'servfail'
      return { kind: 'failed', cause, detail: 'SERVFAIL', extendedErrors }
    }
    case REFUSED:
      return { kind: 'failed', cause: 'refused', detail: 'REFUSED', extendedErrors }
    default:
      return { kind: 'failed', cause: 'rcode', detail: `RCODE ${rcode}`, extendedErrors }
  }
}

/**
 * RFC 8914 §4.7 to §4.13: bogus, signature expired, not yet valid, DNSKEY missing,
 * RRSIGs missing, no zone key bit, NSEC missing. They explain a failure and never cause
 * one (§6), since the RCODE is SERVFAIL already.
 */
const BOGUS: ReadonlySet<number> = new Set([6, 7, 8, 9, 10, 11, 12])
