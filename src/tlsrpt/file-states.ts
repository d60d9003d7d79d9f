/**
 * The states of a day's reports, in one file that all processes of a machine append to.
 *
 * Each line is a step of one report: its number, who made it, until when it is held, the
 * state. Of several lines with the same number the first one in the file counts, so that
 * one process at most makes each step, as with compare-and-swap: a process appends its
 * line, then reads whether it was the first. A claim whose lease has ended is followed by
 * another process's step, and the earlier holder's next one comes too late.
 *
 * Promises: a step that has been made is on the disk. Limits: appends must be atomic, so
 * local file systems only. Effects: one file for each day.
 */
import { mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { FILE_MODE, FOLDER_MODE, ifThere } from './file-counts.js'
import { NO_STEP } from './claims.js'
import type { Step } from './claims.js'
import { composeState, parseState } from './state-text.js'

export class StatesFile {
  private readonly steps = new Map<DomainName, Step>()
  /** Octets that were read. */
  private offset = 0
  private readonly folder: string
  /** One operation at a time. */
  private last: Promise<unknown> = Promise.resolve()

  constructor(folder: string) {
    this.folder = folder
  }

  current(domain: DomainName): Promise<Step> {
    return this.inTurn(async () => {
      await this.refresh()
      return this.stepOf(domain)
    })
  }

  /**
   * Makes the step that `next` chooses after the current one; undefined: none, or another
   * process was first.
   */
  advance(
    domain: DomainName,
    next: (current: Step) => Omit<Step, 'number'> | undefined,
  ): Promise<Step | undefined> {
    return this.inTurn(async () => {
      await this.refresh()
      const current = this.stepOf(domain)
      const chosen = next(current)
      if (chosen === undefined) return undefined
      const step = { ...chosen, number: current.number + 1 }
      await this.append(composeStep(domain, step))
      await this.refresh()
      const made = this.stepOf(domain)
      return made.token === step.token && made.number === step.number ? made : undefined
    })
  }

  private stepOf(domain: DomainName): Step {
    return this.steps.get(domain) ?? NO_STEP
  }

  private async append(line: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: FOLDER_MODE })
    const file = await open(this.file, 'a', FILE_MODE)
    try {
      // A line that an earlier process could not finish must not become part of this one.
      await file.appendFile(`\n${line}\n`, 'latin1')
      await file.sync()
    } finally {
      await file.close()
    }
  }

  private async refresh(): Promise<void> {
    const file = await ifThere(open(this.file, 'r'), undefined)
    if (file === undefined) return
    try {
      const { size } = await file.stat()
      const bytes = Buffer.alloc(Math.max(0, size - this.offset))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.offset)
      const end = bytes.subarray(0, bytesRead).lastIndexOf(LINE_END) + 1
      for (const line of bytes.toString('latin1', 0, end).split('\n')) this.take(line)
      this.offset += end
    } finally {
      await file.close()
    }
  }

  private take(line: string): void {
    const parsed = parseStep(line)
    if (parsed === undefined) return
    const { domain, step } = parsed
    if (step.number === this.stepOf(domain).number + 1) this.steps.set(domain, step)
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work, work)
    this.last = mine
    return mine
  }

  private get file(): string {
    return path.join(this.folder, 'states')
  }
}

function composeStep(domain: DomainName, { number, token, heldUntil, state }: Step): string {
  return `${domain} ${number} ${token} ${heldUntil} ${composeState(state)}`
}

function parseStep(line: string): { readonly domain: DomainName; readonly step: Step } | undefined {
  const [, host = '', digits, token = '', held, text = ''] =
    /^([^ ]+) (\d{1,9}) ([A-Za-z0-9]+) (\d{1,16}) (.+)$/.exec(line) ?? []
  const domain = parseDomainName(host)
  const state = parseState(text)
  if (domain === undefined || state === undefined) return undefined
  return { domain, step: { number: Number(digits), token, heldUntil: Number(held), state } }
}

const LINE_END = 0x0a
