/**
 * Any number of destinations, each in a signed zone of its own, made when asked for.
 *
 * `d0.example`, `d1.example` and so on: MX, a host with an A record and one TLSA record, no
 * AAAA. Served as a resolver passes it on that does not validate. A hundred thousand zones
 * of ldns-signzone would take longer than what they are for.
 */
import { randomBytes } from 'node:crypto'
import { nsec, startForgery } from './forged.js'
import type { ForgedZone, Forgery } from './forged.js'
import type { PartRecord } from './message-parts.js'
import { serveOctets } from './serve-octets.js'
import { nameOctets, rdataOctets, uint32 } from './wire.js'

const DAY = 86_400
const TLD = 'example'

export type ManyZones = {
  readonly port: number
  /** A trust anchor file. */
  readonly anchors: string
  readonly domainAt: (index: number) => string
  readonly close: () => void
}

/** @param smtpPort of the TLSA records */
export async function serveManyZones(smtpPort: number): Promise<ManyZones> {
  const forgery = startForgery()
  const { root } = forgery
  forgery.reply('', 'SOA', { answer: ofADay(root, '', 'SOA', soa('')) })
  forgery.zone(TLD)
  // Any other TLD: none exists before or after the only one, and no wildcard.
  const noOther = [
    ...ofADay(root, '', 'SOA', soa('')),
    ...ofADay(root, '', 'NSEC', nsec(TLD, ['NS', 'SOA', 'RRSIG', 'NSEC', 'DNSKEY'])),
    ...ofADay(root, TLD, 'NSEC', nsec('', ['NS', 'DS', 'RRSIG', 'NSEC'])),
  ]
  forgery.otherwise(() => ({ rcode: 3, authority: noOther }))
  const made = new Set<string>()
  const { port, close } = await serveOctets((asked) => {
    const domain = new RegExp(`d\\d+(?=\\x07${TLD}\\0$)`).exec(asked.name)?.[0]
    if (domain !== undefined && !made.has(domain)) {
      made.add(domain)
      publish(forgery, `${domain}.${TLD}`, smtpPort)
    }
    return forgery.fetch(asked)
  })
  const domainAt = (index: number): string => `d${index}.${TLD}`
  return { port, anchors: `. IN DS ${forgery.anchorDs}`, domainAt, close }
}

function publish(forgery: Forgery, origin: string, smtpPort: number): void {
  const zone = forgery.zone(origin)
  const host = `mx.${origin}`
  const owner = `_${smtpPort}._tcp.${host}`
  const answer = (name: string, type: string, text: string): void =>
    forgery.reply(name, type, { answer: ofADay(zone, name, type, rdataOctets(type, text)) })
  answer(origin, 'MX', `10 ${host}`)
  answer(host, 'A', `192.0.2.${randomBytes(1).readUInt8()}`)
  answer(owner, 'TLSA', `3 1 1 ${randomBytes(32).toString('hex')}`)
  forgery.reply(host, 'AAAA', {
    authority: [
      ...ofADay(zone, origin, 'SOA', soa(origin)),
      ...ofADay(zone, host, 'NSEC', nsec(owner, ['A', 'RRSIG', 'NSEC'])),
    ],
  })
}

function ofADay(
  zone: ForgedZone,
  owner: string,
  type: string,
  rdata: Buffer,
): readonly PartRecord[] {
  const records = zone.signed(owner, type, [rdata], { originalTtl: DAY })
  return records.map((record) => Object.assign({}, record, { ttl: DAY }))
}

function soa(origin: string): Buffer {
  const names = ['ns', 'hostmaster'].map((label) => nameOctets(`${label}.${origin}`))
  return Buffer.concat([...names, ...[1, 3600, 600, DAY, DAY].map(uint32)])
}
