/**
 * The page of one destination: what waits, why, what can be done, and the last plan.
 *
 * Pure.
 */
import type { DestinationDetail, PolicyStatus } from '../destination-detail.js'
import type { DestinationStatus, Instant, StatusQuery } from '../status-model.js'
import { adviceFor } from '../../advice.js'
import { documentOf, footerOf, relayText } from './frame.js'
import { planOf } from './host-table.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { listLink } from './links.js'
import type { Place } from './links.js'
import { nextRetry } from './row.js'
import { age, ago, ahead, date } from './time-text.js'
import { count, daneTag, destinationText, nameOf, number } from './words.js'

/** @param query the list to return to */
export function detailPage(
  detail: DestinationDetail,
  { place, query }: { readonly place: Place; readonly query: StatusQuery },
): string {
  const { status, relay, at, plan } = detail
  const { name, ascii } = destinationText(status.destination)
  return documentOf({
    place,
    title: `${status.destination} · Delivery status · ${relay.name}`,
    heading: html`${backLink(place, query)}
      <h1 id="h" tabindex="-1">${name}</h1>
      ${ascii} ${daneTag(status.dane)}`,
    subheading: html`<p>${relayText(relay)}</p>`,
    at,
    main: html`${sums(status, at)} ${explanation(status, at)}
      <section aria-labelledby="plan">
        <h2 id="plan">Last plan</h2>
        ${plan === undefined ? NO_PLAN : planOf(plan, at)}
      </section>
      <section aria-labelledby="policy">
        <h2 id="policy">Policy</h2>
        <p>${policyText(detail.policy)}</p>
      </section>
      ${byHand(detail.command)}`,
    footer: footerOf(place, detail),
  })
}

export function backLink(place: Place, query: StatusQuery): Html {
  return html`<nav id="back" aria-label="Breadcrumb">
    <a href="${listLink(place, query, { offset: query.offset })}">← All destinations</a>
  </nav>`
}

function sums(row: DestinationStatus, at: Instant): Html {
  const { waiting, lastSuccess } = row
  const { messages, recipients, oldestAt, givesUpAt } = waiting
  return html`<dl class="sums" id="sums">
    <div>
      <dt>Waiting</dt>
      <dd>
        ${number(messages)}
        <small>${messages === 1 ? 'message' : 'messages'}, ${count(recipients, 'recipient')}</small>
      </dd>
    </div>
    <div>
      <dt>Oldest</dt>
      <dd>
        ${oldestAt === undefined ? '–' : age(oldestAt, at)}
        <small
          >${givesUpAt === undefined ? 'nothing waits' : html`gives up ${date(givesUpAt, at)}`}</small
        >
      </dd>
    </div>
    <div>
      <dt>Next retry</dt>
      <dd>${nextRetry(row, at)}</dd>
    </div>
    <div>
      <dt>Last success</dt>
      <dd>
        ${lastSuccess === undefined ? html`– <small>none since the start</small>` : html`${ago(lastSuccess.at, at)} <small>${lastSuccess.isVerified ? 'verified, ' : ''}${nameOf(lastSuccess.host)}</small>`}
      </dd>
    </div>
  </dl>`
}

/** What DANE says of it and, if mail waits, who can change that. */
function explanation(
  { dane, lastRefusal, waiting, destination }: DestinationStatus,
  at: Instant,
): Html {
  const refused =
    lastRefusal &&
    html`<p>
        Last ${lastRefusal.outcome === 'deferred' ? 'deferral' : 'return'}
        ${ago(lastRefusal.at, at)}, by ${nameOf(lastRefusal.host)}:
        ${lastRefusal.reason === undefined ? lastRefusal.phrase : html`<b>${lastRefusal.reason}</b>, ${lastRefusal.phrase}`}.
      </p>
      ${lastRefusal.detail === '' ? undefined : html`<p><code class="reply">${lastRefusal.detail}</code></p>`}`
  return html`<section id="why" class="why ${dane.kind}" aria-labelledby="why-h">
    <h2 id="why-h">${headline(dane)}</h2>
    ${meaning({ dane, waiting, destination }, at)} ${refused}
  </section>`
}

function headline(dane: DestinationStatus['dane']): Html {
  switch (dane.kind) {
    case 'held':
      return html`Held by DANE: ${dane.reason}`
    case 'verified':
      return html`Verified by DANE`
    case 'encrypted':
      return html`Encrypted, not authenticated`
    case 'no-dane':
      return html`No DANE: ${dane.phrase}`
    case 'not-enforced':
      return html`DANE is not enforced`
    case 'unknown':
      return html`Not yet known`
  }
}

function meaning(
  { dane, waiting, destination }: Pick<DestinationStatus, 'dane' | 'waiting' | 'destination'>,
  at: Instant,
): Html {
  switch (dane.kind) {
    case 'held': {
      const { meaning: what, action, whose } = adviceFor(dane.reason)
      const until =
        waiting.givesUpAt === undefined
          ? undefined
          : html` The first message is returned ${ahead(waiting.givesUpAt, at)}
            (${date(waiting.givesUpAt, at)}) if nothing changes.`
      const who =
        whose === 'destination' ? html`What ${nameOf(destination)} can do` : html`What to do`
      return html`<p>${what}${until}</p>
        <p><strong>${who}:</strong> ${action}</p>`
    }
    case 'verified':
      return html`<p>
        ${nameOf(dane.host)} was authenticated by its TLSA records ${ago(dane.at, at)}.
      </p>`
    case 'encrypted':
      return html`<p>
        Mail goes over TLS to ${nameOf(dane.host)}, but none of its TLSA records is usable (RFC 7672
        §2.2), so it is not authenticated. Last time ${ago(dane.at, at)}.
      </p>`
    case 'no-dane':
      return html`<p>
        ${adviceFor(dane.reason).meaning} Mail goes as without DANE. Asked ${ago(dane.at, at)}.
      </p>`
    case 'not-enforced':
      return dane.at === undefined
        ? html`<p>The policy for this destination enforces nothing.</p>`
        : html`<p>Another plugin chose next hops that DANE does not apply to.</p>`
    case 'unknown':
      return html`<p>No attempt has come to a conclusion since Haraka was started.</p>`
  }
}

function policyText({ policy, line, text }: PolicyStatus): Html {
  return line === undefined
    ? html`<code>${policy}</code>, the default: no line of dane.ini says otherwise.`
    : html`<code>${policy}</code>, by line ${line} of dane.ini: <code>${text}</code>`
}

/** Words of the command need no quotes in a shell. */
function byHand(command: readonly string[]): Html | undefined {
  return command.length === 0
    ? undefined
    : html`<section aria-labelledby="hand">
        <h2 id="hand">Try it by hand</h2>
        <p><code class="command">${command.join(' ')}</code></p>
      </section>`
}

const NO_PLAN = html`<p>
  None is known: no message was tried since Haraka was started, or it was too long ago.
</p>`
