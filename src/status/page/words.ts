/** Numbers, names and states as the page shows them. Pure. */
import { domainToUnicode } from 'node:url'
import type { DaneState, DestinationStatus } from '../status-model.js'
import { cut, html } from './html.js'
import type { Html } from './html.js'

/** Such as `1,284`. */
export function number(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Such as `1 message`, `1,284 messages`. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** A name from DNS, or what is there instead. It cannot reorder the text around it. */
export function nameOf(name: string): Html {
  return html`<bdi>${cut(name, MAX_NAME)}</bdi>`
}

/** For a narrow column: the name may break after a dot. */
export function nameInColumn(name: string): Html {
  const labels = cut(name, MAX_NAME).split('.')
  return html`<bdi
    >${labels.map((label, index) => (index === 0 ? html`${label}` : html`.<wbr />${label}`))}</bdi
  >`
}

/**
 * A destination for people: U-labels, with the A-labels in a second line.
 *
 * Two names can look alike in U-labels, so the A-labels are always there as well.
 */
export function destinationText(destination: string): {
  readonly name: Html
  readonly ascii: Html | undefined
} {
  // As long as a domain name can be; an address or worse has no U-labels.
  const unicode = /^[a-z0-9.-]{1,253}$/.test(destination) ? domainToUnicode(destination) : ''
  return unicode === '' || unicode === destination
    ? { name: nameInColumn(destination), ascii: undefined }
    : {
        name: nameInColumn(unicode),
        ascii: html`<span class="sub">${nameInColumn(destination)}</span>`,
      }
}

/** What DANE says, as a word with a mark; the mark is drawn by the style. */
export function daneTag({ kind }: DaneState): Html {
  const [word, mark] = TAGS[kind]
  return tag(word, mark)
}

export function tag(word: string, mark: Mark): Html {
  return html`<span class="tag ${mark}">${word}</span>`
}

/** The policy, unless it is the usual one. */
export function policyNote({ policy }: DestinationStatus): string {
  return policy === 'opportunistic' ? '' : `policy ${policy}`
}

/** For all readers the same dash, which says that there is nothing. */
export const NONE = html`<span class="none">–</span>`

export type Mark = 'ok' | 'no' | 'enc' | 'op'

const TAGS: Readonly<Record<DaneState['kind'], readonly [string, Mark]>> = {
  verified: ['verified', 'ok'],
  encrypted: ['encrypted only', 'enc'],
  'no-dane': ['no DANE', 'op'],
  held: ['held', 'no'],
  'not-enforced': ['not enforced', 'op'],
  unknown: ['not yet known', 'op'],
}

const MAX_NAME = 260
