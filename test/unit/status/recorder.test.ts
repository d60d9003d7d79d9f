/** Recording for the status: nothing that goes wrong in it reaches a message. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Recorder } from '../../../src/haraka/status/recorder.js'
import { acceptedBy, deferral } from '../../../src/haraka/status/outcome.js'
import type { MailEvent } from '../../../src/mail-event.js'
import { name } from '../../support/names.js'
import { field } from '../../support/status.js'
import { hmailFor } from '../../support/status-hmail.js'

const settled: MailEvent = {
  kind: 'settled',
  policy: 'opportunistic',
  outcome: 'deferred',
  destination: 'a.example',
  refusal: { reason: 'certificate-mismatch', host: 'mx.a.example', detail: '' },
  isKnown: true,
}
const delivered: MailEvent = { kind: 'delivered', domain: name('a.example'), host: 'mx.a.example' }

function recorderWith(lines: string[]): Recorder {
  const note = (text: string): void => {
    lines.push(text)
  }
  return new Recorder({
    logdebug: note,
    loginfo: note,
    lognotice: note,
    logwarn: note,
    logerror: note,
    logcrit: note,
  })
}

const last = (recorder: Recorder): object | undefined => recorder.facts.drain(10).at(-1)

test('a message that cannot be read is logged once, and nothing is thrown', () => {
  const lines: string[] = []
  const recorder = recorderWith(lines)
  const hmail = {
    get todo(): never {
      throw new Error('sabotage')
    },
  }
  recorder.mail(hmail, settled)
  recorder.outcome(hmail, () => acceptedBy(['mx', '192.0.2.1']))
  recorder.outcome(hmailFor('a.example'), () => {
    throw new Error('more of it')
  })
  assert.deepEqual(lines, ['the status misses events, mail is not affected: sabotage'])
})

test('what DANE says of the end of an attempt counts, whichever comes first', () => {
  for (const isHookFirst of [true, false]) {
    const recorder = recorderWith([])
    const hmail = hmailFor('A.example')
    const hook = (): void => {
      recorder.outcome(hmail, () => deferral(hmail, { err: 'certificate-mismatch at mx' }))
    }
    recorder.begin(hmail)
    if (isHookFirst) hook()
    recorder.mail(hmail, settled)
    if (!isHookFirst) hook()
    const row = last(recorder)
    assert.equal(field(row, 'lastRefusal', 'reason'), 'certificate-mismatch')
    assert.equal(field(row, 'destination'), 'a.example')
  }
})

test('a verified delivery stays verified when the hook comes later', () => {
  const recorder = recorderWith([])
  const hmail = hmailFor('a.example')
  recorder.begin(hmail)
  recorder.mail(hmail, delivered)
  recorder.outcome(hmail, () => acceptedBy(['mx.a.example']))
  assert.equal(field(last(recorder), 'lastSuccess', 'isVerified'), true)
})

test('at the next attempt of the same message the hook counts again', () => {
  const recorder = recorderWith([])
  const hmail = hmailFor('a.example')
  recorder.begin(hmail)
  recorder.mail(hmail, settled)
  recorder.begin(hmail)
  recorder.outcome(hmail, () => deferral(hmail, { err: 'Tried all MXs' }))
  assert.equal(field(last(recorder), 'lastRefusal', 'detail'), 'Tried all MXs')
})
