/**
 * A domain with more MX hosts than are looked up at first, in a real Haraka: when none of
 * the first accepts a connection, the rest have their turn, and DANE applies to them too.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import { destination } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import { MAX_HOSTS } from '../../src/discover/route.js'
import type { Row } from '../../lab/rows.js'

/** The last host of a list behind so many that refuse connections. */
async function behind(
  smtpPort: number,
  authority: Awaited<ReturnType<typeof createAuthority>>,
  label: string,
  options: DestinationOptions,
): Promise<Row> {
  const { row, domain, host } = await destination(smtpPort, authority, label, options)
  const shut = Array.from({ length: MAX_HOSTS }, (_, index) => `shut${index}-${host}`)
  return {
    ...row,
    records: [
      ...row.records.filter((line) => !line.startsWith(`${domain}. `)),
      `${domain}. MX 20 ${host}.`,
      ...shut.flatMap((name) => [`${domain}. MX 10 ${name}.`, `${name}. A 127.0.200.1`]),
    ],
  }
}

test('hosts beyond the first have their turn when those refuse connections (RFC 5321 §5.1)', async () => {
  const { laboratory } = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    return Promise.all([
      behind(port, authority, 'good', {}),
      behind(port, authority, 'wrong', { tlsa: 'wrong' }),
      behind(port, authority, 'plain', { host: { misbehavior: 'no-starttls' } }),
      behind(port, authority, 'none', { tlsa: 'none' }),
    ])
  })
  try {
    const relay = await laboratory.startRelay('dane')
    const ids = new Map<string, string>()
    for (const label of ['good', 'wrong', 'plain', 'none'])
      ids.set(label, await relay.submit(`user@${label}.signed.example`))
    const outcome = async (label: string): Promise<string> => {
      const result = await relay.outcomeOf(ids.get(label) ?? '')
      return result.kind === 'delivered' ? result.kind : `${result.kind}: ${result.reason}`
    }
    assert.equal(await outcome('good'), 'delivered')
    assert.equal(await outcome('none'), 'delivered')
    assert.match(await outcome('wrong'), /^deferred: .*certificate-mismatch/)
    assert.match(await outcome('plain'), /^deferred: .*starttls-not-offered/)
    const log = relay.log(ids.get('good')).join('\n')
    assert.match(log, /TLS success .* for good\.signed\.example/)
    assert.match(log, /later="1 hosts"/)
    for (const label of ['wrong', 'plain']) {
      const seen = laboratory.hosts.get(`mx-${label}.signed.example`)?.sessions ?? []
      assert.ok(seen.length > 0)
      assert.deepEqual(
        seen.flatMap(({ mails }) => mails),
        [],
      )
    }
  } finally {
    await laboratory.stop()
  }
})
