/** Relays that send TLS reports: their settings, their clock, and the reports that arrive. */
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import PostalMime from 'postal-mime'
import type { MxHost } from '../../lab/mx-host.js'
import type { Report } from '../../src/tlsrpt/report.js'
import { DAY_MS, utcDay } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'
import { assertReport } from './report-schema.js'
import { dkimPair } from './report-samples.js'
import { verifyDkim } from './dkim.js'

const pair = dkimPair()

/** `[tlsrpt]` of dane.ini, without the last line's end. */
export const TLSRPT_INI = [
  '[tlsrpt]',
  'enabled = yes',
  'organization = Relay Example Inc.',
  'contact = postmaster@relay.example',
  'from = tlsrpt@relay.example',
  'dkim_key = tlsrpt.pem',
  'dkim_selector = tls1',
  'sending_ip = 192.0.2.1',
].join('\n')

/** The DKIM record of the key in `TLSRPT_FILES`. */
export const TLSRPT_RECORD = pair.record

export const TLSRPT_FILES: Readonly<Record<string, string>> = { 'tlsrpt.pem': pair.pem }

/** Looks of the sender are half a second apart. */
export const HASTE = 10

/** A clock of relays that the test moves. */
export class MovedClock {
  readonly file: string
  private ahead = 0

  constructor(folder: string) {
    this.file = path.join(folder, 'clock')
    // Noon of a day: no test begins just before midnight.
    this.moveTo(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2)
  }

  now(): number {
    return Date.now() + this.ahead
  }

  today(): UtcDay {
    return utcDay(this.now())
  }

  /** @param at milliseconds since the epoch */
  moveTo(at: number): void {
    this.ahead = at - Date.now()
    // A reader never finds half of it: a clock that was back for a moment loses reports.
    writeFileSync(`${this.file}.tmp`, String(this.ahead))
    renameSync(`${this.file}.tmp`, this.file)
  }

  move(milliseconds: number): void {
    this.moveTo(this.now() + milliseconds)
  }
}

export type Arrived = {
  readonly domain: string
  readonly report: Report
  readonly messageId: string
  readonly from: string
  readonly raw: string
  readonly isEncrypted: boolean
}

/** The reports that a mail host has accepted; each is checked by DKIM and the schema. */
export async function arrivedAt(host: MxHost): Promise<readonly Arrived[]> {
  const all: Arrived[] = []
  for (const { messages, mails } of host.sessions) {
    for (const [index, text] of messages.entries()) {
      if (!text.includes('TLS-Report-Domain:')) continue
      all.push(await readReport(text, mails[index]?.isEncrypted === true))
    }
  }
  return all
}

async function readReport(text: string, isEncrypted: boolean): Promise<Arrived> {
  const raw = text.replace(/\r?\n/g, '\r\n')
  const { result, count } = await verifyDkim(`${raw}\r\n`, pair.record)
  if (result !== 'pass' || count !== 1)
    throw new Error(`DKIM: ${result}, ${count} signatures\n${raw}`)
  const mail = await PostalMime.parse(raw)
  const [attachment] = mail.attachments
  if (!(attachment?.content instanceof ArrayBuffer)) throw new Error(`no attachment:\n${raw}`)
  const report = assertReport(gunzipSync(Buffer.from(attachment.content)).toString())
  const field = (key: string): string => mail.headers.find((each) => each.key === key)?.value ?? ''
  return {
    domain: field('tls-report-domain'),
    report,
    messageId: field('message-id'),
    from: mail.from?.address ?? '',
    raw,
    isEncrypted,
  }
}
