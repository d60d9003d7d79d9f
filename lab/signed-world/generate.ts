/**
 * Chooses the zones of a signed world from a seed: a tree under a root of its own.
 *
 * The root and the first top-level domains are healthy, so that most questions are about
 * the zones below. One zone in three has something wrong with it as a whole, and single
 * RRsets are broken in one of three others.
 */
import { recordsOf } from './content.js'
import { randomFrom } from './random.js'
import type { Random } from './random.js'
import { SET_BREAKS, SHA1_ALGORITHMS, SUPPORTED } from './spec.js'
import type { Algorithm, Denial, DsForm, SetBreakAt, Signing, ZoneBreak, ZoneSpec } from './spec.js'

/** At least 100 of 130 zones are signed with each of the seeds tried. */
export const DEFAULT_ZONES = 130

export function generateZones(seed: number, count = DEFAULT_ZONES): readonly ZoneSpec[] {
  const random = randomFrom(seed)
  const top: readonly ZoneSpec[] = [
    healthy('', { algorithm: 8, scheme: 'split', denial: NSEC, period: 'now' }),
    healthy('t0', { algorithm: 13, scheme: 'csk', denial: NSEC, period: 'now' }),
    healthy('t1', { algorithm: 8, scheme: 'split', denial: nsec3(0, '', true), period: 'now' }),
    healthy('t2', { algorithm: 15, scheme: 'rolling', denial: nsec3(5, 'abcd'), period: 'now' }),
    healthy('t3', { algorithm: 14, scheme: 'split', denial: nsec3(1, '', true), period: 'now' }),
    { ...healthy('t4', undefined), ds: 'none' },
  ]
  const [, ...names] = top.map(({ origin }) => origin)
  // Less below the unsigned one.
  const parents = [...names, ...names.filter((name) => name !== 't4')]
  const origins: string[] = []
  for (let index = 0; index < count - top.length; index++) {
    const parent = random.chance(0.7) ? random.pick(parents) : random.pick([...parents, ...origins])
    const cut = random.chance(0.15) ? `z${index}.e${index}` : `z${index}`
    // Four labels are deep enough, and keep names of _25._tcp short.
    origins.push(`${cut}.${parent.split('.').length > 3 ? random.pick(parents) : parent}`)
  }
  return [...top, ...origins.map((origin) => chooseZone(origin, origins, random))]
}

function healthy(origin: string, signing: Signing | undefined): ZoneSpec {
  const end = origin === '' ? '' : `.${origin}`
  return {
    origin,
    records: [`host${end}. A 10.0.0.1`, `*.any${end}. A 10.0.0.2`, `deep.er${end}. A 10.0.0.3`],
    signing,
    ds: 'sha256',
    zoneBreak: undefined,
    setBreaks: [],
    undenied: 0,
  }
}

function chooseZone(origin: string, others: readonly string[], random: Random): ZoneSpec {
  const records = recordsOf(
    origin,
    others.filter((other) => other !== origin),
    random,
  )
  if (random.chance(0.1)) {
    return {
      ...healthy(origin, undefined),
      records,
      ds: random.pick<DsForm>(['none', 'none', 'none', 'sha256', 'unknown-algorithm']),
    }
  }
  const denial = chooseDenial(random)
  const algorithm = random.chance(0.06) ? random.pick(SHA1_ALGORITHMS) : random.pick(POPULAR)
  const signing: Signing = {
    // Algorithm 5 means NSEC (RFC 5155 §2).
    algorithm: algorithm === 5 && denial.kind === 'nsec3' ? 7 : algorithm,
    scheme: random.pick(['csk', 'split', 'rolling']),
    denial,
    period: random.chance(0.05) ? 'past' : random.chance(0.04) ? 'future' : 'now',
  }
  const spec = { origin, records, signing, setBreaks: [], undenied: 0 }
  if (random.chance(0.1)) {
    // These breaks are about the difference between KSK and ZSK.
    const split: Signing = { ...signing, scheme: 'split', period: 'now' }
    return { ...spec, signing: split, ds: 'sha256', zoneBreak: random.pick(ZONE_BREAKS) }
  }
  return {
    ...spec,
    ds: random.chance(0.25) ? random.pick(DS_FORMS) : 'sha256',
    zoneBreak: undefined,
    setBreaks: random.chance(0.45) ? chooseSetBreaks(records, random) : [],
    undenied: random.chance(0.15) ? 1 + random.below(3) : 0,
  }
}

function chooseDenial(random: Random): Denial {
  if (random.chance(0.45)) return NSEC
  const iterations = random.pick([0, 0, 0, 1, 5, 12, 50, 100, 101, 150, 151])
  // dnssec-signzone, which knows opt-out, refuses more than 150.
  const isOptOut = random.chance(0.4) && iterations <= 150
  return nsec3(iterations, random.pick(['', '', 'aabbccdd', '00']), isOptOut)
}

function chooseSetBreaks(records: readonly string[], random: Random): readonly SetBreakAt[] {
  const sets = records.map((line) => line.split(' ').slice(0, 2).join(' ').toLowerCase())
  return random
    .shuffled([...new Set(sets)])
    .slice(0, 1 + random.below(6))
    .map((set) => {
      const [owner = '', type = ''] = set.split(' ')
      return { owner, type: type.toUpperCase(), kind: random.pick(SET_BREAKS) }
    })
}

function nsec3(iterations: number, salt: string, isOptOut = false): Denial {
  return { kind: 'nsec3', iterations, salt, isOptOut }
}

const NSEC: Denial = { kind: 'nsec' }
const POPULAR: readonly Algorithm[] = [...SUPPORTED, 8, 13, 13]
const ZONE_BREAKS: readonly ZoneBreak[] = [
  'no-dnskey',
  'unsigned-dnskey',
  'dnskey-signed-by-zsk-only',
  'no-signatures',
  'no-denial',
  'revoked',
  'no-zone-bit',
]
const DS_FORMS: readonly DsForm[] = [
  'sha384',
  'sha1',
  'sha1-and-sha256',
  'sha1-and-wrong-sha256',
  'none',
  'unknown-algorithm',
  'unknown-digest',
  'wrong-digest',
  'wrong-tag',
  'one-of-two',
]
