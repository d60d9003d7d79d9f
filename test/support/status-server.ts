/**
 * The delivery status on an HTTP server of this process, with all of its own parts: what
 * would happen to mail is noted by the test, the queue is a folder. For tests of thousands
 * of destinations, which Haraka would need minutes to try, and of a server that goes away.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../../lab/free-port.js'
import { Recorder } from '../../src/haraka/status/recorder.js'
import { addStatusPages } from '../../src/haraka/status/web.js'
import type { HttpHost } from '../../src/haraka/host.js'
import { parseSettings } from '../../src/settings/settings.js'
import { assembleStatus } from '../../src/status/assemble-status.js'
import { MergedFacts } from '../../src/status/merged-facts.js'
import { viewPlan } from '../../src/status/plan-view.js'
import { QueueReader } from '../../src/status/queue-files.js'

export type StatusServer = {
  /** Of the page. */
  readonly url: string
  readonly port: number
  /** What happens to mail. */
  readonly recorder: Recorder
  /** The queue. */
  readonly folder: string
  /** What it has logged. */
  readonly lines: readonly string[]
  /** It listens no longer, and its connections are closed. */
  readonly goAway: () => Promise<void>
  readonly comeBack: () => Promise<void>
  readonly stop: () => Promise<void>
}

type Answer = Parameters<HttpHost['http']['app']['use']>[0]

export async function startStatusServer(
  options: { readonly hosts?: readonly string[] } = {},
): Promise<StatusServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-status-server-'))
  const lines: string[] = []
  const note = (text: string): void => {
    lines.push(text)
  }
  const log = {
    logdebug: note,
    loginfo: note,
    lognotice: note,
    logwarn: note,
    logerror: note,
    logcrit: note,
  }
  const recorder = new Recorder(log)
  recorder.settings(parseSettings('[resolver]\nserver[] = 127.0.0.1\n'))
  const facts = new MergedFacts()
  const reader = new QueueReader({
    folder,
    share: 0.5,
    intervals: () => [3_600],
    now: () => Date.now(),
  })
  const source = assembleStatus({
    facts,
    queue: () => reader.look(30_000),
    gather: () => {
      facts.take(recorder.facts.drain(Infinity))
      return Promise.resolve()
    },
    plans: (destination) => {
      const own = recorder.facts.planOf(destination)
      return Promise.resolve(own ? [viewPlan(own)] : [])
    },
    relay: () => RELAY,
    policies: () => POLICIES,
    now: () => Date.now(),
  })
  let answer: Answer | undefined
  const app = {
    get: () => undefined,
    use: (own: Answer) => {
      answer = own
    },
  }
  addStatusPages(
    { http: { app } },
    { path: '/dane', isProxied: false, hosts: options.hosts ?? [] },
    source,
    log,
  )
  const port = await freePort()
  let server: Server | undefined
  const comeBack = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer((request, response) => {
        answer?.(request, response, () => {
          response.writeHead(404).end()
        })
      })
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  const goAway = (): Promise<void> =>
    new Promise((resolve) => {
      server?.close(() => {
        resolve()
      })
      server?.closeAllConnections()
    })
  await comeBack()
  return {
    url: `http://127.0.0.1:${port}/dane`,
    port,
    recorder,
    folder,
    lines,
    goAway,
    comeBack,
    async stop() {
      await goAway()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const POLICIES = {
  of: () => ({ policy: 'opportunistic', line: undefined, text: undefined }) as const,
}

const RELAY = {
  name: 'relay.example',
  version: '0',
  workers: 0,
  silentWorkers: 0,
  since: Date.now(),
  resolvers: [{ server: '127.0.0.1:53', state: 'validating', detail: '' }],
  redis: undefined,
  tlsrpt: undefined,
} as const
