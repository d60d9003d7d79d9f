/**
 * Observes what a host presents on a connection of Haraka, for `policy = audit`.
 *
 * Reads from the greeting to the end of the TLS handshake, as the gate does, and changes
 * nothing: no octet, no option, and not the order of Haraka's listeners.
 *
 * Promises: a failure in here loses the evidence, never the connection.
 */
import { isAcceptedProtocol, peerChain } from '../../session/handshake.js'
import { introducedName } from '../../session/command.js'
import { createStarttlsDialog } from '../../session/starttls-dialog.js'
import type { SessionReason } from '../../reason.js'
import type { PeerChain } from '../../verdict.js'
import type { Socket } from '../host.js'

export type Evidence =
  /** There was no acceptable handshake. */
  | { readonly kind: 'broken'; readonly reason: SessionReason; readonly detail: string }
  /** Haraka's own settings did not ask this host for TLS. */
  | { readonly kind: 'not-asked'; readonly detail: string }
  | {
      readonly kind: 'shown'
      readonly chain: PeerChain | undefined
      /** What Haraka asked for in SNI. */
      readonly serverName: string | undefined
    }

export type Observer = {
  /** The text of the host's greeting. */
  readonly onGreeting?: (text: string) => void
  /** How TLS has ended, as soon as that is known. Must not throw. */
  readonly onEvidence?: (evidence: Evidence) => void
}

/** Must be called before Haraka sets its own listeners; call the result when the session is over. */
export function observeSession(
  socket: Socket,
  { onGreeting, onEvidence }: Observer = {},
): () => Evidence {
  const dialog = createStarttlsDialog(onGreeting)
  let stage: 'preamble' | 'starttls' | 'handshake' = 'preamble'
  let evidence: Evidence | undefined

  const conclude = (result: Evidence): Evidence => {
    if (evidence) return evidence
    evidence = result
    onEvidence?.(result)
    return result
  }

  socket.prependListener('data', (bytes) => {
    if (evidence || stage === 'handshake' || !Buffer.isBuffer(bytes)) return
    const step = dialog.read(bytes)
    if (step.kind === 'refuse') {
      conclude({ kind: 'broken', reason: step.reason, detail: step.detail })
    } else if (step.kind === 'turn' && step.command === 'STARTTLS') stage = 'starttls'
    else if (step.kind === 'handshake') stage = 'handshake'
  })

  const write = socket.write.bind(socket)
  socket.write = (data, ...rest) => {
    if (stage === 'starttls' && !evidence && !isStarttls(data)) {
      conclude({ kind: 'not-asked', detail: 'Haraka did not ask this host for TLS' })
    }
    const name = stage === 'preamble' ? nameIn(data) : undefined
    if (name !== undefined) dialog.introduce(name)
    return write(data, ...rest)
  }

  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    upgrade(options, (...result) => {
      conclude(shown(socket, options.servername))
      callback?.(...result)
    })
  }

  const over = (): Evidence =>
    conclude({
      kind: 'broken',
      reason: stage === 'handshake' ? 'tls-handshake-failed' : 'connection-lost',
      detail: 'the connection ended before the handshake was done',
    })
  // Haraka closes the connection in its own listeners, after these.
  for (const event of ['error', 'end', 'close']) socket.prependListener(event, over)
  return over
}

/** The name that Haraka gives in EHLO. */
function nameIn(data: unknown): string | undefined {
  if (typeof data === 'string') return introducedName(Buffer.from(data))
  return Buffer.isBuffer(data) ? introducedName(data) : undefined
}

/** Other types are not converted to text, which may throw. */
function isStarttls(data: unknown): boolean {
  const text = Buffer.isBuffer(data) ? data.toString('latin1') : data
  return typeof text === 'string' && /^STARTTLS\r?\n/i.test(text)
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
    // Counts as no certificate; the connection must not be disturbed.
    return { kind: 'shown', chain: undefined, serverName }
  }
}
