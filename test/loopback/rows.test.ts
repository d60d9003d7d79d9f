/** Every row of the demo, on real servers: decision-table.csv and the rows beyond it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { beyondRows } from '../../lab/beyond-rows.js'
import type { Haraka } from '../../lab/haraka.js'
import { judge, recipientOf } from '../../lab/judge.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { readTable, tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

describe('rows', { concurrency: 8 }, () => {
  let laboratory: Laboratory
  let rows: readonly Row[]
  let relays: Readonly<Record<'dane' | 'may', Haraka>>

  before(async () => {
    const started = await startLaboratory(async (port) => {
      const authority = await createAuthority()
      return [...(await tableRows(port, authority)), ...(await beyondRows(port, authority))]
    })
    laboratory = started.laboratory
    rows = started.rows
    const [dane, may] = await Promise.all([
      laboratory.startRelay('dane'),
      laboratory.startRelay('may'),
    ])
    relays = { dane, may }
  })
  after(() => laboratory.stop())

  // The rows are made in `before`, so the tests are named by number here and by id in the table.
  const table = readTable().map(
    (row, index) => `${row.source}-${String(index + 1).padStart(2, '0')}`,
  )
  for (const id of table) {
    test(`decision-table.csv ${id}`, async () => {
      await check(rows.find((row) => row.id === id))
    })
  }

  test('rows beyond the table', async (context) => {
    const beyond = rows.filter(({ id }) => !table.includes(id))
    assert.ok(beyond.length >= 40)
    await Promise.all(beyond.map((row) => context.test(row.id, () => check(row))))
  })

  async function check(row: Row | undefined): Promise<void> {
    assert.ok(row)
    const relay = relays[row.insecureMx]
    const id = await relay.submit(recipientOf(row))
    const outcome = await relay.outcomeOf(id)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(
      judge(row, outcome, id, relay, laboratory).complaints,
      [],
      relay.log(id).join('\n'),
    )
  }
})
