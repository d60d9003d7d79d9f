/**
 * How does the laboratory run a Haraka with the plugin in it?
 *
 * The real one, unchanged, from node_modules or from anywhere else, with the packed
 * plugin installed beside it (prepare.mjs), its own configuration and queue. Mail
 * goes in over SMTP; what became of it is read from Haraka's own log lines, by the
 * message's id.
 */
import { readFileSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createTransport } from 'nodemailer'
import { freePort, runToEnd, startChild, until } from './child.js'
import type { Child } from './child.js'
import { ROOT } from './root.js'

export type HarakaOptions = {
  /** Made by `haraka -i`; must not exist. */
  readonly folder: string
  readonly unboundPort: number
  /** What Haraka's own connections to port 25 are led to. */
  readonly smtpPort: number
  /** dane.ini without [resolver] server and port, which are the laboratory's. */
  readonly daneIni: string
  /** Lines of config/plugins around `dane`; `relay` is always there. */
  readonly plugins?: readonly string[]
  /** More files of the configuration, by name; replaces the laboratory's own. */
  readonly files?: Readonly<Record<string, string>>
  /** Plugins of the test's own, by file name without `.js`. */
  readonly ownPlugins?: Readonly<Record<string, string>>
  readonly logLevel?: 'INFO' | 'DEBUG' | 'PROTOCOL'
  /** More lines of smtp.ini. */
  readonly smtpIni?: string
  /** Processes that deliver; 0: the one that listens, alone. */
  readonly workers?: number
  /** The folder of another Haraka package, and of the plugin's installation. */
  readonly harakaPackage?: string
  readonly nodeModules?: string
  /** Its log goes to `log` in its folder, not to this process's memory. */
  readonly isLogInFile?: boolean
  /** Do not wait until it listens: it is expected to refuse to start. */
  readonly mayFail?: boolean
}

/** What Haraka's log says became of one message. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly isEncrypted: boolean; readonly host: string }
  | { readonly kind: 'deferred'; readonly reason: string }
  | { readonly kind: 'bounced'; readonly reason: string }

export type Haraka = {
  readonly folder: string
  readonly smtpPort: number
  /** The process that runs now. */
  readonly child: Child
  /** Submits a message, to one recipient or many, and returns its id. */
  readonly submit: (to: string | readonly string[], from?: string) => Promise<string>
  /** Waits for what becomes of it. */
  readonly outcomeOf: (id: string, timeoutMs?: number) => Promise<Outcome>
  /** Log lines that bear this id, or all. */
  readonly log: (id?: string) => readonly string[]
  /** Waits until this many lines, one if not given, hold the text. */
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
  const program = path.join(
    options.harakaPackage ?? path.join(ROOT, 'node_modules/haraka'),
    'bin/haraka',
  )
  await runToEnd(process.execPath, [program, '-i', folder])
  await writeConfig(options, port)
  const start = (): Child =>
    startChild(process.execPath, [program, '-c', folder], {
      outputFile: options.isLogInFile ? path.join(folder, 'log') : undefined,
      env: {
        NODE_OPTIONS: `--require=${path.join(ROOT, 'lab/world.cjs')}`,
        LAB_RESOLVER: `127.0.0.1:${unboundPort}`,
        LAB_SMTP_PORT: String(options.smtpPort),
      },
    })
  const listening = (child: Child): Promise<void> =>
    until('Haraka', () => isListening(child.output().split('\n')), { child, timeoutMs: 60_000 })
  let child = start()
  const ended: string[] = []
  const log = (id?: string): readonly string[] => {
    const lines = [...ended, child.output()].join('').split('\n')
    // The tenth message of a connection has an id that begins as the first one's.
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
    async outcomeOf(id, timeoutMs = 60_000) {
      let outcome: Outcome | undefined
      await until(
        `outcome of ${id}`,
        () => {
          outcome = readOutcome(log(id))
          return outcome !== undefined
        },
        { timeoutMs },
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${log(id).join('\n')}`)
      })
      if (outcome === undefined) throw new Error('unreachable')
      return outcome
    },
    logged: (text, count = 1, timeoutMs = 15_000) =>
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

function isListening(lines: readonly string[]): boolean {
  return lines.some((line) => line.includes('Listening on 127.0.0.1:'))
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
  const { folder, unboundPort, smtpPort, daneIni } = options
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
    'dane.ini': withLaboratory(daneIni, unboundPort, smtpPort),
    ...options.files,
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(config, name), `${text}\n`)
  }
  for (const [name, code] of Object.entries(options.ownPlugins ?? {})) {
    await writeFile(path.join(folder, 'plugins', `${name}.js`), code)
  }
}

/** dane.ini of a test with the laboratory's resolver and port, unless the test says otherwise. */
export function withLaboratory(daneIni: string, unboundPort: number, smtpPort: number): string {
  const [top = ''] = daneIni.split(/^\[/m)
  const port = /^port\s*=/m.test(top) ? '' : `port = ${smtpPort}\n`
  const resolver = /^\[resolver\]/m.test(daneIni)
    ? ''
    : `\n[resolver]\nserver[] = 127.0.0.1:${unboundPort}\n`
  return `${port}${daneIni}${resolver}`
}
