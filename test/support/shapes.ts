/**
 * Chains for property tests and for the comparison with OpenSSL.
 *
 * Each shape is a list as sent by a server, leaf first, and the certificates
 * that records may name. Some are good, the others have one flaw each.
 */
import {
  KeyUsageFlags,
  mint,
  nameConstraints,
  NOON,
  unknownCritical,
} from '../../lab/certificates.js'
import type { Minted, MintOptions } from '../../lab/certificates.js'

export type Shape = {
  readonly name: string
  readonly sent: readonly [Minted, ...Minted[]]
  readonly leaf: Minted
  readonly intermediate: Minted
  readonly root: Minted
}

export const MX = 'mx.example.org'
const DAY = 86_400_000
export const PAST = {
  notBefore: new Date(NOON.getTime() - 20 * DAY),
  notAfter: new Date(NOON.getTime() - DAY),
}
export const FUTURE = {
  notBefore: new Date(NOON.getTime() + DAY),
  notAfter: new Date(NOON.getTime() + 20 * DAY),
}

type Flaws = {
  readonly root?: Partial<MintOptions>
  readonly intermediate?: Partial<MintOptions>
  readonly leaf?: Partial<MintOptions>
  readonly sent?: (parts: {
    leaf: Minted
    intermediate: Minted
    root: Minted
    stranger: Minted
  }) => readonly [Minted, ...Minted[]]
}

const FLAWS: Readonly<Record<string, Flaws>> = {
  whole: {},
  'root not sent': { sent: ({ leaf, intermediate }) => [leaf, intermediate] },
  'leaf alone': { sent: ({ leaf }) => [leaf] },
  unordered: { sent: ({ leaf, intermediate, root }) => [leaf, root, intermediate] },
  'padded and doubled': {
    sent: ({ leaf, intermediate, root, stranger }) => [
      leaf,
      stranger,
      intermediate,
      intermediate,
      root,
      stranger,
    ],
  },
  'leaf expired': { leaf: PAST },
  'leaf not yet valid': { leaf: FUTURE },
  'intermediate expired': { intermediate: PAST },
  'root expired': { root: PAST },
  'intermediate no CA': {
    intermediate: { isCa: false, keyUsage: KeyUsageFlags.keyCertSign, extendedKeyUsage: 'none' },
  },
  'intermediate without basicConstraints': { intermediate: { noBasicConstraints: true } },
  'intermediate may not sign': { intermediate: { keyUsage: KeyUsageFlags.cRLSign } },
  'root without basicConstraints': { root: { noBasicConstraints: true } },
  'root path length 0': { root: { pathLength: 0 } },
  'root path length 1': { root: { pathLength: 1 } },
  'intermediate path length 0': { intermediate: { pathLength: 0 } },
  'intermediate for email': { intermediate: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] } },
  'leaf for clients': { leaf: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] } },
  'leaf signs certificates': { leaf: { keyUsage: KeyUsageFlags.keyCertSign } },
  'leaf without extensions': {
    leaf: { keyUsage: 'none', extendedKeyUsage: 'none', noBasicConstraints: true },
  },
  'leaf signed with SHA-1': { leaf: { hash: 'SHA-1' } },
  'intermediate signed with SHA-1': { intermediate: { hash: 'SHA-1' } },
  'leaf of 1024 bits': { leaf: { key: 'RSA-1024' } },
  'intermediate of 1024 bits': { intermediate: { key: 'RSA-1024' } },
  'leaf with an unknown critical extension': { leaf: { extensions: [unknownCritical()] } },
  'intermediate with an unknown critical extension': {
    intermediate: { extensions: [unknownCritical()] },
  },
  'name permitted': {
    intermediate: { extensions: [nameConstraints({ permitted: ['example.org'] })] },
  },
  'name not permitted': {
    intermediate: { extensions: [nameConstraints({ permitted: ['example.net'] })] },
  },
  'name excluded': { root: { extensions: [nameConstraints({ excluded: ['example.org'] })] } },
  'other name excluded': { root: { extensions: [nameConstraints({ excluded: ['example.net'] })] } },
  'RSA throughout': {
    root: { key: 'RSA-2048' },
    intermediate: { key: 'RSA-2048' },
    leaf: { key: 'RSA-2048' },
  },
  'Ed25519 throughout': {
    root: { key: 'Ed25519' },
    intermediate: { key: 'Ed25519' },
    leaf: { key: 'Ed25519' },
  },
  'P-521 throughout': {
    root: { key: 'P-521' },
    intermediate: { key: 'P-521' },
    leaf: { key: 'P-521' },
  },
}

/** Every shape, newly created. */
export async function mintShapes(): Promise<readonly Shape[]> {
  const stranger = await mint({ subject: 'CN=stranger', isCa: true })
  const flawed = Object.entries(FLAWS).map(async ([name, flaws]) => {
    const root = await mint({ subject: 'CN=root', isCa: true, ...flaws.root })
    const intermediate = await mint({
      subject: 'CN=intermediate',
      isCa: true,
      issuer: root,
      ...flaws.intermediate,
    })
    const leaf = await mint({
      subject: `CN=${MX}`,
      names: [MX],
      issuer: intermediate,
      ...flaws.leaf,
    })
    const sent =
      flaws.sent?.({ leaf, intermediate, root, stranger }) ?? ([leaf, intermediate, root] as const)
    return { name, sent, leaf, intermediate, root }
  })
  return [...(await Promise.all(flawed)), ...(await odd(stranger))]
}

/** Shapes that are not a chain of three with a flaw. */
async function odd(stranger: Minted): Promise<readonly Shape[]> {
  const root = await mint({ subject: 'CN=root', isCa: true })
  const intermediate = await mint({ subject: 'CN=intermediate', isCa: true, issuer: root })
  const leaf = await mint({ subject: `CN=${MX}`, names: [MX], issuer: intermediate })
  const impostor = await mint({ subject: 'CN=intermediate', isCa: true, issuer: root })
  const selfSigned = await mint({ subject: `CN=${MX}`, names: [MX] })
  const direct = await mint({ subject: `CN=${MX}`, names: [MX], issuer: root })
  const { keys } = intermediate
  const twin = { subject: 'CN=intermediate', isCa: true, keys }
  const crossed = await mint({ ...twin, issuer: stranger })
  const stale = await mint({ ...twin, issuer: root, ...PAST })
  const renamed = await mint({
    subject: `CN=${MX}`,
    names: [MX],
    issuer: intermediate,
    issuerName: 'CN=somebody',
  })
  return [
    {
      name: 'issuer of the same name and another key',
      sent: [leaf, impostor, root],
      leaf,
      intermediate: impostor,
      root,
    },
    {
      name: 'self-signed leaf',
      sent: [selfSigned],
      leaf: selfSigned,
      intermediate: selfSigned,
      root: selfSigned,
    },
    {
      name: 'self-signed leaf, padded with a CA',
      sent: [selfSigned, root],
      leaf: selfSigned,
      intermediate: root,
      root,
    },
    {
      name: 'issued by the root itself',
      sent: [direct, root],
      leaf: direct,
      intermediate: root,
      root,
    },
    {
      name: 'cross-signed, this root',
      sent: [leaf, crossed, intermediate, root],
      leaf,
      intermediate,
      root,
    },
    {
      name: 'cross-signed, the other root',
      sent: [leaf, intermediate, crossed, stranger],
      leaf,
      intermediate: crossed,
      root: stranger,
    },
    {
      name: 'stale and renewed intermediate',
      sent: [leaf, stale, intermediate, root],
      leaf,
      intermediate,
      root,
    },
    {
      name: 'issuer named otherwise',
      sent: [renamed, intermediate, root],
      leaf: renamed,
      intermediate,
      root,
    },
  ]
}
