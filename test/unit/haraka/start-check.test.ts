import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnings } from '../../../src/haraka/start-check.js'
import type { Surroundings } from '../../../src/haraka/start-check.js'

const quiet = {
  sendEmail: ['dane'],
  getMx: ['dane'],
  isTlsEnabled: true,
  harakaVersion: '3.3.4',
  isPkixForced: false,
  hasMetrics: false,
  hasHttp: false,
  status: 'off',
  httpElsewhere: [],
} satisfies Surroundings

const cases: readonly (readonly [string, Partial<Surroundings>, RegExp | undefined])[] = [
  ['a good set-up', {}, undefined],
  [
    'other plugins after this one',
    { sendEmail: ['dane', 'limit'], getMx: ['dane', 'other'] },
    undefined,
  ],
  ['another router before this plugin, as documented', { getMx: ['relay', 'dane'] }, undefined],
  [
    'another plugin before this one at send_email only',
    { sendEmail: ['limit', 'dane'] },
    undefined,
  ],
  [
    'other plugins before this one at both hooks',
    { sendEmail: ['limit', 'dane'], getMx: ['relay', 'vmta', 'relay', 'dane'] },
    /^limit may answer send_email before this plugin, and relay, vmta get_mx: .*put dane first in config\/plugins$/,
  ],
  [
    'a Haraka release that is known to crash',
    { harakaVersion: '3.1.5' },
    /^Haraka 3\.1\.5 crashes when a mail host aborts a TLS handshake.*3\.1\.6 or later$/,
  ],
  ['metrics and an HTTP server', { hasMetrics: true, hasHttp: true }, undefined],
  [
    'metrics without an HTTP server',
    { hasMetrics: true },
    /^metrics are counted but not served: http\.ini needs a line listen=/,
  ],
  [
    'the delivery status without an HTTP server',
    { status: 'on', httpElsewhere: ['0.0.0.0:80'] },
    /^the delivery status is not served: http\.ini needs a line listen=/,
  ],
  ['the delivery status on this machine alone', { status: 'on', hasHttp: true }, undefined],
  [
    'the delivery status on the network',
    { status: 'on', hasHttp: true, httpElsewhere: ['0.0.0.0:80', '[::]:81'] },
    /^anyone who can connect to 0\.0\.0\.0:80, \[::\]:81 \(http\.ini\) can read the delivery status: listen on 127\.0\.0\.1, or set \[status\] proxy = yes/,
  ],
  [
    'the delivery status behind a proxy',
    { status: 'proxied', hasHttp: true, httpElsewhere: ['0.0.0.0:80'] },
    undefined,
  ],
  [
    'metrics on the network',
    { hasMetrics: true, hasHttp: true, httpElsewhere: ['0.0.0.0:80'] },
    undefined,
  ],
  ['the one after it', { harakaVersion: '3.1.6' }, undefined],
  [
    'PKIX required for every host',
    { isPkixForced: true },
    /^tls\.ini has mutual_tls and rejectUnauthorized: .*is deferred; set rejectUnauthorized=false$/,
  ],
  [
    'TLS switched off',
    { isTlsEnabled: false },
    /enable_tls=false: mail to hosts with DANE waits and then bounces/,
  ],
]

for (const [circumstance, surroundings, wanted] of cases) {
  test(`at start: ${circumstance}`, () => {
    const found = warnings('dane', { ...quiet, ...surroundings })
    assert.equal(found.length, wanted ? 1 : 0)
    if (wanted) assert.match(found[0] ?? '', wanted)
  })
}
