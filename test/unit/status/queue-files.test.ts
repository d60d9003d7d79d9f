/** The queue folder, with files that Haraka did not write, and files that come and go. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { QueueReader } from '../../../src/status/queue-files.js'
import type { QueueView } from '../../../src/status/queue-files.js'
import { MAX_DESTINATIONS } from '../../../src/status/status-model.js'
import { queueFile, writeQueue } from '../../support/queue-folder.js'

let folder: string
let alive: NodeJS.Timeout
beforeEach(() => {
  // The reader's own timers keep no process alive.
  alive = setInterval(() => undefined, 1_000)
  folder = mkdtempSync(path.join(tmpdir(), 'dane-queue-'))
})
afterEach(() => {
  clearInterval(alive)
  rmSync(folder, { recursive: true, force: true })
})

const NOW = 1_796_000_000_000
const reader = (more: Partial<ConstructorParameters<typeof QueueReader>[0]> = {}): QueueReader =>
  new QueueReader({ folder, share: 0.5, intervals: () => [60, 600], now: () => NOW, ...more })

/** Looks until the folder has been read again. */
async function readAgain(queue: QueueReader): Promise<QueueView> {
  await sleep(1_100)
  return queue.look(20_000)
}

test('sums by destination, oldest, next and end', async () => {
  writeQueue(folder, { domain: 'a.example', arrived: NOW - 5_000, next: NOW + 9_000, attempts: 1 })
  writeQueue(folder, {
    domain: 'A.example',
    arrived: NOW - 9_000,
    next: NOW + 3_000,
    attempts: 2,
    recipients: 3,
  })
  writeQueue(folder, { domain: 'a.example', arrived: NOW - 1_000, next: NOW - 1_000 })
  writeQueue(folder, { domain: 'b.example', arrived: NOW - 2_000, next: NOW + 1_000, attempts: 1 })
  const { status, byDestination } = await reader().look(20_000)
  assert.deepEqual(status, {
    kind: 'counted',
    at: NOW,
    detail: '',
    files: 4,
    messages: 4,
    recipients: 6,
    unreadable: 0,
    messagesWithoutRow: 0,
    oldest: { destination: 'a.example', arrivedAt: NOW - 9_000, givesUpAt: NOW + 3_000 },
    next: { at: NOW + 1_000, destination: 'b.example' },
  })
  assert.deepEqual(Object.fromEntries(byDestination), {
    'a.example': {
      messages: 3,
      recipients: 5,
      due: 1,
      oldestAt: NOW - 9_000,
      givesUpAt: NOW + 3_000,
      nextRetryAt: NOW + 3_000,
    },
    'b.example': {
      messages: 1,
      recipients: 1,
      due: 0,
      oldestAt: NOW - 2_000,
      givesUpAt: NOW + 601_000,
      nextRetryAt: NOW + 1_000,
    },
  })
})

const hostile: readonly (readonly [string, (file: string) => void])[] = [
  ['an empty file', (file) => writeFileSync(file, '')],
  ['three octets', (file) => writeFileSync(file, 'abc')],
  ['a length and nothing else', (file) => writeFileSync(file, Buffer.from([0, 0, 9, 9]))],
  ['a length of four gigabytes', (file) => writeFileSync(file, Buffer.alloc(64, 255))],
  [
    'half of a head',
    (file) => writeFileSync(file, queueFile({ domain: 'a.example' }).subarray(0, 60)),
  ],
  [
    'half of a long head',
    (file) =>
      writeFileSync(
        file,
        queueFile({ domain: 'a.example', recipients: 2_000 }).subarray(0, 90_000),
      ),
  ],
  [
    'a head that is no JSON',
    (file) => writeFileSync(file, Buffer.concat([Buffer.from([0, 0, 0, 5]), Buffer.from('hello')])),
  ],
  ['a folder', (file) => mkdirSync(file)],
  [
    'a symbolic link to a message',
    (file) => {
      writeFileSync(path.join(folder, '.target'), queueFile({ domain: 'linked.example' }))
      symlinkSync(path.join(folder, '.target'), file)
    },
  ],
  ['a symbolic link to itself', (file) => symlinkSync(file, file)],
  ['a FIFO that nobody writes to', (file) => execFileSync('mkfifo', [file])],
]

for (const [what, make] of hostile) {
  test(`counted as unreadable, and the others are read: ${what}`, async () => {
    make(path.join(folder, `${NOW}_${NOW}_0_1_hostil_1_host`))
    writeQueue(folder, { domain: 'good.example', arrived: NOW })
    const { status, byDestination } = await reader().look(20_000)
    assert.equal(status.kind, 'counted')
    assert.deepEqual([status.files, status.messages, status.unreadable], [1, 1, 1])
    assert.deepEqual([...byDestination.keys()], ['good.example'])
  })
}

test('files of another name are unreadable, those being written are nothing', async () => {
  for (const name of [
    'error.1_2_3_4_abcdef_5_host',
    'notes.txt',
    'x'.repeat(255),
    'a\u001b[31m\nb',
  ]) {
    writeFileSync(path.join(folder, name), queueFile({ domain: 'a.example' }))
  }
  writeFileSync(path.join(folder, '__tmp__.1_2_3_4_abcdef_5_host'), 'x')
  const { status } = await reader().look(20_000)
  assert.deepEqual([status.files, status.unreadable], [0, 4])
})

test('a file without permission is unreadable', { skip: process.getuid?.() === 0 }, async () => {
  const file = writeQueue(folder, { domain: 'a.example', arrived: NOW })
  chmodSync(file, 0)
  assert.equal((await reader().look(20_000)).status.unreadable, 1)
})

test('a long head is read whole', async () => {
  writeQueue(folder, { domain: 'many.example', arrived: NOW, recipients: 2_000 })
  const { status } = await reader().look(20_000)
  assert.deepEqual([status.messages, status.recipients, status.unreadable], [1, 2_000, 0])
})

test('a renamed file is the same message, and its head is not read again', async () => {
  const file = writeQueue(folder, {
    domain: 'a.example',
    arrived: NOW,
    next: NOW + 1,
    uid: 'same11',
  })
  const queue = reader()
  assert.equal((await queue.look(20_000)).status.messages, 1)
  const renamed = path.join(folder, `${NOW}_${NOW + 60_000}_1_77_same11_2_host`)
  renameSync(file, renamed)
  // Another destination now: if it were read again, it would show.
  writeFileSync(renamed, queueFile({ domain: 'other.example' }))
  const { byDestination } = await readAgain(queue)
  assert.deepEqual([...byDestination.keys()], ['a.example'])
  assert.equal(byDestination.get('a.example')?.nextRetryAt, NOW + 60_000)
})

test('two names of one message count once: it was renamed while the folder was read', async () => {
  writeQueue(folder, { domain: 'a.example', arrived: NOW, uid: 'same11', attempts: 0 })
  writeQueue(folder, { domain: 'a.example', arrived: NOW, uid: 'same11', attempts: 1 })
  assert.equal((await reader().look(20_000)).status.messages, 1)
})

test('what has gone is gone, and what is complete now is read', async () => {
  const gone = writeQueue(folder, { domain: 'gone.example', arrived: NOW })
  let now = NOW
  const late = path.join(folder, `${NOW}_${NOW}_0_1_latela_1_host`)
  writeFileSync(late, queueFile({ domain: 'late.example' }).subarray(0, 50))
  const queue = reader({ now: () => now })
  assert.equal((await queue.look(20_000)).status.unreadable, 1)
  rmSync(gone)
  writeFileSync(late, queueFile({ domain: 'late.example' }))
  now += 120_000
  const { status, byDestination } = await readAgain(queue)
  assert.deepEqual([...byDestination.keys()], ['late.example'])
  assert.equal(status.unreadable, 0)
})

test('nothing in the folder is changed', async () => {
  const file = writeQueue(folder, { domain: 'a.example', arrived: NOW })
  const before = statSync(file, { bigint: true })
  await reader().look(20_000)
  const after = statSync(file, { bigint: true })
  for (const key of ['ino', 'size', 'mtimeNs', 'ctimeNs', 'mode', 'nlink'] as const) {
    assert.equal(after[key], before[key], key)
  }
})

test('without a folder, and when it appears later', async () => {
  rmSync(folder, { recursive: true })
  const queue = reader()
  const { status } = await queue.look(20_000)
  assert.equal(status.kind, 'unreadable')
  assert.match(status.detail, /ENOENT/)
  mkdirSync(folder)
  writeQueue(folder, { domain: 'a.example', arrived: NOW })
  assert.equal((await readAgain(queue)).status.messages, 1)
})

test('a fault keeps the last result, and says so', async () => {
  writeQueue(folder, { domain: 'a.example', arrived: NOW })
  const queue = reader()
  await queue.look(20_000)
  rmSync(folder, { recursive: true })
  const { status } = await readAgain(queue)
  assert.deepEqual([status.kind, status.messages, status.at], ['unreadable', 1, NOW])
})

test('a queue that takes longer than the patience is shown as far as it was read', async () => {
  for (let i = 0; i < 3_000; i++)
    writeQueue(folder, { domain: `d${i % 7}.example`, arrived: NOW + i })
  const queue = reader({ share: 0.02 })
  const { status } = await queue.look(1)
  assert.equal(status.kind, 'counting')
  assert.equal(status.at, undefined)
  assert.ok(status.messages < 3_000)
  const whole = await reader().look(60_000)
  assert.equal(whole.status.messages, 3_000)
})

test('views in between do not read the folder again', async () => {
  const queue = reader()
  await queue.look(20_000)
  writeQueue(folder, { domain: 'a.example', arrived: NOW })
  assert.equal((await queue.look(20_000)).status.messages, 0)
  assert.equal((await readAgain(queue)).status.messages, 1)
})

test('the event loop is free in between: a slice ends, whatever the number of files', async () => {
  for (let i = 0; i < 4_000; i++) writeQueue(folder, { domain: 'a.example', arrived: NOW + i })
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const before = performance.eventLoopUtilization()
  await reader({ share: 0.1 }).look(60_000)
  clearInterval(timer)
  const { utilization } = performance.eventLoopUtilization(before)
  assert.ok(turns > 5, `${turns} turns of the event loop, ${utilization}`)
})

test('destinations beyond the limit have no row, and are counted', async () => {
  for (let i = 0; i < MAX_DESTINATIONS + 5; i++) {
    writeQueue(folder, { domain: `d${i}.example`, arrived: NOW + i })
  }
  const { status, byDestination } = await reader().look(60_000)
  assert.equal(byDestination.size, MAX_DESTINATIONS)
  assert.deepEqual([status.messages, status.messagesWithoutRow], [MAX_DESTINATIONS + 5, 5])
})
