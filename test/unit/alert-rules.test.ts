/** The alert rules of docs/metrics.md are rules that Prometheus loads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { METRICS } from '../../src/metrics/catalog.js'
import { pageText } from '../support/pages.js'

const blocksOf = (language: string): readonly string[] =>
  [...pageText('docs/metrics.md').matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(
    ([, word, text = '']) => (word === language ? [text] : []),
  )

/** The queries as recording rules, so that promtool parses them too. */
const queryRules = (): string =>
  [
    'groups:',
    '  - name: queries',
    '    rules:',
    ...blocksOf('promql')
      .flatMap((text) => text.trim().split('\n'))
      .flatMap((query, index) => [`      - record: query:${index}`, `        expr: '${query}'`]),
    '',
  ].join('\n')

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined

test(
  'promtool accepts the alert rules and the queries of docs/metrics.md',
  { skip: hasPromtool ? false : 'promtool is not installed (Debian: apt-get install prometheus)' },
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'dane-rules-'))
    try {
      const texts = [...blocksOf('yaml'), queryRules()]
      assert.equal(texts.length, 2)
      for (const [index, text] of texts.entries()) {
        const file = path.join(folder, `${index}.yml`)
        writeFileSync(file, text)
        const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], {
          encoding: 'utf8',
        })
        assert.equal(status, 0, `${stdout}${stderr}\n${text}`)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

test('the rules and queries name metrics that there are', () => {
  const names = [...blocksOf('yaml'), ...blocksOf('promql')].flatMap((text) =>
    Array.from(text.matchAll(/\bdane_\w+/g), ([name]) => name),
  )
  assert.ok(names.length > 7)
  assert.deepEqual(
    names.filter((name) => !(name in METRICS)),
    [],
  )
})
