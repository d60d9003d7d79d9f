/** `haraka-dane verify` against every row of the gateways' tables: its verdict is the delivery's. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { withLaboratory } from '../../lab/haraka.js'
import { createAuthority, startLaboratory, toDaneIni } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { readTable, tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import type { InsecureMx } from '../../src/policy.js'
import { parseReport, runCommand } from '../support/command.js'
import type { JsonReport, Ran } from '../support/command.js'

describe('haraka-dane verify', () => {
  let laboratory: Laboratory
  let rows: readonly Row[]
  /** By domain: every row as JSON, by the settings of a relay that has its policy. */
  const reports = new Map<string, JsonReport>()
  before(async () => {
    const started = await startLaboratory(async (port) => tableRows(port, await createAuthority()))
    laboratory = started.laboratory
    rows = started.rows
    for (const insecureMx of ['dane', 'may'] as const) await report(insecureMx)
  })
  after(() => laboratory.stop())

  async function report(insecureMx: InsecureMx): Promise<void> {
    const folder = path.join(laboratory.folder, `config-${insecureMx}`)
    await mkdir(folder)
    const { unboundPort } = laboratory.names
    const ini = withLaboratory(toDaneIni(rows, insecureMx), unboundPort, laboratory.smtpPort)
    await writeFile(path.join(folder, 'dane.ini'), ini)
    const domains = rows.filter((row) => row.insecureMx === insecureMx).map(({ domain }) => domain)
    const args = ['verify', '--json', '--config', folder, '--file', '-']
    const { code, lines } = await runCommand(args, { input: domains.join('\n') })
    assert.equal(code, 1)
    assert.equal(lines.length, domains.length)
    for (const line of lines) {
      const parsed = parseReport(line)
      reports.set(parsed.domain, parsed)
    }
  }

  function run(row: Row): Promise<Ran> {
    return runCommand([
      'verify',
      `--resolver=127.0.0.1:${laboratory.names.unboundPort}`,
      `--port=${laboratory.smtpPort}`,
      `--policy=${row.policy}`,
      row.domain,
    ])
  }

  for (const [index, fields] of readTable().entries()) {
    const { source, policy, mx, address, tlsa, certificate, action, reason } = fields
    const circumstance = `${source}: ${[policy, mx, address, tlsa, certificate].join(', ')}`
    test(`${circumstance}: ${action}, as JSON`, () => {
      const row = rows[index]
      const found = reports.get(row?.domain ?? '')
      assert.ok(row && found)
      assert.equal(found.policy.inForce, policy)
      assert.equal(found.policy.source, 'line')
      const fate = found.mail[policy === 'mandatory' ? 'mandatory' : 'opportunistic']
      assert.equal(fate.action, action, JSON.stringify(found))
      if (reason !== '') assert.equal(fate.cause?.meaning, reason)
      assert.equal(found.verdict, action === 'verified' ? 'verified' : 'failed')
    })

    // Both gateways see the same DNS, and the words are the same.
    if (source === 'esa') continue
    test(`${circumstance}: ${action}, step by step`, async (context) => {
      const row = rows[index]
      assert.ok(row)
      const { code, lines } = await run(row)
      context.diagnostic(lines.join('\n'))
      const word = action === 'verified' ? 'SUCCESS' : 'FAILED'
      assert.ok(lines.includes(`DANE ${word} for ${row.domain}`), lines.join('\n'))
      assert.equal(lines.at(-1), 'DANE verification completed.')
      assert.equal(code, action === 'verified' ? 0 : 1, lines.join('\n'))
      const wanted = {
        verified: /^Under \w+, mail is delivered to \S+, verified\.$/,
        fallback: /^Under \w+, mail is sent without DANE: /,
        defer: new RegExp(`^Under \\w+, mail waits in the queue, .*${reason}`),
      }[action]
      const line = lines.find((each) => each.startsWith(`Under ${policy}, `)) ?? ''
      assert.match(line, wanted ?? /never/)
      const status = mx === 'bogus' ? 'BOGUS MX' : `${mx.toUpperCase()} MX`
      assert.ok(lines[0]?.startsWith(`${status} record`), lines.join('\n'))
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
        line
          .replace(/protocol \S+, cipher \S+\./, 'protocol PROTOCOL, cipher CIPHER.')
          .replace(/3 1 1 [0-9a-f]{16}\.\.\./, 'RECORD'),
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
        'TLSA record RECORD matched at depth 0',
        `TLS connection succeeded ${row.domain}.`,
        `DANE SUCCESS for ${row.domain}`,
        `Under opportunistic, mail is delivered to ${host}, verified.`,
        `Under mandatory, mail is delivered to ${host}, verified.`,
        'Under audit or none, mail is sent as if this plugin were not there.',
        'DANE verification completed.',
      ],
    )
  })

  test('no envelope is ever shown to a host, and each is taken leave of', () => {
    const seen = [...laboratory.hosts.values()].flatMap(({ sessions }) => sessions)
    assert.ok(seen.length > 0)
    assert.deepEqual(
      seen.flatMap(({ mails }) => mails),
      [],
    )
    const encrypted = seen.filter(({ isEncrypted }) => isEncrypted)
    assert.ok(encrypted.length > 0)
    for (const { commands } of encrypted) assert.equal(commands.at(-1), 'QUIT')
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
    'no time',
    ['verify', '--timeout=soon', 'example.org'],
    /timeout = soon: expected a time from 100ms to 120s/,
  ],
  [
    'resolver by name',
    ['verify', '--resolver=localhost', 'example.org'],
    /server\[\] = localhost: expected an IP/,
  ],
  ['unknown option', ['verify', '--nonsense', 'example.org'], /Unknown option '--nonsense'/],
  ["another command's option", ['check', '--no-connect'], /Unknown option '--no-connect'/],
  ['a list and a domain', ['verify', '--file=-', 'example.org'], /--file, or domains/],
  [
    'a list that is not there',
    ['verify', '--file=/nowhere/list'],
    /--file \/nowhere\/list: ENOENT/,
  ],
  [
    'none beside each other',
    ['verify', '--concurrency=0', 'example.org'],
    /--concurrency 0: expected a whole number from 1 to 500/,
  ],
  [
    'a folder without dane.ini',
    ['verify', '--config=/nowhere', 'example.org'],
    /\/nowhere has no dane\.ini/,
  ],
  ['check without a folder', ['check', '--config=/nowhere'], /\/nowhere is not there/],
  ['policy without a domain', ['policy'], /a domain is needed/],
]
for (const [circumstance, args, wanted] of misuse) {
  test(`bad usage ends with 2 and says where help is: ${circumstance}`, async () => {
    const { code, stderr } = await runCommand(args)
    assert.equal(code, 2)
    assert.match(stderr, wanted)
    assert.match(stderr, /\nharaka-dane --help says what can be asked for$/m)
  })
}
