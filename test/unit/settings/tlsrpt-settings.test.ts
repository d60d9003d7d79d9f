/** `[tlsrpt]` of dane.ini: what is missing is named, addresses and domains are checked. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SettingsError } from '../../../src/settings/option-reader.js'
import { parseSettings } from '../../../src/settings/settings.js'
import { isExcluded } from '../../../src/settings/tlsrpt-settings.js'
import { name } from '../../support/names.js'

const FULL = `
[tlsrpt]
enabled = yes
organization = Example Inc.
contact = postmaster@example.org
from = tlsrpt@Reports.Example.ORG
dkim_key = tlsrpt.pem
dkim_selector = tlsrpt
`

describe('[tlsrpt]', () => {
  test('is off without enabled = yes, whatever else is set', () => {
    assert.equal(parseSettings(FULL.replace('enabled = yes', '')).tlsrpt, undefined)
    assert.equal(parseSettings('').tlsrpt, undefined)
  })

  test('is read', () => {
    const text = `${FULL}only_failures = yes
require_dnssec = yes
exclude[] = example.net
exclude[] = .Example.COM
sending_ip = 192.0.2.1, 2001:db8::1
retention = 100h`
    assert.deepEqual(parseSettings(text).tlsrpt, {
      organization: 'Example Inc.',
      contact: 'postmaster@example.org',
      from: 'tlsrpt@reports.example.org',
      submitter: 'reports.example.org',
      dkim: { keyFile: 'tlsrpt.pem', selector: 'tlsrpt' },
      isOnlyFailures: true,
      isDnssecRequired: true,
      exclude: new Set(['example.net', '.example.com']),
      sendingIp: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' },
      retentionMs: 360_000_000,
    })
  })

  for (const key of ['organization', 'contact', 'from', 'dkim_key', 'dkim_selector']) {
    test(`without ${key} the start is refused, and the error names it alone`, () => {
      const text = FULL.replace(new RegExp(`^${key} = .*$`, 'm'), '')
      assert.throws(
        () => parseSettings(text),
        new SettingsError(`dane.ini: [tlsrpt] enabled = yes also needs ${key}`),
      )
    })
  }

  test('names all that are missing', () => {
    assert.throws(
      () => parseSettings('[tlsrpt]\nenabled = yes\n'),
      /needs organization, contact, from, dkim_key, dkim_selector$/,
    )
  })

  const bad: readonly (readonly [string, RegExp])[] = [
    ['from = a@example.org, b@example.org', /one mail address/],
    ['from = Reports <a@example.org>', /one mail address/],
    ['from = example.org', /one mail address/],
    ['contact = a@[192.0.2.1]', /one mail address/],
    ['organization =', /a name of 1 to 200/],
    ['organization = Bücher', /a name of 1 to 200/],
    ['dkim_selector = a b', /DKIM selector/],
    ['exclude[] = *.example.org', /a domain name, or \.name/],
    ['exclude = example.org', /a list/],
    ['sending_ip = 192.0.2.1 192.0.2.2', /one of each/],
    ['sending_ip = 2001:db8::1 2001:db8::2', /one of each/],
    ['sending_ip = fe80::1%eth0', /one of each/],
    ['sending_ip = mail.example.org', /one of each/],
    ['sending_ip =', /one of each/],
    ['retention = 47h', /from 172800s to 2592000s/],
    ['organisation = x', /unknown option/],
  ]
  for (const [line, message] of bad) {
    test(`refuses ${line}`, () => {
      assert.throws(() => parseSettings(`[tlsrpt]\n${line}\n`), message)
    })
  }

  test('excludes a name, or all below it', () => {
    const exclude = new Set(['example.net', '.example.com'])
    const results = ['example.net', 'www.example.net', 'example.com', 'a.b.example.com'].map(
      (text) => isExcluded({ exclude }, name(text)),
    )
    assert.deepEqual(results, [true, false, false, true])
  })
})
