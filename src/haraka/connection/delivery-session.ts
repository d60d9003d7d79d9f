/**
 * One connection on which Haraka delivers a message under an enforced policy.
 *
 * Records whether it has been closed and whether its host was verified, and catches
 * exceptions of Haraka's listeners, which would otherwise end the process.
 */
import type { DomainName } from '../../name.js'
import type { Socket } from '../host.js'

/** A host that was verified, and the domain that its MX record belongs to. */
export type VerifiedHost = { readonly domain: DomainName; readonly host: string }

export class DeliverySession {
  private hasEnded = false
  /** Undefined unless DANE verified the host for the domain. */
  verified: VerifiedHost | undefined
  private readonly socket: Socket

  /** @param onFault called with what a listener threw; the connection is closed by then */
  constructor(socket: Socket, onFault: (error: unknown) => void) {
    this.socket = socket
    const destroy = socket.destroy.bind(socket)
    socket.destroy = () => {
      this.hasEnded = true
      destroy()
    }
    const emit = socket.emit.bind(socket)
    socket.emit = (event, ...args) => {
      try {
        return emit(event, ...args)
      } catch (error) {
        if (!this.hasEnded) abandon(socket)
        onFault(error)
        return true
      }
    }
  }

  /** Haraka closes a connection before it turns to the next host. */
  get isClosed(): boolean {
    return this.hasEnded
  }

  /** Throws if Haraka has set no listeners: nothing would ever happen on the connection. */
  expectDialog(): void {
    if (this.hasEnded || this.socket.listenerCount('line') !== 0) return
    throw new Error('Haraka did not take the connection')
  }
}

/** Closes a connection that Haraka has no listeners on yet. */
export function abandon(socket: Socket): void {
  socket.removeAllListeners()
  socket.on('error', () => {
    // The connection has been given up.
  })
  socket.destroy()
}
