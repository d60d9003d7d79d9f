/**
 * What did a host show on a connection that is Haraka's own?
 *
 * Reads along from the greeting to the end of the TLS handshake, as the gate does, and
 * changes nothing: not an octet, not an option, not the order of Haraka's listeners.
 *
 * Promises: what goes wrong in here costs the evidence, never the connection.
 */
import { isAcceptedProtocol, peerChain } from '../session/handshake.js'
import { createPreamble } from '../session/preamble.js'
import type { SessionReason } from '../reason.js'
import type { PeerChain } from '../verdict.js'
import type { Socket } from './host.js'

export type Evidence =
  /** It came to no handshake that counts. */
  | { readonly kind: 'broken'; readonly reason: SessionReason; readonly detail: string }
  /** Haraka did not want TLS of this host, by its own settings. */
  | { readonly kind: 'not-asked'; readonly detail: string }
  | {
      readonly kind: 'shown'
      readonly chain: PeerChain | undefined
      /** What Haraka asked for in SNI. */
      readonly serverName: string | undefined
    }

/** To be called before Haraka's own listeners are set; ask the result when the session is over. */
export function watchSession(socket: Socket): () => Evidence {
  const preamble = createPreamble()
  let stage: 'preamble' | 'starttls' | 'handshake' = 'preamble'
  let evidence: Evidence | undefined

  socket.prependListener('data', (bytes) => {
    if (evidence || stage === 'handshake' || !Buffer.isBuffer(bytes)) return
    const step = preamble.read(bytes)
    if (step.kind === 'refuse') {
      evidence = { kind: 'broken', reason: step.reason, detail: step.detail }
    } else if (step.kind === 'turn' && step.command === 'STARTTLS') stage = 'starttls'
    else if (step.kind === 'handshake') stage = 'handshake'
  })

  const write = socket.write.bind(socket)
  socket.write = (data, ...rest) => {
    if (stage === 'starttls' && !evidence && !/^STARTTLS\r?\n/i.test(String(data))) {
      evidence = { kind: 'not-asked', detail: 'Haraka did not ask this host for TLS' }
    }
    return write(data, ...rest)
  }

  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    upgrade(options, (...result) => {
      evidence ??= shown(socket, options.servername)
      callback?.(...result)
    })
  }

  return () =>
    evidence ?? {
      kind: 'broken',
      reason: stage === 'handshake' ? 'tls-handshake-failed' : 'connection-lost',
      detail: 'the connection ended before the handshake was done',
    }
}

function shown({ cleartext }: Socket, serverName: string | undefined): Evidence {
  try {
    const protocol = cleartext?.getProtocol() ?? 'unknown'
    if (!isAcceptedProtocol(protocol)) {
      const detail = `${protocol} is not accepted`
      return { kind: 'broken', reason: 'tls-handshake-failed', detail }
    }
    return { kind: 'shown', chain: cleartext && peerChain(cleartext), serverName }
  } catch {
    // As no certificate at all; the connection is not ours to disturb.
    return { kind: 'shown', chain: undefined, serverName }
  }
}
