/**
 * Do the server's certificates satisfy what DANE demands of it?
 *
 * The judge: what is expected, the chain as sent and an instant in, a `Verdict`
 * out. RFC 7672 §3: DANE-EE(3) looks at the leaf alone, DANE-TA(2) at the whole
 * path; either is enough, and neither asks a public authority, a CRL or a clock of
 * its own.
 *
 * `verifyLeaf` answers from the leaf alone where that is enough, for those to whom the
 * rest of the list costs something.
 *
 * Promises: `authenticated` is made here and in path.ts on this file's behalf, and
 * nowhere else; it never throws for what is in the chain. Pure.
 */
import { parseCertificate } from '../certificate.js'
import type { Certificate } from '../certificate.js'
import type { AuthenticateHost, EncryptHost } from '../policy.js'
import { printable } from '../text.js'
import { USAGE } from '../tlsa.js'
import type { UsableTlsa } from '../tlsa.js'
import type { Authenticated, PeerChain, Refused, Verdict } from '../verdict.js'
import { associationData, matchesAssociation, recordsText } from './association.js'
import { findPath } from './path.js'
import { describeCertificate } from './profile.js'

/** @param instant milliseconds since the epoch at which the certificates have to be valid */
export function verify(
  expectation: AuthenticateHost | EncryptHost,
  chain: PeerChain,
  instant: number,
): Verdict {
  if (expectation.kind === 'encrypt') return { kind: 'encrypted' }
  const [first, ...rest] = chain
  const leaf = parseCertificate(first)
  if (leaf === undefined) {
    const detail = `what the server showed first is no certificate: ${first.length} octets`
    return refused('unreadable-certificate', detail)
  }

  const endEntity = endEntityRecords(expectation)
  const verdict = judgeLeaf(endEntity, leaf)
  if (verdict) return verdict

  const mismatches = endEntity.length > 0 ? [mismatch(leaf, endEntity)] : []
  const anchors = expectation.records.filter(({ usage }) => usage === USAGE.daneTa)
  if (anchors.length > 0) {
    const others = rest.flatMap((der) => parseCertificate(der) ?? [])
    const verdict = findPath(leaf, others, anchors, expectation.referenceNames, instant)
    // Whatever else was wrong came further than a mismatch; of two mismatches both are told.
    if (verdict.kind === 'authenticated' || verdict.reason !== 'certificate-mismatch')
      return verdict
    mismatches.push(verdict.detail)
  }
  return refused('certificate-mismatch', printable(mismatches.join('; '), 400))
}

/**
 * What `verify` would say of a list that begins with these octets, whatever follows;
 * undefined where that hangs on the rest of it, or they are no certificate.
 */
export function verifyLeaf(expectation: AuthenticateHost, der: Buffer): Authenticated | undefined {
  const leaf = parseCertificate(der)
  return leaf && judgeLeaf(endEntityRecords(expectation), leaf)
}

function endEntityRecords(expectation: AuthenticateHost): readonly UsableTlsa[] {
  return expectation.records.filter(({ usage }) => usage === USAGE.daneEe)
}

/** RFC 7672 §3.1.1: a match is all it takes; names, validity and issuer play no part. */
function judgeLeaf(endEntity: readonly UsableTlsa[], leaf: Certificate): Authenticated | undefined {
  const match = endEntity.find((record) => matchesAssociation(record, leaf))
  return match && { kind: 'authenticated', record: match, depth: 0, name: undefined }
}

/** Nothing was shown: an anonymous suite, a resumed session, a broken TLS stack. */
export function verifyNothing(): Refused {
  return refused('no-certificate', 'the server showed no certificate')
}

function mismatch(leaf: Certificate, records: readonly UsableTlsa[]): string {
  const found = records.map((record) => ({ ...record, data: associationData(record, leaf) }))
  return `${describeCertificate(leaf)} is ${recordsText(found)}, expected ${recordsText(records)}`
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail }
}
