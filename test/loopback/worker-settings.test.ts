/** A new dane.ini with workers: said once for the relay, and loudly if a worker has not taken it. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Haraka } from '../../lab/haraka.js'
import { startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'

/** In one worker, dane.ini cannot be read while a file says so, as for a user without permission. */
const BLIND = `const fs = require('node:fs')
const cluster = require('node:cluster')
const flag = process.env.HARAKA + '/blind'
const { readFileSync } = fs
fs.readFileSync = (name, ...rest) => {
  if (cluster.isWorker && cluster.worker.id === 2 && String(name).endsWith('/dane.ini') && fs.existsSync(flag)) {
    throw Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES' })
  }
  return readFileSync(name, ...rest)
}`

describe('dane.ini and workers', () => {
  let laboratory: Laboratory
  before(async () => {
    const started = await startLaboratory(() => Promise.resolve([]))
    laboratory = started.laboratory
  })
  after(() => laboratory.stop())

  const lines = (relay: Haraka, text: string): readonly string[] =>
    relay.log().filter((line) => line.includes(text))

  function change(relay: Haraka, policy: string): void {
    const file = path.join(relay.folder, 'config/dane.ini')
    const text = readFileSync(file, 'utf8').replace(/^policy = .*\n/m, '')
    writeFileSync(file, `policy = ${policy}\n${text}`)
  }

  test('all have taken it, one has not, and all again', async () => {
    const options = { workers: 3, plugins: ['blind', 'dane'], ownPlugins: { blind: BLIND } }
    const relay = await laboratory.startRelay('dane', options)
    try {
      await relay.logged(' validates', 4)
      assert.equal(lines(relay, '[dane] policy opportunistic').length, 1)
      for (const id of [1, 2, 3]) {
        assert.equal(lines(relay, `validates (worker ${id})`).length, 1, relay.log().join('\n'))
      }

      change(relay, 'audit')
      await relay.logged('all 3 workers have taken the new dane.ini')
      assert.equal(lines(relay, 'dane.ini reloaded: policy audit').length, 1)
      assert.equal(lines(relay, 'have not taken').length, 0)

      await relay.write('blind', '')
      change(relay, 'none')
      const fault = 'dane.ini cannot be read: EACCES: permission denied, open'
      await relay.logged('1 of 3 workers have not taken the new dane.ini')
      const [loud = ''] = lines(relay, 'have not taken')
      assert.match(loud, /\[ERROR\].*keep their previous settings: worker 2 \(pid \d+\): /)
      assert.ok(loud.includes(fault), loud)
      const [own = ''] = lines(relay, 'dane.ini not reloaded')
      assert.ok(own.endsWith('(worker 2)'), own)
      assert.equal(lines(relay, 'dane.ini reloaded: policy none').length, 1)

      rmSync(path.join(relay.folder, 'blind'))
      change(relay, 'opportunistic')
      await relay.logged('all 3 workers have taken the new dane.ini', 2)
    } finally {
      await relay.stop()
    }
  })
})
