/** Instants and durations as people read them. All times are UTC. Pure. */
import { html } from './html.js'
import type { Html } from './html.js'
import type { Instant } from '../status-model.js'

/** Such as `42 s`, `38 min`, `9 h 12 min`, `2 d 3 h`: the two largest units from hours on. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return join(hours, 'h', minutes % 60, 'min')
  return join(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function join(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`
}

/** Such as `4 min ago`; the date if it is a day or more. */
export function ago(at: Instant, now: Instant): Html {
  const passed = now - at
  if (passed >= DAY_MS) return time(at, dateTime(at, now))
  return time(at, passed < 1_000 ? 'just now' : `${span(passed)} ago`)
}

/** Such as `in 42 s`; `now` if it has come. */
export function ahead(at: Instant, now: Instant): Html {
  return time(at, at - now < 500 ? 'now' : `in ${span(at - now)}`)
}

/** Such as `9 h 12 min`: how long ago. */
export function age(at: Instant, now: Instant): Html {
  return time(at, span(now - at))
}

/** Such as `20:14:08 UTC`. */
export function clock(at: Instant): Html {
  return time(at, `${iso(at).slice(11, 19)} UTC`)
}

/** Such as `27 Nov, 11:02`, with the year unless it is that of `now`. */
export function date(at: Instant, now: Instant): Html {
  return time(at, dateTime(at, now))
}

function dateTime(at: Instant, now: Instant): string {
  const text = iso(at)
  const month = MONTHS[Number(text.slice(5, 7)) - 1] ?? ''
  const year = text.slice(0, 4) === iso(now).slice(0, 4) ? '' : ` ${text.slice(0, 4)}`
  return `${Number(text.slice(8, 10))} ${month}${year}, ${text.slice(11, 16)}`
}

/** What a browser can read as well. */
function time(at: Instant, text: string): Html {
  return html`<time datetime="${iso(at).slice(0, 19)}Z">${text}</time>`
}

/** Clamped to what a four-digit year can express: file names in the queue are from outside. */
function iso(at: Instant): string {
  const inRange = Number.isFinite(at) ? Math.min(Math.max(at, 0), MAX_INSTANT) : 0
  return new Date(inRange).toISOString()
}

const DAY_MS = 86_400_000
const MAX_INSTANT = Date.UTC(9999, 11, 31)
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
