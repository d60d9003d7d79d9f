/**
 * Counts in files: one writer for each process and day, any number of readers.
 *
 * A file has lines that name counters (`+ID DOMAIN POLICY DETAIL`) and lines with their
 * totals (`=ID:SESSIONS ID:SESSIONS`), of which the last one counts. Nothing is changed in
 * place. When totals fill a file, or a write has failed, everything goes to the next
 * generation, which replaces the previous one as a whole; readers take the highest.
 *
 * Promises: what one write has written survives the end of the process; a line without its
 * end is ignored; nothing counts twice, since a total replaces the earlier one. Limits: a
 * power failure can take what the system had not written to the disk yet; local file
 * systems only. Effects: files.
 */
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import type { Tally } from './counts.js'
import { parseUtcDay } from './day.js'
import type { UtcDay } from './day.js'
import { counterText, detailText, parseCounter, policyText } from './tally-text.js'

type Total = { readonly id: number; sessions: number }

/** The files of one process and day. */
export class CountsFile {
  /** By domain, policy and detail. */
  private readonly totals = new Map<string, Total>()
  private generation = -1
  /** Octets of the file of this generation; undefined: it cannot be appended to. */
  private size: number | undefined
  private baseSize = 0
  private readonly folder: string
  private readonly writer: string

  /** @param writer letters and digits, of this process alone */
  constructor(folder: string, writer: string) {
    this.folder = folder
    this.writer = writer
  }

  /** Rejects if the disk fails; then the next call writes everything again. */
  async add(tallies: readonly Tally[]): Promise<void> {
    const added: string[] = []
    const changed: string[] = []
    for (const tally of tallies) {
      const text = textOf(tally)
      let total = this.totals.get(text)
      if (total === undefined) {
        total = { id: this.totals.size, sessions: 0 }
        this.totals.set(text, total)
        added.push(`+${total.id} ${text}\n`)
      }
      total.sessions = tally.sessions
      changed.push(`${total.id}:${total.sessions}`)
    }
    const { size } = this
    if (size === undefined || size > Math.max(MIN_REPLACED, this.baseSize * 3)) {
      await this.replace()
      return
    }
    const lines = Buffer.from(`${added.join('')}${totalsLine(changed)}`, 'latin1')
    this.size = undefined
    await appendFile(this.fileOf(this.generation), lines, { mode: FILE_MODE })
    this.size = size + lines.length
  }

  /** Writes the next generation, then removes the earlier one. */
  private async replace(): Promise<void> {
    const lines: string[] = []
    const totals: string[] = []
    for (const [text, { id, sessions }] of this.totals) {
      lines.push(`+${id} ${text}\n`)
      totals.push(`${id}:${sessions}`)
    }
    const contents = Buffer.from(`${lines.join('')}${totalsLine(totals)}`, 'latin1')
    const next = this.generation + 1
    const file = this.fileOf(next)
    await mkdir(this.folder, { recursive: true, mode: FOLDER_MODE })
    await writeFile(`${file}.tmp`, contents, { mode: FILE_MODE })
    await rename(`${file}.tmp`, file)
    if (this.generation >= 0) await rm(this.fileOf(this.generation), { force: true })
    this.generation = next
    this.size = contents.length
    this.baseSize = contents.length
  }

  private fileOf(generation: number): string {
    return path.join(this.folder, `counts-${this.writer}.${generation}`)
  }
}

/** Reads what all processes have counted, again only where files have changed. */
export class CountsReader {
  private day: UtcDay | undefined
  private signature = ''
  private tallies = new Map<DomainName, Tally[]>()
  private readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  async days(): Promise<readonly UtcDay[]> {
    const names = await listOf(this.folder)
    const days: UtcDay[] = []
    for (const name of names.toSorted()) {
      const day = parseUtcDay(name)
      if (day === undefined) continue
      if (newestFiles(await listOf(path.join(this.folder, day))).length > 0) days.push(day)
    }
    return days
  }

  /** The counters of a day by domain; those of several processes are not summed. */
  async read(day: UtcDay): Promise<ReadonlyMap<DomainName, readonly Tally[]>> {
    const folder = path.join(this.folder, day)
    const files = newestFiles(await listOf(folder)).map((name) => path.join(folder, name))
    const sizes = await Promise.all(files.map(sizeOf))
    const signature = JSON.stringify([files, sizes])
    if (day === this.day && signature === this.signature) return this.tallies
    const tallies = new Map<DomainName, Tally[]>()
    for (const file of files) {
      for (const tally of await readTallies(day, file)) {
        const known = tallies.get(tally.domain)
        if (known) known.push(tally)
        else tallies.set(tally.domain, [tally])
      }
    }
    this.day = day
    this.signature = signature
    this.tallies = tallies
    return tallies
  }
}

/** Of each process the file of its highest generation. */
function newestFiles(names: readonly string[]): readonly string[] {
  const newest = new Map<string, number>()
  for (const name of names) {
    const [, writer, digits] = /^counts-([A-Za-z0-9]+)\.(\d{1,9})$/.exec(name) ?? []
    if (writer === undefined) continue
    newest.set(writer, Math.max(newest.get(writer) ?? 0, Number(digits)))
  }
  return [...newest].map(([writer, generation]) => `counts-${writer}.${generation}`).toSorted()
}

async function readTallies(day: UtcDay, file: string): Promise<readonly Tally[]> {
  const contents = await ifThere(readFile(file, 'latin1'), '')
  const counters = new Map<number, Omit<Tally, 'sessions'>>()
  const totals = new Map<number, number>()
  // What follows the last line end was not written whole.
  for (const line of contents.slice(0, contents.lastIndexOf('\n') + 1).split('\n')) {
    if (line.startsWith('+')) {
      const [, digits = '', text = ''] = /^\+(\d{1,9}) (.+)$/.exec(line) ?? []
      const [host = '', ...rest] = text.split('\t')
      const domain = parseDomainName(host)
      const counter = parseCounter(rest.join('\t'))
      if (domain && counter) counters.set(Number(digits), { day, domain, ...counter })
    }
    if (!line.startsWith('=')) continue
    for (const [, id, sessions] of line.matchAll(/(\d{1,9}):(\d{1,15})/g)) {
      totals.set(Number(id), Number(sessions))
    }
  }
  return [...counters].flatMap(([id, counter]) => {
    const sessions = totals.get(id) ?? 0
    return sessions > 0 ? [{ ...counter, sessions }] : []
  })
}

function textOf({ domain, policy, detail }: Tally): string {
  return `${domain}\t${counterText(policyText(policy), detailText(detail))}`
}

function totalsLine(totals: readonly string[]): string {
  return totals.length === 0 ? '' : `=${totals.join(' ')}\n`
}

/** Names in a folder; none if it does not exist. */
export function listOf(folder: string): Promise<readonly string[]> {
  return ifThere<readonly string[]>(readdir(folder), [])
}

async function sizeOf(file: string): Promise<number> {
  const found = await ifThere(stat(file), undefined)
  return found?.size ?? 0
}

/** The value, or another one where there is no such file. */
export async function ifThere<T>(found: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await found
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise
    throw error
  }
}

/** Counts name destinations: for Haraka's user only. */
export const FILE_MODE = 0o600
export const FOLDER_MODE = 0o700
/** Octets of a file before it is replaced by one without earlier totals. */
const MIN_REPLACED = 4 * 1024 * 1024
