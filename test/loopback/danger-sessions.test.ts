/**
 * What could go wrong for mail that DANE protects, between connect and the end of
 * TLS: Haraka or another plugin writes too early, contradictory TLS options, a
 * host that resets or sends single octets.
 *
 * What counts is what the mail hosts saw. Harm done by Haraka without the plugin is shown first.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import type { DestinationOptions } from '../../lab/destination.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const OUTBOUND = 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5'

/** Everything that may be sent to a host before it is verified. */
const OPENING = /^(?:EHLO relay\.example|STARTTLS|QUIT)$/

/** A plugin that intercepts each connection; `where` is the host's address. */
const meddling = (body: string): Partial<HarakaOptions> => ({
  plugins: ['meddler', 'dane'],
  ownPlugins: {
    meddler: `exports.hook_get_mx = (next, hmail) => {
  const deliver = hmail.try_deliver_host_on_socket
  hmail.try_deliver_host_on_socket = (mx, host, port, socket) => {
    const first = mx.from_dns.startsWith('mx-')
    const go = () => deliver.call(hmail, mx, host, port, socket)
    if (!first) return go()
    const raw = socket.targetsocket
    ;(${body})({ socket, raw, go, net: require('node:net'), tls: require('node:tls'), stream: require('node:stream') })
  }
  next()
}`,
  },
  files: { 'outbound.ini': OUTBOUND },
})

const MESSAGE = "'MAIL FROM:<a@relay.example>\\r\\nRCPT TO:<smuggled@mx.example>\\r\\nDATA\\r\\n'"

/** What a plugin does with the connection to the first host. */
const MEDDLING: Readonly<Record<string, string>> = {
  'writes before our turn': `({ socket, go }) => { socket.write(${MESSAGE}); go() }`,
  'writes to the raw socket before our turn': `({ raw, go }) => { raw.write(${MESSAGE}); go() }`,
  'writes before the greeting': `({ socket, go }) => { go(); socket.write(${MESSAGE}) }`,
  'writes a harmless command out of turn': `({ socket, go }) => { go(); socket.write('NOOP\\r\\n') }`,
  'ends the stream with data': `({ socket, go }) => { go(); socket.once('line', () => socket.end(${MESSAGE})) }`,
  'pipes data into the stream': `({ socket, stream, go }) => { go(); socket.once('line', () => stream.Readable.from([${MESSAGE}]).pipe(socket)) }`,
  'writes to the raw socket': `({ socket, raw, go }) => { go(); socket.once('line', () => raw.write(${MESSAGE})) }`,
  'ends the raw socket with data': `({ socket, raw, go }) => { go(); socket.once('line', () => raw.end(${MESSAGE})) }`,
  "writes by Node's own method": `({ socket, raw, net, go }) => { go(); socket.once('line', () => net.Socket.prototype.write.call(raw, ${MESSAGE})) }`,
  'pipes into the raw socket': `({ socket, raw, stream, go }) => { go(); socket.once('line', () => stream.Readable.from([${MESSAGE}]).pipe(raw)) }`,
  'writes several at once': `({ socket, raw, go }) => { go(); socket.once('line', () => { raw.cork(); raw.write('NOOP\\r\\n'); raw.write(${MESSAGE}); raw.uncork() }) }`,
  'writes in another encoding': `({ socket, go }) => { go(); socket.once('line', () => socket.write(Buffer.from(${MESSAGE}).toString('hex'), 'hex')) }`,
  'pipelines after EHLO': `({ socket, go }) => {
    const { write } = socket
    socket.write = (data, ...rest) => /^EHLO/.test(data) ? write.call(socket, data + ${MESSAGE}, ...rest) : write.call(socket, data, ...rest)
    go()
  }`,
  'pipelines after EHLO in a separate write': `({ socket, go }) => { go(); socket.once('line', () => socket.write(${MESSAGE})) }`,
  'has a second command in the name of EHLO': `({ socket, go }) => {
    const { write } = socket
    socket.write = (data, ...rest) => write.call(socket, String(data).replace('EHLO relay.example', 'EHLO relay\\rRSET\\nNOOP'), ...rest)
    go()
  }`,
  'sends the message instead of STARTTLS': `({ socket, go }) => {
    const { write } = socket
    socket.write = (data, ...rest) => write.call(socket, /^STARTTLS/.test(data) ? ${MESSAGE} : data, ...rest)
    go()
  }`,
  'writes to the raw socket while TLS begins': `({ socket, raw, go }) => {
    const { upgrade } = socket
    socket.upgrade = (...args) => { upgrade(...args); raw.write(${MESSAGE}) }
    go()
  }`,
  'writes into TLS before the verdict': `({ socket, go }) => {
    const { upgrade } = socket
    socket.upgrade = (...args) => { upgrade(...args); socket.write(${MESSAGE}) }
    go()
  }`,
  'writes into the TLS socket before the verdict': `({ socket, go }) => {
    const { upgrade } = socket
    socket.upgrade = (...args) => { upgrade(...args); socket.cleartext.write(${MESSAGE}) }
    go()
  }`,
  'switches the stream to another connection': `({ socket, raw, net, go }) => {
    const { remoteAddress: host, remotePort: port } = raw
    go()
    socket.targetsocket = net.connect({ host, port })
    socket.targetsocket.on('error', () => undefined)
    socket.write('NOOP\\r\\n')
  }`,
}

const NODE = Number.parseInt(process.versions.node, 10)

describe('what is sent before TLS', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({ first: { hasSecondHost: true }, early: { hasSecondHost: true } })
  })
  after(() => relays.laboratory.stop())

  const to = (who: string): string => `${who}@${relays.domainOf('first')}`

  /** Commands that the first host received outside TLS; those of OPENING are harmless. */
  const heardInClear = (): readonly string[] =>
    relays
      .hostOf('first')
      .sessions.filter(({ isEncrypted }) => !isEncrypted)
      .flatMap(({ commands }) => commands)
      .filter((command) => !OPENING.test(command))

  test('force_tls is kept false and no_tls_hosts lists the host: nothing in clear text, the second MX gets the message', async () => {
    const files = {
      'outbound.ini': OUTBOUND,
      'tls.ini': `[outbound]\nno_tls_hosts[]=${relays.hostOf('first').address}`,
    }
    const ownPlugins = {
      holder: `exports.hook_get_mx = (next, hmail) => {
  Object.defineProperty(hmail, 'force_tls', { get: () => false, set: () => undefined })
  next()
}`,
    }
    const relay = { files, ownPlugins, plugins: ['holder', 'dane'] }
    await relays.withRelay(
      relay,
      async (haraka) => {
        assert.equal(await deliver(haraka, to('held')), 'delivered over TLS')
        assert.deepEqual(heardInClear(), [])
        await haraka.logged('reason=tls-disabled')
        await haraka.logged('host=mx2-first')
      },
      'policy = mandatory\n',
    )
  })

  let number = 0
  for (const [circumstance, body] of Object.entries(MEDDLING)) {
    const who = `meddler-${++number}`
    test(`another plugin ${circumstance}: not sent, the second MX gets the message`, async () => {
      await relays.withRelay(meddling(body), async (relay) => {
        // Data written before this plugin had the connection cannot be withheld.
        const isEarly = circumstance.endsWith('before our turn')
        const label = isEarly ? 'early' : 'first'
        const outcome = await deliver(relay, `${who}@${relays.domainOf(label)}`)
        assert.equal(outcome, 'delivered over TLS')
        assert.ok(relay.child.isRunning())
        await relay.logged(`host=mx2-${label}`)
        await relay.logged('reason=tls-disabled')
        const heard = relays
          .hostOf('first')
          .sessions.flatMap(({ commands, mails }) => [
            ...commands,
            ...mails.map(({ from }) => from),
          ])
          .filter((each) => /smuggled|RSET|NOOP/.test(each))
        if (!isEarly) assert.deepEqual(heard, [])
      })
    })
  }

  test('another plugin writes to the raw socket of a verified host, bypassing TLS: not sent', async () => {
    const body = `({ socket, raw, go }) => { go(); socket.on('secure', () => raw.write(${MESSAGE})) }`
    await relays.withRelay(meddling(body), async (relay) => {
      assert.equal(await deliver(relay, to('past')), 'delivered over TLS')
      assert.ok(relay.child.isRunning())
      await relay.logged('host=mx2-first')
    })
  })
})

describe('contradictory options in tls.ini', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      reset: { hasSecondHost: true, host: { misbehavior: 'starttls-reset' } },
    })
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`

  const withTls = async (tlsIni: string): Promise<Partial<HarakaOptions>> => {
    const { cert, key } = await relays.certificate()
    return {
      files: {
        'outbound.ini': OUTBOUND,
        'tls.ini': tlsIni,
        'tls_cert.pem': cert,
        'tls_key.pem': key,
      },
    }
  }

  const contradictory: Readonly<Record<string, string>> = {
    'ciphers that do not exist': 'mutual_tls=true\n[outbound]\nciphers=NO-SUCH-CIPHER',
    'a method that does not exist': 'mutual_tls=true\n[outbound]\nsecureProtocol=nonsense',
    'ALPN that is not a list': 'mutual_tls=true\n[outbound]\nALPNProtocols=smtp',
    'ALPN of [main], overriding ours': 'mutual_tls=true\nALPNProtocols=smtp',
    'signature algorithms that do not exist': 'mutual_tls=true\n[outbound]\nsigalgs=nonsense',
    // From Node 22 on, an invalid session is ignored, and mail is delivered.
    ...(NODE < 22 && { 'an invalid session': 'mutual_tls=true\nsession=nonsense' }),
    'an invalid context': 'mutual_tls=true\nsecureContext=nonsense',
    'a maximum version below our minimum': 'mutual_tls=true\n[outbound]\nmaxVersion=TLSv1.1',
    'ciphers, without mutual_tls': '[outbound]\nciphers=NO-SUCH-CIPHER',
    'ALPN, without mutual_tls': '[outbound]\nALPNProtocols=smtp',
  }
  let number = 0
  for (const [circumstance, tlsIni] of Object.entries(contradictory)) {
    const who = `options-${++number}`
    test(`${circumstance}: mail is deferred, and no reset crashes Haraka`, async () => {
      await relays.withRelay(await withTls(tlsIni), async (relay) => {
        for (const label of ['reset', 'good']) {
          assert.match(await deliver(relay, to(label, who)), /^deferred: TLS handshake failed/)
        }
        // Time for the reset of an abandoned socket.
        await new Promise((resolve) => setTimeout(resolve, 300))
        assert.ok(relay.child.isRunning())
        for (const host of relays.laboratory.hosts.values()) {
          assert.deepEqual(
            host.sessions.flatMap(({ recipients }) =>
              recipients.filter(({ to }) => to.startsWith(`${who}@`)),
            ),
            [],
          )
        }
      })
    })
  }

  test('ciphers that do not exist: Haraka without the plugin crashes at the first STARTTLS', async () => {
    const options = await withTls(contradictory['ciphers that do not exist'] ?? '')
    await relays.withRelay({ ...options, plugins: [] }, async (relay) => {
      await relay.submit(to('good', 'options-stock'))
      assert.notEqual(await relay.child.exited, 0)
    })
  })

  test('a warning at start names the options, the OpenSSL error, and the effect on mail', async () => {
    await relays.withRelay(await withTls('[outbound]\nciphers=NO-SUCH-CIPHER'), async (relay) => {
      await relay.logged('tls.ini: no TLS handshake is possible')
      const line = relay.log().find((each) => each.includes('no TLS handshake is possible')) ?? ''
      assert.match(line, /\[WARN\].*ciphers.*no cipher match.*mail to hosts with DANE is deferred/)
    })
  })
})

describe('options in tls.ini that only seem to contradict ours', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({ good: {} })
  })
  after(() => relays.laboratory.stop())

  const harmless: Readonly<Record<string, string>> = {
    'secureProtocol, TLS 1.2 alone': '[outbound]\nsecureProtocol=TLSv1_2_method',
    'secureProtocol overriding ours': 'mutual_tls=true\nsecureProtocol=TLS_method',
    'old versions overriding ours': 'mutual_tls=true\nminVersion=TLSv1',
  }
  let number = 0
  for (const [circumstance, tlsIni] of Object.entries(harmless)) {
    const recipient = `seeming-${++number}`
    test(`${circumstance}: delivered over TLS`, async () => {
      const { cert, key } = await relays.certificate()
      const files = {
        'outbound.ini': OUTBOUND,
        'tls.ini': tlsIni,
        'tls_cert.pem': cert,
        'tls_key.pem': key,
      }
      await relays.withRelay({ files }, async (relay) => {
        const to = `${recipient}@${relays.domainOf('good')}`
        assert.equal(await deliver(relay, to), 'delivered over TLS')
      })
    })
  }
})

describe('a host that resets or stalls', { concurrency: 4 }, () => {
  const DRIBBLES = ['greeting', 'ehlo', 'starttls', 'handshake'] as const
  let relays: Relays
  before(async () => {
    const labels: Record<string, DestinationOptions> = {
      reset: { hasSecondHost: true, host: { misbehavior: 'starttls-reset' } },
    }
    for (const what of DRIBBLES) {
      labels[`dribble-${what}`] = { hasSecondHost: true, host: { misbehavior: `dribble-${what}` } }
    }
    relays = await startRelays(labels)
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`
  const second = async (relay: Haraka, label: string, who: string): Promise<void> => {
    assert.equal(await deliver(relay, to(label, who)), 'delivered over TLS')
    await relay.logged(`host=mx2-${label}`)
    assert.deepEqual(
      relays.hostOf(label).sessions.flatMap(({ recipients }) => recipients),
      [],
    )
  }

  test('a reset after the 220 of STARTTLS: the second MX gets the message', async () => {
    await relays.withRelay({}, async (relay) => {
      await second(relay, 'reset', 'reset')
      assert.ok(relay.child.isRunning())
    })
  })

  for (const [what, awaited] of [
    ['greeting', 'the greeting'],
    ['ehlo', 'the reply to EHLO'],
    ['starttls', 'the reply to STARTTLS'],
    ['handshake', 'the end of the TLS handshake'],
  ] as const) {
    test(`single octets instead of ${awaited}: abandoned, the second MX gets the message (RFC 5321 §4.5.3.2)`, async () => {
      await relays.withRelay(
        {},
        async (relay) => {
          await second(relay, `dribble-${what}`, 'dribble')
          await relay.logged('reason=session-timeout')
          await relay.logged(`waited 2 s for ${awaited}`)
        },
        'session_timeout = 2s\n',
      )
    })
  }
})
