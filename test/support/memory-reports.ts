/** A ReportStore in memory: several senders can share it, and each call can be made to fail. */
import type { DayCounts } from '../../src/tlsrpt/counts.js'
import type { Claim, ReportKey, ReportState, ReportStore } from '../../src/tlsrpt/store.js'

export type MemoryReports = ReportStore & {
  readonly put: (counts: DayCounts) => void
  /** Called before each operation; what it throws is what the store rejects with. */
  before: (operation: string) => void
}

export function memoryReports(now: () => number): MemoryReports {
  const counts = new Map<string, DayCounts>()
  const states = new Map<string, ReportState>()
  const claims = new Map<string, { fence: number; until: number }>()
  const values = new Map<string, { value: string; until: number }>()
  const sums = new Map<string, { sum: number; until: number }>()
  const nameOf = ({ day, domain }: ReportKey): string => `${day} ${domain}`
  const open: ReportState = { kind: 'open', notBefore: 0, note: '' }
  const stateOf = (key: ReportKey): ReportState => states.get(nameOf(key)) ?? open
  const holds = (claim: Claim): boolean => claims.get(nameOf(claim))?.fence === claim.fence
  const store: MemoryReports = {
    before: () => undefined,
    put: (each) => counts.set(nameOf(each), each),
    add: () => Promise.reject(new Error('not used')),
    days: () => run('days', () => [...new Set([...counts.values()].map(({ day }) => day))].sort()),
    domains: (day) =>
      run('domains', () =>
        [...counts.values()].filter((each) => each.day === day).map(({ domain }) => domain),
      ),
    read: (key) => run('read', () => counts.get(nameOf(key))),
    state: (key) => run('state', () => stateOf(key)),
    claim: (key, at, leaseMs) =>
      run('claim', () => {
        const held = claims.get(nameOf(key))
        const state = stateOf(key)
        if (held && held.until > now()) return undefined
        if (state.kind === 'done' || (state.kind === 'waiting' && state.notBefore > at)) {
          return undefined
        }
        const fence = (held?.fence ?? 0) + 1
        claims.set(nameOf(key), { fence, until: now() + leaseMs })
        return { ...key, fence, state }
      }),
    note: (claim, state) =>
      run('note', () => {
        if (!holds(claim)) return false
        if (state.note.length > 4096) throw new Error('a note of more than 4,096 characters')
        states.set(nameOf(claim), state)
        const isOver = state.kind === 'done' || state.kind === 'waiting'
        claims.set(nameOf(claim), { fence: claim.fence, until: isOver ? 0 : now() + 180_000 })
        return true
      }),
    release: (claim) =>
      run('release', () => {
        if (holds(claim)) claims.set(nameOf(claim), { fence: claim.fence, until: 0 })
      }),
    recall: (name) =>
      run('recall', () => {
        const held = values.get(name)
        return held && held.until > now() ? held.value : undefined
      }),
    remember: (name, value, lifeMs) =>
      run('remember', () => {
        if (value.length > 4096) throw new Error('a value of more than 4,096 characters')
        values.set(name, { value, until: now() + lifeMs })
      }),
    tally: (name, lifeMs) =>
      run('tally', () => {
        const held = sums.get(name)
        const isLive = held !== undefined && held.until > now()
        const next = isLive ? { ...held, sum: held.sum + 1 } : { sum: 1, until: now() + lifeMs }
        sums.set(name, next)
        return next.sum
      }),
    forget: (before) =>
      run('forget', () => {
        for (const [name, { day }] of counts) if (day < before) counts.delete(name)
      }),
    close: () => undefined,
  }
  function run<T>(operation: string, work: () => T): Promise<T> {
    try {
      store.before(operation)
      return Promise.resolve(work())
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return store
}
