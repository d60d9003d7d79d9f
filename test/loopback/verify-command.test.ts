/** `haraka-dane verify` against the laboratory: its verdict is the delivery's. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startChild } from '../../lab/child.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { ROOT } from '../../lab/root.js'
import { readTable, tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

// The installed package's own command.
const COMMAND = path.join(ROOT, 'build/relay/node_modules/.bin/haraka-dane')

describe('haraka-dane verify', () => {
  let laboratory: Laboratory
  let rows: readonly Row[]
  before(async () => {
    const started = await startLaboratory(async (port) => tableRows(port, await createAuthority()))
    laboratory = started.laboratory
    rows = started.rows
  })
  after(() => laboratory.stop())

  async function run(row: Row): Promise<{ code: number | null; lines: readonly string[] }> {
    const child = startChild(COMMAND, [
      'verify',
      `--resolver=127.0.0.1:${laboratory.names.unboundPort}`,
      `--port=${laboratory.smtpPort}`,
      `--policy=${row.policy}`,
      row.domain,
    ])
    const code = await child.exited
    return { code, lines: child.output().trim().split('\n') }
  }

  for (const [index, { policy, mx, address, tlsa, certificate, action }] of readTable().entries()) {
    // Both gateways see the same DNS; the second one's rows are enough here.
    if (index < 29) continue
    test(`${[policy, mx, address, tlsa, certificate].join(', ')}: ${action === 'verified' ? 'success' : 'failure'}`, async () => {
      const row = rows[index]
      assert.ok(row)
      const { code, lines } = await run(row)
      const word = action === 'verified' ? 'SUCCESS' : 'FAILED'
      assert.deepEqual(
        lines.slice(-2),
        [`DANE ${word} for ${row.domain}`, 'DANE verification completed.'],
        lines.join('\n'),
      )
      const isBogus =
        [mx, address, tlsa].includes('bogus') &&
        !(policy === 'mandatory' && mx === 'insecure' && address === 'secure')
      assert.equal(code, action === 'verified' ? 0 : isBogus ? 3 : 1, lines.join('\n'))
    })
  }

  test("a verified domain in the gateways' words and order", async () => {
    const row = rows.find(({ id }) => id === 'ddei-45')
    assert.ok(row)
    const host = row.hosts[0]?.name ?? ''
    const address = laboratory.hosts.get(host)?.address ?? ''
    const { lines } = await run(row)
    assert.deepEqual(
      lines.map((line) =>
        line.replace(/protocol \S+, cipher \S+\./, 'protocol PROTOCOL, cipher CIPHER.'),
      ),
      [
        `SECURE MX record(${host}) found for ${row.domain}`,
        `SECURE A record (${address}) found for MX(${host}) in ${row.domain}`,
        `Connecting to ${address} on port ${laboratory.smtpPort}.`,
        `Connected to ${address} from interface 127.0.0.1.`,
        `SECURE TLSA record found for MX(${host}) in ${row.domain}`,
        'Checking TLS connection.',
        'TLS connection established: protocol PROTOCOL, cipher CIPHER.',
        'Certificate verification successful',
        `TLS connection succeeded ${row.domain}.`,
        `DANE SUCCESS for ${row.domain}`,
        'DANE verification completed.',
      ],
    )
  })

  test('no envelope is ever shown to a host', () => {
    const seen = [...laboratory.hosts.values()].flatMap(({ sessions }) => sessions)
    assert.ok(seen.length > 0)
    assert.deepEqual(
      seen.flatMap(({ mails }) => mails),
      [],
    )
  })
})

const misuse: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['nothing', [], /a command is needed/],
  ['unknown command', ['verfiy', 'example.org'], /a command is needed/],
  ['no domain', ['verify'], /a domain is needed/],
  ['no domain name', ['verify', 'exa mple.org'], /not a domain name: exa mple\.org/],
  [
    'unknown policy',
    ['verify', '--policy=strict', 'example.org'],
    /--policy strict: expected opportunistic or mandatory/,
  ],
  ['port 0', ['verify', '--port=0', 'example.org'], /port = 0: expected a whole number/],
  [
    'resolver by name',
    ['verify', '--resolver=localhost', 'example.org'],
    /server\[\] = localhost: expected an IP/,
  ],
  ['unknown option', ['verify', '--nonsense', 'example.org'], /Unknown option '--nonsense'/],
]
for (const [circumstance, args, wanted] of misuse) {
  test(`bad usage ends with 2 and the usage: ${circumstance}`, () => {
    const { status, stderr } = spawnSync(COMMAND, args, { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(stderr, wanted)
    assert.match(stderr, /Usage: haraka-dane verify/)
  })
}
