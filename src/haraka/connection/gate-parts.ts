/** What a gate needs from its attempt: settings, judges and callbacks. */
import type { ConnectionOptions } from 'node:tls'
import type { Judges } from '../../enforce/judge.js'
import type { Session } from '../../mail-event.js'
import type { DomainName } from '../../name.js'
import type { Reason, Why } from '../../reason.js'
import { errorText, printable } from '../../text.js'
import type { Authenticated, Encrypted } from '../../verdict.js'
import type { UpgradeCallback } from '../host.js'

export type GateParts = Judges & {
  /** SNI (RFC 7672 §8.1). */
  readonly tlsaBase: DomainName
  /** From the connection to the verdict. */
  readonly timeoutMs: number
  /** The options for Haraka's handshake; throws if no handshake is possible with them. */
  readonly withContext?: (options: ConnectionOptions) => ConnectionOptions
  /** Called before STARTTLS is sent; throws if no handshake could follow. */
  readonly rehearse?: () => void
  /** Called with the text of the host's greeting. */
  readonly onGreeting?: (text: string) => void
  /** Called when a handshake is complete, before its certificates are verified. */
  readonly onHandshake?: (milliseconds: number) => void
  /** Called once if this connection is refused, before Haraka receives the error. */
  readonly onRefused: (reason: Reason, detail: string) => void
  /** Called once when the host has passed; returns how Haraka sees its certificate. */
  readonly onPassed: (verdict: Authenticated | Encrypted, session: Session) => PassedAs
  /** Called for an exception after the connection has been given up. Must not throw. */
  readonly onFault: (error: unknown) => void
}

/** Haraka knows only PKIX: `verified` makes it treat the peer as authorized. */
export type PassedAs = 'verified' | 'as-haraka-sees-it'

/** What Haraka's upgrade reports of a finished handshake. */
export type HandshakeResult = Parameters<UpgradeCallback>

export function impossibleText(error: unknown): string {
  return `${IMPOSSIBLE}: ${errorText(error)}`
}

/** Whether this relay broke the connection off by itself, whatever the reason is called. */
export function isOwnFault(detail: string): boolean {
  return OWN_FAULTS.some((text) => detail.startsWith(text))
}

export const CLOSED_HERE = 'closed by this relay before TLS'
export const STARTED_EARLY = 'TLS was started before the server accepted STARTTLS'
export const QUIT_EARLY = 'QUIT before TLS'
const IMPOSSIBLE = 'no handshake is possible with the TLS options of this relay'
const OWN_FAULTS = [CLOSED_HERE, STARTED_EARLY, QUIT_EARLY, IMPOSSIBLE]

/** The connection is not a stream of Node's, so it cannot be controlled. */
export const UNKNOWN_SOCKET: Why = {
  reason: 'internal-error',
  detail: 'a connection of an unknown kind',
}

export const WRITTEN_BEFORE: Why = {
  reason: 'tls-disabled',
  detail: 'written to before Haraka had it',
}

export function outOfTurn(octets: Buffer): Why {
  const text = printable(octets.toString('latin1'))
  return { reason: 'protocol-violation', detail: `data before its turn: ${text}` }
}

export function timedOut(milliseconds: number, awaited: string): Why {
  const seconds = Math.round(milliseconds / 1000)
  return { reason: 'session-timeout', detail: `waited ${seconds} s for ${awaited}` }
}
