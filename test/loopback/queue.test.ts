/**
 * A message that waits in Haraka's queue: how often it is tried, what the sender sees
 * in the end, and what restarts, reloads, signals and split recipients do to it.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Haraka } from '../../lab/haraka.js'
import { PLACE } from '../../lab/rows.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const outbound = (intervals: string): Record<string, string> => ({
  'outbound.ini': `local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=${intervals}`,
})

describe('the queue', { concurrency: 6 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays(
      {
        good: {},
        slow: { host: { misbehavior: 'slow' } },
        bad: { tlsa: 'wrong' },
        never: { tlsa: 'wrong' },
        'mended-0': { host: { misbehavior: 'no-starttls' } },
        'mended-2': { host: { misbehavior: 'no-starttls' } },
        mixed: { host: { misbehavior: 'rcpt-450' } },
        split: { host: { misbehavior: 'rcpt-450-once' } },
        stripped: { host: { misbehavior: 'no-starttls' } },
        bogus: { isTlsaBogus: true },
        expired: { place: PLACE.expired },
        lame: { place: PLACE.lame },
        sender: { place: PLACE.unsigned, tlsa: 'none' },
      },
      [{ domain: `null.${PLACE.signed}`, records: [`null.${PLACE.signed}. MX 0 .`] }],
    )
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`
  const copies = (label: string, recipient: string): number =>
    relays
      .hostOf(label)
      .sessions.flatMap(({ delivered }) => delivered.filter((each) => each === recipient)).length
  const isAllEncrypted = (label: string): boolean =>
    relays
      .hostOf(label)
      .sessions.every(({ mails }) => mails.every(({ isEncrypted }) => isEncrypted))
  const bounceFor = async (recipient: string): Promise<string> => {
    let found: string | undefined
    await until(`the bounce for ${recipient}`, () => {
      found = relays
        .hostOf('sender')
        .sessions.flatMap(({ messages }) => messages)
        .find((text) => text.includes(`Final-Recipient: rfc822;${recipient}`))
      return found !== undefined
    })
    return found ?? ''
  }

  test('not bounced early: twelve more attempts, then a bounce with the reason', async (context) => {
    const recipient = to('never', 'patience')
    await relays.withRelay({ files: outbound('5s*12') }, async (relay) => {
      const startedAt = Date.now()
      const id = await relay.submit(recipient, to('sender', 'me'))
      await until(
        'the bounce',
        () => relay.log(id).some((line) => line.includes('bouncing mail')),
        {
          timeoutMs: 150_000,
        },
      )
      const seconds = (Date.now() - startedAt) / 1000
      const deferrals = relay.log(id).filter((line) => line.includes('Temp failing')).length
      const attempts = relay.log(id).filter((line) => line.includes('[dane] host refused')).length
      const bounce = await bounceFor(recipient)
      context.diagnostic(
        `${deferrals} deferrals, ${attempts} attempts, ${Math.round(seconds)} s\n${bounce}`,
      )
      assert.equal(deferrals, 12)
      assert.equal(attempts, 13)
      assert.ok(seconds >= 60)
      assert.match(bounce, /^Action: failed$/m)
      assert.match(
        bounce,
        /^Status: 5\.7\.5 \(\d+ server certificate not trusted \(certificate-mismatch\): mx-never\.signed\.example\)$/m,
      )
      // Each attempt looks twice: in the cache, and in DNS.
      assert.equal(relays.hostOf('never').sessions.length, 13)
      assert.equal(copies('never', recipient), 0)
    })
  })

  const reasons: readonly (readonly [string, string, string])[] = [
    [
      'bad',
      '5.7.5',
      'server certificate not trusted (certificate-mismatch): mx-bad.signed.example',
    ],
    [
      'stripped',
      '5.7.4',
      'TLS is required, but was not offered (starttls-not-offered): mx-stripped.signed.example',
    ],
    ['bogus', '5.4.3', 'TLSA lookup error (tlsa-bogus): mx-bogus.signed.example'],
    ['expired', '5.4.3', 'host or domain name not found (mx-bogus): expired.expired.example'],
    ['lame', '5.4.3', 'host or domain name not found (mx-lookup-failed): lame.lame.example'],
  ]
  const PERMANENT: readonly (readonly [string, string, string])[] = [
    [
      `null.${PLACE.signed}`,
      '5.1.10',
      'domain accepts no mail (null MX) (null-mx): null.signed.example',
    ],
    [
      `nowhere.${PLACE.signed}`,
      '5.1.2',
      'domain does not exist (no-such-domain): nowhere.signed.example',
    ],
  ]

  test('each reason in deferral and bounce, with its status, and no detail of the relay', async (context) => {
    const telling = {
      plugins: ['telling', 'dane'],
      ownPlugins: {
        telling: `exports.hook_deferred = function (next, hmail) {
  for (const { dsn_status, dsn_action, dsn_remote_mta } of hmail.todo.rcpt_to)
    hmail.lognotice(this, 'deferred ' + dsn_action + ' ' + dsn_status + ' ' + dsn_remote_mta)
  next()
}`,
      },
    }
    await relays.withRelay({ ...telling, files: outbound('1h*3') }, async (relay) => {
      for (const [label, status, text] of reasons) {
        assert.equal(await deliver(relay, to(label, 'deferred')), `deferred: ${text}`)
        const host = text.slice(text.lastIndexOf(' ') + 1)
        await relay.logged(`deferred delayed ${status.replace('5', '4')} ${host}`)
      }
    })
    await relays.withRelay({ files: outbound('none') }, async (relay) => {
      for (const [domain, status, text, told] of [
        ...reasons.map(
          ([label, status, reason]) =>
            [relays.domainOf(label), status, reason, `Too many failures (${reason})`] as const,
        ),
        ...PERMANENT.map(([domain, status, reason]) => [domain, status, reason, reason] as const),
      ]) {
        assert.equal(
          await deliver(relay, `bounced@${domain}`, to('sender', 'me')),
          `bounced: ${told}`,
        )
        const bounce = await bounceFor(`bounced@${domain}`)
        const line = /^Status: .*$/m.exec(bounce)?.[0] ?? ''
        context.diagnostic(line)
        assert.match(line, new RegExp(`^Status: ${status.replaceAll('.', '\\.')} \\(`))
        assert.ok(line.includes(text), line)
        assert.doesNotMatch(
          bounce,
          /127\.0\.0\.1:|\bdane\.ini|unbound|resolver|redis|policy|outbound\.ini/i,
        )
      }
    })
    // RFC 7505 §4.1, RFC 5321 §5.1: permanent failures bounce at once.
    await relays.withRelay({ files: outbound('1h*3') }, async (relay) => {
      for (const [domain, , text] of PERMANENT) {
        assert.equal(
          await deliver(relay, `at-once@${domain}`, to('sender', 'me')),
          `bounced: ${text}`,
        )
      }
    })
  })

  test('the reply of a server at an earlier attempt is not reported as the last reason', async () => {
    const recipient = to('mixed', 'told')
    await relays.withRelay({ files: outbound('5s') }, async (relay) => {
      await relay.submit(recipient, to('sender', 'me'))
      await relay.logged('450 4.2.0 later')
      relays.hostOf('mixed').misbehave('no-starttls')
      const bounce = await bounceFor(recipient)
      assert.match(bounce, /^Status: 5\.7\.4 .*starttls-not-offered/m)
      assert.doesNotMatch(bounce, /4\.2\.0|later/)
    })
  })

  for (const workers of [0, 2]) {
    test(`SIGHUP retries waiting messages at once, ${workers} workers`, async () => {
      const label = `mended-${workers}`
      const recipient = to(label, 'flushed')
      await relays.withRelay({ files: outbound('1h*3'), workers }, async (relay) => {
        relays.hostOf(label).misbehave('no-starttls')
        assert.match(
          await deliver(relay, recipient),
          /^deferred: TLS is required, but was not offered/,
        )
        relays.hostOf(label).misbehave(undefined)
        // Haraka logs the deferral before the message is in the queue that SIGHUP flushes.
        await until('delivery', async () => {
          relay.child.signal('SIGHUP')
          return relay.logged('delivered file=', 1, 2_000).then(
            () => true,
            () => false,
          )
        })
        await relay.logged('TLS success')
        assert.equal(copies(label, recipient), 1)
        assert.ok(isAllEncrypted(label))
      })
    })
  }

  test('DANE applies again to a recipient that was split off', async () => {
    const recipients = ['now', 'later'].map((who) => to('split', who))
    await relays.withRelay({ files: outbound('5s*4') }, async (relay) => {
      await relay.submit(recipients)
      await relay.logged('delivered file=')
      assert.deepEqual(
        recipients.map((each) => copies('split', each)),
        [1, 0],
      )
      relays.hostOf('split').misbehave('no-starttls')
      await relay.logged('TLS is required, but was not offered')
      assert.deepEqual(
        recipients.map((each) => copies('split', each)),
        [1, 0],
      )
      relays.hostOf('split').misbehave(undefined)
      await relay.logged('delivered file=', 2)
      assert.deepEqual(
        recipients.map((each) => copies('split', each)),
        [1, 1],
      )
      assert.ok(isAllEncrypted('split'))
    })
  })

  const BURST = 40
  const burst = async (relay: Haraka, label: string, who: string): Promise<readonly string[]> => {
    const recipients = Array.from({ length: BURST }, (_, i) => to(label, `${who}-${i}`))
    await Promise.all(recipients.map((each) => submitUntilQueued(relay, each)))
    return recipients
  }
  /** A worker that starts removes the files that others are writing: Haraka then answers 550. */
  const submitUntilQueued = async (relay: Haraka, recipient: string): Promise<void> => {
    for (let left = 5; ; left--) {
      try {
        await relay.submit(recipient)
        return
      } catch (error) {
        if (left === 0 || !String(error).includes('550 Queue error')) throw error
      }
    }
  }
  const allThere = (label: string, recipients: readonly string[]): Promise<void> =>
    until(`all at ${label}`, () => recipients.every((each) => copies(label, each) > 0), {
      timeoutMs: 60_000,
    })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`${signal} while mail flows: every message arrives after the next start`, async (context) => {
      const who = signal.toLowerCase()
      await relays.withRelay({ files: outbound('5s*9') }, async (relay) => {
        const recipients = await burst(relay, 'slow', who)
        await until('some', () => recipients.some((each) => copies('slow', each) > 0))
        await relay.restart(signal)
        await allThere('slow', recipients)
        const twice = recipients.filter((each) => copies('slow', each) > 1).length
        context.diagnostic(`${recipients.length} arrived, ${twice} of them twice`)
        assert.ok(isAllEncrypted('slow'))
      })
    })
  }

  test('a worker is killed while mail flows: the others and its successor deliver', async () => {
    await relays.withRelay({ files: outbound('5s*9'), workers: 2 }, async (relay) => {
      const first = await burst(relay, 'good', 'worker-before')
      const [pid] = relay.workers()
      assert.ok(pid !== undefined)
      process.kill(pid, 'SIGKILL')
      await until(
        'a successor',
        () => relay.workers().length === 2 && !relay.workers().includes(pid),
      )
      const second = await burst(relay, 'good', 'worker-after')
      await allThere('good', [...first, ...second])
      assert.ok(isAllEncrypted('good'))
    })
  })

  test('dane.ini is reloaded again and again while mail flows', async () => {
    await relays.withRelay({ files: outbound('5s*9') }, async (relay) => {
      const { names, smtpPort } = relays.laboratory
      const write = (text: string): Promise<void> =>
        relay.write('config/dane.ini', withLaboratory(text, names.unboundPort, smtpPort))
      const all: string[] = []
      for (const [text, logged] of [
        ['[domains]\nother.example = none', '1 per-domain policies'],
        ['policy = nonsense', 'dane.ini not reloaded'],
        ['policy = mandatory', 'reloaded: policy mandatory'],
      ] as const) {
        all.push(...(await burst(relay, 'good', `reload-${all.length}`)))
        await write(text)
        await relay.logged(logged)
      }
      all.push(...(await burst(relay, 'good', `reload-${all.length}`)))
      await allThere('good', all)
      assert.ok(all.every((each) => copies('good', each) === 1))
      assert.ok(isAllEncrypted('good'))
      assert.equal(relay.log().filter((line) => line.includes('TLS success')).length, all.length)
    })
  })

  test('graceful_shutdown completes deliveries in progress', async () => {
    await relays.withRelay(
      { files: outbound('5s*9'), workers: 1, smtpIni: 'graceful_shutdown=true' },
      async (relay) => {
        const recipients = await burst(relay, 'slow', 'graceful')
        await until('some', () => recipients.some((each) => copies('slow', each) > 0))
        await relay.restart('SIGTERM')
        await allThere('slow', recipients)
        assert.ok(isAllEncrypted('slow'))
      },
    )
  })
})
