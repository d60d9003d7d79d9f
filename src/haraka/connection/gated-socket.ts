/**
 * Intercepts a socket of Haraka: each event that it emits and each octet written to it.
 *
 * Haraka wraps the connection, and after STARTTLS the TLS socket on it, in a stream of its
 * own. All three are intercepted, so that nothing bypasses the guard, whichever code writes
 * or removes listeners. The guard decides, not this file.
 *
 * Promises: an error of the connection always has a listener, so that none ends the
 * process; `destroy` leaves nothing open. Limits: see outlet.ts.
 */
import { Socket as NetSocket } from 'node:net'
import { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { Socket, UpgradeCallback } from '../host.js'
import { plainReplyLine } from '../../session/reply-line.js'
import { judgeWrites } from './outlet.js'

export type Guard = {
  /** Everything except octets outside TLS is allowed. */
  readonly isOpen: () => boolean
  /** Whether Haraka receives this event. */
  readonly hears: (event: string, args: readonly unknown[]) => boolean
  /** Whether these octets may go to the connection, outside TLS. */
  readonly mayGoOut: (octets: Buffer) => boolean
  /** Something was about to be written inside TLS, or to another connection; it was not. */
  readonly onWithheld: (octets: Buffer) => void
  readonly onUpgrade: (options: ConnectionOptions, callback: UpgradeCallback | undefined) => void
  /** Haraka or another plugin closes the socket. */
  readonly onClosing: () => void
  /** Called with what the guard or Haraka's listeners threw. */
  readonly onException: (error: unknown) => void
}

export class GatedSocket {
  private readonly socket: Socket
  private readonly guard: Guard
  private readonly original: Pick<Socket, 'emit' | 'destroy' | 'upgrade'>
  /** The connection itself; undefined if it is not one of Node's streams. */
  private readonly raw: Duplex | undefined
  /** Whether something was written before the gate was there. */
  readonly isTouched: boolean
  private isQuitDue = false
  /** Ends the farewell; undefined: there is none. */
  private endFarewell: (() => void) | undefined

  constructor(socket: Socket, guard: Guard) {
    this.socket = socket
    this.guard = guard
    const { targetsocket: raw } = socket
    this.raw = raw instanceof Duplex ? raw : undefined
    this.isTouched = raw instanceof NetSocket && raw.bytesWritten > 0
    this.original = {
      emit: socket.emit.bind(socket),
      destroy: socket.destroy.bind(socket),
      upgrade: socket.upgrade.bind(socket),
    }
    socket.emit = (event, ...args) => this.emit(event, args)
    socket.upgrade = guard.onUpgrade
    socket.destroy = () => {
      guard.onClosing()
      if (guard.isOpen()) this.original.destroy()
      else this.destroy()
    }
    this.holdWrites('write')
    this.holdWrites('end')
    if (this.raw) this.holdConnection(this.raw)
  }

  /** Whether the connection is of a kind that this file can intercept. */
  get isKnown(): boolean {
    return this.raw !== undefined
  }

  /** Emits without asking the guard. An error without a listener would end the process. */
  tell(event: string, args: readonly unknown[]): boolean {
    if (event === 'error' && this.socket.listenerCount('error') === 0) return false
    const [line] = args
    if (event !== 'line' || typeof line !== 'string') return this.original.emit(event, ...args)
    // Haraka would bounce the message at a code without text.
    return this.original.emit(event, plainReplyLine(line))
  }

  /** Haraka's own upgrade; throws what that throws. */
  upgrade(options: ConnectionOptions, callback: UpgradeCallback): void {
    const { socket, guard } = this
    this.original.upgrade(options, callback)
    const { cleartext } = socket
    if (cleartext === undefined) throw new Error('Haraka did not start TLS')
    listenForErrors(cleartext)
    // Another plugin that wraps Haraka's upgrade wrote it; it is sent after the handshake.
    if (cleartext.bytesWritten > 0) guard.onWithheld(Buffer.alloc(cleartext.bytesWritten))
    const release = judgeWrites(cleartext, (octets) => {
      if (guard.isOpen()) {
        release()
        return true
      }
      return this.isOwnQuit(octets) || this.withhold(octets)
    })
  }

  /**
   * Sends QUIT (RFC 5321 §4.1.1.10) and closes, inside TLS with close_notify, so that the
   * host does not see a broken connection. For Haraka the connection is closed at once; the
   * exchange continues below its socket for at most `FAREWELL_MS`, on at most
   * `MOST_FAREWELLS` connections. Never throws.
   */
  leave(): void {
    const streams = [this.socket.cleartext, this.raw].filter((each) => each !== undefined)
    const [stream] = streams
    if (this.endFarewell || stream?.writable !== true || farewells >= MOST_FAREWELLS) return
    const release: (() => void)[] = []
    const timer = setTimeout(() => this.endFarewell?.(), FAREWELL_MS).unref()
    farewells++
    this.endFarewell = () => {
      this.endFarewell = undefined
      farewells--
      clearTimeout(timer)
      for (const letGo of release) letGo()
    }
    try {
      for (const each of streams) release.push(holdOpen(each, () => this.endFarewell?.()))
      this.isQuitDue = true
      stream.write(QUIT)
      stream.end()
      // What the host answers is not read by anyone, but has to be taken off the connection.
      stream.resume()
    } catch {
      this.endFarewell()
    } finally {
      this.isQuitDue = false
    }
  }

  /** Our own QUIT, once; anything else has to pass the guard. */
  private isOwnQuit(octets: Buffer): boolean {
    if (!this.isQuitDue || octets.toString('latin1') !== QUIT) return false
    this.isQuitDue = false
    return true
  }

  /** Closes all three; Haraka's own `destroy` reaches only what its stream wraps now. */
  destroy(): void {
    if (this.endFarewell) {
      this.original.destroy()
      return
    }
    const { cleartext } = this.socket
    if (cleartext) listenForErrors(cleartext)
    cleartext?.destroy()
    this.raw?.destroy()
    this.original.destroy()
  }

  private emit(event: string, args: readonly unknown[]): boolean {
    const { guard } = this
    if (guard.isOpen()) {
      // The guard removes a mark from errors that Haraka must not see.
      if (event === 'error') this.safely(() => guard.hears(event, args))
      return this.tell(event, args)
    }
    const isTold = this.safely(() => guard.hears(event, args) && this.tell(event, args))
    if (event === 'error') this.destroy()
    return isTold
  }

  /** Haraka's stream writes to what it wraps, which must be one of the intercepted streams. */
  private holdWrites(method: 'write' | 'end'): void {
    const { socket, guard } = this
    const original = socket[method].bind(socket)
    const held = (...args: [unknown, ...unknown[]]): boolean => {
      if (guard.isOpen() || this.isLedToConnection()) return original(...args) === true
      return this.withhold(Buffer.of())
    }
    socket[method] = held
  }

  private withhold(octets: Buffer): boolean {
    return this.safely(() => {
      this.guard.onWithheld(octets)
      return false
    })
  }

  private isLedToConnection(): boolean {
    const { targetsocket, cleartext } = this.socket
    return targetsocket === this.raw || (cleartext !== undefined && targetsocket === cleartext)
  }

  private holdConnection(raw: Duplex): void {
    judgeWrites(
      raw,
      (octets) => this.isOwnQuit(octets) || this.safely(() => this.guard.mayGoOut(octets)),
    )
    listenForErrors(raw)
    // Haraka's upgrade removes all listeners before the handshake.
    const removeAllListeners = raw.removeAllListeners.bind(raw)
    raw.removeAllListeners = (event) => {
      if (event === undefined) removeAllListeners()
      else removeAllListeners(event)
      listenForErrors(raw)
      return raw
    }
  }

  /** An exception that reached the emitter of the event would end the process. */
  private safely(action: () => boolean): boolean {
    try {
      return action()
    } catch (error) {
      this.guard.onException(error)
      return false
    }
  }
}

function listenForErrors(stream: Duplex): void {
  stream.removeListener('error', onLateError)
  stream.on('error', onLateError)
}

function onLateError(): void {
  // The guard has its own listener, on Haraka's stream.
}

/**
 * Keeps a stream from being destroyed. Calls `onEnd` when the other side has closed or the
 * connection has failed.
 *
 * @returns destroys it, with the method that it had
 */
function holdOpen(stream: Duplex, onEnd: () => void): () => void {
  const own = Object.getOwnPropertyDescriptor(stream, 'destroy')
  stream.destroy = (error) => {
    if (error) onEnd()
    return stream
  }
  stream.once('error', onEnd)
  stream.once('end', onEnd)
  return () => {
    Reflect.deleteProperty(stream, 'destroy')
    if (own) Object.defineProperty(stream, 'destroy', own)
    stream.destroy()
  }
}

const QUIT = 'QUIT\r\n'

/** Milliseconds for the host to answer QUIT and to close. */
const FAREWELL_MS = 2_000

/** Hosts that never close keep a descriptor for that long. */
const MOST_FAREWELLS = 100
let farewells = 0
