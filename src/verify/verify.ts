/**
 * Do the server's certificates satisfy what DANE demands of it?
 *
 * The judge: what is expected, the chain as sent and an instant in, a `Verdict`
 * out. RFC 7672 §3: DANE-EE(3) looks at the leaf alone, DANE-TA(2) at the whole
 * path; either is enough, and neither asks a public authority, a CRL or a clock of
 * its own.
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
import type { PeerChain, Refused, Verdict } from '../verdict.js'
import { associationData, matchesAssociation } from './association.js'
import { findPath } from './path.js'

/** @param instant milliseconds since the epoch at which the certificates have to be valid */
export function verify(
  expectation: AuthenticateHost | EncryptHost,
  chain: PeerChain,
  instant: number,
): Verdict {
  if (expectation.kind === 'encrypt') return { kind: 'encrypted' }
  const [first, ...rest] = chain
  const leaf = parseCertificate(first)
  if (leaf === undefined) return refused('unreadable-certificate', 'the leaf is no certificate')

  const endEntity = expectation.records.filter(({ usage }) => usage === USAGE.daneEe)
  const match = endEntity.find((record) => matchesAssociation(record, leaf))
  // RFC 7672 §3.1.1: a match is all it takes; names, validity and issuer play no part.
  if (match) return { kind: 'authenticated', record: match, depth: 0, name: undefined }

  const anchors = expectation.records.filter(({ usage }) => usage === USAGE.daneTa)
  if (anchors.length > 0) {
    const others = rest.flatMap((der) => parseCertificate(der) ?? [])
    return findPath(leaf, others, anchors, expectation.referenceNames, instant)
  }
  return refused('certificate-mismatch', mismatch(leaf, endEntity))
}

/** Nothing was shown: an anonymous suite, a resumed session, a broken TLS stack. */
export function verifyNothing(): Refused {
  return refused('no-certificate', 'the server showed no certificate')
}

function mismatch(leaf: Certificate, records: readonly UsableTlsa[]): string {
  const shown = records.slice(0, 4).map((record) => {
    const { usage, selector, matchingType, data } = record
    const has = associationData(record, leaf).toString('hex', 0, 8)
    return `${usage} ${selector} ${matchingType} expects ${data.toString('hex', 0, 8)}... and the certificate has ${has}...`
  })
  return printable(shown.join('; '), 400)
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail }
}
