/**
 * `haraka-dane tlsrpt` with a store that has counts, in files and in Redis, next to a relay
 * that sends; and what `haraka-dane check` says of the set-up of reports.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Haraka } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { PLACE } from '../../lab/rows.js'
import { openReportStore } from '../../src/assemble-reports.js'
import type { RunningStore } from '../../src/assemble-reports.js'
import { parseSettings } from '../../src/settings/settings.js'
import type { Settings } from '../../src/settings/settings.js'
import { DAY_MS, endOf } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'
import { isPrivateAddress } from '../../src/tlsrpt/public-address.js'
import { checkReports } from '../support/report-check.js'
import { runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'
import { name } from '../support/names.js'
import { arrivedAt, HASTE, MovedClock, TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import { TLSRPT_RECORD } from '../support/report-relay.js'
import { detail, dkimPair } from '../support/report-samples.js'
import { assertReport } from '../support/report-schema.js'
import { startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const at = (label: string): string => `${label}.${PLACE.signed}`
const KINDS = ['files', 'redis'] as const
type Kind = (typeof KINDS)[number]

/** A TXT record longer than one string. */
const txt = (owner: string, text: string): string =>
  `${owner}. TXT ${(text.match(/.{1,250}/g) ?? []).map((part) => `"${part}"`).join(' ')}`
const dkim = (label: string, text: string): string =>
  txt(`tls1._domainkey.${label}.${PLACE.unsigned}`, text)

describe('TLS reports on the command line', { timeout: 300_000, concurrency: 4 }, () => {
  let relays: Relays
  let folder: string
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tlsrpt-command-'))
    relays = await startRelays({ good: {}, dead: { host: { misbehavior: 'rcpt-550' } } }, [
      ...KINDS.flatMap((kind) =>
        (['good', 'dead'] as const).map((label) => ({
          domain: at(`${label}-${kind}`),
          records: [
            `_smtp._tls.${at(`${label}-${kind}`)}. TXT "v=TLSRPTv1; rua=mailto:tls@${at(label)}"`,
          ],
        })),
      ),
      {
        domain: PLACE.unsigned,
        records: [
          dkim('right', TLSRPT_RECORD),
          dkim('other', dkimPair().record),
          dkim('email', TLSRPT_RECORD.replace('s=tlsrpt', 's=email')),
        ],
      },
    ])
  })
  after(async () => {
    await relays.laboratory.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** A relay one minute after midnight, when no report is due, and the counts of yesterday. */
  async function withCounts(
    kind: Kind,
    { redis, ini }: { readonly redis: Settings['redis']; readonly ini: string },
    work: (parts: {
      readonly relay: Haraka
      readonly day: UtcDay
      readonly run: (...args: readonly string[]) => Promise<Ran>
    }) => Promise<void>,
  ): Promise<void> {
    const clock = new MovedClock(await mkdtemp(path.join(folder, 'clock-')))
    const day = clock.today()
    clock.moveTo(endOf(day) + 60_000)
    const outbound = 'local_mx_ok=true\nconnect_timeout=5\n'
    await relays.withRelay(
      {
        clockFile: clock.file,
        files: { ...TLSRPT_FILES, 'outbound.ini': outbound },
        haste: HASTE,
      },
      async (relay) => {
        const store = openReportStore({ redis }, relay.folder, 3 * DAY_MS)
        await fill(store, day, kind)
        store.close()
        const env = {
          NODE_OPTIONS: `--require=${path.join(ROOT, 'lab/world.cjs')}`,
          LAB_CLOCK: clock.file,
        }
        const config = path.join(relay.folder, 'config')
        await work({
          relay,
          day,
          run: (...args) => runCommand(['tlsrpt', ...args, '--config', config], { env }),
        })
      },
      `${TLSRPT_INI}\n${ini}`,
    )
  }

  async function useCommands(
    kind: Kind,
    day: UtcDay,
    run: (...args: readonly string[]) => Promise<Ran>,
  ): Promise<void> {
    const good = at(`good-${kind}`)
    const [show, preview, log, otherDay] = await Promise.all([
      run('show', good),
      run('preview', good, day),
      run('log'),
      run('show', good, '2020-01-01'),
    ])
    assert.deepEqual(show.lines.slice(0, 5), [
      `${good} on ${day} (UTC): 7 sessions successful, 2 failed`,
      `  policy tlsa mx.${good}: 7 successful, 2 failed`,
      '    TLSA 3 1 1 abcd',
      `    2 certificate-expired at mx.${good} (198.51.100.7) from 192.0.2.1: certificate-expired`,
      `record: mailto:tls@${at('good')} (signed)`,
    ])
    assert.match(show.lines[5] ?? '', /^report: due at \d{4}-\d\d-\d\dT0[0-4]:/)
    assert.equal(show.code, 0, show.stderr)

    const report = assertReport(preview.stdout)
    assert.equal(report['report-id'], `${day.replaceAll('-', '')}.${good}@relay.example`)
    assert.equal(report.policies[0]?.summary['total-failure-session-count'], 2)
    assert.match(preview.stderr, /^record: mailto:/)
    assert.deepEqual(
      log.lines.map((line) => line.replace(/ at .*/, '')),
      ['dead', 'good', 'norecord'].map((label) => `${day} ${at(`${label}-${kind}`)}: report: due`),
    )

    assert.match(otherDay.stdout, new RegExp(`nothing was counted .* there are counts of ${day}`))
    assert.equal(otherDay.code, 1)
  }

  async function sendByCommand(
    kind: Kind,
    relay: Haraka,
    run: (...args: readonly string[]) => Promise<Ran>,
  ): Promise<void> {
    const [good, dead, none] = ['good', 'dead', 'norecord'].map((label) => at(`${label}-${kind}`))
    assert.ok(good !== undefined && dead !== undefined && none !== undefined)
    const sent = await run('send', good)
    assert.equal(sent.code, 0, sent.stdout + sent.stderr)
    assert.equal(sent.lines[0], 'report: done')
    assert.match(sent.lines[1] ?? '', new RegExp(`Z (queued|accepted) mailto:tls@${at('good')}`))
    const unwanted = await run('send', none)
    assert.deepEqual(unwanted.lines, ['report: none was sent'])
    await run('send', dead)

    await relay.logged('TLS report delivered')
    await relay.logged('TLS report refused')
    const { stdout } = await run('log')
    const label = (domain: string): string => `^\\S+ ${domain}: report: `
    for (const pattern of [
      `${label(good)}done\n  \\S+Z accepted mailto:tls@\\S+: mx-good\\S+: taken`,
      `${label(dead)}done\n  \\S+Z refused mailto:\\S+: .*left alone for 1 days`,
      `${label(none)}none was sent$`,
    ]) {
      assert.match(stdout, new RegExp(pattern, 'm'))
    }

    const again = await run('send', good)
    assert.equal(again.code, 0)
    assert.equal(again.lines[0], 'report: done')
    const arrived = await arrivedAt(relays.hostOf('good'))
    assert.equal(arrived.filter(({ domain }) => domain === good).length, 1)
  }

  test('[TLSRPT-77] show, preview, send and log with files', async () => {
    await withCounts('files', { redis: undefined, ini: '' }, async ({ relay, day, run }) => {
      await useCommands('files', day, run)
      await sendByCommand('files', relay, run)
    })
  })

  test('[TLSRPT-77] show, preview, send and log with Redis', async () => {
    const redis = await startRedis(folder)
    const ini = `[redis]\nenabled = yes\nport = ${redis.port}\nprefix = command:\n`
    try {
      const { redis: where } = parseSettings(ini)
      await withCounts('redis', { redis: where, ini }, async ({ relay, day, run }) => {
        await useCommands('redis', day, run)
        await sendByCommand('redis', relay, run)
        await redis.child.stop()
        const { code, stderr } = await run('show', at('good-redis'))
        assert.match(stderr, /^the counts of TLS reports cannot be read: /)
        assert.equal(code, 3)
      })
    } finally {
      await redis.child.stop()
    }
  })

  const from = (label: string): Readonly<Record<string, string>> => ({
    from: `tlsrpt@${label}.${PLACE.unsigned}`,
    contact: `postmaster@${label}.${PLACE.unsigned}`,
  })
  const misfit = (label: string, why: string): RegExp =>
    new RegExp(
      `^problem the DKIM record at tls1._domainkey.${label}.${PLACE.unsigned} does not fit .*: ${why}; receivers ignore .* -> publish this TXT record there: v=DKIM1; k=rsa; s=tlsrpt; p=MII`,
    )
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const hasPublic = !own.every(({ address }) => isPrivateAddress(address))

  for (const [what, changes, wanted] of [
    [
      'the record has the key, and the address is public',
      { ...from('right'), sending_ip: '1.1.1.1' },
      [
        /^ok the DKIM record at \S+ has the key of dane\.ini \(RSA, 2048 bits\)/,
        /^ok From, the DKIM signature and contact are of one domain/,
        /^ok the address that reports name is public: .*1\.1\.1\.1/,
      ],
    ],
    [
      'no record, a contact of another domain, a private address',
      { from: `tlsrpt@missing.${PLACE.unsigned}`, sending_ip: '10.0.0.1' },
      [
        misfit('missing', 'there is no DKIM record'),
        /^warning contact is of relay\.example, and From of missing\.unsigned\.example/,
        /^warning reports name an address that is not public: sending_ip \(10\.0\.0\.1\).* -> set /,
      ],
    ],
    [
      'another key, and the address of this machine',
      { ...from('other'), sending_ip: '' },
      [
        misfit('other', 'it has another key'),
        /^ok /,
        hasPublic ? /^ok the address/ : /^warning reports name an address that is not public: what/,
      ],
    ],
    [
      's= without tlsrpt',
      from('email'),
      [misfit('email', 'it does not allow reports: s= has neither tlsrpt nor \\*')],
    ],
    [
      'DNS does not answer',
      { from: `tlsrpt@a.${PLACE.expired}` },
      [/^unknown the DKIM record at \S+ could not be looked up: .* -> run check again/],
    ],
    [
      'no key in the config folder',
      { dkim_key: 'missing.pem' },
      [/^problem .*missing\.pem.* -> Haraka does not start without it/],
    ],
  ] as const) {
    test(`[TLSRPT-59 TLSRPT-71] check: ${what}`, async () => {
      const found = await checkReports(relays.laboratory, folder, changes)
      for (const [index, pattern] of wanted.entries()) assert.match(found[index] ?? '', pattern)
    })
  }
})

/** Sessions of a domain whose mailbox accepts, of one whose refuses, and of one without a record. */
async function fill(store: RunningStore, day: UtcDay, kind: Kind): Promise<void> {
  const expired = detail('certificate-expired', 2, {
    receivingMxHostname: `mx.${at(`good-${kind}`)}`,
    receivingIp: '198.51.100.7',
    sendingMtaIp: '192.0.2.1',
    reasonCode: 'certificate-expired',
  })
  const tallies = ['good', 'dead', 'norecord'].flatMap((label) => {
    const domain = name(at(`${label}-${kind}`))
    const policy = { kind: 'tlsa', domain: name(`mx.${domain}`), records: ['3 1 1 abcd'] } as const
    const { sessions, ...failure } = expired
    const successes = { day, domain, policy, detail: undefined, sessions: 7 }
    return label === 'good'
      ? [successes, { day, domain, policy, detail: failure, sessions }]
      : [successes]
  })
  await store.add(tallies)
}
