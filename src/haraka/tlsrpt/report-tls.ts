/**
 * Lets a report reach a host whose TLS is broken (RFC 8460 §3).
 *
 * STARTTLS is tried. Where the handshake does not succeed, the next attempt of this message
 * at that host goes without: Haraka then does not see that the host offers STARTTLS.
 *
 * Changes only the sockets of this hmail. Limits: `force_tls_hosts` of tls.ini still
 * applies; what is known about a host ends with the process.
 */
import { showPrintable } from '../connection/printable-peer.js'
import type { Hmail, Socket } from '../host.js'

export function avoidBrokenTls(hmail: Hmail): void {
  if (prepared.has(hmail)) return
  prepared.add(hmail)
  const deliver = hmail.try_deliver_host_on_socket.bind(hmail)
  const broken = new Set<string>()
  hmail.try_deliver_host_on_socket = (mx, host, port, socket) => {
    showPrintable(socket)
    if (broken.has(host)) hideStarttls(socket)
    else watchUpgrade(socket, host, broken)
    return deliver(mx, host, port, socket)
  }
}

/** A host is broken from the start of a handshake to its success. */
function watchUpgrade(socket: Socket, host: string, broken: Set<string>): void {
  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    broken.add(host)
    upgrade(options, (...results) => {
      broken.delete(host)
      callback?.(...results)
    })
  }
}

function hideStarttls(socket: Socket): void {
  const emit = socket.emit.bind(socket)
  socket.emit = (event, ...args) => {
    const [line] = args
    if (event !== 'line' || typeof line !== 'string') return emit(event, ...args)
    return emit(event, line.replace(/^(250[- ])STARTTLS(?=\s*$)/i, '$1X-STARTTLS'))
  }
}

const prepared = new WeakSet<Hmail>()
