/**
 * The states of a gated connection, and what is allowed in each.
 *
 * There is one path from connect to a verdict; server and client take turns. A step that is
 * not in these tables is not allowed. Pure.
 */
import type { Reason } from '../../reason.js'
import type { OpeningCommand } from '../../session/command.js'

/** In this order; any of them may be followed by `refused`. */
export type GateState =
  | 'greeting'
  | 'ehlo-due'
  | 'ehlo-sent'
  | 'starttls-due'
  | 'starttls-sent'
  | 'tls-due'
  | 'handshake'
  /** The first verdict was a refusal; DNS is asked again. */
  | 'held'
  /** QUIT was sent before TLS. */
  | 'leaving'
  | 'passed'
  | 'refused'

/** RFC 3207 §4: the state after a command; undefined: the command is not allowed now. */
export function afterCommand(
  state: GateState,
  command: OpeningCommand | undefined,
): GateState | undefined {
  return command && AFTER_COMMAND[state]?.[command]
}

const AFTER_COMMAND: Readonly<
  Partial<Record<GateState, Readonly<Partial<Record<OpeningCommand, GateState>>>>>
> = {
  'ehlo-due': { EHLO: 'ehlo-sent', HELO: 'ehlo-sent', QUIT: 'leaving' },
  'starttls-due': { STARTTLS: 'starttls-sent', QUIT: 'leaving' },
}

type Kind = {
  /** What the gate waits for, in words. */
  readonly awaited: string
  /** What data from the server is now: a reply, ignored, or a violation of the protocol. */
  readonly data: 'reply' | 'ignored' | 'violation'
  /** Why the host is refused if the connection ends now. */
  readonly loss: Reason
}

export function kindOf(state: GateState): Kind {
  return KINDS[state]
}

const before = (awaited: string, data: Kind['data']): Kind => ({
  awaited,
  data,
  loss: 'connection-lost',
})

const over: Kind = { awaited: 'nothing', data: 'ignored', loss: 'connection-lost' }

const KINDS: Readonly<Record<GateState, Kind>> = {
  greeting: before('the greeting', 'reply'),
  'ehlo-due': before("Haraka's EHLO", 'violation'),
  'ehlo-sent': before('the reply to EHLO', 'reply'),
  'starttls-due': before("Haraka's STARTTLS", 'violation'),
  'starttls-sent': before('the reply to STARTTLS', 'reply'),
  'tls-due': before('Haraka to start TLS', 'violation'),
  handshake: {
    awaited: 'the end of the TLS handshake',
    data: 'violation',
    loss: 'tls-handshake-failed',
  },
  held: { awaited: 'a second look at DNS', data: 'violation', loss: 'tls-handshake-failed' },
  leaving: { awaited: 'the end of the connection', data: 'ignored', loss: 'tls-disabled' },
  passed: over,
  refused: over,
}
