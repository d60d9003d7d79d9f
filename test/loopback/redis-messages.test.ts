/** What `check` and `cache` say about each fault of Redis: tried, came back, what to do. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '../../lab/free-port.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { redisFindings } from '../../src/cli/check/redis.js'
import { parseSettings } from '../../src/settings/settings.js'
import { runCommand } from '../support/command.js'

let folder: string
let tlsPort: number
let server: RedisServer
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=redis.example'],
    ],
    { stdio: 'ignore' },
  )
  tlsPort = await freePort()
  server = await startRedis(folder, {
    options: [
      ...['--databases', '2', '--tls-port', String(tlsPort), '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate],
    ],
  })
  await server.cli('acl', 'setuser', 'dane', 'on', '>right', '~dane:*', '+@all')
  await server.cli(
    'acl',
    'setuser',
    'reader',
    'on',
    '>right',
    '~dane:*',
    '+get',
    '+getrange',
    '+pttl',
  )
  await server.cli('acl', 'setuser', 'noscan', 'on', '>right', '~dane:*', '+@all', '-scan', '-info')
  await server.cli('acl', 'setuser', 'nokeys', 'on', '>right', '~other:*', '+@all')
  await server.cli('acl', 'setuser', 'default', 'resetpass', '>default-pw')
})
after(async () => {
  await server.child.stop()
  rmSync(folder, { recursive: true })
})

/** The findings about Redis but for its key, and what `cache show` and `cache purge` say. */
async function told(
  lines: readonly string[],
): Promise<{ findings: readonly string[]; show: string; purge: string }> {
  const text = ['[resolver]', 'server[] = 127.0.0.1:1', '[redis]', ...lines].join('\n')
  const findings = await redisFindings(parseSettings(text))
  const config = path.join(folder, 'config')
  mkdirSync(config, { recursive: true })
  writeFileSync(path.join(config, 'dane.ini'), text)
  const [show, purge] = await Promise.all(
    [
      ['show', 'example.org'],
      ['purge', '--all'],
    ].map((args) => runCommand(['cache', ...args, '--config', config])),
  )
  return {
    findings: findings
      .filter(({ text: each }) => !each.startsWith('key is'))
      .map(({ level, text: each, todo = '' }) => `${level}: ${each} | ${todo}`),
    show: `${show?.code} ${show?.stdout}${show?.stderr}`,
    purge: `${purge?.code} ${purge?.stdout}${purge?.stderr}`,
  }
}

const at = (port: number): string => `host = 127.0.0.1\nport = ${port}`
const as = (user: string): readonly string[] => [
  at(server.port),
  `username = ${user}`,
  'password = right',
]

const LOST: readonly (readonly [
  string,
  () => readonly string[] | Promise<readonly string[]>,
  RegExp,
  RegExp,
])[] = [
  [
    'nothing listens',
    async () => [at(await freePort())],
    /connect ECONNREFUSED/,
    /check that Redis runs/,
  ],
  ['no password', () => [at(server.port)], /NOAUTH/, /set password/],
  [
    'a wrong password',
    () => [at(server.port), 'username = dane', 'password = wrong'],
    /AUTH of user dane was refused: WRONGPASS/,
    /correct username and password/,
  ],
  [
    'a name that does not resolve',
    () => ['host = no-such-host.invalid'],
    /ENOTFOUND|EAI_AGAIN/,
    /does not resolve/,
  ],
  [
    'a missing database',
    () => [...as('dane'), 'db = 9'],
    /SELECT 9 was refused: ERR DB index/,
    /set db in \[redis\]/,
  ],
  ['TLS on a plain port', () => [...as('dane'), 'tls = yes'], /./, /has no TLS at this port/],
  [
    'no TLS on a TLS port',
    () => [at(tlsPort), 'username = dane', 'password = right'],
    /closed the connection|ECONNRESET|EPIPE/,
    /expects TLS/,
  ],
  [
    'a certificate of an unknown CA',
    () => [at(tlsPort), 'username = dane', 'password = right', 'tls = yes'],
    /self.signed/,
    /set ca_file/,
  ],
  [
    'a certificate for another name',
    () => [at(tlsPort), 'tls = yes', `ca_file = ${folder}/cert.pem`],
    /altname|does not match/i,
    /host to a name in its certificate/,
  ],
]

for (const [circumstance, lines, fault, todo] of LOST) {
  test(`${circumstance}: check, show and purge say what came back and what to do`, async () => {
    const { findings, show, purge } = await told(await lines())
    const [finding = ''] = findings
    assert.match(finding, /^problem: rediss?:/)
    assert.match(finding, fault)
    assert.match(finding.split(' | ')[1] ?? '', todo)
    for (const [action, text] of [
      ['show', show],
      ['purge', purge],
    ] as const) {
      assert.match(text, new RegExp(`^3 cache ${action} at rediss?://\\S+ failed: `))
      assert.match(text, fault)
      assert.match(text.split('what to do: ')[1] ?? '', todo)
      assert.doesNotMatch(text, /enableOfflineQueue|max retries/)
    }
    if (circumstance !== 'no password') assert.equal(findings.length, 1)
  })
}

test('all is well: written, read and purged, and nothing is left', async () => {
  const { findings } = await told(as('dane'))
  assert.deepEqual(findings, [
    `ok: redis://127.0.0.1:${server.port}/0 can be written, read and purged | `,
  ])
  const keys = await server.cli('-a', 'default-pw', '--no-auth-warning', 'keys', 'dane:2:check*')
  assert.equal(keys.trim(), '')
})

test('a user who may only read: each command that is refused, and what does not work', async () => {
  const { findings } = await told(as('reader'))
  assert.equal(findings.length, 4, findings.join('\n'))
  assert.match(
    findings[0] ?? '',
    /^problem: .*: SET with PX failed: NOPERM .*; answers are not shared/,
  )
  assert.match(findings.join('\n'), /^problem: .*: DEL failed: NOPERM/m)
  assert.match(findings.join('\n'), /^warning: .*: SCAN failed: NOPERM .*\| allow this user/m)
})

test('a user without the keys', async () => {
  const { findings } = await told(as('nokeys'))
  assert.match(findings[0] ?? '', /^problem: .*: SET with PX failed: NOPERM/)
})

test('a server without SCAN: a warning only', async () => {
  const { findings } = await told(as('noscan'))
  assert.equal(findings.length, 1, findings.join('\n'))
  assert.match(findings[0] ?? '', /^warning: .*: SCAN failed: NOPERM/)
})

test('a full Redis: check says so, and purge --all empties it or says what is left', async () => {
  const cli = (...args: readonly string[]): Promise<string> =>
    server.cli('-a', 'default-pw', '--no-auth-warning', ...args)
  try {
    await cli('set', 'dane:2:MX:old.example', 'x')
    await cli('config', 'set', 'maxmemory', '1')
    const { findings, purge } = await told(as('dane'))
    assert.match(
      findings[0] ?? '',
      /^problem: .*: SET with PX failed: OOM .*; answers are not shared, .* \| raise maxmemory/,
    )
    assert.match(
      purge,
      /^3 cache purge at \S+ failed: 1 entries removed, but the relays still use their own copies: OOM .*\nwhat to do: raise maxmemory/,
    )
    await cli('config', 'set', 'maxmemory', '0')
    // So full that only the removal of an entry makes room for the epoch.
    await cli('setrange', 'dane:2:MX:old.example', '4000000', 'x')
    const used = /used_memory:(\d+)/.exec(await cli('info', 'memory'))?.[1] ?? '0'
    await cli('config', 'set', 'maxmemory', String(Number(used) - 1_000_000))
    const again = await told(as('dane'))
    assert.match(again.purge, /^0 1 answers purged/)
  } finally {
    await cli('config', 'set', 'maxmemory', '0')
  }
})
