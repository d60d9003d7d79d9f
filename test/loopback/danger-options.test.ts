/**
 * What Haraka's own options could do to mail that DANE protects.
 *
 * Each danger is shown twice: what Haraka does without the plugin, and what it does with
 * it. The first shows that the danger is real.
 */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { HarakaOptions } from '../../lab/haraka.js'
import { PLACE } from '../../lab/rows.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { runCommand } from '../support/command.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const OUTBOUND = 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5'
const STOCK = { plugins: [] }
/** The garbage may arrive in the same segment as the 220 or after it. */
const GARBAGE = /^deferred: (TLS handshake failed|invalid SMTP reply before TLS)/
const MISMATCH = /^deferred: server certificate not trusted \(certificate-mismatch\)/

describe('options of Haraka', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      two: { hasIpv6Host: true },
      bad: { tlsa: 'wrong' },
      old: { host: { misbehavior: 'tls-1.1' } },
      garbage: { host: { misbehavior: 'starttls-garbage' } },
      open: { place: PLACE.unsigned, tlsa: 'none' },
      plain: { place: PLACE.unsigned, tlsa: 'none', host: { misbehavior: 'no-starttls' } },
    })
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`
  const isEncryptedAt = (label: string, recipient: string): readonly boolean[] =>
    relays
      .sessionsFor(label, recipient)
      .flatMap(({ recipients }) => recipients.map(({ isEncrypted }) => isEncrypted))

  describe('tls.ini [redis] disable_for_failed_hosts: listed hosts get mail in clear text', () => {
    let redis: RedisServer
    let options: Partial<HarakaOptions>
    before(async () => {
      redis = await startRedis(relays.laboratory.folder)
      options = {
        files: {
          'outbound.ini': OUTBOUND,
          'tls.ini': '[redis]\ndisable_for_failed_hosts=true',
          'redis.ini': `[server]\nhost=127.0.0.1\nport=${redis.port}`,
        },
      }
    })
    after(() => redis.child.stop())

    test('a host with DANE on the list is still verified', async () => {
      const { address } = relays.hostOf('good')
      await redis.cli('set', `no_tls|${address}`, 'yesterday')
      await relays.withRelay({ ...options, ...STOCK }, async (relay) => {
        assert.equal(await deliver(relay, to('good', 'listed-stock')), 'delivered in clear text')
      })
      await relays.withRelay(options, async (relay) => {
        assert.equal(await deliver(relay, to('good', 'listed')), 'delivered over TLS')
        assert.deepEqual(isEncryptedAt('good', to('good', 'listed')), [true])
      })
    })

    test('a host that fails DANE is not added to the list', async () => {
      const key = `no_tls|${relays.hostOf('garbage').address}`
      await relays.withRelay(options, async (relay) => {
        assert.match(await deliver(relay, to('garbage', 'unlisted')), GARBAGE)
        assert.match(await deliver(relay, to('bad', 'unlisted')), MISMATCH)
        assert.equal((await redis.cli('keys', 'no_tls|*')).includes(key), false)
        assert.equal(
          (await redis.cli('keys', 'no_tls|*')).includes(relays.hostOf('bad').address),
          false,
        )
      })
      await relays.withRelay({ ...options, ...STOCK }, async (relay) => {
        assert.match(await deliver(relay, to('garbage', 'listed-now')), /^deferred: Tried all MXs/)
        assert.match(await redis.cli('keys', 'no_tls|*'), new RegExp(key.replace('|', '\\|')))
      })
    })

    test('Redis is down when a handshake fails: the message is not stuck', async () => {
      const gone = await startRedis(relays.laboratory.folder)
      const files = {
        ...options.files,
        'redis.ini': `[server]\nhost=127.0.0.1\nport=${gone.port}`,
      }
      await relays.withRelay({ files, ...STOCK }, async (stock) => {
        await relays.withRelay({ files }, async (relay) => {
          // Haraka connects to Redis at the first message.
          for (const each of [relay, stock]) await deliver(each, to('open', 'first'))
          await gone.child.stop()
          assert.match(await deliver(relay, to('garbage', 'unstuck')), GARBAGE)
          const id = await stock.submit(to('garbage', 'stuck'))
          await assert.rejects(stock.outcomeOf(id, 4_000), /not within/)
        })
      })
    })
  })

  describe('smtp.ini ignore_bad_plugins: Haraka runs without a plugin that it cannot load', () => {
    for (const value of ['true', 'false']) {
      test(`ignore_bad_plugins=${value}, the name misspelt: mail is sent, and the check says so`, async () => {
        const smtpIni = `ignore_bad_plugins=${value}`
        await relays.withRelay({ plugins: ['dnae'], smtpIni }, async (relay) => {
          const sent = await deliver(relay, to('bad', `ignored-${value}`))
          assert.equal(sent, 'delivered over TLS')
          const config = path.join(relay.folder, 'config')
          const { code, stdout } = await runCommand(['check', '--config', config])
          assert.match(
            stdout,
            /^problem {2}plugins: dane is not listed: mail is sent without DANE$/m,
          )
          assert.equal(code, 1)
        })
      })
    }

    // Haraka also searches next to itself, where `npm run releases` installs the package.
    const skip = process.env['HARAKA_RELEASE'] !== undefined
    test(
      'ignore_bad_plugins=true, the package gone: mail is sent, and the check says so',
      { skip },
      async () => {
        const nodeModules = path.join(relays.laboratory.folder, 'no-modules')
        await mkdir(nodeModules)
        const more = { smtpIni: 'ignore_bad_plugins=true', nodeModules }
        await relays.withRelay(more, async (relay) => {
          assert.equal(await deliver(relay, to('bad', 'package-gone')), 'delivered over TLS')
          const config = path.join(relay.folder, 'config')
          const { stdout } = await runCommand(['check', '--config', config])
          assert.match(
            stdout,
            /^problem {2}plugins: dane is listed, but not installed: Haraka starts without it and sends mail without DANE/m,
          )
        })
      },
    )

    test('without it Haraka does not start', async () => {
      await relays.withRelay({ plugins: ['dnae'], mayFail: true }, async (relay) => {
        assert.equal(await relay.child.exited, 1)
      })
    })

    test('an invalid dane.ini still prevents the start', async () => {
      const more = { smtpIni: 'ignore_bad_plugins=true', mayFail: true }
      await relays.withRelay(
        more,
        async (relay) => {
          assert.equal(await relay.child.exited, 1)
        },
        'policy = nonsense\n',
      )
    })
  })

  test('tls.ini no_tls_hosts: a listed host with DANE is still verified', async () => {
    const files = {
      'outbound.ini': OUTBOUND,
      'tls.ini': `[outbound]\nno_tls_hosts[]=${relays.hostOf('good').address}\nno_tls_hosts[]=${relays.domainOf('good')}`,
    }
    await relays.withRelay({ files, ...STOCK }, async (relay) => {
      assert.equal(await deliver(relay, to('good', 'no-tls-stock')), 'delivered in clear text')
    })
    await relays.withRelay({ files }, async (relay) => {
      assert.equal(await deliver(relay, to('good', 'no-tls')), 'delivered over TLS')
      assert.deepEqual(isEncryptedAt('good', to('good', 'no-tls')), [true])
    })
  })

  test('outbound.ini enable_tls=false: hosts with DANE are not contacted', async () => {
    const files = { 'outbound.ini': `${OUTBOUND}\nenable_tls=false` }
    await relays.withRelay({ files, ...STOCK }, async (relay) => {
      assert.equal(await deliver(relay, to('good', 'off-stock')), 'delivered in clear text')
    })
    await relays.withRelay({ files }, async (relay) => {
      assert.match(
        await deliver(relay, to('good', 'off')),
        /^deferred: TLS is required, but disabled here/,
      )
      assert.deepEqual(isEncryptedAt('good', to('good', 'off')), [])
      assert.equal(await deliver(relay, to('open', 'off')), 'delivered in clear text')
    })
  })

  describe('tls.ini mutual_tls: its options override ours', () => {
    const files = async (more: string): Promise<Record<string, string>> => {
      const { cert, key } = await relays.certificate()
      return {
        'outbound.ini': OUTBOUND,
        'tls.ini': `mutual_tls=true\nminVersion=TLSv1\nciphers=ALL:@SECLEVEL=0\n${more}`,
        'tls_cert.pem': cert,
        'tls_key.pem': key,
      }
    }

    test('DANE still decides', async () => {
      await relays.withRelay({ files: await files('') }, async (relay) => {
        assert.equal(await deliver(relay, to('good', 'mutual')), 'delivered over TLS')
        assert.match(await deliver(relay, to('bad', 'mutual')), MISMATCH)
        assert.deepEqual(isEncryptedAt('bad', to('bad', 'mutual')), [])
        assert.match(await deliver(relay, to('old', 'mutual')), /^deferred: TLS handshake failed/)
        assert.deepEqual(isEncryptedAt('old', to('old', 'mutual')), [])
      })
    })

    test('with rejectUnauthorized, PKIX decides too: mail is deferred, and a warning is logged at start', async () => {
      const strict = await files('rejectUnauthorized=true')
      await relays.withRelay({ files: strict }, async (relay) => {
        await relay.logged('tls.ini has mutual_tls and rejectUnauthorized')
        assert.match(await deliver(relay, to('good', 'strict')), /^deferred: TLS handshake failed/)
        assert.deepEqual(isEncryptedAt('good', to('good', 'strict')), [])
      })
    })
  })

  test('todo.force_tls, which Haraka documents but does not apply', async () => {
    const forcing = {
      ownPlugins: {
        forcing:
          'exports.hook_send_email = (next, hmail) => { hmail.todo.force_tls = true; next() }',
      },
    }
    await relays.withRelay({ ...forcing, plugins: ['forcing'] }, async (relay) => {
      assert.equal(await deliver(relay, to('plain', 'forced-stock')), 'delivered in clear text')
    })
    await relays.withRelay({ ...forcing, plugins: ['forcing', 'dane'] }, async (relay) => {
      assert.match(await deliver(relay, to('plain', 'forced')), /^deferred: No TLS available/)
      assert.deepEqual(isEncryptedAt('plain', to('plain', 'forced')), [])
    })
  })

  test('tls.ini force_tls_hosts is obeyed where DANE does not apply', async () => {
    const files = {
      'outbound.ini': OUTBOUND,
      'tls.ini': `[outbound]\nforce_tls_hosts[]=${relays.domainOf('plain')}`,
    }
    await relays.withRelay({ files }, async (relay) => {
      assert.match(await deliver(relay, to('plain', 'listed')), /^deferred: No TLS available/)
      assert.equal(await deliver(relay, to('good', 'unlisted-force')), 'delivered over TLS')
    })
  })

  test('outbound.ini always_split: DANE applies to each recipient', async () => {
    const files = { 'outbound.ini': `${OUTBOUND}\nalways_split=true` }
    const good = ['one', 'two'].map((who) => to('good', `split-${who}`))
    const bad = ['one', 'two'].map((who) => to('bad', `split-${who}`))
    await relays.withRelay({ files }, async (relay) => {
      await relay.submit([...good, ...bad])
      await relay.logged('message deferred', 2)
      await relay.logged('delivered file=', 2)
    })
    for (const recipient of good) assert.deepEqual(isEncryptedAt('good', recipient), [true])
    for (const recipient of bad) assert.deepEqual(isEncryptedAt('bad', recipient), [])
  })

  test('notes.outbound_ip and outbound_helo reach the connection', async () => {
    await relays.withRelay(
      {
        plugins: ['noting', 'dane'],
        ownPlugins: {
          noting:
            "exports.hook_send_email = (next, hmail) => { Object.assign(hmail.todo.notes, { outbound_ip: '127.0.0.77', outbound_helo: 'other.relay.example' }); next() }",
        },
      },
      async (relay) => {
        assert.equal(await deliver(relay, to('good', 'bound')), 'delivered over TLS')
        const [session] = relays.sessionsFor('good', to('good', 'bound'))
        assert.equal(session?.from, '127.0.0.77')
        assert.equal(session.commands[0], 'EHLO other.relay.example')
      },
    )
  })

  const release = process.env['HARAKA_RELEASE']
  const isBeforeInetPrefer = release !== undefined && release < '3.1.2'
  const inetPrefer = { skip: isBeforeInetPrefer && 'an option of 3.1.2 and later' }
  test(
    'outbound.ini inet_prefer changes the order of hosts, and DANE applies to each',
    inetPrefer,
    async () => {
      const files = (prefer: string): Record<string, string> => ({
        'outbound.ini': `${OUTBOUND}\ninet_prefer=${prefer}`,
      })
      await relays.withRelay({ files: files('v6') }, async (relay) => {
        assert.equal(await deliver(relay, to('two', 'six')), 'delivered over TLS')
        await relay.logged('host=mx6-two')
      })
      await relays.withRelay({ files: files('v4') }, async (relay) => {
        assert.equal(await deliver(relay, to('two', 'four')), 'delivered over TLS')
        await relay.logged('host=mx-two')
      })
    },
  )

  test('outbound.ini local_mx_ok=false: local hosts are skipped, the message is deferred [R5321-5.1-g]', async () => {
    await relays.withRelay(
      { files: { 'outbound.ini': OUTBOUND.replace('local_mx_ok=true\n', '') } },
      async (relay) => {
        assert.match(await deliver(relay, to('good', 'local')), /^deferred: Tried all MXs/)
        assert.deepEqual(isEncryptedAt('good', to('good', 'local')), [])
      },
    )
  })
})
