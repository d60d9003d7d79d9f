/** The types of a figure of the bench. */
import type { World } from './world.js'

export type Size = {
  /** Runs of each rival, in turn. */
  readonly pairs: number
  /** Messages of one run. */
  readonly messages: number
  /** Plans, handshakes and verifications timed in one run. */
  readonly samples: number
  /** Number of destinations with which a cache is filled. */
  readonly destinations: readonly number[]
}

export type Bench = {
  readonly world: World
  readonly size: Size
  /** A folder for CPU profiles, if requested. */
  readonly profiles: string | undefined
  /** Reports progress. */
  readonly note: (text: string) => void
}

export type Figure = {
  /** For JSON. */
  readonly data: unknown
  readonly text: string
}
