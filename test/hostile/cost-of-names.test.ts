/**
 * Certificates with hundreds and thousands of names, on many paths and under constraints.
 * The tests assert the verdict; the time is printed here and bounded in
 * worst-verdict.test.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import { PATIENCE, verdict } from '../support/cost.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  email,
  excluded,
  extensions,
  ip,
  permitted,
  utcTime,
} from '../support/der-builder.js'
import type { CertificateParts, Der } from '../support/der-builder.js'

const MX = 'mx.example.org'
const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])
const rootKeys = ecKeys()
const middleKeys = ecKeys()
const leafKeys = ecKeys()
const EXPIRED = [utcTime('200101000000Z'), utcTime('210101000000Z')] as const

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const leafOf = (parts: Partial<CertificateParts>): { readonly der: Buffer } =>
  build({
    subject: dn([[CN, MX]]),
    issuer: MIDDLE,
    keys: leafKeys,
    signedBy: middleKeys,
    extensions: [],
    ...parts,
  })
const dnsNames = (count: number): Der =>
  extensions.names(...many(count, (index) => dns(`n${index}.example`)))
/** The most names with which a certificate is still checked on `PATHS` paths. */
const SOME = 500
const PATHS = 20

const cases: readonly {
  readonly circumstance: string
  readonly leaf: { readonly der: Buffer }
  readonly rootConstraints?: Der
  readonly middle?: Partial<CertificateParts>
  readonly wanted: string
}[] = [
  {
    circumstance: 'thousands of names against thousands of constraints',
    leaf: leafOf({ extensions: [dnsNames(4000)] }),
    rootConstraints: extensions.nameConstraints(
      excluded(...many(3000, (index) => dns(`c${index}.invalid`))),
    ),
    wanted: 'budget-exhausted',
  },
  {
    circumstance: 'hundreds of names against thousands of constraints of another form',
    leaf: leafOf({ extensions: [dnsNames(SOME)] }),
    rootConstraints: extensions.nameConstraints(excluded(...many(1000, () => email('a@b')))),
    wanted: 'name-mismatch',
  },
  {
    circumstance: 'thousands of names that are examined twice but not compared',
    leaf: leafOf({ extensions: [extensions.names(...many(5000, () => dns('')))] }),
    rootConstraints: extensions.nameConstraints(excluded(email('a@b'))),
    middle: {
      extensions: [extensions.ca(), extensions.nameConstraints(excluded(email('a@b')))],
    },
    wanted: 'budget-exhausted',
  },
  {
    circumstance: 'thousands of names that are never examined',
    leaf: leafOf({ extensions: [extensions.names(...many(5000, () => dns('')))] }),
    wanted: 'name-mismatch',
  },
  {
    circumstance: 'thousands of addresses against hundreds of subnets',
    leaf: leafOf({ extensions: [extensions.names(...many(4000, () => ip(10, 1, 1, 1)))] }),
    rootConstraints: extensions.nameConstraints(
      permitted(
        ...many(400, (index) => ip(11, index & 0xff, 0, 0, 255, 255, 0, 0)),
        ip(10, 0, 0, 0, 255, 0, 0, 0),
      ),
    ),
    wanted: 'budget-exhausted',
  },
  {
    circumstance: 'hundreds of names without constraints',
    leaf: leafOf({ extensions: [dnsNames(SOME)] }),
    wanted: 'name-mismatch',
  },
  {
    circumstance: 'thousands of names without constraints',
    leaf: leafOf({ extensions: [dnsNames(4000)] }),
    wanted: 'budget-exhausted',
  },
  {
    circumstance: 'a long subject under constraints at every level',
    leaf: leafOf({
      subject: dn(many(200, (index) => [CN, `x${index}`] as const)),
      extensions: [extensions.names(dns(MX))],
    }),
    rootConstraints: extensions.nameConstraints(excluded(dns('example.net'))),
    middle: {
      times: EXPIRED,
      extensions: [extensions.ca(), extensions.nameConstraints(excluded(dns('example.net')))],
    },
    wanted: 'certificate-expired',
  },
  {
    circumstance: 'a subject of thousands of parts',
    leaf: leafOf({ subject: dn(many(4000, (index) => [CN, `x${index}`] as const)) }),
    wanted: 'budget-exhausted',
  },
]

for (const { circumstance, leaf, rootConstraints, middle, wanted } of cases) {
  test(`${circumstance}, on ${PATHS} paths: ${wanted} [DERIVED-chain-c]`, PATIENCE, (context) => {
    const root = build({
      subject: ROOT,
      keys: rootKeys,
      extensions: [extensions.ca(), ...(rootConstraints ? [rootConstraints] : [])],
    })
    const middles = many(PATHS, (serial) =>
      build({
        subject: MIDDLE,
        issuer: ROOT,
        keys: middleKeys,
        signedBy: rootKeys,
        serial,
        extensions: [extensions.ca()],
        ...middle,
      }),
    )
    const chain = [leaf.der, ...middles.map(({ der }) => der), root.der] as const
    assert.equal(verdict(context, [tlsaFor(2, 0, 1, root)], chain), wanted)
  })
}
