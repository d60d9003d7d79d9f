/**
 * Judges one address that Haraka tried, as the gate would have judged it.
 *
 * From what the host showed on Haraka's own connection (connection/observe-session.ts) and
 * what DANE requires of it. Where Haraka did not ask the host what the plugin would have
 * asked, the result is `unknown`.
 */
import type { Refusal } from '../../mail-event.js'
import type { AuthenticateHost } from '../../plan.js'
import type { Attempt, Environment } from '../attempt/attempt.js'
import type { Candidate } from '../attempt/decision.js'
import { judgeTwice } from '../connection/guard-connection.js'
import type { Evidence } from '../connection/observe-session.js'

/** What a policy would have made of one address that Haraka tried. */
export type AddressResult =
  /** DANE requires nothing here. */
  | { readonly kind: 'open' }
  | { readonly kind: 'verified' | 'encrypted' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** Haraka did not ask what the plugin would have asked. */
  | { readonly kind: 'unknown'; readonly detail: string }
  | { readonly kind: 'no-connection' }

/**
 * @param candidate undefined where the policy would not have tried this address
 * @param onCurrent called with the current records, where the verdict is by those
 */
export async function resultOf(
  env: Environment,
  attempt: Attempt,
  candidate: Candidate | undefined,
  evidence: Evidence | undefined,
  onCurrent?: (policy: AuthenticateHost) => void,
): Promise<AddressResult> {
  if (evidence === undefined || candidate === undefined) return { kind: 'no-connection' }
  const { demand, host } = candidate
  if (demand === undefined) return { kind: 'open' }
  switch (evidence.kind) {
    case 'not-asked':
      return { kind: 'unknown', detail: `${host}: ${evidence.detail}` }
    case 'broken':
      return { kind: 'refused', refusal: { ...evidence, host } }
    case 'shown': {
      const verdict = await judgeTwice(env, attempt, demand, evidence.chain, onCurrent)
      if (verdict.kind === 'authenticated') return { kind: 'verified' }
      if (verdict.kind === 'encrypted') return { kind: 'encrypted' }
      const { tlsaBase } = demand.policy
      if (evidence.serverName !== tlsaBase) {
        const detail = `${host}: DANE would have asked for the certificate of ${tlsaBase}`
        return { kind: 'unknown', detail }
      }
      const { reason, detail } = verdict
      return { kind: 'refused', refusal: { reason, host, detail } }
    }
  }
}
