/** What a validating resolver says about a question, in one word or two. */
import type { DnsClient } from './dns-client.js'
import { takeApart } from './message-parts.js'
import type { Question } from './questions.js'
import { typeNumber } from './wire.js'

export type Security = 'secure' | 'insecure'
export type Outcome = 'found' | 'nodata' | 'nxdomain'
/** `failed`: it did not answer, or not with NOERROR, NXDOMAIN or SERVFAIL. */
export type Status = `${Security} ${Outcome}` | 'bogus' | 'failed'

export type Answer = {
  readonly status: Status
  /** The records found, as of `contentOf`. */
  readonly content: string
}

/**
 * AD is secure, SERVFAIL is bogus: the resolver behind answers everything, so that nothing
 * else makes a validator fail.
 */
export async function answerAt(client: DnsClient, { name, type }: Question): Promise<Answer> {
  const reply = await client.ask(name, type)
  if (reply.kind === 'none') return { status: 'failed', content: '' }
  if (reply.rcode === 2) return { status: 'bogus', content: '' }
  if (reply.rcode !== 0 && reply.rcode !== 3) return { status: 'failed', content: '' }
  const rdatas = takeApart(reply.octets)
    .answer.filter((record) => record.type === typeNumber(type))
    .map(({ rdata }) => inLowerCase(type, rdata))
  const isFound = reply.rcode === 0 && rdatas.length > 0
  const outcome = reply.rcode === 3 ? 'nxdomain' : isFound ? 'found' : 'nodata'
  const status: Status = `${reply.isAuthentic ? 'secure' : 'insecure'} ${outcome}`
  return { status, content: isFound ? contentOf(rdatas) : '' }
}

/** The letter case of names is not signed (RFC 4034 §6.2). */
function inLowerCase(type: string, rdata: Buffer): Buffer {
  const nameAt = NAME_OFFSETS.get(type)
  if (nameAt === undefined) return rdata
  const name = rdata.subarray(nameAt).map((octet) => {
    return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet
  })
  return Buffer.concat([rdata.subarray(0, nameAt), name])
}

const NAME_OFFSETS: ReadonlyMap<string, number> = new Map([
  ['MX', 2],
  ['CNAME', 0],
])

/** The same text for the same records in any order. */
export function contentOf(rdatas: readonly Buffer[]): string {
  const texts = rdatas.map((rdata) => rdata.toString('hex'))
  return [...new Set(texts)].sort().join(' ')
}

/** Calls `work` for each item, `width` at a time, and returns the results in order. */
export async function side<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const queue = [...items.entries()].reverse()
  const next = async (): Promise<void> => {
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      results[entry[0]] = await work(entry[1])
    }
  }
  await Promise.all(Array.from({ length: width }, next))
  return results
}
