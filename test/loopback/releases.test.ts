/** Releases of Haraka with a particular defect, fetched if not installed yet. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { installHaraka } from '../../lab/release.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const FILES = {
  'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=1',
}

describe('releases of Haraka', () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      bad: { tlsa: 'wrong' },
      garbage: { host: { misbehavior: 'starttls-garbage' } },
      silent: { host: { misbehavior: 'starttls-silence' } },
      mute: { host: { misbehavior: 'greeting-silence' } },
      reset: { host: { misbehavior: 'starttls-hang-up' } },
    })
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`

  test('3.0.3 cannot require TLS: the plugin refuses to start, with one line', async () => {
    const installed = await installHaraka('3.0.3')
    await relays.withRelay({ ...installed, mayFail: true }, async (relay) => {
      assert.equal(relay.child.isRunning(), false)
      assert.equal(await relay.child.exited, 1)
      const said = relay.log().filter((line) => line.includes('needs Haraka 3.0.4 or later'))
      assert.equal(said.length, 1, relay.child.output())
    })
  })

  test('3.1.5 crashes when a handshake fails: a warning at start, and gated handshakes do not crash it', async () => {
    const installed = await installHaraka('3.1.5')
    await relays.withRelay({ ...installed, files: FILES, plugins: [] }, async (relay) => {
      await relay.submit(to('garbage', 'stock'))
      assert.notEqual(await relay.child.exited, 0)
    })
    await relays.withRelay({ ...installed, files: FILES }, async (relay) => {
      await relay.logged('Haraka 3.1.5 crashes when a mail host aborts a TLS handshake')
      assert.match(await deliver(relay, to('garbage', 'gated')), /^deferred: TLS handshake failed/)
      assert.equal(await deliver(relay, to('good', 'gated')), 'delivered over TLS')
      assert.ok(relay.child.isRunning())
    })
  })

  test('3.0.4 handles one error of a socket, not the next (issue 3388): no connection closed by DANE crashes it', async () => {
    const installed = await installHaraka('3.0.4')
    await relays.withRelay({ ...installed, files: FILES }, async (relay) => {
      const outcomes = await Promise.all(
        ['garbage', 'silent', 'mute', 'reset', 'bad'].map((label) =>
          deliver(relay, to(label, 'cut')),
        ),
      )
      for (const outcome of outcomes) assert.match(outcome, /^deferred: /)
      // Every timeout has fired by now.
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      assert.equal(await deliver(relay, to('good', 'uncut')), 'delivered over TLS')
      assert.ok(relay.child.isRunning())
    })
  })
})
