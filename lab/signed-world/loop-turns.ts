/** Measures the longest turn of the event loop while something runs. */
import { performance } from 'node:perf_hooks'

export type LongestTurn = {
  /** Milliseconds of CPU time of this process: what the work took, not the machine. */
  readonly cpuMs: number
  /** Milliseconds that passed. */
  readonly wallMs: number
}

export async function longestTurn<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly turn: LongestTurn; readonly totalMs: number }> {
  const longest = { cpuMs: 0, wallMs: 0 }
  let isRunning = true
  let before = sample()
  const tick = (): void => {
    const after = sample()
    longest.cpuMs = Math.max(longest.cpuMs, after.cpuMs - before.cpuMs)
    longest.wallMs = Math.max(longest.wallMs, after.wallMs - before.wallMs)
    before = after
    if (isRunning) setImmediate(tick)
  }
  setImmediate(tick)
  const start = sample()
  try {
    const result = await work()
    await new Promise((resolve) => setImmediate(resolve))
    return { result, turn: longest, totalMs: sample().cpuMs - start.cpuMs }
  } finally {
    isRunning = false
  }
}

function sample(): LongestTurn {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() }
}
