/**
 * Sessions of a real Haraka become counts: each result as RFC 8460 §4.3 names it, with the
 * figures that the mail hosts saw, for domains that ask for reports and for no other.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { PLACE } from '../../lab/rows.js'
import { openReportStore } from '../../src/assemble-reports.js'
import { parseSettings } from '../../src/settings/settings.js'
import type { DayCounts } from '../../src/tlsrpt/counts.js'
import { utcDay } from '../../src/tlsrpt/day.js'
import { createFileStore } from '../../src/tlsrpt/file-store.js'
import { TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import { name } from '../support/names.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const LABELS = ['good', 'wrong', 'plain', 'open', 'silent'] as const
const at = (label: string): string => `${label}.${PLACE.signed}`

describe('counts of TLS reports', { timeout: 300_000 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays(
      {
        good: {},
        wrong: { tlsa: 'wrong' },
        plain: { host: { misbehavior: 'no-starttls' } },
        open: { tlsa: 'none' },
        silent: {},
      },
      LABELS.filter((label) => label !== 'silent').map((label) => ({
        domain: at(label),
        records: [`_smtp._tls.${at(label)}. TXT "v=TLSRPTv1; rua=mailto:tls@${at(label)}"`],
      })),
    )
  })
  after(() => relays.laboratory.stop())

  /** Failures by result type, and successes. */
  async function countsOf(relay: Haraka, label: string): Promise<Record<string, number>> {
    const found = await storeOf(relay).read({ day: utcDay(Date.now()), domain: name(at(label)) })
    return figures(found)
  }

  for (const policy of ['opportunistic', 'audit'] as const) {
    test(`${policy}: each session once, by policy and result`, async () => {
      await relays.withRelay(
        { files: TLSRPT_FILES },
        async (relay) => {
          for (const label of LABELS) await deliver(relay, `user@${at(label)}`)
          await deliver(relay, `user@${at('good')}`)
          await until('the counts', async () => {
            const { length } = await storeOf(relay).domains(utcDay(Date.now()))
            return length === 4 && (await countsOf(relay, 'good'))['tlsa success'] === 2
          })
          assert.deepEqual(await countsOf(relay, 'good'), { 'tlsa success': 2 })
          assert.deepEqual(await countsOf(relay, 'wrong'), { 'tlsa certificate-not-trusted': 1 })
          assert.deepEqual(await countsOf(relay, 'plain'), { 'tlsa starttls-not-supported': 1 })
          assert.deepEqual(await countsOf(relay, 'open'), { 'no-policy-found success': 1 })
          assert.deepEqual(await countsOf(relay, 'silent'), {})
          const wrong = await storeOf(relay).read({
            day: utcDay(Date.now()),
            domain: name(at('wrong')),
          })
          const detail = wrong?.policies[0]?.details[0]
          assert.equal(detail?.sendingMtaIp, '192.0.2.1', 'sending_ip of dane.ini')
          assert.match(detail.receivingIp ?? '', /^127\.0\.1\./)
          assert.equal(detail.reasonCode, 'certificate-mismatch')
        },
        `policy = ${policy}\n${TLSRPT_INI}\n`,
      )
    })
  }

  test('two relays with two workers each and Redis come to one sum, also after Redis was lost', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tlsrpt-counts-'))
    let redis = await startRedis(folder)
    const ini = `[redis]\nurl = redis://127.0.0.1:${redis.port}\n`
    const { redis: where } = parseSettings(ini)
    const store = openReportStore({ redis: where }, folder, 259_200_000)
    const wanted = (label: string, sum: number): Promise<void> =>
      until(`${sum} sessions of ${label}`, async () => {
        const key = { day: utcDay(Date.now()), domain: name(at(label)) }
        const found = await store.read(key).catch(() => undefined)
        return Object.values(figures(found)).reduce((all, each) => all + each, 0) === sum
      })
    const more = { files: TLSRPT_FILES, workers: 2 }
    try {
      await relays.withRelay(
        more,
        (one) =>
          relays.withRelay(
            more,
            async (other) => {
              for (let round = 1; round <= 3; round++) {
                const all = [one, other].flatMap((relay) =>
                  ['good', 'good', 'wrong', 'open'].map((label) =>
                    deliver(relay, `u@${at(label)}`),
                  ),
                )
                await Promise.all(all)
              }
              await wanted('good', 12)
              await wanted('wrong', 6)
              await wanted('open', 6)
              // The server of the laboratory keeps nothing: the relays write it again.
              await redis.child.stop()
              await deliver(one, `u@${at('good')}`)
              redis = await startRedis(folder, { port: redis.port })
              await wanted('good', 13)
              await wanted('wrong', 6)
              await wanted('open', 6)
            },
            `${TLSRPT_INI}\n${ini}`,
          ),
        `${TLSRPT_INI}\n${ini}`,
      )
    } finally {
      store.close()
      await redis.child.stop()
      await rm(folder, { recursive: true, force: true })
    }
  })
})

function storeOf(relay: Haraka) {
  const folder = path.join(relay.folder, 'tlsrpt')
  return createFileStore({ folder, writer: 'test', now: () => Date.now() })
}

function figures(counts: DayCounts | undefined): Record<string, number> {
  const all: Record<string, number> = {}
  for (const { policy, successful, details } of counts?.policies ?? []) {
    if (successful > 0) all[`${policy.kind} success`] = successful
    for (const { resultType, sessions } of details) {
      all[`${policy.kind} ${resultType}`] = (all[`${policy.kind} ${resultType}`] ?? 0) + sessions
    }
  }
  return all
}
