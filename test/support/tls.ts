/** Real TLS handshakes with a server on loopback, which runs for the duration of some work. */
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, TlsOptions, TLSSocket } from 'node:tls'
import type { Minted } from '../../lab/certificates.js'

/** A server's key and its list of certificates, as sent. */
export function identity(sent: readonly Minted[]): TlsOptions {
  const [first] = sent
  return first ? { key: first.keyPem, cert: sent.map(({ pem }) => pem).join('\n') } : {}
}

export async function withTlsServer<T>(
  options: TlsOptions,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const server = createServer(options)
  const sockets = new Set<TLSSocket>()
  server.on('tlsClientError', () => undefined)
  server.on('secureConnection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  try {
    return await work(typeof address === 'object' && address ? address.port : 0)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/** Returns the result of `look` after the handshake, rejects if it fails, and closes the connection. */
export function handshake<T>(
  port: number,
  options: ConnectionOptions,
  look: (socket: TLSSocket) => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ...options })
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      Promise.resolve(look(socket))
        .then(resolve, reject)
        .finally(() => socket.destroy())
    })
  })
}
