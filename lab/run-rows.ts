/**
 * Sends one message for each row and checks the outcome.
 *
 * Two Harakas, one for each insecure_mx, several messages at a time; Haraka's log and
 * the mail hosts' own records are compared with the expectation of the row. A laboratory
 * can be used for several runs, one after the other.
 */
import type { HarakaOptions } from './haraka.js'
import { judge, recipientOf } from './judge.js'
import type { Laboratory } from './laboratory.js'
import type { Row } from './rows.js'

export type Result = {
  readonly row: Row
  readonly milliseconds: number
  readonly happened: string
  /** Empty if everything is as expected. */
  readonly complaints: readonly string[]
}

export async function runRows(
  laboratory: Laboratory,
  rows: readonly Row[],
  options: Partial<HarakaOptions> = {},
  progress: (done: number, all: number) => void = () => undefined,
): Promise<readonly Result[]> {
  // An earlier run on the same laboratory is not part of this one.
  for (const host of laboratory.hosts.values()) host.forget()
  const [dane, may] = await Promise.all([
    laboratory.startRelay('dane', options),
    laboratory.startRelay('may', options),
  ])
  let done = 0
  const results = await inGroups(rows, 8, async (row) => {
    const relay = row.insecureMx === 'may' ? may : dane
    const sentAt = Date.now()
    const id = await relay.submit(recipientOf(row))
    const outcome = await relay.outcomeOf(id)
    const milliseconds = Date.now() - sentAt
    // A host's record is complete when the session ends; QUIT is still in flight.
    await new Promise((resolve) => setTimeout(resolve, 50))
    progress(++done, rows.length)
    return { row, milliseconds, ...judge(row, outcome, id, relay, laboratory) }
  })
  await Promise.all([dane.stop(), may.stop()])
  return results
}

async function inGroups<T, R>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const queue = [...items.entries()]
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, item] = next
      results[index] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: size }, worker))
  return results
}
