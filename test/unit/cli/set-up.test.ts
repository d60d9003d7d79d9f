/** The pure parts of `haraka-dane check`, and when the command line uses colors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exitCode, ok, problem, unknown, warning } from '../../../src/cli/check/finding.js'
import { readHarakaIni, readHarakaList } from '../../../src/cli/check/haraka-ini.js'
import { spanOf } from '../../../src/cli/check/outbound.js'
import { judgeClock } from '../../../src/cli/check/resolvers.js'
import { isColorful } from '../../../src/cli/terminal.js'
import { worse } from '../../../src/cli/verify-list.js'
import { breaksLogLines, crashText, isTooOld } from '../../../src/haraka-hazards.js'
import { ALL_REASONS } from '../../../src/reason.js'
import { schema } from '../../support/command.js'

const spans: readonly (readonly [string, number | undefined])[] = [
  ['none', 0],
  ['5s', 5],
  ['1m,5m*2,1h*3', 60 + 600 + 3 * 3600],
  ['1D', 86_400],
  ['4s', undefined],
  ['1m,', undefined],
  ['1m*2*2', undefined],
  ['soon', undefined],
  ['60', undefined],
]
for (const [text, wanted] of spans) {
  test(`temp_fail_intervals=${text}: ${String(wanted)} seconds`, () => {
    assert.equal(spanOf(text), wanted)
  })
}

const DAY = 86_400_000
const instants: readonly (readonly [string, number, string, RegExp])[] = [
  ['within', 100 * DAY, 'ok', /valid at this time/],
  ['before', 80 * DAY, 'problem', /is 10 days before the time/],
  ['after', 130 * DAY, 'problem', /is 10 days after the time/],
  ['an hour before', 90 * DAY - DAY / 24, 'problem', /is 1 days before the time/],
]
for (const [circumstance, now, level, wanted] of instants) {
  test(`a clock ${circumstance} the signature's time: ${level}`, () => {
    const finding = judgeClock(now, 90 * DAY, 120 * DAY, '.')
    assert.equal(finding.level, level)
    assert.match(finding.text, wanted)
  })
}

test('releases: too old, crashing, fine, and unknown', () => {
  const verdicts = ['2.8.28', '3.0.3', '3.0.4', '3.1.0', '3.10.0', '4.0.0-rc.1', 'latest'].map(
    isTooOld,
  )
  assert.deepEqual(verdicts, [true, true, false, false, false, false, undefined])
  const broken = ['3.0.4', '3.1.7', '3.3.2', '3.3.3', '3.3.4', '4.0.0', 'latest'].map(
    breaksLogLines,
  )
  assert.deepEqual(broken, [true, true, true, false, false, false, false])
  assert.match(crashText('3.1.5') ?? '', /3\.1\.6 or later/)
  assert.equal(crashText('3.1.6'), undefined)
})

test("Haraka's own files: unreadable lines are skipped, the last of two values counts, [main] is the top level", () => {
  const ini = readHarakaIni('nonsense\n[main]\na = 1\na=2\n[outbound]\nb[]=x\nb[]=y\n')
  assert.equal(ini.value('', 'a'), '2')
  assert.deepEqual(ini.list('outbound', 'b'), ['x', 'y'])
  assert.equal(ini.value('outbound', 'a'), undefined)
  assert.deepEqual(readHarakaList('# no\n; no\n\n  dane \r\nqueue/lmtp'), ['dane', 'queue/lmtp'])
})

test('the exit code of a check: a problem outranks an unknown, warnings do not count', () => {
  const good = ok('a', 'b')
  const doubtful = warning('a', 'b', 'c')
  const unseen = unknown('a', 'b', 'c')
  assert.equal(exitCode([]), 0)
  assert.equal(exitCode([good, doubtful]), 0)
  assert.equal(exitCode([good, unseen]), 3)
  assert.equal(exitCode([unseen, problem('a', 'b', 'c')]), 1)
})

test('the exit code of several domains: wrong outranks unknown, unknown outranks good', () => {
  const table = [0, 1, 3].map((a) => [0, 1, 3].map((b) => worse(a, b)))
  assert.deepEqual(table, [
    [0, 1, 3],
    [1, 1, 1],
    [3, 1, 3],
  ])
})

test('colors: only on a terminal, and not with NO_COLOR or TERM=dumb', () => {
  assert.equal(isColorful(true, {}), true)
  assert.equal(isColorful(true, { NO_COLOR: '' }), true)
  assert.equal(isColorful(true, { NO_COLOR: '0' }), false)
  assert.equal(isColorful(true, { TERM: 'dumb' }), false)
  assert.equal(isColorful(false, {}), false)
  assert.equal(isColorful(undefined, {}), false)
})

test('docs/verify.schema.json lists every reason, and no other', () => {
  const reasons = /"reason":\{"enum":(\[[^\]]*\])\}/.exec(JSON.stringify(schema))?.[1] ?? '[]'
  const known: unknown = JSON.parse(reasons)
  assert.deepEqual(known, [...ALL_REASONS])
})
