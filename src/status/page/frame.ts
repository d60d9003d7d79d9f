/**
 * What all documents of the page have around their content: head, heading, footer.
 *
 * Landmarks are header, main and footer. Without script or style the order is the same.
 * Elements with `data-own` belong to the script (page/status.js), which shows and fills
 * them; it finds elements again by their ids when it updates the page. Pure.
 */
import type { Instant, QueueStatus, RelayStatus } from '../status-model.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { assetLink, jsonLink } from './links.js'
import type { Place } from './links.js'
import { clock, date } from './time-text.js'
import { count, nameOf } from './words.js'

export type Frame = {
  readonly place: Place
  /** For the browser's tab and history. */
  readonly title: string
  readonly heading: Html
  /** Under the heading. */
  readonly subheading: Html
  /** Of the facts; undefined: there are none. */
  readonly at: Instant | undefined
  readonly main: Html
  readonly footer: Html
}

export function documentOf({ place, title, heading, subheading, at, main, footer }: Frame): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="${assetLink(place, 'svg')}" type="image/svg+xml" />
        <link rel="stylesheet" href="${assetLink(place, 'css')}" />
        <script src="${assetLink(place, 'js')}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header id="top">
          <div class="name">${heading}${subheading}</div>
          ${at === undefined ? undefined : freshness(at)}
        </header>
        <main id="main" tabindex="-1">${main}</main>
        <p id="say" class="unseen" role="status" data-own></p>
        <footer>${footer}</footer>
      </body>
    </html> `.text
}

/** The script replaces the link to reload by what it does itself. */
function freshness(at: Instant): Html {
  return html`<div class="fresh">
    <p><span id="live" data-own></span>as of ${clock(at)}</p>
    <a id="again" href="">Reload</a><button id="pause" type="button" data-own hidden>Pause</button>
  </div>`
}

/** How the relay is named and composed. */
export function relayText({ name, workers, silentWorkers }: RelayStatus): Html {
  const processes = workers === 0 ? 'one process' : count(workers, 'worker')
  const silent = silentWorkers === 0 ? '' : `, ${silentWorkers} without an answer`
  return html`${nameOf(name)} · ${processes}${silent}`
}

export function footerOf(
  place: Place,
  {
    relay,
    queue,
    at,
  }: { readonly relay: RelayStatus; readonly queue: QueueStatus; readonly at: Instant },
): Html {
  const counted =
    queue.at === undefined ? '' : html` The queue folder was read at ${clock(queue.at)}.`
  return html`<p>
      Read only. Times are UTC.${counted} What happened to mail is known since
      ${date(relay.since, at)}.
    </p>
    <p>haraka-plugin-dane ${relay.version} · <a href="${jsonLink(place)}">JSON</a></p>`
}
