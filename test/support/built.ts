/** Chains of root, intermediate and leaf made with the DER builder. */
import type { PeerChain, Verdict } from '../../src/verdict.js'
import { judge, tlsaFor } from './chains.js'
import { build, CN, dn, dns, ecKeys, extensions } from './der-builder.js'
import type { Built, CertificateParts } from './der-builder.js'

export const MX = 'mx.example.org'
export const rootKeys = ecKeys()
export const middleKeys = ecKeys()
export const leafKeys = ecKeys()
export const ROOT = dn([[CN, 'Root']])
export const MIDDLE = dn([[CN, 'Middle']])

export const rootOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca()], ...parts })

/** Signed by the root. */
export const middleOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({
    subject: MIDDLE,
    issuer: ROOT,
    keys: middleKeys,
    signedBy: rootKeys,
    extensions: [extensions.ca()],
    ...parts,
  })

/** Signed by the root. */
export const leafOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({
    subject: dn([[CN, MX]]),
    issuer: ROOT,
    keys: leafKeys,
    signedBy: rootKeys,
    extensions: [extensions.names(dns(MX))],
    ...parts,
  })

export const chain = (leaf: Built, ...others: readonly Built[]): PeerChain => [
  leaf.der,
  ...others.map(({ der }) => der),
]

/** With a record that contains the whole root, so that all of it is checked. */
export const verdictOn = (leaf: Built, root: Built, ...others: readonly Built[]): Verdict =>
  judge([tlsaFor(2, 0, 1, root)], chain(leaf, ...others, root))
