/** The state of a report as text, in stores. `parseState` validates. Pure. */
import type { ReportState } from './store.js'

/** One line of ASCII. Throws if the note is too long: a bug. */
export function composeState({ kind, notBefore, note }: ReportState): string {
  if (note.length > MAX_NOTE) throw new RangeError(`a note of ${note.length} characters`)
  const text = JSON.stringify([kind, Math.max(0, Math.ceil(notBefore)), note])
  return text.replace(/[^ -~]/g, escaped)
}

export function parseState(text: string): ReportState | undefined {
  const list = listOf(text)
  if (list?.length !== 3) return undefined
  const [kind, notBefore, note] = list
  const isSound =
    typeof notBefore === 'number' &&
    Number.isSafeInteger(notBefore) &&
    notBefore >= 0 &&
    typeof note === 'string' &&
    note.length <= MAX_NOTE
  return isKind(kind) && isSound ? { kind, notBefore, note } : undefined
}

function listOf(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function isKind(value: unknown): value is ReportState['kind'] {
  return value === 'open' || value === 'sending' || value === 'waiting' || value === 'done'
}

/** Characters. */
export const MAX_NOTE = 4096
