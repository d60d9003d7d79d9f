/** Chooses questions about a signed world: what is there, what is not, and what is between. */
import type { BuiltZone } from './build.js'
import type { Random } from './random.js'

export const ASKED_TYPES = ['MX', 'A', 'AAAA', 'TLSA', 'CNAME'] as const
export type AskedType = (typeof ASKED_TYPES)[number]
export type Question = { readonly name: string; readonly type: AskedType }

/** Different questions, at most `count`. */
export function chooseQuestions(
  zones: readonly BuiltZone[],
  count: number,
  random: Random,
): readonly Question[] {
  const names = zones.map((zone) => namesOf(zone))
  const chosen = new Map<string, Question>()
  for (let tries = 0; chosen.size < count && tries < 20 * count; tries++) {
    const { owners, types, origin } = random.pick(names)
    const question = oneOf(origin, owners, types, random)
    if (question.name.length < 200) chosen.set(`${question.name} ${question.type}`, question)
  }
  return [...chosen.values()]
}

type Names = {
  readonly origin: string
  readonly owners: readonly string[]
  /** Those in the zone, by owner. */
  readonly types: ReadonlyMap<string, readonly AskedType[]>
}

function namesOf({ spec, lines }: BuiltZone): Names {
  const types = new Map<string, AskedType[]>()
  for (const { owner, type } of lines) {
    if (/^(NSEC3|RRSIG)$/.test(type)) continue
    const asked = ASKED_TYPES.filter((each) => each === type)
    types.set(owner, [...(types.get(owner) ?? []), ...asked])
  }
  return { origin: spec.origin, owners: [...types.keys()].filter((owner) => owner !== ''), types }
}

function oneOf(
  origin: string,
  owners: readonly string[],
  types: Names['types'],
  random: Random,
): Question {
  const owner = owners.length === 0 ? 'nowhere' : random.pick(owners)
  const any = (): AskedType => random.pick(ASKED_TYPES)
  const there = types.get(owner) ?? []
  const below = (labels: string, name: string): string => `${labels}${name.replace(/^\*\./, '')}`
  const fresh = (): string => `n${random.below(1000)}`
  const dice = random.below(100)
  // Half of the questions have records; the rest are of the kinds that need a proof.
  if (dice < 45) {
    const type = there.length === 0 ? any() : random.pick(there)
    const isWild = owner.startsWith('*.') && random.chance(0.9)
    return { name: isWild ? `${fresh()}${owner.slice(1)}` : owner, type }
  }
  if (dice < 60) return { name: owner, type: any() }
  if (dice < 68) return { name: `_25._tcp.${owner.replace(/^\*/, fresh())}`, type: 'TLSA' }
  if (dice < 76) {
    const end = origin === '' ? '' : `.${origin}`
    return { name: `${fresh()}${end}`, type: any() }
  }
  if (dice < 84) return { name: `${fresh()}.${owner.replace(/^\*\./, '')}`, type: any() }
  if (dice < 88) return { name: `${fresh()}.${fresh()}.${owner.replace(/^\*\./, '')}`, type: any() }
  // An ancestor: often an empty non-terminal, or a cut.
  if (dice < 94) return { name: owner.split('.').slice(1).join('.') || owner, type: any() }
  // A host below a DNAME or an alias, as the target zone has it.
  return {
    name: below(random.pick(['mx1.', '_25._tcp.mx1.', 'www.', 'a.b.ent.', 'x.']), owner),
    type: any(),
  }
}
