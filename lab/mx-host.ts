/**
 * What does a mail host of the laboratory do, and what did it see?
 *
 * A small SMTP server on one address that can be told to misbehave in every way a
 * DANE client has to stand. It keeps a record of each session; that record, not the
 * client's log, is the judge of every test. Messages are accepted and counted.
 */
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import type { Minted } from './certificates.js'

export type Misbehavior =
  | 'no-starttls'
  | 'starttls-454'
  | 'starttls-554'
  | 'starttls-hang-up'
  | 'starttls-garbage'
  | 'starttls-silence'
  | 'starttls-inject-line'
  | 'starttls-inject-partial'
  | 'ehlo-502'
  | 'ehlo-421'
  | 'greeting-554'
  | 'greeting-421'
  | 'greeting-garbage'
  | 'greeting-silence'
  | 'reset-after-tls'
  | 'tls-1.1'
  | 'rcpt-450'
  | 'rcpt-550'
  /** The first time, and only recipients that begin with `later`. */
  | 'rcpt-450-once'
  | 'data-reset'
  | 'slow'

/** Milliseconds before each reply of a `slow` host. */
const SLOWNESS_MS = 150

/** A leaf with the certificates that the server sends after it. */
export type ServerChain = { readonly leaf: Minted; readonly others?: readonly Minted[] }

export type MxHostOptions = {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** A unix socket in place of both. */
  readonly path?: string
  readonly chain?: ServerChain
  /** Chains for particular SNI names; `chain` serves the rest. */
  readonly chainsByName?: ReadonlyMap<string, ServerChain>
  readonly misbehavior?: Misbehavior
}

/** One connection as the host saw it. */
export type Session = {
  /** The client's address; empty where it came through a unix socket. */
  readonly from: string
  readonly commands: string[]
  /** MAIL FROM commands, and whether they came inside TLS. */
  readonly mails: { readonly from: string; readonly isEncrypted: boolean }[]
  readonly recipients: { readonly to: string; readonly isEncrypted: boolean }[]
  /** Whole messages taken, by recipient. */
  readonly delivered: string[]
  /** Their text. */
  readonly messages: string[]
  isEncrypted: boolean
  serverName: string | undefined
  /** Whether the TLS session was resumed. */
  isResumed: boolean
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
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => undefined)
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
    }
    sessions.push(session)
    serve(socket, session, misbehavior, deferredOnce, () => contextFor(options, chain, misbehavior))
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

type Contexts = {
  readonly fallback: SecureContext
  readonly byName: ReadonlyMap<string, SecureContext>
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

/** Made once for each chain: it costs as much as a handshake. */
function toContext(chain: ServerChain): SecureContext {
  const known = contexts.get(chain) ?? createSecureContext(toOptions(chain))
  contexts.set(chain, known)
  return known
}

const contexts = new WeakMap<ServerChain, SecureContext>()

function toOptions({ leaf, others = [] }: ServerChain): SecureContextOptions {
  return { key: leaf.keyPem, cert: [leaf, ...others].map(({ pem }) => pem).join('\n') }
}

/** Speaks SMTP on a plain socket until it is upgraded, then inside TLS. */
function serve(
  plain: Socket,
  session: Session,
  misbehavior: Misbehavior | undefined,
  deferredOnce: Set<string>,
  contexts: () => Contexts,
): void {
  let stream: Socket | TLSSocket = plain
  let pending = ''
  let isData = false
  let current: string[] = []
  const text: string[] = []

  const say = (line: string): void => {
    const target = stream
    const write = (): void => {
      if (target.writable) target.write(`${line}\r\n`)
    }
    if (misbehavior === 'slow') setTimeout(write, SLOWNESS_MS)
    else write()
  }

  const hear = (chunk: Buffer): void => {
    pending += chunk.toString('latin1')
    for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n')) {
      const line = pending.slice(0, end).replace(/\r$/, '')
      pending = pending.slice(end + 1)
      if (isData) data(line)
      else command(line)
    }
  }

  const data = (line: string): void => {
    if (line !== '.') {
      text.push(line)
      return
    }
    isData = false
    session.messages.push(text.splice(0).join('\n'))
    session.delivered.push(...current)
    current = []
    say('250 2.0.0 taken')
  }

  const command = (line: string): void => {
    session.commands.push(line)
    const verb = line.split(' ')[0]?.toUpperCase() ?? ''
    switch (verb) {
      case 'EHLO':
      case 'LHLO':
        return ehlo()
      case 'STARTTLS':
        return starttls()
      case 'MAIL':
        session.mails.push({ from: line, isEncrypted: session.isEncrypted })
        return say('250 2.1.0 ok')
      case 'RCPT': {
        const to = /<([^>]*)>/.exec(line)?.[1] ?? ''
        session.recipients.push({ to, isEncrypted: session.isEncrypted })
        if (misbehavior === 'rcpt-450') return say('450 4.2.0 later')
        if (misbehavior === 'rcpt-450-once' && to.startsWith('later') && !deferredOnce.has(to)) {
          deferredOnce.add(to)
          return say('450 4.2.0 later')
        }
        if (misbehavior === 'rcpt-550') return say('550 5.1.1 nobody')
        current.push(to)
        return say('250 2.1.5 ok')
      }
      case 'DATA':
        if (misbehavior === 'data-reset') {
          plain.resetAndDestroy()
          return undefined
        }
        isData = true
        return say('354 go on')
      case 'AUTH':
        return say('235 2.7.0 whoever you are')
      case 'RSET':
        current = []
        return say('250 2.0.0 ok')
      case 'HELO':
      case 'NOOP':
        return say('250 2.0.0 ok')
      case 'QUIT':
        say('221 2.0.0 bye')
        if (misbehavior !== 'slow') stream.end()
        return undefined
      default:
        return say('500 5.5.1 what')
    }
  }

  const ehlo = (): void => {
    if (!session.isEncrypted) {
      if (misbehavior === 'ehlo-502') return say('502 5.5.1 no')
      if (misbehavior === 'ehlo-421') return say('421 4.3.0 later')
    } else if (misbehavior === 'reset-after-tls') {
      plain.resetAndDestroy()
      return undefined
    }
    const offersTls = !session.isEncrypted && misbehavior !== 'no-starttls'
    say('250-laboratory')
    say('250-AUTH PLAIN')
    if (offersTls) say('250-STARTTLS')
    return say('250 SMTPUTF8')
  }

  const starttls = (): void => {
    switch (misbehavior) {
      case 'starttls-454':
        return say('454 4.7.0 not now')
      case 'starttls-554':
        return say('554 5.7.0 never')
      case 'starttls-hang-up':
        stream.destroy()
        return undefined
      case 'starttls-garbage':
        say('220 go ahead')
        stream.write('this is no ServerHello\r\n'.repeat(20))
        return undefined
      case 'starttls-silence':
        say('220 go ahead')
        plain.removeListener('data', hear)
        return undefined
      case 'starttls-inject-line':
        stream.write('220 go ahead\r\n554 5.7.1 injected\r\n')
        return upgrade()
      case 'starttls-inject-partial':
        stream.write('220 go ahead\r\n5')
        return upgrade()
      default:
        say('220 go ahead')
        return upgrade()
    }
  }

  const upgrade = (): void => {
    plain.removeListener('data', hear)
    const { fallback, byName } = contexts()
    const secure = new TLSSocket(plain, {
      isServer: true,
      secureContext: fallback,
      SNICallback: (name, done) => {
        session.serverName = name
        done(null, byName.get(name) ?? fallback)
      },
    })
    secure.on('error', () => undefined)
    secure.on('secure', () => {
      session.isEncrypted = true
      session.isResumed = secure.isSessionReused()
      pending = ''
    })
    secure.on('data', hear)
    stream = secure
  }

  plain.on('data', hear)
  switch (misbehavior) {
    case 'greeting-554':
      say('554 5.3.2 no mail here')
      break
    case 'greeting-421':
      say('421 4.3.2 later')
      break
    case 'greeting-garbage':
      say('SSH-2.0-laboratory')
      break
    case 'greeting-silence':
      break
    default:
      say('220 laboratory ESMTP')
  }
}
