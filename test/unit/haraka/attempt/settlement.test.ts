/** A message is deferred, bounced or delivered exactly once, whatever Haraka's methods do. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HarakaSteps } from '../../../../src/haraka/attempt/haraka-steps.js'
import { Settlement } from '../../../../src/haraka/attempt/settlement.js'
import type { Step } from '../../../../src/haraka/attempt/haraka-steps.js'
import { FakeHmail, PLUGIN } from '../../../support/hmails.js'

/** A message with the plugin's overrides; `spoil` runs before they are installed. */
function message(spoil: (hmail: FakeHmail) => void = () => undefined) {
  const hmail = new FakeHmail()
  spoil(hmail)
  const settlement = new Settlement({
    plugin: PLUGIN,
    hmail,
    steps: new HarakaSteps(PLUGIN, hmail),
    delay: 907,
  })
  hmail.temp_fail = (...args) => settlement.tempFail(args)
  hmail.deferred_respond = (...args) => settlement.deferredRespond(args)
  hmail.convert_temp_failed_to_bounce = (...args) => settlement.convertToBounce(args)
  hmail.bounce = (...args) => settlement.bounce(args)
  hmail.bounce_respond = (...args) => settlement.bounceRespond(args)
  hmail.delivered = (...args) => settlement.delivered(args)
  hmail.delivered_respond = (...args) => settlement.deliveredRespond(args)
  hmail.discard = () => settlement.discard()
  return { hmail, settlement }
}

const DEFERRED = ['deferred 1 later', 'freed']
const RETURNED = ['returned never', 'removed', 'freed']
const DELIVERED = ['delivered', 'removed', 'freed']
const HELD = ['held 300', 'freed']

const end = {
  deferral: (hmail: FakeHmail) => hmail.temp_fail('later'),
  return: (hmail: FakeHmail) => hmail.bounce('never'),
  delivery: (hmail: FakeHmail) => hmail.delivered(),
} as const

type Ending = keyof typeof end

/** A method that fails before or after it has had an effect. */
const FAULTS: Readonly<Record<string, (method: () => unknown) => unknown>> = {
  'throws at once': () => {
    throw new Error('sabotage')
  },
  'throws at the end': (method) => {
    method()
    throw new Error('sabotage')
  },
  rejects: () => Promise.reject(new Error('sabotage')),
  'does nothing': () => undefined,
  'works twice': (method) => {
    method()
    return method()
  },
}

describe('one method fails', () => {
  const cases: readonly (readonly [Ending, Step, readonly string[], readonly string[]])[] = [
    // The result; the result where it is unknown whether the method had an effect.
    ['deferral', 'temp_fail', DEFERRED, DEFERRED],
    ['return', 'bounce', RETURNED, RETURNED],
    ['delivery', 'delivered', DELIVERED, DELIVERED],
    ['delivery', 'delivered_respond', DELIVERED, DELIVERED],
    ['delivery', 'discard', DELIVERED, DELIVERED],
    ['return', 'discard', RETURNED, RETURNED],
  ]
  for (const [ending, step, wanted] of cases) {
    for (const [circumstance, fault] of Object.entries(FAULTS)) {
      test(`${ending}, ${step} ${circumstance}`, async () => {
        const { hmail } = message((each) => {
          const own: unknown = Reflect.get(FakeHmail.prototype, step)
          assert.ok(typeof own === 'function')
          Reflect.set(each, step, (...args: unknown[]) =>
            fault(() => Reflect.apply(own, each, args)),
          )
        })
        end[ending](hmail)
        await new Promise(setImmediate)
        // A delivery reported twice is one delivery.
        assert.deepEqual([...new Set(hmail.events)], wanted)
        assert.equal(hmail.events.filter((each) => each === 'freed').length, 1)
      })
    }
  }
})

describe('once', () => {
  test('a repeated deferral is counted once', () => {
    const { hmail } = message((each) => {
      each.temp_fail = (...args) => {
        FakeHmail.prototype.temp_fail.call(each, ...args)
        return FakeHmail.prototype.temp_fail.call(each, ...args)
      }
    })
    hmail.temp_fail('later')
    assert.deepEqual(hmail.events, DEFERRED)
  })

  test('two failures counted before the hooks answer are one', () => {
    const { hmail } = message((each) => {
      each.temp_fail = (...args) => {
        each.num_failures += 2
        return each.deferred_respond(...args)
      }
    })
    hmail.temp_fail('later')
    assert.deepEqual(hmail.events, DEFERRED)
    assert.equal(hmail.num_failures, 1)
  })

  test('a deferral counted twice does not bounce the message early', () => {
    const { hmail } = message((each) => {
      each.intervals = 1
      each.temp_fail = (...args) => {
        each.num_failures += 1
        return FakeHmail.prototype.temp_fail.call(each, ...args)
      }
    })
    hmail.temp_fail('later')
    assert.ok(!hmail.events.some((event) => event.startsWith('returned')), hmail.events.join())
  })

  test('a delivery slot released twice is released once', () => {
    const { hmail } = message()
    hmail.next_cb()
    hmail.next_cb()
    assert.deepEqual(hmail.events, ['freed'])
  })

  test('the last deferral bounces the message', () => {
    const { hmail, settlement } = message((each) => {
      each.intervals = 0
    })
    hmail.temp_fail('never')
    assert.deepEqual(hmail.events, RETURNED)
    assert.ok(!settlement.isOpen && settlement.isReturning)
  })

  for (const first of ['deferral', 'return', 'delivery'] as const) {
    for (const second of ['deferral', 'return', 'delivery'] as const) {
      test(`${first}, then ${second}: the first counts`, () => {
        const { hmail } = message()
        end[first](hmail)
        const events = [...hmail.events]
        end[second](hmail)
        assert.deepEqual(hmail.events, events)
      })
    }
  }
})

describe('when both attempts to settle fail', () => {
  const broken = (...steps: readonly Step[]) => {
    class Broken extends FakeHmail {}
    for (const step of steps) {
      Reflect.set(Broken.prototype, step, () => {
        throw new Error('sabotage')
      })
    }
    const hmail = new Broken()
    const settlement = new Settlement({
      plugin: PLUGIN,
      hmail,
      steps: new HarakaSteps(PLUGIN, hmail),
      delay: 907,
    })
    return { hmail, settlement }
  }

  test('a message that cannot be deferred is held, and the failure is not counted', () => {
    const { hmail, settlement } = broken('temp_fail')
    settlement.tempFail(['later'])
    assert.deepEqual(hmail.events, HELD)
    assert.equal(hmail.num_failures, 0)
    assert.ok(hmail.log.includes('error message held for 300 s, Haraka did not defer it'))
  })

  test('a message that cannot be bounced is deferred', () => {
    const { hmail, settlement } = broken('bounce')
    hmail.deferred_respond = (...args) => settlement.deferredRespond(args)
    settlement.bounce(['later'])
    assert.deepEqual(hmail.events, DEFERRED)
  })

  test('a message that cannot even be held is logged, and its delivery slot is released', () => {
    const { hmail, settlement } = broken('temp_fail', 'send_email_respond')
    settlement.tempFail(['later'])
    assert.deepEqual(hmail.events, ['freed'])
    assert.match(
      hmail.log.at(-1) ?? '',
      /^crit queue file queue-file waits for the next start of Haraka/,
    )
  })

  test('a delivered message whose queue file remains is logged, and not sent again', () => {
    const { hmail, settlement } = broken('delivered', 'delivered_respond', 'discard')
    settlement.delivered([])
    assert.deepEqual(hmail.events, ['freed'])
    assert.match(hmail.log.at(-1) ?? '', /^crit queue file queue-file could not be removed/)
  })
})

test('the next attempt begins before the previous one has ended: its slot is released once', () => {
  const hmail = new FakeHmail()
  const settlement = new Settlement({
    plugin: PLUGIN,
    hmail,
    steps: new HarakaSteps(PLUGIN, hmail),
    delay: 907,
  })
  settlement.retire()
  const next = new Settlement({
    plugin: PLUGIN,
    hmail,
    steps: new HarakaSteps(PLUGIN, hmail),
    delay: 907,
  })
  settlement.tempFail(['late'])
  assert.deepEqual(hmail.events, [])
  next.tempFail(['later'])
  assert.equal(hmail.events.filter((each) => each === 'freed').length, 1)
})
