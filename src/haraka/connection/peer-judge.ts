/**
 * Judges the peer of a finished handshake: protocol, then certificates.
 *
 * The cheapest check comes first: the first certificate alone, then the whole list, then,
 * before the host is refused, the TLSA records that DNS has now. Without side effects.
 */
import type { TLSSocket } from 'node:tls'
import type { Judges } from '../../enforce/judge.js'
import type { Session } from '../../mail-event.js'
import type { Why } from '../../reason.js'
import { isAcceptedProtocol, leafOf, peerChain } from '../../session/handshake.js'
import type { Authenticated, Encrypted, Refused, Verdict } from '../../verdict.js'

export type Judgement =
  | {
      readonly kind: 'good'
      readonly verdict: Authenticated | Encrypted
      readonly session: Session
    }
  | ({ readonly kind: 'bad' } & Why)
  /** Bad, unless current TLSA records say otherwise. */
  | { readonly kind: 'unsure'; readonly verdict: Refused; readonly again: () => Promise<Judgement> }

/** @param certificate as Haraka has it from `getPeerCertificate()` */
export function judgePeer(judges: Judges, cleartext: TLSSocket, certificate: unknown): Judgement {
  const protocol = cleartext.getProtocol() ?? 'unknown'
  // RFC 8996; another plugin may have changed the options.
  if (!isAcceptedProtocol(protocol)) {
    return { kind: 'bad', reason: 'tls-handshake-failed', detail: `${protocol} is not accepted` }
  }
  const session = { protocol, cipher: cleartext.getCipher().name }
  const judgementOf = (verdict: Verdict): Judgement =>
    verdict.kind === 'refused'
      ? { kind: 'bad', reason: verdict.reason, detail: verdict.detail }
      : { kind: 'good', verdict, session }

  const leaf = leafOf(certificate)
  const early = leaf && judges.judgeLeaf?.(leaf)
  if (early) return judgementOf(early)
  const chain = peerChain(cleartext)
  const verdict = judges.judge(chain)
  if (verdict.kind !== 'refused' || chain === undefined) return judgementOf(verdict)
  return {
    kind: 'unsure',
    verdict,
    again: async () => judgementOf(await judges.judgeAgain(chain, verdict)),
  }
}
