/** Measures the cost of a verdict. */
import type { TestContext } from 'node:test'
import type { PeerChain } from '../../src/verdict.js'
import { judge, word } from './chains.js'

/** Turns a hang into a failure. */
export const PATIENCE = { timeout: 300_000 }

/** CPU time, because wall-clock time depends on other processes. */
export function cpuMilliseconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The verdict in a word; its cost is added as a diagnostic. */
export function verdict(
  context: TestContext,
  records: readonly string[],
  presented: PeerChain,
): string {
  const memory = process.memoryUsage().rss
  let found = ''
  const milliseconds = cpuMilliseconds(() => {
    found = word(judge(records, presented))
  })
  const megabytes = Math.round((process.memoryUsage().rss - memory) / 1e6)
  context.diagnostic(`${milliseconds.toFixed(1)} ms, ${megabytes} MB more`)
  return found
}
