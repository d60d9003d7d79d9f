/**
 * The state of resolvers and Redis: in one process, and in all of them.
 *
 * A resolver is as bad as in the process where it is worst; one that a process has not
 * used yet says nothing there. Pure.
 */
import type { LookupEvent } from '../lookup.js'
import { printable } from '../text.js'
import type { RedisStatus, ResolverStatus } from './status-model.js'

export type Health = {
  readonly resolvers: readonly ResolverStatus[]
  /** Undefined: no shared cache is configured. */
  readonly redis: RedisStatus | undefined
}

/** Of one process. */
export class HealthWatch {
  private readonly resolvers = new Map<string, ResolverStatus>()
  private readonly faults = new Map<'read' | 'write', string>()
  private hasRedis = false

  /** The settings at the start, or after a reload. */
  reset(servers: readonly string[], hasRedis: boolean): void {
    this.resolvers.clear()
    this.faults.clear()
    this.hasRedis = hasRedis
    for (const server of servers) {
      this.resolvers.set(server, { server, state: 'unknown', detail: '' })
    }
  }

  note(event: LookupEvent): void {
    if (event.kind === 'redis') {
      if (event.fault === undefined) this.faults.delete(event.what)
      else this.faults.set(event.what, printable(event.fault))
    }
    if (event.kind !== 'resolver' || !this.resolvers.has(event.server)) return
    const { server, result } = event
    const detail = 'detail' in result ? printable(result.detail) : ''
    this.resolvers.set(server, { server, state: result.kind, detail })
  }

  get health(): Health {
    const [fault] = this.faults.values()
    const redis: RedisStatus = {
      state: fault === undefined ? 'available' : 'unavailable',
      detail: fault ?? '',
    }
    return {
      resolvers: [...this.resolvers.values()],
      redis: this.hasRedis ? redis : undefined,
    }
  }
}

/** @param own of the process that puts the status together: its settings count */
export function mergeHealth(own: Health, others: readonly Health[]): Health {
  const all = [own, ...others]
  const resolvers = own.resolvers.map((resolver) => {
    const said = all.flatMap((health) =>
      health.resolvers.filter(({ server }) => server === resolver.server),
    )
    return said.reduce((worst, next) => (badness(next) > badness(worst) ? next : worst))
  })
  if (own.redis === undefined) return { resolvers, redis: undefined }
  const ill = all.find(({ redis }) => redis?.state === 'unavailable')
  return { resolvers, redis: ill?.redis ?? own.redis }
}

function badness({ state }: ResolverStatus): number {
  return BAD.indexOf(state)
}

const BAD: readonly ResolverStatus['state'][] = [
  'unknown',
  'validating',
  'passing',
  'failing',
  'unusable',
  'not-validating',
]
