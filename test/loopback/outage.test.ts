/** Resolvers that lie, stop and come back under a real Haraka, while mail flows. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Child } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import type { Haraka } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'

const GOOD = `good.${PLACE.signed}`
const HOST = `mx-good.${PLACE.signed}`
const OPEN = `open.${PLACE.unsigned}`
const BURST = 500

let laboratory: Laboratory
before(async () => {
  laboratory = await startDestinations({ good: {}, open: { place: PLACE.unsigned, tlsa: 'none' } })
})
after(() => laboratory.stop())

async function withRelay(
  daneIni: readonly string[],
  outboundIni: string,
  work: (relay: Haraka) => Promise<void>,
): Promise<void> {
  const files = { 'outbound.ini': `local_mx_ok=true\nconnect_timeout=5\n${outboundIni}\n` }
  const relay = await laboratory.startRelay('dane', { files }, daneIni.join('\n'))
  try {
    await work(relay)
  } finally {
    await relay.stop()
  }
}

const logged = (relay: Haraka, text: string, timeoutMs = 60_000): Promise<void> =>
  until(text, () => relay.log().some((line) => line.includes(text)), { timeoutMs })

async function deliver(relay: Haraka, to: string): Promise<string> {
  const outcome = await relay.outcomeOf(await relay.submit(to))
  return outcome.kind === 'delivered' ? outcome.kind : `${outcome.kind}: ${outcome.reason}`
}

describe('a forwarder that does not validate, and two Unbounds', () => {
  test('detected before the first delivery; each remaining one is used in turn; none left means deferral; recovery without a restart', async () => {
    const { startResolver } = laboratory.names
    const plain = await startResolver({ isPlain: true })
    const first = await startResolver()
    const second = await startResolver()
    const running = new Set<Child>([plain.child, first.child, second.child])
    const servers = [plain, first, second].map(({ port }) => `server[] = 127.0.0.1:${port}`)
    const daneIni = [
      '[domains]',
      `${OPEN} = none`,
      '[resolver]',
      ...servers,
      'timeout = 1s',
      'validation = resolver',
    ]
    await withRelay(daneIni, 'temp_fail_intervals=1h*3', async (relay) => {
      const id = await relay.submit(`one@${GOOD}`)
      assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
      assert.ok(relay.log(id).some((line) => line.includes(` for ${GOOD} `)))
      const lines = relay.log()
      const at = (text: string): number => lines.findIndex((line) => line.includes(text))
      assert.ok(
        at(
          `resolver 127.0.0.1:${plain.port} does not validate (no AD bit on the answer for .) and is not used`,
        ) !== -1,
      )
      assert.ok(at(`resolver 127.0.0.1:${plain.port} does not`) < at('delivered file='))

      await first.child.stop()
      assert.equal(await deliver(relay, `two@${OPEN}`), 'delivered')
      assert.equal(
        await deliver(relay, `three@three.${GOOD}`),
        'bounced: domain does not exist (no-such-domain): three.good.signed.example',
      )
      await logged(relay, `resolver 127.0.0.1:${first.port} fails`)

      await second.child.stop()
      assert.match(
        await deliver(relay, `four@four.${GOOD}`),
        /^deferred: .*\((mx-lookup-failed|no-resolver)\)/,
      )
      await logged(
        relay,
        'no validating resolver available: all mail is deferred except under policy none or audit',
      )
      const wanted = `deferred: no validating resolver (no-resolver): five.${GOOD}`
      assert.equal(await deliver(relay, `five@five.${GOOD}`), wanted)
      assert.equal(await deliver(relay, `five@${OPEN}`), 'delivered')

      const again = await startResolver({ port: first.port })
      running.add(again.child)
      await logged(relay, `resolver 127.0.0.1:${first.port} validates and is in use again`)
      assert.match(await deliver(relay, `six@six.${GOOD}`), /^bounced: domain does not exist/)
    })
    await Promise.all([...running].map((child) => child.stop()))
  })
})

describe(`the only Unbound stops for the length of a burst of ${BURST} messages`, () => {
  for (const [circumstance, stop, resume] of [
    ['stopped', 'SIGKILL', undefined],
    ['silent', 'SIGSTOP', 'SIGCONT'],
  ] as const) {
    test(`${circumstance}: none lost, none unprotected, all delivered after recovery`, async (context) => {
      const unbound = await laboratory.names.startResolver()
      let { child } = unbound
      const daneIni = ['[resolver]', `server[] = 127.0.0.1:${unbound.port}`, 'timeout = 1s']
      const retries = 'temp_fail_intervals=5s*60\nconcurrency_max=100'
      await withRelay(daneIni, retries, async (relay) => {
        await logged(relay, 'validates')
        child.signal(stop)
        const recipients = Array.from({ length: BURST }, (_, i) => `${circumstance}-${i}@${GOOD}`)
        await Promise.all(recipients.map((each) => relay.submit(each)))
        await logged(relay, 'reason=no-resolver')
        const arrived = (): readonly { to: string; isEncrypted: boolean }[] =>
          (laboratory.hosts.get(HOST)?.sessions ?? [])
            .filter(({ delivered }) => delivered.length > 0)
            .flatMap((session) => session.recipients)
            .filter(({ to }) => to.startsWith(`${circumstance}-`))
        assert.equal(arrived().length, 0)
        const stoppedAt = Date.now()

        if (resume) child.signal(resume)
        else ({ child } = await laboratory.names.startResolver({ port: unbound.port }))
        await until('all of them', () => arrived().length >= BURST, { timeoutMs: 120_000 })
        context.diagnostic(
          `${arrived().length} of ${BURST} delivered within ${Date.now() - stoppedAt} ms of its return`,
        )
        assert.deepEqual(new Set(arrived().map(({ to }) => to)), new Set(recipients))
        assert.ok(arrived().every(({ isEncrypted }) => isEncrypted))
        assert.equal(arrived().length, BURST, 'none twice')
        const verified = relay.log().filter((line) => /TLS success .* for /.test(line)).length
        assert.equal(verified, BURST)
        assert.ok(!relay.log().some((line) => line.includes('bouncing mail')))
      })
      await child.stop()
    })
  }
})
