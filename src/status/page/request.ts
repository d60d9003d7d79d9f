/**
 * What a request for the page is, before any facts are asked for.
 *
 * Pages of other sites may link to this one. Whatever else they make a browser ask for is
 * refused (Fetch Metadata, W3C): they could not read it, but how long an answer takes, or
 * whether there is one, could show them which destinations there are.
 *
 * Everything in it is from outside. A name in the Host header that is not ours is refused:
 * a web site that points its own name to this server (DNS rebinding) could otherwise read
 * the page through the browser of an operator. An IP address cannot be rebound, and a
 * browser sends the name it was given, so addresses are accepted. Pure.
 */
import { isIP } from 'node:net'
import type { StatusQuery } from '../status-model.js'
import { parsePageQuery } from './page-query.js'

export type PageRequest =
  /** Not ours: other routes of the server may know it. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'wrong-host' }
  | { readonly kind: 'other-site' }
  | { readonly kind: 'wrong-method' }
  | { readonly kind: 'list'; readonly query: StatusQuery }
  | { readonly kind: 'json' }
  | { readonly kind: 'destination'; readonly destination: string; readonly query: StatusQuery }
  | { readonly kind: 'asset'; readonly extension: AssetExtension; readonly version: string }
  /** `PATH/`, which is not a page of its own. */
  | { readonly kind: 'slash' }

export const ASSETS = ['css', 'js', 'svg'] as const
export type AssetExtension = (typeof ASSETS)[number]

export type RawRequest = {
  readonly method: string
  /** As in the request line. */
  readonly url: string
  /** The Host header. */
  readonly host: string | undefined
  /** Sec-Fetch-Site, -Mode and -Dest; undefined: not a browser, or no trustworthy address. */
  readonly site?: string | undefined
  readonly mode?: string | undefined
  readonly dest?: string | undefined
}

/** @param path of the page, such as `/dane` */
export function readRequest(
  request: RawRequest,
  path: string,
  hosts: readonly string[],
): PageRequest {
  const { method, url, host } = request
  const [pathname, search] = splitAt(url, '?')
  if (!pathname.startsWith(path)) return { kind: 'elsewhere' }
  const wanted = wantedOf(pathname.slice(path.length), search.slice(0, MAX_QUERY))
  if (wanted.kind === 'elsewhere') return wanted
  if (!isOurs(host, hosts)) return { kind: 'wrong-host' }
  if (isLoadedElsewhere(request)) return { kind: 'other-site' }
  return method === 'GET' || method === 'HEAD' ? wanted : { kind: 'wrong-method' }
}

function wantedOf(rest: string, search: string): PageRequest {
  const parameters = new URLSearchParams(search)
  if (rest === '') return { kind: 'list', query: parsePageQuery(parameters) }
  if (rest === '/') return { kind: 'slash' }
  if (rest === '.json') return { kind: 'json' }
  const extension = ASSETS.find((each) => rest === `.${each}`)
  if (extension) return { kind: 'asset', extension, version: parameters.get('v') ?? '' }
  if (!rest.startsWith('/')) return { kind: 'elsewhere' }
  const destination = decoded(rest.slice(1, MAX_QUERY))
  return { kind: 'destination', destination, query: parsePageQuery(parameters) }
}

/** As typed if it is not percent-encoded text: then it is an unknown destination. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function isLoadedElsewhere({ site, mode, dest }: RawRequest): boolean {
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return mode !== 'navigate' || dest !== 'document'
}

export function isOurs(host: string | undefined, hosts: readonly string[]): boolean {
  const parts = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:[\]]+))(?::\d{1,5})?$/.exec(host ?? '')?.groups
  const { v6, name } = parts ?? {}
  if (v6 !== undefined) return isIP(v6) === 6
  if (name === undefined) return false
  const plain = name.toLowerCase().replace(/\.$/, '')
  return plain === 'localhost' || isIP(plain) === 4 || hosts.includes(plain)
}

function splitAt(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

const MAX_QUERY = 2_000
