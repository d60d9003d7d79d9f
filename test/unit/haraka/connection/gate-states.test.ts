/** What may be sent and received in each state of a gated connection (RFC 3207 §4, RFC 5321 §2.1). */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { openGate } from '../../../../src/haraka/connection/open-gate.js'
import { gateParts, Wire } from '../../../support/wire.js'

type Place =
  'connected' | 'greeting' | 'EHLO' | 'offer' | 'STARTTLS' | 'go' | 'handshake' | 'passed'

/** A connection in a given state. */
function at(place: Place, timeoutMs = 60_000) {
  const heard: string[] = []
  const wire = new Wire()
  const parts = gateParts(heard, { timeoutMs, judge: () => ({ kind: 'encrypted' }) })
  openGate(wire, parts, () => {
    wire.on('error', (error: Error) => heard.push(`error ${error.message}`))
    wire.on('line', () => heard.push('line'))
    wire.on('secure', () => heard.push('secure'))
  })
  if (place !== 'connected') {
    wire.dialog(place === 'handshake' || place === 'passed' ? 'go' : place)
    if (place === 'handshake' || place === 'passed') wire.upgrade({})
    if (place === 'passed') wire.handshakeDone(false, undefined, {}, {})
  }
  heard.length = 0
  wire.sent.length = 0
  return { wire, heard }
}

const ALL = ['EHLO relay\r\n', 'HELO relay\r\n', 'STARTTLS\r\n', 'QUIT\r\n', 'MAIL FROM:<>\r\n']

describe('what may be sent', () => {
  const allowed: Readonly<Record<Exclude<Place, 'passed'>, readonly string[]>> = {
    connected: [],
    greeting: ['EHLO relay\r\n', 'HELO relay\r\n', 'QUIT\r\n'],
    EHLO: [],
    offer: ['STARTTLS\r\n', 'QUIT\r\n'],
    STARTTLS: [],
    go: [],
    handshake: [],
  }
  for (const place of [
    'connected',
    'greeting',
    'EHLO',
    'offer',
    'STARTTLS',
    'go',
    'handshake',
  ] as const) {
    for (const command of ALL) {
      const isAllowed = allowed[place].includes(command)
      test(`after ${place}: ${command.trim()} is ${isAllowed ? 'sent' : 'withheld'}`, () => {
        const { wire, heard } = at(place)
        wire.write(command)
        assert.deepEqual([wire.sent, wire.sentInside], [isAllowed ? [command] : [], []])
        const refusal =
          /^refused tls-disabled: not sent: [A-Z]+ \(\d+ octets\) before the host was verified,error DANE: tls-disabled/
        if (isAllowed) assert.deepEqual(heard, [])
        else assert.match(heard.join(), refusal)
        assert.equal(wire.isDestroyed, !isAllowed)
      })
    }
  }

  const MAIL = 'MAIL FROM:<>\r\n'
  const otherWays: Readonly<Record<string, (wire: Wire) => unknown>> = {
    'end with data': (wire) => wire.end(MAIL),
    'the connection itself': (wire) => wire.raw.write(MAIL),
    'the end of the connection itself': (wire) => wire.raw.end(MAIL),
    'two commands in one write': (wire) => wire.write(`STARTTLS\r\n${MAIL}`),
    'two commands in one write, the good one last': (wire) => wire.write(`NOOP\r\nSTARTTLS\r\n`),
    'two commands in two writes': (wire) => {
      wire.write('STARTTLS\r\n')
      wire.write(MAIL)
    },
    'corked writes': (wire) => {
      wire.raw.cork()
      wire.raw.write('STARTTLS\r\n')
      wire.raw.write(MAIL)
      wire.raw.uncork()
    },
    'another encoding': (wire) => wire.raw.write(Buffer.from(MAIL).toString('hex'), 'hex'),
    'octets that look like a command in another encoding': (wire) =>
      wire.raw.write('QUIT\r\n', 'base64'),
    'a character whose low octet is LF': (wire) =>
      wire.raw.write('STARTTLS\u010dNOOP\u010d\u010a', 'latin1'),
    'half a command': (wire) => wire.write('STARTTLS'),
    'a command with LF alone': (wire) => wire.write('STARTTLS\n'),
    'an argument of STARTTLS': (wire) => wire.write('STARTTLS now\r\n'),
  }
  for (const [circumstance, act] of Object.entries(otherWays)) {
    test(`after offer, by ${circumstance}: withheld`, () => {
      const { wire, heard } = at('offer')
      act(wire)
      assert.ok(wire.sent.every((each) => each === 'STARTTLS\r\n'))
      assert.match(heard.join(), /^refused tls-disabled: /)
      assert.ok(wire.raw.destroyed)
    })
  }

  test('by a pipe: withheld', async () => {
    const { wire, heard } = at('offer')
    const source = Readable.from([MAIL])
    source.pipe(wire.raw)
    await once(source, 'end')
    assert.deepEqual(wire.sent, [])
    assert.match(heard.join(), /^refused tls-disabled: /)
  })

  for (const argument of [
    'a\r\nMAIL FROM:<>',
    'a\rMAIL',
    'a\nMAIL',
    'a\0MAIL',
    'x'.repeat(600),
    '',
  ]) {
    test(`EHLO ${JSON.stringify(argument.slice(0, 20))}: withheld`, () => {
      const { wire, heard } = at('greeting')
      wire.write(`EHLO ${argument}\r\n`)
      assert.deepEqual(wire.sent, [])
      assert.match(heard.join(), /^refused tls-disabled: not sent: EHLO/)
    })
  }

  test('withheld data is reported as the verb, without its argument', () => {
    const { wire, heard } = at('offer')
    wire.write('AUTH PLAIN AHVzZXIAc2VjcmV0\r\n')
    assert.ok(!heard.join().includes('AHVz'))
    assert.match(heard.join(), /not sent: AUTH \(/)
  })

  test('data written into TLS before the gate controls it: closed before the handshake can complete', () => {
    const { wire, heard } = at('go')
    wire.early = MAIL
    wire.upgrade({})
    assert.match(heard.join(), /^refused tls-disabled: not sent: /)
    assert.ok(wire.cleartext?.destroyed && wire.raw.destroyed)
  })

  test('data for another connection under the stream: withheld', () => {
    const { wire, heard } = at('offer')
    const other = new Wire()
    wire.targetsocket = other.raw
    wire.write('STARTTLS\r\n')
    assert.deepEqual(other.sent, [])
    assert.match(heard.join(), /^refused tls-disabled: not sent: something for another connection/)
  })

  test('after it has passed: everything inside TLS, nothing outside', () => {
    const { wire, heard } = at('passed')
    wire.write(MAIL)
    assert.deepEqual([wire.sent, wire.sentInside], [[], [MAIL]])
    assert.deepEqual(heard, [])
    wire.raw.write(MAIL)
    assert.deepEqual(wire.sent, [])
    assert.match(heard.join(), /^refused tls-disabled: not sent: MAIL \(14 octets\) outside TLS/)
  })

  test('empty writes are always allowed, as Node makes them when it wraps a connection', () => {
    const { wire, heard } = at('handshake')
    wire.raw.write('')
    assert.deepEqual(heard, [])
  })

  test('data written earlier: refused once Haraka listens', async () => {
    const server = createServer((peer) => peer.resume())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const raw = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1')
    try {
      await once(raw, 'connect')
      raw.write('NOOP\r\n')
      const heard: string[] = []
      const wire = Object.assign(new Wire(), { targetsocket: raw })
      openGate(wire, gateParts(heard), () => {
        wire.on('error', () => heard.push('error'))
      })
      assert.deepEqual(heard, ['refused tls-disabled: written to before Haraka had it', 'error'])
    } finally {
      raw.destroy()
      server.close()
    }
  })

  test('on a connection of an unknown kind: refused', () => {
    const heard: string[] = []
    const wire = Object.assign(new Wire(), { targetsocket: {} })
    openGate(wire, gateParts(heard), () => {
      wire.on('error', () => heard.push('error'))
    })
    assert.deepEqual(heard, ['refused internal-error: a connection of an unknown kind', 'error'])
  })
})

describe('what may be received', () => {
  for (const place of ['greeting', 'offer', 'go', 'handshake'] as const) {
    test(`an unsolicited reply after ${place}: a violation`, () => {
      const { wire, heard } = at(place)
      wire.hear('250 STARTTLS\r\n')
      assert.match(heard.join(), /^refused protocol-violation: data before its turn: 250 STARTTLS/)
      assert.ok(wire.isDestroyed)
    })
  }

  test('a line after a refusal is ignored: an unauthenticated 5xx never bounces mail', () => {
    const { wire, heard } = at('greeting')
    wire.hear('554 injected\r\n')
    wire.emit('line', '554 injected\r\n')
    assert.ok(!heard.includes('line'))
  })

  test('a refusal of EHLO says which name Haraka sent', () => {
    const { wire, heard } = at('EHLO')
    wire.emit('data', Buffer.from('503 5.5.2 need a full name\r\n'))
    assert.equal(heard[0], 'refused ehlo-refused: to EHLO relay: 503 5.5.2 need a full name')
  })

  test('the end of the stream before TLS: refused at once', () => {
    const { wire, heard } = at('EHLO')
    wire.emit('end')
    assert.match(heard.join(), /^refused connection-lost: connection closed/)
  })

  test('`secure` before a verdict is not passed to Haraka', () => {
    const { wire, heard } = at('handshake')
    wire.emit('secure')
    assert.deepEqual(heard, [])
    wire.emit('error', new Error('self-signed certificate'))
    assert.match(heard.join(), /^refused tls-handshake-failed: self-signed certificate/)
  })

  test('TLS started before the server accepted STARTTLS: refused', () => {
    const { wire, heard } = at('offer')
    wire.upgrade({})
    assert.match(heard.join(), /^refused protocol-violation: TLS was started before/)
    assert.equal(wire.cleartext, undefined)
  })
})

describe('QUIT before TLS', () => {
  test('the reason is kept when the connection ends, and no reply is read', () => {
    const { wire, heard } = at('offer')
    wire.write('QUIT\r\n')
    wire.hear('221 bye\r\n')
    wire.emit('close')
    assert.deepEqual(heard, ['refused tls-disabled: QUIT before TLS'])
  })

  test('nothing may follow it', () => {
    const { wire, heard } = at('offer')
    wire.write('QUIT\r\n')
    wire.write('MAIL FROM:<>\r\n')
    assert.deepEqual(wire.sent, ['QUIT\r\n'])
    assert.match(heard.join(), /^refused tls-disabled: not sent: MAIL/)
  })
})

describe('the deadline (RFC 5321 §4.5.3.2)', () => {
  const waits: readonly (readonly [Exclude<Place, 'passed'>, string])[] = [
    ['connected', 'the greeting'],
    ['greeting', "Haraka's EHLO"],
    ['EHLO', 'the reply to EHLO'],
    ['offer', "Haraka's STARTTLS"],
    ['STARTTLS', 'the reply to STARTTLS'],
    ['go', 'Haraka to start TLS'],
    ['handshake', 'the end of the TLS handshake'],
  ]
  for (const [place, awaited] of waits) {
    test(`after ${place}: the reason names ${awaited}`, async () => {
      const { wire, heard } = at(place, 30)
      await new Promise((resolve) => setTimeout(resolve, 150))
      assert.equal(heard[0], `refused session-timeout: waited 0 s for ${awaited}`)
      assert.ok(wire.isDestroyed && wire.raw.destroyed)
    })
  }

  test('single octets do not extend it', async () => {
    const { wire, heard } = at('EHLO', 100)
    const dribble = setInterval(() => wire.hear('x'), 10)
    try {
      wire.hear('250-')
      await new Promise((resolve) => setTimeout(resolve, 250))
    } finally {
      clearInterval(dribble)
    }
    assert.match(heard[0] ?? '', /^refused session-timeout: waited 0 s for the reply to EHLO/)
  })

  test('ends with the verdict', async () => {
    const { wire, heard } = at('passed', 30)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(heard, [])
    assert.equal(wire.isDestroyed, false)
  })
})

test('Haraka is given lines in the form that it reads, before the verdict and after', () => {
  for (const place of ['connected', 'passed'] as const) {
    const { wire } = at(place)
    const lines: unknown[] = []
    wire.on('line', (line) => lines.push(line))
    for (const line of ['220\r\n', '250-STARTTLS \r\n', 'no reply\r\n']) wire.emit('line', line)
    assert.deepEqual(lines, ['220 \r\n', '250-STARTTLS\r\n', 'no reply\r\n'])
  }
})
