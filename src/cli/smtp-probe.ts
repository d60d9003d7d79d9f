/**
 * What does a mail host show who knocks at its port?
 *
 * Opens a connection, says EHLO and STARTTLS, makes the handshake, says QUIT inside it
 * and leaves, with the same reader of replies and the same handshake as deliveries have
 * (session/). Never sends an envelope. A value whatever happens, in `timeoutMs`.
 *
 * Effects: one TCP connection, released before the promise settles.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { DomainName } from '../name.js'
import type { SessionReason } from '../reason.js'
import { handshakeOptions, peerChain } from '../session/handshake.js'
import { createPreamble } from '../session/preamble.js'
import { errorText } from '../text.js'
import type { PeerChain } from '../verdict.js'

export type Probe =
  | {
      readonly kind: 'handshake'
      /** Undefined if the server showed no certificate. */
      readonly chain: PeerChain | undefined
      readonly protocol: string
      readonly cipher: string
      /** Our own address. */
      readonly local: string
    }
  /** This machine has no way there, as one without IPv6 has none to IPv6 addresses. */
  | { readonly kind: 'no-route'; readonly detail: string }
  | { readonly kind: 'refused'; readonly reason: SessionReason; readonly detail: string }

export type ProbeOptions = {
  readonly address: string
  readonly port: number
  /** SNI. */
  readonly serverName: DomainName
  readonly helloName: string
  readonly timeoutMs: number
}

export function probeHost(options: ProbeOptions): Promise<Probe> {
  const { address, port, helloName, timeoutMs } = options
  return new Promise((resolve) => {
    const socket = connect({ host: address, port })
    const preamble = createPreamble()
    let isConnected = false
    let isTls = false
    let shown: Probe | undefined

    const settle = (probe: Probe): void => {
      clearTimeout(timer)
      socket.on('error', () => undefined)
      socket.destroy()
      resolve(probe)
    }
    const show = (probe: Probe): void => {
      shown = probe
    }
    const fail = (detail: string): void => {
      // What happens after the handshake changes nothing about what was shown.
      if (shown) {
        settle(shown)
        return
      }
      const reason = isTls
        ? 'tls-handshake-failed'
        : isConnected
          ? 'connection-lost'
          : 'connection-failed'
      settle({ kind: 'refused', reason, detail })
    }
    const timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`)
    }, timeoutMs)

    const hear = (bytes: Buffer): void => {
      const step = preamble.read(bytes)
      switch (step.kind) {
        case 'continue':
          return
        case 'turn':
          socket.write(step.command === 'EHLO' ? `EHLO ${helloName}\r\n` : 'STARTTLS\r\n')
          return
        case 'refuse':
          settle({ ...step, kind: 'refused' })
          return
        case 'handshake':
          isTls = true
          socket.removeListener('data', hear)
          handshake(socket, options, show, fail)
      }
    }
    socket.on('connect', () => {
      isConnected = true
    })
    socket.on('data', hear)
    socket.on('error', (error) => {
      const isOurs = !isConnected && 'code' in error && NO_ROUTE.has(error.code)
      if (isOurs) settle({ kind: 'no-route', detail: errorText(error) })
      else fail(errorText(error))
    })
    socket.on('close', () => {
      fail('connection closed')
    })
  })
}

function handshake(
  socket: Socket,
  { serverName }: ProbeOptions,
  show: (probe: Probe) => void,
  fail: (detail: string) => void,
): void {
  const secure = connectTls({ ...handshakeOptions({}, serverName), socket })
  secure.on('error', (error) => {
    fail(errorText(error))
  })
  secure.on('secureConnect', () => {
    show({
      kind: 'handshake',
      chain: peerChain(secure),
      protocol: secure.getProtocol() ?? 'unknown',
      cipher: secure.getCipher().name,
      local: socket.localAddress ?? 'unknown',
    })
    secure.end('QUIT\r\n', () => {
      fail('left')
    })
  })
}

const NO_ROUTE: ReadonlySet<unknown> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])
