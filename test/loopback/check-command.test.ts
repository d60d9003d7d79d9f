/** `haraka-dane check` and `haraka-dane policy` on a good set-up and on each kind of bad one. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { PLACE } from '../../lab/rows.js'
import { COMMAND, runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'

const KEY = 'nobody-can-guess-this'

let laboratory: Laboratory
let redis: RedisServer
let plainPort: number
before(async () => {
  const started = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const all = await Promise.all([
      destination(port, authority, 'good'),
      destination(port, authority, 'late', { place: PLACE.expired }),
    ])
    return all.map(({ row }) => row)
  })
  laboratory = started.laboratory
  redis = await startRedis(laboratory.folder)
  plainPort = (await laboratory.names.startResolver({ isPlain: true })).port
})
after(async () => {
  await redis.child.stop()
  await laboratory.stop()
})

type Setup = {
  /** Files of the config folder; undefined takes one of the good ones out. */
  readonly files?: Readonly<Record<string, string | undefined>>
  /** Lines of [resolver] in the place of the good ones. */
  readonly resolver?: readonly string[]
  readonly redis?: readonly string[]
  readonly top?: string
  /** Plugins of the relay's own. */
  readonly own?: Readonly<Record<string, string>>
  /** A Haraka of this release in the place of the real one; 'none' for none. */
  readonly haraka?: string
}

/** The config folder of a relay that is set up well but for what is said. */
async function relay(setup: Setup = {}): Promise<string> {
  const home = await mkdtemp(path.join(laboratory.folder, 'relay-'))
  const config = path.join(home, 'config')
  const modules = path.join(home, 'node_modules')
  for (const folder of [config, modules, path.join(home, 'plugins')]) await mkdir(folder)
  const installed = path.join(ROOT, 'build/relay/node_modules/haraka-plugin-dane')
  await symlink(installed, path.join(modules, 'haraka-plugin-dane'))
  if (setup.haraka !== 'none') {
    const haraka = path.join(modules, 'haraka')
    if (setup.haraka === undefined) await symlink(path.join(ROOT, 'node_modules/haraka'), haraka)
    else {
      await mkdir(haraka)
      await writeFile(path.join(haraka, 'package.json'), `{ "version": "${setup.haraka}" }`)
    }
  }
  const good = [
    `server[] = 127.0.0.1:${laboratory.names.unboundPort}`,
    `probe_bogus = mx-late.${PLACE.expired}`,
  ]
  const store = [`url = redis://127.0.0.1:${redis.port}`, `key = ${KEY}`]
  const files: Readonly<Record<string, string | undefined>> = {
    'dane.ini': [
      setup.top ?? 'policy = opportunistic',
      '[domains]',
      'example.org = mandatory',
      '.example.net = none',
      '[resolver]',
      ...(setup.resolver ?? good),
      '[redis]',
      ...(setup.redis ?? store),
    ].join('\n'),
    plugins: '# what there is\nrelay\ndane\n',
    'outbound.ini': 'temp_fail_intervals=1m,1h*23,6h*12\n',
    ...setup.files,
  }
  for (const [name, text] of Object.entries(files)) {
    if (text !== undefined) await writeFile(path.join(config, name), text)
  }
  for (const [name, code] of Object.entries(setup.own ?? {})) {
    await writeFile(path.join(home, 'plugins', `${name}.js`), code)
  }
  return config
}

const LONE_PATH = { PATH: path.dirname(process.execPath) }

async function check(setup: Setup = {}): Promise<Ran> {
  return runCommand(['check', '--config', await relay(setup)])
}

test('a good set-up: every line ok, 0', async () => {
  const { code, lines, stdout } = await check()
  assert.equal(code, 0, stdout)
  assert.ok(
    lines.every((line) => line.startsWith('ok       ')),
    stdout,
  )
  const port = laboratory.names.unboundPort
  for (const wanted of [
    'dane.ini: understood: policy opportunistic, 2 domains of their own',
    `resolver: 127.0.0.1:${port} is on this machine`,
    `resolver: 127.0.0.1:${port} answers and validates`,
    `resolver: probe_bogus is set (mx-late.${PLACE.expired})`,
    `redis: redis://127.0.0.1:${redis.port}/0 answers`,
    'redis: key is set: entries without it are not believed',
    'outbound.ini: TLS is not switched off',
    'outbound.ini: mail that DANE holds back is tried for 4 days (temp_fail_intervals=1m,1h*23,6h*12)',
    'plugins: dane is listed and installed',
  ]) {
    assert.ok(lines.includes(`ok       ${wanted}`), `${wanted}\n${stdout}`)
  }
  assert.match(stdout, /^ok {7}clock: \S+ \S+; the signature of \. is valid by it \(/m)
  assert.match(stdout, /^ok {7}plugins: relay may answer get_mx: .*\(routes = dane\)$/m)
  assert.match(stdout, /^ok {7}haraka: 3\.\d+\.\d+ in /m)
})

const cases: readonly (readonly [
  circumstance: string,
  setup: () => Setup | Promise<Setup>,
  code: number,
  wanted: RegExp,
])[] = [
  [
    'dane.ini with an option that does not exist',
    () => ({ top: 'polcy = mandatory' }),
    1,
    /^problem {2}dane\.ini: dane\.ini line 1: polcy = mandatory: expected an option that exists$/m,
  ],
  [
    'every policy is none',
    () => ({ top: 'policy = none', files: { 'dane.ini': goodResolver('policy = none') } }),
    0,
    /^warning {2}dane\.ini: nothing is done: every policy is none$/m,
  ],
  [
    'audit alone',
    () => ({ files: { 'dane.ini': goodResolver('policy = audit') } }),
    0,
    /^warning {2}dane\.ini: nothing is enforced: DANE is only watched \(audit\)$/m,
  ],
  [
    'a resolver that does not validate',
    () => ({ resolver: [`server[] = 127.0.0.1:${plainPort}`] }),
    1,
    /^problem {2}resolver: 127\.0\.0\.1:\d+ does not validate \(no AD bit on the answer for \.\) .*all mail waits$/m,
  ],
  [
    'a resolver that is not there',
    async () => ({ resolver: [`server[] = 127.0.0.1:${await freePort()}`] }),
    1,
    /^problem {2}resolver: 127\.0\.0\.1:\d+ fails \(network, .*all mail waits$/m,
  ],
  [
    'a resolver that is not there beside one that validates',
    async () => ({
      resolver: [
        `server[] = 127.0.0.1:${await freePort()}`,
        `server[] = 127.0.0.1:${laboratory.names.unboundPort}`,
      ],
    }),
    0,
    /^warning {2}resolver: 127\.0\.0\.1:\d+ fails .*the others are used$/m,
  ],
  [
    'a resolver over a network that is taken on trust',
    () => ({
      resolver: [
        `server[] = 127.0.0.1:${laboratory.names.unboundPort}`,
        'server[] = 192.0.2.1',
        'trust = yes',
        'timeout = 300ms',
      ],
    }),
    0,
    /^warning {2}resolver: 192\.0\.2\.1:53 is trusted over a network without TLS/m,
  ],
  [
    'probe_bogus not set',
    () => ({ resolver: [`server[] = 127.0.0.1:${laboratory.names.unboundPort}`] }),
    0,
    /^warning {2}resolver: probe_bogus is not set/m,
  ],
  [
    'probe_bogus that is not broken',
    () => ({
      resolver: [
        `server[] = 127.0.0.1:${laboratory.names.unboundPort}`,
        `probe_bogus = mx-good.${PLACE.signed}`,
      ],
    }),
    1,
    /^problem {2}resolver: \S+ does not validate \(an answer for mx-good\.signed\.example, which must fail\)/m,
  ],
  [
    'authorities that are not there',
    () => ({
      resolver: ['server[] = tls://127.0.0.1:1#dns.example', 'ca_file = /nowhere/ca.pem'],
    }),
    1,
    /^problem {2}resolver: \[resolver\] ca_file = \/nowhere\/ca\.pem: ENOENT/m,
  ],
  [
    'a Redis that is not there',
    async () => ({ redis: [`url = redis://127.0.0.1:${await freePort()}`, `key = ${KEY}`] }),
    1,
    /^problem {2}redis: redis:\/\/127\.0\.0\.1:\d+\/0: no connection; mail goes on/m,
  ],
  [
    'a Redis without a key',
    () => ({ redis: [`url = redis://127.0.0.1:${redis.port}`] }),
    0,
    /^warning {2}redis: key is not set: whoever can write to this Redis can switch DANE off$/m,
  ],
  [
    'no Redis',
    () => ({ redis: ['enabled = no'] }),
    0,
    /^ok {7}redis: not used: each worker remembers for itself$/m,
  ],
  [
    'outbound without TLS',
    () => ({ files: { 'outbound.ini': 'enable_tls=false\n' } }),
    1,
    /^problem {2}outbound\.ini: enable_tls=false: mail to hosts with DANE waits and then bounces$/m,
  ],
  [
    'outbound with nothing in it',
    () => ({ files: { 'outbound.ini': undefined } }),
    0,
    /^ok {7}outbound\.ini: mail that DANE holds back is tried for 3 days \(Haraka's default\)$/m,
  ],
  [
    'retries that end soon',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals = 5m, 10m*3\n' } }),
    0,
    /^warning {2}outbound\.ini: .*tried for 35 minutes \(temp_fail_intervals=5m, 10m\*3\), then it bounces$/m,
  ],
  [
    'no retries',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals=none\n' } }),
    1,
    /^problem {2}outbound\.ini: temp_fail_intervals=none: mail that DANE holds back bounces at once$/m,
  ],
  [
    'retries that Haraka does not understand',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals=often\n' } }),
    1,
    /^problem {2}outbound\.ini: temp_fail_intervals=often is not understood/m,
  ],
  [
    'hosts without TLS',
    () => ({ files: { 'tls.ini': '[outbound]\nno_tls_hosts[]=mx.example\n' } }),
    0,
    /^warning {2}tls\.ini: no_tls_hosts\[\] of \[outbound\] has 1 hosts/m,
  ],
  [
    'dane not listed',
    () => ({ files: { plugins: '# dane\nrelay\n' } }),
    1,
    /^problem {2}plugins: dane is not listed: mail is sent without DANE$/m,
  ],
  [
    'hosts that another plugin chooses, by routes = skip',
    () => ({ top: 'routes = skip' }),
    0,
    /^warning {2}plugins: relay may answer get_mx: .*sent without DANE \(routes = skip\)$/m,
  ],
  [
    "a plugin of the relay's own that answers get_mx",
    () => ({
      files: { plugins: 'dane\nmine' },
      own: { mine: 'exports.hook_get_mx = (next) => next()' },
      top: 'routes = defer',
    }),
    0,
    /^warning {2}plugins: mine may answer get_mx: .*\(routes = defer\)$/m,
  ],
  [
    'plugins before this one that answer both hooks',
    () => ({
      files: { plugins: 'mine\ndane' },
      own: { mine: "exports.hook_get_mx = 1; this.register_hook('send_email', 'x')" },
    }),
    0,
    /^warning {2}plugins: mine may answer send_email before this plugin/m,
  ],
  [
    'the karma that overrules',
    () => ({ files: { plugins: 'karma\ndane' } }),
    0,
    /^ok {7}plugins: karma may overrule what a hook refuses; mail that DANE holds back is held all the same$/m,
  ],
  [
    'a forwarder of incoming mail alone',
    () => ({ files: { plugins: 'dane\nqueue/smtp_forward' } }),
    0,
    /^ok {7}plugins: queue\/smtp_forward leaves outgoing mail to Haraka's outbound$/m,
  ],
  [
    'a forwarder that bypasses outbound',
    () => ({
      files: {
        plugins: 'dane\nqueue/smtp_forward',
        'smtp_forward.ini': 'host=relay\n[example.org]\nenable_outbound=true\n',
      },
    }),
    0,
    /^warning {2}plugins: queue\/smtp_forward takes outgoing mail in the queue phase/m,
  ],
  [
    'a proxy that bypasses outbound unless told otherwise',
    () => ({ files: { plugins: 'dane\nqueue/smtp_proxy' } }),
    0,
    /^warning {2}plugins: queue\/smtp_proxy takes outgoing mail in the queue phase/m,
  ],
  [
    'a plugin that is nowhere',
    () => ({ files: { plugins: 'dane\n../../etc/passwd' } }),
    3,
    /^unknown {2}plugins: no file was found of \.\.\/\.\.\/etc\/passwd/m,
  ],
  [
    'Haraka 3.1.5',
    () => ({ haraka: '3.1.5', files: { plugins: 'dane' } }),
    0,
    /^warning {2}haraka: Haraka 3\.1\.5 ends when a mail host breaks off a TLS handshake/m,
  ],
  [
    'Haraka 3.0.3',
    () => ({ haraka: '3.0.3', files: { plugins: 'dane' } }),
    1,
    /^problem {2}haraka: 3\.0\.3 in .*: the plugin does not start with it$/m,
  ],
]

function goodResolver(policy: string): string {
  return `${policy}\n[resolver]\nserver[] = 127.0.0.1:${laboratory.names.unboundPort}\n`
}

for (const [circumstance, setup, wantedCode, wanted] of cases) {
  test(`${circumstance}: ${wantedCode}`, async () => {
    const { code, stdout } = await check(await setup())
    assert.match(stdout, wanted)
    assert.equal(code, wantedCode, stdout)
    // Whatever does not stand well comes with what to do.
    const lines = stdout.trimEnd().split('\n')
    for (const [index, line] of lines.entries()) {
      if (/^(warning|problem|unknown)/.test(line))
        assert.match(lines[index + 1] ?? '', /^ {9}do: ./)
    }
  })
}

test('a file that cannot be read: what is in it is not known, 3', async () => {
  const config = await relay({ files: { 'outbound.ini': undefined } })
  await mkdir(path.join(config, 'outbound.ini'))
  const { code, stdout } = await runCommand(['check', '--config', config])
  assert.match(stdout, /^unknown {2}outbound\.ini: outbound\.ini cannot be read: EISDIR/m)
  assert.equal(code, 3)
})

test('no dane.ini: the defaults are looked at, as Haraka takes them', async () => {
  const config = await relay({ files: { 'dane.ini': undefined } })
  const { stdout } = await runCommand(['check', '--config', config])
  assert.match(stdout, /^ok {7}dane\.ini: not there, so the defaults hold: policy opportunistic/m)
  assert.match(stdout, /^ok {7}resolver: 127\.0\.0\.1:53 is on this machine$/m)
})

test('no Haraka anywhere: said, and no failure', async () => {
  const config = await relay({ haraka: 'none', files: { plugins: 'dane' } })
  const { code, stdout } = await runCommand(['check', '--config', config], { env: LONE_PATH })
  assert.match(stdout, /^warning {2}haraka: not found beside the config folder/m)
  assert.equal(code, 0, stdout)
})

test('a Haraka that is only in PATH is found', async () => {
  const config = await relay({ haraka: 'none' })
  const PATH = `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
  const { code, stdout } = await runCommand(['check', '--config', config], { env: { PATH } })
  assert.match(stdout, /^ok {7}haraka: 3\.\d+\.\d+ in \S+node_modules\/haraka$/m)
  assert.equal(code, 0, stdout)
})

test('a clock that is two months ahead: 1', async () => {
  const args = ['-f', '+60d', COMMAND, 'check', '--config', await relay()]
  const { code, stdout } = await runCommand(args, { program: 'faketime' })
  assert.match(
    stdout,
    /^problem {2}clock: \S+ \S+ is \d+ days after the time for which \. is signed/m,
  )
  assert.equal(code, 1)
})

test('policy: the line that says so, of the name, of a suffix, of the default, or none', async () => {
  const config = await relay()
  const file = path.join(config, 'dane.ini')
  const domains = ['Example.ORG', 'mx.example.net', 'example.com']
  const { code, lines } = await runCommand(['policy', '--config', config, ...domains])
  assert.equal(code, 0)
  assert.deepEqual(
    lines.filter((_, index) => index % 2 === 0),
    [
      `example.org: mandatory, by ${file} line 3 (example.org = mandatory)`,
      `mx.example.net: none, by ${file} line 4 (.example.net = none)`,
      `example.com: opportunistic, by ${file} line 1 (policy = opportunistic)`,
    ],
  )
  const bare = await relay({ files: { 'dane.ini': undefined } })
  const { stdout } = await runCommand(['policy', '--config', bare, 'example.org'])
  const nowhere = `the default, since ${path.join(bare, 'dane.ini')} says nothing`
  assert.equal(stdout.split('\n')[0], `example.org: opportunistic, by ${nowhere}`)
})
