/**
 * Every row of the demo, validated by the plugin itself, through an Unbound that does not
 * validate: the outcomes have to be those of rows.test.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allRows } from '../../lab/all-rows.js'
import { startLaboratory } from '../../lab/laboratory.js'
import { runRows } from '../../lab/run-rows.js'

test('every row has the same outcome with validation = own [DERIVED-val-a]', async (context) => {
  const { laboratory, rows } = await startLaboratory(allRows)
  try {
    const plain = await laboratory.names.startResolver({ isPlain: true })
    const results = await runRows(laboratory, rows, {
      unboundPort: plain.port,
      resolverLines: ['validation = own', `trust_anchors = ${laboratory.names.trustAnchorFile}`],
    })
    assert.ok(results.length > 100)
    for (const { row, complaints } of results) {
      await context.test(row.id, () => {
        assert.deepEqual(complaints, [])
      })
    }
  } finally {
    await laboratory.stop()
  }
})
