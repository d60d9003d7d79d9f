/** What a resolver passes on, and what it drops. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEitherProbe } from '../../../src/dns/probe.js'
import { probeText } from '../../../src/lookup-text.js'
import type { FailureCause, ProbeResult } from '../../../src/lookup.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset, SignedQuestion, SignedReply, Unanswered } from '../../../src/signed-message.js'
import { createValidationProbe } from '../../../src/validate/probe.js'
import { BUILT_IN_ANCHORS } from '../../../src/trust-anchor.js'
import type { TrustAnchor } from '../../../src/trust-anchor.js'
import { createWorld, NOW } from '../../support/signed-world.js'
import type { World } from '../../support/signed-world.js'

const WORLDS = {
  nsec: createWorld({ '.': {}, org: {} }),
  nsec3: createWorld({ '.': { denial: 'nsec3' }, org: {} }),
  'opt-out': createWorld({ '.': { denial: 'opt-out' }, org: {} }),
}
const WORLD = WORLDS.nsec
const DAY = 86_400_000

type Change = (question: SignedQuestion, reply: SignedReply) => SignedReply | Unanswered

async function probe(
  change: Change,
  parts: {
    readonly world?: World
    readonly now?: number
    readonly anchors?: readonly TrustAnchor[]
  } = {},
): Promise<string> {
  const { world = WORLD, now = NOW, anchors = world.anchors } = parts
  const result = await createValidationProbe({
    ask: (question) => Promise.resolve(change(question, world.answer(question))),
    anchors,
    isSha1Allowed: false,
    now: () => now,
  })(now + 1_000)
  return probeText(result)
}

const asIs: Change = (_, reply) => reply
const only =
  (type: number, change: (reply: SignedReply) => SignedReply | Unanswered): Change =>
  (question, reply) =>
    question.type === type ? change(reply) : reply
const sets =
  (change: (rrset: RRset) => RRset | undefined) =>
  (reply: SignedReply): SignedReply => ({
    ...reply,
    rrsets: reply.rrsets.map(change).filter((rrset) => rrset !== undefined),
  })
const bare = sets((rrset) => ({ ...rrset, signatures: [] }))
const without = (...types: number[]) =>
  sets((rrset) => (types.includes(rrset.type) ? undefined : rrset))
const rcode = (code: number) => (reply: SignedReply) => ({ ...reply, rcode: code, rrsets: [] })
const fails =
  (cause: FailureCause, more: Partial<Unanswered> = {}) =>
  (): Unanswered => ({
    kind: 'failed',
    cause,
    detail: 'why',
    extendedErrors: [],
    ...more,
  })
const damaged = sets((rrset) => ({
  ...rrset,
  signatures: rrset.signatures.map((rrsig) => ({ ...rrsig, signature: Buffer.alloc(64) })),
}))

describe('a resolver that passes everything on', () => {
  for (const [title, world] of Object.entries(WORLDS)) {
    test(`is used: ${title}`, async () => {
      assert.equal(await probe(asIs, { world }), 'passing')
    })
  }

  test('whatever the RCODE of a denial', async () => {
    const change = only(RR_TYPE.DS, (reply) => ({ ...reply, rcode: 0 }))
    assert.equal(await probe(change), 'passing')
  })
})

describe('a resolver that does not is not used, by name [DNSSEC-8]', () => {
  const SOA = RR_TYPE.SOA
  const { DNSKEY, DS, NSEC } = RR_TYPE
  for (const [title, change, wanted] of [
    ['no signature over the SOA', only(SOA, bare), /^drops-signatures: no RRSIG with SOA/],
    ['no signature over the keys', only(DNSKEY, bare), /^drops-signatures: no RRSIG with DNSKEY/],
    [
      'a bad signature over the SOA',
      only(SOA, damaged),
      /^drops-signatures: SOA of \.: .*does not match/,
    ],
    ['no keys', only(DNSKEY, without(DNSKEY)), /^no-dnskey: no DNSKEY/],
    ['REFUSED for the keys', only(DNSKEY, rcode(5)), /^no-dnskey: refused/],
    ['NOTIMP for the keys', only(DNSKEY, rcode(4)), /^no-dnskey: rcode, RCODE 4/],
    [
      'keys truncated, and no TCP',
      only(DNSKEY, fails('network', { isTruncated: true })),
      /^no-tcp: DNSKEY of \.: network/,
    ],
    ['no denial', only(DS, without(NSEC)), /^drops-denial: .*no signed NSEC/],
    ['a denial without signatures', only(DS, bare), /^drops-denial: .*no signed NSEC/],
    ['a denial that is not valid', only(DS, damaged), /^drops-denial: /],
    ['SERVFAIL for the denial', only(DS, rcode(2)), /^drops-denial: .*SERVFAIL/],
    [
      'no signatures and no denials at all',
      (_, reply) => bare(without(NSEC)(reply)),
      /^drops-signatures/,
    ],
    ['bad signatures over the keys', only(DNSKEY, damaged), /^anchors: DNSKEY of \./],
    ['silence', () => fails('timeout')(), /^failing: SOA of \.: timeout/],
    ['silence for the keys', only(DNSKEY, fails('timeout')), /^failing: DNSKEY of \.: timeout/],
    ['REFUSED for everything', (_, reply) => rcode(5)(reply), /^failing: SOA of \.: refused/],
    ['an empty SOA', only(SOA, without(SOA)), /^failing: no SOA/],
    [
      'the denial of another name',
      only(DS, () => WORLD.answer({ name: WORLD.zone('org').apex, type: SOA })),
      /^drops-denial: /,
    ],
  ] satisfies [string, Change, RegExp][]) {
    test(title, async () => {
      assert.match(await probe(change), wanted)
    })
  }

  test('keys of another root: the anchors', async () => {
    assert.match(
      await probe(asIs, { anchors: BUILT_IN_ANCHORS }),
      /^anchors: no DNSKEY of \. matches a trust anchor/,
    )
  })

  test('a clock that is wrong is told as that, not as forgery (RFC 4035 §5.3.1)', async () => {
    assert.match(
      await probe(asIs, { now: NOW + 60 * DAY }),
      /^clock: all signatures of the root have expired/,
    )
    assert.match(
      await probe(asIs, { now: NOW - 60 * DAY }),
      /^clock: all signatures of the root are not valid yet/,
    )
  })
})

describe('where the AD bit may be believed', () => {
  const said = (result: ProbeResult) => () => Promise.resolve(result)
  const validating = { kind: 'validating' } as const
  const lying = { kind: 'not-validating', detail: 'no AD bit' } as const
  const failing = { kind: 'failing', detail: 'SERVFAIL' } as const
  const passing = { kind: 'passing' } as const
  const dropping = { kind: 'unusable', problem: 'drops-denial', detail: 'x' } as const

  for (const [title, byItself, passesOn, wanted] of [
    ['it is', validating, dropping, validating],
    ['it is not, but data is passed on', lying, passing, { ...passing, byItself: lying }],
    ['it fails by itself, but passes data on', failing, passing, { ...passing, byItself: failing }],
    ['it is not, and drops data', lying, dropping, { ...dropping, byItself: lying }],
    ['it is not, and then it fails', lying, failing, lying],
    ['it fails', failing, failing, failing],
  ] as const) {
    test(title, async () => {
      const either = createEitherProbe(said(byItself), said(passesOn), () => 0)
      assert.deepEqual(await either(1_000), wanted)
    })
  }
})
