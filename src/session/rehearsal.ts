/**
 * Can a TLS handshake start with these options?
 *
 * TLS options come from the operator's files, and Node and OpenSSL reject bad ones late:
 * some throw when a connection is made, some fail every handshake at its first octet.
 * Both are detected here, in memory, before a server is involved.
 *
 * Promises: returns a value whatever the options are. Effects: CPU time only; no
 * connection is made, and the client's first octets are discarded.
 */
import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { errorText } from '../text.js'

export type Rehearsal =
  | { readonly kind: 'possible' }
  | {
      readonly kind: 'impossible'
      /** Each option whose removal would make it possible; empty if there is none. */
      readonly culprits: readonly string[]
      /** The error from Node or OpenSSL. */
      readonly detail: string
    }

/**
 * Proceeds to the client's first octets.
 *
 * @param complete builds the options of a handshake from the given ones
 */
export async function rehearse(
  options: Readonly<Record<string, unknown>>,
  complete: (options: ConnectionOptions) => ConnectionOptions,
): Promise<Rehearsal> {
  const faultOf = (tried: Readonly<Record<string, unknown>>): Promise<string | undefined> =>
    firstFault(() => complete(tried))
  const detail = await faultOf(options)
  if (detail === undefined) return { kind: 'possible' }
  const culprits: string[] = []
  for (const name of Object.keys(options)) {
    const rest = Object.fromEntries(Object.entries(options).filter(([each]) => each !== name))
    if ((await faultOf(rest)) === undefined) culprits.push(name)
  }
  return { kind: 'impossible', culprits, detail }
}

/** Throws whatever `tls.connect` would throw with these options. */
export function throwIfImpossible(options: ConnectionOptions): void {
  const { wire, secure } = begin(options, () => undefined)
  secure.destroy()
  wire.destroy()
}

function firstFault(options: () => ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const { wire, secure } = begin(options(), () => {
        resolve(undefined)
        wire.destroy()
      })
      secure.on('error', (error) => {
        resolve(errorText(error))
      })
      secure.on('close', () => {
        resolve('closed')
      })
      wire.on('close', () => {
        secure.destroy()
      })
    } catch (error) {
      resolve(errorText(error))
    }
  })
}

/** A client whose output is discarded. */
function begin(
  options: ConnectionOptions,
  onFirstOctets: () => void,
): { readonly wire: Duplex; readonly secure: TLSSocket } {
  const wire = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, callback: () => void) => {
      callback()
      setImmediate(onFirstOctets)
    },
  })
  wire.on('error', () => undefined)
  const secure = connect(Object.assign({}, options, { socket: wire }))
  secure.on('error', () => undefined)
  return { wire, secure }
}
