/**
 * `policy = audit` against real servers: the same mail flow as without the plugin, and a
 * forecast that matches what opportunistic and mandatory then do, for each destination.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { beyondRows } from '../../lab/beyond-rows.js'
import { until } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import type { Haraka, Outcome } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { Session } from '../../lab/mx-dialog.js'
import { tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { startDnsServer } from '../support/dns-server.js'

const FORECAST = /audit: nothing enforced .*opportunistic="([^"]*)" mandatory="([^"]*)"/

type Ran = { readonly id: string; readonly outcome: Outcome; readonly sessions: readonly string[] }

let laboratory: Laboratory
let rows: readonly Row[]

before(async () => {
  const started = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const table = await tableRows(port, authority)
    // The same destinations once for each policy.
    const once = table.filter(({ id, policy }) => id.startsWith('ddei') && policy !== 'mandatory')
    return [...once, ...(await beyondRows(port, authority)), ...(await more(port))]
  })
  laboratory = started.laboratory
  rows = started.rows
})
after(() => laboratory.stop())

/** A case that audit cannot know: a second host after one that accepted the mail. */
async function more(port: number): Promise<readonly Row[]> {
  const authority = await createAuthority()
  const [bad, good] = await Promise.all([
    destination(port, authority, 'beyond', { tlsa: 'wrong' }),
    destination(port, authority, 'beyond-second'),
  ])
  return [
    {
      ...bad.row,
      hosts: [...bad.row.hosts, ...good.row.hosts],
      records: [...bad.row.records, ...good.row.records, `${bad.domain}. MX 20 ${good.host}.`],
    },
  ]
}

/** Sends one message to each row through one relay, and stops it. */
async function run(tag: string, relay: Haraka, isAudit = false): Promise<ReadonlyMap<string, Ran>> {
  const before = new Map(
    [...laboratory.hosts].map(([name, { sessions }]) => [name, sessions.length]),
  )
  const ran = new Map<string, Ran>()
  const queue = [...rows]
  const worker = async (): Promise<void> => {
    for (let row = queue.shift(); row; row = queue.shift()) {
      const id = await relay.submit(`${tag}@${row.domain}`)
      const outcome = await relay.outcomeOf(id)
      if (isAudit) {
        await until(`forecast for ${row.id}`, () => forecastOf(relay, id) !== undefined).catch(
          (error: unknown) => {
            throw new Error(`${String(error)}\n${relay.log(id).join('\n')}`)
          },
        )
      }
      // A host's record is complete when the session ends; QUIT is still in flight.
      await new Promise((resolve) => setTimeout(resolve, 100))
      const sessions = row.hosts.flatMap(({ name }) =>
        (laboratory.hosts.get(name)?.sessions ?? [])
          .slice(before.get(name) ?? 0)
          .map((session) => `${name}: ${sessionText(session).replaceAll(`${tag}@`, 'TAG@')}`),
      )
      ran.set(row.id, { id, outcome, sessions: sessions.sort() })
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return ran
}

function sessionText({ commands, isEncrypted, serverName, delivered }: Session): string {
  // A ClientHello read as commands contains random octets, including line ends.
  const hello = commands.findIndex((command) => /[^ -~]/.test(command))
  const said = hello < 0 ? commands : [...commands.slice(0, hello), '(binary)']
  return JSON.stringify({ said: [...new Set(said)], isEncrypted, serverName, delivered })
}

function forecastOf(relay: Haraka, id: string): { opp: string; mandatory: string } | undefined {
  for (const line of relay.log(id)) {
    const [, opp, mandatory] = FORECAST.exec(line) ?? []
    if (opp !== undefined && mandatory !== undefined) return { opp, mandatory }
  }
  return undefined
}

/** Haraka's text without the parts that vary between runs. */
function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'delivered':
      return `delivered ${outcome.isEncrypted ? 'over TLS' : 'in clear text'} by ${outcome.host}`
    case 'deferred':
    case 'bounced':
      return `${outcome.kind}: ${outcome.reason}`
  }
}

/** What a policy did, in the words of the forecast. */
function happened(relay: Haraka, { id, outcome }: Ran): string {
  const log = relay.log(id).join('\n')
  const reason = /message (?:deferred|returned) .*?reason=(\S+)/.exec(log)?.[1]
  if (reason !== undefined) {
    return `would be ${outcome.kind === 'bounced' ? 'returned' : 'deferred'} (${reason})`
  }
  if (log.includes('not authenticated')) return 'would be delivered over TLS, not authenticated'
  const isVerified = log.includes('TLS success') || log.includes('host matches TLSA')
  return isVerified ? 'would be delivered, verified' : 'would be unchanged (no DANE)'
}

describe('policy = audit', () => {
  test('the same mail flow as without the plugin, and a correct forecast [R7672-9.1-a]', async (context) => {
    const without = await laboratory.startRelay('dane', { plugins: [] })
    const plain = await run('without', without)
    await without.stop()

    const audit = await laboratory.startRelay('dane', {}, 'policy = audit\n[audit]\nsummary = 1s\n')
    const audited = await run('audit', audit, true)

    await context.test(
      'nothing differs for the message or at the hosts compared with no plugin',
      () => {
        for (const { id } of rows) {
          const [one, other] = [plain.get(id), audited.get(id)]
          assert.ok(one && other)
          assert.equal(outcomeText(other.outcome), outcomeText(one.outcome), id)
          assert.deepEqual(other.sessions, one.sessions, id)
        }
      },
    )

    const unknown: Record<string, string[]> = { opportunistic: [], mandatory: [] }
    for (const policy of ['opportunistic', 'mandatory'] as const) {
      const relay = await laboratory.startRelay('dane', {}, `policy = ${policy}\n`)
      const enforced = await run(policy, relay)
      await context.test(`${policy} does what was forecast`, () => {
        const wrong = rows.flatMap(({ id }) => {
          const [before, then] = [audited.get(id), enforced.get(id)]
          const foretold = before && forecastOf(audit, before.id)
          assert.ok(foretold && then)
          const said = policy === 'opportunistic' ? foretold.opp : foretold.mandatory
          if (said.startsWith('unknown')) {
            unknown[policy]?.push(`${id}: ${said}`)
            return []
          }
          const did = happened(relay, then)
          return said === did ? [] : [`${id}: foretold ${said}, and it is: ${did}`]
        })
        assert.deepEqual(wrong, [])
      })
      await relay.stop()
    }

    await context.test('uncertainty is stated where it exists, and only there', () => {
      context.diagnostic(`${rows.length} destinations`)
      for (const [policy, lines] of Object.entries(unknown)) {
        for (const line of lines) context.diagnostic(`${policy}: ${line}`)
      }
      const ids = (policy: string): readonly (string | undefined)[] =>
        (unknown[policy] ?? []).map((line) => line.split(':')[0]).sort()
      // The first host accepted mail that DANE would have withheld, or showed more than DANE would have read.
      const taken = ['alias-expanded', 'beyond', 'mx-mismatch-then-good']
      // Without the plugin Haraka defers or bounces on the first reply, and contacts no second host.
      const stopped = [
        ...['ehlo-421', 'ehlo-502', 'greeting-421', 'greeting-554', 'greeting-garbage'],
        ...['no-starttls', 'starttls-454', 'starttls-554'],
        ...['starttls-inject-line', 'starttls-inject-partial'],
      ].map((misbehavior) => `mx-${misbehavior}-then-good`)
      const both = [...taken, ...stopped].sort()
      assert.deepEqual(ids('opportunistic'), both)
      assert.deepEqual(
        ids('mandatory'),
        [...both, 'mx-plain-then-good', 'mx-plain-then-good-strict'].sort(),
      )
    })
    await context.test(
      'the summary lists the domains that would fail, worst first, and totals',
      async () => {
        await until('summary', () => summaryOf(audit).some((line) => line.includes('beyond.')))
        const lines = summaryOf(audit)
        const all = lines.filter((line) => line.includes('messages, the last')).at(-1) ?? ''
        assert.match(
          all,
          /audit summary: \d+ messages, the last \d+ destinations; opportunistic would leave \d+ verified, .* 13 unknown; mandatory would leave .* 15 unknown; nothing enforced \(process \d+\)$/,
        )
        const mismatch = lines.filter((line) => line.includes('policy-audit.signed.example')).at(-1)
        assert.match(
          mismatch ?? '',
          /: 1 messages; opportunistic: would be deferred \(certificate-mismatch\) at mx-policy-audit\.signed\.example; mandatory: would be deferred/,
        )
      },
    )
    await audit.stop()
  })

  test('a resolver that never answers delays nothing, and the forecast reports the deferral', async () => {
    const silent = await startDnsServer(() => [])
    const daneIni = `policy = audit\n[resolver]\nserver[] = 127.0.0.1:${silent.port}\ntimeout = 2s\n`
    const relay = await laboratory.startRelay('dane', {}, daneIni)
    const id = await relay.submit('slow@policy-audit.signed.example')
    assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
    await until('forecast', () => forecastOf(relay, id) !== undefined)
    const lines = relay.log(id)
    const delivered = lines.findIndex((line) => line.includes('delivered file='))
    const forecast = lines.findIndex((line) => FORECAST.test(line))
    assert.ok(delivered < forecast, 'the mail was first')
    assert.equal(forecastOf(relay, id)?.opp, 'would be deferred (no-resolver)')
    await relay.stop()
    await silent.stop()
  })

  test('hosts that another plugin chose, for each value of routes', async () => {
    for (const [routes, wanted] of [
      ['dane', 'would be deferred (certificate-mismatch)'],
      ['defer', 'would be deferred (route-deferred)'],
      ['skip', 'would be unchanged (no DANE)'],
    ] as const) {
      const router = `exports.hook_get_mx = (next) => next(OK, { exchange: 'mx-policy-audit.signed.example', port: ${laboratory.smtpPort}, priority: 0 })`
      const relay = await laboratory.startRelay(
        'dane',
        { plugins: ['router', 'dane'], ownPlugins: { router } },
        `policy = audit\nroutes = ${routes}\n`,
      )
      const id = await relay.submit('routed@anything.example')
      assert.equal((await relay.outcomeOf(id)).kind, 'delivered', routes)
      await until('forecast', () => forecastOf(relay, id) !== undefined)
      assert.equal(forecastOf(relay, id)?.opp, wanted, routes)
      assert.equal(forecastOf(relay, id)?.mandatory, wanted, routes)
      await relay.stop()
    }
  })

  test('without TLS the forecast cannot tell what DANE would have seen', async () => {
    const relay = await laboratory.startRelay(
      'dane',
      { files: { 'tls.ini': '[outbound]\nno_tls_hosts[]=127.0.0.0/8\n' } },
      'policy = audit\n',
    )
    const id = await relay.submit('no-tls@policy-audit.signed.example')
    const outcome = await relay.outcomeOf(id)
    assert.equal(outcome.kind === 'delivered' && outcome.isEncrypted, false)
    await until('forecast', () => forecastOf(relay, id) !== undefined)
    assert.equal(
      forecastOf(relay, id)?.opp,
      'unknown (mx-policy-audit.signed.example: Haraka did not ask this host for TLS)',
    )
    await relay.stop()
  })

  for (const [signal, circumstance] of [
    ['SIGINT', 'ends by itself'],
    ['SIGTERM', 'is terminated'],
  ] as const) {
    for (const workers of [0, 1]) {
      test(`the summary is written once when Haraka with ${workers} workers ${circumstance}`, async () => {
        const relay = await laboratory.startRelay('dane', { workers }, 'policy = audit\n')
        const id = await relay.submit('end@policy-audit.signed.example')
        await until('forecast', () => forecastOf(relay, id) !== undefined)
        assert.deepEqual(summaryOf(relay), [])
        relay.child.signal(signal)
        await relay.child.exited
        assert.equal(summaryOf(relay).length, 2, relay.log().join('\n'))
        await relay.stop()
      })
    }
  }
})

function summaryOf(relay: Haraka): readonly string[] {
  return relay.log().filter((line) => line.includes('audit summary'))
}
