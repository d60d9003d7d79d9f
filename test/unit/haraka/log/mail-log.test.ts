/** The log lines about a message name its hosts as the MX records do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discover } from '../../../../src/discover/discover.js'
import { logMailEvent } from '../../../../src/haraka/log/mail-log.js'
import { ofType } from '../../../../src/lookup.js'
import type { Lookup, RecordType, Resolver } from '../../../../src/lookup.js'
import { FakeHmail, PLUGIN } from '../../../support/hmails.js'
import { name } from '../../../support/names.js'
import { SCENARIO_EXPIRY } from '../../../support/scenario.js'

class LoggingHmail extends FakeHmail {
  readonly lines: string[] = []
  override loginfo = (...[, ...line]: unknown[]): undefined =>
    void this.lines.push(JSON.stringify(line))
}

test('an alias from an insecure MX record is logged unexpanded [R7672-2.2.1-e]', async () => {
  const exchange = { kind: 'host', name: name('mx.example.org') } as const
  const expanded = { canonicalName: name('real.example.net'), aliases: [exchange.name] }
  const answer = (owner: string, type: RecordType): Lookup => {
    const common = { canonicalName: name(owner), aliases: [], expiresAt: SCENARIO_EXPIRY }
    switch (type) {
      case 'MX': {
        const records = [{ type, preference: 10, exchange }] as const
        return { ...common, kind: 'found', security: 'insecure', records }
      }
      case 'A': {
        const records = [{ type, address: '192.0.2.1' }] as const
        const where = { ...common, ...expanded }
        return { ...where, kind: 'found', security: 'secure', records }
      }
      default:
        return { ...common, kind: 'absent', security: 'secure', reason: 'nodata' }
    }
  }
  const options = { insecureMx: 'dane', port: 25, policy: 'opportunistic' } as const
  const resolver: Resolver = {
    lookup: (owner, type) => Promise.resolve(ofType(answer(owner, type), type)),
  }
  const plan = await discover(resolver, name('example.org'), options)
  assert.ok(plan.kind === 'plan')
  const hmail = new LoggingHmail()
  logMailEvent(PLUGIN, hmail, { kind: 'plan', policy: 'opportunistic', plan })
  assert.match(String(hmail.lines), /"mx":"INSECURE","hosts":"mx\.example\.org /)
  assert.doesNotMatch(String(hmail.lines), /real\.example\.net/)
})
