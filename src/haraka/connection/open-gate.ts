/** Puts the gate in front of a socket, then has Haraka use the socket, then starts the gate. */
import type { Socket } from '../host.js'
import { Gate } from './gate.js'
import type { GateParts } from './gate-parts.js'

/** @param deliver hands the socket to Haraka; if it throws, the connection is closed */
export function openGate(socket: Socket, parts: GateParts, deliver: () => void): void {
  const gate = new Gate(socket, parts)
  try {
    deliver()
  } catch (error) {
    gate.abandon()
    throw error
  }
  gate.begin()
}
