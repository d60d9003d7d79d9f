/**
 * Notices when this machine reaches no mail host at all.
 *
 * One host without a connection says nothing; if the hosts of several domains have none,
 * the cause is probably here, such as a provider that blocks port 25. Pure.
 */
import type { Report } from './report.js'

export class Reach {
  private unreached = 0
  private reached = 0

  note({ hosts }: Report): void {
    const kinds = hosts.flatMap(({ addresses }) =>
      addresses.flatMap(({ connection }) => {
        if (connection.kind === 'not-tried') return []
        if (connection.kind === 'no-route') return [false]
        return [connection.kind !== 'failed' || connection.reason !== 'connection-failed']
      }),
    )
    if (kinds.some((isReached) => isReached)) this.reached++
    else if (kinds.length > 0) this.unreached++
  }

  /** A hint for the operator; undefined if there is no sign of it. */
  hint(port: number): string | undefined {
    return this.reached === 0 && this.unreached > 1
      ? `None of the hosts of ${this.unreached} domains could be reached: does this network block ` +
          `outgoing connections to port ${port}? haraka-dane check --knock HOST:${port} tries one.`
      : undefined
  }
}
