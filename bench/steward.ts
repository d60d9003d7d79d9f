/**
 * Makes a relay of the bench work, and measures the cost.
 *
 * Sends requests to the steward (steward.cjs) inside each of its processes, and fills its
 * queue with files in Haraka's own format.
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { until } from '../lab/child.js'
import type { Haraka } from '../lab/haraka.js'

export type Delivery = {
  readonly delivered: number
  readonly deferred: number
  readonly bounced: number
  /** Until the last message is settled. */
  readonly seconds: number
  /** Of all threads of the relay's processes. */
  readonly cpuSeconds: number
}

export type Planning = {
  /** From before our hook until Haraka has its list of hosts. */
  readonly microseconds: readonly number[]
  /** Of these, from the call of our hook to its answer; 0 if not timed. */
  readonly ownMicroseconds: readonly number[]
  /** Messages without a plan. */
  readonly refused: number
  readonly cpuSeconds: number
}

export type Relay = {
  readonly haraka: Haraka
  /** Fills the queue with one message per domain, and delivers it. */
  readonly deliver: (domains: readonly string[]) => Promise<Delivery>
  /** Times the get_mx hook, for one domain after the other or several at once. */
  readonly plan: (domains: readonly string[], atOnce?: number) => Promise<Planning>
  /** The same for one domain after the other, excluding the hooks of other plugins. */
  readonly timedPlan: (domains: readonly string[]) => Promise<Planning>
  /** Resident bytes after garbage collection. */
  readonly residentBytes: () => Promise<number>
  /** Reloads dane.ini, which clears the process's cache. */
  readonly forget: () => Promise<void>
  /** Runs the work with a CPU profile written to this file. */
  readonly profiled: <T>(file: string, work: () => Promise<T>) => Promise<T>
  /** Log lines that contain this text. */
  readonly count: (text: string) => number
}

/** @param nodes worker processes of the relay; 0: it delivers itself */
export async function createSteward(haraka: Haraka, nodes: number): Promise<Relay> {
  const { folder } = haraka
  const workers: number[] = []
  await until('the stewards', async () => {
    const found = readdirSync(folder).flatMap((name) => /^steward-(\d+)$/.exec(name)?.[1] ?? [])
    workers.length = 0
    for (const pid of found.map(Number)) {
      // Its socket exists a moment before it listens.
      const who = await ask(folder, pid, 'who', hasNumbers('isWorker')).catch(() => undefined)
      if (who && (who.isWorker === 1 || nodes === 0)) workers.push(pid)
    }
    return workers.length === Math.max(1, nodes)
  })
  const [first = 0] = workers
  const count = (text: string): number =>
    readFileSync(path.join(folder, 'log'), 'utf8').split(text).length - 1
  let reloads = 0

  return {
    haraka,
    count,
    async deliver(domains) {
      const shares = workers.map((pid, index) => ({
        pid,
        share: domains.filter((_, i) => i % workers.length === index),
      }))
      for (const { pid, share } of shares) for (const domain of share) enqueue(folder, pid, domain)
      const deliveries = await Promise.all(
        shares.map(({ pid, share }) =>
          ask(folder, pid, 'deliver', isDelivery, { messages: share.length }),
        ),
      )
      const sum = (pick: (each: Delivery) => number): number =>
        deliveries.reduce((total, each) => total + pick(each), 0)
      return {
        delivered: sum(({ delivered }) => delivered),
        deferred: sum(({ deferred }) => deferred),
        bounced: sum(({ bounced }) => bounced),
        seconds: Math.max(...deliveries.map(({ seconds }) => seconds)),
        cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
      }
    },
    plan: (domains, atOnce = 1) => ask(folder, first, 'plan', isPlanning, { domains, atOnce }),
    timedPlan: (domains) => ask(folder, first, 'plan', isPlanning, { domains, isTimed: true }),
    async residentBytes() {
      return (await ask(folder, first, 'memory', hasNumbers('rss'))).rss
    },
    async forget() {
      const file = path.join(folder, 'config/dane.ini')
      const taken = nodes === 0 ? 'dane.ini reloaded' : 'workers have taken the new dane.ini'
      const before = count(taken)
      reloads += 1
      const text = readFileSync(file, 'utf8').replace(/\n; reload.*$/s, '')
      writeFileSync(file, `${text}\n; reload ${reloads}\n`)
      await until('the reload', () => count(taken) > before)
    },
    async profiled(file, work) {
      await ask(folder, first, 'startProfile', isAnything)
      try {
        return await work()
      } finally {
        await ask(folder, first, 'stopProfile', isAnything, { file })
      }
    },
  }
}

/** One queue file, in the format of Haraka's outbound/qfile.js and todo.js. */
function enqueue(folder: string, pid: number, domain: string): void {
  const now = Date.now()
  const id = randomUUID()
  const address = (user: string, host: string): object => ({
    original: `<${user}@${host}>`,
    original_host: host,
    host,
    user,
  })
  const todo = {
    queue_time: now,
    domain,
    rcpt_to: [address('somebody', domain)],
    mail_from: address('sender', 'relay.example'),
    notes: {},
    uuid: `${id.toUpperCase()}.1`,
    force_tls: false,
  }
  const head = Buffer.from(`\n${JSON.stringify(todo, undefined, '\t')}\n`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  const name = [now, now, 0, pid, id.slice(0, 6), counter++ % 10_000, hostname()].join('_')
  writeFileSync(
    path.join(folder, 'queue', name),
    Buffer.concat([length, head, Buffer.from(messageTo(domain))]),
  )
}

let counter = 0

/** About two kilobytes, as a short mail with its usual header. */
export function messageTo(domain: string): string {
  const lines = [
    'Received: from desk.relay.example (desk.relay.example [192.0.2.7]) by relay.example (Haraka) with ESMTPSA',
    'From: Sender <sender@relay.example>',
    `To: Somebody <somebody@${domain}>`,
    'Subject: a short message',
    `Message-Id: <${randomUUID()}@relay.example>`,
    'Date: Wed, 17 Jun 2026 12:00:00 +0000',
    '',
    ...Array.from(
      { length: 24 },
      () => 'What is written here is of no importance to anybody at all.',
    ),
  ]
  return `${lines.join('\r\n')}\r\n`
}

/** Sends one request to the steward of one process; rejects on an unexpected reply. */
function ask<T>(
  folder: string,
  pid: number,
  verb: string,
  isExpected: (result: unknown) => result is T,
  more: object = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = connect(path.join(folder, `steward-${pid}`))
    socket.once('error', reject)
    socket.write(`${JSON.stringify({ verb, ...more })}\n`)
    const lines = createInterface({ input: socket })
    lines.once('error', reject)
    lines.once('line', (line) => {
      socket.destroy()
      const reply: unknown = JSON.parse(line)
      const result = fieldOf(reply, 'result')
      if (isExpected(result)) resolve(result)
      else reject(new Error(`${verb}: ${line}`))
    })
  })
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

function hasNumbers<K extends string>(...keys: readonly K[]) {
  return (value: unknown): value is Record<K, number> =>
    keys.every((key) => typeof fieldOf(value, key) === 'number')
}

const isDelivery = hasNumbers('delivered', 'deferred', 'bounced', 'seconds', 'cpuSeconds')

function isPlanning(value: unknown): value is Planning {
  return (
    hasNumbers('refused', 'cpuSeconds')(value) &&
    ['microseconds', 'ownMicroseconds'].every((key) => {
      const times: unknown = fieldOf(value, key)
      return Array.isArray(times) && times.every((each) => typeof each === 'number')
    })
  )
}

function isAnything(value: unknown): value is unknown {
  return value !== undefined
}
