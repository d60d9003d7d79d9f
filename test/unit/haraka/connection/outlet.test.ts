/** A stream writes exactly the bytes that were checked. */
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { judgeWrites } from '../../../../src/haraka/connection/outlet.js'

/** A stream whose writes complete on demand, and what it has written. */
function slow() {
  const written: Buffer[] = []
  const done: (() => void)[] = []
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _, callback) => {
      if (Buffer.isBuffer(chunk)) written.push(chunk)
      done.push(callback)
    },
    writev: (chunks: readonly { chunk: unknown }[], callback) => {
      for (const { chunk } of chunks) if (Buffer.isBuffer(chunk)) written.push(chunk)
      done.push(callback)
    },
  })
  const texts = (): readonly string[] => written.map((each) => each.toString('latin1'))
  return { stream, texts, finish: () => done.shift()?.() }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('octets changed after the check are sent as they were checked', () => {
  const { stream, texts } = slow()
  judgeWrites(stream, () => true)
  const octets = Buffer.from('EHLO')
  stream.write(octets)
  octets.write('MAIL')
  assert.deepEqual(texts(), ['EHLO'])
})

test('queued writes are checked together when they are sent', async () => {
  const judged: string[] = []
  const { stream, texts, finish } = slow()
  judgeWrites(stream, (octets) => {
    judged.push(octets.toString('latin1'))
    return judged.length === 1
  })
  stream.write('first')
  stream.write('second')
  stream.write('third')
  assert.deepEqual(judged, ['first'])
  finish()
  await tick()
  assert.deepEqual(judged, ['first', 'secondthird'])
  assert.deepEqual(texts(), ['first'])
})

test('withheld data counts as written, so that no caller waits for it', async () => {
  const { stream } = slow()
  judgeWrites(stream, () => false)
  await new Promise<void>((resolve, reject) => {
    stream.write('no', (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
})

test('the check can be removed', () => {
  const { stream, texts } = slow()
  judgeWrites(stream, () => false)()
  stream.write(Buffer.from('yes'))
  assert.deepEqual(texts(), ['yes'])
})
