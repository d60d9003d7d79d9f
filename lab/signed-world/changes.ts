/**
 * Changes honest replies as an attacker on the way could, without keys but with other
 * replies of the same zones.
 */
import type { Random } from './random.js'
import type { PartRecord, Parts } from './message-parts.js'
import { TYPE_NUMBERS } from './wire.js'

export const CHANGES = [
  'one signature dropped',
  'all signatures dropped',
  'record dropped',
  'denial dropped',
  'RDATA changed',
  'signature changed',
  'field of a signature changed',
  'TTLs lowered',
  'TTLs raised',
  'denial of another reply in its place',
  'denial of another reply added',
  'alias leads elsewhere',
  'sections exchanged',
  'records in another order',
  'records of another reply added',
  'denial of another name as the answer',
  'records of another name as the answer',
  'answer under the name of the question',
  'answer emptied',
  'everything dropped',
  'RCODE changed',
  'AD set',
  'letter case changed',
  'records repeated',
  'unsigned record added',
] as const
export type Change = (typeof CHANGES)[number]

/** `others` are honest replies to other questions. */
export function changeReply(
  parts: Parts,
  change: Change,
  others: readonly Parts[],
  random: Random,
): Parts {
  const { flags, question, answer, authority } = parts
  const other = random.pick(others)
  const denied = random.pick([
    ...others.filter((each) => each.authority.some(isDenial)).slice(0, 200),
    other,
  ])
  const all = [...answer, ...authority]
  switch (change) {
    case 'one signature dropped':
      return without(parts, oneOf(all.filter(isSignature), random))
    case 'all signatures dropped':
      return keeping(parts, (record) => !isSignature(record))
    case 'record dropped':
      return without(
        parts,
        oneOf(
          all.filter((record) => !isSignature(record)),
          random,
        ),
      )
    case 'denial dropped': {
      const gone = oneOf(all.filter(isDenial), random)
      return keeping(parts, (record) => !(gone?.owner.equals(record.owner) === true))
    }
    case 'RDATA changed':
      return changing(
        parts,
        oneOf(
          all.filter((record) => !isSignature(record)),
          random,
        ),
        (rdata) => flipped(rdata, 0, random),
      )
    case 'signature changed':
      return changing(parts, oneOf(all.filter(isSignature), random), (rdata) =>
        flipped(rdata, Math.max(18, rdata.length - 40), random),
      )
    case 'field of a signature changed':
      return changing(parts, oneOf(all.filter(isSignature), random), (rdata) => {
        const head = flipped(rdata.subarray(0, 18), 0, random)
        return Buffer.concat([head, rdata.subarray(18)])
      })
    case 'TTLs lowered':
      return mapping(parts, (record) => ({ ...record, ttl: Math.floor(record.ttl / 10) }))
    case 'TTLs raised':
      return mapping(parts, (record) => ({ ...record, ttl: record.ttl * 10 + 1 }))
    case 'denial of another reply in its place':
      return {
        ...parts,
        authority: [
          ...authority.filter((record) => !isDenial(record)),
          ...denied.authority.filter(isDenial),
        ],
      }
    case 'denial of another reply added':
      return { ...parts, authority: [...authority, ...denied.authority.filter(isDenial)] }
    case 'alias leads elsewhere':
      return mapping(parts, (record) =>
        isType(record, 'CNAME', 'DNAME') ? { ...record, rdata: otherName(other) } : record,
      )
    case 'sections exchanged':
      return { ...parts, answer: authority, authority: answer }
    case 'records in another order':
      return { ...parts, answer: random.shuffled(answer), authority: random.shuffled(authority) }
    case 'records of another reply added':
      return {
        ...parts,
        answer: [...answer, ...other.answer],
        authority: [...authority, ...other.authority],
      }
    case 'denial of another name as the answer':
      return { flags: denied.flags, question, answer: [], authority: denied.authority }
    case 'records of another name as the answer':
      return { ...other, question }
    case 'answer under the name of the question': {
      const owner = question.subarray(0, -4)
      return { ...other, question, answer: other.answer.map((record) => ({ ...record, owner })) }
    }
    case 'answer emptied':
      return { ...parts, answer: [] }
    case 'everything dropped':
      return { flags, question, answer: [], authority: [] }
    case 'RCODE changed':
      return {
        ...parts,
        flags: (flags & 0xfff0) | random.pick((flags & 0xf) === 3 ? [0, 2] : [3, 2, 5]),
      }
    case 'AD set':
      return { ...parts, flags: flags | 0x0020 }
    case 'letter case changed':
      return mapping(parts, (record) => ({ ...record, owner: otherCase(record.owner) }))
    case 'records repeated':
      return { ...parts, answer: [...answer, ...answer], authority: [...authority, ...authority] }
    case 'unsigned record added': {
      const one = oneOf(
        all.filter((record) => !isSignature(record)),
        random,
      )
      if (one === undefined) return parts
      return { ...parts, answer: [...answer, { ...one, rdata: flipped(one.rdata, 0, random) }] }
    }
  }
}

function oneOf<T>(list: readonly T[], random: Random): T | undefined {
  return list.length === 0 ? undefined : random.pick(list)
}

function isType(record: PartRecord, ...types: readonly string[]): boolean {
  return types.some((type) => TYPE_NUMBERS[type] === record.type)
}

function isSignature(record: PartRecord): boolean {
  return isType(record, 'RRSIG')
}

/** NSEC and NSEC3 with their signatures. */
function isDenial(record: PartRecord): boolean {
  if (!isSignature(record)) return isType(record, 'NSEC', 'NSEC3')
  const covered = record.rdata.readUInt16BE(0)
  return covered === TYPE_NUMBERS['NSEC'] || covered === TYPE_NUMBERS['NSEC3']
}

function keeping(parts: Parts, isKept: (record: PartRecord) => boolean): Parts {
  return {
    ...parts,
    answer: parts.answer.filter(isKept),
    authority: parts.authority.filter(isKept),
  }
}

function without(parts: Parts, gone: PartRecord | undefined): Parts {
  return keeping(parts, (record) => record !== gone)
}

function mapping(parts: Parts, change: (record: PartRecord) => PartRecord): Parts {
  return { ...parts, answer: parts.answer.map(change), authority: parts.authority.map(change) }
}

function changing(
  parts: Parts,
  one: PartRecord | undefined,
  change: (rdata: Buffer) => Buffer,
): Parts {
  return mapping(parts, (record) =>
    record === one ? { ...record, rdata: change(record.rdata) } : record,
  )
}

/** With one bit changed at or after `from`. Names can become longer than they are. */
function flipped(rdata: Buffer, from: number, random: Random): Buffer {
  const changed = Buffer.from(rdata)
  if (changed.length === 0) return changed
  const at = from + random.below(changed.length - from)
  changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8))
  return changed
}

/** The name that another question was about. */
function otherName({ question }: Parts): Buffer {
  return question.subarray(0, -4)
}

function otherCase(name: Buffer): Buffer {
  return Buffer.from(name.map((octet) => (octet >= 0x61 && octet <= 0x7a ? octet - 0x20 : octet)))
}
