/** What Haraka sees when a gated connection breaks or code around it throws. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openGate } from '../../../../src/haraka/connection/open-gate.js'
import type { GateParts } from '../../../../src/haraka/connection/gate-parts.js'
import { gateParts, Wire } from '../../../support/wire.js'

type Case = {
  readonly wire: Wire
  readonly heard: string[]
  /** What Haraka's own listener received. */
  readonly errors: unknown[]
}

function open(more: Partial<GateParts> = {}, onError: () => void = () => undefined): Case {
  const heard: string[] = []
  const errors: unknown[] = []
  const wire = new Wire()
  openGate(wire, gateParts(heard, more), () => {
    wire.on('error', (error: unknown) => {
      errors.push(error)
      onError()
    })
  })
  return { wire, heard, errors }
}

describe('an error never makes Haraka disable TLS for the host [DERIVED-tls-c]', () => {
  for (const [stage, reason] of [
    ['preamble', 'connection-lost'],
    ['handshake', 'tls-handshake-failed'],
  ] as const) {
    test(`during the ${stage}: ${reason}`, () => {
      const { wire, heard, errors } = open()
      if (stage === 'handshake') {
        wire.dialog('go')
        wire.upgrade({})
      }
      // Haraka marks handshake errors this way, and adds the host to its list of hosts without TLS.
      wire.emit('error', Object.assign(new Error('alert'), { source: 'tls' }))
      assert.deepEqual(heard, [`refused ${reason}: alert`])
      assert.equal(errors.length, 1)
      assert.ok(errors.every((error) => typeof error === 'object' && error && !('source' in error)))
      assert.ok(wire.isDestroyed && wire.raw.destroyed)
    })
  }

  test('after it has passed', () => {
    const { wire, errors } = open({ judge: () => ({ kind: 'encrypted' }) })
    wire.dialog('go')
    wire.upgrade({})
    wire.handshakeDone(false, undefined, {}, {})
    wire.emit('error', Object.assign(new Error('reset'), { source: 'tls' }))
    assert.ok(errors.every((error) => typeof error === 'object' && error && !('source' in error)))
    assert.equal(errors.length, 1)
  })
})

describe('an error always has a listener', () => {
  test("on Haraka's stream, when Haraka has released it", () => {
    const { wire, heard } = open()
    wire.removeAllListeners()
    wire.destroy()
    wire.emit('error', new Error('late'))
    assert.deepEqual(heard, ['refused connection-lost: closed by this relay before TLS'])
  })

  test("on Haraka's stream, when Haraka has released it after it has passed", () => {
    const { wire } = open({ judge: () => ({ kind: 'encrypted' }) })
    wire.dialog('go')
    wire.upgrade({})
    wire.handshakeDone(false, undefined, {}, {})
    wire.removeAllListeners()
    wire.destroy()
    wire.emit('error', new Error('late'))
  })

  test('on the connection, even if listeners are removed', () => {
    const { wire } = open()
    for (const remove of [
      () => wire.raw.removeAllListeners('error'),
      () => wire.raw.removeAllListeners(),
    ]) {
      remove()
      wire.raw.emit('error', new Error('reset'))
    }
  })

  test('on the connection, when the upgrade throws after removing the listeners: refused, closed', () => {
    const { wire, heard, errors } = open()
    wire.upgradeError = new Error('no cipher match')
    wire.dialog('go')
    wire.upgrade({})
    assert.match(heard.join(), /^refused tls-handshake-failed: no handshake .*: no cipher match$/)
    assert.equal(errors.length, 1)
    assert.ok(wire.raw.destroyed)
    wire.raw.emit('error', new Error('reset'))
  })
})

describe('contradictory TLS options', () => {
  const impossible = (): never => {
    throw new Error('no cipher match')
  }

  test('are detected before STARTTLS is sent', () => {
    const { wire, heard } = open({ rehearse: impossible })
    wire.dialog('STARTTLS')
    assert.match(heard.join(), /^refused tls-handshake-failed: .*no cipher match$/)
    assert.deepEqual(wire.sent, ['EHLO relay\r\n'])
  })

  test('are detected before Haraka removes its listeners from the connection', () => {
    const { wire, heard } = open({ withContext: impossible })
    wire.dialog('go')
    wire.upgrade({})
    assert.match(heard.join(), /^refused tls-handshake-failed: .*no cipher match$/)
    assert.equal(wire.cleartext, undefined)
    assert.ok(wire.raw.destroyed)
  })
})

describe('no exception escapes the gate to Haraka', () => {
  const sabotage = (): never => {
    throw new Error('sabotage')
  }
  const cases: Readonly<Record<string, [Partial<GateParts>, RegExp]>> = {
    'by the first judge': [{ judgeLeaf: sabotage }, /^refused internal-error: sabotage/],
    'by the judge': [{ judge: sabotage }, /^refused internal-error: sabotage/],
    'by the second look': [{ judgeAgain: sabotage }, /^refused internal-error: sabotage/],
    'when a handshake is counted': [{ onHandshake: sabotage }, /^refused internal-error: sabotage/],
    'when it has passed': [
      { judge: () => ({ kind: 'encrypted' }), onPassed: sabotage },
      /^refused internal-error: sabotage/,
    ],
    'when it is refused': [{ judge: () => REFUSED, onRefused: sabotage }, /^fault Error: sabotage/],
  }
  const QUIT = 'QUIT\r\n'
  const REFUSED = { kind: 'refused', reason: 'certificate-mismatch', detail: '' } as const
  for (const [circumstance, [more, wanted]] of Object.entries(cases)) {
    test(circumstance, async () => {
      const { wire, heard, errors } = open(more)
      wire.dialog('go')
      wire.upgrade({})
      wire.handshakeDone(false, undefined, { raw: Buffer.from('leaf') }, {})
      await new Promise((resolve) => setImmediate(resolve))
      assert.match(heard.join(), wanted)
      assert.equal(errors.length, 1)
      wire.write('EHLO relay\r\n')
      // A refused host hears QUIT (RFC 5321 §4.1.1.10), and nothing else, until it closes.
      assert.deepEqual(wire.sentInside, circumstance === 'when it is refused' ? [QUIT] : [])
      wire.hangUp()
      assert.ok(wire.isDestroyed && wire.raw.destroyed)
    })
  }

  test("by Haraka's callback: the connection is closed", () => {
    const { wire, heard, errors } = open({ judge: () => ({ kind: 'encrypted' }) })
    wire.dialog('go')
    wire.upgrade({}, sabotage)
    wire.handshakeDone(false, undefined, {}, {})
    assert.deepEqual(heard, ['passed encrypted', 'refused internal-error: sabotage'])
    assert.equal(errors.length, 1)
    assert.equal(wire.isSecure(), false)
  })

  test("by Haraka's data listeners: refused", () => {
    const { wire, heard, errors } = open()
    wire.on('data', sabotage)
    wire.hear('220 mx\r\n')
    assert.deepEqual(heard, ['refused internal-error: sabotage'])
    assert.equal(errors.length, 1)
  })

  test("by Haraka's listeners: one fault, and the connection is closed", () => {
    const { wire, heard } = open({}, sabotage)
    wire.hear('554 no\r\n')
    assert.deepEqual(heard, ['refused greeting-refused: 554 no', 'fault Error: sabotage'])
    wire.hangUp()
    assert.ok(wire.raw.destroyed)
  })

  test('by Haraka itself as it takes the socket: rethrown, and the connection is closed', () => {
    const wire = new Wire()
    assert.throws(() => {
      openGate(wire, gateParts([]), sabotage)
    }, /sabotage/)
    assert.ok(wire.raw.destroyed)
    wire.raw.emit('error', new Error('reset'))
  })
})

test('TLS 1.1 after a handshake, whatever allowed it (RFC 8996): refused', () => {
  const { wire, heard } = open({ judge: () => assert.fail('judged') })
  wire.protocol = 'TLSv1.1'
  wire.dialog('go')
  wire.upgrade({})
  wire.handshakeDone(false, undefined, {}, {})
  assert.deepEqual(heard, ['refused tls-handshake-failed: TLSv1.1 is not accepted'])
})

describe('QUIT to a refused host (RFC 5321 §4.1.1.10)', () => {
  test('octets that another plugin writes around it are withheld', () => {
    const { wire } = open()
    const write = wire.raw.write.bind(wire.raw)
    wire.raw.write = (data: unknown, ...rest: unknown[]): boolean => {
      write('MAIL FROM:<secret@example.org>\r\n')
      return Reflect.apply(write, undefined, [data, ...rest]) === true
    }
    wire.hear('554 no\r\n')
    wire.raw.write('RSET\r\n')
    assert.deepEqual(wire.sent, ['QUIT\r\n'])
    wire.hangUp()
  })

  test('a QUIT of another plugin as well is sent once', () => {
    const { wire } = open()
    wire.hear('554 no\r\n')
    wire.raw.write('QUIT\r\n')
    assert.deepEqual(wire.sent, ['QUIT\r\n'])
    wire.hangUp()
  })

  test('cannot be written: the connection is closed, Haraka hears of it, nothing else leaves', () => {
    const { wire, heard, errors } = open()
    const write = wire.raw.write.bind(wire.raw)
    wire.raw.write = (data: unknown, ...rest: unknown[]): boolean => {
      if (String(data).startsWith('QUIT')) throw new Error('sabotage')
      return Reflect.apply(write, undefined, [data, ...rest]) === true
    }
    wire.hear('554 no\r\n')
    assert.deepEqual(heard, ['refused greeting-refused: 554 no'])
    assert.equal(errors.length, 1)
    assert.ok(wire.raw.destroyed)
    wire.raw.write('MAIL FROM:<secret@example.org>\r\n')
    assert.deepEqual(wire.sent, [])
  })

  test('the connection does not let itself be held open: Haraka hears of the refusal', () => {
    const { wire, heard, errors } = open()
    Object.defineProperty(wire.raw, 'destroy', {
      value: wire.raw.destroy.bind(wire.raw),
      writable: false,
    })
    wire.hear('554 no\r\n')
    assert.deepEqual(heard, ['refused greeting-refused: 554 no'])
    assert.equal(errors.length, 1)
    assert.ok(wire.raw.destroyed)
  })

  test('the host resets the connection: it is closed at once', () => {
    const { wire } = open()
    wire.hear('554 no\r\n')
    assert.ok(!wire.raw.destroyed)
    wire.raw.destroy(new Error('reset'))
    assert.ok(wire.raw.destroyed)
  })

  test('many hosts that never close: only so many connections are kept open', () => {
    const wires = Array.from({ length: 120 }, () => {
      const { wire } = open()
      wire.hear('554 no\r\n')
      return wire
    })
    const isOpen = ({ raw }: Wire): boolean => !raw.destroyed
    const kept = wires.filter(isOpen).length
    assert.ok(kept > 50 && kept <= 100, `${kept} of 120`)
    for (const wire of wires) wire.hangUp()
    assert.equal(wires.filter(isOpen).length, 0)
  })
})
