/** Names and heads of queue files, as Haraka writes them and as anyone could. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  destinationName,
  giveUpTimes,
  headLength,
  isUnfinished,
  MAX_HEAD,
  parseHead,
  parseQueueName,
} from '../../../src/status/queue-name.js'

const names: readonly (readonly [string, string, unknown])[] = [
  [
    'new, Haraka 3.0.4 to 3.3.4',
    '1796000000000_1796000000000_0_1234_aB3xYz_17_relay.example',
    {
      key: '1796000000000_aB3xYz',
      arrivedAt: 1796000000000,
      nextAttemptAt: 1796000000000,
      attempts: 0,
    },
  ],
  [
    'renamed after the third failure',
    '1796000000000_1796000600000_3_99_aB3xYz_10000_relay.example',
    {
      key: '1796000000000_aB3xYz',
      arrivedAt: 1796000000000,
      nextAttemptAt: 1796000600000,
      attempts: 3,
    },
  ],
  [
    'a host with an escaped underscore and colon',
    '1_2_3_4_abcdef_5_my\\137relay\\0721',
    { key: '1_abcdef', arrivedAt: 1, nextAttemptAt: 2, attempts: 3 },
  ],
  [
    'four parts, before Haraka 2.8: when it arrived is unknown',
    '1484878079415_2_12345_8888.mta1.example.com',
    {
      key: '1484878079415_2_12345_8888.mta1.example.com',
      arrivedAt: 1484878079415,
      nextAttemptAt: 1484878079415,
      attempts: 2,
    },
  ],
  ['six parts', '1_2_3_4_abcdef_5', undefined],
  [
    'eight parts',
    '1_2_3_4_abcdef_5_host_more',
    { key: '1_abcdef', arrivedAt: 1, nextAttemptAt: 2, attempts: 3 },
  ],
  ['an instant that is no number', 'x_2_3_4_abcdef_5_host', undefined],
  ['a negative instant', '-1_2_3_4_abcdef_5_host', undefined],
  ['an instant beyond any date', `${'9'.repeat(16)}_2_3_4_abcdef_5_host`, undefined],
  ['a hundred thousand digits', `${'9'.repeat(100_000)}_2_3_4_abcdef_5_host`, undefined],
  ['a long uid', `1_2_3_4_${'a'.repeat(65)}_5_host`, undefined],
  ['a uid with control characters', '1_2_3_4_ab\u001bcd_5_host', undefined],
  ['a message that Haraka could not read', 'error.1_2_3_4_abcdef_5_host', undefined],
  ['any other file', 'README', undefined],
  ['nothing', '', undefined],
]

for (const [what, name, wanted] of names) {
  test(`name: ${what}`, () => {
    assert.deepEqual(parseQueueName(name), wanted)
  })
}

test('files that are being written are no messages yet', () => {
  assert.ok(isUnfinished('__tmp__.1_2_3_4_abcdef_5_host'))
  assert.ok(isUnfinished('.1_2_3_4_abcdef_5_host'))
  assert.ok(!isUnfinished('1_2_3_4_abcdef_5_host'))
})

const lengths: readonly (readonly [string, Buffer, number | undefined])[] = [
  ['a usual one', Buffer.from([0, 0, 1, 2, 10]), 258],
  ['three octets', Buffer.from([0, 0, 1]), undefined],
  ['nothing', Buffer.alloc(0), undefined],
  ['zero', Buffer.alloc(4), undefined],
  ['four gigabytes', Buffer.from([255, 255, 255, 255]), undefined],
  ['the most', Buffer.from([0, MAX_HEAD >> 16, 0, 0]), MAX_HEAD],
  ['one more', Buffer.from([0, MAX_HEAD >> 16, 0, 1]), undefined],
]

for (const [what, octets, wanted] of lengths) {
  test(`length: ${what}`, () => {
    assert.equal(headLength(octets), wanted)
  })
}

const heads: readonly (readonly [string, string, unknown])[] = [
  [
    'as Haraka writes it',
    '\n{\n\t"queue_time": 1,\n\t"domain": "Example.ORG",\n\t"rcpt_to": [{"user":"a"},{"user":"b"}]\n}\n',
    { destination: 'example.org', recipients: 2 },
  ],
  [
    'U-labels become A-labels',
    '{"domain":"bücher.example","rcpt_to":[1]}',
    { destination: 'xn--bcher-kva.example', recipients: 1 },
  ],
  [
    'an address literal',
    '{"domain":"[192.0.2.1]","rcpt_to":[1]}',
    { destination: '[192.0.2.1]', recipients: 1 },
  ],
  [
    'a domain with control characters and markup',
    '{"domain":"<b>\\u001b[31m\\r\\n\\u202e","rcpt_to":[]}',
    { destination: '<b>?[31m???', recipients: 0 },
  ],
  [
    'a domain of a megabyte',
    `{"domain":"${'a'.repeat(1_000_000)}","rcpt_to":[1]}`,
    { destination: `${'a'.repeat(253)}...`, recipients: 1 },
  ],
  [
    'a domain that is the words of a success',
    '{"domain":"TLS success","rcpt_to":[1]}',
    { destination: 'tls_success', recipients: 1 },
  ],
  ['no domain', '{"rcpt_to":[1]}', undefined],
  ['a domain that is a number', '{"domain":1,"rcpt_to":[1]}', undefined],
  ['recipients that are no list', '{"domain":"a.example","rcpt_to":{"length":9}}', undefined],
  ['no recipients', '{"domain":"a.example"}', undefined],
  ['half of it', '{"domain":"a.exam', undefined],
  ['null', 'null', undefined],
  ['a list', '[]', undefined],
  ['nothing', '', undefined],
  ['octets that are no UTF-8', Buffer.from([0xff, 0xfe]).toString('utf8'), undefined],
  ['nested deeply', '['.repeat(100_000), undefined],
]

for (const [what, json, wanted] of heads) {
  test(`head: ${what}`, () => {
    assert.deepEqual(parseHead(json), wanted)
  })
}

test('a destination has one spelling', () => {
  for (const text of ['Example.org', 'EXAMPLE.ORG', 'example.org.']) {
    assert.equal(destinationName(text), 'example.org')
  }
})

test('what is no domain name has a spelling too, which leads to itself as a path', () => {
  for (const text of [
    '',
    '.',
    '..',
    '...',
    'a/../b',
    '%2e%2e',
    '\\',
    'x'.repeat(300),
    'a\u202Eb',
  ]) {
    const name = destinationName(text)
    assert.equal(destinationName(name), name)
    const { pathname } = new URL(encodeURIComponent(name), 'http://localhost/dane/')
    assert.equal(decodeURIComponent(pathname), `/dane/${name}`)
  }
})

const schedules: readonly (readonly [string, readonly number[], number, number])[] = [
  ['the first attempt is due: all intervals are left', [60, 300, 3600], 0, 3_960_000],
  ['after one failure', [60, 300, 3600], 1, 3_900_000],
  ['the last attempt is next', [60, 300, 3600], 3, 0],
  ['more failures than intervals, after a change of outbound.ini', [60], 7, 0],
  ['temp_fail_intervals=none', [], 0, 0],
]

for (const [what, intervals, attempts, later] of schedules) {
  test(`gives up: ${what}`, () => {
    const name = { key: 'k', arrivedAt: 1, nextAttemptAt: 1_000_000, attempts }
    assert.equal(giveUpTimes(intervals)(name), 1_000_000 + later)
  })
}
