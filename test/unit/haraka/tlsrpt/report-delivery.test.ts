/** What Haraka does after a hook for a report may throw; nothing of it leaves ReportDelivery. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { bodyHash, markKey, sealMark } from '../../../../src/tlsrpt/mail-mark.js'
import { ReportDelivery } from '../../../../src/haraka/tlsrpt/report-delivery.js'
import { REPORT_NOTE } from '../../../../src/haraka/tlsrpt/report-mail.js'
import { memoryReports } from '../../../support/memory-reports.js'
import { FakeHmail } from '../../../support/hmails.js'
import { DAY, dkimPair, name } from '../../../support/report-samples.js'

test('an exception of Haraka after an answer does not end the process', async () => {
  const lines: string[] = []
  const delivery = new ReportDelivery({
    log: { logwarn: (line) => void lines.push(line) },
    codes: { ok: 906, deny: 902, denysoft: 903, delay: 908 },
    store: memoryReports(() => Date.now()),
    key: () => Buffer.alloc(32),
    now: () => Date.now(),
    report: () => undefined,
  })
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  try {
    const throwing = (): never => {
      throw new Error('thrown in Haraka')
    }
    // A mark that another plugin has made: ordinary mail.
    const message = (): FakeHmail => {
      const hmail = new FakeHmail()
      return Object.assign(hmail, { todo: { ...hmail.todo, notes: { [REPORT_NOTE]: {} } } })
    }
    delivery.sendEmail(throwing, message(), throwing)
    delivery.bounced(throwing, message(), new Error('refused'))
    delivery.deferred(throwing, message(), { err: 'later' })
    delivery.delivered(throwing, message(), ['host', '192.0.2.1', 'ok'])
    await pause(20)
  } finally {
    process.off('unhandledRejection', note)
  }
  assert.deepEqual(rejections, [])
  assert.equal(lines.filter((line) => line.endsWith(': thrown in Haraka')).length, 4)
})

test('a marked message whose file cannot be read in time waits: never an open hook', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const key = markKey(dkimPair().pem)
  const mark = sealMark(key, {
    day: DAY,
    domain: name('example.org'),
    to: 'reports@example.org',
    nonce: '1',
    at: Date.now(),
    body: bodyHash(Buffer.alloc(0)),
  })
  const delivery = new ReportDelivery({
    log: { logwarn: () => undefined },
    codes: { ok: 906, deny: 902, denysoft: 903, delay: 908 },
    store: memoryReports(() => Date.now()),
    key: () => key,
    now: () => Date.now(),
    report: () => undefined,
  })
  const hmail = Object.assign(new FakeHmail(), {
    todo: {
      domain: 'example.org',
      rcpt_to: [{ original: '<reports@example.org>' }],
      mail_from: { original: '<>' },
      notes: { [REPORT_NOTE]: mark },
    },
    data_stream: () => new Readable({ read: () => undefined }),
  })
  const answers: unknown[] = []
  delivery.sendEmail(
    (code) => void answers.push(code),
    hmail,
    () => void answers.push('ordinary'),
  )
  t.mock.timers.tick(10_000)
  for (let turns = 0; turns < 20; turns++) await Promise.resolve()
  assert.deepEqual(answers, [908])
  assert.equal(delivery.isSending(hmail), false)
})
