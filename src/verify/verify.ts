/**
 * Do the server's certificates satisfy the host's DANE requirements?
 *
 * Takes the expectation, the chain as sent and an instant, and returns a `Verdict`. RFC
 * 7672 §3: DANE-EE(3) checks only the leaf, DANE-TA(2) the whole path; either is
 * sufficient. Public CAs, CRLs and the system clock are not consulted.
 *
 * `verifyLeaf` answers from the leaf alone if that is sufficient, for callers to which
 * the rest of the list is expensive.
 *
 * Promises: `authenticated` is constructed only here and in path.ts; nothing in the chain
 * makes it throw. Pure.
 */
import { parseCertificate } from '../x509/certificate.js'
import type { Certificate } from '../x509/certificate.js'
import type { AuthenticateHost, EncryptHost } from '../plan.js'
import { printable } from '../text.js'
import { USAGE } from '../tlsa.js'
import type { UsableTlsa } from '../tlsa.js'
import type { Authenticated, PeerChain, Refused, Verdict } from '../verdict.js'
import { recordThatMatches, matchingRecord, MAX_SHOWN, recordsText } from './match-tlsa.js'
import { Allowance } from './budget.js'
import { findPath } from './path.js'
import { describeCertificate } from './parsed-certificate.js'

/**
 * @param instant milliseconds since the epoch at which the certificates have to be valid
 * @param allowance limits the cost; shared by all verdicts of an attempt
 */
export function verify(
  expectation: AuthenticateHost | EncryptHost,
  chain: PeerChain,
  instant: number,
  allowance = new Allowance(),
): Verdict {
  if (expectation.kind === 'encrypt') return { kind: 'encrypted' }
  const [first, ...rest] = chain
  const leaf = parseCertificate(first)
  if (leaf === undefined) {
    const detail = `the server's first certificate is not an X.509 certificate: ${first.length} octets`
    return refused('unreadable-certificate', detail)
  }

  const endEntity = endEntityRecords(expectation)
  const verdict = judgeLeaf(endEntity, leaf)
  if (verdict) return verdict

  const mismatches = endEntity.length > 0 ? [mismatch(leaf, endEntity)] : []
  const anchors = expectation.records.filter(({ usage }) => usage === USAGE.daneTa)
  if (anchors.length > 0) {
    const others = rest.flatMap((der) => parseCertificate(der) ?? [])
    const verdict = findPath(leaf, others, anchors, expectation.referenceNames, instant, allowance)
    // Any other failure is more specific than a mismatch; two mismatches are both reported.
    if (verdict.kind === 'authenticated' || verdict.reason !== 'certificate-mismatch')
      return verdict
    mismatches.push(verdict.detail)
  }
  return refused('certificate-mismatch', printable(mismatches.join('; '), 400))
}

/**
 * The result of `verify` for any list that begins with this certificate; undefined if the
 * result depends on the rest of the list, or if it is not a certificate.
 */
export function verifyLeaf(expectation: AuthenticateHost, der: Buffer): Authenticated | undefined {
  const leaf = parseCertificate(der)
  return leaf && judgeLeaf(endEntityRecords(expectation), leaf)
}

function endEntityRecords(expectation: AuthenticateHost): readonly UsableTlsa[] {
  return expectation.records.filter(({ usage }) => usage === USAGE.daneEe)
}

/** RFC 7672 §3.1.1: a match is sufficient; names, validity and issuer are ignored. */
function judgeLeaf(endEntity: readonly UsableTlsa[], leaf: Certificate): Authenticated | undefined {
  const match = matchingRecord(endEntity, leaf)
  return match && { kind: 'authenticated', record: match, depth: 0, name: undefined }
}

/**
 * No certificate was presented: an anonymous cipher suite, a resumed session, a broken TLS
 * stack.
 */
export function verifyNothing(): Refused {
  return refused('no-certificate', 'the server presented no certificate')
}

function mismatch(leaf: Certificate, records: readonly UsableTlsa[]): string {
  const shown = records.slice(0, MAX_SHOWN)
  const found = shown.map((record) => recordThatMatches(record, leaf))
  return `${describeCertificate(leaf)} is ${recordsText(found)}, expected ${recordsText(records)}`
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail }
}
