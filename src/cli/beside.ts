/**
 * How is each of many things worked on, some beside each other, without all being held?
 *
 * Takes the next one from its source only when there is room for it, and hands results
 * out as they come. What is underway is never more than `most`, whatever the source
 * holds. A source or a work that fails ends it all.
 */
export async function* beside<T, R>(
  source: AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const items = source[Symbol.asyncIterator]()
  const underway = new Map<number, Promise<Event<T, R>>>()
  let count = 0
  let isAsking = false
  let isAtEnd = false
  for (;;) {
    if (!isAtEnd && !isAsking && underway.size < most) {
      isAsking = true
      underway.set(
        SOURCE,
        items.next().then((next) => ({ kind: 'next', next })),
      )
    }
    if (underway.size === 0) return
    const event = await Promise.race(underway.values())
    if (event.kind === 'done') {
      underway.delete(event.key)
      yield event.result
      continue
    }
    underway.delete(SOURCE)
    isAsking = false
    if (event.next.done === true) isAtEnd = true
    else {
      const key = count++
      underway.set(
        key,
        work(event.next.value).then((result) => ({ kind: 'done', key, result })),
      )
    }
  }
}

type Event<T, R> =
  | { readonly kind: 'next'; readonly next: IteratorResult<T, unknown> }
  | { readonly kind: 'done'; readonly key: number; readonly result: R }

/** The key of the question for the next one; works have their own from 0 on. */
const SOURCE = -1
