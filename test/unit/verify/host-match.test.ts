/** Reference names under DANE-TA(2), and the names in a certificate that match them. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Minted, MintOptions } from '../../../lab/certificates.js'
import { chainOf, judge, tlsaFor, word } from '../../support/chains.js'
import { family, leafOf } from '../../support/mint.js'

let root: Minted
let intermediate: Minted

before(async () => {
  ;({ root, intermediate } = await family())
})

describe('names under DANE-TA(2) (RFC 7672 §3.2.2, §3.2.3)', () => {
  const cases: readonly (readonly [string, Partial<MintOptions>, string])[] = [
    ['DNS-ID is the base domain [R7672-3.2.2-a]', { names: ['mx.example.org'] }, 'authenticated'],
    ['DNS-ID is the next hop [R7672-3.2.2-b]', { names: ['example.org'] }, 'authenticated'],
    ['DNS-ID is another host [R7672-3.2.2-a]', { names: ['mx2.example.org'] }, 'name-mismatch'],
    [
      'one of several DNS-IDs [R7672-3.2.3-a]',
      { names: ['a.example', 'mx.example.org'] },
      'authenticated',
    ],
    ['letters in other case [R7672-3.2.3-a]', { names: ['MX.Example.ORG'] }, 'authenticated'],
    [
      'wildcard for one label [R7672-3.2.3-c R6125-6.4.3-a]',
      { names: ['*.example.org'] },
      'authenticated',
    ],
    [
      'wildcard for two labels [R7672-3.2.3-d R6125-6.4.3-a]',
      { names: ['*.org'] },
      'name-mismatch',
    ],
    ['wildcard below the name', { names: ['*.mx.example.org'] }, 'name-mismatch'],
    [
      'partial wildcard at the end of a label [R7672-3.2.3-e]',
      { names: ['m*.example.org'] },
      'name-mismatch',
    ],
    [
      'partial wildcard at the start of a label [R7672-3.2.3-e]',
      { names: ['*x.example.org'] },
      'name-mismatch',
    ],
    [
      'wildcard in the middle of a name [R7672-3.2.3-e R6125-6.4.3-a]',
      { names: ['mx.*.org'] },
      'name-mismatch',
    ],
    ['bare wildcard', { names: ['*'] }, 'name-mismatch'],
    ['trailing dot', { names: ['mx.example.org.'] }, 'name-mismatch'],
    ['leading dot', { names: ['.example.org'] }, 'name-mismatch'],
    [
      'CN-ID without a DNS-ID [R7672-3.2.3-b]',
      { subject: 'CN=mx.example.org', names: [] },
      'authenticated',
    ],
    ['wildcard CN-ID [R7672-3.2.3-c]', { subject: 'CN=*.example.org', names: [] }, 'authenticated'],
    [
      'CN-ID next to a DNS-ID that does not match [R6125-6.4.4-a R7672-3.2.3-b]',
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

  test('wildcard for two labels below a domain [R7672-3.2.3-d R6125-6.4.3-a]', async () => {
    const named = await leafOf(intermediate, { names: ['*.example.org'] })
    const verdict = judge([tlsaFor(2, 1, 1, root)], chainOf(named, intermediate, root), {
      names: ['a.mx.example.org'],
    })
    assert.equal(word(verdict), 'name-mismatch')
  })

  test('the expanded next hop is a third name, if discovery found it [R7672-3.2.2-c]', async () => {
    const named = await leafOf(intermediate, { names: ['real.example.net'] })
    const chain = chainOf(named, intermediate, root)
    const names = ['mx.example.org', 'example.org', 'real.example.net']
    const verdict = judge([tlsaFor(2, 1, 1, root)], chain, { names })
    assert.equal(verdict.kind === 'authenticated' && verdict.name, 'real.example.net')
  })

  test('A-labels are compared literally [R7672-3.2.3-a]', async () => {
    const named = await leafOf(intermediate, { names: ['XN--Bcher-kva.example'] })
    const chain = chainOf(named, intermediate, root)
    const verdict = judge([tlsaFor(2, 1, 1, root)], chain, { names: ['b\u00fccher.example'] })
    assert.equal(verdict.kind === 'authenticated' && verdict.name, 'xn--bcher-kva.example')
  })

  test('with an insecure MX record only the name of the MX host counts [R7672-3.2.2-d]', async () => {
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
      /is valid for other\.example \*\.other\.example, not mx\.example\.org or example\.org/,
    )
  })
})
