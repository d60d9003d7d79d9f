/** A connection of Haraka without Haraka, for tests of the gate. */
import { EventEmitter } from 'node:events'
import { Socket as NetSocket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { GateParts } from '../../src/haraka/connection/gate-parts.js'
import type { Socket, UpgradeCallback } from '../../src/haraka/host.js'
import { name } from './names.js'

/** The part of Haraka's stream that the gate uses, over a connection to nowhere. */
export class Wire extends EventEmitter implements Socket {
  /** What has been sent, outside and inside TLS. */
  readonly sent: string[] = []
  readonly sentInside: string[] = []
  isDestroyed = false
  handshakeDone: UpgradeCallback = () => undefined
  /** Thrown in place of `tls.connect`, after the connection's listeners were removed. */
  upgradeError: Error | undefined
  protocol = 'TLSv1.3'
  /** Data that another plugin writes into the TLS stream as soon as it exists. */
  early = ''
  readonly raw = sink(this.sent)
  targetsocket: unknown = this.raw
  cleartext?: TLSSocket

  upgrade: Socket['upgrade'] = (_, callback) => {
    this.raw.removeAllListeners('error')
    this.targetsocket = {}
    if (this.upgradeError) throw this.upgradeError
    this.cleartext = this.secure()
    this.targetsocket = this.cleartext
    if (this.early !== '') this.cleartext.write(this.early)
    if (callback) this.handshakeDone = callback
  }
  isSecure = (): boolean => false
  isEncrypted = (): boolean => true
  write = (data: unknown): boolean =>
    this.targetsocket instanceof Duplex && this.targetsocket.write(data)
  end = (data: unknown): unknown =>
    this.targetsocket instanceof Duplex && this.targetsocket.end(data)
  destroy = (): void => {
    this.isDestroyed = true
  }

  /** Data from the server. */
  hear(text: string): void {
    this.emit('data', Buffer.from(text, 'latin1'))
  }

  /** The dialog up to the end of this reply or command. */
  dialog(upTo: 'greeting' | 'EHLO' | 'offer' | 'STARTTLS' | 'go'): void {
    const steps = [
      ['greeting', () => this.hear('220 mx\r\n')],
      ['EHLO', () => this.write('EHLO relay\r\n')],
      ['offer', () => this.hear('250 STARTTLS\r\n')],
      ['STARTTLS', () => this.write('STARTTLS\r\n')],
      ['go', () => this.hear('220 go\r\n')],
    ] as const
    for (const [step, act] of steps) {
      act()
      if (step === upTo) return
    }
  }

  /** The host closes its side. */
  hangUp(): void {
    for (const stream of [this.cleartext, this.raw]) stream?.emit('end')
  }

  private secure(): TLSSocket {
    const secure = new TLSSocket(new NetSocket())
    const { sentInside } = this
    Object.defineProperty(secure, 'bytesWritten', { get: () => sentInside.join('').length })
    return Object.assign(secure, {
      getProtocol: () => this.protocol,
      getCipher: () => ({ name: 'TLS_AES_256_GCM_SHA384' }),
      getPeerX509Certificate: () => ({ raw: Buffer.from('leaf') }),
      _write: (chunk: unknown, _: unknown, callback: () => void) => {
        sentInside.push(String(chunk))
        callback()
      },
      _writev: undefined,
    })
  }
}

function sink(sent: string[]): Duplex {
  return new Duplex({
    decodeStrings: false,
    read: () => undefined,
    write: (chunk: unknown, _, callback: () => void) => {
      sent.push(Buffer.isBuffer(chunk) ? chunk.toString('latin1') : String(chunk))
      callback()
    },
  })
}

/** Collaborators of a gate that accept no certificate; events are added to `heard`. */
export function gateParts(heard: string[], more: Partial<GateParts> = {}): GateParts {
  return {
    tlsaBase: name('mx.example.org'),
    timeoutMs: 60_000,
    judge: () => ({ kind: 'refused', reason: 'certificate-mismatch', detail: 'the first' }),
    judgeAgain: (_, first) => Promise.resolve(first),
    onRefused: (reason, detail) => heard.push(`refused ${reason}: ${detail}`),
    onPassed: ({ kind }) => {
      heard.push(`passed ${kind}`)
      return 'verified'
    },
    onFault: (error) => heard.push(`fault ${String(error)}`),
    ...more,
  }
}
