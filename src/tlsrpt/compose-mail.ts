/**
 * A report as mail (RFC 8460 §5.3): multipart/report with a text for people and the
 * compressed JSON, signed with DKIM.
 *
 * nodemailer builds the MIME parts and the signature. The signature is relaxed/relaxed,
 * without `l=` (RFC 8460 §3), and covers the header fields that receivers look at.
 *
 * Promises: the message is ASCII with CRLF line ends, so that no queue or host on the way
 * changes it; it is never unsigned. Pure, apart from using streams.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import DKIM from 'nodemailer/lib/dkim'
import MimeNode from 'nodemailer/lib/mime-node'
import type { DomainName } from '../name.js'
import type { DayCounts } from './counts.js'
import { reportFileName, reportId, totalsOf } from './report.js'

export type MailParts = {
  readonly counts: DayCounts
  /** The report, as `toReport` wrote it. */
  readonly json: string
  readonly organization: string
  /** The mailbox for questions. */
  readonly contact: string
  /** The address in From. */
  readonly from: string
  /** Its domain: `d=` of the signature. */
  readonly submitter: DomainName
  /** The one recipient. */
  readonly to: string
  /** RSA, in PEM. */
  readonly dkimKey: string
  readonly dkimSelector: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Throws if it cannot be signed. */
export async function composeMail(parts: MailParts): Promise<string> {
  const unsigned = await toMime(parts)
  const dkim = new DKIM({
    domainName: parts.submitter,
    keySelector: parts.dkimSelector,
    privateKey: parts.dkimKey,
    headerFieldNames: SIGNED.join(':'),
  })
  const signed = await readAll(dkim.sign(unsigned))
  // nodemailer returns the message as it was if the key cannot sign.
  if (!signed.startsWith('DKIM-Signature:')) throw new Error('the DKIM key cannot sign')
  return signed
}

/** RFC 1952. The same octets for the same report. */
export function compress(json: string): Buffer {
  return gzipSync(json, { level: 9 })
}

async function toMime(parts: MailParts): Promise<Buffer> {
  const { counts, submitter } = parts
  const { day, domain } = counts
  const id = reportId(day, domain, submitter)
  const name = reportFileName(day, domain, submitter)
  // RFC 6522 §3, RFC 8460 §5.3.
  const root = new MimeNode('multipart/report; report-type="tlsrpt"', {
    newline: 'windows',
    // nodemailer's own spelling is Tls-Report-Domain.
    normalizeHeaderKey: (key) => key.replace(/^Tls-/, 'TLS-'),
  })
  root.setHeader([
    { key: 'From', value: `<${parts.from}>` },
    { key: 'To', value: `<${parts.to}>` },
    {
      key: 'Subject',
      value: `Report Domain: ${domain} Submitter: ${submitter} Report-ID: <${id}>`,
    },
    { key: 'Date', value: new Date(parts.at).toUTCString().replace('GMT', '+0000') },
    { key: 'Message-ID', value: `<${messageId(id, parts.to)}@${submitter}>` },
    { key: 'TLS-Report-Domain', value: domain },
    { key: 'TLS-Report-Submitter', value: submitter },
    // RFC 8689 §5: relays further on deliver it despite TLS failures too.
    { key: 'TLS-Required', value: 'No' },
    // RFC 3834 §5: no automatic replies.
    { key: 'Auto-Submitted', value: 'auto-generated' },
  ])
  root.createChild('text/plain; charset=utf-8').setContent(textOf(parts, id))
  root
    .createChild('application/tlsrpt+gzip', { filename: name })
    .setHeader('Content-Disposition', 'attachment')
    .setHeader('Content-Transfer-Encoding', 'base64')
    .setContent(compress(parts.json))
  return root.build()
}

/** The same at each attempt, so that a receiver recognizes a message that arrives again. */
function messageId(id: string, to: string): string {
  return createHash('sha256').update(`${id} ${to}`).digest('hex').slice(0, 32)
}

function textOf({ counts, organization, contact, submitter }: MailParts, id: string): string {
  const { day, domain } = counts
  const { successful, failed } = totalsOf(counts)
  return [
    'This is a report about TLS on the way to your mail hosts (RFC 8460).',
    '',
    `Domain:              ${domain}`,
    `From:                ${organization} (${submitter})`,
    `Day (UTC):           ${day}`,
    `Successful sessions: ${successful}`,
    `Failed sessions:     ${failed}`,
    `Report id:           ${id}`,
    '',
    'The attachment has the details, as compressed JSON. It was sent because',
    'this TXT record asks for it:',
    `_smtp._tls.${domain}`,
    `Questions: ${contact}`,
    '',
  ].join('\r\n')
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('latin1')
}

/** RFC 6376 §5.4, and RFC 8460 §5.3 for the TLS-Report fields. */
const SIGNED = [
  'From',
  'To',
  'Subject',
  'Date',
  'Message-ID',
  'MIME-Version',
  'Content-Type',
  'TLS-Report-Domain',
  'TLS-Report-Submitter',
  'TLS-Required',
  'Auto-Submitted',
]
