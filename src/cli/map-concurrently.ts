/**
 * Maps an async iterable with bounded concurrency; yields results as they finish.
 *
 * Takes the next item from the source only when there is room for it: never more than
 * `most` are in flight, whatever the source holds. A source or a mapper that fails ends
 * the iteration.
 */
export async function* mapConcurrently<T, R>(
  source: AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const items = source[Symbol.asyncIterator]()
  const inFlight = new Map<number, Promise<Event<T, R>>>()
  let count = 0
  let isReading = false
  let isAtEnd = false
  for (;;) {
    if (!isAtEnd && !isReading && inFlight.size < most) {
      isReading = true
      inFlight.set(
        SOURCE,
        items.next().then((next) => ({ kind: 'next', next })),
      )
    }
    if (inFlight.size === 0) return
    const event = await Promise.race(inFlight.values())
    if (event.kind === 'done') {
      inFlight.delete(event.key)
      yield event.result
      continue
    }
    inFlight.delete(SOURCE)
    isReading = false
    if (event.next.done === true) isAtEnd = true
    else {
      const key = count++
      inFlight.set(
        key,
        work(event.next.value).then((result) => ({ kind: 'done', key, result })),
      )
    }
  }
}

type Event<T, R> =
  | { readonly kind: 'next'; readonly next: IteratorResult<T, unknown> }
  | { readonly kind: 'done'; readonly key: number; readonly result: R }

/** The key of the pending read from the source; items have keys from 0 on. */
const SOURCE = -1
