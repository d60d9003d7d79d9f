import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnings } from '../../../src/haraka/start-check.js'

const quiet = {
  sendEmail: ['dane'],
  getMx: ['dane'],
  isTlsEnabled: true,
  harakaVersion: '3.3.4',
  isPkixForced: false,
  hasMetrics: false,
  hasHttp: false,
}

const cases: readonly (readonly [string, Partial<typeof quiet>, RegExp | undefined])[] = [
  ['nothing in the way', {}, undefined],
  ['others behind us', { sendEmail: ['dane', 'limit'], getMx: ['dane', 'other'] }, undefined],
  ['another router before us, as it should be', { getMx: ['relay', 'dane'] }, undefined],
  ['another plugin before us at send_email alone', { sendEmail: ['limit', 'dane'] }, undefined],
  [
    'others before us at both',
    { sendEmail: ['limit', 'dane'], getMx: ['relay', 'vmta', 'relay', 'dane'] },
    /^limit may answer send_email before this plugin, and relay, vmta get_mx: .*put dane first in config\/plugins$/,
  ],
  [
    'a Haraka that is known to crash',
    { harakaVersion: '3.1.5' },
    /^Haraka 3\.1\.5 ends when a mail host breaks off a TLS handshake.*3\.1\.6 or later$/,
  ],
  ['metrics and a server for them', { hasMetrics: true, hasHttp: true }, undefined],
  [
    'metrics that nobody can see',
    { hasMetrics: true },
    /^metrics are counted and cannot be seen: http\.ini needs a line listen=/,
  ],
  ['the one after it', { harakaVersion: '3.1.6' }, undefined],
  [
    'PKIX demanded of every host',
    { isPkixForced: true },
    /^tls\.ini has mutual_tls and rejectUnauthorized: .*waits; set rejectUnauthorized=false$/,
  ],
  [
    'TLS switched off',
    { isTlsEnabled: false },
    /enable_tls=false: mail to domains with DANE will not be delivered/,
  ],
]

for (const [circumstance, surroundings, wanted] of cases) {
  test(`at start: ${circumstance}`, () => {
    const found = warnings('dane', { ...quiet, ...surroundings })
    assert.equal(found.length, wanted ? 1 : 0)
    if (wanted) assert.match(found[0] ?? '', wanted)
  })
}
