import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { SettingsError } from '../../src/option-reader.js'
import { parseSettings, policyFor } from '../../src/settings.js'
import { ROOT } from '../../lab/root.js'
import { name } from '../support/names.js'

test('an empty dane.ini is opportunistic DANE through the resolver on this machine [R6698-8.3-a]', () => {
  const { domains, ...rest } = parseSettings('')
  assert.equal(domains.size, 0)
  assert.deepEqual(rest, {
    policy: 'opportunistic',
    policyLine: undefined,
    insecureMx: 'dane',
    routes: 'dane',
    port: 25,
    resolver: {
      servers: [{ address: '127.0.0.1', port: 53, tlsName: undefined }],
      isNetworkTrusted: false,
      caFile: undefined,
      timeoutMs: 5000,
      probe: { name: '.', bogusName: undefined, intervalMs: 60_000 },
    },
    cache: { entries: 20_000, minTtlMs: 1_000, maxTtlMs: 86_400_000 },
    redis: undefined,
    audit: { destinations: 1_000, summaryMs: 3_600_000 },
    metrics: undefined,
  })
})

test('config/dane.ini documents exactly the defaults', () => {
  const shipped = readFileSync(path.join(ROOT, 'config/dane.ini'), 'utf8')
  assert.deepEqual(parseSettings(shipped), parseSettings(''))
  // The same with every documented option in force, but for the two example domains.
  const inForce = shipped.replace(/^;(?=\w+(\[\])? = )/gm, '')
  assert.notEqual(inForce, shipped)
  assert.deepEqual({ ...parseSettings(inForce), policyLine: undefined }, parseSettings(''))
})

test('every option of dane.ini is taken', () => {
  const settings = parseSettings(`
; comment
# comment
policy=mandatory
insecure_mx = may
routes = skip
port = 2525
[domains]
Example.ORG = none
.example.net = audit
bücher.example = opportunistic
[resolver]
server[] = [::1]:5353
server[] = tls://192.0.2.1#dns.Example
server[] = tls://[2001:db8::1]:8853#bücher.example
server[] = 192.0.2.2
trust = yes
ca_file = /etc/ssl/our-ca.pem
timeout = 1500ms
probe = example.org
probe_bogus = bogus.example
probe_interval = 1h
[cache]
entries = 100
min_ttl = 0
max_ttl = 2h
[redis]
url = rediss://us%40er:pass%3Aword@[2001:db8::2]:6380/3
ca_file = /etc/ssl/redis-ca.pem
prefix = mail:dane.
timeout = 50ms
key = 0123456789abcdef
[audit]
summary = 10m
destinations = 50
[metrics]
enabled = yes
path = /dane
destinations = 0
`)
  assert.deepEqual(
    { ...settings, domains: [...settings.domains.keys()] },
    {
      policy: 'mandatory',
      policyLine: 4,
      insecureMx: 'may',
      routes: 'skip',
      port: 2525,
      domains: ['example.org', '.example.net', 'xn--bcher-kva.example'],
      resolver: {
        servers: [
          { address: '::1', port: 5353, tlsName: undefined },
          { address: '192.0.2.1', port: 853, tlsName: 'dns.example' },
          { address: '2001:db8::1', port: 8853, tlsName: 'xn--bcher-kva.example' },
          { address: '192.0.2.2', port: 53, tlsName: undefined },
        ],
        isNetworkTrusted: true,
        caFile: '/etc/ssl/our-ca.pem',
        timeoutMs: 1500,
        probe: { name: 'example.org', bogusName: 'bogus.example', intervalMs: 3_600_000 },
      },
      cache: { entries: 100, minTtlMs: 0, maxTtlMs: 7_200_000 },
      redis: {
        place: { kind: 'single', node: { host: '2001:db8::2', port: 6380 } },
        db: 3,
        username: 'us@er',
        password: 'pass:word',
        isTls: true,
        caFile: '/etc/ssl/redis-ca.pem',
        prefix: 'mail:dane.',
        timeoutMs: 50,
        key: '0123456789abcdef',
      },
      audit: { destinations: 50, summaryMs: 600_000 },
      metrics: { path: '/dane', destinations: 0 },
    },
  )
})

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['summary too often', '[audit]\nsummary = 10ms', /summary = 10ms: expected a time from 1s/],
  ['no destinations', '[audit]\ndestinations = 0', /a whole number from 1 to 100000/],
  ['path that is none', '[metrics]\npath = metrics', /path = metrics: expected a path of letters/],
  ['path with a pattern', '[metrics]\npath = /:all', /path = \/:all: expected a path/],
  ['path of nothing', '[metrics]\npath = /', /path = \/: expected a path/],
  ['metrics half on', '[metrics]\nenabled = maybe', /enabled = maybe: expected one of yes, no/],
  [
    'unknown policy',
    'policy = mandatroy',
    /line 1: policy = mandatroy: expected one of none, audit/,
  ],
  ['policy in capitals', 'policy = None', /policy = None/],
  ['empty policy', 'policy =', /line 1: policy = : expected one of/],
  ['comment behind a value', 'policy = none ; all of it', /comments stand on lines of their own/],
  ['unknown key', '\npolcy = none', /line 2: polcy = none: expected an option that exists/],
  [
    'unknown section',
    '[resolvers]\ntimeout = 5s',
    /\[resolvers\] timeout = 5s: expected an option/,
  ],
  ['option in the wrong section', '[resolver]\npolicy = none', /\[resolver\] policy = none/],
  [
    'option twice',
    'policy = none\npolicy = audit',
    /line 2: policy = audit: expected only once.*line 1/,
  ],
  ['list for a scalar', 'policy[] = none', /policy\[\] = none: expected one value/],
  ['line that is nothing', 'policy', /line 1: neither a section, nor key = value/],
  ['line without a key', '= none', /line 1: neither/],
  ['port 0', 'port = 0', /port = 0: expected a whole number from 1 to 65535/],
  ['port 65536', 'port = 65536', /port = 65536/],
  ['port in words', 'port = smtp', /port = smtp/],
  ['port with a fraction', 'port = 25.5', /port = 25\.5/],
  [
    'resolver by name',
    '[resolver]\nserver[] = localhost',
    /server\[\] = localhost: expected an IP/,
  ],
  [
    'resolver port 0',
    '[resolver]\nserver[] = 127.0.0.1:0',
    /server\[\] = 127\.0\.0\.1:0: expected/,
  ],
  [
    'resolver elsewhere, unprotected (RFC 4035 §4.9.3) [R4035-4.9.3-a R4035-4.6-b]',
    '[resolver]\nserver[] = 127.0.0.1\nserver[] = 192.0.2.1',
    /line 3: \[resolver\] server\[\] = 192\.0\.2\.1: .*only where trust = yes/,
  ],
  ['resolver not as a list', '[resolver]\nserver = 127.0.0.1', /write server\[\] =/],
  [
    'one resolver twice',
    '[resolver]\nserver[] = 127.0.0.1\nserver[] = 127.0.0.1',
    /line 3.*expected each value once/,
  ],
  [
    'one resolver twice, with and without its port',
    '[resolver]\nserver[] = 127.0.0.1\nserver[] = 127.0.0.1:53',
    /line 3.*expected each value once/,
  ],
  [
    'one resolver twice, in two spellings of its address',
    '[resolver]\nserver[] = ::1\nserver[] = [0:0:0:0:0:0:0:1]:53',
    /line 3.*expected each value once/,
  ],
  [
    'one resolver over TLS twice, its name in two spellings',
    '[resolver]\nserver[] = tls://192.0.2.1#dns.example\nserver[] = tls://192.0.2.1:853#DNS.example.',
    /line 3.*expected each value once/,
  ],
  ...['0.0.0.0', '224.0.0.251', '255.255.255.255:53', '::', '[0:0::0]:53', 'ff02::fb'].map(
    (address) =>
      [
        `resolver at ${address}, which is no host`,
        `[resolver]\ntrust = yes\nserver[] = ${address}`,
        /expected an IP address/,
      ] as const,
  ),
  [
    'one name for both probes',
    '[resolver]\nprobe = broken.example\nprobe_bogus = Broken.example.',
    /\[resolver\] probe = probe_bogus = broken\.example/,
  ],
  ['TLS without a name', '[resolver]\nserver[] = tls://192.0.2.1', /expected an IP address/],
  ['TLS to a name', '[resolver]\nserver[] = tls://dns.example#dns.example', /expected an IP/],
  [
    'TLS to port 0',
    '[resolver]\nserver[] = tls://192.0.2.1:0#dns.example',
    /expected an IP address/,
  ],
  [
    'TLS with an address for a name',
    '[resolver]\nserver[] = tls://192.0.2.1#192.0.2.1',
    /expected an IP address/,
  ],
  ['trust in other words', '[resolver]\ntrust = maybe', /trust = maybe: expected one of yes, no/],
  [
    'probe that is no name',
    '[resolver]\nprobe = a b',
    /probe = a b: expected a domain name, or \./,
  ],
  ['bogus probe of the root', '[resolver]\nprobe_bogus = .', /probe_bogus = \.: expected a domain/],
  [
    'probe too often',
    '[resolver]\nprobe_interval = 10ms',
    /expected a time from 1s to 3600s, such as 60s/,
  ],
  ['file without a name', '[resolver]\nca_file =', /ca_file = : expected a file name/],
  [
    'timeout out of range',
    '[resolver]\ntimeout = 1h',
    /timeout = 1h: expected a time from 100ms to 10s/,
  ],
  ['timeout of nothing', '[resolver]\ntimeout = 0', /timeout = 0/],
  [
    'domain that is none',
    '[domains]\nexa mple.org = none',
    /exa mple\.org = none: expected a domain/,
  ],
  [
    'wildcard domain',
    '[domains]\n*.example.org = none',
    /\*\.example\.org = none: expected a domain/,
  ],
  ['address as domain', '[domains]\n192.0.2.1 = none', /192\.0\.2\.1 = none/],
  [
    'domain twice in other letters',
    '[domains]\na.b = none\nA.B. = audit',
    /line 3.*only once.*line 2/,
  ],
  ['domain with an unknown policy', '[domains]\na.b = must', /a\.b = must: expected one of/],
  ['domain as a list', '[domains]\na.b[] = none', /expected a domain name/],
  ['cache too small', '[cache]\nentries = 1', /entries = 1: expected a whole number from 100/],
]

for (const [circumstance, text, message] of refused) {
  test(`dane.ini is refused, naming the option: ${circumstance}`, () => {
    assert.throws(
      () => parseSettings(text),
      (error) => {
        assert.ok(error instanceof SettingsError)
        assert.match(error.message, message)
        // One line for the operator, without a stack.
        assert.equal(error.stack, `SettingsError: ${error.message}`)
        assert.doesNotMatch(error.message, /[^ -~]/)
        return true
      },
    )
  })
}

const rules = parseSettings(`
policy = audit
[domains]
example.org = mandatory
.example.org = none
.sub.example.org = opportunistic
.net = mandatory
`)

const matches: readonly (readonly [string, string, number | undefined])[] = [
  ['example.org', 'mandatory', 4],
  ['mx.example.org', 'none', 5],
  ['sub.example.org', 'none', 5],
  ['a.sub.example.org', 'opportunistic', 6],
  ['a.b.sub.example.org', 'opportunistic', 6],
  ['notexample.org', 'audit', undefined],
  ['example.net', 'mandatory', 7],
  ['net', 'audit', undefined],
]

for (const [domain, policy, line] of matches) {
  test(`[domains]: the longest match wins for ${domain}`, () => {
    const found = policyFor(rules, name(domain))
    assert.deepEqual([found.policy, found.rule?.line], [policy, line])
  })
}
