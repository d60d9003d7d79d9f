/**
 * Runs Haraka with the plugin.
 *
 * An unmodified Haraka, from node_modules or from elsewhere, with the packed
 * plugin installed beside it (scripts/prepare.mjs), its own configuration and queue. Mail
 * is submitted over SMTP; its outcome is read from Haraka's own log lines, by the
 * message's id.
 */
import { readFileSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createTransport } from 'nodemailer'
import { runToEnd, startChild, until } from './child.js'
import { freePort } from './free-port.js'
import { DH_PARAMETERS } from './dh-parameters.js'
import type { Child } from './child.js'
import { ROOT } from './root.js'

export type HarakaOptions = {
  /** Made by `haraka -i`; must not exist. */
  readonly folder: string
  readonly unboundPort: number
  /** The port to which Haraka's own connections to port 25 are redirected. */
  readonly smtpPort: number
  /** dane.ini without [resolver] server and port, which the laboratory adds. */
  readonly daneIni: string
  /** Lines that the laboratory adds to [resolver]. */
  readonly resolverLines?: readonly string[]
  /** Lines of config/plugins around `dane`; `relay` is always included. */
  readonly plugins?: readonly string[]
  /** Additional configuration files, by name; they replace the laboratory's own. */
  readonly files?: Readonly<Record<string, string>>
  /** Plugins of the test, by file name without `.js`. */
  readonly ownPlugins?: Readonly<Record<string, string>>
  readonly logLevel?: 'INFO' | 'DEBUG' | 'PROTOCOL'
  /** Additional lines of smtp.ini. */
  readonly smtpIni?: string
  /** Worker processes; 0: the listening process delivers. */
  readonly workers?: number
  /** The folder of a different Haraka package, and of the plugin's installation. */
  readonly harakaPackage?: string
  readonly nodeModules?: string
  /** Write its log to `log` in its folder, not to this process's memory. */
  readonly isLogInFile?: boolean
  /** A file with the milliseconds by which its clock is ahead; may change while it runs. */
  readonly clockFile?: string
  /** The sender of TLS reports looks this many times as often at what is due. */
  readonly haste?: number
  /** Connections to this address go to 127.0.0.1, if a lookup of the plugin answered with it. */
  readonly onLoopback?: string
  /** A file of certificate authorities, in PEM, that its HTTPS clients trust. */
  readonly caFile?: string
  /** Do not require that it listens: it is expected to refuse to start. */
  readonly mayFail?: boolean
}

/** The outcome of one message according to Haraka's log. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly isEncrypted: boolean; readonly host: string }
  | { readonly kind: 'deferred'; readonly reason: string }
  | { readonly kind: 'bounced'; readonly reason: string }

export type Haraka = {
  readonly folder: string
  readonly smtpPort: number
  /** The current process. */
  readonly child: Child
  /** Submits a message, to one recipient or many, and returns its id. */
  readonly submit: (to: string | readonly string[], from?: string) => Promise<string>
  /** Waits for the outcome of a message. */
  readonly outcomeOf: (id: string, timeoutMs?: number) => Promise<Outcome>
  /** Log lines with this id, or all. */
  readonly log: (id?: string) => readonly string[]
  /** Waits until this many lines (default 1) contain the text. */
  readonly logged: (text: string, count?: number, timeoutMs?: number) => Promise<void>
  /** Process ids of its workers. */
  readonly workers: () => readonly number[]
  /** Writes a file below its folder. */
  readonly write: (name: string, text: string) => Promise<void>
  /** Ends the process by this signal and starts another with the same configuration and queue. */
  readonly restart: (signal: NodeJS.Signals) => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startHaraka(options: HarakaOptions): Promise<Haraka> {
  const { folder, unboundPort } = options
  const port = await freePort()
  const harakaPackage = options.harakaPackage ?? path.join(ROOT, 'node_modules/haraka')
  const program = path.join(harakaPackage, 'bin/haraka')
  await runToEnd(process.execPath, [program, '-i', folder])
  await writeConfig(options, port)
  const start = (): Child =>
    startChild(process.execPath, [program, '-c', folder], {
      outputFile: options.isLogInFile ? path.join(folder, 'log') : undefined,
      env: {
        NODE_OPTIONS: `--require=${path.join(ROOT, 'lab/world.cjs')}`,
        LAB_RESOLVER: `127.0.0.1:${unboundPort}`,
        LAB_SMTP_PORT: String(options.smtpPort),
        ...(options.clockFile !== undefined && { LAB_CLOCK: options.clockFile }),
        ...(options.haste !== undefined && { LAB_HASTE: String(options.haste) }),
        ...(options.onLoopback !== undefined && { LAB_LOOPBACK: options.onLoopback }),
        ...(options.caFile !== undefined && { NODE_EXTRA_CA_CERTS: options.caFile }),
      },
    })
  const listening = (child: Child): Promise<void> =>
    until('Haraka', () => isReady(child.output(), options.workers ?? 0), {
      child,
      timeoutMs: 120_000,
    })
  let child = start()
  const ended: string[] = []
  const log = (id?: string): readonly string[] => {
    const lines = [...ended, child.output()].join('').split('\n')
    // The id of a connection's tenth message begins with the id of its first.
    const isOf = (line: string): boolean =>
      [`${id ?? ''}.`, `${id ?? ''}]`].some((own) => line.includes(own))
    return id === undefined ? lines : lines.filter(isOf)
  }
  if (options.mayFail) await Promise.race([child.exited, listening(child)]).catch(() => undefined)
  else {
    await listening(child).catch(async (error: unknown) => {
      await child.stop()
      throw error
    })
  }
  const transport = createTransport({ host: '127.0.0.1', port, ignoreTLS: true, pool: true })
  return {
    folder,
    smtpPort: port,
    get child() {
      return child
    },
    log,
    async submit(recipients, from = 'sender@relay.example') {
      const to = [recipients].flat()
      const raw = `From: <${from}>\r\nTo: <${to.join('>, <')}>\r\nSubject: laboratory\r\n\r\nHello.\r\n`
      const { response } = await transport.sendMail({ envelope: { from, to }, raw })
      const id = /Message Queued \(([^)]+)\)/.exec(response)?.[1]
      if (id === undefined) throw new Error(`not queued: ${response}`)
      return id
    },
    outcomeOf: (id, timeoutMs = 120_000) => waitForOutcome(id, () => log(id), timeoutMs),
    logged: (text, count = 1, timeoutMs = 60_000) =>
      until(
        `${count} times: ${text}`,
        () => log().filter((line) => line.includes(text)).length >= count,
        { timeoutMs, child },
      ),
    workers: () =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
        .split(' ')
        .filter((each) => each !== '')
        .map(Number),
    write: (name, text) => writeFile(path.join(folder, name), text),
    async restart(signal) {
      child.signal(signal)
      await child.exited
      ended.push(child.output())
      child = start()
      await listening(child)
    },
    async stop() {
      transport.close()
      await child.stop()
    },
  }
}

/** Rejects with the log lines of the message if there is no outcome in time. */
async function waitForOutcome(
  id: string,
  log: () => readonly string[],
  timeoutMs: number,
): Promise<Outcome> {
  let outcome: Outcome | undefined
  const isSettled = (): boolean => {
    outcome = readOutcome(log())
    return outcome !== undefined
  }
  await until(`outcome of ${id}`, isSettled, { timeoutMs }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${log().join('\n')}`)
  })
  if (outcome === undefined) throw new Error('unreachable')
  return outcome
}

/**
 * A single process listens before it prepares its queue, and until then cannot store a
 * message (550) or removes the file that it writes. Workers start after that.
 */
function isReady(output: string, workers: number): boolean {
  return (
    output.includes('Listening on 127.0.0.1:') &&
    (workers > 0 || output.includes('files in my temp fail queue'))
  )
}

function readOutcome(lines: readonly string[]): Outcome | undefined {
  for (const line of lines) {
    const delivered = /delivered file=.*? host=(\S+) .*? tls=([YN])/.exec(line)
    if (delivered) {
      return { kind: 'delivered', isEncrypted: delivered[2] === 'Y', host: delivered[1] ?? '' }
    }
    const deferred = /Temp failing \S+ for \d+ seconds: (.*)$/.exec(line)
    if (deferred) return { kind: 'deferred', reason: deferred[1] ?? '' }
    const bounced = /bouncing mail: (.*)$/.exec(line)
    if (bounced) return { kind: 'bounced', reason: bounced[1] ?? '' }
  }
  return undefined
}

async function writeConfig(options: HarakaOptions, port: number): Promise<void> {
  const { folder, unboundPort, smtpPort, daneIni, resolverLines } = options
  const config = path.join(folder, 'config')
  const nodeModules =
    options.nodeModules ??
    process.env['LAB_NODE_MODULES'] ??
    path.join(ROOT, 'build/relay/node_modules')
  await symlink(nodeModules, path.join(folder, 'node_modules'))
  const files: Record<string, string> = {
    'smtp.ini': `listen=127.0.0.1:${port}\nnodes=${options.workers ?? 0}\n${options.smtpIni ?? ''}`,
    me: 'relay.example',
    plugins: ['relay', ...(options.plugins ?? ['dane'])].join('\n'),
    'relay.ini': '[relay]\nacl=true\n',
    relay_acl_allow: '127.0.0.0/8',
    'log.ini': `level=${options.logLevel ?? 'INFO'}\ntimestamps=false\n`,
    'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5\n',
    'dane.ini': withLaboratory(daneIni, unboundPort, smtpPort, resolverLines),
    'dhparams.pem': DH_PARAMETERS,
    ...options.files,
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(config, name), `${text}\n`)
  }
  for (const [name, code] of Object.entries(options.ownPlugins ?? {})) {
    await writeFile(path.join(folder, 'plugins', `${name}.js`), code)
  }
}

/**
 * dane.ini of a test with the laboratory's resolver and port, unless the test says
 * otherwise. Resolvers of the laboratory listen on unprivileged ports, so they are
 * not trusted without `trust = yes`.
 */
export function withLaboratory(
  daneIni: string,
  unboundPort: number,
  smtpPort: number,
  lines: readonly string[] = [],
): string {
  const [top = ''] = daneIni.split(/^\[/m)
  const port = /^port\s*=/m.test(top) ? '' : `port = ${smtpPort}\n`
  const resolver = /^\[resolver\]/m.test(daneIni)
    ? ''
    : `\n[resolver]\nserver[] = 127.0.0.1:${unboundPort}\n`
  const text = `${port}${daneIni}${resolver}`.replace(
    /^\[resolver\]$/m,
    ['$&', ...lines].join('\n'),
  )
  return /^trust\s*=/m.test(text) ? text : text.replace(/^\[resolver\]$/m, '$&\ntrust = yes')
}
