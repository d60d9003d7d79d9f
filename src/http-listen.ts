/**
 * Where Haraka's HTTP server listens, by http.ini.
 *
 * As Haraka reads it: `listen` is a list of `HOST:PORT`, `[IPV6]:PORT` or paths of Unix
 * sockets, 80 without a port; with `port` there is one more. Pure.
 */
import { isIP } from 'node:net'
import { isLoopback } from './server-address.js'

export type HttpListener =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'address'; readonly host: string; readonly port: number }

/** What http.ini has before any section. */
export type HttpIni = {
  readonly listen: string | undefined
  readonly port?: string | undefined
  readonly listenHost?: string | undefined
}

/** Empty if there is no HTTP server. */
export function httpListeners({ listen = '', port, listenHost }: HttpIni): readonly HttpListener[] {
  if (listen.trim() === '') return []
  const host = listenHost === undefined || listenHost === '' ? '[::0]' : listenHost
  const more = /^\d{1,5}$/.test(port ?? '') ? [`${host}:${port ?? ''}`] : []
  return [...more, ...listen.split(',')].flatMap((text) => {
    const listener = parseListener(text.trim())
    return listener ? [listener] : []
  })
}

function parseListener(text: string): HttpListener | undefined {
  if (text.startsWith('/')) {
    return { kind: 'socket', path: text.replace(/:[0-7]{3}$/, '') }
  }
  if (isIP(text) === 6) return { kind: 'address', host: text, port: USUAL_PORT }
  if (/^\d{1,5}$/.test(text)) return { kind: 'address', host: '::0', port: Number(text) }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) return undefined
  return { kind: 'address', host, port: Number(match?.[3] ?? USUAL_PORT) }
}

/** Listeners that other machines may reach. */
export function reachableFromElsewhere(listeners: readonly HttpListener[]): readonly string[] {
  return listeners.flatMap((listener) =>
    listener.kind === 'socket' || isLocal(listener.host) ? [] : [listenerText(listener)],
  )
}

export function listenerText(listener: HttpListener): string {
  if (listener.kind === 'socket') return listener.path
  const { host, port } = listener
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

function isLocal(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback({ address: host })
}

const USUAL_PORT = 80
