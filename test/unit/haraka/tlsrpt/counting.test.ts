/** Which sessions are counted, and what becomes of counts while the store fails. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Counting } from '../../../../src/haraka/tlsrpt/counting.js'
import type { MailEvent } from '../../../../src/mail-event.js'
import type { Tally } from '../../../../src/tlsrpt/counts.js'
import type { RecordLookup } from '../../../../src/tlsrpt/record.js'
import { name } from '../../../support/names.js'

const ORDINARY = { todo: { domain: 'a.example.org', rcpt_to: [] } }
const REPORT = { todo: { ...ORDINARY.todo, notes: { dane_tlsrpt: { day: '2026-03-01' } } } }
const FOUND: RecordLookup = {
  kind: 'found',
  isSecure: false,
  record: { rua: [{ kind: 'mailto', address: 'a@example.org' }] },
}

function session(domain: string): MailEvent {
  const where = { host: 'mx.example.org', greeting: undefined }
  const addresses = { localAddress: '10.0.0.1', remoteAddress: '192.0.2.9' }
  return {
    kind: 'session',
    session: {
      domain: name(domain),
      endedAt: Date.now(),
      tlsa: undefined,
      failure: 'starttls-refused',
      ...where,
      ...addresses,
    },
  }
}

function counting(answers: Readonly<Record<string, RecordLookup>> = {}, isDnssecRequired = false) {
  const stored: Tally[] = []
  const log: string[] = []
  const state = { isBroken: false }
  const nothing = (): never => {
    throw new Error('not asked for here')
  }
  const made = new Counting({
    log: { logwarn: (text) => log.push(text), lognotice: (text) => log.push(text) },
    store: {
      add: (tallies) => {
        if (state.isBroken) return Promise.reject(new Error('disk full'))
        stored.push(...tallies)
        return Promise.resolve()
      },
      isDurable: true,
      begun: nothing,
      days: nothing,
      domains: nothing,
      read: nothing,
      state: nothing,
      claim: nothing,
      note: nothing,
      release: nothing,
      recall: nothing,
      remember: nothing,
      tally: nothing,
      forget: nothing,
      close: () => undefined,
    },
    findRecord: (domain) => Promise.resolve(answers[domain] ?? FOUND),
    settings: () => ({
      exclude: new Set(['.excluded.example']),
      sendingIp: { ipv4: '198.51.100.1', ipv6: undefined },
      isDnssecRequired,
    }),
    now: () => Date.now(),
    onCounted: () => undefined,
  })
  return { made, stored, log, state }
}

describe('counting', () => {
  test('sessions of our own reports, of excluded domains and of those without a record are not counted', async () => {
    const { made, stored } = counting({
      'none.example': { kind: 'none' },
      'failed.example': { kind: 'failed', detail: 'SERVFAIL' },
    })
    try {
      made.hear(REPORT, session('a.example.org'))
      for (const domain of [
        'a.excluded.example',
        'none.example',
        'failed.example',
        'b.example.org',
      ]) {
        made.hear(ORDINARY, session(domain))
      }
      await nextTurn()
      for (const domain of ['none.example', 'b.example.org']) made.hear(ORDINARY, session(domain))
      await made.flush()
      assert.deepEqual(
        stored.map(({ domain, sessions }) => [domain, sessions]),
        [['b.example.org', 2]],
      )
      assert.equal(stored[0]?.detail?.sendingMtaIp, '198.51.100.1', 'sending_ip')
    } finally {
      made.stop()
    }
  })

  test('[TLSRPT-73] require_dnssec: only domains with a signed record are counted', async () => {
    const { made, stored } = counting({ 'signed.example': { ...FOUND, isSecure: true } }, true)
    try {
      for (const domain of ['signed.example', 'unsigned.example']) {
        made.hear(ORDINARY, session(domain))
      }
      await nextTurn()
      await made.flush()
      assert.deepEqual(
        stored.map(({ domain }) => domain),
        ['signed.example'],
      )
    } finally {
      made.stop()
    }
  })

  test('a store that fails is said once; counting goes on, and all is stored later', async () => {
    const { made, stored, log, state } = counting()
    try {
      state.isBroken = true
      for (let index = 0; index < 3; index++) {
        made.hear(ORDINARY, session('a.example.org'))
        await nextTurn()
        await made.flush()
      }
      state.isBroken = false
      await made.flush()
      assert.deepEqual(
        stored.map(({ sessions }) => sessions),
        [3],
      )
      assert.equal(log.length, 2, log.join('\n'))
      assert.match(log[0] ?? '', /cannot be stored.*disk full/)
      assert.match(log[1] ?? '', /stored again/)
    } finally {
      made.stop()
    }
  })
})
