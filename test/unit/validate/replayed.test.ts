/**
 * An attacker who may send any RRset that the zones have signed, in any combination, under
 * any owner that a wildcard could match, signed or stripped: nothing that is secure
 * becomes anything else than what it is, nor insecure (RFC 4035 §5).
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RecordType } from '../../../src/lookup.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset } from '../../../src/signed-message.js'
import { isWithin } from '../../../src/wire-name.js'
import { wire } from '../../support/signed-records.js'
import { createWorld } from '../../support/signed-world.js'
import type { Tamper, World, ZoneSpec } from '../../support/signed-world.js'
import { outcome, rig } from '../../support/validator-rig.js'

const ROUNDS = 1500

function worldOf(parent: ZoneSpec['denial'], child: ZoneSpec['denial']): World {
  const denials = { denial: child ?? 'nsec' } as const
  return createWorld({
    '.': {},
    org: { denial: parent ?? 'nsec', records: ['*.wild A 192.0.2.9'] },
    'v.org': {
      ...denials,
      records: [
        '@ MX 10 m.v.org',
        'm A 192.0.2.1',
        '_25._tcp.m TLSA 030101aa',
        '*.w A 192.0.2.2',
        'x.w.w A 192.0.2.3',
        '*.cw CNAME m.v.org',
        'd DNAME a.org',
        'ent.deep A 192.0.2.4',
      ],
    },
    's.v.org': { ...denials, records: ['@ A 192.0.2.5', 'm A 192.0.2.6'] },
    'i.v.org': { denial: 'unsigned', records: ['@ A 192.0.2.5', 'm A 192.0.2.6'] },
    'a.org': { ...denials, records: ['m A 192.0.2.7', '* A 192.0.2.8'] },
    'u.org': { denial: 'unsigned', records: ['@ MX 10 m.u.org', 'm A 192.0.2.6'] },
  })
}

const QUESTIONS: readonly (readonly [string, RecordType])[] = [
  ['v.org', 'MX'],
  ['v.org', 'A'],
  ['m.v.org', 'A'],
  ['m.v.org', 'AAAA'],
  ['_25._tcp.m.v.org', 'TLSA'],
  ['_25._tcp.n.v.org', 'TLSA'],
  ['q.w.v.org', 'A'],
  ['w.w.v.org', 'A'],
  ['x.w.w.v.org', 'A'],
  ['q.w.w.v.org', 'A'],
  ['q.cw.v.org', 'A'],
  ['m.d.v.org', 'A'],
  ['d.v.org', 'A'],
  ['deep.v.org', 'A'],
  ['ent.deep.v.org', 'MX'],
  ['s.v.org', 'A'],
  ['s.v.org', 'MX'],
  ['m.s.v.org', 'A'],
  ['q.s.v.org', 'A'],
  ['i.v.org', 'A'],
  ['m.i.v.org', 'A'],
  ['q.a.org', 'A'],
  ['u.org', 'MX'],
  ['n.org', 'MX'],
]

/** A generator of numbers below `limit`, the same in each run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

for (const [parent, child] of [
  ['nsec', 'nsec'],
  ['nsec3', 'nsec3'],
  ['opt-out', 'nsec'],
  ['opt-out', 'nsec3'],
] as const) {
  describe(`signed RRsets replayed, ${parent} above ${child}`, () => {
    const world = worldOf(parent, child)
    const all = [...world.zones.values()].flatMap(({ sets, denials }) => [
      ...sets.values(),
      ...denials,
    ])
    const denials = all.filter(({ type }) => type === RR_TYPE.NSEC || type === RR_TYPE.NSEC3)

    test('[DNSSEC-1 DNSSEC-2 DNSSEC-34 DNSSEC-36 DNSSEC-39] never another answer', async () => {
      const next = numbers(parent.length * 7 + child.length)
      const truths = new Map<string, string>()
      let secure = 0
      for (let round = 0; round < ROUNDS; round++) {
        const [name, type] = QUESTIONS[next(QUESTIONS.length)] ?? ['v.org', 'MX']
        const key = `${name} ${type}`
        const truth = truths.get(key) ?? JSON.stringify(await rig(world).look(name, type))
        truths.set(key, truth)
        const pick = (from: readonly RRset[]): RRset[] => {
          const rrset = from[next(from.length)]
          return rrset === undefined ? [] : [rrset]
        }
        /** A set under another owner, as if expanded from a wildcard. */
        const moved = (rrset: RRset, owner = wire(name)): RRset =>
          rrset.owner.startsWith('\u0001*') || next(9) === 0 ? { ...rrset, owner } : rrset
        // Whose replies are touched: that to the question, those for the chain, or all.
        const touched = next(3)
        const tamper: Tamper = (question, reply) => {
          const isChain = question.type === RR_TYPE.DS || question.type === RR_TYPE.DNSKEY
          if (touched === (isChain ? 0 : 1)) return reply
          switch (next(6)) {
            case 0:
            case 1:
              return reply
            case 2:
              return { ...reply, rcode: next(2) * 3, rrsets: denials }
            case 3: {
              const some = all.filter(() => next(3) === 0)
              return {
                ...reply,
                rcode: next(2) * 3,
                rrsets: some.map((set) => moved(set, question.name)),
              }
            }
            case 4: {
              const stripped = reply.rrsets.map((rrset) =>
                next(2) === 0 ? { ...rrset, signatures: [] } : rrset,
              )
              return {
                ...reply,
                rcode: next(2) * 3,
                rrsets: [...stripped, ...pick(denials), ...pick(all)],
              }
            }
            default: {
              // The right type from elsewhere, with all denials above the name.
              const type = question.type
              const others = pick(all.filter((rrset) => rrset.type === type))
              const near = denials.filter(({ signatures }) =>
                signatures.some(({ signer }) => isWithin(question.name, signer)),
              )
              const rrsets = [...others.map((set) => ({ ...set, owner: question.name })), ...near]
              return { ...reply, rcode: next(2) * 3, rrsets }
            }
          }
        }
        const lookup = await rig(world, tamper).look(name, type)
        if (lookup.kind === 'failed') continue
        const honest: unknown = JSON.parse(truth)
        const isInsecure = truth.includes('"security":"insecure"')
        if (lookup.security === 'insecure') {
          assert.ok(isInsecure, `${key}: ${outcome(lookup)}, but it is ${truth}`)
          continue
        }
        secure++
        assert.deepEqual(
          { ...JSON.parse(JSON.stringify(lookup)), expiresAt: 0 },
          { ...Object(honest), expiresAt: 0 },
          key,
        )
      }
      assert.ok(secure > ROUNDS / 20, `${secure} were secure`)
    })
  })
}
