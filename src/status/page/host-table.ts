/** The last plan of a destination, host by host: what DANE requires, and what was shown. Pure. */
import type { HostAttempt, HostRequirement, HostStatus, PlanStatus } from '../destination-detail.js'
import type { Policy } from '../../policy.js'
import type { Instant } from '../status-model.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { ago, ahead } from './time-text.js'
import { count, nameInColumn, nameOf, tag } from './words.js'

export function planOf(
  { at: made, policy, route, security, hosts, omittedHosts }: PlanStatus,
  at: Instant,
): Html {
  const isRelay = route === 'relay'
  const from = isRelay ? RELAYED : html`${ROUTES[route]} ${SECURITY[security]}`
  return html`<p>Made ${ago(made, at)} under the policy <code>${policy}</code>, ${from}.</p>
    <div
      class="scroll"
      id="hosts"
      tabindex="0"
      role="region"
      aria-label="${isRelay ? 'Next hops' : 'MX hosts'}"
    >
      <table class="hosts">
        <caption>
          ${isRelay ? 'Next hops in order' : 'MX hosts by preference'}
        </caption>
        <thead>
          <tr>
            <th scope="col">Host</th>
            <th scope="col">DANE requires</th>
            <th scope="col">Addresses</th>
            <th scope="col">At the last attempt</th>
          </tr>
        </thead>
        <tbody>
          ${hosts.map((host, index) => hostRow(host, index, isRelay ? hop(host, policy) : html`preference ${host.preference}`, at))}
        </tbody>
      </table>
    </div>
    ${omittedHosts === 0 ? undefined : html`<p>${count(omittedHosts, 'further host')}.</p>`}`
}

/** Where another plugin sends it, with its policy if that is not the one of the plan. */
function hop({ port, policy }: HostStatus, inForce: Policy): Html {
  const place = port === undefined ? html`socket` : html`port ${port}`
  return policy === undefined || policy === inForce ? place : html`${place}, policy ${policy}`
}

/** A host may occur twice, so its name is no id. */
function hostRow(
  { host, requires, addresses, omittedAddresses, lastAttempt }: HostStatus,
  index: number,
  note: Html,
  at: Instant,
): Html {
  return html`<tr id="h-${index}">
    <th scope="row">${nameInColumn(host)}<span class="sub">${note}</span></th>
    <td>${requirement(requires, at)}</td>
    <td>${lines(addresses, omittedAddresses)}</td>
    <td>${lastAttempt === undefined ? 'not tried' : attempt(lastAttempt, at)}</td>
  </tr> `
}

function requirement(requires: HostRequirement, at: Instant): Html {
  switch (requires.kind) {
    case 'authenticate':
      return html`authenticate by TLSA of
      ${nameOf(requires.tlsaBase)}${lines(requires.records, requires.omittedRecords)}${requires.expiresAt === undefined ? undefined : html`<span class="sub">TTL ends ${ahead(requires.expiresAt, at)}</span>`}`
    case 'encrypt':
      return html`TLS; no TLSA record of ${nameOf(requires.tlsaBase)} is
      usable${lines(requires.records, requires.omittedRecords)}`
    case 'opportunistic':
      return html`nothing: ${requires.phrase}<span class="sub">${requires.reason}</span>`
    case 'exempt':
      return html`nothing: ${requires.phrase}`
    case 'unreachable':
      return html`${tag(requires.reason, 'no')}<span class="sub"
          >not contacted: ${requires.phrase}</span
        >${requires.detail === '' ? undefined : html`<code class="sub">${requires.detail}</code>`}`
  }
}

function attempt(shown: HostAttempt, at: Instant): Html {
  switch (shown.kind) {
    case 'verified':
    case 'encrypted': {
      const { kind, protocol, cipher, record, name } = shown
      return html`${tag(kind, kind === 'verified' ? 'ok' : 'enc')} ${ago(shown.at, at)}<span
          class="sub"
          >${protocol}, ${cipher}</span
        >${record === undefined ? undefined : html`<span class="sub">matched <code>${record}</code></span>`}${name === undefined ? undefined : html`<span class="sub">name ${nameOf(name)}</span>`}`
    }
    case 'unreached':
      return html`${tag(shown.phrase, 'op')} ${ago(shown.at, at)}<code class="sub"
          >${shown.detail}</code
        >`
    case 'refused':
      return html`${tag(shown.reason, 'no')} ${ago(shown.at, at)}<span class="sub"
          >${shown.phrase}</span
        >${shown.detail === '' ? undefined : html`<code class="sub">${shown.detail}</code>`}`
  }
}

function lines(all: readonly string[], omitted: number): Html {
  return html`${all.map((each) => html`<code class="sub">${each}</code>`)}${omitted === 0 ? undefined : html`<span class="sub">and ${omitted} more</span>`}`
}

const ROUTES: Readonly<Record<Exclude<PlanStatus['route'], 'relay'>, string>> = {
  mx: 'from MX records that are',
  'implicit-mx': 'without MX records, for the domain itself; the answer is',
}

const RELAYED = html`for the next hops that another plugin chose`

const SECURITY: Readonly<Record<PlanStatus['security'], string>> = {
  secure: 'signed and validated',
  insecure: 'not signed',
}
