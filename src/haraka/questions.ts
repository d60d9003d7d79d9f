/**
 * Questions to another process: each has one answer, or none in time.
 *
 * An answer that arrives late, twice or with an unknown number is ignored. The messages
 * themselves are the caller's.
 */
import { schedule } from './worker-messages.js'

export class Questions {
  private asked = 0
  private readonly open = new Map<number, (answer: unknown) => void>()

  /**
   * @param send sends the question with this number
   * @returns the answer; undefined if there is none in time
   */
  async ask(send: (id: number) => void, patienceMs: number): Promise<unknown> {
    const id = ++this.asked
    try {
      return await new Promise<unknown>((resolve) => {
        const cancel = schedule(patienceMs, () => {
          resolve(undefined)
        })
        this.open.set(id, (answer) => {
          cancel()
          resolve(answer)
        })
        try {
          send(id)
        } catch {
          // The other process has just ended.
          cancel()
          resolve(undefined)
        }
      })
    } finally {
      this.open.delete(id)
    }
  }

  /** @param id as it came with the answer */
  answer(id: unknown, answer: unknown): void {
    if (typeof id === 'number') this.open.get(id)?.(answer)
  }
}
