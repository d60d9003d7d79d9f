/**
 * Which keys has this process written lately?
 *
 * An entry may rest on zones or answers that a purge was to remove, if this process has
 * written it between the purge and its next read of the purge token. So the keys are
 * remembered until the token was read twice without a change: a write that happens during
 * a read is before the next one. Limit: beyond `MOST` keys between two reads the others
 * are not remembered; their entries end with their TTL. Pure.
 */
export type RecentWrites = {
  readonly note: (key: string) => void
  /** The token was read, and is the same. */
  readonly settle: () => void
  /** The keys, which are forgotten then. */
  readonly take: () => readonly string[]
}

export function createRecentWrites(): RecentWrites {
  let before = new Set<string>()
  let since = new Set<string>()
  return {
    note(key) {
      if (since.size < MOST) since.add(key)
    },
    settle() {
      before = since
      since = new Set()
    },
    take() {
      const keys = new Set([...before, ...since])
      before = new Set()
      since = new Set()
      return [...keys]
    },
  }
}

/** Between two reads, five seconds apart. */
const MOST = 10_000
