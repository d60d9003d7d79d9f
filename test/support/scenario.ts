/**
 * How is a scenario read, and what resolver does it describe?
 *
 * Scenario files are for people who know DNS and not TypeScript. A case is a
 * heading, what the DNS holds, and what has to follow:
 *
 *     == what is special about it (where it is said) [ids of conformance requirements]
 *     example.org              MX    secure    10 mx.example.org.
 *     mx.example.org           A     insecure  -> real.example.net 192.0.2.1
 *     mx.example.org           AAAA  secure    nodata
 *     _25._tcp.mx.example.org  TLSA  servfail
 *     > mandatory may mx.example.org unreachable mx-insecure
 *     > * deferred mx-bogus
 *
 * Status is `secure`, `insecure` or the cause of a failure. `-> NAME` is the name
 * that an alias led to. Records are separated by commas, or are `nodata` or
 * `nxdomain`. A wanted line names the policy (`*` for both), optionally `may` for
 * insecure_mx, optionally `relay`, then one host's demand, or what the message comes
 * to. What the DNS of a case does not hold must not be asked for.
 */
import { readFileSync } from 'node:fs'
import { FAILURE_CAUSES, RECORD_TYPES } from '../../src/lookup.js'
import type {
  CachedResolver,
  DnsRecord,
  FailureCause,
  Lookup,
  RecordType,
  Resolver,
} from '../../src/lookup.js'
import { nameFromWire } from '../../src/name.js'
import type { EnforcedPolicy, InsecureMx } from '../../src/policy.js'
import { name } from './names.js'

export type Wanted = {
  readonly policies: readonly EnforcedPolicy[]
  readonly insecureMx: InsecureMx
  readonly isRelay: boolean
  /** The rest of the line. */
  readonly text: string
}

export type Scenario = {
  readonly title: string
  readonly answers: ReadonlyMap<string, Lookup>
  readonly wanted: readonly Wanted[]
}

export function readScenarios(file: string): readonly Scenario[] {
  const scenarios: { title: string; answers: Map<string, Lookup>; wanted: Wanted[] }[] = []
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    const text = line.replace(/\s+#.*$/, '').trim()
    if (text === '' || text.startsWith('#')) continue
    const current = scenarios[scenarios.length - 1]
    try {
      if (text.startsWith('=='))
        scenarios.push({ title: text.slice(2).trim(), answers: new Map(), wanted: [] })
      else if (current === undefined) throw new Error('before the first heading')
      else if (text.startsWith('>')) current.wanted.push(readWanted(text.slice(1).trim()))
      else readAnswer(text, current.answers)
    } catch (error) {
      throw new Error(`${file}:${index + 1}: ${String(error)}`, { cause: error })
    }
  }
  return scenarios
}

/** A resolver that knows what the scenario holds and notes what it was asked. */
export function resolverOf({
  answers,
}: Pick<Scenario, 'answers'>): Resolver & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    lookup(owner, type) {
      const question = `${owner} ${type}`
      asked.push(question)
      const answer = answers.get(question)
      if (answer) return Promise.resolve(answer)
      return Promise.reject(new Error(`the scenario does not want ${question} to be asked`))
    },
  }
}

/** The same with no memory to go past. */
export function uncached(resolver: Resolver): CachedResolver {
  return {
    lookup: (owner, type) => resolver.lookup(owner, type),
    refresh: (owner, type) => resolver.lookup(owner, type),
  }
}

/** Some instant well ahead; scenarios are not about time. */
export const SCENARIO_EXPIRY = Date.UTC(2030, 0, 1)

function readWanted(text: string): Wanted {
  const words = text.split(/\s+/)
  const policy = words.shift()
  if (policy !== '*' && policy !== 'opportunistic' && policy !== 'mandatory')
    throw new Error(`policy ${String(policy)}`)
  const take = (word: string): boolean => {
    if (words[0] !== word) return false
    words.shift()
    return true
  }
  const isMay = take('may')
  const isRelay = take('relay')
  return {
    policies: policy === '*' ? ['opportunistic', 'mandatory'] : [policy],
    insecureMx: isMay ? 'may' : 'dane',
    isRelay,
    text: words.join(' '),
  }
}

function readAnswer(text: string, answers: Map<string, Lookup>): void {
  const [owner = '', type = '', status = '', ...rest] = text.split(/\s+/)
  if (!isRecordType(type)) throw new Error(`type ${type}`)
  const key = `${name(owner)} ${type}`
  if (answers.has(key)) throw new Error(`${key} twice`)
  answers.set(key, toLookup(owner, type, status, rest))
}

function toLookup(owner: string, type: RecordType, status: string, rest: string[]): Lookup {
  if (isCause(status))
    return { kind: 'failed', cause: status, detail: 'scenario', extendedErrors: [] }
  if (status !== 'secure' && status !== 'insecure') throw new Error(`status ${status}`)
  const target = rest[0] === '->' ? rest.splice(0, 2)[1] : undefined
  const common = {
    security: status,
    canonicalName: name(target ?? owner),
    aliases: target === undefined ? [] : [name(owner)],
    expiresAt: SCENARIO_EXPIRY,
  } as const
  const data = rest.join(' ')
  if (data === 'nodata' || data === 'nxdomain') return { kind: 'absent', reason: data, ...common }
  return {
    kind: 'found',
    records: data.split(',').map((each) => toRecord(type, each.trim())),
    ...common,
  }
}

function toRecord(type: RecordType, text: string): DnsRecord {
  switch (type) {
    case 'MX': {
      const [preference, exchange = ''] = text.split(' ')
      const held = exchange === '.' ? exchange : (nameFromWire(exchange.replace(/\.$/, '')) ?? '')
      return { type, preference: Number(preference), exchange: held }
    }
    case 'A':
    case 'AAAA':
      return { type, address: text }
    case 'CNAME':
      return { type, target: name(text) }
    case 'TLSA':
      return { type, rdata: toRdata(text) }
  }
}

/** `3 1 1 HEX`; `x*N` in the data repeats an octet. */
function toRdata(text: string): Buffer {
  const [usage, selector, matchingType, data = ''] = text.split(' ')
  const repeated = /^([0-9a-f]{2})\*(\d+)$/.exec(data)
  const hex = repeated ? (repeated[1] ?? '').repeat(Number(repeated[2])) : data
  return Buffer.concat([
    Buffer.from([usage, selector, matchingType].map(Number)),
    Buffer.from(hex, 'hex'),
  ])
}

function isRecordType(text: string): text is RecordType {
  return RECORD_TYPES.some((type) => type === text)
}

function isCause(text: string): text is FailureCause {
  return FAILURE_CAUSES.some((cause) => cause === text)
}
