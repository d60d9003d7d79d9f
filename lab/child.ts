/**
 * How does the laboratory run a server, and get rid of it?
 *
 * A child process with its output kept, stopped by whoever started it and, if that
 * process dies first, by its exit. Nothing outlives the laboratory.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

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
  /** Takes the output in place of this process's memory. */
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

/** Runs a program to its end and returns what it printed; rejects if it fails. */
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

/** Waits until `isReady` says so; rejects after `timeoutMs`, or if `child` ends before. */
export async function until(
  what: string,
  isReady: () => boolean | Promise<boolean>,
  { timeoutMs = 15_000, child }: { timeoutMs?: number; child?: Child } = {},
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

/** A TCP port that is free on this address now. */
export function freePort(address = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => {
        if (bound === null || typeof bound === 'string') reject(new Error('no port'))
        else resolve(bound.port)
      })
    })
  })
}
