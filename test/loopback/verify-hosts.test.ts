/** `haraka-dane verify` on domains of several hosts and addresses, on lists, and with every option. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import { freePort } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { COMMAND, parseReport, runCommand } from '../support/command.js'
import type { JsonReport, Ran } from '../support/command.js'

const domainOf = (label: string): string => `${label}.${PLACE.signed}`
const hostOf = (label: string): string => `mx-${label}.${PLACE.signed}`
/** In the laboratory's range, and nothing listens there. */
const NOBODY = '127.0.249.1'

let laboratory: Laboratory
let common: readonly string[]
before(async () => {
  const started = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const make = async (
      label: string,
      options: Parameters<typeof destination>[3] = {},
      more: readonly string[] = [],
    ): Promise<Row> => {
      const { row } = await destination(port, authority, label, options)
      return { ...row, records: [...row.records, ...more] }
    }
    const mx = (label: string, preference: number, host: string): string =>
      `${domainOf(label)}. MX ${preference} ${hostOf(host)}.`
    const leaf = await authority.issue('unusable')
    const owner = `_${port}._tcp.${hostOf('unusable')}`
    return Promise.all([
      make('good'),
      make('good2'),
      make('wrong', { tlsa: 'wrong' }),
      make('plain', { tlsa: 'none' }),
      make('unsigned', { place: PLACE.unsigned }),
      make('silent', { host: { misbehavior: 'greeting-silence' } }),
      make('no-tls', { host: { misbehavior: 'no-starttls' } }),
      // Two hosts, each way round.
      make('both', {}, [mx('both', 20, 'good2')]),
      make('backup', {}, [mx('backup', 20, 'plain')]),
      make('equal', {}, [mx('equal', 10, 'plain')]),
      make('second', { tlsa: 'wrong' }, [mx('second', 20, 'good')]),
      // A second address: nobody there, or somebody else.
      make('half', {}, [`${hostOf('half')}. A ${NOBODY}`]),
      make('other', {}, [`${hostOf('other')}. A @ADDRESS:${hostOf('good')}@`]),
      make('down', { host: { isDown: true } }),
      make('unusable', { tlsa: 'none' }, [
        `${owner}. TLSA ${tlsaFor(1, 1, 1, leaf)}`,
        `${owner}. TLSA 3 1 9 ab`,
      ]),
      make('lame', { place: PLACE.lame }),
    ])
  })
  laboratory = started.laboratory
  const { unboundPort } = laboratory.names
  common = [`--resolver=127.0.0.1:${unboundPort}`, `--port=${laboratory.smtpPort}`]
})
after(() => laboratory.stop())

function verify(...args: readonly string[]): Promise<Ran> {
  return runCommand(['verify', ...common, ...args])
}

async function reportOf(label: string, ...args: readonly string[]): Promise<JsonReport> {
  const { lines } = await verify('--json', ...args, domainOf(label))
  assert.equal(lines.length, 1)
  return parseReport(lines[0] ?? '')
}

const connections = (label: string): number =>
  laboratory.hosts.get(hostOf(label))?.sessions.length ?? -1

test('every host is tried, though the first one is good', async () => {
  const before = [connections('both'), connections('good2')]
  const { code, lines } = await verify(domainOf('both'))
  assert.equal(code, 0, lines.join('\n'))
  assert.deepEqual([connections('both'), connections('good2')], [1, 1 + (before[1] ?? 0)])
  assert.ok(lines.includes(`Trying next MX record in ${domainOf('both')}`))
  assert.equal(lines.filter((line) => line === 'Certificate verification successful').length, 2)
})

test('every address is tried: one that nobody listens at fails the domain, not its mail', async () => {
  const { verdict, cause, mail, hosts } = await reportOf('half')
  assert.equal(verdict, 'failed')
  assert.equal(cause?.reason, 'connection-failed')
  assert.equal(cause.at, `${hostOf('half')} [${NOBODY}]`)
  assert.equal(mail.mandatory.action, 'verified')
  const outcomes = hosts.flatMap(({ addresses }) => addresses.map(({ outcome }) => outcome))
  assert.deepEqual(outcomes.toSorted(), ['failed', 'verified'])
})

test('every address is tried: one that shows another certificate fails the domain', async () => {
  const { code, lines } = await verify(domainOf('other'))
  assert.equal(code, 1)
  const next = lines.find((line) => line.startsWith('Trying next A record ('))
  assert.match(next ?? '', /^Trying next A record \(127\.\S+\) for MX\(mx-other\.signed\.example\)/)
  const reason = lines.find((line) => line.startsWith('Reason: ')) ?? ''
  assert.match(reason, /^Reason: mx-other\S+ \[127\.\S+\]: server certificate not trusted/)
  assert.ok(lines.includes(`DANE FAILED for ${domainOf('other')}`))
})

const domains: readonly (readonly [
  circumstance: string,
  label: string,
  code: number,
  verdict: string,
  reason: string | undefined,
  opportunistic: string,
  mandatory: string,
])[] = [
  ['verified', 'good', 0, 'verified', undefined, 'verified', 'verified'],
  [
    'a certificate that does not match',
    'wrong',
    1,
    'failed',
    'certificate-mismatch',
    'defer',
    'defer',
  ],
  ['no TLSA record', 'plain', 1, 'failed', 'no-tlsa-record', 'fallback', 'defer'],
  ['no STARTTLS', 'no-tls', 1, 'failed', 'starttls-not-offered', 'defer', 'defer'],
  ['nobody listens', 'down', 1, 'failed', 'connection-failed', 'defer', 'defer'],
  ['no usable TLSA record', 'unusable', 1, 'failed', 'tlsa-unusable', 'fallback', 'defer'],
  ['a backup without DANE', 'backup', 1, 'failed', 'no-tlsa-record', 'verified', 'verified'],
  ['an equal without DANE', 'equal', 1, 'failed', 'no-tlsa-record', 'fallback', 'verified'],
  [
    'only the second host matches',
    'second',
    1,
    'failed',
    'certificate-mismatch',
    'verified',
    'verified',
  ],
  ['no such domain', 'nobody', 1, 'failed', 'no-such-domain', 'return', 'return'],
]
for (const [circumstance, label, code, verdict, reason, opportunistic, mandatory] of domains) {
  test(`${circumstance}: ${verdict}, code ${code}`, async () => {
    const ran = await verify('--json', domainOf(label))
    const report = parseReport(ran.stdout)
    assert.equal(report.verdict, verdict, ran.stdout)
    assert.equal(report.cause?.reason, reason)
    const actions = [report.mail.opportunistic.action, report.mail.mandatory.action]
    assert.deepEqual(actions, [opportunistic, mandatory])
    assert.equal(ran.code, code)
  })
}

test('a backup without DANE is what a blocked first host exposes mail to, unless DANE is mandatory', async () => {
  const { mail } = await reportOf('backup')
  assert.equal(mail.opportunistic.exposure?.at, hostOf('backup').replace('backup', 'plain'))
  assert.equal(mail.opportunistic.exposure.reason, 'no-tlsa-record')
  assert.equal(mail.mandatory.exposure, null)
  const { lines } = await verify(domainOf('backup'))
  assert.ok(
    lines.some((line) => /But whoever blocks better hosts .* mx-plain/.test(line)),
    lines.join('\n'),
  )
})

test('records that are not used are told with the reason', async () => {
  const { hosts } = await reportOf('unusable')
  const reasons = hosts[0]?.tlsa.records.map(({ unusable }) => unusable)
  assert.deepEqual(reasons?.toSorted(), ['pkix-usage', 'unknown-matching-type'])
  const { lines } = await verify(domainOf('unusable'))
  assert.ok(lines.includes('TLSA record 3 1 9 ab is not used: unknown-matching-type'))
})

test('a zone whose servers do not answer: 3', async () => {
  const { code, lines } = await verify('--timeout=2s', `lame.${PLACE.lame}`)
  assert.equal(code, 3, lines.join('\n'))
  assert.ok(lines.includes('This could not be determined: the lookup failed.'))
})

test('no resolver there: 3, and its address', async () => {
  const port = await freePort()
  const { code, lines } = await runCommand([
    'verify',
    `--resolver=127.0.0.1:${port}`,
    'example.org',
  ])
  assert.equal(code, 3)
  const reason = lines.find((line) => line.startsWith('Reason: ')) ?? ''
  assert.match(reason, new RegExp(`no validating resolver.*127\\.0\\.0\\.1:${port} fails`))
})

test('one that is wrong outweighs one that could not be determined: 1', async () => {
  const { code, lines } = await verify(
    '--timeout=2s',
    '--json',
    domainOf('wrong'),
    `lame.${PLACE.lame}`,
  )
  assert.deepEqual(
    lines.map((line) => parseReport(line).verdict),
    ['failed', 'undetermined'],
  )
  assert.equal(code, 1)
})

test('a silent host is given up after --timeout', async () => {
  const startedAt = Date.now()
  const { code, lines } = await verify('--timeout=500ms', domainOf('silent'))
  assert.equal(code, 1)
  assert.ok(
    lines.some((line) => line.includes('no answer within 500 ms')),
    lines.join('\n'),
  )
  assert.ok(Date.now() - startedAt < 10_000)
})

test('--no-connect: what DNS says, no connection, and no claim about certificates', async () => {
  const before = connections('good')
  const { code, lines } = await verify('--no-connect', domainOf('good'))
  assert.equal(code, 0)
  assert.equal(connections('good'), before)
  assert.ok(
    lines.includes(`DANE SUCCESS for ${domainOf('good')} by DNS; certificates were not checked`),
  )
  assert.ok(lines.some((line) => /delivered to \S+ if its certificate matches/.test(line)))
  assert.equal((await reportOf('good', '--no-connect')).verdict, 'published')
  // DNS alone shows what is missing, not what does not match.
  assert.equal((await reportOf('plain', '--no-connect')).verdict, 'failed')
  assert.equal((await reportOf('wrong', '--no-connect')).verdict, 'published')
})

test('--debug: queries, responses and TTLs on the standard error alone', async () => {
  const { stdout, stderr } = await verify('--debug', domainOf('good'))
  const port = laboratory.names.unboundPort
  assert.match(stderr, new RegExp(`^query MX ${domainOf('good')} to 127\\.0\\.0\\.1:${port}$`, 'm'))
  assert.match(
    stderr,
    new RegExp(`^response MX ${domainOf('good')}: SECURE ttl=\\d+ 10 ${hostOf('good')}$`, 'm'),
  )
  assert.match(stderr, /^response TLSA _\d+\._tcp\.\S+ SECURE ttl=\d+ 3 1 1 /m)
  assert.doesNotMatch(stdout, /^(query|response)/m)
})

async function configFolder(name: string, daneIni: string): Promise<string> {
  const folder = path.join(laboratory.folder, name)
  await mkdir(folder)
  await writeFile(path.join(folder, 'dane.ini'), daneIni)
  return folder
}

const settingsOf = (): string =>
  `port = ${laboratory.smtpPort}
[resolver]
server[] = 127.0.0.1:${laboratory.names.unboundPort}
[domains]
${domainOf('plain')} = mandatory
.${PLACE.unsigned} = none
`

test("--config: the relay's resolver, port and [domains], with the line; options go before them", async () => {
  const folder = await configFolder('relay-settings', settingsOf())
  const run = async (...args: readonly string[]): Promise<JsonReport['policy']> => {
    const { stdout } = await runCommand(['verify', '--json', `--config=${folder}`, ...args])
    return parseReport(stdout).policy
  }
  const usual = {
    inForce: 'opportunistic',
    judgedAs: 'opportunistic',
    source: 'default',
    line: null,
  }
  assert.deepEqual(await run(domainOf('good')), usual)
  const mandatory = { inForce: 'mandatory', judgedAs: 'mandatory', source: 'line', line: 5 }
  assert.deepEqual(await run(domainOf('plain')), mandatory)
  const none = { inForce: 'none', judgedAs: 'opportunistic', source: 'line', line: 6 }
  assert.deepEqual(await run(`unsigned.${PLACE.unsigned}`), none)
  const given = { ...usual, source: 'command' }
  assert.deepEqual(await run('--policy=opportunistic', domainOf('plain')), given)

  const { code, lines } = await runCommand(['verify', `--config=${folder}`, domainOf('plain')])
  assert.equal(code, 1)
  const force = `In force for ${domainOf('plain')} is mandatory, by dane.ini line 5 (${domainOf('plain')} = mandatory).`
  assert.ok(lines.includes(force), lines.join('\n'))
  const elsewhere = [`--config=${folder}`, `--resolver=127.0.0.1:${await freePort()}`]
  assert.equal((await runCommand(['verify', ...elsewhere, domainOf('good')])).code, 3)
})

test('--config: insecure_mx of dane.ini decides about an unsigned MX record', async () => {
  const dane = await configFolder('mx-dane', `insecure_mx = dane\n${settingsOf()}`)
  const may = await configFolder('mx-may', `insecure_mx = may\n${settingsOf()}`)
  for (const folder of [dane, may]) {
    const { stdout } = await runCommand([
      'verify',
      '--json',
      `--config=${folder}`,
      domainOf('good'),
    ])
    assert.match(stdout, new RegExp(`"insecureMx":"${folder === may ? 'may' : 'dane'}"`))
  }
})

const LIST = `# a list
${domainOf('wrong')}   # with a comment

${domainOf('good')}
no domain at all
${domainOf('good')}
\u001b[31mred
${domainOf('plain')}`

test('--file: a table sorted by domain, totals, and lines that are no domain with their number', async () => {
  const file = path.join(laboratory.folder, 'list')
  await writeFile(file, LIST)
  const { code, lines, stderr } = await verify(`--file=${file}`)
  assert.equal(code, 1)
  assert.deepEqual(
    lines.slice(0, 5).map((line) => line.split(/\s{2,}/).slice(0, 6)),
    [
      ['DOMAIN', 'VERDICT', 'POLICY', 'OPPORTUNISTIC', 'MANDATORY', 'REASON'],
      [domainOf('good'), 'verified', 'opportunistic', 'verified', 'verified', '-'],
      [domainOf('plain'), 'failed', 'opportunistic', 'fallback', 'defer', 'no-tlsa-record'],
      [domainOf('wrong'), 'failed', 'opportunistic', 'defer', 'defer', 'certificate-mismatch'],
      [''],
    ],
  )
  assert.deepEqual(lines.slice(5), [
    '3 domains: 2 failed, 1 verified',
    '  1 no-tlsa-record (no TLSA record)',
    '  1 certificate-mismatch (server certificate not trusted)',
    '2 lines were not understood and left out',
  ])
  assert.equal(
    stderr,
    'line 5: not a domain name: no domain at all\nline 7: not a domain name: ?[31mred\n',
  )
})

test('--file - reads the standard input, and a bad line alone keeps the code from 0', async () => {
  const good = await runCommand(['verify', ...common, '--file=-'], {
    input: `${domainOf('good')}\r\n`,
  })
  assert.equal(good.code, 0, good.stdout)
  const bad = await runCommand(['verify', ...common, '--file=-'], {
    input: `-x-.\n${domainOf('good')}\n*`,
  })
  assert.equal(bad.code, 1)
  const empty = await runCommand(['verify', ...common, '--file=-'])
  assert.equal(empty.code, 0)
  assert.match(empty.stdout, /^0 domains: none$/m)
})

test('an address is connected to once for many domains', async () => {
  const before = connections('good2')
  const { code } = await verify('--json', domainOf('both'), domainOf('good2'), domainOf('both'))
  assert.equal(code, 0)
  assert.equal(connections('good2'), before + 1)
})

test('no color but on a terminal, and not there with NO_COLOR', async () => {
  const escape = '\u001b'
  const piped = await verify(domainOf('good'))
  assert.ok(!piped.stdout.includes(escape))
  const command = [COMMAND, 'verify', ...common, domainOf('good')].join(' ')
  const onTerminal = (env: Record<string, string>): Promise<Ran> =>
    runCommand(['-qec', command, '/dev/null'], {
      program: 'script',
      env: { TERM: 'xterm', ...env },
    })
  const painted = `${escape}[32mDANE SUCCESS${escape}[39m for `
  const colorful = await onTerminal({ NO_COLOR: '' })
  assert.ok(colorful.stdout.includes(painted), colorful.stdout)
  const plain = await onTerminal({ NO_COLOR: '1' })
  assert.match(plain.stdout, /^DANE SUCCESS for /m)
  assert.ok(!plain.stdout.includes(escape))
})

test('--file on a terminal: progress, then the table in colors', async () => {
  const file = path.join(laboratory.folder, 'short-list')
  await writeFile(file, [domainOf('good'), domainOf('wrong')].join('\n'))
  const command = [COMMAND, 'verify', ...common, `--file=${file}`].join(' ')
  const { stdout } = await runCommand(['-qec', command, '/dev/null'], {
    program: 'script',
    env: { TERM: 'xterm', NO_COLOR: '' },
  })
  assert.match(stdout, /\r1 domains done\r2 domains done\r/)
  assert.ok(stdout.includes('\u001b[32mverified'), stdout)
  assert.ok(stdout.includes('\u001b[31mfailed'), stdout)
})
