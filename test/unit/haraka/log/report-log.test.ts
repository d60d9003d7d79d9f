/** The lines about TLS reports: one for each step at each place, with the right level. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logReport } from '../../../../src/haraka/log/report-log.js'
import type { ReportEvent } from '../../../../src/report-event.js'
import { name } from '../../../support/names.js'

const EVENT: Omit<ReportEvent, 'outcome'> = {
  kind: 'report',
  day: '2026-03-01',
  domain: name('a.example'),
  way: 'mail',
  uri: 'mailto:tls@b.example',
  detail: 'why\nTLS success',
}

for (const [outcome, isSecure, wanted] of [
  ['queued', true, 'info TLS report queued: WHERE (record signed)'],
  ['queued', false, 'info TLS report queued: WHERE (record not signed)'],
  ['accepted', undefined, 'info TLS report delivered: WHERE: WHY'],
  ['failed', undefined, 'info TLS report not accepted yet, it is tried again: WHERE: WHY'],
  ['spared', false, 'info TLS report not sent: WHERE (record not signed): WHY'],
  ['refused', undefined, 'notice TLS report refused: WHERE: WHY'],
  [
    'unknown',
    true,
    'notice TLS report may have arrived, it is not sent again: WHERE (record signed): WHY',
  ],
  ['given-up', undefined, 'notice TLS report given up: WHERE: WHY'],
] as const) {
  test(`[TLSRPT-73 TLSRPT-79] ${outcome}, record ${String(isSecure)}`, () => {
    const lines: string[] = []
    const log = {
      loginfo: (text: string) => void lines.push(`info ${text}`),
      lognotice: (text: string) => void lines.push(`notice ${text}`),
    }
    logReport(log, { ...EVENT, outcome, ...(isSecure !== undefined && { isSecure }) })
    const [line = '', second] = lines
    assert.equal(second, undefined)
    const [, why = ''] = /: (why.*)$/.exec(line) ?? []
    assert.doesNotMatch(line, /\n|TLS success/)
    const where = 'a.example of 2026-03-01 to mailto:tls@b.example'
    assert.equal(line, wanted.replace('WHERE', where).replace('WHY', why))
  })
}
