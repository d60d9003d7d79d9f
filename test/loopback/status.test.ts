/**
 * The delivery status of a real Haraka: what it shows equals the queue files and the log.
 *
 * One relay delivers itself, the other has three workers; both serve all tests. Each test
 * states what it needs of the queue, so that their order does not matter, but for the first.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import { PLACE } from '../../lab/rows.js'
import { runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'
import { readQueueTruth } from '../support/queue-truth.js'
import type { QueueTruth } from '../support/queue-truth.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'
import {
  daneOf,
  equalsLog,
  equalsQueue,
  isUp,
  sendMix,
  startWatched,
} from '../support/status-mix.js'
import type { Watched } from '../support/status-mix.js'
import { assertSchema } from '../support/status-schema.js'
import { field, fieldsOf, getJson } from '../support/status.js'

/** Of the mix; as many as are wanted with `MIX=1000 npm test -- loopback/status.test`. */
const MIX = Number(process.env['MIX'] ?? 100)

const OWN = `[domains]
exempt.${PLACE.unsigned} = none
.strict.${PLACE.signed} = mandatory
[status]
enabled = yes
`

const LABELS = ['good', 'bad', 'bogus', 'mended', 'grey', 'plain', 'exempt', 'a.strict'] as const

/** Counts the plugin's hooks of deliveries. */
const SPY = `exports.hook_init_master = function (next) {
  const hooks = this.haraka_require('plugins').registered_hooks
  const own = ['delivered', 'deferred', 'bounce'].flatMap((hook) => (hooks[hook] ?? []).filter(({ plugin }) => plugin === 'dane'))
  this.loginfo('hooks of deliveries: ' + own.length); next() }`

const SPIED = { plugins: ['dane', 'spy'], ownPlugins: { spy: SPY } }

/** Where another plugin sends mail to these domains, as JavaScript. */
const ROUTES: Readonly<Record<string, string>> = {
  'to-good.example': `{ exchange: 'mx-good.${PLACE.signed}', port: PORT }`,
  'to-bad.example': `[{ exchange: 'mx-bad.${PLACE.signed}', port: PORT }, { exchange: 'mx-a.strict.${PLACE.signed}', port: PORT }]`,
  'to-address.example': `{ exchange: ADDRESS, port: PORT }`,
  'by-lmtp.example': `{ exchange: 'mx-bad.${PLACE.signed}', port: PORT, using_lmtp: true }`,
}

describe('delivery status', () => {
  let relays: Relays
  /** Without workers; listens on all addresses. */
  let single: Watched
  /** With three workers; listens on all addresses, and says that a proxy is in front. */
  let several: Watched
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
      down: { host: { isDown: true } },
    })
    const routes = Object.entries(ROUTES).map(([domain, mx]) => `'${domain}': ${mx}`)
    const router = `const [PORT, ADDRESS] = [${relays.laboratory.smtpPort}, '${relays.hostOf('good').address}']
      const routes = { ${routes.join(', ')} }
      exports.hook_get_mx = (next, hmail) => {
        const mx = routes[hmail.todo.domain]
        if (mx) next(OK, mx)
        else next()
      }`
    const routed = { plugins: ['router', 'dane', 'spy'], ownPlugins: { spy: SPY, router } }
    ;[single, several] = await Promise.all([
      startWatched(relays, routed, OWN, '0.0.0.0'),
      startWatched(relays, { workers: 3 }, `${OWN}proxy = yes\n`, '0.0.0.0'),
    ])
  })
  after(() => relays.laboratory.stop())

  const configOf = ({ folder }: Haraka): string => path.join(folder, 'config')

  const truthOf = ({ folder }: Haraka): QueueTruth => readQueueTruth(path.join(folder, 'queue'))

  async function command(config: string, ...args: readonly string[]): Promise<Ran> {
    return runCommand(['status', '--config', config, ...args])
  }

  async function deferred({ relay }: Watched, label: string): Promise<void> {
    const outcome = await relay.outcomeOf(await relay.submit(`one@${relays.domainOf(label)}`))
    assert.equal(outcome.kind, 'deferred')
  }

  test('haraka-dane status: no destination yet', async () => {
    const quiet = await command(configOf(single.relay))
    assert.equal(quiet.code, 0, quiet.stderr)
    assert.match(quiet.stdout, /^relay\.example: one process; what happened is known since /m)
    assert.match(quiet.stdout, /^no destination$/m)
  })

  for (const workers of [0, 3]) {
    test(`${MIX} messages at three instants, ${workers} workers`, async (context) => {
      const watched = workers === 0 ? single : several
      const domains = LABELS.map((label) => relays.domainOf(label))
      const mended = relays.hostOf('mended')
      mended.misbehave('no-starttls')
      for (const share of [0.3, 0.4]) {
        await sendMix(watched, domains, Math.round(MIX * share))
        equalsLog(watched, await equalsQueue(watched), domains)
      }
      mended.misbehave(undefined)
      await sendMix(watched, domains, Math.round(MIX * 0.3))
      let tries = 0
      await until('mended destinations to get their mail', () => {
        // Haraka retries all that waits, but not what is being deferred at that moment.
        if (tries++ % 50 === 0) watched.relay.child.signal('SIGHUP')
        return truthOf(watched.relay).destinations[relays.domainOf('mended')] === undefined
      })
      const status = await equalsQueue(watched)
      equalsLog(watched, status, domains)
      assert.equal(field(status.relay, 'workers'), workers)
      assert.equal(field(status.relay, 'silentWorkers'), 0)
      assert.doesNotMatch(JSON.stringify(status), /@/, 'an address of a recipient')
      context.diagnostic(JSON.stringify({ queue: status.queue, counts: status.counts }))
    })
  }

  test('one destination: plan, what its host showed, policy, and the command', async () => {
    const { relay, url } = several
    const domain = relays.domainOf('bad')
    await deferred(several, 'bad')
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
    await deferred(several, 'a.strict')
    const strict = await getJson(`${url}?d=${relays.domainOf('a.strict')}`)
    assert.deepEqual(fieldsOf(field(strict, 'policy')), {
      policy: 'mandatory',
      line: field(strict, 'policy', 'line'),
      text: `.strict.${PLACE.signed} = mandatory`,
    })
    const nothing = await fetch(`${url}?d=nobody.example`)
    assert.equal(nothing.status, 404)
    const ran = await command(configOf(relay), domain)
    assert.equal(ran.code, 1, ran.stderr)
    assert.match(
      ran.stdout,
      /^bad\.signed\.example: held, certificate-mismatch \(server certificate not trusted\)$/m,
    )
    assert.match(ran.stdout, /^ {4}10 mx-bad\.signed\.example: authenticate$/m)
    assert.match(ran.stdout, /^ {6}refused: certificate-mismatch, \d+ s ago$/m)
  })

  test('a host that accepts no connection: not refused, not untried, and the last failure says so', async () => {
    await deferred(single, 'down')
    const domain = relays.domainOf('down')
    const detail = await getJson(`${single.url}?d=${domain}`)
    assertSchema(detail)
    const failure = new RegExp(
      `^127\\.0\\.\\d+\\.\\d+ port ${relays.laboratory.smtpPort}: no connection after \\d+\\.\\d s$`,
    )
    const refusal = field(detail, 'status', 'lastRefusal')
    assert.equal(field(refusal, 'host'), `mx-${domain}`)
    assert.equal(field(refusal, 'phrase'), 'no connection')
    assert.equal(field(refusal, 'reason'), null)
    assert.match(String(field(refusal, 'detail')), failure)
    const attempt = field(detail, 'plan', 'hosts', '0', 'lastAttempt')
    assert.equal(field(attempt, 'kind'), 'unreached')
    assert.match(String(field(attempt, 'detail')), failure)
    assert.equal(field(detail, 'status', 'dane', 'kind'), 'unknown')
    const { stdout } = await command(configOf(single.relay), domain)
    assert.match(stdout, /^ {6}no connection, \d+ s ago$/m)
  })

  test('a next hop of another plugin: in the detail, in the log, and with what it showed', async () => {
    const { relay, url } = single
    const [good, bad] = ['good', 'bad'].map((label) => `mx-${relays.domainOf(label)}`)
    const port = relays.laboratory.smtpPort
    const { address } = relays.hostOf('good')
    const wanted: readonly (readonly [string, RegExp, string, readonly unknown[]])[] = [
      [
        'to-good.example',
        /^delivered over TLS/,
        `${good}:${port} authenticate (1 usable)`,
        ['verified', [good, port, 'opportunistic', 'authenticate', 'verified']],
      ],
      [
        'to-bad.example',
        /^deferred: .*\(certificate-mismatch\)/,
        `${bad}:${port} authenticate (1 usable), policy opportunistic; mx-a.strict.${PLACE.signed}:${port} unreachable (no-tlsa-record)`,
        [
          'held',
          [bad, port, 'opportunistic', 'authenticate', 'refused'],
          [`mx-a.strict.${PLACE.signed}`, port, 'mandatory', 'unreachable', 'refused'],
        ],
      ],
      [
        'to-address.example',
        /^delivered/,
        `${address}:${port} exempt (address)`,
        ['no-dane', [address, port, 'opportunistic', 'opportunistic', undefined]],
      ],
      [
        'by-lmtp.example',
        /^delivered/,
        `${bad}:${port} exempt (lmtp)`,
        ['not-enforced', [bad, port, 'opportunistic', 'exempt', undefined]],
      ],
    ]
    for (const [domain, outcome, logged, [dane, ...hosts]] of wanted) {
      assert.match(await deliver(relay, `user@${domain}`), outcome, domain)
      const policy = domain === 'to-bad.example' ? 'mandatory' : 'opportunistic'
      await relay.logged(`plan domain=${domain} policy=${policy} route=relay hosts="${logged}"`)
      const detail = await getJson(`${url}?d=${domain}`)
      assertSchema(detail)
      assert.equal(field(detail, 'plan', 'route'), 'relay')
      const shown = fieldsOf(field(detail, 'plan', 'hosts'))
      assert.deepEqual(
        Object.values(shown).map((each) => [
          field(each, 'host'),
          field(each, 'port'),
          field(each, 'policy'),
          field(each, 'requires', 'kind'),
          field(each, 'lastAttempt', 'kind'),
        ]),
        hosts,
      )
      assert.equal(field(detail, 'status', 'dane', 'kind'), dane)
    }
    const { stdout } = await command(configOf(relay), 'to-bad.example')
    assert.match(
      stdout,
      /^ {2}plan of \d+ s ago: next hops that another plugin chose, policy mandatory$/m,
    )
    assert.match(
      stdout,
      /^ {4}mx-bad\.signed\.example port \d+, policy opportunistic: authenticate$/m,
    )
  })

  test('a restarted relay knows the queue, and of DANE nothing until the next attempt', async () => {
    const { relay, url } = single
    await deferred(single, 'bad')
    await equalsQueue(single)
    await relay.restart('SIGTERM')
    await until('the HTTP server', () => isUp(url))
    const { destinations } = await equalsQueue(single)
    assert.equal(destinations.length, Object.keys(truthOf(relay).destinations).length)
    for (const each of destinations) {
      assert.equal(daneOf(each), 'unknown')
      assert.equal(field(each, 'lastRefusal'), null)
    }
  })

  test('what a killed worker has told is kept', async () => {
    const { relay, url } = several
    await deferred(several, 'bad')
    const before = await equalsQueue(several)
    assert.ok(before.destinations.map(daneOf).includes('held certificate-mismatch'))
    const old = relay.workers()
    for (const pid of old) process.kill(pid, 'SIGKILL')
    await until('other workers', async () => {
      const now = relay.workers()
      const areOthers = now.length === old.length && now.every((pid) => !old.includes(pid))
      return areOthers && (await isUp(url))
    })
    const after = await equalsQueue(several)
    assert.deepEqual(after.destinations.map(daneOf), before.destinations.map(daneOf))
  })

  test('a worker that does not answer is named silent, and the others are shown', async () => {
    const { relay, url } = several
    await deferred(several, 'bad')
    const { messages } = truthOf(relay)
    const [stopped = 0] = relay.workers()
    process.kill(stopped, 'SIGSTOP')
    try {
      await until('one silent worker, and all messages', async () => {
        // Connections may be given to the stopped worker: the other ones answer.
        const signal = AbortSignal.timeout(5_000)
        const asked = Array.from({ length: 3 }, () => fetch(url, { signal }))
        const status: unknown = await Promise.any(asked)
          .then((response) => response.json())
          .catch(() => undefined)
        return (
          field(status, 'relay', 'silentWorkers') === 1 &&
          field(status, 'queue', 'messages') === messages
        )
      })
    } finally {
      process.kill(stopped, 'SIGCONT')
    }
  })

  test('haraka-dane status: list, JSON, and what to do if there is no answer', async () => {
    const { relay } = single
    for (const label of ['bad', 'grey']) await deferred(single, label)
    const { messages, recipients, destinations } = truthOf(relay)
    const held = destinations[relays.domainOf('bad')]?.messages ?? 0
    /** The config folder with another file. */
    const changed = async (file: string, text: string): Promise<string> => {
      const config = await mkdtemp(path.join(relay.folder, 'changed-'))
      await cp(configOf(relay), config, { recursive: true })
      await writeFile(path.join(config, file), text)
      return config
    }
    const [ran, json, noService, noListener, off, wrongShow, twoDomains] = await Promise.all([
      command(configOf(relay)),
      command(configOf(relay), '--json', '--show', 'held'),
      command(await changed('http.ini', 'listen=127.0.0.1:1')),
      command(await changed('http.ini', '')),
      command(await changed('dane.ini', '[resolver]\ntrust = yes\n')),
      command(configOf(relay), '--show', 'nothing'),
      command(configOf(relay), 'a.example', 'b.example'),
    ])
    assert.equal(ran.code, 1, ran.stderr)
    const queue = new RegExp(`^queue: ${messages} messages, ${recipients} recipients; the oldest `)
    assert.match(ran.lines[1] ?? '', queue)
    assert.match(ran.stdout, /^held by DANE: \d destinations, \d+ messages$/m)
    assert.match(
      ran.stdout,
      new RegExp(
        `^bad\\.signed\\.example +held +${held} .* certificate-mismatch at mx-bad\\.signed\\.example, \\d+ s ago$`,
        'm',
      ),
    )
    assert.match(
      ran.stdout,
      /^grey\.signed\.example +verified +\d+ .* deferred by the host at \S+, \d+ s ago$/m,
    )
    const value: unknown = JSON.parse(json.stdout)
    assertSchema(value)
    assert.equal(field(value, 'matching'), field(value, 'counts', 'held'))
    assert.equal(noService.code, 3)
    assert.match(
      noService.stderr,
      /^http:\/\/127\.0\.0\.1:1\/dane\.json does not answer: .*ECONNREFUSED.*\ndo: check that Haraka runs/,
    )
    assert.match(noListener.stderr, /http\.ini has no listen=.*\ndo: set listen=127\.0\.0\.1:PORT/)
    assert.equal(off.code, 3)
    assert.match(
      off.stderr,
      /^the delivery status of this relay is off\ndo: set enabled = yes under \[status\]/,
    )
    assert.equal(wrongShow.code, 2)
    assert.equal(twoDomains.code, 2)
  })

  test('listening on all addresses: a warning at start, unless a proxy is stated', async () => {
    for (const { relay } of [single, several]) {
      const isWarned = relay === single.relay
      const warned = relay
        .log()
        .some((line) =>
          /\[WARN\] .*anyone who can connect to 0\.0\.0\.0:\d+ \(http\.ini\) can read the delivery status/.test(
            line,
          ),
        )
      assert.equal(warned, isWarned)
      const { stdout } = await runCommand(['check', '--config', configOf(relay)])
      assert.equal(/^warning {2}status: anyone who can connect/m.test(stdout), isWarned, stdout)
    }
  })

  test('off: no page, no hooks of deliveries', async () => {
    const off = await startWatched(relays, SPIED, '')
    try {
      assert.equal((await fetch(off.url)).status, 404)
      await off.relay.logged('hooks of deliveries: 0')
    } finally {
      await off.relay.stop()
    }
    await single.relay.logged('hooks of deliveries: 3')
  })
})
