/** A validator on signed zones in memory, whose replies a test may change on the way. */
import type { Lookup, RecordType } from '../../src/lookup.js'
import { parseDomainName } from '../../src/name.js'
import { wireNameText } from '../../src/wire-name.js'
import { typeText } from '../../src/validate/scene.js'
import { createValidator } from '../../src/validate/validator.js'
import type { ValidatorEvent, ValidatorParts } from '../../src/validate/validator.js'
import { createMemoryZones } from '../../src/validate/zone-store.js'
import { NOW } from './signed-world.js'
import type { Tamper, World } from './signed-world.js'

export function rig(
  world: World,
  tamper: Tamper = (_, reply) => reply,
  more: Partial<ValidatorParts> = {},
) {
  const events: ValidatorEvent[] = []
  const asked: string[] = []
  const now = more.now ?? (() => NOW)
  const validator = createValidator({
    ask: (question) => {
      asked.push(`${typeText(question.type)} ${wireNameText(question.name)}`)
      return Promise.resolve(tamper(question, world.answer(question)))
    },
    anchors: world.anchors,
    insecureZones: [],
    isSha1Allowed: false,
    now,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    zones: createMemoryZones(),
    observe: (event) => events.push(event),
    ...more,
  })
  const look = (name: string, type: RecordType) =>
    validator.lookup(domain(name), type, now() + 10_000)
  const explain = (name: string, type: RecordType) =>
    validator.explain(domain(name), type, now() + 10_000)
  return { validator, look, explain, events, asked }
}

export function domain(text: string) {
  const name = parseDomainName(text)
  if (name === undefined) throw new Error(`not a name: ${text}`)
  return name
}

/** `found secure`, `nxdomain insecure`, `bogus: why`. */
export function outcome(lookup: Lookup): string {
  if (lookup.kind === 'failed') return `${lookup.cause}: ${lookup.detail}`
  return `${lookup.kind === 'found' ? 'found' : lookup.reason} ${lookup.security}`
}
