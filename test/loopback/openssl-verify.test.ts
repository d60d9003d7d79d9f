/**
 * Signature algorithms and constrained names judged by the installed OpenSSL:
 * `openssl verify` at security level 2 against an anchor that is a certificate. Where the
 * two differ, the reason is given here and in docs/verdicts.md.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { NOON } from '../../lab/certificates.js'
import { leafOf, MX, rootOf, verdictOn } from '../support/built.js'
import { word } from '../support/chains.js'
import {
  CN,
  context,
  directory,
  dn,
  dns,
  ecKeys,
  element,
  EMAIL,
  email,
  excluded,
  extensions,
  implicit,
  integer,
  ip,
  O,
  oid,
  otherName,
  permitted,
  seq,
  uri,
} from '../support/der-builder.js'
import type { Built, Der, KeyPair, Signature } from '../support/der-builder.js'

const folder = mkdtempSync(path.join(tmpdir(), 'openssl-verify-'))
after(() => rmSync(folder, { recursive: true }))

let count = 0

function pemFile({ der }: Built): string {
  const file = path.join(folder, `${++count}.pem`)
  writeFileSync(file, new X509Certificate(der).toString())
  return file
}

/** Whether `openssl` and Node's OpenSSL are of different releases: newer ones know ECDSA with SHA-3. */
const IS_OTHER_RELEASE = (() => {
  const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8', timeout: 60_000 })
  const command = /^OpenSSL (\d+\.\d+)/.exec(stdout)?.[1] ?? ''
  return command !== process.versions.openssl.split('.', 2).join('.')
})()

/** Accepted, or OpenSSL's own words. */
function openssl(leaf: Built, root: Built): string {
  const { stdout, stderr } = spawnSync(
    'openssl',
    [
      ...['verify', '-auth_level', '2', '-purpose', 'sslserver', '-verify_hostname', MX],
      ...['-attime', String(NOON.getTime() / 1000), '-no-CAfile', '-no-CApath', '-no-CAstore'],
      ...['-trusted', pemFile(root), pemFile(leaf)],
    ],
    { encoding: 'utf8', timeout: 60_000 },
  )
  if (/: OK$/m.test(stdout)) return 'accepted'
  return /^error \d+ .*/m.exec(stderr)?.[0] ?? `failed: ${stderr}`
}

function compare(leaf: Built, root: Built, difference?: string): string {
  const theirs = openssl(leaf, root)
  const verdict = verdictOn(leaf, root)
  const ours = verdict.kind === 'authenticated' ? 'accepted' : word(verdict)
  const line = `OpenSSL: ${theirs}; this: ${ours}`
  const agree = (theirs === 'accepted') === (ours === 'accepted')
  if (difference === undefined)
    assert.ok(agree, `${line} ${'detail' in verdict ? verdict.detail : ''}`)
  else assert.ok(!agree, `no longer different: ${line}`)
  return line
}

describe('signatures', () => {
  const NULL = element(0x05)
  const keys: Readonly<Record<string, KeyPair>> = {
    RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    'P-256': ecKeys(),
    Ed25519: generateKeyPairSync('ed25519'),
    Ed448: generateKeyPairSync('ed448'),
  }
  const HASHES: Readonly<Record<string, string>> = {
    md5: '1.2.840.113549.2.5',
    sha1: '1.3.14.3.2.26',
    sha224: '2.16.840.1.101.3.4.2.4',
    sha256: '2.16.840.1.101.3.4.2.1',
    sha384: '2.16.840.1.101.3.4.2.2',
    sha512: '2.16.840.1.101.3.4.2.3',
    'sha512-224': '2.16.840.1.101.3.4.2.5',
    'sha512-256': '2.16.840.1.101.3.4.2.6',
    'sha3-224': '2.16.840.1.101.3.4.2.7',
    'sha3-256': '2.16.840.1.101.3.4.2.8',
    'sha3-384': '2.16.840.1.101.3.4.2.9',
    'sha3-512': '2.16.840.1.101.3.4.2.10',
  }
  const pss = (digest: string, mask = digest): Signature => {
    const hash = (name: string): Der => seq(oid(HASHES[name] ?? ''), NULL)
    return {
      algorithm: seq(
        oid('1.2.840.113549.1.1.10'),
        seq(
          element(0xa0, hash(digest)),
          element(0xa1, seq(oid('1.2.840.113549.1.1.8'), hash(mask))),
          element(0xa2, integer(20)),
        ),
      ),
      digest,
      options: { padding: 6, saltLength: 20 }, // RSA_PKCS1_PSS_PADDING
    }
  }
  const RSA: Readonly<Record<string, string>> = {
    md5: '1.2.840.113549.1.1.4',
    sha1: '1.2.840.113549.1.1.5',
    sha224: '1.2.840.113549.1.1.14',
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
    sha512: '1.2.840.113549.1.1.13',
    'sha512-224': '1.2.840.113549.1.1.15',
    'sha512-256': '1.2.840.113549.1.1.16',
    'sha3-224': '2.16.840.1.101.3.4.3.13',
    'sha3-256': '2.16.840.1.101.3.4.3.14',
    'sha3-384': '2.16.840.1.101.3.4.3.15',
    'sha3-512': '2.16.840.1.101.3.4.3.16',
    ripemd160: '1.3.36.3.3.1.2',
  }
  const ECDSA: Readonly<Record<string, string>> = {
    sha1: '1.2.840.10045.4.1',
    sha224: '1.2.840.10045.4.3.1',
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
    'sha3-224': '2.16.840.1.101.3.4.3.9',
    'sha3-256': '2.16.840.1.101.3.4.3.10',
    'sha3-384': '2.16.840.1.101.3.4.3.11',
    'sha3-512': '2.16.840.1.101.3.4.3.12',
  }
  const cases: readonly (readonly [string, string, Signature | undefined])[] = [
    ...Object.entries(RSA).map(
      ([digest, type]) =>
        [`RSA with ${digest}`, 'RSA', { algorithm: seq(oid(type), NULL), digest }] as const,
    ),
    ...Object.keys(HASHES).map((digest) => [`RSA-PSS with ${digest}`, 'RSA', pss(digest)] as const),
    ['Ed25519', 'Ed25519', undefined],
    ['Ed448', 'Ed448', undefined],
    ...Object.entries(ECDSA).map(
      ([digest, type]) =>
        [`ECDSA with ${digest}`, 'P-256', { algorithm: seq(oid(type)), digest }] as const,
    ),
  ]
  for (const [circumstance, kind, signature] of cases) {
    const isNewer = signature?.digest?.startsWith('sha3') && kind === 'P-256' && IS_OTHER_RELEASE
    const skip = isNewer
      ? 'the openssl command does not know it, and the OpenSSL of Node does'
      : false
    test(circumstance, { skip }, (context) => {
      const own = keys[kind]
      assert.ok(own)
      const root = rootOf({ keys: own })
      const leaf = leafOf({ signedBy: own, ...(signature && { signature }) })
      context.diagnostic(compare(leaf, root))
    })
  }
})

const IA5 = 0x16
/** What is said of these in docs/verdicts.md. */
const MAILBOX = 'the local part of an email address is compared without regard to case'
const HOST = 'a URI whose host readers do not agree on, or that is an IP address, is refused'

describe('constrained names', () => {
  const constrained = (...sides: readonly Der[]): Built =>
    rootOf({ extensions: [extensions.ca(), extensions.nameConstraints(...sides)] })
  const named = (...names: readonly Der[]): Built =>
    leafOf({ extensions: [extensions.names(dns(MX), ...names)] })
  const titled = (...attributes: readonly (readonly [string, string, number?])[]): Built =>
    leafOf({ subject: dn([...attributes, [CN, MX]]) })
  const registered = implicit(8, Buffer.from([0x2a, 3]))
  const ten = ip(10, 0, 0, 0, 255, 0, 0, 0)
  const good = directory(dn([[O, 'Good']]))

  const cases: readonly (readonly [string, Built, Built, string?])[] = [
    ['no constraint', named(), rootOf()],
    ['DNS permitted', named(), constrained(permitted(dns('example.org')))],
    ['DNS elsewhere', named(), constrained(permitted(dns('example.net')))],
    ['DNS excluded', named(), constrained(excluded(dns('example.org')))],
    ['DNS permitted below a dot', named(), constrained(permitted(dns('.example.org')))],
    ['DNS below a dot, the name itself', named(), constrained(permitted(dns(`.${MX}`)))],
    ['any DNS name excluded', named(), constrained(excluded(dns('')))],
    ['IP permitted', named(ip(10, 0, 0, 1)), constrained(permitted(ten))],
    ['IP elsewhere', named(ip(11, 0, 0, 1)), constrained(permitted(ten))],
    ['IP excluded', named(ip(10, 0, 0, 1)), constrained(excluded(ten))],
    ['IP excluded elsewhere', named(ip(11, 0, 0, 1)), constrained(excluded(ten))],
    [
      'IP permitted, IPv6 borne',
      named(ip(...Array<number>(16).fill(1))),
      constrained(permitted(ten)),
    ],
    ['IP permitted, none borne', named(), constrained(permitted(ten))],
    [
      'email permitted by host',
      named(email('a@example.org')),
      constrained(permitted(email('example.org'))),
    ],
    [
      'email permitted by domain',
      named(email('a@b.example.org')),
      constrained(permitted(email('.example.org'))),
    ],
    [
      'email permitted by mailbox',
      named(email('a@example.org')),
      constrained(permitted(email('a@example.org'))),
    ],
    [
      'email, the host in capitals',
      named(email('a@EXAMPLE.org')),
      constrained(permitted(email('a@example.org'))),
    ],
    [
      'email, the mailbox in capitals',
      named(email('A@example.org')),
      constrained(permitted(email('a@example.org'))),
      MAILBOX,
    ],
    [
      'email below the host',
      named(email('a@b.example.org')),
      constrained(permitted(email('example.org'))),
    ],
    [
      'email elsewhere',
      named(email('a@example.net')),
      constrained(permitted(email('example.org'))),
    ],
    ['email excluded', named(email('a@example.org')), constrained(excluded(email('example.org')))],
    ['email without host', named(email('a')), constrained(permitted(email('example.org')))],
    [
      'email in the subject elsewhere',
      titled([EMAIL, 'a@example.net', IA5]),
      constrained(permitted(email('example.org'))),
    ],
    [
      'email in the subject permitted',
      titled([EMAIL, 'a@example.org', IA5]),
      constrained(permitted(email('example.org'))),
    ],
    ['directory permitted', titled([O, 'Good']), constrained(permitted(good))],
    ['directory elsewhere', titled([O, 'Evil']), constrained(permitted(good))],
    ['directory excluded', titled([O, 'Good']), constrained(excluded(good))],
    ['directory excluded elsewhere', titled([O, 'Evil']), constrained(excluded(good))],
    [
      'directory in the alternative names, elsewhere',
      named(directory(dn([[O, 'Evil']]))),
      constrained(permitted(directory(dn([[CN, MX]])))),
    ],
    ['otherName permitted and borne', named(otherName()), constrained(permitted(otherName()))],
    ['otherName excluded and borne', named(otherName()), constrained(excluded(otherName()))],
    ['otherName excluded, none borne', named(), constrained(excluded(otherName()))],
    ['registeredID permitted and borne', named(registered), constrained(permitted(registered))],
    [
      'otherName borne, DNS permitted',
      named(otherName()),
      constrained(permitted(dns('example.org'))),
    ],
    [
      'a minimum of one',
      named(),
      constrained(context(0, seq(dns('example.org'), implicit(0, Buffer.from([1]))))),
    ],
    [
      'a maximum',
      named(),
      constrained(context(0, seq(dns('example.org'), implicit(1, Buffer.from([5]))))),
    ],
  ]
  /** With the side on which the two differ. */
  const uris: readonly (readonly [string, string, ('permitted' | 'excluded')?])[] = [
    ['https://a.example.org/', 'a.example.org'],
    ['https://a.example.org/', '.example.org'],
    ['https://a.example.org/', 'example.org'],
    ['https://A.EXAMPLE.org/', 'a.example.org'],
    ['https://a.example.org', 'a.EXAMPLE.org'],
    ['https://a.example.org:443/x', 'a.example.org'],
    ['https://user@a.example.org/', 'a.example.org', 'excluded'],
    ['https://user@a.example.org/', 'user@a.example.org', 'permitted'],
    ['https://[2001:db8::1]/', '.example.org', 'excluded'],
    ['https://192.0.2.1/', '192.0.2.1', 'permitted'],
    ['urn:uuid:1', 'example.org'],
    ['a.example.org', 'a.example.org'],
    ['https:///', 'example.org'],
    ['https://', 'example.org'],
    ['https://example.org/', '.example.org'],
    ['https://a.b.example.org/', '.example.org'],
    ['https://axexample.org/', '.example.org'],
    ['https://a.example.org?x.example.net/', '.example.net', 'permitted'],
    ['https://a.example.org#.example.net/', '.example.net', 'permitted'],
    ['https://a.example.net/.example.org', '.example.org'],
    ['https://a.example.org/', ''],
    ['https://a.example.org/', '.'],
    ['', 'example.org'],
    ['https://a:b@c.example.org/', 'c.example.org', 'excluded'],
    ['sip:someone@a.example.org', 'a.example.org'],
    ['//a.example.org/', 'a.example.org'],
    ['x:y//a.example.org/', 'a.example.org'],
    ['https://a.example.org\\.example.net/', '.example.net', 'permitted'],
    ['https://a.example.org/x:y', 'a.example.org', 'excluded'],
  ]
  const all = [
    ...cases,
    ...uris.flatMap(([name, base, differs]) =>
      [permitted, excluded].map(
        (side) =>
          [
            `URI ${JSON.stringify(name)}, ${side.name} ${JSON.stringify(base)}`,
            named(uri(name)),
            constrained(side(uri(base))),
            side.name === differs ? HOST : undefined,
          ] as const,
      ),
    ),
    [
      `URI under constraints of DNS`,
      named(uri('https://a.example.net/')),
      constrained(permitted(dns('example.org'))),
      undefined,
    ] as const,
    [
      `URI permitted, none borne`,
      named(),
      constrained(permitted(uri('.example.org'))),
      undefined,
    ] as const,
  ]
  for (const [circumstance, leaf, root, difference] of all) {
    test(circumstance, (context) => {
      context.diagnostic(compare(leaf, root, difference))
    })
  }
})
