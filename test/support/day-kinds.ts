/** Destinations of each kind that a TLS report distinguishes, and what is seen of their sessions. */
import type { DestinationOptions } from '../../lab/destination.js'
import type { Session } from '../../lab/mx-dialog.js'

export type Kind = {
  readonly name: string
  readonly options: DestinationOptions
  /** RFC 8460 §4.3; undefined: the sessions succeed. */
  readonly result?: string
  /** Whether a session at the host is one of this kind. */
  readonly isSeen: (session: Session) => boolean
  /** Of Haraka's log, one line for each session. */
  readonly line: (domain: string) => RegExp
}

const refused =
  (reason: string) =>
  (domain: string): RegExp =>
    new RegExp(`host refused.*domain=${domain} .*reason=${reason} `)

/** What the host sees: mail inside TLS; TLS and no mail; neither. */
const tookMail = ({ isEncrypted, messages }: Session): boolean => isEncrypted && messages.length > 0
const wasLeft = ({ isEncrypted, mails }: Session): boolean => isEncrypted && mails.length === 0

export const KINDS: readonly Kind[] = [
  {
    name: 'good',
    options: {},
    isSeen: tookMail,
    line: (domain) => new RegExp(`TLS success .* for ${domain} `),
  },
  {
    name: 'mismatched',
    options: { tlsa: 'wrong' },
    result: 'certificate-not-trusted',
    isSeen: wasLeft,
    line: refused('certificate-mismatch'),
  },
  {
    name: 'expired',
    options: { isExpired: true },
    result: 'certificate-expired',
    isSeen: wasLeft,
    line: refused('certificate-expired'),
  },
  {
    name: 'stripped',
    options: { host: { misbehavior: 'no-starttls' } },
    result: 'starttls-not-supported',
    isSeen: ({ isEncrypted, mails }) => !isEncrypted && mails.length === 0,
    line: refused('starttls-not-offered'),
  },
  {
    name: 'bogus',
    options: { isTlsaBogus: true },
    result: 'dnssec-invalid',
    isSeen: () => false,
    line: (domain) => new RegExp(`message deferred.*domain=${domain} .*reason=tlsa-bogus `),
  },
  {
    name: 'daneless',
    options: { tlsa: 'none' },
    isSeen: tookMail,
    line: (domain) => new RegExp(`delivered file=.* domain=${domain} .* tls=Y`),
  },
]
