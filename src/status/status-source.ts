/** Where the page, the JSON and the command get the status. Plain type. */
import type { DestinationDetail } from './destination-detail.js'
import type { StatusModel, StatusQuery } from './status-model.js'

/** Both reject with an Error whose text is for people. */
export type StatusSource = {
  readonly currentStatus: (query: StatusQuery) => Promise<StatusModel>
  /** @param domain as typed; undefined: nothing is known of it, and nothing waits for it */
  readonly destination: (domain: string) => Promise<DestinationDetail | undefined>
}
