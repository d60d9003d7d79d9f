import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parseSettings, policyFor, SettingsError } from '../../src/settings.js'
import { ROOT } from '../../lab/root.js'
import { name } from '../support/names.js'

test('an empty dane.ini is opportunistic DANE through the resolver on this machine', () => {
  const { domains, ...rest } = parseSettings('')
  assert.equal(domains.size, 0)
  assert.deepEqual(rest, {
    policy: 'opportunistic',
    insecureMx: 'dane',
    routes: 'dane',
    port: 25,
    resolver: { server: { address: '127.0.0.1', port: 53 }, timeoutMs: 5000 },
    cache: { entries: 20_000 },
  })
})

test('config/dane.ini documents exactly the defaults', () => {
  const shipped = readFileSync(path.join(ROOT, 'config/dane.ini'), 'utf8')
  assert.deepEqual(parseSettings(shipped), parseSettings(''))
  // The same with every documented option in force, but for the two example domains.
  const inForce = shipped.replace(/^;(?=\w+(\[\])? = )/gm, '')
  assert.notEqual(inForce, shipped)
  assert.deepEqual(parseSettings(inForce), parseSettings(''))
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
timeout = 1500ms
[cache]
entries = 100
`)
  assert.deepEqual(
    { ...settings, domains: [...settings.domains.keys()] },
    {
      policy: 'mandatory',
      insecureMx: 'may',
      routes: 'skip',
      port: 2525,
      domains: ['example.org', '.example.net', 'xn--bcher-kva.example'],
      resolver: { server: { address: '::1', port: 5353 }, timeoutMs: 1500 },
      cache: { entries: 100 },
    },
  )
})

const refused: readonly (readonly [string, string, RegExp])[] = [
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
  ['resolver elsewhere (RFC 4035 §4.9.3)', '[resolver]\nserver[] = 192.0.2.1', /on this machine/],
  ['resolver not as a list', '[resolver]\nserver = 127.0.0.1', /write server\[\] =/],
  ['two resolvers', '[resolver]\nserver[] = 127.0.0.1\nserver[] = ::1', /expected a single server/],
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
