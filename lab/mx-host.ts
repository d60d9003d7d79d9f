/**
 * A mail host of the laboratory: a small SMTP server on one address.
 *
 * It can misbehave in every way that a DANE client has to cope with (mx-dialog.ts), and
 * its certificates and its misbehavior can be changed while it runs. It keeps a record of
 * each session; tests check that record, not only the client's log. Messages are accepted
 * and counted.
 */
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import type { Minted } from './certificates.js'
import { MxDialog } from './mx-dialog.js'
import type { Contexts, Misbehavior, Session } from './mx-dialog.js'

/** A leaf with the certificates that the server sends after it. */
export type ServerChain = {
  readonly leaf: Pick<Minted, 'pem' | 'keyPem'>
  readonly others?: readonly Pick<Minted, 'pem'>[]
}

export type MxHostOptions = {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** A Unix socket instead of both. */
  readonly path?: string
  readonly chain?: ServerChain
  /** Chains for particular SNI names; `chain` serves the rest. */
  readonly chainsByName?: ReadonlyMap<string, ServerChain>
  readonly misbehavior?: Misbehavior
  /** Appended to every reply, except the line that offers STARTTLS. */
  readonly words?: string
}

export type MxHost = {
  readonly address: string
  readonly port: number
  readonly sessions: readonly Session[]
  /** Changes what the host presents from the next connection on. */
  present: (chain: ServerChain) => void
  misbehave: (misbehavior: Misbehavior | undefined) => void
  /** Forgets the sessions so far. */
  readonly forget: () => void
  readonly stop: () => Promise<void>
}

export async function startMxHost(options: MxHostOptions): Promise<MxHost> {
  const sessions: Session[] = []
  const open = new Set<Socket>()
  const deferredOnce = new Set<string>()
  let { chain, misbehavior } = options
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => {
      open.delete(socket)
      session.isClosed = true
    })
    socket.on('error', (error) => session.errors.push(error.message))
    const session: Session = {
      from: socket.remoteAddress ?? '',
      commands: [],
      mails: [],
      recipients: [],
      delivered: [],
      messages: [],
      isEncrypted: false,
      serverName: undefined,
      isResumed: false,
      errors: [],
      isClosed: false,
    }
    sessions.push(session)
    new MxDialog(socket, session, {
      misbehavior,
      words: options.words,
      deferredOnce,
      contexts: () => contextFor(options, chain, misbehavior),
    }).start()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (options.path === undefined) server.listen(options.port, options.address, resolve)
    else server.listen(options.path, resolve)
  })
  const bound = server.address()
  const port = bound === null || typeof bound === 'string' ? 0 : bound.port
  return {
    address: options.address,
    port,
    sessions,
    present: (next) => {
      chain = next
    },
    misbehave: (next) => {
      misbehavior = next
    },
    forget: () => {
      sessions.length = 0
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        for (const socket of open) socket.destroy()
      }),
  }
}

function contextFor(
  { chainsByName = new Map<string, ServerChain>() }: MxHostOptions,
  chain: ServerChain | undefined,
  misbehavior: Misbehavior | undefined,
): Contexts {
  if (chain === undefined) throw new Error('this host has no certificate')
  const byName = new Map(
    [...chainsByName].map(([name, other]) => [name, toContext(other)] as const),
  )
  if (misbehavior !== 'tls-1.1') return { fallback: toContext(chain), byName }
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  return { fallback: createSecureContext({ ...toOptions(chain), ...old }), byName }
}

/** Created once per chain, because that costs as much as a handshake. */
function toContext(chain: ServerChain): SecureContext {
  const known = contexts.get(chain) ?? createSecureContext(toOptions(chain))
  contexts.set(chain, known)
  return known
}

const contexts = new WeakMap<ServerChain, SecureContext>()

function toOptions({ leaf, others = [] }: ServerChain): SecureContextOptions {
  return { key: leaf.keyPem, cert: [leaf, ...others].map(({ pem }) => pem).join('\n') }
}
