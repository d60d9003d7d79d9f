/**
 * Builds HTML in which text stays text.
 *
 * Everything that is put into a template is escaped, unless it was made by the template
 * itself. Control characters and bidirectional controls become visible, so that a name
 * cannot reorder or hide what is next to it, and long texts are cut. Pure.
 */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = Html | string | number | readonly Html[] | undefined

/** A template tag; every attribute value needs double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(
    compact(parts)
      .map((part, index) => (index === 0 ? part : toText(values[index - 1]) + part))
      .join(''),
  )
}

/** Without the indentation of the source, which is half of it. */
function compact(parts: TemplateStringsArray): readonly string[] {
  const known = COMPACT.get(parts)
  if (known) return known
  const made = parts.map((part) => part.replace(/\n\s*(?=>)/g, '').replace(/\n\s*/g, '\n'))
  COMPACT.set(parts, made)
  return made
}

const COMPACT = new WeakMap<TemplateStringsArray, readonly string[]>()

/** Text of which at most `most` characters are shown. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text
}

function toText(value: Value): string {
  if (value === undefined) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(({ text }) => text).join('')
  return escape(visible(cut(String(value), MAX_TEXT)))
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** Controls, formats (bidi, zero width, tags), private use, lone surrogates, line separators. */
function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) =>
      `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  )
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Characters of one text. */
const MAX_TEXT = 500
