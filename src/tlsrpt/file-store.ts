/**
 * The store of a relay without Redis: files in a folder of Haraka.
 *
 * All workers of one Haraka come to one report. file-counts.ts has the counts, one writer
 * for each process; file-states.ts the states of reports and the claims. What senders
 * share has small files of its own. Effects: files.
 */
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createClaims } from './claims.js'
import type { Steps } from './claims.js'
import { sumOf } from './counter.js'
import type { Tally } from './counts.js'
import { parseUtcDay } from './day.js'
import type { UtcDay } from './day.js'
import { CountsFile, CountsReader, FILE_MODE, FOLDER_MODE, ifThere, listOf } from './file-counts.js'
import { StatesFile } from './file-states.js'
import type { ReportStore } from './store.js'

export type FileStoreParts = {
  /** Created when it is needed; for Haraka's user only. */
  readonly folder: string
  /** A name for this process that no other has, now or earlier: letters and digits. */
  readonly writer: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function createFileStore({ folder, writer, now }: FileStoreParts): ReportStore {
  const written = new Map<UtcDay, CountsFile>()
  const states = new Map<UtcDay, StatesFile>()
  const reader = new CountsReader(folder)
  const memo = createMemo(path.join(folder, 'memo'), now)

  const ofDay = <T>(all: Map<UtcDay, T>, day: UtcDay, make: (place: string) => T): T => {
    const known = all.get(day) ?? make(path.join(folder, day))
    all.set(day, known)
    return known
  }
  const statesOf = (day: UtcDay): StatesFile => ofDay(states, day, (place) => new StatesFile(place))
  const steps: Steps = {
    current: ({ day, domain }) => statesOf(day).current(domain),
    advance: ({ day, domain }, next) => statesOf(day).advance(domain, next),
  }
  const claims = createClaims(steps, writer, now)

  return {
    async add(tallies) {
      const byDay = new Map<UtcDay, Tally[]>()
      for (const tally of tallies) ofDay(byDay, tally.day, () => []).push(tally)
      for (const [day, those] of byDay) {
        await ofDay(written, day, (place) => new CountsFile(place, writer)).add(those)
      }
    },
    days: () => reader.days(),
    async domains(day) {
      return [...(await reader.read(day)).keys()].toSorted()
    },
    async read({ day, domain }) {
      const tallies = (await reader.read(day)).get(domain)
      return tallies && sumOf(day, domain, tallies)
    },
    ...claims,
    ...memo,
    async forget(before) {
      for (const name of await listOf(folder)) {
        const day = parseUtcDay(name)
        if (day === undefined || day >= before) continue
        written.delete(day)
        states.delete(day)
        await rm(path.join(folder, day), { recursive: true, force: true })
      }
      await memo.prune()
    },
    close() {
      // No file is open between two calls.
    },
  }
}

/** Values that senders share: a file for each, named by a digest of its name. */
function createMemo(folder: string, now: () => number) {
  const fileOf = (name: string, more = ''): string =>
    path.join(folder, createHash('sha256').update(name).digest('hex').slice(0, 32) + more)

  return {
    async recall(name: string): Promise<string | undefined> {
      const text = await ifThere(readFile(fileOf(name), 'utf8'), '')
      const [, until, value] = /^(\d{1,16}) (.*)$/s.exec(text) ?? []
      return until !== undefined && Number(until) > now() ? value : undefined
    },
    async remember(name: string, value: string, lifeMs: number): Promise<void> {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
      const file = fileOf(name)
      const until = Math.ceil(now() + lifeMs)
      const draft = `${file}.${process.pid}.tmp`
      await writeFile(draft, `${until} ${value}`, { mode: FILE_MODE })
      await rename(draft, file)
    },
    async tally(name: string, lifeMs: number): Promise<number> {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
      // An octet for each, appended: the length is the sum.
      const file = fileOf(name, `.${Math.floor(now() / lifeMs)}`)
      await appendFile(file, '.', { mode: FILE_MODE })
      return (await stat(file)).size
    },
    async prune(): Promise<void> {
      for (const name of await listOf(folder)) {
        const file = path.join(folder, name)
        const found = await ifThere(stat(file), undefined)
        if (found && now() - found.mtimeMs > MEMO_MS) await rm(file, { force: true })
      }
    },
  }
}

/** No value is remembered for longer. */
const MEMO_MS = 40 * 86_400_000
