/**
 * One SMTP session on a mail host of the laboratory, with its misbehavior.
 *
 * Speaks SMTP on a plain socket until STARTTLS, then inside TLS, and records in `Session`
 * what the client did.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'

export const MISBEHAVIORS = [
  'no-starttls',
  'starttls-454',
  'starttls-554',
  'starttls-hang-up',
  'starttls-garbage',
  'starttls-silence',
  /** 220, followed by a reset. */
  'starttls-reset',
  /** One octet every DRIBBLE_MS, so that no idle timer ever fires. */
  'dribble-greeting',
  'dribble-ehlo',
  'dribble-starttls',
  'dribble-handshake',
  'starttls-inject-line',
  'starttls-inject-partial',
  'ehlo-502',
  'ehlo-421',
  'greeting-554',
  'greeting-421',
  'greeting-garbage',
  'greeting-silence',
  'reset-after-tls',
  'tls-1.1',
  'rcpt-450',
  'rcpt-550',
  /** Only the first time, and only for recipients that begin with `later`. */
  'rcpt-450-once',
  'data-reset',
  'slow',
  /** The last line of each reply has no text (RFC 5321 §4.2). */
  'code-alone',
  /** Each line ends with a space. */
  'space-behind',
  'cr-cr-lf',
] as const

export type Misbehavior = (typeof MISBEHAVIORS)[number]

/** Milliseconds before each reply of a `slow` host. */
const SLOWNESS_MS = 150

/** Milliseconds between the octets of a host that dribbles. */
const DRIBBLE_MS = 300

/** One connection as seen by the host. */
export type Session = {
  /** The client's address; empty for a Unix socket. */
  readonly from: string
  readonly commands: string[]
  /** MAIL FROM commands, and whether they arrived inside TLS. */
  readonly mails: { readonly from: string; readonly isEncrypted: boolean }[]
  readonly recipients: { readonly to: string; readonly isEncrypted: boolean }[]
  /** The recipients of every message accepted. */
  readonly delivered: string[]
  /** The text of every message accepted. */
  readonly messages: string[]
  isEncrypted: boolean
  serverName: string | undefined
  /** Whether the TLS session was resumed. */
  isResumed: boolean
  /** Errors of the connection: a reset, a TLS error. */
  readonly errors: string[]
  isClosed: boolean
}

export type Contexts = {
  readonly fallback: SecureContext
  readonly byName: ReadonlyMap<string, SecureContext>
}

export type DialogOptions = {
  readonly misbehavior: Misbehavior | undefined
  /** Appended to every reply, except the line that offers STARTTLS. */
  readonly words: string | undefined
  /** Recipients that `rcpt-450-once` has deferred, shared by the sessions of a host. */
  readonly deferredOnce: Set<string>
  /** The certificates, read at STARTTLS. */
  readonly contexts: () => Contexts
}

export class MxDialog {
  readonly #plain: Socket
  readonly #session: Session
  readonly #options: DialogOptions
  #stream: Socket | TLSSocket
  #pending = ''
  #isData = false
  #current: string[] = []
  readonly #text: string[] = []

  constructor(plain: Socket, session: Session, options: DialogOptions) {
    this.#plain = plain
    this.#stream = plain
    this.#session = session
    this.#options = options
  }

  start(): void {
    this.#plain.on('data', this.#receive)
    switch (this.#options.misbehavior) {
      case 'greeting-554':
        return this.#say('554 5.3.2 no mail here')
      case 'greeting-421':
        return this.#say('421 4.3.2 later')
      case 'greeting-garbage':
        return this.#say('SSH-2.0-laboratory')
      case 'greeting-silence':
        return undefined
      case 'dribble-greeting':
        return this.#dribble(Buffer.from('220-'), 'x')
      default:
        return this.#say('220 laboratory ESMTP')
    }
  }

  #say(line: string): void {
    const { words, misbehavior } = this.#options
    const target = this.#stream
    const write = (): void => {
      const said = words === undefined || line.endsWith('STARTTLS') ? line : `${line} ${words}`
      if (target.writable) target.write(inForm(said, misbehavior))
    }
    if (misbehavior === 'slow') setTimeout(write, SLOWNESS_MS)
    else write()
  }

  /** Sends an endless reply, or an endless TLS record, one octet at a time. */
  #dribble(begin: Buffer, next: string): void {
    const plain = this.#plain
    let sent = 0
    const timer = setInterval(() => {
      if (!plain.writable) clearInterval(timer)
      else plain.write(sent < begin.length ? begin.subarray(sent, ++sent) : next, 'latin1')
    }, DRIBBLE_MS)
    plain.on('close', () => clearInterval(timer))
  }

  readonly #receive = (chunk: Buffer): void => {
    this.#pending += chunk.toString('latin1')
    for (let end = this.#pending.indexOf('\n'); end !== -1; end = this.#pending.indexOf('\n')) {
      const line = this.#pending.slice(0, end).replace(/\r$/, '')
      this.#pending = this.#pending.slice(end + 1)
      if (this.#isData) this.#data(line)
      else this.#command(line)
    }
  }

  #data(line: string): void {
    if (line !== '.') {
      this.#text.push(line)
      return
    }
    this.#isData = false
    this.#session.messages.push(this.#text.splice(0).join('\n'))
    this.#session.delivered.push(...this.#current)
    this.#current = []
    this.#say('250 2.0.0 taken')
  }

  #command(line: string): void {
    this.#session.commands.push(line)
    const verb = line.split(' ')[0]?.toUpperCase() ?? ''
    switch (verb) {
      case 'EHLO':
      case 'LHLO':
        return this.#ehlo()
      case 'STARTTLS':
        return this.#starttls()
      case 'MAIL':
        this.#session.mails.push({ from: line, isEncrypted: this.#session.isEncrypted })
        return this.#say('250 2.1.0 ok')
      case 'RCPT':
        return this.#rcpt(/<([^>]*)>/.exec(line)?.[1] ?? '')
      case 'DATA':
        if (this.#options.misbehavior === 'data-reset') return this.#reset()
        this.#isData = true
        return this.#say('354 go on')
      case 'AUTH':
        return this.#say('235 2.7.0 whoever you are')
      case 'RSET':
        this.#current = []
        return this.#say('250 2.0.0 ok')
      case 'HELO':
      case 'NOOP':
        return this.#say('250 2.0.0 ok')
      case 'QUIT':
        this.#say('221 2.0.0 bye')
        if (this.#options.misbehavior !== 'slow') this.#stream.end()
        return undefined
      default:
        return this.#say('500 5.5.1 what')
    }
  }

  #rcpt(to: string): void {
    const { misbehavior, deferredOnce } = this.#options
    this.#session.recipients.push({ to, isEncrypted: this.#session.isEncrypted })
    if (misbehavior === 'rcpt-450') return this.#say('450 4.2.0 later')
    if (misbehavior === 'rcpt-450-once' && to.startsWith('later') && !deferredOnce.has(to)) {
      deferredOnce.add(to)
      return this.#say('450 4.2.0 later')
    }
    if (misbehavior === 'rcpt-550') return this.#say('550 5.1.1 nobody')
    this.#current.push(to)
    return this.#say('250 2.1.5 ok')
  }

  #ehlo(): void {
    const { misbehavior } = this.#options
    if (!this.#session.isEncrypted) {
      if (misbehavior === 'ehlo-502') return this.#say('502 5.5.1 no')
      if (misbehavior === 'ehlo-421') return this.#say('421 4.3.0 later')
      if (misbehavior === 'dribble-ehlo') return this.#dribble(Buffer.from('250-'), 'x')
    } else if (misbehavior === 'reset-after-tls') return this.#reset()
    const offersTls = !this.#session.isEncrypted && misbehavior !== 'no-starttls'
    this.#say('250-laboratory')
    this.#say('250-AUTH PLAIN')
    if (offersTls) this.#say('250-STARTTLS')
    return this.#say('250 SMTPUTF8')
  }

  #starttls(): void {
    switch (this.#options.misbehavior) {
      case 'starttls-454':
        return this.#say('454 4.7.0 not now')
      case 'starttls-554':
        return this.#say('554 5.7.0 never')
      case 'starttls-hang-up':
        this.#stream.destroy()
        return undefined
      case 'starttls-garbage':
        this.#say('220 go ahead')
        this.#plain.removeListener('data', this.#receive)
        // In reply to the ClientHello: together with the 220 it would be another misbehavior.
        this.#plain.once('data', () => this.#plain.write('this is no ServerHello\r\n'.repeat(20)))
        return undefined
      case 'starttls-silence':
        this.#say('220 go ahead')
        this.#plain.removeListener('data', this.#receive)
        return undefined
      case 'starttls-reset':
        // After the client has read the 220: a reset discards data that is still in flight.
        this.#stream.write('220 go ahead\r\n')
        setTimeout(() => this.#reset(), 50)
        return undefined
      case 'dribble-starttls':
        return this.#dribble(Buffer.from('220-'), 'x')
      case 'dribble-handshake':
        this.#say('220 go ahead')
        this.#plain.removeListener('data', this.#receive)
        this.#plain.resume()
        // A handshake record of 16 kB.
        return this.#dribble(Buffer.from([22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3, 3]), 'x')
      case 'starttls-inject-line':
        this.#stream.write('220 go ahead\r\n554 5.7.1 injected\r\n')
        return this.#upgrade()
      case 'starttls-inject-partial':
        this.#stream.write('220 go ahead\r\n5')
        return this.#upgrade()
      default:
        this.#say('220 go ahead')
        return this.#upgrade()
    }
  }

  #upgrade(): void {
    this.#plain.removeListener('data', this.#receive)
    const { fallback, byName } = this.#options.contexts()
    const secure = new TLSSocket(this.#plain, {
      isServer: true,
      secureContext: fallback,
      SNICallback: (name, done) => {
        this.#session.serverName = name
        done(null, byName.get(name) ?? fallback)
      },
    })
    secure.on('error', (error: Error) => this.#session.errors.push(error.message))
    secure.on('secure', () => {
      this.#session.isEncrypted = true
      this.#session.isResumed = secure.isSessionReused()
      this.#pending = ''
    })
    secure.on('data', this.#receive)
    this.#stream = secure
  }

  #reset(): void {
    this.#plain.resetAndDestroy()
  }
}

/** The line as this host sends it. */
function inForm(line: string, misbehavior: Misbehavior | undefined): string {
  switch (misbehavior) {
    case 'code-alone':
      return `${line.replace(/^(\d\d\d) .*/, '$1')}\r\n`
    case 'space-behind':
      return `${line} \r\n`
    case 'cr-cr-lf':
      return `${line}\r\r\n`
    default:
      return `${line}\r\n`
  }
}
