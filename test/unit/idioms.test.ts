/** Comments and pages stay free of the idioms that scripts/idioms.mjs counts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { ROOT } from '../../lab/root.js'

const PER_THOUSAND_WORDS = 1

const { stdout } = spawnSync(process.execPath, ['scripts/idioms.mjs'], {
  cwd: ROOT,
  encoding: 'utf8',
})
const rates = new Map(
  Array.from(stdout.matchAll(/^(\w+): \d+ in \d+ words, ([\d.]+) per 1,000$/gm)).map(
    ([, area = '', rate = '']) => [area, Number(rate)],
  ),
)

for (const area of ['pages', 'src', 'test', 'lab', 'scripts', 'bench']) {
  test(`${area}: fewer than ${PER_THOUSAND_WORDS} idiom in 1,000 words`, () => {
    const rate = rates.get(area)
    assert.ok(rate !== undefined, stdout)
    assert.ok(rate < PER_THOUSAND_WORDS, `${rate}; run: node scripts/idioms.mjs`)
  })
}
