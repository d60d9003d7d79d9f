/** Pages that have no facts: an unknown destination, a status that is not available. Pure. */
import type { StatusQuery } from '../status-model.js'
import { backLink } from './detail.js'
import { documentOf } from './frame.js'
import { html } from './html.js'
import type { Html } from './html.js'
import type { Place } from './links.js'
import { destinationText } from './words.js'

export function unknownPage(destination: string, place: Place, query: StatusQuery): string {
  const { name, ascii } = destinationText(destination)
  return notice(
    place,
    html`${backLink(place, query)}
      <h1 id="h" tabindex="-1">Nothing is known of ${name}</h1>
      ${ascii}`,
    html`<p>
      No mail waits for it, and none was sent to it since Haraka was started.
      <code>haraka-dane verify</code> shows what DANE says of any domain.
    </p>`,
  )
}

/** @param text why, for people */
export function unavailablePage(text: string, place: Place): string {
  return notice(
    place,
    html`<h1 id="h" tabindex="-1">The delivery status is not available</h1>`,
    html`<p>${text}</p>
      <p>Mail is not affected. <a href="">Try again</a></p>`,
  )
}

function notice(place: Place, heading: Html, main: Html): string {
  return documentOf({
    place,
    title: 'Delivery status',
    heading,
    subheading: html``,
    at: undefined,
    main: html`<div class="empty">${main}</div>`,
    footer: html`<p>Read only.</p>`,
  })
}
