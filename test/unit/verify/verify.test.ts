import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import {
  KeyUsageFlags,
  mint,
  nameConstraints,
  NOON,
  unknownCritical,
} from '../../../lab/certificates.js'
import type { KeyKind, Minted, MintOptions } from '../../../lab/certificates.js'
import { verify, verifyNothing } from '../../../src/verify/verify.js'
import { name } from '../../support/names.js'
import { chainOf, judge, tlsaFor, word } from '../../support/chains.js'

const MX = 'mx.example.org'
const DAY = 86_400_000
const past = {
  notBefore: new Date(NOON.getTime() - 20 * DAY),
  notAfter: new Date(NOON.getTime() - DAY),
}
const future = {
  notBefore: new Date(NOON.getTime() + DAY),
  notAfter: new Date(NOON.getTime() + 20 * DAY),
}

const ca = (subject: string, options: Partial<MintOptions> = {}): Promise<Minted> =>
  mint({ subject: `CN=${subject}`, isCa: true, ...options })
const leafOf = (issuer: Minted, options: Partial<MintOptions> = {}): Promise<Minted> =>
  mint({ subject: `CN=${MX}`, names: [MX], issuer, ...options })

let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  root = await ca('root')
  intermediate = await ca('intermediate', { issuer: root })
  leaf = await leafOf(intermediate)
  stranger = await ca('stranger')
})

describe('DANE-EE(3) (RFC 7672 §3.1.1)', () => {
  for (const selector of [0, 1]) {
    for (const matchingType of [0, 1, 2]) {
      test(`3 ${selector} ${matchingType} of the leaf [R7672-3.1.1-a R6698-2.1-a R7671-2-a]`, () => {
        const record = tlsaFor(3, selector, matchingType, leaf)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'authenticated at 0')
      })
      test(`3 ${selector} ${matchingType} of another certificate [R6698-4.1-h]`, () => {
        const record = tlsaFor(3, selector, matchingType, stranger)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
      })
    }
  }

  const flaws: readonly (readonly [string, Partial<MintOptions>])[] = [
    ['expired [R7672-3.1.1-b]', past],
    ['not yet valid [R7672-3.1.1-b]', future],
    ['for another name [R7672-3.2.1-a]', { names: ['other.example'] }],
    ['for no name', { subject: 'CN=', names: [] }],
    ['for client authentication', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] }],
    ['a CA', { isCa: true }],
    ['signed with SHA-1', { hash: 'SHA-1' }],
  ]
  for (const [flaw, options] of flaws) {
    test(`names, dates and issuers play no part: ${flaw}`, async () => {
      const flawed = await mint({ subject: `CN=${MX}`, ...options })
      assert.equal(word(judge([tlsaFor(3, 1, 1, flawed)], chainOf(flawed))), 'authenticated at 0')
    })
  }

  for (const key of [
    'P-256',
    'P-384',
    'P-521',
    'Ed25519',
    'RSA-2048',
    'RSA-4096',
  ] satisfies KeyKind[]) {
    test(`any key: ${key}`, async () => {
      const minted = await mint({ subject: `CN=${MX}`, key })
      for (const selector of [0, 1]) {
        assert.equal(
          word(judge([tlsaFor(3, selector, 1, minted)], chainOf(minted))),
          'authenticated at 0',
        )
      }
    })
  }

  test('the leaf alone: a record of its issuer does not match [R7671-5.1-a]', () => {
    const record = tlsaFor(3, 1, 1, intermediate)
    assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'certificate-mismatch')
  })

  test('a rollover set: any one match is enough [R7672-4-a]', () => {
    const records = [tlsaFor(3, 1, 1, stranger), tlsaFor(3, 1, 1, leaf)]
    assert.equal(word(judge(records, chainOf(leaf))), 'authenticated at 0')
  })

  test('the verdict names the record that matched', () => {
    const verdict = judge([tlsaFor(3, 1, 1, stranger), tlsaFor(3, 1, 2, leaf)], chainOf(leaf))
    assert.equal(verdict.kind === 'authenticated' && verdict.record.matchingType, 2)
    assert.equal(verdict.kind === 'authenticated' && verdict.name, undefined)
  })

  test('beside DANE-TA(2) records that fail, a match is still a match [R7672-3.2.1-a]', async () => {
    const misnamed = await leafOf(intermediate, { names: ['other.example'] })
    const records = [tlsaFor(2, 1, 1, root), tlsaFor(3, 1, 1, misnamed)]
    assert.equal(word(judge(records, chainOf(misnamed, intermediate, root))), 'authenticated at 0')
  })
})

describe('DANE-TA(2) (RFC 7672 §3.1.2)', () => {
  for (const selector of [0, 1]) {
    for (const matchingType of [0, 1, 2]) {
      test(`2 ${selector} ${matchingType} of the root [R7671-2-a]`, () => {
        const record = tlsaFor(2, selector, matchingType, root)
        assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'authenticated at 2')
      })
      test(`2 ${selector} ${matchingType} of the intermediate: the path ends there [R6698-2.1-d]`, () => {
        const record = tlsaFor(2, selector, matchingType, intermediate)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'authenticated at 1')
      })
    }
  }

  test('the anchor was not sent and DNS has only its digest [R7671-5.2.2-a]', () => {
    for (const matchingType of [1, 2]) {
      for (const selector of [0, 1]) {
        const record = tlsaFor(2, selector, matchingType, root)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
      }
    }
  })

  test('2 0 0: the anchor is in DNS alone [R7671-5.2.2-b]', () => {
    assert.equal(
      word(judge([tlsaFor(2, 0, 0, root)], chainOf(leaf, intermediate))),
      'authenticated at 2',
    )
  })

  test('2 0 0 of an intermediate in DNS alone', () => {
    assert.equal(word(judge([tlsaFor(2, 0, 0, intermediate)], chainOf(leaf))), 'authenticated at 1')
  })

  test('2 1 0: a bare key in DNS signed the topmost certificate [R7671-5.2.3-b]', () => {
    assert.equal(
      word(judge([tlsaFor(2, 1, 0, root)], chainOf(leaf, intermediate))),
      'authenticated at 2',
    )
    assert.equal(word(judge([tlsaFor(2, 1, 0, intermediate)], chainOf(leaf))), 'authenticated at 1')
  })

  test('2 1 0: a bare key that signed nothing', () => {
    const record = tlsaFor(2, 1, 0, stranger)
    assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
  })

  test('a record of the leaf itself is no match [R7671-5.2-a]', () => {
    for (const selector of [0, 1]) {
      const record = tlsaFor(2, selector, 1, leaf)
      assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'certificate-mismatch')
    }
  })

  test('a record of a self-signed leaf is no match', async () => {
    const own = await mint({ subject: `CN=${MX}`, names: [MX], isCa: true })
    assert.equal(word(judge([tlsaFor(2, 1, 1, own)], chainOf(own, own))), 'certificate-mismatch')
  })

  test('the anchor merely occurs in the list [R6698-2.1-c]', async () => {
    const own = await mint({ subject: `CN=${MX}`, names: [MX] })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(own, intermediate, root))), 'certificate-mismatch')
  })

  test('an issuer of the same name and another key [R6698-2.1-c]', async () => {
    const impostor = await ca('intermediate', { issuer: root })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(leaf, impostor, root))), 'certificate-mismatch')
  })

  test('a list in any order, with doubles and noise [DERIVED-chain-a]', () => {
    const record = tlsaFor(2, 1, 1, root)
    const lists = [
      chainOf(leaf, root, intermediate),
      chainOf(leaf, stranger, root, stranger, intermediate, intermediate, leaf),
    ]
    for (const list of lists) assert.equal(word(judge([record], list)), 'authenticated at 2')
  })

  test('the list holds what is no certificate: it is passed over', () => {
    const list = [
      leaf.der,
      Buffer.from('noise'),
      intermediate.der,
      Buffer.alloc(0),
      root.der,
    ] as const
    assert.equal(word(judge([tlsaFor(2, 1, 1, root)], list)), 'authenticated at 2')
  })

  test('of two issuers with the same key one expired: the other is taken [DERIVED-chain-b]', async () => {
    const stale = await ca('intermediate', { issuer: root, keys: intermediate.keys, ...past })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(leaf, stale, root))), 'certificate-expired')
    assert.equal(
      word(judge([record], chainOf(leaf, stale, intermediate, root))),
      'authenticated at 2',
    )
    assert.equal(
      word(judge([record], chainOf(leaf, intermediate, stale, root))),
      'authenticated at 2',
    )
  })

  test('cross-signed intermediates: the way to the anchor is found', async () => {
    const crossed = await ca('intermediate', { issuer: stranger, keys: intermediate.keys })
    for (const anchor of [root, stranger]) {
      const list = chainOf(leaf, crossed, intermediate, root, stranger)
      assert.equal(word(judge([tlsaFor(2, 1, 1, anchor)], list)), 'authenticated at 2')
    }
  })
})

describe('what RFC 5280 §6.1 asks of a path [R6698-2.1-c]', () => {
  /** The verdict when the intermediate, the leaf or the root is as given. */
  async function verdictOn(flaw: {
    root?: Partial<MintOptions>
    intermediate?: Partial<MintOptions>
    leaf?: Partial<MintOptions>
  }): Promise<string> {
    const top = await ca('root', flaw.root)
    const middle = await ca('intermediate', { issuer: top, ...flaw.intermediate })
    const end = await leafOf(middle, flaw.leaf)
    return word(judge([tlsaFor(2, 0, 1, top)], chainOf(end, middle, top)))
  }

  const cases: readonly (readonly [string, Parameters<typeof verdictOn>[0], string])[] = [
    ['nothing wrong', {}, 'authenticated at 2'],
    [
      'the intermediate is no CA',
      { intermediate: { isCa: false, keyUsage: 'none' } },
      'untrusted-path',
    ],
    [
      'the intermediate has no basicConstraints',
      { intermediate: { noBasicConstraints: true } },
      'untrusted-path',
    ],
    [
      'the intermediate may not sign certificates',
      { intermediate: { keyUsage: KeyUsageFlags.cRLSign } },
      'untrusted-path',
    ],
    [
      'the intermediate has no key usage',
      { intermediate: { keyUsage: 'none' } },
      'authenticated at 2',
    ],
    ['the root allows no CA below it', { root: { pathLength: 0 } }, 'untrusted-path'],
    ['the root allows one CA below it', { root: { pathLength: 1 } }, 'authenticated at 2'],
    [
      'the intermediate allows no CA below it, and there is none',
      { intermediate: { pathLength: 0 } },
      'authenticated at 2',
    ],
    ['the leaf expired [DERIVED-expiry-a]', { leaf: past }, 'certificate-expired'],
    ['the intermediate expired', { intermediate: past }, 'certificate-expired'],
    ['the root expired, as OpenSSL has it', { root: past }, 'certificate-expired'],
    ['the leaf not yet valid', { leaf: future }, 'certificate-not-yet-valid'],
    [
      'the leaf for client authentication alone [DERIVED-eku-a]',
      { leaf: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] } },
      'untrusted-path',
    ],
    [
      'the leaf for any purpose',
      { leaf: { extendedKeyUsage: ['2.5.29.37.0'] } },
      'authenticated at 2',
    ],
    [
      'the leaf without extended key usage',
      { leaf: { extendedKeyUsage: 'none' } },
      'authenticated at 2',
    ],
    [
      'the intermediate for email alone',
      { intermediate: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] } },
      'untrusted-path',
    ],
    [
      'the leaf signs certificates alone',
      { leaf: { keyUsage: KeyUsageFlags.keyCertSign } },
      'untrusted-path',
    ],
    ['the leaf has no key usage', { leaf: { keyUsage: 'none' } }, 'authenticated at 2'],
    [
      'the leaf encrypts keys, as RSA does',
      { leaf: { key: 'RSA-2048', keyUsage: KeyUsageFlags.keyEncipherment } },
      'authenticated at 2',
    ],
    ['the leaf signed with SHA-1 [R6698-4.1-g]', { leaf: { hash: 'SHA-1' } }, 'untrusted-path'],
    [
      'a key of 1024 bits in the intermediate [R6698-4.1-g]',
      { intermediate: { key: 'RSA-1024' } },
      'untrusted-path',
    ],
    ['a key of 1024 bits in the leaf', { leaf: { key: 'RSA-1024' } }, 'untrusted-path'],
    [
      'Ed25519 throughout',
      { root: { key: 'Ed25519' }, intermediate: { key: 'Ed25519' }, leaf: { key: 'Ed25519' } },
      'authenticated at 2',
    ],
  ]
  for (const [circumstance, flaw, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, async () => {
      assert.equal(await verdictOn(flaw), wanted)
    })
  }
})

describe('a trust anchor that is a key has no constraints and no dates (RFC 7672 §3.1.2, RFC 7671 §5.2.3)', () => {
  // Only selector Cert(0) vouches for what stands around the key; see docs/design.md.
  const around: readonly (readonly [string, Partial<MintOptions>])[] = [
    ['expired', past],
    ['path length 0', { pathLength: 0 }],
    ['no CA', { isCa: false, keyUsage: 'none' }],
    ['for email alone', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] }],
    ['another name excluded', { extensions: [nameConstraints({ excluded: ['example.org'] })] }],
    ['an unknown critical extension', { extensions: [unknownCritical()] }],
    ['signed with SHA-1', { hash: 'SHA-1' }],
  ]
  for (const [circumstance, options] of around) {
    test(`a certificate around the key that is ${circumstance}: the same by its digest and by itself [R7672-3.1.2-b]`, async () => {
      const top = await ca('root', options)
      const middle = await ca('intermediate', { issuer: top })
      const end = await leafOf(middle)
      assert.equal(
        word(judge([tlsaFor(2, 1, 1, top)], chainOf(end, middle, top))),
        'authenticated at 2',
      )
      assert.equal(
        word(judge([tlsaFor(2, 1, 0, top)], chainOf(end, middle, top))),
        'authenticated at 2',
      )
      assert.equal(word(judge([tlsaFor(2, 1, 0, top)], chainOf(end, middle))), 'authenticated at 2')
    })
  }

  test('a weak key is no anchor [R6698-4.1-g]', async () => {
    const top = await ca('root', { key: 'RSA-1024' })
    const end = await leafOf(top)
    for (const matchingType of [0, 1]) {
      assert.equal(
        word(judge([tlsaFor(2, 1, matchingType, top)], chainOf(end, top))),
        'untrusted-path',
      )
    }
  })

  test('hundreds of keys in DNS: the order of records changes nothing', async () => {
    const top = await ca('root')
    const end = await leafOf(top)
    const others = await Promise.all(Array.from({ length: 60 }, () => mint({ subject: 'CN=x' })))
    const records = [...others, top].map((each) => tlsaFor(2, 1, 0, each))
    for (const list of [records, [...records].reverse()]) {
      assert.equal(word(judge(list, chainOf(end))), 'authenticated at 1')
    }
  })
})

describe('names under DANE-TA(2) (RFC 7672 §3.2.2, §3.2.3)', () => {
  const cases: readonly (readonly [string, Partial<MintOptions>, string])[] = [
    ['DNS-ID is the base domain [R7672-3.2.2-a]', { names: ['mx.example.org'] }, 'authenticated'],
    ['DNS-ID is the next hop [R7672-3.2.2-b]', { names: ['example.org'] }, 'authenticated'],
    ['DNS-ID is another host', { names: ['mx2.example.org'] }, 'name-mismatch'],
    ['one of several DNS-IDs', { names: ['a.example', 'mx.example.org'] }, 'authenticated'],
    ['letters in other case', { names: ['MX.Example.ORG'] }, 'authenticated'],
    ['wildcard for one label [R7672-3.2.3-c]', { names: ['*.example.org'] }, 'authenticated'],
    ['wildcard for two labels [R7672-3.2.3-d]', { names: ['*.org'] }, 'name-mismatch'],
    ['wildcard below the name', { names: ['*.mx.example.org'] }, 'name-mismatch'],
    ['partial wildcard in front [R7672-3.2.3-e]', { names: ['m*.example.org'] }, 'name-mismatch'],
    ['partial wildcard behind', { names: ['*x.example.org'] }, 'name-mismatch'],
    ['wildcard inside', { names: ['mx.*.org'] }, 'name-mismatch'],
    ['bare wildcard', { names: ['*'] }, 'name-mismatch'],
    ['trailing dot', { names: ['mx.example.org.'] }, 'name-mismatch'],
    ['leading dot', { names: ['.example.org'] }, 'name-mismatch'],
    [
      'CN-ID where there is no DNS-ID [R7672-3.2.3-b]',
      { subject: 'CN=mx.example.org', names: [] },
      'authenticated',
    ],
    ['wildcard CN-ID', { subject: 'CN=*.example.org', names: [] }, 'authenticated'],
    [
      'CN-ID beside another DNS-ID [R6125-6.4.4-a]',
      { subject: 'CN=mx.example.org', names: ['other.example'] },
      'name-mismatch',
    ],
    ['no name at all', { subject: 'O=nobody', names: [] }, 'name-mismatch'],
  ]
  for (const [circumstance, options, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, async () => {
      const { names, ...rest } = options
      const named = await leafOf(intermediate, { names: names ?? [], ...rest })
      const verdict = judge([tlsaFor(2, 1, 1, root)], chainOf(named, intermediate, root))
      assert.equal(word(verdict).replace(/ at \d$/, ''), wanted)
    })
  }

  test('under an insecure MX record the MX host alone counts [R7672-3.2.2-d]', async () => {
    const named = await leafOf(intermediate, { names: ['example.org'] })
    const verdict = judge([tlsaFor(2, 1, 1, root)], chainOf(named, intermediate, root), {
      names: ['mx.example.org'],
    })
    assert.equal(word(verdict), 'name-mismatch')
  })

  test('the refusal names what was found and what was expected', async () => {
    const named = await leafOf(intermediate, { names: ['other.example', '*.other.example'] })
    const verdict = judge([tlsaFor(2, 1, 1, root)], chainOf(named, intermediate, root))
    assert.match(
      verdict.kind === 'refused' ? verdict.detail : '',
      /bears other\.example \*\.other\.example, not mx\.example\.org or example\.org/,
    )
  })
})

test('TLSA records that nobody can use demand TLS and nothing more (RFC 7672 §2.2)', () => {
  const policy = { kind: 'encrypt', tlsaBase: name(MX), unusable: [] } as const
  assert.deepEqual(verify(policy, chainOf(stranger), NOON.getTime()), { kind: 'encrypted' })
})

test('no certificate at all: an anonymous suite or a resumed session [R7672-8.2-a]', () => {
  assert.equal(verifyNothing().reason, 'no-certificate')
})

test('a leaf that is no certificate', () => {
  assert.equal(
    word(judge([tlsaFor(3, 1, 1, leaf)], [Buffer.from('junk')])),
    'unreadable-certificate',
  )
})

test('the order of records changes nothing', () => {
  const records = [tlsaFor(2, 1, 1, stranger), tlsaFor(2, 1, 1, root), tlsaFor(3, 1, 1, stranger)]
  for (const list of [records, [...records].reverse()]) {
    assert.equal(word(judge(list, chainOf(leaf, intermediate, root))), 'authenticated at 2')
  }
})
