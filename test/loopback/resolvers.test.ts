/** Real Unbounds: their answers for zones in every state, and their probe results. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mint } from '../../lab/certificates.js'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Child } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { UnboundOptions } from '../../lab/name-servers.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { assembleResolver } from '../../src/assemble.js'
import { probeText } from '../../src/lookup-text.js'
import { failureText } from '../../src/lookup.js'
import type { Lookup, LookupEvent, RecordType, Resolver } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings/settings.js'
import { reply, rr } from '../support/dns-message.js'
import { startDnsServer } from '../support/dns-server.js'
import { name } from '../support/names.js'

const DAMAGED = `mx-damaged.${PLACE.signed} A`

let laboratory: Laboratory
let rows: readonly Row[]
before(async () => {
  const started = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const all = await Promise.all([
      destination(port, authority, 'good'),
      destination(port, authority, 'damaged'),
      destination(port, authority, 'plain', { place: PLACE.unsigned }),
      destination(port, authority, 'apart', { place: PLACE.island }),
      destination(port, authority, 'late', { place: PLACE.expired }),
      destination(port, authority, 'keyless', { place: PLACE.noDnskey }),
    ])
    return all.map(({ row }) => (row.id === 'damaged' ? { ...row, damaged: [DAMAGED] } : row))
  })
  laboratory = started.laboratory
  rows = started.rows
})
after(() => laboratory.stop())

/** A resolver as in the plugin, with its events, closed afterwards. */
async function withResolver(
  lines: readonly string[],
  work: (resolver: Resolver, events: readonly LookupEvent[]) => Promise<void>,
): Promise<void> {
  const events: LookupEvent[] = []
  // They listen on unprivileged ports, so they need `trust = yes`.
  const settings = parseSettings(['[resolver]', 'trust = yes', ...lines].join('\n'))
  const resolver = assembleResolver(settings, (event) => events.push(event))
  try {
    await work(resolver, events)
  } finally {
    resolver.close()
  }
}

/** `secure found`, `insecure nodata`, `bogus` ... */
function text(lookup: Lookup): string {
  switch (lookup.kind) {
    case 'found':
      return `${lookup.security} found`
    case 'absent':
      return `${lookup.security} ${lookup.reason}`
    case 'failed':
      return lookup.cause
  }
}

const states: readonly (readonly [string, string, RecordType, string])[] = [
  ['signed', `good.${PLACE.signed}`, 'MX', 'secure found'],
  ['signed, no such type', `good.${PLACE.signed}`, 'TLSA', 'secure nodata'],
  ['signed, no such name', `nobody.${PLACE.signed}`, 'MX', 'secure nxdomain'],
  ['unsigned', `plain.${PLACE.unsigned}`, 'MX', 'insecure found'],
  ['unsigned, no such type', `plain.${PLACE.unsigned}`, 'TLSA', 'insecure nodata'],
  ['unsigned, no such name', `nobody.${PLACE.unsigned}`, 'MX', 'insecure nxdomain'],
  ['signed without a DS', `apart.${PLACE.island}`, 'MX', 'insecure found'],
  ['signed without a DS, no such type', `apart.${PLACE.island}`, 'TLSA', 'insecure nodata'],
  ['signed without a DS, no such name', `nobody.${PLACE.island}`, 'MX', 'insecure nxdomain'],
  ['one signature damaged', `mx-damaged.${PLACE.signed}`, 'A', 'bogus'],
  ['signatures expired', `late.${PLACE.expired}`, 'MX', 'bogus'],
  ['signatures expired, no such type', `late.${PLACE.expired}`, 'TLSA', 'bogus'],
  ['DNSKEY missing', `keyless.${PLACE.noDnskey}`, 'MX', 'bogus'],
  // Unbound may give up earlier or later than the plugin.
  ['lame', `any.${PLACE.lame}`, 'MX', 'broken'],
]

const unbounds: readonly {
  readonly title: string
  readonly options: UnboundOptions
  readonly isOwn?: boolean
  /** Why an answer is bogus. */
  readonly why: RegExp
}[] = [
  { title: 'Unbound with extended errors', options: {}, why: /EDE (6|7|9|10)\b/ },
  { title: 'Unbound without extended errors', options: { isTaciturn: true }, why: /SERVFAIL/ },
  {
    title: 'validated here, through an Unbound that does not validate',
    options: { isPlain: true },
    isOwn: true,
    why: /does not match|expired on 2020-02-01|nokey\.example has a DS, but no DNSKEY/,
  },
  {
    title: 'validated here, through an Unbound that validates',
    options: {},
    isOwn: true,
    why: /does not match|expired on 2020-02-01|nokey\.example has a DS, but no DNSKEY/,
  },
]

for (const { title, options, isOwn = false, why } of unbounds) {
  describe(`${title} [R7672-2.1.1-b R7672-2.1.1-c R7672-2.1.1-d]`, () => {
    let unbound: { port: number; child: Child }
    let mode: readonly string[] = []
    before(async () => {
      unbound = await laboratory.names.startResolver(options)
      const { trustAnchorFile } = laboratory.names
      if (isOwn) mode = ['validation = own', `trust_anchors = ${trustAnchorFile}`]
    })
    after(() => unbound.child.stop())

    for (const [state, owner, type, wanted] of states) {
      test(`${state}: ${wanted}`, async () => {
        const lines = [`server[] = 127.0.0.1:${unbound.port}`, 'timeout = 2s', ...mode]
        await withResolver(lines, async (resolver) => {
          const lookup = await resolver.lookup(name(owner), type)
          assert.equal(text(lookup).replace(/^(servfail|timeout)$/, 'broken'), wanted)
          if (lookup.kind !== 'failed' || wanted === 'broken') return
          assert.match(failureText(lookup), why)
        })
      })
    }

    // With CD, a resolver passes on what it has cached, until that expires (RFC 6840 §5.9).
    const isKept = { skip: isOwn }
    test(
      'a repaired zone is secure again, whatever was queried while it was bogus',
      isKept,
      async () => {
        await withResolver([`server[] = 127.0.0.1:${unbound.port}`, ...mode], async (resolver) => {
          const ask = async (): Promise<string> =>
            text(await resolver.lookup(name(`mx-damaged.${PLACE.signed}`), 'A'))
          assert.equal(await ask(), 'bogus')
          await laboratory.publish(rows.map((row) => ({ ...row, damaged: [] })))
          await until('the repaired zone', async () => (await ask()) !== 'bogus')
          assert.equal(await ask(), 'secure found')
          await laboratory.publish(rows)
        })
      },
    )
  })
}

describe('whether a resolver is used', () => {
  test('a forwarder that does not validate is detected; the next one is queried', async () => {
    const plain = await laboratory.names.startResolver({ isPlain: true })
    const servers = [plain.port, laboratory.names.unboundPort].map(
      (port) => `server[] = 127.0.0.1:${port}`,
    )
    await withResolver(servers, async (resolver, events) => {
      const lookup = await resolver.lookup(name(`good.${PLACE.signed}`), 'MX')
      assert.equal(text(lookup), 'secure found')
      assert.deepEqual(
        // Both are probed at once, and either may answer first.
        events
          .filter(({ kind }) => kind === 'resolver')
          .map(said)
          .sort(),
        [
          `127.0.0.1:${plain.port} anchors: no DNSKEY of . matches a trust anchor (its AD bit is not believed: no AD bit on the answer for .)`,
          `127.0.0.1:${laboratory.names.unboundPort} validating`,
        ].sort(),
      )
      assert.ok(
        events.every((event) => event.kind !== 'query' || !event.server.endsWith(`:${plain.port}`)),
      )
    })
    await plain.child.stop()
  })

  test('a resolver that sets AD on everything is detected by a name that must fail', async () => {
    const echo = await startDnsServer((query) => [
      reply({
        id: query.id,
        flags: 0x81a0,
        question: { name: query.spelling, type: query.type },
        answer: [rr.a(query.spelling, '192.0.2.1')],
      }),
    ])
    const lines = [`server[] = 127.0.0.1:${echo.port}`, `probe_bogus = late.${PLACE.expired}`]
    await withResolver(lines, async (resolver) => {
      const lookup = await resolver.lookup(name(`good.${PLACE.signed}`), 'MX')
      assert.match(
        lookup.kind === 'failed' ? failureText(lookup) : '',
        /^no-resolver, .*does not validate: an answer for late\.expired\.example, which must fail/,
      )
    })
    await echo.stop()
    const good = [
      `server[] = 127.0.0.1:${laboratory.names.unboundPort}`,
      `probe_bogus = late.${PLACE.expired}`,
      `probe = ${PLACE.signed}`,
    ]
    await withResolver(good, async (resolver, events) => {
      assert.equal(text(await resolver.lookup(name(`good.${PLACE.signed}`), 'MX')), 'secure found')
      const [first] = events.filter(({ kind }) => kind === 'resolver')
      assert.ok(first?.kind === 'resolver')
      assert.deepEqual(first.result, { kind: 'validating' }, 'without a caveat')
    })
  })

  test('Unbound over TLS, its name verified (RFC 7858)', async () => {
    const ca = await mint({ subject: 'CN=ca', isCa: true })
    const leaf = await mint({
      subject: 'CN=dns.example',
      names: ['dns.example'],
      issuer: ca,
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
    })
    const file = (suffix: string): string => path.join(laboratory.folder, `dot-${suffix}.pem`)
    await writeFile(file('key'), leaf.keyPem)
    await writeFile(file('chain'), leaf.pem)
    await writeFile(file('ca'), ca.pem)
    const tlsPort = await freePort()
    const unbound = await laboratory.names.startResolver({
      more: [
        `interface: 127.0.0.1@${tlsPort}`,
        `tls-port: ${tlsPort}`,
        `tls-service-key: "${file('key')}"`,
        `tls-service-pem: "${file('chain')}"`,
      ],
    })
    const lines = [`server[] = tls://127.0.0.1:${tlsPort}#dns.example`, `ca_file = ${file('ca')}`]
    await withResolver(lines, async (resolver) => {
      const names = Array.from({ length: 50 }, (_, index) => name(`n${index}.${PLACE.signed}`))
      const lookups = await Promise.all([
        resolver.lookup(name(`good.${PLACE.signed}`), 'MX'),
        ...names.map((each) => resolver.lookup(each, 'A')),
      ])
      assert.deepEqual(lookups.map(text), ['secure found', ...names.map(() => 'secure nxdomain')])
    })
    const stranger = [
      `server[] = tls://127.0.0.1:${tlsPort}#other.example`,
      `ca_file = ${file('ca')}`,
    ]
    await withResolver(stranger, async (resolver) => {
      const lookup = await resolver.lookup(name(`good.${PLACE.signed}`), 'MX')
      assert.match(
        lookup.kind === 'failed' ? failureText(lookup) : '',
        /no-resolver.*other\.example/,
      )
    })
    await unbound.child.stop()
  })
})

function said(event: LookupEvent): string {
  if (event.kind !== 'resolver') return event.kind
  const { server, result } = event
  return `${server} ${probeText(result)}`
}

test('an off-path spoofer floods 1,000 lookups with guesses: none is accepted [DERIVED-dns-b]', async () => {
  // The forger sends from the resolver's address and port, as with forged source addresses.
  const forger = createSocket({ type: 'udp4', reuseAddr: true })
  const resolver = createSocket({ type: 'udp4', reuseAddr: true })
  const answers = new Set<NodeJS.Timeout>()
  const ports = new Set<number>()
  const ids = new Set<number>()
  let forged = 0
  let nextFlood: NodeJS.Immediate | undefined
  const flood = (): void => {
    for (let i = 0; i < 60; i++) {
      // Half of the guesses go to ports in use, with wrong ids.
      const known = [...ports].slice(-30)
      const target = known[forged % Math.max(1, known.length)] ?? 40_000
      const guess = i % 2 === 0 ? target : 1024 + Math.floor(Math.random() * 64_000)
      // A right one is luck, not a fault.
      let id = Math.floor(Math.random() * 0x10000)
      while (ids.has(id)) id = (id + 1) & 0xffff
      const asked = `n${Math.floor(Math.random() * 1000)}.example`
      const forgery = reply({
        id,
        flags: 0x81a0,
        question: { name: asked, type: 1 },
        answer: [rr.a(asked, '192.0.2.66')],
      })
      forger.send(forgery, guess, '127.0.0.1', () => undefined)
      forged++
    }
    nextFlood = setImmediate(flood)
  }

  try {
    await new Promise<void>((resolve) => forger.bind(0, '127.0.0.1', resolve))
    const { port } = forger.address()
    resolver.on('message', (query, from) => {
      ports.add(from.port)
      ids.add(query.readUInt16BE(0))
      // The true answer arrives late, so that the forger has time.
      const timer = setTimeout(() => {
        answers.delete(timer)
        resolver.send(answerTo(query, '192.0.2.1'), from.port, from.address)
      }, 3)
      answers.add(timer)
    })
    await new Promise<void>((resolve) => resolver.bind(port, '127.0.0.1', resolve))
    flood()

    await withResolver([`server[] = 127.0.0.1:${port}`], async (stub) => {
      const addresses: string[] = []
      for (let batch = 0; batch < 20; batch++) {
        const lookups = await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            stub.lookup(name(`n${batch * 50 + i}.example`), 'A'),
          ),
        )
        for (const lookup of lookups) {
          assert.ok(lookup.kind === 'found', text(lookup))
          for (const record of lookup.records) addresses.push(record.address)
        }
      }
      assert.equal(addresses.length, 1000)
      assert.deepEqual([...new Set(addresses)], ['192.0.2.1'])
    })
    assert.ok(forged > 1000, `${forged} forgeries`)
  } finally {
    clearImmediate(nextFlood)
    // Hedged and repeated queries are answered after the last lookup has ended.
    for (const timer of answers) clearTimeout(timer)
    forger.close()
    resolver.close()
  }
})

/** The question repeated, AD set, one address. */
function answerTo(query: Buffer, address: string): Buffer {
  const end = query.indexOf(0, 12) + 5
  const record = rr.a('.', address)
  const head = Buffer.from(query.subarray(0, end))
  head.writeUInt16BE(0x81a0, 2)
  head.writeUInt16BE(1, 6)
  head.writeUInt16BE(0, 10)
  const fixed = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4])
  return Buffer.concat([head, fixed, record.rdata])
}
