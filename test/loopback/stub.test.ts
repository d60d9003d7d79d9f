/** The stub against a scripted server: transports, retries, deadlines. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAsk } from '../../src/dns/ask.js'
import { createStub } from '../../src/dns/stub.js'
import { tcpTo } from '../../src/dns/stream.js'
import { udpTo } from '../../src/dns/datagram.js'
import type { Lookup, LookupEvent, RecordType, Resolver } from '../../src/lookup.js'
import { freePort } from '../../lab/free-port.js'
import { ANSWERED, FLAG, reply, rr, TYPE } from '../support/dns-message.js'
import type { Reply } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'
import type { Asked, DnsServer, Script } from '../support/dns-server.js'
import { name } from '../support/names.js'

const MX = 'mx.example'

function stub(
  server: { address: string; port: number },
  timeoutMs = 1000,
  events: LookupEvent[] = [],
  tcpPort = server.port,
): Resolver & { close: () => void } {
  let count = 0x1000
  const stream = tcpTo({ ...server, port: tcpPort })
  const ask = createAsk({
    server: `${server.address}:${server.port}`,
    udp: udpTo(server),
    stream: stream.exchange,
    isCaseMixed: true,
    now: () => Date.now(),
    // Random ids and case.
    entropy: (octets) => Buffer.alloc(octets, Buffer.from([count >> 8, count++, 0xa5])),
  })
  const { lookup } = createStub({
    server: `${server.address}:${server.port}`,
    ask,
    isTrusted: true,
    now: () => Date.now(),
    observe: (event) => events.push(event),
  })
  return {
    lookup: (owner, type) => lookup(owner, type, Date.now() + timeoutMs),
    close: stream.close,
  }
}

/** Sends one query to a server with this script. */
async function ask(
  script: Script,
  { timeoutMs = 1000, type = 'A' }: { timeoutMs?: number; type?: RecordType } = {},
): Promise<{ lookup: Lookup; asked: readonly Asked[] }> {
  const server = await startDnsServer(script)
  const resolver = stub(server, timeoutMs)
  const lookup = await resolver.lookup(name(MX), type)
  resolver.close()
  await server.stop()
  return { lookup, asked: server.asked }
}

const to = (asked: Asked, parts: Reply): Buffer =>
  reply({
    id: asked.id,
    question: { name: asked.spelling, type: asked.type },
    flags: ANSWERED | FLAG.AD,
    ...parts,
  })

const address = rr.a(MX, '192.0.2.1')

test('an answer over UDP, validated by a resolver on loopback', async () => {
  const { lookup, asked } = await ask((query) => [to(query, { answer: [address] })])
  assert.equal(lookup.kind === 'found' && lookup.security, 'secure')
  assert.deepEqual(
    asked.map(({ transport }) => transport),
    ['udp'],
  )
})

test('TC: repeated over TCP, the truncated part unused (RFC 2181 §9) [DERIVED-dns-a]', async () => {
  const { lookup, asked } = await ask((query) =>
    query.transport === 'udp'
      ? [to(query, { flags: ANSWERED | FLAG.TC | FLAG.AD, answer: [rr.a(MX, '192.0.2.99')] })]
      : [to(query, { answer: [address, rr.a(MX, '192.0.2.2')] })],
  )
  assert.deepEqual(
    asked.map(({ transport }) => transport),
    ['udp', 'tcp'],
  )
  assert.deepEqual(lookup.kind === 'found' && lookup.records, [
    { type: 'A', address: '192.0.2.1' },
    { type: 'A', address: '192.0.2.2' },
  ])
})

const cut = (query: Asked): Buffer =>
  to(query, { flags: ANSWERED | FLAG.TC | FLAG.AD, answer: [address] })

const afterTruncation: readonly (readonly [string, Script, RegExp])[] = [
  ['TCP closes', (query) => (query.transport === 'udp' ? [cut(query)] : 'close'), /^network: /],
  ['TCP is silent', (query) => (query.transport === 'udp' ? [cut(query)] : []), /^timeout: /],
  ['TCP is truncated too', (query) => [cut(query)], /^malformed: truncated reply over TCP/],
  [
    'TCP answers another question',
    (query) =>
      query.transport === 'udp'
        ? [cut(query)]
        : [
            reply({
              id: query.id,
              question: { name: 'other.example', type: TYPE.A },
              answer: [address],
            }),
          ],
    /^timeout: /,
  ],
  [
    'TCP says SERVFAIL',
    (query) => (query.transport === 'udp' ? [cut(query)] : [to(query, { rcode: 2 })]),
    /^servfail: /,
  ],
]
for (const [circumstance, script, wanted] of afterTruncation) {
  test(`TC and ${circumstance}: a failure, the truncated part is never used [DERIVED-dns-a]`, async () => {
    const { lookup } = await ask(script, { timeoutMs: 400 })
    assert.match(lookup.kind === 'failed' ? `${lookup.cause}: ${lookup.detail}` : '', wanted)
  })
}

const cutInMidst: readonly (readonly [string, (query: Asked) => Buffer])[] = [
  ['in the middle of a record', (query) => cut(query).subarray(0, -3)],
  ['with the original counts', (query) => Buffer.from(cut(query)).fill(9, 7, 8)],
  ['after the question', (query) => cut(query).subarray(0, 12 + MX.length + 2 + 4)],
]
for (const [circumstance, part] of cutInMidst) {
  test(`TC and truncated ${circumstance}: repeated over TCP (RFC 7766 §5)`, async () => {
    const { lookup, asked } = await ask((query) =>
      query.transport === 'udp' ? [part(query)] : [to(query, { answer: [address] })],
    )
    assert.equal(lookup.kind, 'found')
    assert.deepEqual(
      asked.map(({ transport }) => transport),
      ['udp', 'tcp'],
    )
  })
}

test('TC and TCP refused: a failure', async () => {
  // A server that answers on UDP only.
  const server = await startDnsServer((query) => [cut(query)])
  const port = await freePort()
  const lookup = await stub(server, 500, [], port).lookup(name(MX), 'A')
  await server.stop()
  assert.deepEqual(lookup.kind === 'failed' && lookup.cause, 'network')
})

test('silence: sent three times within the timeout, then a failure', async () => {
  const { lookup, asked } = await ask(() => [], { timeoutMs: 500 })
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'timeout')
  assert.equal(asked.length, 3)
  assert.equal(new Set(asked.map(({ port }) => port)).size, 3, 'each from a port of its own')
  assert.equal(
    new Set(asked.map(({ id }) => id)).size,
    3,
    'each with an id of its own (RFC 5452 §9.2)',
  )
  const [spelling, ...others] = new Set(asked.map((query) => query.spelling))
  assert.notEqual(spelling, MX, 'letters in mixed case')
  assert.deepEqual(others, [], 'one spelling for the question')
})

test('a lost datagram is sent again', async () => {
  const { lookup, asked } = await ask((query, count) =>
    count === 1 ? [] : [to(query, { answer: [address] })],
  )
  assert.equal(lookup.kind, 'found')
  assert.equal(asked.length, 2)
})

const noise: readonly (readonly [string, (query: Asked) => Buffer])[] = [
  [
    'another id',
    (query) =>
      reply({
        id: query.id ^ 1,
        question: { name: query.spelling, type: TYPE.A },
        answer: [rr.a(MX, '192.0.2.66')],
      }),
  ],
  [
    'another name',
    (query) =>
      reply({
        id: query.id,
        question: { name: 'evil.example', type: TYPE.A },
        answer: [rr.a(MX, '192.0.2.66')],
      }),
  ],
  [
    'another type',
    (query) =>
      reply({
        id: query.id,
        question: { name: query.spelling, type: TYPE.MX },
        answer: [rr.a(MX, '192.0.2.66')],
      }),
  ],
  [
    'the name in different case (0x20)',
    (query) =>
      reply({
        id: query.id,
        question: { name: MX, type: TYPE.A },
        answer: [rr.a(MX, '192.0.2.66')],
      }),
  ],
  ['no question', (query) => reply({ id: query.id, answer: [rr.a(MX, '192.0.2.66')] })],
  ['the query itself', (query) => query.bytes],
  ['three octets', () => Buffer.from('abc')],
  ['nothing', () => Buffer.alloc(0)],
]
for (const [circumstance, junk] of noise) {
  test(`ignored until the reply arrives: ${circumstance} (RFC 5452 §9) [DERIVED-dns-b]`, async () => {
    const { lookup, asked } = await ask((query) => [junk(query), to(query, { answer: [address] })])
    assert.deepEqual(lookup.kind === 'found' && lookup.records, [
      { type: 'A', address: '192.0.2.1' },
    ])
    assert.equal(asked.length, 1)
  })
}

test('a malformed reply to the query is a failure at once', async () => {
  const { lookup, asked } = await ask((query) => [to(query, { answer: [address] }).subarray(0, -1)])
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'malformed')
  assert.equal(asked.length, 1)
})

test('a reply from another port is ignored [DERIVED-dns-b]', async () => {
  const spoofer = await startDnsServer(() => [])
  const server: DnsServer = await startDnsServer((query) => {
    // Another sender sends a perfect answer to the port of the query.
    void import('node:dgram').then(({ createSocket }) => {
      const socket = createSocket('udp4')
      socket.send(to(query, { answer: [rr.a(MX, '192.0.2.66')] }), query.port, '127.0.0.1', () =>
        socket.close(),
      )
    })
    return []
  })
  const lookup = await stub(server, 400).lookup(name(MX), 'A')
  await Promise.all([server.stop(), spoofer.stop()])
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'timeout')
})

test('connection refused: a failure at once', async () => {
  const port = await freePort()
  const lookup = await stub({ address: '127.0.0.1', port }, 60_000).lookup(name(MX), 'A')
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'network')
  assert.match(lookup.kind === 'failed' ? lookup.detail : '', /ECONNREFUSED/)
})

test('aliases returned one at a time are followed (RFC 7672 §2.1.3) [R7672-2.1.3-a]', async () => {
  const { lookup, asked } = await ask((query) => {
    if (query.name === MX) return [to(query, { answer: [rr.cname(MX, 'b.example', 20)] })]
    if (query.name === 'b.example')
      return [to(query, { answer: [rr.cname('b.example', 'c.example')] })]
    return [to(query, { answer: [rr.a('c.example', '192.0.2.1')] })]
  })
  assert.deepEqual(
    asked.map((query) => query.name),
    [MX, 'b.example', 'c.example'],
  )
  assert.ok(lookup.kind === 'found')
  assert.deepEqual(lookup.aliases, [MX, 'b.example'])
  assert.equal(lookup.canonicalName, 'c.example')
  assert.equal(lookup.security, 'secure')
  assert.ok(lookup.expiresAt <= Date.now() + 20_000)
})

test('one insecure alias among them makes the answer insecure (RFC 7672 §2.1.3) [R7672-2.1.3-c]', async () => {
  const { lookup } = await ask((query) =>
    query.name === MX
      ? [to(query, { flags: ANSWERED, answer: [rr.cname(MX, 'b.example')] })]
      : [to(query, { answer: [rr.a('b.example', '192.0.2.1')] })],
  )
  assert.equal(lookup.kind === 'found' && lookup.security, 'insecure')
})

test('an endless chain of aliases is a failure', async () => {
  const { lookup, asked } = await ask((query) => {
    const next = `a${Number(/\d+/.exec(query.name)?.[0] ?? 0) + 1}.example`
    return [to(query, { answer: [rr.cname(query.name, next)] })]
  })
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'alias-loop')
  assert.ok(asked.length <= 18)
})

test('an alias loop over several messages is a failure [R7672-2.1.3-b]', async () => {
  const { lookup } = await ask((query) => [
    to(query, {
      answer: [query.name === MX ? rr.cname(MX, 'b.example') : rr.cname('b.example', MX)],
    }),
  ])
  assert.equal(lookup.kind === 'failed' && lookup.cause, 'alias-loop')
})

describe('SERVFAIL: bogus or broken?', () => {
  const isUnchecked = ({ bytes }: Asked): boolean => (bytes.readUInt16BE(2) & FLAG.CD) !== 0
  const cases: readonly (readonly [string, Script, RegExp, number])[] = [
    [
      'an answer with CD: bogus, and the answer is not used',
      (query) => [to(query, isUnchecked(query) ? { answer: [address] } : { rcode: 2 })],
      /^bogus: SERVFAIL, though there is an answer without validation/,
      2,
    ],
    [
      'absence with CD: bogus, not absence',
      (query) => [to(query, { rcode: isUnchecked(query) ? 3 : 2 })],
      /^bogus: /,
      2,
    ],
    ['SERVFAIL with CD too', (query) => [to(query, { rcode: 2 })], /^servfail: SERVFAIL$/, 2],
    [
      'silence with CD',
      (query) => (isUnchecked(query) ? [] : [to(query, { rcode: 2 })]),
      /^servfail: SERVFAIL$/,
      4,
    ],
    [
      'an extended error that means bogus: no second query (RFC 8914 §4.7) [R8914-3-c]',
      (query) => [
        to(query, {
          rcode: 2,
          additional: [
            rr.opt([
              [9, ''],
              [6, ''],
            ]),
          ],
        }),
      ],
      /^bogus: SERVFAIL$/,
      1,
    ],
    [
      'an extended error that means another cause: no second query (RFC 8914 §4.23)',
      (query) => [to(query, { rcode: 2, additional: [rr.opt([[22, 'no servers']])] })],
      /^servfail: SERVFAIL$/,
      1,
    ],
    [
      'an unspecific extended error (RFC 8914 §4.1)',
      (query) => [
        to(query, isUnchecked(query) ? {} : { rcode: 2, additional: [rr.opt([[0, 'oops']])] }),
      ],
      /^bogus: /,
      2,
    ],
    ['REFUSED does not concern validation', (query) => [to(query, { rcode: 5 })], /^refused: /, 1],
  ]
  for (const [circumstance, script, wanted, questions] of cases) {
    test(circumstance, async () => {
      const { lookup, asked } = await ask(script, { timeoutMs: 400 })
      assert.match(lookup.kind === 'failed' ? `${lookup.cause}: ${lookup.detail}` : '', wanted)
      assert.equal(asked.length, questions)
    })
  }
})

test('queries and responses are reported', async () => {
  const server = await startDnsServer((query) => [to(query, { answer: [address] })])
  const events: LookupEvent[] = []
  await stub(server, 1000, events).lookup(name(MX), 'A')
  await server.stop()
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['query', 'response'],
  )
})

test('two hundred simultaneous lookups leave no socket open', async () => {
  const server = await startDnsServer((query) => [
    to(query, { answer: [rr.a(query.name, '192.0.2.1')] }),
  ])
  const resolver = stub(server, 5000)
  const names = Array.from({ length: 200 }, (_, index) => name(`n${index}.example`))
  const lookups = await Promise.all(names.map((each) => resolver.lookup(each, 'A')))
  await server.stop()
  assert.deepEqual(
    lookups.filter(({ kind }) => kind !== 'found'),
    [],
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  const sockets = process.getActiveResourcesInfo().filter((kind) => /UDP|TCP/.test(kind))
  assert.deepEqual(sockets, [])
})
