/**
 * Delivers to real mail servers: what becomes of the mail, and what they say about it.
 *
 * Six domains for each server. DANE-EE and DANE-TA: delivered and verified. Without TLSA
 * records: delivered. A record that does not match, and a host that offers no STARTTLS:
 * deferred. A refused host has to hear QUIT: its log has the session as ended by the
 * client and no broken TLS.
 */
import { mkdir, mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { mint, tlsaFor } from '../certificates.js'
import type { Minted } from '../certificates.js'
import { runToEnd, until } from '../child.js'
import type { Haraka } from '../haraka.js'
import { complaintsOfLog, happened, isLoggedVerified, recipientOf } from '../judge.js'
import { PLACE } from '../rows.js'
import type { Row, Wanted } from '../rows.js'
import type { Laboratory } from '../laboratory.js'
import type { MailServer, MailServerKind } from './mail-servers.js'

/** One domain whose MX host is a real server. */
type Case = {
  readonly id: string
  readonly what: string
  /** Which of its addresses. */
  readonly address: 'tls' | 'plain'
  readonly tlsa: 'ee' | 'ta' | 'wrong' | 'none'
  readonly wanted: Wanted
}

const CASES: readonly Case[] = [
  { id: 'ee', what: '3 1 1 matches', address: 'tls', tlsa: 'ee', wanted: { action: 'verified' } },
  { id: 'ta', what: '2 1 1 matches', address: 'tls', tlsa: 'ta', wanted: { action: 'verified' } },
  {
    id: 'wrong',
    what: '3 1 1 does not match',
    address: 'tls',
    tlsa: 'wrong',
    wanted: { action: 'defer', reason: 'certificate-mismatch' },
  },
  {
    id: 'no-starttls',
    what: '3 1 1, no STARTTLS',
    address: 'plain',
    tlsa: 'ee',
    wanted: { action: 'defer', reason: 'starttls-not-offered' },
  },
  {
    id: 'no-tlsa',
    what: 'no TLSA records',
    address: 'tls',
    tlsa: 'none',
    wanted: { action: 'fallback', isEncrypted: true },
  },
  {
    id: 'plain',
    what: 'no TLSA records, no STARTTLS',
    address: 'plain',
    tlsa: 'none',
    wanted: { action: 'fallback', isEncrypted: false },
  },
]

export type MailGuest = {
  readonly kind: MailServerKind
  readonly rows: readonly { readonly row: Row; readonly what: string }[]
  readonly chainPem: string
  readonly keyPem: string
  readonly addresses: { readonly tls: string; readonly plain: string }
}

/** The domains of a server, and the certificate that it shows. */
export async function prepareGuest(
  kind: MailServerKind,
  index: number,
  port: number,
  ca: Minted,
): Promise<MailGuest> {
  const label = kind.name.toLowerCase()
  const hostOf = ({ id }: Case): string => `mx-${id}-${label}.${PLACE.signed}`
  const key = kind.key !== undefined && { key: kind.key }
  const leaf = await mint({ subject: `CN=${label}`, names: CASES.map(hostOf), issuer: ca, ...key })
  const other = await mint({ subject: `CN=${label}`, issuer: ca })
  const addresses = { tls: `127.0.220.${2 * index + 1}`, plain: `127.0.220.${2 * index + 2}` }
  const published = {
    ee: [tlsaFor(3, 1, 1, leaf)],
    ta: [tlsaFor(2, 1, 1, ca)],
    wrong: [tlsaFor(3, 1, 1, other)],
    none: [],
  }
  const rows = CASES.map((each) => {
    const domain = `${each.id}-${label}.${PLACE.signed}`
    const row: Row = {
      id: `${label}-${each.id}`,
      domain,
      policy: 'opportunistic',
      insecureMx: 'dane',
      shown: { mx: 'secure', address: 'secure', tlsa: each.tlsa, certificate: '' },
      hosts: [],
      records: [
        `${domain}. MX 10 ${hostOf(each)}.`,
        `${hostOf(each)}. A ${addresses[each.address]}`,
        ...published[each.tlsa].map((tlsa) => `_${port}._tcp.${hostOf(each)}. TLSA ${tlsa}`),
      ],
      wanted: each.wanted,
    }
    return { row, what: each.what }
  })
  return { kind, rows, chainPem: `${leaf.pem}\n${ca.pem}\n`, keyPem: leaf.keyPem, addresses }
}

export type MailResult = {
  readonly what: string
  readonly wanted: string
  readonly happened: string
  readonly complaints: readonly string[]
}

/** Starts the server, sends one message to each of its domains, and stops it. */
export async function judgeGuest(
  { kind, rows, ...guest }: MailGuest,
  laboratory: Laboratory,
  relay: Haraka,
): Promise<{ readonly results: readonly MailResult[]; readonly fault: string | undefined }> {
  const folder = await mkdtemp(path.join(laboratory.guests, 'mail-'))
  await mkdir(path.join(folder, 'open'))
  const server = await kind.start({
    folder,
    port: laboratory.smtpPort,
    domains: rows.map(({ row }) => row.domain),
    ...guest,
  })
  try {
    const results: MailResult[] = []
    const fault = await handshakeFault(guest.addresses.tls, laboratory.smtpPort)
    // One by one: what is new in the server's log belongs to this message.
    for (const { row, what } of withTls(rows, guest.addresses, fault)) {
      const before = (await server.log()).length
      const id = await relay.submit(recipientOf(row))
      const outcome = await relay.outcomeOf(id)
      const isVerified = isLoggedVerified(row, id, relay)
      const complaints = [
        ...complaintsOfLog(row, outcome, isVerified),
        ...(fault === undefined ? await complaintsOfServer(kind, server, before, row) : []),
      ]
      const { action } = row.wanted
      results.push({ what, wanted: action, happened: happened(outcome, isVerified), complaints })
    }
    return { results, fault }
  } finally {
    await server.child.stop()
  }
}

/** Why another client has no handshake with it either. */
async function handshakeFault(address: string, port: number): Promise<string | undefined> {
  const args = ['s_client', '-starttls', 'smtp', '-connect', `${address}:${port}`, '-brief']
  return runToEnd('openssl', args).then(
    () => undefined,
    (error: unknown) =>
      /error:[0-9A-F]{8}:[^\n]*/i.exec(String(error))?.[0] ?? String(error).slice(0, 300),
  )
}

/** With a server whose TLS is broken, mail that needs TLS waits. */
function withTls(
  rows: MailGuest['rows'],
  addresses: MailGuest['addresses'],
  fault: string | undefined,
): MailGuest['rows'] {
  if (fault === undefined) return rows
  return rows.flatMap(({ row, what }) => {
    if (!row.records.some((record) => record.endsWith(` A ${addresses.tls}`)))
      return [{ row, what }]
    const wanted = { action: 'defer', reason: 'tls-handshake-failed' } as const
    // Without DANE it is Haraka's own affair.
    const hasTlsa = row.records.some((record) => record.includes(' TLSA '))
    return hasTlsa ? [{ row: { ...row, wanted }, what: `${what}, TLS fails` }] : []
  })
}

async function complaintsOfServer(
  kind: MailServerKind,
  server: MailServer,
  before: number,
  { domain, wanted }: Row,
): Promise<readonly string[]> {
  const recent = async (): Promise<string> => (await server.log()).slice(before)
  const isRefused = wanted.action === 'defer'
  const end = isRefused ? kind.quit : kind.accepted
  const isInTime = await until('the end of the session', async () => end.test(await recent()), {
    timeoutMs: 10_000,
  }).then(
    () => true,
    () => false,
  )
  const log = await recent()
  return [
    ...(isInTime ? [] : [`its log does not say ${String(end)}: ${log.slice(-600)}`]),
    ...(isRefused && log.includes(domain) ? ['it was shown an envelope'] : []),
    ...(/TLS[^\n]*(?:error|alert|fail)|SSL_accept|lost connection/i.test(log)
      ? [`its log has a TLS error: ${log.slice(-600)}`]
      : []),
  ]
}
