/** `haraka-dane check` and `haraka-dane policy` on a good set-up and on each kind of bad one. */
import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '../../lab/free-port.js'
import { startDestinations } from '../../lab/destination.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { PLACE } from '../../lab/rows.js'
import { COMMAND, runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'

const KEY = 'nobody-can-guess-this'
const INSTALLED = path.join(ROOT, 'build/relay/node_modules/haraka-plugin-dane')
const PACKAGE = { name: 'haraka-plugin-dane', version: '9.9.9', main: 'dist/plugins/dane.js' }
/** smtp.ini with a value of ignore_bad_plugins. */
const ignoring = (value: string): Readonly<Record<string, string>> => ({
  'smtp.ini': `ignore_bad_plugins${value}\n`,
})
const WITHOUT = 'Haraka starts without it and sends mail without DANE'
const STOPS = 'Haraka does not start'

let laboratory: Laboratory
let redis: RedisServer
let plainPort: number
before(async () => {
  laboratory = await startDestinations({ good: {}, late: { place: PLACE.expired } })
  redis = await startRedis(laboratory.folder)
  plainPort = (await laboratory.names.startResolver({ isPlain: true })).port
})
after(async () => {
  await redis.child.stop()
  await laboratory.stop()
})

type Setup = {
  /** Files of the config folder; undefined removes one of the good ones. */
  readonly files?: Readonly<Record<string, string | undefined>>
  /** Lines of [resolver] instead of the good ones. */
  readonly resolver?: readonly string[]
  readonly redis?: readonly string[]
  readonly top?: string
  /** The relay's own plugins. */
  readonly own?: Readonly<Record<string, string>>
  /** What is installed as haraka-plugin-dane instead of the package: files by name; 'none' for nothing. */
  readonly installed?: Readonly<Record<string, string>> | 'none'
  /** More files in the relay's folder, by name. */
  readonly around?: Readonly<Record<string, string>>
  /** The version of a fake Haraka instead of the real one; 'none' for none. */
  readonly haraka?: string
}

/** The config folder of a relay with a good set-up, except for the given changes. */
async function relay(setup: Setup = {}): Promise<string> {
  const home = await mkdtemp(path.join(laboratory.folder, 'relay-'))
  const config = path.join(home, 'config')
  const modules = path.join(home, 'node_modules')
  for (const folder of [config, modules, path.join(home, 'plugins')]) await mkdir(folder)
  if (setup.installed === undefined) {
    await symlink(INSTALLED, path.join(modules, 'haraka-plugin-dane'))
  }
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
      // The laboratory's resolvers need no privileges to listen.
      ...(setup.resolver?.some((line) => line.startsWith('trust')) ? [] : ['trust = yes']),
      '[redis]',
      ...(setup.redis ?? store),
    ].join('\n'),
    plugins: '# what there is\nrelay\ndane\n',
    'outbound.ini': 'temp_fail_intervals=1m,1h*23,6h*12\n',
    'smtp.ini': 'listen=127.0.0.1:25\n;ignore_bad_plugins=1\n',
    ...setup.files,
  }
  for (const [name, text] of Object.entries(files)) {
    if (text !== undefined) await writeFile(path.join(config, name), text)
  }
  for (const [name, code] of Object.entries(setup.own ?? {})) {
    await writeFile(path.join(home, 'plugins', `${name}.js`), code)
  }
  const more = {
    ...Object.fromEntries(
      Object.entries(setup.installed === 'none' ? {} : (setup.installed ?? {})).map(
        ([name, text]) => [`node_modules/haraka-plugin-dane/${name}`, text],
      ),
    ),
    ...setup.around,
  }
  for (const [name, text] of Object.entries(more)) {
    await mkdir(path.dirname(path.join(home, name)), { recursive: true })
    await writeFile(path.join(home, name), text)
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
  const port = laboratory.names.unboundPort
  // Except for a port below 1024, which the laboratory cannot use without privileges.
  const unprivileged = lines.findIndex((line) =>
    line.startsWith(
      `warning  resolver: 127.0.0.1:${port} is trusted at an unprivileged port (trust = yes)`,
    ),
  )
  assert.notEqual(unprivileged, -1, stdout)
  assert.match(lines[unprivileged + 1] ?? '', /^ {9}do: have the resolver listen on port 53/)
  assert.ok(
    lines.toSpliced(unprivileged, 2).every((line) => line.startsWith('ok       ')),
    stdout,
  )
  for (const wanted of [
    'dane.ini: valid: policy opportunistic, 2 per-domain policies',
    `resolver: 127.0.0.1:${port} answers and validates`,
    `resolver: probe_bogus is set (mx-late.${PLACE.expired})`,
    `redis: redis://127.0.0.1:${redis.port}/0 can be written, read and purged`,
    'redis: key is set: entries that it does not authenticate are ignored',
    'outbound.ini: TLS is enabled',
    'outbound.ini: mail that DANE defers is retried for 4 days (temp_fail_intervals=1m,1h*23,6h*12)',
    'plugins: dane is listed and installed',
  ]) {
    assert.ok(lines.includes(`ok       ${wanted}`), `${wanted}\n${stdout}`)
  }
  assert.match(stdout, /^ok {7}clock: \S+ \S+; the signature of \. is valid at this time \(/m)
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
    /^problem {2}dane\.ini: dane\.ini line 1: unknown option polcy$/m,
  ],
  [
    'a line that was appended to dane.ini, and so is in its last section',
    () => ({ redis: [`url = redis://127.0.0.1:${redis.port}`, 'policy = none'] }),
    1,
    /^problem {2}dane\.ini: dane\.ini line \d+: unknown option \[redis\] policy: policy belongs at the top, before the first \[section\]; a line belongs to the \[section\] above it$/m,
  ],
  [
    'the same where the last section is [domains]: not a rule for a domain of that name',
    () => ({ files: { 'dane.ini': '[domains]\nexample.org = mandatory\npolicy = none\n' } }),
    1,
    /^problem {2}dane\.ini: dane\.ini line 3: unknown option \[domains\] policy: policy belongs at the top/m,
  ],
  [
    'an empty dane.ini, which no running Haraka would take',
    () => ({ files: { 'dane.ini': '\n' } }),
    1,
    /^problem {2}dane\.ini: empty: a running Haraka keeps its previous settings, and one that starts has the defaults/m,
  ],
  [
    'ciphers that OpenSSL does not have',
    () => ({ files: { 'tls.ini': '[outbound]\nciphers=NO-SUCH-CIPHER\n' } }),
    1,
    /^problem {2}tls\.ini: no TLS handshake is possible with ciphers \(.*no cipher match.*mail to hosts with DANE waits/m,
  ],
  [
    'a port that mail hosts do not have',
    () => ({ top: 'port = 587' }),
    0,
    /^warning {2}dane\.ini: port = 587: mail hosts accept mail from other servers on port 25/m,
  ],
  [
    'metrics without a server',
    () => ({ redis: ['enabled = no', '[metrics]', 'enabled = yes'] }),
    0,
    /^warning {2}metrics: counted, but not served: http\.ini has no listen=$/m,
  ],
  [
    'metrics without express',
    () => ({
      redis: ['enabled = no', '[metrics]', 'enabled = yes'],
      files: { 'http.ini': 'listen=127.0.0.1:8080\n', plugins: 'dane' },
      haraka: '3.3.4',
    }),
    0,
    /^warning {2}metrics: counted, but not served: Haraka finds no express$/m,
  ],
  [
    'PKIX demanded of every host',
    () => ({ files: { 'tls.ini': 'mutual_tls=true\nrejectUnauthorized=true\n' } }),
    0,
    /^warning {2}tls\.ini: mutual_tls and rejectUnauthorized: Haraka then requires/m,
  ],
  [
    'a user that can read the settings',
    () => ({ files: { 'smtp.ini': 'listen=127.0.0.1:25\nuser=root\n' } }),
    0,
    /^ok {7}permissions: user root of smtp\.ini can read dane\.ini$/m,
  ],
  [
    'a user that does not exist',
    () => ({ files: { 'smtp.ini': 'listen=127.0.0.1:25\nuser=no-such-user\n' } }),
    3,
    /^unknown {2}permissions: user=no-such-user of smtp\.ini is not in/m,
  ],
  [
    'every policy is none',
    () => ({ top: 'policy = none', files: { 'dane.ini': goodResolver('policy = none') } }),
    0,
    /^warning {2}dane\.ini: DANE is off: every policy is none$/m,
  ],
  [
    'audit alone',
    () => ({ files: { 'dane.ini': goodResolver('policy = audit') } }),
    0,
    /^warning {2}dane\.ini: nothing is enforced: the policy is audit$/m,
  ],
  [
    'a resolver that does not validate',
    () => ({ resolver: ['validation = resolver', `server[] = 127.0.0.1:${plainPort}`] }),
    1,
    /^problem {2}resolver: 127\.0\.0\.1:\d+ does not validate \(no AD bit on the answer for \.\) .*all mail waits$/m,
  ],
  [
    'a resolver that does not validate, and a root that the trust anchors do not know',
    () => ({ resolver: [`server[] = 127.0.0.1:${plainPort}`] }),
    1,
    /^problem {2}resolver: \S+ is not used: anchors, no DNSKEY of \. matches a trust anchor \(its AD bit is not believed: no AD bit on the answer for \.\).*all mail waits$/m,
  ],
  [
    'a resolver that does not validate: DNSSEC is validated here',
    () => ({
      resolver: [
        `server[] = 127.0.0.1:${plainPort}`,
        `trust_anchors = ${laboratory.names.trustAnchorFile}`,
      ],
    }),
    0,
    /^ok {7}resolver: \S+ passes DNSSEC data on.*\n[^]*^ok {7}validation: validation = auto: DNSSEC is validated here$/m,
  ],
  [
    'trust anchors that cannot be read',
    () => ({ resolver: ['trust_anchors = /nowhere/root.ds'] }),
    1,
    /^problem {2}resolver: \[resolver\] trust_anchors = \/nowhere\/root\.ds: ENOENT/m,
  ],
  [
    'a resolver that does not answer',
    async () => ({ resolver: [`server[] = 127.0.0.1:${await freePort()}`] }),
    1,
    /^problem {2}resolver: 127\.0\.0\.1:\d+ fails \(network, .*all mail waits$/m,
  ],
  [
    'a resolver that does not answer beside one that validates',
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
    'a resolver that any local user can replace, without trust',
    () => ({
      resolver: ['trust = no', 'validation = resolver', 'server[] = 127.0.0.1:5353'],
    }),
    1,
    /^problem {2}dane\.ini: dane\.ini line \d+: \[resolver\] server\[\] = 127\.0\.0\.1:5353: expected an IP address of this machine with a port below 1024.*trust = yes$/m,
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
        'validation = resolver',
      ],
    }),
    1,
    /^problem {2}resolver: \S+ does not validate \(an answer for mx-good\.signed\.example, which must fail\)/m,
  ],
  [
    'a missing CA file',
    () => ({
      resolver: ['server[] = tls://127.0.0.1:1#dns.example', 'ca_file = /nowhere/ca.pem'],
    }),
    1,
    /^problem {2}resolver: \[resolver\] ca_file = \/nowhere\/ca\.pem: ENOENT/m,
  ],
  [
    'a Redis that is down',
    async () => ({ redis: [`url = redis://127.0.0.1:${await freePort()}`, `key = ${KEY}`] }),
    1,
    /^problem {2}redis: redis:\/\/127\.0\.0\.1:\d+\/0: no connection: connect ECONNREFUSED 127\.0\.0\.1:\d+; mail is still delivered/m,
  ],
  [
    'a Redis without a secret',
    () => ({ redis: [`url = redis://127.0.0.1:${redis.port}`] }),
    0,
    /^warning {2}redis: key is not set: anyone who can write to this Redis can disable DANE$/m,
  ],
  [
    'no Redis',
    () => ({ redis: ['enabled = no'] }),
    0,
    /^ok {7}redis: not used: each worker has a cache of its own$/m,
  ],
  [
    'outbound without TLS',
    () => ({ files: { 'outbound.ini': 'enable_tls=false\n' } }),
    1,
    /^problem {2}outbound\.ini: enable_tls=false: mail to hosts with DANE waits and then bounces$/m,
  ],
  [
    'an empty outbound.ini',
    () => ({ files: { 'outbound.ini': undefined } }),
    0,
    /^ok {7}outbound\.ini: mail that DANE defers is retried for 3 days \(Haraka's default\)$/m,
  ],
  [
    'retries that end early',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals = 5m, 10m*3\n' } }),
    0,
    /^warning {2}outbound\.ini: .*tried for 35 minutes \(temp_fail_intervals=5m, 10m\*3\), then it bounces$/m,
  ],
  [
    'no retries',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals=none\n' } }),
    1,
    /^problem {2}outbound\.ini: temp_fail_intervals=none: mail that DANE defers bounces at once$/m,
  ],
  [
    'retries that Haraka does not understand',
    () => ({ files: { 'outbound.ini': 'temp_fail_intervals=often\n' } }),
    1,
    /^problem {2}outbound\.ini: temp_fail_intervals=often is invalid/m,
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
    'dane not listed, with a line that may be meant for it',
    () => ({ files: { plugins: 'relay\n#dane\nDane\n' } }),
    1,
    /^problem {2}plugins: dane is not listed: mail is sent without DANE\n {9}do: put dane alone on a line of config\/plugins: line 2 has "#dane", line 3 has "Dane"$/m,
  ],
  [
    'dane listed with a trailing comment',
    () => ({ files: { plugins: 'dane # DANE\n' } }),
    1,
    /^problem {2}plugins: dane is not listed.*\n.*line 1 has "dane # DANE"$/m,
  ],
  [
    'no list of plugins',
    () => ({ files: { plugins: undefined } }),
    1,
    /^problem {2}plugins: dane is not listed: mail is sent without DANE$/m,
  ],
  [
    'listed, not installed',
    () => ({ installed: 'none' }),
    1,
    new RegExp(`^problem {2}plugins: dane is listed, but not installed: ${STOPS}$`, 'm'),
  ],
  [
    'listed, not installed, with ignore_bad_plugins',
    () => ({ installed: 'none', files: ignoring('=true') }),
    1,
    new RegExp(
      `^problem {2}plugins: dane is listed, but not installed: ${WITHOUT} \\(ignore_bad_plugins=true\\)$`,
      'm',
    ),
  ],
  [
    'installed outside Haraka’s search path',
    () => ({
      installed: 'none',
      around: { 'config/node_modules/haraka-plugin-dane/package.json': JSON.stringify(PACKAGE) },
    }),
    1,
    /^problem {2}plugins: dane is listed, but not installed/m,
  ],
  [
    'installed without its code',
    () => ({ installed: { 'package.json': JSON.stringify(PACKAGE) } }),
    1,
    new RegExp(
      `^problem {2}plugins: \\S+/haraka-plugin-dane has no dist/plugins/dane\\.js: ${STOPS}$`,
      'm',
    ),
  ],
  [
    'installed without its code, with ignore_bad_plugins',
    () => ({
      installed: { 'package.json': JSON.stringify(PACKAGE) },
      files: ignoring(' = 1'),
    }),
    1,
    new RegExp(`has no dist/plugins/dane\\.js: ${WITHOUT} \\(ignore_bad_plugins=1\\)$`, 'm'),
  ],
  ...['=true', '=1', '=no', '=false', '=off'].map(
    (value) =>
      [
        `ignore_bad_plugins${value}: Haraka takes whatever is not 0 for yes`,
        () => ({ files: ignoring(value) }),
        0,
        new RegExp(
          `^warning {2}smtp\\.ini: ignore_bad_plugins${value}: if this plugin fails to load, ${WITHOUT}$`,
          'm',
        ),
      ] as const,
  ),
  ...['=0', '=', '= 0.0', ''].map(
    (value) =>
      [
        `ignore_bad_plugins${value}: off`,
        () => ({ files: ignoring(value) }),
        0,
        /^ok {7}plugins: dane is listed and installed$(?!.*ignore_bad_plugins)/ms,
      ] as const,
  ),
  [
    "a plugin of the relay's own under this name",
    () => ({ own: { dane: 'exports.register = () => {}' } }),
    1,
    /^problem {2}plugins: Haraka loads \S+\/plugins\/dane\.js as dane, not this package: mail is sent without DANE$/m,
  ],
  [
    "a plugin of the relay's own that mentions this package",
    () => ({ own: { dane: "exports = require('haraka-plugin-dane')" } }),
    3,
    /^unknown {2}plugins: Haraka loads \S+\/plugins\/dane\.js as dane, not this package; it mentions haraka-plugin-dane$/m,
  ],
  [
    'another package under this name',
    () => ({
      installed: 'none',
      around: {
        'node_modules/dane/package.json': '{"name":"dane","version":"1.0.0","main":"x.js"}',
        'node_modules/dane/x.js': '',
      },
    }),
    1,
    /^problem {2}plugins: Haraka loads \S+\/node_modules\/dane as dane, which is dane 1\.0\.0 and not haraka-plugin-dane: mail is sent without DANE$/m,
  ],
  [
    'an installation other than that of the running command',
    () => ({
      installed: { 'package.json': JSON.stringify(PACKAGE), 'dist/plugins/dane.js': '' },
    }),
    0,
    /^warning {2}plugins: Haraka loads haraka-plugin-dane 9\.9\.9 in \S+; this command belongs to \d+\.\d+\.\d+ in \S+ and checks by the rules of that version$/m,
  ],
  [
    'a file that overrides the list of plugins',
    () => ({ files: { 'smtp.json': '{"!plugins":["relay"],"!smtp.ini":{}}' } }),
    3,
    /^unknown {2}smtp\.json: overrides plugins, smtp\.ini for Haraka; the files of these names were looked at here$/m,
  ],
  [
    'the same in YAML',
    () => ({ files: { 'smtp.yaml': "'!outbound.ini':\n  enable_tls: false\n" } }),
    3,
    /^unknown {2}smtp\.yaml: overrides outbound\.ini for Haraka/m,
  ],
  [
    'no smtp.ini',
    () => ({ files: { 'smtp.ini': undefined } }),
    0,
    /^warning {2}smtp\.ini: not present: Haraka does not start with this folder$/m,
  ],
  [
    'little time for hooks',
    () => ({ files: { plugin_timeout: '30\n', 'dane.timeout': '3\n' } }),
    0,
    /^warning {2}dane\.timeout: 3 s: the lookups for a message get two thirds of it, so mail to slow destinations waits$/m,
  ],
  [
    'no time for hooks',
    () => ({ files: { plugin_timeout: '-1\n' } }),
    1,
    /^problem {2}plugin_timeout: -1 s: every hook times out at once, and all mail waits$/m,
  ],
  ...['0', '60', 'none', '; 1'].map(
    (value) =>
      [
        `plugin_timeout of ${value}: nothing to say`,
        () => ({ files: { plugin_timeout: `${value}\n` } }),
        0,
        /^(?!.*plugin_timeout)/s,
      ] as const,
  ),
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
    'a karma plugin that overrules this one',
    () => ({ files: { plugins: 'karma\ndane' } }),
    0,
    /^ok {7}plugins: karma may override what a hook denies; mail that DANE defers is deferred regardless$/m,
  ],
  [
    'a forwarder of incoming mail only',
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
    'a proxy that bypasses outbound by default',
    () => ({ files: { plugins: 'dane\nqueue/smtp_proxy' } }),
    0,
    /^warning {2}plugins: queue\/smtp_proxy takes outgoing mail in the queue phase/m,
  ],
  [
    'a plugin that is not installed',
    () => ({ files: { plugins: 'dane\n../../etc/passwd' } }),
    3,
    /^unknown {2}plugins: no source file was found for \.\.\/\.\.\/etc\/passwd/m,
  ],
  [
    'Haraka 3.1.5',
    () => ({ haraka: '3.1.5', files: { plugins: 'dane' } }),
    0,
    /^warning {2}haraka: Haraka 3\.1\.5 crashes when a mail host aborts a TLS handshake/m,
  ],
  [
    'a Haraka in whose log a certificate can insert line breaks',
    () => ({ haraka: '3.3.2', files: { plugins: 'dane' } }),
    0,
    /^warning {2}haraka: 3\.3\.2 logs line breaks in a certificate's subject unescaped/m,
  ],
  [
    'the same with a log format that escapes line breaks',
    () => ({ haraka: '3.3.2', files: { plugins: 'dane', 'log.ini': 'format=JSON\n' } }),
    0,
    /^(?!warning {2}haraka)(?!.*\nwarning {2}haraka).*ok {7}haraka: 3\.3\.2 in \S+$/ms,
  ],
  [
    'Haraka 3.0.3',
    () => ({ haraka: '3.0.3', files: { plugins: 'dane' } }),
    1,
    /^problem {2}haraka: 3\.0\.3 in .*: the plugin does not start with this version$/m,
  ],
]

function goodResolver(policy: string): string {
  return `${policy}\n[resolver]\ntrust = yes\nserver[] = 127.0.0.1:${laboratory.names.unboundPort}\n`
}

for (const [circumstance, setup, wantedCode, wanted] of cases) {
  test(`${circumstance}: ${wantedCode}`, async () => {
    const { code, stdout } = await check(await setup())
    assert.match(stdout, wanted)
    assert.equal(code, wantedCode, stdout)
    // Every finding comes with a remedy.
    const lines = stdout.trimEnd().split('\n')
    for (const [index, line] of lines.entries()) {
      if (/^(warning|problem|unknown)/.test(line))
        assert.match(lines[index + 1] ?? '', /^ {9}do: ./)
    }
  })
}

test('dane.ini that the user of smtp.ini cannot read: said, as changes would not be taken', async () => {
  const config = await relay({ files: { 'smtp.ini': 'listen=127.0.0.1:25\nuser=nobody\n' } })
  await chmod(path.join(config, 'dane.ini'), 0o600)
  const { code, stdout } = await runCommand(['check', '--config', config])
  assert.match(stdout, /^problem {2}permissions: user nobody of smtp\.ini cannot read dane\.ini/m)
  assert.equal(code, 1)
})

test('--knock: a mail host of the operator, and one that is not there', async () => {
  const config = await relay()
  const [host] = [...laboratory.hosts.values()]
  const knock = (door: string): Promise<Ran> =>
    runCommand(['check', '--config', config, '--knock', door])
  const there = await knock(`${host?.address ?? ''}:${laboratory.smtpPort}`)
  assert.match(there.stdout, /^ok {7}way out: 127\.\S+ port \d+ answers, and negotiates TLSv1\.3$/m)
  assert.equal(there.code, 0)
  const nobody = await knock(`127.0.249.2:${laboratory.smtpPort}`)
  assert.match(nobody.stdout, /^problem {2}way out: no connection to 127\.0\.249\.2 port \d+ \(/m)
  assert.equal(nobody.code, 1)
  assert.match((await knock('a b')).stderr, /--knock a b: expected a host, or HOST:PORT/)
})

test('--json: the same findings in one object', async () => {
  const config = await relay({ top: 'port = 587' })
  const { code, stdout } = await runCommand(['check', '--config', config, '--json'])
  const text = (await runCommand(['check', '--config', config])).lines
  const report: unknown = JSON.parse(stdout)
  assert.ok(typeof report === 'object' && report !== null && 'findings' in report)
  assert.ok('code' in report && report.code === code)
  assert.ok(Array.isArray(report.findings))
  assert.equal(report.findings.length, text.filter((line) => !line.startsWith('    ')).length)
  assert.match(stdout, /"level":"warning","topic":"dane\.ini","text":"port = 587: /)
})

test('an unreadable file: its contents are unknown, 3', async () => {
  const config = await relay({ files: { 'outbound.ini': undefined } })
  await mkdir(path.join(config, 'outbound.ini'))
  const { code, stdout } = await runCommand(['check', '--config', config])
  assert.match(stdout, /^unknown {2}outbound\.ini: outbound\.ini cannot be read: EISDIR/m)
  assert.equal(code, 3)
})

test('no dane.ini: the defaults are checked, as Haraka uses them', async () => {
  const config = await relay({ files: { 'dane.ini': undefined } })
  const { stdout } = await runCommand(['check', '--config', config])
  assert.match(
    stdout,
    /^ok {7}dane\.ini: not present, so the defaults apply: policy opportunistic/m,
  )
  assert.match(stdout, /^ok {7}resolver: 127\.0\.0\.1:53 is on this machine$/m)
})

test('no Haraka found: reported, not a failure', async () => {
  const config = await relay({ haraka: 'none', files: { plugins: 'dane' } })
  const { code, stdout } = await runCommand(['check', '--config', config], { env: LONE_PATH })
  assert.match(stdout, /^warning {2}haraka: not found next to the config folder/m)
  assert.equal(code, 0, stdout)
})

test('a Haraka found only through PATH', async () => {
  const config = await relay({ haraka: 'none' })
  const PATH = `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
  const { code, stdout } = await runCommand(['check', '--config', config], { env: { PATH } })
  assert.match(stdout, /^ok {7}haraka: 3\.\d+\.\d+ in \S+node_modules\/haraka$/m)
  assert.equal(code, 0, stdout)
})

test('a folder that Haraka does not read: reported, with the one that it does', async () => {
  const config = await relay()
  const home = path.dirname(config)
  const { stdout } = await runCommand(['check', '--config', home])
  assert.match(stdout, /^problem {2}config: Haraka reads \S+\/config, not \S+$/m)
  assert.ok(stdout.includes(`do: haraka-dane check --config ${config}`), stdout)

  const copy = path.join(home, 'other')
  await symlink(config, copy)
  const other = await runCommand(['check', '--config', copy])
  assert.match(
    other.stdout,
    /^warning {2}config: Haraka reads only folders named config, and this one is named other$/m,
  )
  const inside = await runCommand(['check', '--config', '.'], { cwd: config })
  assert.doesNotMatch(inside.stdout, /Haraka reads/)
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

test('policy: shows the deciding line, for the name, a suffix, the default, or none', async () => {
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
  const nowhere = `the default (${path.join(bare, 'dane.ini')} does not set it)`
  assert.equal(stdout.split('\n')[0], `example.org: opportunistic, by ${nowhere}`)
})
