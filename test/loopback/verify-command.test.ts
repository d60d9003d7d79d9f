/** `haraka-dane verify` on every row of the gateways' tables: its verdict equals that of delivery. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { withLaboratory } from '../../lab/haraka.js'
import { createAuthority, startLaboratory, toDaneIni } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { readTable, tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import type { InsecureMx } from '../../src/policy.js'
import { COMMAND, parseReport, runCommand } from '../support/command.js'
import type { JsonReport, Ran } from '../support/command.js'

/** Mail may wait where DANE is wrong, and under mandatory where there is none. */
const VERDICT: ReadonlyMap<string, readonly string[]> = new Map([
  ['verified', ['verified']],
  ['fallback', ['no-dane']],
  ['defer', ['refused', 'no-dane']],
])

const HEADLINE: ReadonlyMap<string, string> = new Map([
  ['verified', 'DANE SUCCESS'],
  ['no-dane', 'NO DANE'],
  ['refused', 'DANE FAILED'],
])

describe('haraka-dane verify', () => {
  let laboratory: Laboratory
  let rows: readonly Row[]
  /** By domain: every row as JSON, with the settings of a relay that has its policy. */
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
      `--config=${laboratory.trusting}`,
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
      const outcome = found.mail[policy === 'mandatory' ? 'mandatory' : 'opportunistic']
      assert.equal(outcome.action, action, JSON.stringify(found))
      if (reason !== '') assert.equal(outcome.cause?.meaning, reason)
      const verdict = VERDICT.get(action)
      assert.ok(verdict?.includes(found.verdict), JSON.stringify(found))
    })

    // Both gateways see the same DNS, and the text is the same.
    if (source === 'esa') continue
    test(`${circumstance}: ${action}, step by step`, async (context) => {
      const row = rows[index]
      assert.ok(row)
      const { code, lines } = await run(row)
      context.diagnostic(lines.join('\n'))
      const words = VERDICT.get(action)?.map((verdict) => HEADLINE.get(verdict))
      const headline = lines.find((each) => /^(NO DANE|DANE [A-Z]+) for /.test(each))
      assert.ok(words?.includes(headline?.replace(/ for .*/, '')), lines.join('\n'))
      assert.equal(lines.at(-1), 'DANE verification completed.')
      assert.equal(code, action === 'verified' ? 0 : 1, lines.join('\n'))
      const wanted = {
        verified: /^Under \w+, mail is delivered to \S+, verified\.$/,
        fallback: /^Under \w+, mail is sent (without DANE|over TLS, unauthenticated): /,
        defer: new RegExp(`^Under \\w+, mail waits in the queue, .*${reason}`),
      }[action]
      const line = lines.find((each) => each.startsWith(`Under ${policy}, `)) ?? ''
      assert.match(line, wanted ?? /never/)
      const status = mx === 'bogus' ? 'BOGUS MX' : `${mx.toUpperCase()} MX`
      assert.ok(lines[0]?.startsWith(`${status} record`), lines.join('\n'))
    })
  }

  test("a verified domain in the gateways' wording and order", async () => {
    const row = rows.find(({ id }) => id === 'ddei-45')
    assert.ok(row)
    const host = row.hosts[0]?.name ?? ''
    const address = laboratory.hosts.get(host)?.address ?? ''
    const { lines } = await run(row)
    assert.deepEqual(
      lines.map((line) =>
        line
          .replace(/protocol \S+, cipher \S+\./, 'protocol PROTOCOL, cipher CIPHER.')
          .replace(/3 1 1 [0-9a-f]{16}\.\.\./, 'RECORD')
          .replace(/\b[0-9a-f]{64}\b/g, 'DIGEST')
          .replace(/\d{4}-\d\d-\d\d/g, 'DAY')
          .replace(/(took|TTL) \d+/, '$1 N'),
      ),
      [
        `SECURE MX record(${host}) found for ${row.domain}`,
        `MX(${host}) has preference 10.`,
        `SECURE A record (${address}) found for MX(${host}) in ${row.domain}`,
        `TLSA records at _${laboratory.smtpPort}._tcp.${host}: 1 usable, 0 not usable, TTL N s left.`,
        `Connecting to ${address} on port ${laboratory.smtpPort}.`,
        `Connected to ${address} from interface 127.0.0.1.`,
        `SECURE TLSA record found for MX(${host}) in ${row.domain}`,
        'Checking TLS connection.',
        'TLS connection established: protocol PROTOCOL, cipher CIPHER.',
        'Connection and handshake took N ms.',
        `Certificate 0: CN=${host}, names DNS:${host}, issued by CN=Laboratory CA, valid from DAY to DAY`,
        'Certificate 0 SHA2-256: DIGEST, public key DIGEST',
        ...(lines.some((line) => line.startsWith('Certificate 1:'))
          ? [
              'Certificate 1: CN=Laboratory CA, issued by CN=Laboratory CA, valid from DAY to DAY',
              'Certificate 1 SHA2-256: DIGEST, public key DIGEST',
            ]
          : []),
        'Certificate verification successful',
        'TLSA record RECORD matched at depth 0',
        `TLS connection succeeded ${row.domain}.`,
        `DANE SUCCESS for ${row.domain}`,
        `Under opportunistic, mail is delivered to ${host}, verified.`,
        `Under mandatory, mail is delivered to ${host}, verified.`,
        'Under audit or none, mail is sent as without this plugin.',
        'DANE verification completed.',
      ],
    )
  })

  test('no envelope is ever sent to a host, and every session ends with QUIT', () => {
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
  ['nothing', [], /no command given: expected verify, check,/],
  ['a domain without a command', ['example.org'], /no command given: did you mean verify example/],
  [
    'a misspelt command',
    ['verfiy', 'example.org'],
    /unknown command verfiy: did you mean verify\?/,
  ],
  [
    'an unknown command',
    ['deliver'],
    /unknown command deliver: expected verify, check, status, policy/,
  ],
  ['help for an unknown command', ['help', 'chekc'], /unknown command chekc: did you mean check\?/],
  [
    'a port that brings an option',
    ['verify', '--port=25\npolicy = none', 'example.org'],
    /--port 25\?policy = none: expected a whole/,
  ],
  [
    'a resolver that brings an option',
    ['verify', '--resolver=127.0.0.1\ntrust = yes', 'example.org'],
    /not a value of an option: 127\.0\.0\.1\?trust = yes/,
  ],
  ['no domain', ['verify'], /no domain given/],
  ['invalid domain name', ['verify', 'exa mple.org'], /not a domain name: exa mple\.org/],
  [
    'unknown policy',
    ['verify', '--policy=strict', 'example.org'],
    /--policy strict: expected opportunistic or mandatory/,
  ],
  [
    'port 0',
    ['verify', '--port=0', 'example.org'],
    /--port 0: expected a whole number from 1 to 65535/,
  ],
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
  ['a list and a domain', ['verify', '--file=-', 'example.org'], /give either --file or domains/],
  ['a missing list', ['verify', '--file=/nowhere/list'], /--file \/nowhere\/list: ENOENT/],
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
  ['check without a folder', ['check', '--config=/nowhere'], /\/nowhere does not exist/],
  ['policy without a domain', ['policy'], /no domain given/],
]
for (const [word, wanted] of [
  [['--help'], /^Usage: haraka-dane verify /],
  [['-h'], /^Usage: haraka-dane verify /],
  [['help'], /^Usage: haraka-dane verify /],
  [['help', 'cache'], /^Usage: haraka-dane cache show (?!.*--concurrency)/s],
  [['check', '--help'], /^Usage: haraka-dane check (?!.*--concurrency)/s],
  [['verify', '-h'], /^Usage: haraka-dane verify (?!.*--all)/s],
  [['--version'], /^\d+\.\d+\.\d+\n$/],
] as const) {
  test(`haraka-dane ${word.join(' ')}: an answer, and 0`, async () => {
    const { code, stdout, stderr } = await runCommand(word)
    assert.match(stdout, wanted)
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })
}

test('a bad dane.ini ends with 2 and says what to do, not how the command is used', async () => {
  const config = await mkdtemp(path.join(tmpdir(), 'dane-verify-bad-'))
  try {
    await writeFile(path.join(config, 'dane.ini'), 'policy = oportunistic\n')
    const { code, stderr } = await runCommand(['verify', '--config', config, 'example.org'])
    assert.equal(code, 2)
    assert.match(stderr, /^dane\.ini line 1: policy = oportunistic: expected one of/)
    assert.match(stderr, /\ndo: correct it, then run haraka-dane check; /)
    assert.doesNotMatch(stderr, /--help/)
  } finally {
    await rm(config, { recursive: true })
  }
})

test('a full disk behind the standard output: said, and 3', async () => {
  const { code, stderr } = await runCommand(['-c', `${COMMAND} --help > /dev/full`], {
    program: 'sh',
  })
  assert.match(stderr, /^the standard output cannot be written: .*ENOSPC/)
  assert.equal(code, 3)
})

for (const [circumstance, args, wanted] of misuse) {
  test(`bad usage ends with 2 and refers to --help: ${circumstance}`, async () => {
    const { code, stderr } = await runCommand(args)
    assert.equal(code, 2)
    assert.match(stderr, wanted)
    assert.match(stderr, /\nrun haraka-dane --help for usage$/m)
  })
}
