/** How do tests show what a verdict costs? */
import type { TestContext } from 'node:test'
import type { PeerChain } from '../../src/verdict.js'
import { judge, word } from './chains.js'

/** Time is never asserted, but a hang is a failure. */
export const PATIENCE = { timeout: 30_000 }

/** The verdict in a word, its cost as a remark. */
export function verdict(
  context: TestContext,
  records: readonly string[],
  presented: PeerChain,
): string {
  const memory = process.memoryUsage().rss
  const startedAt = performance.now()
  const found = word(judge(records, presented))
  const milliseconds = Math.round(performance.now() - startedAt)
  const megabytes = Math.round((process.memoryUsage().rss - memory) / 1e6)
  context.diagnostic(`${milliseconds} ms, ${megabytes} MB more`)
  return found
}
