/** An entry of Haraka's MX list maps to the candidate it was created for, and to no other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Attempt } from '../../../../src/haraka/attempt/attempt.js'
import type { Candidate } from '../../../../src/haraka/attempt/decision.js'
import type { Mx } from '../../../../src/haraka/host.js'
import { candidateOf, isMarked, mark } from '../../../../src/haraka/attempt/mx-mark.js'
import { HarakaSteps } from '../../../../src/haraka/attempt/haraka-steps.js'
import { Settlement } from '../../../../src/haraka/attempt/settlement.js'
import { parseSettings } from '../../../../src/settings/settings.js'
import { FakeHmail, PLUGIN } from '../../../support/hmails.js'
import { uncached } from '../../../support/scenario.js'

function attempt(): Attempt {
  const hmail = new FakeHmail()
  const settlement = new Settlement({
    plugin: PLUGIN,
    hmail,
    steps: new HarakaSteps(PLUGIN, hmail),
    delay: 907,
  })
  const resolver = uncached({ lookup: () => new Promise(() => undefined) })
  return new Attempt(
    {
      plugin: PLUGIN,
      parts: () => ({ settings: parseSettings(''), resolver, deadlineMs: 1000, random: () => 0 }),
      toMx: () => ({}),
      codes: { ok: 1, deny: 2, denysoft: 3, delay: 4 },
      withContext: (options) => options,
      now: () => 0,
      report: () => undefined,
    },
    hmail,
    settlement,
  )
}

const candidate = (mx: Mx): Candidate => ({ mx, host: 'mx.example', demand: undefined })

describe('the candidate of an entry', () => {
  const ours = attempt()
  const address = { exchange: '192.0.2.1', port: 25, from_dns: 'mx.example' }
  const lmtp = { exchange: 'lmtp.example', port: 24, using_lmtp: true }
  const marked = (own: Mx, seen: Mx = own): Mx => ({
    ...mark({ ...own }, candidate(own), ours),
    ...seen,
  })
  const cases: readonly (readonly [string, Mx, boolean])[] = [
    ['as it was created', marked(address), true],
    ['copied, with the properties that Haraka adds', { ...marked(address), priority: 1 }, true],
    ['no mark', address, false],
    ['another address', marked(address, { exchange: '192.0.2.2' }), false],
    ['another port', marked(address, { port: 26 }), false],
    ['a path', marked(address, { path: '/run/socket' }), false],
    ['an empty path', marked(address, { path: '' }), true],
    ['LMTP instead', marked(address, { using_lmtp: true }), false],
    ['LMTP by name', marked(lmtp), true],
    [
      'LMTP, resolved by Haraka',
      marked(lmtp, { exchange: '192.0.2.9', from_dns: 'lmtp.example' }),
      true,
    ],
    [
      'LMTP, resolved to another host',
      marked(lmtp, { exchange: '192.0.2.9', from_dns: 'x.example' }),
      false,
    ],
    ['a socket', marked({ path: '/run/socket' }), true],
    [
      'a socket with the port that Haraka adds',
      marked({ path: '/run/socket' }, { port: 24 }),
      true,
    ],
    ['another socket', marked({ path: '/run/socket' }, { path: '/run/other' }), false],
    [
      'a socket changed into a host',
      marked({ path: '/s' }, { path: '', exchange: '192.0.2.1' }),
      false,
    ],
  ]
  for (const [circumstance, mx, isOurs] of cases) {
    test(`${circumstance}: ${isOurs ? 'found' : 'none'}`, () => {
      assert.equal(candidateOf(mx, ours) !== undefined, isOurs)
    })
  }

  test('an entry of an earlier attempt has none, but is still recognized as ours', () => {
    assert.equal(candidateOf(marked(address), attempt()), undefined)
    assert.ok(isMarked(marked(address)))
    assert.ok(!isMarked(address))
    assert.ok(!isMarked('192.0.2.1'))
  })
})
