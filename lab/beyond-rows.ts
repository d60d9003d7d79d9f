/**
 * Reads beyond-rows.txt: the cases of the laboratory that the gateways' tables do not have.
 *
 * A row is a heading with its id, what the DNS holds, the hosts, and the expected outcome:
 *
 *     == ta-expired
 *     shown certificate = 2 1 1, leaf expired
 *     certificate leaf mx expired
 *     host mx certificate=leaf
 *     domain         MX    10 mx
 *     mx             A     host
 *     _port._tcp.mx  TLSA  2 1 1 ca
 *     > defer server certificate not trusted (certificate-expired)
 *
 * Names: `domain` is ID.signed.example, another single label such as `mx` is
 * mx-ID.signed.example, `mx@unsigned` is mx-ID in that zone of PLACE, and a name that
 * ends with a dot is taken as written. `port` is the SMTP port, `A host` the address of
 * the row's host of that name. TLSA data is `USAGE SELECTOR MATCHING-TYPE` and the name
 * of a certificate, or hexadecimal; several records are separated by commas.
 *
 * Every host has a certificate of its own name, issued by the certificate `ca`, which it
 * sends too. Words after the host's name change that: `certificate=NAME`, `without-ca`,
 * `sni=HOST:CERTIFICATE`, `ipv6`, `down`, or a misbehavior of mx-dialog.ts. The line
 * `certificate NAME HOST` adds one, `expired` or `self-signed`. Further lines:
 * `policy POLICY`, `place PLACE`, `damaged HOST TYPE` (broken signature), and `shown`,
 * the columns of the demo's table that are not `secure` and `match`.
 *
 * An error names the line. Names of certificates are checked when they are minted.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { POLICIES } from '../src/policy.js'
import { mint, tlsaFor } from './certificates.js'
import type { Minted } from './certificates.js'
import { MISBEHAVIORS } from './mx-dialog.js'
import { ROOT } from './root.js'
import { PLACE } from './rows.js'
import type { Authority, Row, RowHost, Wanted } from './rows.js'

type Line = { readonly number: number; readonly keyword: string; readonly words: readonly string[] }
type Draft = { readonly id: string; readonly lines: Line[] }

const FILE = 'lab/beyond-rows.txt'
const COLUMNS = ['mx', 'address', 'tlsa', 'certificate'] as const
const EXPIRED = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') }

export async function beyondRows(port: number, authority: Authority): Promise<readonly Row[]> {
  const drafts = readDrafts(readFileSync(path.join(ROOT, FILE), 'utf8'))
  return Promise.all(drafts.map((draft) => new RowBuilder(draft, port, authority).build()))
}

function readDrafts(text: string): readonly Draft[] {
  const drafts: Draft[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const [keyword = '', ...words] = line.trim().split(/\s+/)
    if (keyword === '' || keyword.startsWith('#')) continue
    if (keyword === '==') drafts.push({ id: words.join(' '), lines: [] })
    else drafts.at(-1)?.lines.push({ number: index + 1, keyword, words })
  }
  return drafts
}

class RowBuilder {
  readonly #draft: Draft
  readonly #port: number
  readonly #authority: Authority
  readonly #certificates: Map<string, Minted>

  constructor(draft: Draft, port: number, authority: Authority) {
    this.#draft = draft
    this.#port = port
    this.#authority = authority
    this.#certificates = new Map([['ca', authority.ca]])
  }

  async build(): Promise<Row> {
    const { id, lines } = this.#draft
    const hosts: RowHost[] = []
    const records: string[] = []
    const damaged: string[] = []
    let row: Omit<Row, 'hosts' | 'records' | 'damaged' | 'wanted'> = {
      id,
      domain: this.#name('domain'),
      policy: 'opportunistic',
      insecureMx: 'dane',
      shown: { mx: 'secure', address: 'secure', tlsa: 'secure', certificate: 'match' },
    }
    let wanted: Wanted | undefined
    for (const line of lines) {
      const { keyword, words } = line
      const [first = '', second = ''] = words
      try {
        if (keyword === 'shown') row = { ...row, shown: readShown(words.join(' '), row.shown) }
        else if (keyword === 'policy') row = { ...row, policy: oneOf(POLICIES, first) }
        else if (keyword === 'place') row = { ...row, domain: `${id}.${placeOf(first)}` }
        else if (keyword === 'certificate') await this.#mint(words)
        else if (keyword === 'host') hosts.push(await this.#host(words))
        else if (keyword === 'damaged') damaged.push(`${this.#name(first)} ${second}`)
        else if (keyword === '>') wanted = readWanted(words)
        else records.push(...this.#records(keyword, words))
      } catch (error) {
        throw new Error(`${FILE}:${line.number}: ${String(error)}`, { cause: error })
      }
    }
    if (wanted === undefined) throw new Error(`${FILE}: row ${id} has no expected outcome`)
    return { ...row, hosts, records, damaged, wanted }
  }

  /** As the names of the file are explained above, without the final dot. */
  #name(word: string): string {
    if (word.endsWith('.')) return word.slice(0, -1)
    if (word.startsWith('_port._tcp.')) {
      return `_${this.#port}._tcp.${this.#name(word.slice('_port._tcp.'.length))}`
    }
    const [label = '', place = 'signed'] = word.split('@')
    const start = label === 'domain' ? this.#draft.id : `${label}-${this.#draft.id}`
    return `${start}.${placeOf(place)}`
  }

  async #mint([label = '', owner = '', kind]: readonly string[]): Promise<void> {
    const name = this.#name(owner)
    const issuer = kind === 'self-signed' ? {} : { issuer: this.#authority.ca }
    const validity = kind === 'expired' ? EXPIRED : {}
    const minted = await mint({ subject: `CN=${name}`, names: [name], ...issuer, ...validity })
    this.#certificates.set(label, minted)
  }

  async #host([label = '', ...words]: readonly string[]): Promise<RowHost> {
    if (!words.some((word) => word.startsWith('certificate='))) await this.#mint([label, label])
    let leaf = label
    let others = [this.#authority.ca]
    let more: Partial<RowHost> = {}
    for (const word of words) {
      const [keyword = '', value = ''] = word.split('=')
      if (keyword === 'certificate') leaf = value
      else if (keyword === 'sni') {
        const [owner = '', certificate = ''] = value.split(':')
        const chain = { leaf: this.#certificate(certificate) }
        more = { ...more, chainsByName: new Map([[this.#name(owner), chain]]) }
      } else if (keyword === 'without-ca') others = []
      else if (keyword === 'ipv6') more = { ...more, isIpv6: true }
      else if (keyword === 'down') more = { ...more, isDown: true }
      else more = { ...more, misbehavior: oneOf(MISBEHAVIORS, word) }
    }
    return { name: this.#name(label), chain: { leaf: this.#certificate(leaf), others }, ...more }
  }

  /** Zone-file lines, as rows.ts has them. */
  #records(owner: string, [type = '', ...words]: readonly string[]): readonly string[] {
    const name = this.#name(owner)
    const [first = '', second = ''] = words
    switch (type) {
      case 'MX':
        return [`${name}. MX ${first} ${second === '.' ? '.' : `${this.#name(second)}.`}`]
      case 'CNAME':
        return [`${name}. CNAME ${this.#name(first)}.`]
      case 'A':
        return [`${name}. A ${first === 'host' ? `@ADDRESS:${name}@` : first}`]
      case 'AAAA':
        return [`${name}. AAAA ${first}`]
      case 'TLSA':
        return words
          .join(' ')
          .split(',')
          .map((data) => `${name}. TLSA ${this.#tlsa(data.trim())}`)
      default:
        throw new Error(`type ${type}`)
    }
  }

  #tlsa(text: string): string {
    const [usage, selector, matchingType, data = ''] = text.split(' ')
    const isData = !this.#certificates.has(data) && /^([0-9a-f]{2})+$/.test(data)
    if (isData) return text
    const parameters = [usage, selector, matchingType].map(Number)
    const [a = NaN, b = NaN, c = NaN] = parameters
    return tlsaFor(a, b, c, this.#certificate(data))
  }

  #certificate(label: string): Minted {
    const known = this.#certificates.get(label)
    if (known === undefined) throw new Error(`certificate ${label}`)
    return known
  }
}

function readShown(text: string, defaults: Row['shown']): Row['shown'] {
  const shown: Record<(typeof COLUMNS)[number], string> = { ...defaults }
  for (const cell of text.split(';')) {
    const [column = '', value = ''] = cell.split('=').map((part) => part.trim())
    shown[oneOf(COLUMNS, column)] = value
  }
  return shown
}

function readWanted([action = '', ...words]: readonly string[]): Wanted {
  const text = words.join(' ')
  switch (action) {
    case 'verified':
      return { action }
    case 'fallback':
      return text === '' ? { action } : { action, isEncrypted: isEncrypted(text) }
    case 'defer':
    case 'bounce':
      return { action, reason: text }
    default:
      throw new Error(`outcome ${action}`)
  }
}

function isEncrypted(text: string): boolean {
  return oneOf(['encrypted', 'clear'], text) === 'encrypted'
}

function placeOf(word: string): string {
  const found = Object.entries(PLACE).find(([place]) => place === word)
  if (found === undefined) throw new Error(`place ${word}`)
  return found[1]
}

function oneOf<T extends string>(known: readonly T[], word: string): T {
  const found = known.find((each) => each === word)
  if (found === undefined) throw new Error(`${word} is not one of ${known.join(', ')}`)
  return found
}
