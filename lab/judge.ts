/**
 * Checks whether a row had the expected outcome.
 *
 * Compares the expectation with two sources: Haraka's log for the outcome of the
 * message, and the mail hosts' own records for what they received. Deferred means
 * that no host saw an envelope; if a domain publishes TLSA records, no host saw
 * one in clear text.
 */
import type { Haraka, Outcome } from './haraka.js'
import type { Laboratory } from './laboratory.js'
import type { Session } from './mx-dialog.js'
import type { Row } from './rows.js'

export type Judgement = {
  /** In the words of the table. */
  readonly happened: string
  /** Empty if all is as wanted. */
  readonly complaints: readonly string[]
}

export const recipientOf = ({ domain }: Row): string => `probe@${domain}`

export function judge(
  row: Row,
  outcome: Outcome,
  id: string,
  relay: Haraka,
  laboratory: Laboratory,
): Judgement {
  const isVerified = isLoggedVerified(row, id, relay)
  const sessions = row.hosts.flatMap(({ name }) => laboratory.hosts.get(name)?.sessions ?? [])
  const complaints = [
    ...complaintsOfLog(row, outcome, isVerified),
    ...complaintsOfHosts(row, sessions),
  ]
  return { happened: happened(outcome, isVerified), complaints }
}

/** Whether the log says that the host was verified for the domain. */
export function isLoggedVerified({ domain }: Row, id: string, relay: Haraka): boolean {
  return relay
    .log(id)
    .some((line) => line.includes(` for ${domain}`) && line.includes('TLS success'))
}

/** By Haraka's log alone. */
export function complaintsOfLog(
  { wanted }: Row,
  outcome: Outcome,
  isVerified: boolean,
): readonly string[] {
  switch (wanted.action) {
    case 'verified':
      return outcome.kind === 'delivered' && isVerified ? [] : ['not verified']
    case 'fallback':
      return [
        ...(outcome.kind === 'delivered' ? [] : ['not delivered']),
        ...(isVerified ? ['logged as verified'] : []),
        ...(outcome.kind === 'delivered' &&
        wanted.isEncrypted !== undefined &&
        outcome.isEncrypted !== wanted.isEncrypted
          ? ['encryption is not as wanted']
          : []),
      ]
    case 'defer':
      if (outcome.kind !== 'deferred') return ['not deferred']
      return outcome.reason.includes(wanted.reason ?? '') ? [] : [`deferred for ${outcome.reason}`]
    case 'bounce':
      if (outcome.kind !== 'bounced') return ['not returned']
      return outcome.reason.includes(wanted.reason) ? [] : [`returned for ${outcome.reason}`]
  }
}

function complaintsOfHosts(row: Row, sessions: readonly Session[]): readonly string[] {
  const delivered = sessions.flatMap((session) => session.delivered).length
  const mails = sessions.flatMap((session) => session.mails)
  const wantsDelivery = row.wanted.action === 'verified' || row.wanted.action === 'fallback'
  const publishesTlsa = row.records.some((record) => record.includes(' TLSA '))
  return [
    ...(wantsDelivery && delivered !== 1 ? [`${delivered} copies at the hosts`] : []),
    ...(!wantsDelivery && mails.length > 0 ? ['a host was shown an envelope'] : []),
    ...(publishesTlsa && mails.some(({ isEncrypted }) => !isEncrypted)
      ? ['an envelope went out in clear text']
      : []),
  ]
}

export function happened(outcome: Outcome, isVerified: boolean): string {
  switch (outcome.kind) {
    case 'delivered':
      return `${isVerified ? 'verified' : 'fallback'}${outcome.isEncrypted ? '' : ', clear text'}`
    case 'deferred':
      return `defer: ${phrase(outcome.reason)}`
    case 'bounced':
      return `bounce: ${phrase(outcome.reason)}`
  }
}

/** `phrase (reason): host` shortened to the phrase, for the table. */
function phrase(reason: string): string {
  return reason.replace(/ \([a-z-]+\): \S+$/, '')
}
