/**
 * The head line: the sums over all destinations, and what is wrong with the relay itself.
 *
 * Says only what the facts say: a queue that is still being counted has no total yet. Pure.
 */
import type { QueueStatus, RelayStatus, StatusModel } from '../status-model.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { age, ahead } from './time-text.js'
import { count, nameOf, number } from './words.js'

export function figures({ at, queue, held, relay }: StatusModel): Html {
  const { oldest, next } = queue
  const isCounting = queue.kind === 'counting'
  return html`<dl class="sums" id="sums">
      ${figure('Waiting', html`${number(queue.messages)}`, html`${queue.messages === 1 ? 'message' : 'messages'}, ${count(queue.recipients, 'recipient')}${isCounting ? ' so far' : ''}`)}
      ${figure(
        'Held by DANE',
        html`${number(held.destinations)}`,
        html`${held.destinations === 1 ? 'destination' : 'destinations'},
        ${count(held.messages, 'message')}`,
        held.destinations > 0,
      )}
      ${
        oldest === undefined
          ? figure('Oldest', html`–`, html`nothing waits`)
          : figure(
              'Oldest',
              age(oldest.arrivedAt, at),
              html`to ${nameOf(oldest.destination)}, gives up ${ahead(oldest.givesUpAt, at)}`,
            )
      }
      ${
        next === undefined
          ? figure('Next retry', html`–`, html`none is planned`)
          : figure('Next retry', ahead(next.at, at), html`to ${nameOf(next.destination)}`)
      }
      ${resolvers(relay)}
    </dl>
    ${notices(queue, relay)}`
}

function figure(name: string, value: Html, note: Html, isBad = false): Html {
  return html`<div${isBad ? BAD : undefined}><dt>${name}</dt><dd>${value} <small>${note}</small></dd></div>`
}

function resolvers({ resolvers: all }: RelayStatus): Html {
  const good = all.filter(isInUse).length
  const isUnknown = all.every(({ state }) => state === 'unknown')
  if (isUnknown) return figure('Resolvers', html`${all.length}`, html`not asked yet`)
  const value = html`${good} of ${all.length}`
  return good === 0 && all.every(({ state }) => state !== 'unknown')
    ? figure('Resolvers', value, html`none can be used: mail waits`, true)
    : figure('Resolvers', value, html`in use, mail flows`)
}

/** What needs attention; nothing if all is well. */
function notices(queue: QueueStatus, relay: RelayStatus): Html | undefined {
  const all = [...queueNotices(queue), ...relayNotices(relay)]
  return all.length === 0
    ? undefined
    : html`<ul class="notices" id="notices" aria-label="Needs attention">
        ${all.map((each) => html`<li>${each}</li>`)}
      </ul>`
}

function queueNotices({
  kind,
  detail,
  files,
  messages,
  unreadable,
  messagesWithoutRow,
}: QueueStatus): readonly Html[] {
  return [
    ...(kind === 'counting'
      ? [html`The queue is being counted: ${number(messages)} of ${number(files)} messages so far.`]
      : []),
    ...(kind === 'unreadable' ? [html`The queue folder cannot be read: ${detail}`] : []),
    ...(unreadable > 0
      ? [html`${count(unreadable, 'file')} in the queue folder cannot be read as a message.`]
      : []),
    ...(messagesWithoutRow > 0
      ? [
          html`${count(messagesWithoutRow, 'message')} to further destinations are counted, but have
          no row.`,
        ]
      : []),
  ]
}

function relayNotices({
  resolvers: all,
  redis,
  workers,
  silentWorkers,
}: RelayStatus): readonly Html[] {
  return [
    ...all.flatMap(({ server, state, detail }) =>
      isInUse({ state }) || state === 'unknown'
        ? []
        : [html`Resolver <code>${server}</code> ${STATES[state]} and is not used: ${detail}`],
    ),
    ...(redis?.state === 'unavailable'
      ? [
          html`Redis is not available, each process looks up DNS itself, mail flows: ${redis.detail}`,
        ]
      : []),
    ...(silentWorkers > 0
      ? [
          html`${silentWorkers} of ${count(workers, 'worker')} did not answer: what they know is as
          of their last answer.`,
        ]
      : []),
  ]
}

/** Every resolver, Redis and TLS reports; for the foot of the list. */
export function parts({ resolvers: all, redis, tlsrpt }: RelayStatus): Html {
  return html`<section class="parts" aria-labelledby="parts">
    <h2 id="parts">Relay</h2>
    <ul>
      ${all.map(({ server, state }) => html`<li>Resolver <code>${server}</code>: ${STATES[state]}</li>`)}
      <li>Redis: ${redis === undefined ? 'no shared cache' : redis.state}</li>
      ${tlsrpt === undefined ? undefined : html`<li>TLS reports: ${tlsrpt.detail}</li>`}
    </ul>
  </section>`
}

const BAD = html` class="bad"`

type State = RelayStatus['resolvers'][number]['state']

function isInUse({ state }: { readonly state: State }): boolean {
  return state === 'validating' || state === 'passing'
}

const STATES: Readonly<Record<State, string>> = {
  validating: 'validates',
  passing: 'passes DNSSEC data on, validated here',
  unusable: 'does not pass DNSSEC data on',
  'not-validating': 'does not validate',
  failing: 'fails',
  unknown: 'not asked yet',
}
