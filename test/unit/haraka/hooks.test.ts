/** Attempts of one hmail, whatever hooks and methods are called in which order. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createOverrides } from '../../../src/haraka/hooks.js'
import type { Hmail } from '../../../src/haraka/host.js'
import type { Overrides } from '../../../src/haraka/hooks.js'
import { parseSettings } from '../../../src/settings/settings.js'
import { FakeHmail, PLUGIN } from '../../support/hmails.js'
import { uncached } from '../../support/scenario.js'

const CODES = { ok: 906, deny: 902, denysoft: 903, delay: 907 }

type Message = Hmail & { readonly events: string[] }

/** DNS fails: what is decided is a deferral. */
function overrides(): Overrides {
  const failed = { kind: 'failed', cause: 'servfail', detail: '', extendedErrors: [] } as const
  const resolver = uncached({ lookup: () => Promise.resolve(failed) })
  return createOverrides({
    plugin: PLUGIN,
    parts: () => ({ settings: parseSettings(''), resolver, deadlineMs: 1000, random: () => 0 }),
    toMx: () => ({}),
    codes: CODES,
    withContext: (options) => options,
    now: () => 0,
    report: () => undefined,
  })
}

/** The answer of our get_mx hook. */
function asked(ours: Overrides, hmail: Message): Promise<number | undefined> {
  return new Promise((resolve) => {
    ours.answerGetMx(resolve, hmail)
  })
}

/** As Haraka's queue does before each attempt. */
function beginByQueue(hmail: Message): void {
  hmail.next_cb = () => hmail.events.push('freed')
}

describe('an attempt that is settled', () => {
  test('is not decided again by a late get_mx hook', async () => {
    const ours = overrides()
    const hmail: Message = new FakeHmail()
    ours.begin(hmail)
    hmail.temp_fail('by another plugin')
    const settled = [...hmail.events]
    assert.equal(await asked(ours, hmail), CODES.denysoft)
    hmail.get_mx_respond(CODES.denysoft)
    assert.deepEqual(hmail.events, settled)
  })

  test('is not put into the queue again by send_email', () => {
    const ours = overrides()
    const hmail: Message = new FakeHmail()
    ours.begin(hmail)
    hmail.temp_fail('by another plugin')
    const settled = [...hmail.events]
    hmail.send_email_respond?.(CODES.delay, 5)
    assert.deepEqual(hmail.events, settled)
  })
})

describe('a method that cannot be replaced, since setting it throws', () => {
  for (const stubborn of ['loginfo', 'get_mx_respond', 'found_mx', 'discard'] as const) {
    test(`${stubborn}: all others are replaced, and nothing is delivered`, () => {
      const ours = overrides()
      const hmail: Message = new FakeHmail()
      const { found_mx: foundMx, try_deliver: tryDeliver, temp_fail: tempFail } = hmail
      const value: unknown = hmail[stubborn]
      Object.defineProperty(hmail, stubborn, {
        get: () => value,
        set: () => {
          throw new Error('sabotage')
        },
      })
      if (stubborn === 'loginfo') ours.begin(hmail)
      else {
        assert.throws(() => ours.begin(hmail), new RegExp(`${stubborn} cannot be overridden`))
      }
      assert.notEqual(hmail.try_deliver, tryDeliver)
      assert.notEqual(hmail.temp_fail, tempFail)
      if (stubborn !== 'found_mx') assert.notEqual(hmail.found_mx, foundMx)
      hmail.try_deliver()
      assert.deepEqual(
        hmail.events.filter((event) => event.startsWith('deferred')).length,
        1,
        String(hmail.events),
      )
    })
  }
})

describe('a retry that Haraka began without our send_email hook', () => {
  for (const [circumstance, call] of Object.entries<(hmail: Hmail) => void>({
    'a deferral by another plugin': (hmail) => {
      hmail.temp_fail('later')
    },
    'an answer to get_mx by another plugin': (hmail) => {
      hmail.get_mx_respond(CODES.denysoft)
    },
    'a call of try_deliver': (hmail) => {
      hmail.try_deliver()
    },
    DELAY: (hmail) => {
      hmail.send_email_respond?.(CODES.delay, 5)
    },
  })) {
    test(`${circumstance}: its place in the delivery queue is freed`, () => {
      const ours = overrides()
      const hmail: Message = new FakeHmail()
      ours.begin(hmail)
      hmail.temp_fail('the first attempt')
      beginByQueue(hmail)
      const before = hmail.events.filter((event) => event === 'freed').length
      call(hmail)
      assert.equal(hmail.events.filter((event) => event === 'freed').length, before + 1)
    })
  }

  test('our get_mx hook decides', async () => {
    const ours = overrides()
    const hmail: Message = new FakeHmail()
    ours.begin(hmail)
    hmail.temp_fail('the first attempt')
    beginByQueue(hmail)
    assert.equal(await asked(ours, hmail), CODES.denysoft)
    hmail.get_mx_respond(CODES.denysoft)
    assert.match(String(hmail.events), /deferred 2 .*freed$/)
  })
})
