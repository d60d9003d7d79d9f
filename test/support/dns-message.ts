/**
 * Builds DNS messages, well-formed and otherwise.
 *
 * Octet by octet and without the library under test, so that encoder and decoder do not
 * share their bugs. Names are not compressed unless a test does it.
 */

export type Rr = {
  readonly owner: string | Buffer
  readonly type: number
  readonly class?: number
  readonly ttl?: number
  readonly rdata: Buffer
}

export type Reply = {
  readonly id?: number
  /** The header bits QR, AA, TC, RD, RA, AD, CD; defaults to 0x8180 (QR, RD, RA). */
  readonly flags?: number
  readonly rcode?: number
  readonly question?: { readonly name: string; readonly type: number; readonly class?: number }
  readonly answer?: readonly Rr[]
  readonly authority?: readonly Rr[]
  readonly additional?: readonly Rr[]
}

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  DNAME: 39,
  OPT: 41,
  RRSIG: 46,
  NSEC: 47,
  TLSA: 52,
}
export const FLAG = { TC: 0x0200, AD: 0x0020, CD: 0x0010, AA: 0x0400 }
export const ANSWERED = 0x8180

export function reply(parts: Reply): Buffer {
  const { question, answer = [], authority = [], additional = [] } = parts
  const header = Buffer.alloc(12)
  header.writeUInt16BE(parts.id ?? 1, 0)
  header.writeUInt16BE((parts.flags ?? ANSWERED) | (parts.rcode ?? 0), 2)
  header.writeUInt16BE(question ? 1 : 0, 4)
  header.writeUInt16BE(answer.length, 6)
  header.writeUInt16BE(authority.length, 8)
  header.writeUInt16BE(additional.length, 10)
  const asked = question
    ? [wireName(question.name), u16(question.type), u16(question.class ?? 1)]
    : []
  return Buffer.concat([header, ...asked, ...[...answer, ...authority, ...additional].map(wireRr)])
}

export function wireRr({ owner, type, class: klass = 1, ttl = 300, rdata }: Rr): Buffer {
  const name = typeof owner === 'string' ? wireName(owner) : owner
  return Buffer.concat([name, u16(type), u16(klass), u32(ttl), u16(rdata.length), rdata])
}

/** `\\.` in a label is a dot inside it. */
export function wireName(text: string): Buffer {
  if (text === '' || text === '.') return Buffer.from([0])
  const labels = text
    .split(/(?<!\\)\./)
    .map((label) => Buffer.from(label.replace('\\.', '.'), 'latin1'))
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ])
}

export const rr = {
  a: (owner: string, address: string, ttl?: number): Rr => ({
    owner,
    type: TYPE.A,
    rdata: Buffer.from(address.split('.').map(Number)),
    ...(ttl !== undefined && { ttl }),
  }),
  mx: (owner: string, preference: number, exchange: string, ttl?: number): Rr => ({
    owner,
    type: TYPE.MX,
    rdata: Buffer.concat([u16(preference), wireName(exchange)]),
    ...(ttl !== undefined && { ttl }),
  }),
  cname: (owner: string, target: string, ttl?: number): Rr => ({
    owner,
    type: TYPE.CNAME,
    rdata: wireName(target),
    ...(ttl !== undefined && { ttl }),
  }),
  dname: (owner: string, target: string, ttl?: number): Rr => ({
    owner,
    type: TYPE.DNAME,
    rdata: wireName(target),
    ...(ttl !== undefined && { ttl }),
  }),
  tlsa: (owner: string, hex: string, ttl?: number): Rr => ({
    owner,
    type: TYPE.TLSA,
    rdata: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
    ...(ttl !== undefined && { ttl }),
  }),
  ns: (owner: string, server: string): Rr => ({ owner, type: TYPE.NS, rdata: wireName(server) }),
  soa: (owner: string, minimum: number, ttl?: number): Rr => ({
    owner,
    type: TYPE.SOA,
    rdata: Buffer.concat([
      wireName(owner === '.' ? 'ns' : `ns.${owner}`),
      wireName(owner === '.' ? 'h' : `h.${owner}`),
      u32(1),
      u32(2),
      u32(3),
      u32(4),
      u32(minimum),
    ]),
    ...(ttl !== undefined && { ttl }),
  }),
  /** EDNS with the upper RCODE and extended errors. */
  opt: (errors: readonly (readonly [number, string | Buffer])[] = [], extendedRcode = 0): Rr => ({
    owner: '',
    type: TYPE.OPT,
    class: 1232,
    ttl: extendedRcode * 0x1000000,
    rdata: Buffer.concat(
      errors.map(([code, text]) => option(15, Buffer.concat([u16(code), Buffer.from(text)]))),
    ),
  }),
}

export function option(code: number, data: Buffer): Buffer {
  return Buffer.concat([u16(code), u16(data.length), data])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
