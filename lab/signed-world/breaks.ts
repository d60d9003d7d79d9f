/** Breaks a signed zone: as a whole, in its denials, or in the signatures of one RRset. */
import type { ZoneKeys } from './keys.js'
import type { Random } from './random.js'
import { signatureOver, signatureText } from './signer.js'
import type { SignatureFields, ZoneKey } from './signer.js'
import type { SetBreak, ZoneBreak, ZoneSpec } from './spec.js'
import { keyTag, rdataOctets } from './wire.js'
import { coveredBy, isOf } from './zone-text.js'
import type { Line } from './zone-text.js'

export type Surroundings = {
  readonly keys: ZoneKeys
  readonly parent: { readonly origin: string; readonly keys: ZoneKeys } | undefined
  readonly sibling: { readonly origin: string; readonly keys: ZoneKeys } | undefined
  /** A key of the same owner name that the zone does not publish. */
  readonly stranger: ZoneKey
  /** Seconds since the epoch. */
  readonly now: number
  readonly random: Random
}

export const DAY = 86_400

export function breakZone(
  lines: readonly Line[],
  { origin, zoneBreak, setBreaks, undenied }: ZoneSpec,
  around: Surroundings,
): readonly Line[] {
  const whole = zoneBreak === undefined ? lines : asAWhole(lines, origin, zoneBreak, around)
  const denied = removeDenials(whole, undenied, around.random)
  return setBreaks.reduce(
    (all, { owner, type, kind }) =>
      breakSet(all, owner.replace(/\.$/, ''), type, kind, origin, around),
    denied,
  )
}

function asAWhole(
  lines: readonly Line[],
  origin: string,
  kind: ZoneBreak,
  around: Surroundings,
): readonly Line[] {
  const { ksk, zsk } = around.keys
  switch (kind) {
    case 'no-dnskey':
      return lines.filter((line) => !isOf(line, origin, 'DNSKEY'))
    case 'unsigned-dnskey':
      return lines.filter((line) => coveredBy(line) !== 'DNSKEY')
    case 'no-signatures':
      return lines.filter(({ type }) => type !== 'RRSIG')
    case 'no-denial':
      return lines.filter((line) => !isDenial(line))
    case 'dnskey-signed-by-zsk-only':
      return signSet(lines, origin, 'DNSKEY', zsk, fieldsOf(origin, around.now))
    case 'revoked': {
      const revoked = { ...ksk, dnskey: withFlags(ksk.dnskey, REVOKED_KSK) }
      const changed = replaceKey(lines, ksk, revoked)
      return signSet(changed, origin, 'DNSKEY', revoked, fieldsOf(origin, around.now))
    }
    case 'no-zone-bit': {
      const unzoned = { ...zsk, dnskey: withFlags(zsk.dnskey, 0) }
      const fields = fieldsOf(origin, around.now)
      let changed = signSet(replaceKey(lines, zsk, unzoned), origin, 'DNSKEY', ksk, fields)
      for (const line of lines) {
        const type = coveredBy(line) ?? ''
        if (SIGNED_HERE.includes(type))
          changed = signSet(changed, line.owner, type, unzoned, fields)
      }
      return changed
    }
  }
}

function removeDenials(lines: readonly Line[], count: number, random: Random): readonly Line[] {
  const owners = lines.filter(({ type }) => /^NSEC3?$/.test(type)).map(({ owner }) => owner)
  const gone = random.shuffled(owners).slice(0, count)
  return lines.filter((line) => !(isDenial(line) && gone.includes(line.owner)))
}

function isDenial(line: Line): boolean {
  return /^NSEC3?$/.test(coveredBy(line) ?? line.type)
}

function breakSet(
  lines: readonly Line[],
  owner: string,
  type: string,
  kind: SetBreak,
  origin: string,
  { keys, parent, sibling, stranger, now }: Surroundings,
): readonly Line[] {
  const { zsk } = keys
  const fields = fieldsOf(origin, now)
  const labels = owner.split('.').filter((label) => label !== '*').length
  const past = { ...fields, inception: now - 60 * DAY, expiration: now - 30 * DAY }
  const replaced = (key: ZoneKey, changed: SignatureFields): readonly Line[] =>
    signSet(lines, owner, type, key, changed)
  const added = (rdata: string): readonly Line[] => [
    ...lines,
    { owner, ttl: fields.originalTtl, type: 'RRSIG', rdata },
  ]
  switch (kind) {
    case 'no-signature':
      return lines.filter((line) => !(line.owner === owner && coveredBy(line) === type))
    case 'damaged-signature':
      return editSignature(lines, owner, type, damaged)
    case 'changed-rdata':
      return lines.map((line) =>
        line.owner === owner && line.type === type ? { ...line, rdata: otherRdata(line) } : line,
      )
    case 'expired':
      return replaced(zsk, past)
    case 'not-yet-valid':
      return replaced(zsk, { ...fields, inception: now + 10 * DAY, expiration: now + 30 * DAY })
    case 'unknown-key':
      return replaced(stranger, fields)
    case 'signed-by-parent':
      return parent === undefined
        ? lines
        : replaced(parent.keys.zsk, { ...fields, signer: parent.origin })
    case 'signed-by-sibling':
      return sibling === undefined
        ? lines
        : replaced(sibling.keys.zsk, { ...fields, signer: sibling.origin })
    case 'signer-renamed':
      return replaced(zsk, { ...fields, signer: origin.split('.').slice(1).join('.') })
    case 'fewer-labels':
      return replaced(zsk, { ...fields, labels: labels - 1 })
    case 'more-labels':
      return replaced(zsk, { ...fields, labels: labels + 1 })
    case 'other-original-ttl':
      return editSignature(lines, owner, type, (rdata) =>
        rdata.replace(
          /^(\S+ \S+ \S+ )(\d+)/,
          (_, head: string, ttl: string) => `${head}${Number(ttl) + 1}`,
        ),
      )
    case 'extra-record': {
      const one = lines.find((line) => line.owner === owner && line.type === type)
      return one === undefined || /^(CNAME|DNAME)$/.test(type)
        ? lines
        : [...lines, { ...one, rdata: otherRdata(one) }]
    }
    case 'also-damaged':
    case 'also-unknown-algorithm': {
      const one = lines.find((line) => line.owner === owner && coveredBy(line) === type)
      if (one === undefined) return lines
      const isDamaged = kind === 'also-damaged'
      return added(isDamaged ? damaged(one.rdata) : one.rdata.replace(/^(\S+) \d+/, '$1 250'))
    }
    case 'also-expired': {
      const before = lines.length
      const old = signSet(lines, owner, type, zsk, past).slice(before - lines.length)
      return [...lines, ...old.filter((line) => line.owner === owner && coveredBy(line) === type)]
    }
  }
}

/** The lines with one signature over the set, made here. */
export function signSet(
  lines: readonly Line[],
  owner: string,
  type: string,
  key: Pick<ZoneKey, 'dnskey' | 'privateKey'>,
  fields: SignatureFields,
): readonly Line[] {
  const set = lines.filter((line) => line.owner === owner && line.type === type)
  const [first] = set
  if (first === undefined) throw new Error(`nothing to sign: ${owner} ${type}`)
  const rdatas = set.map(({ rdata }) => rdataOctets(type, rdata))
  const own = { ...fields, originalTtl: first.ttl }
  const rdata = signatureText(signatureOver(owner, type, rdatas, key, own))
  return [
    ...lines.filter((line) => !(line.owner === owner && coveredBy(line) === type)),
    { owner, ttl: first.ttl, type: 'RRSIG', rdata },
  ]
}

function fieldsOf(signer: string, now: number): SignatureFields {
  return { signer, inception: now - DAY, expiration: now + 20 * DAY, originalTtl: 300 }
}

function editSignature(
  lines: readonly Line[],
  owner: string,
  type: string,
  change: (rdata: string) => string,
): readonly Line[] {
  return lines.map((line) =>
    line.owner === owner && coveredBy(line) === type
      ? { ...line, rdata: change(line.rdata) }
      : line,
  )
}

function damaged(rdata: string): string {
  return rdata.replace(/(\. ?)(\S{8})(\S+)/, (_, before: string, start: string, rest: string) => {
    return `${before}${start === 'AAAAAAAA' ? 'BBBBBBBB' : 'AAAAAAAA'}${rest}`
  })
}

function otherRdata({ type, rdata }: Line): string {
  switch (type) {
    case 'A':
      return rdata.replace(/\d+$/, (last) => String((Number(last) + 1) % 256))
    case 'AAAA':
      return rdata.replace(/.$/, (last) => (last === '1' ? '2' : '1'))
    case 'MX':
      return rdata.replace(/^\d+/, (preference) => String(Number(preference) + 1))
    case 'TLSA':
      return rdata.replace(/.$/, (last) => (last === '1' ? '2' : '1'))
    default:
      return `changed.${rdata}`
  }
}

/** Zone key, SEP and REVOKE (RFC 5011 §2.1). */
export const REVOKED_KSK = 0x181

export function withFlags(dnskey: Buffer, flags: number): Buffer {
  const changed = Buffer.from(dnskey)
  changed.writeUInt16BE(flags)
  return changed
}

function replaceKey(lines: readonly Line[], old: ZoneKey, changed: ZoneKey): readonly Line[] {
  return lines.map((line) => {
    if (line.type !== 'DNSKEY') return line
    const octets = rdataOctets('DNSKEY', line.rdata)
    if (keyTag(octets) !== keyTag(old.dnskey)) return line
    const flags = String(changed.dnskey.readUInt16BE(0))
    return { ...line, rdata: line.rdata.replace(/^\d+/, flags) }
  })
}

/** Everything but the DNSKEY set, SOA and denials. */
const SIGNED_HERE = ['A', 'AAAA', 'MX', 'CNAME', 'TLSA', 'DNAME']
