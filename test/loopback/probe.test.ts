/** Does a resolver validate? Scripted ones, each with an answer of its own to the two questions. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openMember } from '../../src/assemble.js'
import type { Proof } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings.js'
import { ANSWERED, FLAG, reply, rr } from '../support/dns-message.js'
import type { Reply } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'

type Answers = { readonly signed?: Reply | 'silence'; readonly bogus?: Reply | 'silence' }

const AD = ANSWERED | FLAG.AD

async function proofOf(
  { signed = {}, bogus = {} }: Answers,
  hasBogusName: boolean,
): Promise<Proof> {
  const server = await startDnsServer((query) => {
    const parts = query.name === 'broken.example' ? bogus : signed
    if (parts === 'silence') return []
    return [reply({ id: query.id, question: { name: query.spelling, type: query.type }, ...parts })]
  })
  const { resolver } = parseSettings(
    `[resolver]\n${hasBogusName ? 'probe_bogus = broken.example' : ''}`,
  )
  const member = openMember({ ...server, tlsName: undefined }, resolver, () => undefined)
  const proof = await member.prove(Date.now() + 300)
  member.close()
  await server.stop()
  return proof
}

const cases: readonly (readonly [string, Answers, boolean, string])[] = [
  [
    'AD on the signed name',
    { signed: { flags: AD, answer: [rr.soa('.', 1)] } },
    false,
    'validating',
  ],
  ['AD on its absence', { signed: { flags: AD, rcode: 3 } }, false, 'validating'],
  [
    'no AD (R6698-4.1-c: a forwarder that does not validate) [R6698-4.1-c]',
    { signed: { answer: [rr.soa('.', 1)] } },
    false,
    'not-validating: no AD bit on the answer for .',
  ],
  [
    'AD on the signed name, SERVFAIL for the broken one',
    { signed: { flags: AD }, bogus: { rcode: 2 } },
    true,
    'validating',
  ],
  [
    'AD on the signed name, and an answer for the broken one',
    { signed: { flags: AD }, bogus: { flags: AD, answer: [rr.a('broken.example', '192.0.2.1')] } },
    true,
    'not-validating: an answer for broken.example, which must fail',
  ],
  [
    'AD on the signed name, and NXDOMAIN for the broken one',
    { signed: { flags: AD }, bogus: { rcode: 3 } },
    true,
    'not-validating: an answer for broken.example, which must fail',
  ],
  [
    'AD on the signed name, REFUSED for the broken one',
    { signed: { flags: AD }, bogus: { rcode: 5 } },
    true,
    'failing: RCODE 5 for broken.example',
  ],
  [
    'AD on the signed name, silence for the broken one',
    { signed: { flags: AD }, bogus: 'silence' },
    true,
    'failing: timeout, no reply from',
  ],
  [
    'SERVFAIL with its reason',
    { signed: { rcode: 2, additional: [rr.opt([[6, 'no\nkey']])] } },
    false,
    'failing: RCODE 2, EDE 6 DNSSEC Bogus: no?key for .',
  ],
  ['REFUSED', { signed: { rcode: 5 } }, false, 'failing: RCODE 5 for .'],
  ['silence', { signed: 'silence' }, false, 'failing: timeout, no reply from'],
]

describe('what a resolver shows of itself', () => {
  for (const [circumstance, answers, hasBogusName, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, async () => {
      const proof = await proofOf(answers, hasBogusName)
      const found = proof.kind === 'validating' ? proof.kind : `${proof.kind}: ${proof.detail}`
      assert.ok(found.startsWith(wanted), found)
    })
  }
})
