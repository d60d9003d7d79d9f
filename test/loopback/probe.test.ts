/** Does a resolver validate? Scripted resolvers with various answers to the two probe queries. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openMember } from '../../src/assemble.js'
import { probeText } from '../../src/lookup-text.js'
import type { ProbeResult } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings/settings.js'
import { ANSWERED, FLAG, reply, rr } from '../support/dns-message.js'
import type { Reply } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'

type Said = Reply | 'silence'

type Answers = {
  readonly signed?: Said
  /** For the broken name. */
  readonly bogus?: Said
  /** For the broken name without validation (CD); as `bogus` if not given. */
  readonly unchecked?: Said
}

const AD = ANSWERED | FLAG.AD

/** The results of probing one resolver once for each of these. */
async function resultsOf(
  rounds: readonly Answers[],
  hasBogusName: boolean,
): Promise<ProbeResult[]> {
  let { signed = {}, bogus = {}, unchecked = bogus }: Answers = {}
  const server = await startDnsServer((query) => {
    const isUnchecked = (query.bytes.readUInt16BE(2) & FLAG.CD) !== 0
    const parts = query.name !== 'broken.example' ? signed : isUnchecked ? unchecked : bogus
    if (parts === 'silence') return []
    return [reply({ id: query.id, question: { name: query.spelling, type: query.type }, ...parts })]
  })
  const { resolver } = parseSettings(
    `[resolver]\nvalidation = resolver\n${hasBogusName ? 'probe_bogus = broken.example' : ''}`,
  )
  const member = openMember({ ...server, tlsName: undefined }, resolver, () => undefined)
  const results: ProbeResult[] = []
  for (const round of rounds) {
    ;({ signed = {}, bogus = {}, unchecked = bogus } = round)
    results.push(await member.probe(Date.now() + 400))
  }
  member.close()
  await server.stop()
  return results
}

function text(result: ProbeResult | undefined): string {
  return result === undefined ? 'none' : probeText(result)
}

const WITHHELD: Answers = { signed: { flags: AD }, bogus: { rcode: 2 }, unchecked: {} }
const SERVED: Answers = { signed: { flags: AD }, bogus: {} }
const DOWN: Answers = { signed: { flags: AD }, bogus: { rcode: 2 } }
const SILENT: Answers = { signed: { flags: AD }, bogus: 'silence' }

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
    'AD on the signed name, SERVFAIL for the broken one, which is there without validation',
    WITHHELD,
    true,
    'validating',
  ],
  [
    'AD on the signed name, SERVFAIL for the broken one, which is absent without validation',
    { ...WITHHELD, unchecked: { rcode: 3 } },
    true,
    'validating',
  ],
  [
    'AD on the signed name, SERVFAIL for the broken one, without validation too',
    DOWN,
    true,
    'validating, but broken.example is inconclusive: RCODE 2 without validation too',
  ],
  [
    'AD on the signed name, SERVFAIL for the broken one, and then silence',
    { ...WITHHELD, unchecked: 'silence' },
    true,
    'validating, but broken.example is inconclusive: timeout, no reply from',
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
    'validating, but broken.example is inconclusive: RCODE 5',
  ],
  [
    'AD on the signed name, silence for the broken one',
    SILENT,
    true,
    'validating, but broken.example is inconclusive: timeout, no reply from',
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

describe('the result of a probe', () => {
  for (const [circumstance, answers, hasBogusName, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, async () => {
      const [result] = await resultsOf([answers], hasBogusName)
      assert.ok(text(result).startsWith(wanted), text(result))
    })
  }
})

describe('if the broken name is inconclusive, its last result counts', () => {
  const plain: Answers = { signed: {} }
  const sequences: readonly (readonly [string, readonly Answers[], readonly string[]])[] = [
    ['withheld, then silence', [WITHHELD, SILENT], ['validating', 'validating']],
    ['withheld, then its servers are down', [WITHHELD, DOWN], ['validating', 'validating']],
    ['served, then silence', [SERVED, SILENT], ['not-validating', 'not-validating']],
    [
      'served, then withheld, then down',
      [SERVED, WITHHELD, DOWN],
      ['not-validating', 'validating', 'validating'],
    ],
    ['down, then served', [DOWN, SERVED], ['validating, but', 'not-validating']],
    ['withheld, then no AD', [WITHHELD, plain], ['validating', 'not-validating: no AD bit']],
  ]
  for (const [circumstance, rounds, wanted] of sequences) {
    test(circumstance, async () => {
      const results = (await resultsOf(rounds, true)).map(text)
      assert.ok(
        wanted.every((each, index) => results[index]?.startsWith(each)),
        results.join('; '),
      )
      assert.ok(!results.slice(1).some((result) => result.includes('but')))
    })
  }
})

test('a server that never validates and copies the bits of the query is detected', async () => {
  const server = await startDnsServer((query) => [
    reply({
      id: query.id,
      flags: 0x8080 | (query.bytes.readUInt16BE(2) & 0x0130),
      question: { name: query.spelling, type: query.type },
      answer: [rr.soa('.', 60)],
    }),
  ])
  const { resolver } = parseSettings('[resolver]\nvalidation = resolver')
  const member = openMember({ ...server, tlsName: undefined }, resolver, () => undefined)
  assert.match(text(await member.probe(Date.now() + 1_000)), /^not-validating: no AD bit/)
  member.close()
  await server.stop()
})

test('a resolver that only resolv.conf names is not believed, whatever its AD bit says', async () => {
  // Its zone is signed, as far as anyone can see from the outside; AD is all it offers.
  const server = await startDnsServer((query) => [
    reply({
      id: query.id,
      question: { name: query.spelling, type: query.type },
      flags: AD,
      answer: [rr.soa('.', 1)],
    }),
  ])
  const address = { ...server, tlsName: undefined }
  // Any port of this machine is privileged here.
  const { resolver } = parseSettings('', 'dane.ini', {}, 65536, [address])
  const kinds: string[] = []
  for (const areServersGiven of [true, false]) {
    const member = openMember(address, { ...resolver, areServersGiven }, () => undefined)
    kinds.push((await member.probe(Date.now() + 2_000)).kind)
    member.close()
  }
  await server.stop()
  assert.deepEqual(kinds, ['validating', 'unusable'])
})
