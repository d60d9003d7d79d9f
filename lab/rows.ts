/**
 * The messages that the laboratory sends, and their expected outcomes.
 *
 * One `Row` is one message to a separate domain: the records of the domain,
 * the hosts that serve it, the policy, and the expected outcome. The rows of
 * decision-table.csv are generated here; beyond-rows.ts reads the rest.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { InsecureMx, Policy } from '../src/policy.js'
import { tlsaFor } from './certificates.js'
import type { Minted, MintOptions } from './certificates.js'
import { ROOT } from './root.js'
import type { Misbehavior } from './mx-dialog.js'
import type { ServerChain } from './mx-host.js'

/** The expected outcome, checked by the demo and the tests. */
export type Wanted =
  /** Delivered, and the log says `TLS success ... for DOMAIN`. */
  | { readonly action: 'verified' }
  /** Delivered without such a line. */
  | { readonly action: 'fallback'; readonly isEncrypted?: boolean }
  /** Back in the queue, no envelope sent to any host. */
  | { readonly action: 'defer'; readonly reason?: string }
  /** Bounced to the sender. */
  | { readonly action: 'bounce'; readonly reason: string }

/** One SMTP server. */
export type RowHost = {
  readonly name: string
  readonly chain: ServerChain
  readonly chainsByName?: ReadonlyMap<string, ServerChain>
  readonly misbehavior?: Misbehavior
  /** Appended to every reply. */
  readonly words?: string
  /** On ::1 instead of an IPv4 address of its own. */
  readonly isIpv6?: boolean
  /** Nothing listens at its address. */
  readonly isDown?: boolean
}

export type Row = {
  readonly id: string
  readonly domain: string
  readonly policy: Policy
  readonly insecureMx: InsecureMx
  /** For the table: the state of MX, address, TLSA and certificate. */
  readonly shown: {
    readonly mx: string
    readonly address: string
    readonly tlsa: string
    readonly certificate: string
  }
  readonly hosts: readonly RowHost[]
  /** Zone-file lines with absolute names; `@ADDRESS:name@` is replaced by the address of a host. */
  readonly records: readonly string[]
  /** RRsets with damaged signatures, in the form of zones.ts. */
  readonly damaged?: readonly string[]
  readonly wanted: Wanted
}

/** A zone for each status. Every row has its own labels below them. */
export const PLACE = {
  signed: 'signed.example',
  unsigned: 'unsigned.example',
  island: 'island.example',
  expired: 'expired.example',
  noDnskey: 'nokey.example',
  lame: 'lame.example',
} as const

export type Authority = {
  readonly ca: Minted
  /** A leaf for this name, issued by `ca`. */
  readonly issue: (name: string, more?: Pick<MintOptions, 'notAfter'>) => Promise<Minted>
}

type Status = 'secure' | 'insecure' | 'bogus' | 'nxdomain' | '-'

type TableRow = {
  readonly source: string
  readonly policy: Policy
  readonly mx: Status
  readonly address: Status
  readonly tlsa: Status
  readonly certificate: string
  readonly action: string
  readonly reason: string
}

export async function tableRows(port: number, authority: Authority): Promise<readonly Row[]> {
  return Promise.all(readTable().map((row, index) => tableRow(row, index, port, authority)))
}

export function readTable(): readonly TableRow[] {
  const text = readFileSync(path.join(ROOT, 'lab/decision-table.csv'), 'utf8')
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [source = '', policy, mx, address, tlsa, certificate = '', action = '', reason = ''] =
        line.split(',')
      if (policy !== 'mandatory' && policy !== 'opportunistic') throw new Error(`policy: ${line}`)
      const [a, b, c] = [mx, address, tlsa].map((word) => toStatus(word, line))
      if (a === undefined || b === undefined || c === undefined) throw new Error(line)
      return { source, policy, mx: a, address: b, tlsa: c, certificate, action, reason }
    })
}

async function tableRow(
  row: TableRow,
  index: number,
  port: number,
  authority: Authority,
): Promise<Row> {
  const id = `${row.source}-${String(index + 1).padStart(2, '0')}`
  // There are three kinds of bogus, used in turn.
  const broken = [PLACE.expired, PLACE.noDnskey, PLACE.signed][index % 3] ?? PLACE.expired
  const mxPlace = placeOf(row.mx, broken)
  const hostPlace = placeOf(row.address, broken)
  const domain = `${id}.${mxPlace}`
  const host = `mx-${id}.${hostPlace}`
  const owner = `_${port}._tcp.${host}`
  const leaf = await authority.issue(host)
  const shown = row.certificate === 'match' ? leaf : await authority.issue(host)

  const damaged: string[] = []
  if (row.mx === 'bogus' && broken === PLACE.signed) damaged.push(`${domain} MX`)
  if (row.address === 'bogus' && broken === PLACE.signed) damaged.push(`${host} A`)
  const records = [`${domain}. MX 10 ${host}.`, `${host}. A @ADDRESS:${host}@`]
  switch (row.tlsa) {
    case 'secure':
      records.push(`${owner}. TLSA ${tlsaFor(3, 1, 1, leaf)}`)
      break
    case 'insecure':
      // A signed alias into an unsigned zone.
      records.push(
        `${owner}. CNAME tlsa-${id}.${PLACE.unsigned}.`,
        `tlsa-${id}.${PLACE.unsigned}. TLSA ${tlsaFor(3, 1, 1, leaf)}`,
      )
      break
    case 'bogus':
      if (broken === PLACE.signed) {
        records.push(`${owner}. TLSA ${tlsaFor(3, 1, 1, leaf)}`)
        damaged.push(`${owner} TLSA`)
      } else {
        records.push(
          `${owner}. CNAME tlsa-${id}.${broken}.`,
          `tlsa-${id}.${broken}. TLSA ${tlsaFor(3, 1, 1, leaf)}`,
        )
      }
      break
    case 'nxdomain':
    case '-':
      break
  }
  return {
    id,
    domain,
    policy: row.policy,
    insecureMx: row.source === 'esa' ? 'may' : 'dane',
    shown: { mx: row.mx, address: row.address, tlsa: row.tlsa, certificate: row.certificate },
    hosts: [{ name: host, chain: { leaf: shown, others: [authority.ca] } }],
    records,
    damaged,
    wanted: toWanted(row),
  }
}

function placeOf(status: Status, broken: string): string {
  if (status === 'bogus') return broken
  return status === 'insecure' ? PLACE.unsigned : PLACE.signed
}

function toWanted({ action, reason }: TableRow): Wanted {
  switch (action) {
    case 'verified':
      return { action }
    case 'fallback':
      return { action }
    case 'defer':
      return reason === '' ? { action } : { action, reason }
    default:
      throw new Error(`action ${action}`)
  }
}

function toStatus(word: string | undefined, line: string): Status {
  switch (word) {
    case 'secure':
    case 'insecure':
    case 'bogus':
    case 'nxdomain':
    case '-':
      return word
    default:
      throw new Error(`status ${String(word)}: ${line}`)
  }
}
