/** Questions for validation here: DO and CD, any name, whole replies. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAskSigned } from '../../../src/dns/ask.js'
import {
  answersOctets,
  composeOctetQuery,
  composeQuery,
  mixOctetCase,
} from '../../../src/dns/query.js'
import type { Exchange, Transport } from '../../../src/dns/transport.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import { ROOT, wireNameFromOctets } from '../../../src/wire-name.js'
import { ANSWERED, FLAG, reply, rr, u16 } from '../../support/dns-message.js'
import { wire } from '../../support/signed-records.js'

const octets = (text: string) => Buffer.from(wire(text), 'latin1')
const ODD = wireNameFromOctets(Buffer.from([3, 0x2e, 0x00, 0xff, 0])) ?? ROOT

describe('the query', () => {
  for (const isPadded of [false, true]) {
    test(`[DNSSEC-7] is the one that the other encoder makes, with CD and DO${isPadded ? ', padded' : ''}`, () => {
      const name = octets('mx.example.org')
      const question = { id: 4711, type: RR_TYPE.MX, isPadded }
      assert.deepEqual(
        composeOctetQuery({ ...question, name }),
        composeQuery({ ...question, spelling: 'mx.example.org', type: 'MX', isUnchecked: true }),
      )
    })
  }

  test('asks for the root and for names of any octets', () => {
    for (const name of [ROOT, ODD]) {
      const query = composeOctetQuery({
        id: 1,
        name: Buffer.from(name, 'latin1'),
        type: RR_TYPE.DNSKEY,
        isPadded: false,
      })
      assert.equal(query.toString('latin1', 12, 12 + name.length), name)
      assert.equal(query.readUInt16BE(12 + name.length), RR_TYPE.DNSKEY)
    }
  })

  test('mixes the letter case, and nothing else', () => {
    assert.deepEqual(
      mixOctetCase(wire('_25.mx-9.org'), Buffer.alloc(32, 0xff)),
      Buffer.from('\u0003_25\u0004MX-9\u0003ORG\0', 'latin1'),
    )
    assert.deepEqual(mixOctetCase(wire('a.b'), Buffer.alloc(32)), octets('a.b'))
    assert.deepEqual(mixOctetCase(ODD, Buffer.alloc(32, 0xff)), Buffer.from(ODD, 'latin1'))
  })
})

describe('a reply answers it', () => {
  const question = { name: 'mx.example.org', type: RR_TYPE.MX }
  const asked = { id: 1, name: octets('mx.example.org'), type: RR_TYPE.MX }
  for (const [title, bytes, wanted] of [
    ['if all is the same', reply({ question }), true],
    ['not by another id', reply({ id: 2, question }), false],
    [
      'not in another letter case',
      reply({ question: { ...question, name: 'MX.example.org' } }),
      false,
    ],
    ['not by another name', reply({ question: { ...question, name: 'my.example.org' } }), false],
    [
      'not by a longer name',
      reply({ question: { ...question, name: 'mx.example.org.org' } }),
      false,
    ],
    ['not by another type', reply({ question: { ...question, type: RR_TYPE.A } }), false],
    ['not by another class', reply({ question: { ...question, class: 3 } }), false],
    ['not if it is a query', reply({ question, flags: 0x0100 }), false],
    ['not by another opcode', reply({ question, flags: ANSWERED | 0x0800 }), false],
    ['not without a question', reply({}), false],
    ['not by one octet', Buffer.alloc(1), false],
  ] as const) {
    test(title, () => {
      assert.equal(answersOctets(bytes, asked), wanted)
    })
  }
})

describe('asking', () => {
  const NAME = wire('example.org')
  const question = { name: 'example.org', type: RR_TYPE.MX }
  const WHOLE = reply({
    id: 0,
    question,
    answer: [
      { owner: 'example.org', type: RR_TYPE.MX, rdata: Buffer.concat([u16(1), Buffer.alloc(1)]) },
    ],
  })
  const TRUNCATED = reply({ id: 0, question, flags: ANSWERED | FLAG.TC })

  /** Gives these in turn, then nothing. */
  function transport(...exchanges: (Buffer | Exclude<Exchange, { kind: 'reply' }>)[]): Transport {
    return (_, isReply) => {
      const next = exchanges.shift()
      if (next === undefined) return Promise.resolve({ kind: 'timeout', strays: 0 })
      if (!Buffer.isBuffer(next)) return Promise.resolve(next)
      return Promise.resolve(
        isReply(next) ? { kind: 'reply', bytes: next } : { kind: 'timeout', strays: 1 },
      )
    }
  }

  function ask(udp: Transport | undefined, stream: Transport) {
    const parts = {
      server: '192.0.2.1:53',
      udp,
      stream,
      isCaseMixed: false,
      now: () => 1_000,
      entropy: (count: number) => Buffer.alloc(count),
    }
    return createAskSigned(parts)({ name: NAME, type: RR_TYPE.MX }, 2_000)
  }

  test('over UDP', async () => {
    const result = await ask(transport(WHOLE), transport())
    assert.ok(result.kind === 'reply')
    assert.equal(result.receivedAt, 1_000)
    assert.equal(result.rrsets[0]?.owner, NAME)
  })

  test('again after a lost datagram', async () => {
    const lost = { kind: 'timeout', strays: 0 } as const
    assert.equal((await ask(transport(lost, WHOLE), transport())).kind, 'reply')
  })

  test('over TCP after a truncated reply (RFC 7766 §5)', async () => {
    assert.equal((await ask(transport(TRUNCATED), transport(WHOLE))).kind, 'reply')
  })

  test('that there was a truncated reply and none over TCP is told apart', async () => {
    for (const stream of [
      transport(),
      transport({ kind: 'network', detail: 'refused' }),
      transport(TRUNCATED),
    ]) {
      const result = await ask(transport(TRUNCATED), stream)
      assert.ok(result.kind === 'failed')
      assert.equal(result.isTruncated, true)
    }
    const silent = await ask(transport(), transport())
    assert.ok(silent.kind === 'failed')
    assert.equal(silent.isTruncated, undefined)
  })

  test('over TLS alone', async () => {
    assert.equal((await ask(undefined, transport(WHOLE))).kind, 'reply')
  })

  test('a malformed reply is a failure, not absence', async () => {
    const damaged = WHOLE.subarray(0, -1)
    const result = await ask(transport(damaged), transport())
    assert.ok(result.kind === 'failed')
    assert.equal(result.cause, 'malformed')
  })

  test('the root', async () => {
    const bytes = reply({
      id: 0,
      question: { name: '.', type: RR_TYPE.MX },
      authority: [rr.soa('.', 60)],
    })
    const parts = {
      server: 's',
      udp: transport(bytes),
      stream: transport(),
      isCaseMixed: true,
      now: () => 0,
      entropy: (count: number) => Buffer.alloc(count),
    }
    assert.equal(
      (await createAskSigned(parts)({ name: ROOT, type: RR_TYPE.MX }, 1_000)).kind,
      'reply',
    )
  })
})
