/** Queue files as Haraka writes them. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'

export type QueueFile = {
  readonly domain: string
  /** Number of recipients, 1 by default. */
  readonly recipients?: number
}

export type QueuePlace = {
  readonly arrived: number
  readonly next?: number
  readonly attempts?: number
  readonly uid?: string
}

/** The octets of a file: length, head, message. */
export function queueFile({ domain, recipients = 1 }: QueueFile): Buffer {
  const todo = {
    queue_time: 1_796_000_000_000,
    domain,
    rcpt_to: Array.from({ length: recipients }, (_, i) => ({
      original: `<user${i}@${domain}>`,
      original_host: domain,
      host: domain,
      user: `user${i}`,
    })),
    mail_from: { original: '<me@relay.example>', host: 'relay.example', user: 'me' },
    notes: {},
    uuid: '0D5F5A0B-6B0F-4E2B-8D64-5F8D9A6E5D4C.1.1',
    force_tls: false,
  }
  const head = Buffer.from(`\n${JSON.stringify(todo, null, '\t')}\n`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, Buffer.from('Subject: laboratory\r\n\r\nHello.\r\n')])
}

let written = 0

/** Writes a file into a queue folder, and returns its path. */
export function writeQueue(folder: string, file: QueueFile & QueuePlace): string {
  const { arrived, next = arrived, attempts = 0 } = file
  const uid = file.uid ?? `u${(written++).toString(36).padStart(5, '0')}`
  const name = [arrived, next, attempts, 1234, uid, 1 + (written % 10_000), 'relay.example'].join(
    '_',
  )
  const place = path.join(folder, name)
  writeFileSync(place, queueFile(file))
  return place
}
