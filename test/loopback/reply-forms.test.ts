/**
 * Mail hosts whose replies have an unusual form that RFC 5321 §4.2 allows or Postfix
 * accepts: codes without text, white space and CRs at the end of a line, before TLS and
 * inside it. One test shows that Haraka by itself bounces the message.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const FORMS = {
  'code-alone': 'codes without text',
  'space-behind': 'a space after each line',
  'cr-cr-lf': 'lines that end in CR CR LF',
} as const

describe('replies of unusual form', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      'code-alone': { host: { misbehavior: 'code-alone' } },
      'space-behind': { host: { misbehavior: 'space-behind' } },
      'cr-cr-lf': { host: { misbehavior: 'cr-cr-lf' } },
      bare: { tlsa: 'none', host: { misbehavior: 'code-alone' } },
    })
  })
  after(() => relays.laboratory.stop())

  const to = (label: string): string => `someone@${relays.domainOf(label)}`

  for (const [label, circumstance] of Object.entries(FORMS)) {
    test(`${circumstance}: delivered to the verified host`, async () => {
      await relays.withRelay({}, async (relay) => {
        assert.equal(await deliver(relay, to(label)), 'delivered over TLS')
        await relay.logged('TLS success')
        const { recipients = [], delivered = [] } = relays.hostOf(label).sessions.at(-1) ?? {}
        assert.deepEqual(
          [recipients.map(({ isEncrypted }) => isEncrypted), delivered.length],
          [[true], 1],
        )
      })
    })
  }

  test('a code without text: Haraka by itself bounces the message', async () => {
    await relays.withRelay({ plugins: [] }, async (relay) => {
      assert.match(await deliver(relay, to('bare')), /^bounced: .*Unrecognized response/)
    })
  })
})
