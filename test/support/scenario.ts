/**
 * Reads scenario files, and plays the resolver that a scenario describes.
 *
 * Scenario files are for people who know DNS and not TypeScript. A case is a
 * heading, the contents of the DNS, and the expected outcomes:
 *
 *     == circumstance (RFC section) [ids of conformance requirements]
 *     example.org              MX    secure    10 mx.example.org.
 *     mx.example.org           A     insecure  -> real.example.net 192.0.2.1
 *     mx.example.org           AAAA  secure    nodata
 *     _25._tcp.mx.example.org  TLSA  servfail
 *     > mandatory may mx.example.org unreachable mx-insecure
 *     > * deferred mx-bogus
 *
 * Status is `secure`, `insecure`, `stale-secure`, `stale-insecure` or the cause of a
 * failure. `-> NAME` is the name that an alias leads to, `=> OWNER NAME` the same by a
 * DNAME at OWNER. Records are separated by commas, or are `nodata` or
 * `nxdomain`. A `>` line names the policy (`*` for both), optionally `may` for
 * insecure_mx, optionally `relay`, then the requirement for one host, or the outcome for
 * the message. A query for anything that the case does not list is an error.
 */
import { readFileSync } from 'node:fs'
import { FAILURE_CAUSES, ofType, RECORD_TYPES } from '../../src/lookup.js'
import type {
  CachedResolver,
  DnsRecord,
  Exchange,
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

/** What DNS holds by these lines, each as in a scenario file. */
export function answersOf(text: string): Pick<Scenario, 'answers'> {
  const answers = new Map<string, Lookup>()
  for (const line of text.split('\n')) if (line !== '') readAnswer(line, answers)
  return { answers }
}

/** A resolver with the answers of the scenario, which records its queries. */
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
      if (answer) return Promise.resolve(ofType(answer, type))
      return Promise.reject(new Error(`the scenario does not want ${question} to be asked`))
    },
  }
}

/** The same as a CachedResolver that caches nothing. */
export function uncached(resolver: Resolver): CachedResolver {
  return {
    lookup: (owner, type) => resolver.lookup(owner, type),
    refresh: (owner, type) => resolver.lookup(owner, type),
  }
}

/** An instant far in the future; scenarios do not involve time. */
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
  const [, stale, security] = /^(stale-)?(secure|insecure)$/.exec(status) ?? []
  if (security !== 'secure' && security !== 'insecure') throw new Error(`status ${status}`)
  const dname = rest[0] === '=>' ? rest.splice(0, 2, '->')[1] : undefined
  const target = rest[0] === '->' ? rest.splice(0, 2)[1] : undefined
  const common = {
    security,
    ...(stale !== undefined && { isStale: true as const }),
    canonicalName: name(target ?? owner),
    aliases: target === undefined ? [] : [name(owner)],
    ...(dname !== undefined && { dname: name(dname) }),
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
      return { type, preference: Number(preference), exchange: toExchange(exchange) }
    }
    case 'A':
      return { type, address: text }
    case 'AAAA':
      return { type, address: text }
    case 'CNAME':
    case 'DNAME':
      return { type, target: name(text) }
    case 'TLSA':
      return { type, rdata: toRdata(text) }
    case 'TXT':
      return { type, text }
  }
}

function toExchange(text: string): Exchange {
  if (text === '.') return { kind: 'root' }
  const held = nameFromWire(text.replace(/\.$/, ''))
  return held ? { kind: 'host', name: held } : { kind: 'unusable' }
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
