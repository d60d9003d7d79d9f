/** One destination as a row of the list. Pure. */
import type { DestinationStatus, Instant, RefusalStatus, StatusQuery } from '../status-model.js'
import { cut, html } from './html.js'
import type { Html } from './html.js'
import { destinationLink } from './links.js'
import type { Place } from './links.js'
import { age, ago, ahead } from './time-text.js'
import { count, daneTag, destinationText, nameOf, NONE, number, policyNote } from './words.js'

export function rowOf(
  row: DestinationStatus,
  {
    place,
    query,
    at,
  }: { readonly place: Place; readonly query: StatusQuery; readonly at: Instant },
): Html {
  const { destination, dane, waiting, lastSuccess, lastRefusal } = row
  const { name, ascii } = destinationText(destination)
  return html`<tr id="${rowId(destination)}" data-s="${dane.kind}">
    <th scope="row"><a href="${destinationLink(place, destination, query)}">${name}</a>${ascii}</th>
    <td>${daneTag(dane)}${sub(daneNote(row))}</td>
    <td class="n">
      ${number(waiting.messages)}${waiting.messages === 0 ? undefined : sub(html`${count(waiting.recipients, 'recipient')}`)}
    </td>
    <td>
      ${waiting.oldestAt === undefined ? NONE : age(waiting.oldestAt, at)}${waiting.givesUpAt === undefined ? undefined : sub(html`gives up ${ahead(waiting.givesUpAt, at)}`)}
    </td>
    <td>${nextRetry(row, at)}</td>
    <td>${lastRefusal === undefined ? NONE : refusal(lastRefusal, at)}</td>
    <td>${lastSuccess === undefined ? NONE : ago(lastSuccess.at, at)}</td>
  </tr> `
}

/** For the script: the same row in the next version of the page. */
function rowId(destination: string): string {
  return `d-${encodeURIComponent(destination)}`
}

function daneNote(row: DestinationStatus): Html | undefined {
  const policy = policyNote(row)
  if (policy !== '') return html`${policy}`
  const { dane, lastRefusal } = row
  if (dane.kind === 'no-dane') return html`${dane.phrase}`
  // Otherwise the last refusal has the reason.
  return dane.kind === 'held' && lastRefusal?.reason !== dane.reason
    ? html`${dane.reason}`
    : undefined
}

/** What is due is being sent, or in line for it. */
export function nextRetry({ waiting }: DestinationStatus, at: Instant): Html {
  const { messages, due, nextRetryAt } = waiting
  if (messages === 0) return NONE
  const next = nextRetryAt === undefined ? undefined : ahead(nextRetryAt, at)
  if (due === 0) return next ?? NONE
  return due === messages || next === undefined
    ? html`due now`
    : html`due now${sub(html`${number(messages - due)} ${next}`)}`
}

function refusal(
  { at: when, outcome, host, reason, phrase, detail }: RefusalStatus,
  at: Instant,
): Html {
  const said = reason === undefined ? detail : phrase
  const returned = outcome === 'returned' ? html`returned: ` : undefined
  return html`${returned}${reason ?? phrase}<span class="sub"
      >${said === '' ? undefined : html`${cut(said, MAX_REPLY)}${NBSP}· `}${nameOf(host)} ·
      ${ago(when, at)}</span
    >`
}

function sub(text: Html | undefined): Html | undefined {
  return text && html`<span class="sub">${text}</span>`
}

/** Of a host's reply; the page of the destination has all of it. */
const MAX_REPLY = 80

const NBSP = '\u00a0'
