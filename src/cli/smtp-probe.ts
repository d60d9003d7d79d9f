/**
 * Connects to a mail host, negotiates STARTTLS and reports what it presents.
 *
 * Sends EHLO and STARTTLS, performs the handshake, sends QUIT inside it and closes, with
 * the reader of replies and the handshake that deliveries use (session/). Never sends an
 * envelope. Returns a value whatever happens, within `timeoutMs`.
 *
 * Effects: one TCP connection, closed before the promise settles.
 */
import { connect, isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import type { DomainName } from '../name.js'
import type { SessionReason } from '../reason.js'
import { handshakeOptions, peerChain } from '../session/handshake.js'
import { createStarttlsDialog } from '../session/starttls-dialog.js'
import { errorText } from '../text.js'
import type { PeerChain } from '../verdict.js'

export type Probe =
  | {
      readonly kind: 'handshake'
      /** Undefined if the server sent no certificate. */
      readonly chain: PeerChain | undefined
      readonly protocol: string
      readonly cipher: string
      /** Our own address. */
      readonly local: string
      /** From the attempt to connect to the end of the handshake. */
      readonly milliseconds: number
    }
  /** This machine has no route to the address, such as one without IPv6. */
  | { readonly kind: 'no-route'; readonly detail: string }
  | { readonly kind: 'refused'; readonly reason: SessionReason; readonly detail: string }

export type ProbeOptions = {
  readonly address: string
  readonly port: number
  /** SNI. */
  readonly serverName: DomainName
  /** Undefined: the address literal of the connection (RFC 5321 §4.1.3). */
  readonly helloName: string | undefined
  /** Of the handshake, as in tls.ini; what DANE requires overrides them. */
  readonly tls: ConnectionOptions
  readonly timeoutMs: number
}

export function probeHost(options: ProbeOptions): Promise<Probe> {
  const { address, port, helloName, timeoutMs } = options
  return new Promise((resolve) => {
    const socket = connect({ host: address, port })
    const outcome = new Outcome((probe) => {
      clearTimeout(timer)
      socket.on('error', () => undefined)
      socket.destroy()
      resolve(probe)
    })
    const timer = setTimeout(() => {
      outcome.fail(`no answer within ${timeoutMs} ms`)
    }, timeoutMs)
    const dialog = createStarttlsDialog()
    const startedAt = performance.now()

    const onData = (bytes: Buffer): void => {
      const step = dialog.read(bytes)
      switch (step.kind) {
        case 'continue':
          return
        case 'turn':
          if (step.command === 'EHLO') {
            const name = helloName ?? addressLiteral(socket.localAddress)
            dialog.introduce(name)
            socket.write(`EHLO ${name}\r\n`)
          } else socket.write('STARTTLS\r\n')
          return
        case 'refuse':
          outcome.settle({ ...step, kind: 'refused' })
          return
        case 'handshake':
          outcome.stage = 'tls'
          socket.removeListener('data', onData)
          try {
            handshake(socket, options, outcome, startedAt)
          } catch (error) {
            // tls.ini, or Node's own defaults (--tls-max-v1.2 and others), can contradict what
            // DANE demands.
            outcome.fail(errorText(error))
          }
      }
    }
    socket.on('connect', () => {
      outcome.stage = 'smtp'
    })
    socket.on('data', onData)
    socket.on('error', (error) => {
      const isLocal = outcome.stage === 'tcp' && 'code' in error && NO_ROUTE.has(error.code)
      if (isLocal) outcome.settle({ kind: 'no-route', detail: errorText(error) })
      else outcome.fail(errorText(error))
    })
    socket.on('close', () => {
      outcome.fail('connection closed')
    })
  })
}

/** RFC 5321 §4.1.3, without the zone of a link-local address, which has no form there. */
function addressLiteral(address = '127.0.0.1'): string {
  const bare = address.replace(/%.*$/, '')
  return isIPv6(bare) ? `[IPv6:${bare}]` : `[${bare}]`
}

/** What is known so far. After a handshake nothing that happens changes the result. */
class Outcome {
  stage: 'tcp' | 'smtp' | 'tls' = 'tcp'
  readonly settle: (probe: Probe) => void
  private handshake: Probe | undefined

  constructor(settle: (probe: Probe) => void) {
    this.settle = settle
  }

  /** The handshake is complete; the result is reported when the connection ends. */
  succeed(handshake: Probe): void {
    this.handshake = handshake
  }

  fail(detail: string): void {
    this.settle(this.handshake ?? { kind: 'refused', reason: FAILURE[this.stage], detail })
  }
}

const FAILURE = {
  tcp: 'connection-failed',
  smtp: 'connection-lost',
  tls: 'tls-handshake-failed',
} as const satisfies Readonly<Record<Outcome['stage'], SessionReason>>

function handshake(
  socket: Socket,
  { serverName, tls }: ProbeOptions,
  outcome: Outcome,
  startedAt: number,
): void {
  const secure = connectTls({ ...handshakeOptions(tls, serverName), socket })
  secure.on('error', (error) => {
    outcome.fail(errorText(error))
  })
  secure.on('secureConnect', () => {
    outcome.succeed({
      kind: 'handshake',
      chain: peerChain(secure),
      protocol: secure.getProtocol() ?? 'unknown',
      cipher: secure.getCipher().name,
      local: socket.localAddress ?? 'unknown',
      milliseconds: Math.round(performance.now() - startedAt),
    })
    secure.end('QUIT\r\n', () => {
      outcome.fail('QUIT sent')
    })
  })
}

/** Errors of this machine, such as one without IPv6, and not of the mail host. */
const NO_ROUTE: ReadonlySet<unknown> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])
