/** What is a figure of the bench made of? Types only. */
import type { World } from './world.js'

export type Size = {
  /** Runs of each rival, in turn. */
  readonly pairs: number
  /** Messages of one run. */
  readonly messages: number
  /** Plans, handshakes and verifications timed in one run. */
  readonly samples: number
  /** Destinations that a cache is filled with. */
  readonly destinations: readonly number[]
}

export type Bench = {
  readonly world: World
  readonly size: Size
  /** A folder for CPU profiles, if any are wanted. */
  readonly profiles: string | undefined
  /** For whoever waits. */
  readonly note: (text: string) => void
}

export type Figure = {
  /** For JSON. */
  readonly data: unknown
  readonly text: string
}
