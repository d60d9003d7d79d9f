/**
 * Runs a server of the laboratory as a child process.
 *
 * Its output is kept. It is stopped by the code that started it and, if this
 * process ends first, on its exit. Nothing outlives the laboratory.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

export type Child = {
  readonly pid: number
  /** Everything written to stdout and stderr so far. */
  readonly output: () => string
  readonly isRunning: () => boolean
  readonly signal: (name: NodeJS.Signals) => void
  /** Ends the process, by force after five seconds. */
  readonly stop: () => Promise<void>
  readonly exited: Promise<number | null>
}

export type ChildOptions = {
  readonly cwd?: string
  readonly env?: Record<string, string>
  /** Receives the output instead of this process's memory. */
  readonly outputFile?: string | undefined
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export function startChild(
  program: string,
  args: readonly string[],
  { cwd, env = {}, outputFile }: ChildOptions = {},
): Child {
  const sbin = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const output = outputFile === undefined ? 'pipe' : openSync(outputFile, 'a')
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, PATH: sbin, ...env },
    stdio: ['ignore', output, output],
  })
  if (typeof output === 'number') closeSync(output)
  running.add(child)
  const chunks: string[] = []
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  const exited = new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      chunks.push(String(error))
      running.delete(child)
      resolve(null)
    })
    child.on('close', (code) => {
      running.delete(child)
      resolve(code)
    })
  })
  return {
    pid: child.pid ?? 0,
    output: () =>
      (outputFile === undefined ? '' : readFileSync(outputFile, 'utf8')) + chunks.join(''),
    isRunning: () => running.has(child),
    signal: (name) => child.kill(name),
    exited,
    async stop() {
      if (!running.has(child)) return
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(force)
    },
  }
}

/** Runs a program to completion and returns its output; rejects if it fails. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options?: ChildOptions,
): Promise<string> {
  const child = startChild(program, args, options)
  const code = await child.exited
  if (code === 0) return child.output()
  throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}: ${child.output()}`)
}

/** Waits until `isReady` returns true; rejects after `timeoutMs`, or if `child` exits first. */
export async function until(
  what: string,
  isReady: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, child }: { timeoutMs?: number; child?: Child } = {},
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isReady())) {
    if (child && !child.isRunning()) throw new Error(`${what}: ended early: ${child.output()}`)
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs} ms${child ? `: ${child.output()}` : ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
