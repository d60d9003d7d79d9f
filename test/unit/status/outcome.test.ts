/** How Haraka's hooks report the end of a delivery, and what of that may be shown. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  acceptedBy,
  deferral,
  returning,
  withoutAddresses,
} from '../../../src/haraka/status/outcome.js'
import { hmailTo } from '../../support/status-hmail.js'

const reply = {
  dsn_smtp_code: '450',
  dsn_smtp_extc: '4.2.0',
  dsn_smtp_response: 'later <u@a.example>',
  dsn_remote_mta: '192.0.2.1',
}

const cases: readonly (readonly [string, unknown, unknown])[] = [
  [
    'delivered',
    acceptedBy(['mx.a.example', '192.0.2.1', 'ok']),
    { kind: 'accepted', host: 'mx.a.example' },
  ],
  ['delivered, without a host', acceptedBy([]), { kind: 'accepted', host: 'unknown' }],
  ['delivered, with nothing', acceptedBy(undefined), { kind: 'accepted', host: 'unknown' }],
  [
    'deferred by a reply, with the MX (from 3.1.2 on)',
    deferral(hmailTo(reply), {
      delay: 60,
      err: 'Some recipients temp failed: <u@a.example>',
      mx: { from_dns: 'mx.a.example', exchange: '192.0.2.1' },
    }),
    {
      kind: 'not-accepted',
      outcome: 'deferred',
      host: 'mx.a.example',
      phrase: 'deferred by the host',
      detail: '450 4.2.0 later <ADDRESS>',
    },
  ],
  [
    'deferred by a reply, without the MX (3.0.4)',
    deferral(hmailTo(reply), { delay: 60, err: 'Upstream error: 450 4.2.0 later' }),
    {
      kind: 'not-accepted',
      outcome: 'deferred',
      host: '192.0.2.1',
      phrase: 'deferred by the host',
      detail: '450 4.2.0 later <ADDRESS>',
    },
  ],
  [
    'no connection: the reply of an earlier attempt is not shown',
    deferral(hmailTo(reply), { delay: 60, err: 'Tried all MXs' }),
    {
      kind: 'not-accepted',
      outcome: 'deferred',
      host: undefined,
      phrase: 'not delivered',
      detail: 'Tried all MXs',
    },
  ],
  [
    'rejected',
    returning(
      hmailTo({
        ...reply,
        dsn_smtp_code: '550',
        dsn_smtp_extc: '5.1.1',
        dsn_smtp_response: 'nobody',
      }),
      new Error('Some recipients failed: <u@a.example>'),
    ),
    {
      kind: 'not-accepted',
      outcome: 'returned',
      host: '192.0.2.1',
      phrase: 'rejected by the host',
      detail: '550 5.1.1 nobody',
    },
  ],
  [
    'arguments of no known shape',
    deferral(hmailTo(undefined), null),
    {
      kind: 'not-accepted',
      outcome: 'deferred',
      host: undefined,
      phrase: 'not delivered',
      detail: '',
    },
  ],
]

for (const [what, outcome, wanted] of cases) {
  test(`outcome: ${what}`, () => {
    assert.deepEqual(outcome, wanted)
  })
}

const addresses: readonly (readonly [string, string])[] = [
  ['550 5.1.1 <user@a.example>: unknown', '550 5.1.1 <ADDRESS>: unknown'],
  ['user.name+tag@a.example and "x y"@b.example', 'ADDRESS and "x y"ADDRESS'],
  ['@', '@'],
  ['mail to a@b@c.example', 'mail to ADDRESS'],
  ['\u001b[31mred@a.example\r\n', '?[31mred@a.example'.replace(/\S+/, 'ADDRESS')],
  ['@'.repeat(100_000), `${'@'.repeat(400)}...`],
]

for (const [text, wanted] of addresses) {
  test(`masked: ${text.slice(0, 40)}`, () => {
    const masked = withoutAddresses(text)
    if (text.length < 1_000) assert.equal(masked, wanted)
    assert.doesNotMatch(masked, /\w@\w/)
    assert.ok(masked.length <= 410)
  })
}
