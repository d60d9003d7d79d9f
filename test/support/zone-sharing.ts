/**
 * Processes that validate by themselves and share zones through a real Redis; the questions
 * that reach their resolver are counted.
 *
 * `NAMES` names of each of the zones `signed.example` and `unsigned.example` have an
 * address, so that each test has names that were not looked up before.
 */
import { fork } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startNameServers } from '../../lab/name-servers.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'

export type LookupProcess = {
  readonly pid: number
  /** `found secure`, `bogus: why`. */
  readonly look: (name: string, type?: 'A' | 'MX') => Promise<string>
  /** Forgets what it has in memory, as a process that starts does. */
  readonly restart: () => Promise<void>
}

export type ZoneSharing = {
  readonly redis: RedisServer
  /** The laboratory's root DS. */
  readonly anchorFile: string
  /** A config folder whose dane.ini has these lines in addition, `[redis]` last. */
  readonly config: (
    name: string,
    more?: { readonly anchorFile?: string; readonly redis?: readonly string[] },
  ) => Promise<string>
  /** @param config a folder made by `config` */
  readonly start: (config: string) => LookupProcess
  /** What the resolver was asked during the work, except by probes. */
  readonly asked: (work: () => Promise<unknown>) => Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

export const NAMES = 40
/** Of the same tree as this file, which may be a copy. */
const LOOKUP_PROCESS = path.join(__dirname, 'lookup-process.js')

export async function startZoneSharing(): Promise<ZoneSharing> {
  const folder = await mkdtemp(path.join(tmpdir(), 'zone-sharing-'))
  const stops: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const end of stops.reverse()) await end()
  }
  try {
    const records = Array.from({ length: NAMES }, (_, i) => `n${i} A 192.0.2.${i}`)
    const zone = (origin: string, state: 'signed' | 'unsigned', more: readonly string[] = []) => ({
      origin,
      state,
      records: [...records, ...more],
    })
    const names = await startNameServers(folder, [
      { origin: '', state: 'signed', records: [] },
      { origin: 'example', state: 'signed', records: [] },
      zone('signed.example', 'signed', ['@ MX 10 n1.hosts.example.']),
      zone('hosts.example', 'signed'),
      zone('unsigned.example', 'unsigned'),
    ])
    stops.push(() => names.stop())
    const redis = await startRedis(folder)
    stops.push(() => redis.child.stop())
    const { port, child } = await names.startResolver({ isPlain: true, isNoting: true })
    const questions = (): readonly string[] =>
      Array.from(
        child.output().matchAll(/info: 127\.0\.0\.1 (\S*)\. (\S+) IN$/gm),
        ([, owner = '', type = '']) => `${type} ${owner.toLowerCase()}.`,
      ).filter((question) => !PROBES.has(question))
    return {
      redis,
      anchorFile: names.trustAnchorFile,
      async config(name, { anchorFile = names.trustAnchorFile, redis: lines = [] } = {}) {
        const own = path.join(folder, name)
        await mkdir(own)
        const text = [
          '[resolver]',
          `server[] = 127.0.0.1:${port}`,
          'validation = own',
          `trust_anchors = ${anchorFile}`,
          '[redis]',
          `url = redis://127.0.0.1:${redis.port}`,
          // 100 ms pass quickly on a busy machine.
          ...(lines.some((line) => line.startsWith('timeout')) ? [] : ['timeout = 2s']),
          ...lines,
        ]
        await writeFile(path.join(own, 'dane.ini'), `${text.join('\n')}\n`)
        return own
      },
      start(config) {
        const started = startLookups(path.join(config, 'dane.ini'))
        stops.push(started.stop)
        return started
      },
      async asked(work) {
        const before = questions().length
        await work()
        return questions().slice(before)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function startLookups(ini: string): LookupProcess & { readonly stop: () => Promise<void> } {
  const child = fork(LOOKUP_PROCESS, [ini])
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  // One message at a time.
  let last: Promise<unknown> = Promise.resolve()
  const say = (message: readonly string[]): Promise<string> => {
    const answer = last.then(
      () =>
        new Promise<string>((resolve, reject) => {
          const gone = (): void => {
            reject(new Error('the process ended'))
          }
          child.once('exit', gone)
          child.once('message', (text) => {
            child.off('exit', gone)
            resolve(typeof text === 'string' ? text : 'no text')
          })
          child.send(message)
        }),
    )
    last = answer.catch(() => undefined)
    return answer
  }
  return {
    pid: child.pid ?? 0,
    look: (name, type = 'A') => say([name, type]),
    async restart() {
      await say([])
    },
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Of the probe, and of the laboratory. */
const PROBES: ReadonlySet<string> = new Set(['SOA .', 'DNSKEY .', 'DS _dane-probe.', 'A ns.root.'])
