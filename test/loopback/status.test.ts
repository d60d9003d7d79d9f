/**
 * The delivery status of a real Haraka: what it shows equals the queue files and the log.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { PLACE } from '../../lab/rows.js'
import { runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'
import { field, fieldsOf, getJson, getStatus } from '../support/status.js'
import type { StatusAnswer } from '../support/status.js'
import { readQueueTruth } from '../support/queue-truth.js'
import { assertSchema } from '../support/status-schema.js'
import { startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const OWN = `[domains]
exempt.${PLACE.unsigned} = none
.strict.${PLACE.signed} = mandatory
[status]
enabled = yes
`

describe('delivery status', () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      bad: { tlsa: 'wrong' },
      bogus: { isTlsaBogus: true },
      mended: { host: { misbehavior: 'no-starttls' } },
      grey: { host: { misbehavior: 'rcpt-450' } },
      plain: { place: PLACE.unsigned, tlsa: 'none' },
      exempt: { place: PLACE.unsigned, tlsa: 'none' },
      'a.strict': { tlsa: 'none' },
    })
  })
  after(() => relays.laboratory.stop())

  async function withStatus(
    more: Partial<HarakaOptions>,
    work: (relay: Haraka, url: string) => Promise<void>,
    daneIni = OWN,
  ): Promise<void> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/dane.json`
    const files = {
      'http.ini': `listen=127.0.0.1:${port}`,
      'outbound.ini': 'local_mx_ok=true\nconnect_timeout=60\ntemp_fail_intervals=1h,2h,3h*99',
      ...more.files,
    }
    await relays.withRelay(
      { ...more, files },
      async (relay) => {
        await until('the HTTP server', () => isUp(url))
        await work(relay, url)
      },
      daneIni,
    )
  }

  const LABELS = ['good', 'bad', 'bogus', 'mended', 'grey', 'plain', 'exempt', 'a.strict'] as const

  /** Messages of a fixed mix, with one recipient, two or three. */
  async function sendMix(relay: Haraka, from: number, to: number): Promise<void> {
    const LANES = 8
    const lane = async (first: number): Promise<void> => {
      for (let i = first; i < to; i += LANES) {
        const label = LABELS[(i * 7) % LABELS.length] ?? 'good'
        const domain = relays.domainOf(label)
        const count = 1 + (i % 3)
        const recipients = Array.from({ length: count }, (_, k) => `u${i}-${k}@${domain}`)
        await relay.submit(recipients)
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, index) => lane(from + index)))
    await until('all outcomes', () => outcomes(relay) >= to, { timeoutMs: 240_000 })
  }

  /** Compares with the queue folder, once nothing moves any more. */
  async function equalsQueue(relay: Haraka, url: string): Promise<StatusAnswer> {
    const folder = path.join(relay.folder, 'queue')
    let last: StatusAnswer | undefined
    const differences = async (): Promise<readonly unknown[]> => {
      const truth = readQueueTruth(folder)
      last = await getStatus(url)
      const shown = Object.fromEntries(
        last.destinations
          .filter((row) => Number(field(row, 'waiting', 'messages')) > 0)
          .map((row) => {
            const { messages, recipients, oldestAt, nextRetryAt } = fieldsOf(field(row, 'waiting'))
            return [
              String(field(row, 'destination')),
              { messages, recipients, oldestAt, nextRetryAt },
            ]
          }),
      )
      const sums = [field(last.queue, 'messages'), field(last.queue, 'recipients')]
      return [
        [sums, [truth.messages, truth.recipients]],
        [shown, truth.destinations],
      ].filter(([a, b]) => !isEqual(a, b))
    }
    await until('the status of the queue', async () => (await differences()).length === 0).catch(
      async () => assert.deepEqual(await differences(), []),
    )
    assert.ok(last)
    assert.equal(field(last.queue, 'kind'), 'counted')
    assert.equal(field(last.queue, 'unreadable'), 0)
    return last
  }

  /** Compares what DANE says with the last lines of the log for each destination. */
  function equalsLog(relay: Haraka, { destinations }: StatusAnswer): void {
    for (const label of LABELS) {
      const domain = relays.domainOf(label)
      const row = destinations.find((each) => field(each, 'destination') === domain)
      assert.ok(row, domain)
      assert.deepEqual(
        {
          dane: daneOf(row),
          refusal: refusalOf(row),
          success: field(row, 'lastSuccess', 'host') ?? undefined,
        },
        fromLog(relay.log(), domain),
        domain,
      )
    }
  }

  async function command(relay: Haraka, ...args: readonly string[]): Promise<Ran> {
    return runCommand(['status', '--config', path.join(relay.folder, 'config'), ...args])
  }

  async function deferred(relay: Haraka, label: string): Promise<void> {
    const outcome = await relay.outcomeOf(await relay.submit(`one@${relays.domainOf(label)}`))
    assert.equal(outcome.kind, 'deferred')
  }

  test('one destination: plan, what its host showed, policy, and the command', async () => {
    await withStatus({ workers: 2 }, async (relay, url) => {
      const domain = relays.domainOf('bad')
      await deferred(relay, 'bad')
      const detail = await getJson(`${url}?d=${domain.toUpperCase()}`)
      assertSchema(detail)
      assert.equal(field(detail, 'status', 'dane', 'reason'), 'certificate-mismatch')
      const host = field(detail, 'plan', 'hosts', '0')
      assert.equal(field(host, 'host'), `mx-${domain}`)
      assert.equal(field(host, 'requires', 'kind'), 'authenticate')
      assert.match(String(field(host, 'requires', 'records', '0')), /^3 1 1 [0-9a-f]{16}/)
      assert.equal(field(host, 'lastAttempt', 'reason'), 'certificate-mismatch')
      assert.match(String(field(host, 'lastAttempt', 'detail')), /^127\.0\.\d+\.\d+ port \d+: /)
      assert.deepEqual(field(detail, 'command'), ['haraka-dane', 'verify', domain])
      assert.equal(field(detail, 'policy', 'line'), null)
      await deferred(relay, 'a.strict')
      const strict = await getJson(`${url}?d=${relays.domainOf('a.strict')}`)
      assert.deepEqual(fieldsOf(field(strict, 'policy')), {
        policy: 'mandatory',
        line: field(strict, 'policy', 'line'),
        text: `.strict.${PLACE.signed} = mandatory`,
      })
      const nothing = await fetch(`${url}?d=nobody.example`)
      assert.equal(nothing.status, 404)
      const ran = await command(relay, domain)
      assert.equal(ran.code, 1, ran.stderr)
      assert.match(
        ran.stdout,
        /^bad\.signed\.example: held, certificate-mismatch \(server certificate not trusted\)$/m,
      )
      assert.match(ran.stdout, /^ {4}10 mx-bad\.signed\.example: authenticate$/m)
      assert.match(ran.stdout, /^ {6}refused: certificate-mismatch, \d+ s ago$/m)
    })
  })

  test('a restarted relay knows the queue, and of DANE nothing until the next attempt', async () => {
    await withStatus({}, async (relay, url) => {
      await deferred(relay, 'bad')
      await equalsQueue(relay, url)
      await relay.restart('SIGTERM')
      await until('the HTTP server', () => isUp(url))
      const { destinations } = await equalsQueue(relay, url)
      assert.deepEqual(destinations.map(daneOf), ['unknown'])
      assert.equal(field(destinations[0], 'lastRefusal'), null)
    })
  })

  test('what a killed worker has told is kept', async () => {
    await withStatus({ workers: 2 }, async (relay, url) => {
      await deferred(relay, 'bad')
      const before = await equalsQueue(relay, url)
      assert.deepEqual(before.destinations.map(daneOf), ['held certificate-mismatch'])
      const old = relay.workers()
      for (const pid of old) process.kill(pid, 'SIGKILL')
      await until('other workers', async () => {
        const now = relay.workers()
        return now.length === 2 && now.every((pid) => !old.includes(pid)) && (await isUp(url))
      })
      const after = await equalsQueue(relay, url)
      assert.deepEqual(after.destinations.map(daneOf), ['held certificate-mismatch'])
    })
  })

  test('a worker that does not answer is named silent, and the others are shown', async () => {
    await withStatus({ workers: 2 }, async (relay, url) => {
      await deferred(relay, 'bad')
      const [stopped = 0] = relay.workers()
      process.kill(stopped, 'SIGSTOP')
      try {
        // Connections may be given to the stopped worker: the other one answers.
        await until('one silent worker, and one message', async () => {
          const status: unknown = await fetch(url, { signal: AbortSignal.timeout(4_000) })
            .then((response) => response.json())
            .catch(() => undefined)
          return (
            field(status, 'relay', 'silentWorkers') === 1 &&
            field(status, 'queue', 'messages') === 1
          )
        })
      } finally {
        process.kill(stopped, 'SIGCONT')
      }
    })
  })

  test('haraka-dane status: list, JSON, and what to do if there is no answer', async () => {
    await withStatus({}, async (relay) => {
      const quiet = await command(relay)
      assert.equal(quiet.code, 0, quiet.stderr)
      assert.match(quiet.stdout, /^relay\.example: one process; what happened is known since /m)
      assert.match(quiet.stdout, /^no destination$/m)
      await deferred(relay, 'bad')
      await deferred(relay, 'grey')
      const ran = await command(relay)
      assert.equal(ran.code, 1)
      assert.match(ran.stdout, /^queue: 2 messages, 2 recipients; the oldest for /m)
      assert.match(ran.stdout, /^held by DANE: 1 destinations, 1 messages$/m)
      assert.match(
        ran.stdout,
        /^bad\.signed\.example +held +1 .* certificate-mismatch at mx-bad\.signed\.example, \d+ s ago$/m,
      )
      assert.match(
        ran.stdout,
        /^grey\.signed\.example +verified +1 .* deferred by the host at \S+, \d+ s ago$/m,
      )
      const json = await command(relay, '--json', '--show', 'held')
      const value: unknown = JSON.parse(json.stdout)
      assertSchema(value)
      assert.equal(field(value, 'matching'), 1)
      await relay.write('config/http.ini', 'listen=127.0.0.1:1')
      const refused = await command(relay)
      assert.equal(refused.code, 3)
      assert.match(
        refused.stderr,
        /^http:\/\/127\.0\.0\.1:1\/dane\.json does not answer: .*ECONNREFUSED.*\ndo: check that Haraka runs/,
      )
      await relay.write('config/http.ini', '')
      assert.match(
        (await command(relay)).stderr,
        /http\.ini has no listen=.*\ndo: set listen=127\.0\.0\.1:PORT/,
      )
      await relay.write('config/dane.ini', '[resolver]\ntrust = yes\n')
      const off = await command(relay)
      assert.equal(off.code, 3)
      assert.match(
        off.stderr,
        /^the delivery status of this relay is off\ndo: set enabled = yes under \[status\]/,
      )
      assert.equal((await command(relay, '--show', 'nothing')).code, 2)
      assert.equal((await command(relay, 'a.example', 'b.example')).code, 2)
    })
  })

  test('listening on all addresses: a warning at start, unless a proxy is stated', async () => {
    for (const [proxy, isWarned] of [
      ['', true],
      ['proxy = yes', false],
    ] as const) {
      const port = await freePort()
      const files = { 'http.ini': `listen=0.0.0.0:${port}` }
      await relays.withRelay(
        { files },
        async (relay) => {
          await relay.logged('the delivery status is at /dane')
          const warned = relay
            .log()
            .some((line) =>
              /\[WARN\] .*anyone who can connect to 0\.0\.0\.0:\d+ \(http\.ini\) can read the delivery status/.test(
                line,
              ),
            )
          assert.equal(warned, isWarned)
          const { stdout } = await runCommand([
            'check',
            '--config',
            path.join(relay.folder, 'config'),
          ])
          assert.equal(/^warning {2}status: anyone who can connect/m.test(stdout), isWarned, stdout)
        },
        `${OWN}${proxy}\n`,
      )
    }
  })

  test('off: no page, no hooks of deliveries', async () => {
    const spy = `exports.hook_init_master = function (next) {
  const hooks = this.haraka_require('plugins').registered_hooks
  const own = ['delivered', 'deferred', 'bounce'].flatMap((hook) => (hooks[hook] ?? []).filter(({ plugin }) => plugin === 'dane'))
  this.loginfo('hooks of deliveries: ' + own.length); next() }`
    const options = { plugins: ['dane', 'spy'], ownPlugins: { spy } }
    await withStatus(
      options,
      async (relay, url) => {
        assert.equal((await fetch(url)).status, 404)
        await relay.logged('hooks of deliveries: 0')
      },
      '',
    )
    await withStatus(options, (relay) => relay.logged('hooks of deliveries: 3'))
  })

  for (const workers of [0, 3]) {
    test(`1,000 messages at three instants, ${workers} workers`, async (context) => {
      relays.hostOf('mended').misbehave('no-starttls')
      await withStatus({ workers }, async (relay, url) => {
        for (const [from, to] of [
          [0, 300],
          [300, 700],
        ] as const) {
          await sendMix(relay, from, to)
          equalsLog(relay, await equalsQueue(relay, url))
        }
        relays.hostOf('mended').misbehave(undefined)
        await sendMix(relay, 700, 1_000)
        // Haraka retries all that waits.
        await until('mended destinations to get their mail', async () => {
          relay.child.signal('SIGHUP')
          const { destinations } = readQueueTruth(path.join(relay.folder, 'queue'))
          await sleep(1_000)
          return destinations[relays.domainOf('mended')] === undefined
        })
        const status = await equalsQueue(relay, url)
        equalsLog(relay, status)
        assert.equal(field(status.relay, 'workers'), workers)
        assert.equal(field(status.relay, 'silentWorkers'), 0)
        assert.doesNotMatch(JSON.stringify(status), /@/, 'an address of a recipient')
        context.diagnostic(JSON.stringify({ queue: status.queue, counts: status.counts }))
      })
    })
  }
})

async function isUp(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined)
  return response !== undefined
}

/** Messages that were deferred or delivered. */
function outcomes(relay: Haraka): number {
  return relay.log().filter((line) => /delivered file=|Temp failing \S+ for /.test(line)).length
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b)
    return true
  } catch {
    return false
  }
}

function daneOf(row: object): string {
  const kind = String(field(row, 'dane', 'kind'))
  return kind === 'held' ? `held ${String(field(row, 'dane', 'reason'))}` : kind
}

function refusalOf(row: object): string | undefined {
  const refusal = field(row, 'lastRefusal')
  if (refusal === null) return undefined
  const { reason, detail } = fieldsOf(refusal)
  return typeof reason === 'string' ? reason : String(detail)
}

/**
 * What the log says last of a destination. Lines of several workers may end up in one, so
 * nothing is taken from it that is not next to the name.
 */
function fromLog(
  log: readonly string[],
  domain: string,
): { dane: string; refusal: string | undefined; success: string | undefined } {
  const text = log.join('\n')
  const last = (pattern: string): RegExpExecArray | undefined =>
    [
      ...text.matchAll(new RegExp(pattern.replace('DOMAIN', domain.replaceAll('.', '\\.')), 'g')),
    ].at(-1)
  const held = last('message deferred domain=DOMAIN policy=\\S+ host=\\S+ reason=(\\S+)')
  const success = last('delivered (?:file=\\S+|verified) domain=DOMAIN host=(\\S+)')
  const reply = last('recipient <[^>]*@DOMAIN> deferred: (\\d{3} [\\d.]+ later)')
  const verified = last('TLS success [^\\n]{1,80} for DOMAIN host=')
  const noDane = last('plan domain=DOMAIN policy=\\S+ route=mx mx=\\S+ hosts="?\\S+ opportunistic ')
  const [state, latest] = [
    ['held', held],
    ['verified', verified],
    ['no-dane', noDane],
  ].reduce<readonly [string, number]>(
    (best, [word, found]) =>
      typeof word === 'string' && typeof found === 'object' && found.index > best[1]
        ? [word, found.index]
        : best,
    ['not-enforced', -1],
  )
  const dane = state === 'held' && latest >= 0 ? `held ${held?.[1] ?? ''}` : state
  return { dane, refusal: held?.[1] ?? reply?.[1], success: success?.[1] }
}
