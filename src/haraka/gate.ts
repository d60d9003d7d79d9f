/**
 * May this connection carry the message?
 *
 * The gate stands on one socket that Haraka is about to use for a host where DANE
 * demands TLS. It reads along until the handshake (preamble.ts), sets what the
 * handshake needs, takes the server's certificates when it is done and has them
 * judged before Haraka sends the next EHLO. Whatever is not as it should be becomes
 * a plain error on the socket: Haraka cuts the connection and goes on to the next
 * MX, or defers when none is left.
 *
 * Promises: nothing of the envelope is sent before the verdict; nothing thrown here
 * or by the judge passes the gate or reaches Haraka; Haraka never takes a failure
 * here for a host without TLS (its `no_tls` list), nor an unauthenticated 5xx for a
 * bounce.
 */
import type { ConnectionOptions } from 'node:tls'
import type { Session } from '../mail-event.js'
import type { DomainName } from '../name.js'
import type { Reason } from '../reason.js'
import { handshakeOptions, isAcceptedProtocol, leafOf, peerChain } from '../session/handshake.js'
import { createPreamble } from '../session/preamble.js'
import { errorText } from '../text.js'
import type { Authenticated, Encrypted, PeerChain, Refused, Verdict } from '../verdict.js'
import type { Socket } from './host.js'

export type GateParts = {
  /** SNI (RFC 7672 §8.1). */
  readonly tlsaBase: DomainName
  /** The options with the secure context that they describe, where one is at hand already. */
  readonly withContext?: (options: ConnectionOptions) => ConnectionOptions
  /** Asked first, of the first certificate alone; undefined: the whole list has to be seen. */
  readonly judgeLeaf?: (leaf: Buffer) => Authenticated | undefined
  /** Undefined: the server showed no certificate. */
  readonly judge: (chain: PeerChain | undefined) => Verdict
  /** Asked once before a host is refused for its certificates: what was expected may be out of date. */
  readonly judgeAgain: (chain: PeerChain, verdict: Refused) => Promise<Verdict>
  /** Told once, before Haraka hears of it, if this connection is refused. */
  readonly onRefused: (reason: Reason, detail: string) => void
  /** Told once when the handshake is judged good; returns what Haraka is told of the certificate. */
  readonly onPassed: (verdict: Authenticated | Encrypted, session: Session) => PassedAs
}

/** Whether Haraka, which knows only PKIX, is told that the peer is verified. */
export type PassedAs = 'verified' | 'as-haraka-sees-it'

/** To be called before Haraka's own listeners are set; call the result right after they are. */
export function openGate(socket: Socket, parts: GateParts): () => void {
  const preamble = createPreamble()
  let verdictSoFar: Refused | undefined
  let stage: 'preamble' | 'handshake' | 'held' | 'passed' | 'refused' = 'preamble'

  function refuse(reason: Reason, detail: string): void {
    if (stage === 'passed' || stage === 'refused') return
    stage = 'refused'
    parts.onRefused(reason, detail)
    // Haraka's own handler releases the socket and tries the next MX.
    socket.emit('error', new Error(`DANE: ${reason}: ${detail}`))
    socket.destroy()
  }

  // The socket outlives Haraka's interest in it; an error without a listener would end the process.
  const destroy = socket.destroy.bind(socket)
  socket.destroy = () => {
    socket.on('error', ignore)
    destroy()
  }

  // Before the line processor, which Haraka has already put on the socket.
  socket.prependListener('data', (bytes) => {
    if (stage !== 'preamble' || !Buffer.isBuffer(bytes)) return
    const step = preamble.read(bytes)
    if (step.kind === 'refuse') refuse(step.reason, step.detail)
    if (step.kind === 'handshake') stage = 'handshake'
  })

  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    if (stage !== 'handshake') {
      refuse('protocol-violation', 'TLS was to start before its time')
      return
    }
    try {
      const needed = handshakeOptions(options, parts.tlsaBase)
      upgrade(parts.withContext?.(needed) ?? needed, (authorized, error, certificate, cipher) => {
        const tellHaraka = (passedAs: PassedAs): void => {
          if (passedAs === 'verified') {
            socket.isSecure = () => stage === 'passed' && socket.isEncrypted()
            callback?.(true, undefined, certificate, cipher)
          } else callback?.(authorized, error, certificate, cipher)
        }
        try {
          conclude(leafOf(certificate), tellHaraka)
        } catch (error) {
          refuse('internal-error', errorText(error))
        }
      })
    } catch (error) {
      // tls.connect throws for options that contradict each other.
      refuse('tls-handshake-failed', errorText(error))
    }
  }

  /** The handshake is done and nothing is sent yet. */
  function conclude(leaf: Buffer | undefined, tellHaraka: (passedAs: PassedAs) => void): void {
    const { cleartext } = socket
    if (stage !== 'handshake' || cleartext === undefined) return
    const protocol = cleartext.getProtocol() ?? 'unknown'
    // mutual_tls may have put another minVersion over ours.
    if (!isAcceptedProtocol(protocol)) {
      refuse('tls-handshake-failed', `${protocol} is not accepted`)
      return
    }
    const session = { protocol, cipher: cleartext.getCipher().name }
    const early = leaf && parts.judgeLeaf?.(leaf)
    if (early) {
      tellHaraka(pass(early, session))
      return
    }
    const chain = peerChain(cleartext)
    const verdict = parts.judge(chain)
    if (verdict.kind !== 'refused') tellHaraka(pass(verdict, session))
    else if (chain === undefined) refuse(verdict.reason, verdict.detail)
    else
      reconsider(chain, verdict, (better) => {
        tellHaraka(pass(better, session))
      })
  }

  /** The only way to stage 'passed'. */
  function pass(verdict: Authenticated | Encrypted, session: Session): PassedAs {
    const passedAs = parts.onPassed(verdict, session)
    stage = 'passed'
    return passedAs
  }

  /**
   * Another look at what was expected, while Haraka waits: it would send EHLO at the
   * event `secure`, which is kept back, and the server has nothing to say before.
   */
  function reconsider(
    chain: PeerChain,
    first: Refused,
    passAfterAll: (verdict: Authenticated | Encrypted) => void,
  ): void {
    stage = 'held'
    verdictSoFar = first
    const emit = socket.emit.bind(socket)
    let isSecureDue = false
    socket.emit = (event, ...args) => {
      if (stage === 'held' && event === 'secure') {
        isSecureDue = true
        return true
      }
      if (stage === 'held' && event === 'data') {
        refuse('protocol-violation', 'data before its turn inside TLS')
        return true
      }
      return emit(event, ...args)
    }
    parts
      .judgeAgain(chain, first)
      .then((verdict) => {
        if (stage !== 'held') return
        if (verdict.kind === 'refused') {
          refuse(verdict.reason, verdict.detail)
          return
        }
        passAfterAll(verdict)
        if (isSecureDue) emit('secure')
      })
      .catch((error: unknown) => {
        refuse('internal-error', errorText(error))
      })
  }

  return () => {
    socket.prependListener('error', (error) => {
      // Haraka puts hosts whose errors bear this mark on its list of hosts without TLS.
      if (typeof error === 'object' && error !== null) Reflect.deleteProperty(error, 'source')
      lost(errorText(error))
    })
    socket.prependListener('close', () => {
      lost('connection closed')
    })
  }

  /** The connection broke by itself: Haraka knows already, but the reason has to be kept. */
  function lost(detail: string): void {
    if (stage === 'passed' || stage === 'refused') return
    const known = stage === 'held' ? verdictSoFar : undefined
    const reason = stage === 'preamble' ? 'connection-lost' : 'tls-handshake-failed'
    stage = 'refused'
    if (known) parts.onRefused(known.reason, known.detail)
    else parts.onRefused(reason, detail)
  }
}

function ignore(): void {
  // The connection is given up already.
}
