/** docs/troubleshooting.md has every line that the plugin can write at INFO and above, and no other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAuditSummary } from '../../src/haraka/audit/summary.js'
import { trustWarnings, warnings } from '../../src/haraka/start-check.js'
import { name } from '../support/names.js'
import { logTexts } from '../support/log-texts.js'
import { codesOf, pageText, rowsOf } from '../support/pages.js'

const LEVEL = /^(INFO|NOTICE|WARN|ERROR|CRIT)(, (INFO|NOTICE))?$/

const documented = rowsOf(pageText('docs/troubleshooting.md'))
  .filter(({ cells: [level = ''] }) => LEVEL.test(level))
  .map(({ cells: [level = '', line = '', ...told] }) => ({
    levels: level.split(', '),
    beginning: codesOf(line)[0] ?? '',
    told,
  }))

/** Haraka's own words about our refusal to start. */
const OF_HARAKA = 'Caught exception: '

/** Parts of a line that vary among a few words. */
const FEW: Readonly<Record<string, readonly string[]>> = {
  'message …': ['message deferred', 'message returned'],
}

const written = [
  ...logTexts().flatMap((line) =>
    (FEW[line.text] ?? [line.text]).map((text) => ({ ...line, text })),
  ),
  ...allWarnings().map((text) => ({ levels: ['WARN'], text, place: 'start-check.ts' })),
  ...summaryLines().map((text) => ({ levels: ['NOTICE'], text, place: 'summary.ts' })),
]

describe('docs/troubleshooting.md', () => {
  for (const { text, place } of written) {
    test(`${place}: ${text.slice(0, 60)}`, () => {
      // One text may be logged at two levels.
      const all = written.filter((each) => each.text === text).flatMap(({ levels }) => levels)
      assert.deepEqual(new Set(rowFor(text)?.levels), new Set(all), text)
    })
  }

  for (const { beginning, told } of documented) {
    test(`the line exists and is explained: ${beginning}`, () => {
      const isWritten = written.some(({ text }) => rowFor(text)?.beginning === beginning)
      assert.ok(isWritten || beginning.startsWith(OF_HARAKA), beginning)
      assert.equal(told.length, 3)
      for (const cell of told) assert.ok(cell.length > 2, beginning)
    })
  }

  test('the sources were read: the number of log calls matches', () => {
    assert.ok(written.length > 40, String(written.length))
  })
})

/** The row that matches most of this line. */
function rowFor(text: string): (typeof documented)[number] | undefined {
  return documented
    .filter(({ beginning }) => beginsWith(text, beginning))
    .toSorted((a, b) => b.beginning.length - a.beginning.length)[0]
}

/** Both may contain `…`, which matches anything; the documented text must not be too general. */
function beginsWith(text: string, beginning: string): boolean {
  const pattern = beginning
    .split('…')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    .join('.+')
  // A one-word message is the whole documented line; its fields follow it in the log.
  const end = /^\w+$/.test(beginning) ? '$' : ''
  const isLongEnough = end !== '' || beginning.replaceAll('…', '').trim().length >= 10
  return isLongEnough && new RegExp(`^${pattern}${end}`).test(text)
}

function allWarnings(): readonly string[] {
  const worst = {
    sendEmail: ['first', 'dane'],
    getMx: ['router', 'dane'],
    isTlsEnabled: false,
    harakaVersion: '3.1.5',
    isPkixForced: true,
    hasMetrics: true,
    hasHttp: false,
    status: 'on',
    httpElsewhere: ['0.0.0.0:80'],
  } as const
  const trust = { isVouchedFor: true, firstOpenPort: 1024 }
  const weak = ['192.0.2.1', '127.0.0.1'].map((address) => ({
    address,
    port: 5353,
    tlsName: undefined,
  }))
  const more = { validation: 'auto', insecureZones: [name('internal.example')] } as const
  return [
    ...warnings('dane', worst),
    ...warnings('dane', { ...worst, hasHttp: true }),
    ...trustWarnings({ servers: weak, areServersGiven: true, trust, ...more }),
  ]
}

function summaryLines(): readonly string[] {
  const summary = createAuditSummary(200)
  const refusal = { reason: 'certificate-mismatch', host: 'mx.example', detail: '' } as const
  for (let index = 0; index < 101; index++) {
    summary.note({
      kind: 'forecast',
      destination: `${index}.example`,
      opportunistic: { kind: 'deferred', refusal },
      mandatory: { kind: 'deferred', refusal },
      refusals: [],
    })
  }
  const lines = summary.lines()
  return [lines[0], lines[1], lines.at(-1)].filter((line) => line !== undefined)
}
