/**
 * Which reports a process tries next.
 *
 * Every process has the same list, from the store, and tries each report when it is due;
 * the store's claim lets one of them send it. What is done is forgotten, so that a day of
 * many domains costs one look each. Pure, apart from what it remembers.
 */
import type { DomainName } from '../name.js'
import { utcDay } from './day.js'
import type { UtcDay } from './day.js'
import { dueAt, isTooOld } from './schedule.js'
import type { ReportKey } from './store.js'

export type Agenda = {
  /** The domains with counts of a day; those that are known already keep their time. */
  readonly list: (day: UtcDay, domains: readonly DomainName[]) => void
  /** Reports that are due, those that wait for the longest time first. */
  readonly due: (at: number, most: number) => readonly ReportKey[]
  readonly postpone: (key: ReportKey, at: number) => void
  readonly finish: (key: ReportKey) => void
  /** Drops days that are too old to be sent. */
  readonly prune: (at: number) => void
}

/** Days that have ended, and are not too old. */
export function reportedDays(days: readonly UtcDay[], at: number): readonly UtcDay[] {
  const today = utcDay(at)
  return days.filter((day) => day < today)
}

export function createAgenda(): Agenda {
  /** By day and domain; undefined: done. */
  const times = new Map<UtcDay, Map<DomainName, number | undefined>>()

  function timesOf(day: UtcDay): Map<DomainName, number | undefined> {
    const known = times.get(day) ?? new Map<DomainName, number | undefined>()
    times.set(day, known)
    return known
  }

  return {
    list(day, domains) {
      const known = timesOf(day)
      for (const domain of domains) {
        if (!known.has(domain)) known.set(domain, dueAt({ day, domain }))
      }
    },
    due(at, most) {
      const all: { readonly key: ReportKey; readonly time: number }[] = []
      for (const [day, known] of times) {
        for (const [domain, time] of known) {
          if (time !== undefined && time <= at) all.push({ key: { day, domain }, time })
        }
      }
      return all
        .toSorted((a, b) => a.time - b.time)
        .slice(0, most)
        .map(({ key }) => key)
    },
    postpone({ day, domain }, at) {
      timesOf(day).set(domain, at)
    },
    finish({ day, domain }) {
      timesOf(day).set(domain, undefined)
    },
    prune(at) {
      for (const [day, known] of times) {
        const [domain] = known.keys()
        if (domain === undefined || isTooOld({ day, domain }, at - GRACE_MS)) times.delete(day)
      }
    },
  }
}

/** Reports that are too old are noted as done once. */
const GRACE_MS = 3_600_000
