/** `haraka-dane verify` on domains of several hosts and addresses, on lists, and with every option. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { mint, tlsaFor } from '../../lab/certificates.js'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { COMMAND, parseReport, runCommand } from '../support/command.js'
import type { JsonReport, Ran } from '../support/command.js'

const domainOf = (label: string): string => `${label}.${PLACE.signed}`
const hostOf = (label: string): string => `mx-${label}.${PLACE.signed}`
/** An address in the laboratory's range where nothing listens. */
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
      ...(['greeting', 'ehlo', 'starttls', 'handshake'] as const).map((what) =>
        make(`dribble-${what}`, { host: { misbehavior: `dribble-${what}` } }),
      ),
      make('no-tls', { host: { misbehavior: 'no-starttls' } }),
      // Two hosts, in both orders.
      make('both', {}, [mx('both', 20, 'good2')]),
      make('backup', {}, [mx('backup', 20, 'plain')]),
      make('equal', {}, [mx('equal', 10, 'plain')]),
      make('second', { tlsa: 'wrong' }, [mx('second', 20, 'good')]),
      // A second address: nothing listens, or another host.
      make('half', {}, [`${hostOf('half')}. A ${NOBODY}`]),
      make('other', {}, [`${hostOf('other')}. A @ADDRESS:${hostOf('good')}@`]),
      make('down', { host: { isDown: true } }),
      make('down2', { host: { isDown: true } }),
      make('six', { hasIpv6Host: true }),
      make(
        'soon',
        {
          tlsa: 'none',
          host: {
            chain: {
              leaf: await mint({
                subject: `CN=${hostOf('soon')}`,
                names: [hostOf('soon')],
                issuer: authority.ca,
                notAfter: new Date(Date.now() + 2.5 * 86_400_000),
              }),
              others: [authority.ca],
            },
          },
        },
        [`_${port}._tcp.${hostOf('soon')}. TLSA ${tlsaFor(2, 1, 1, authority.ca)}`],
      ),
      make('null', {}, []).then((row) => ({
        ...row,
        records: [`${domainOf('null')}. MX 0 .`],
      })),
      make('unusable', { tlsa: 'none' }, [
        `${owner}. TLSA ${tlsaFor(1, 1, 1, leaf)}`,
        `${owner}. TLSA 3 1 9 ab`,
      ]),
      make('lame', { place: PLACE.lame }),
    ])
  })
  laboratory = started.laboratory
  const { unboundPort } = laboratory.names
  common = [
    `--config=${laboratory.trusting}`,
    `--resolver=127.0.0.1:${unboundPort}`,
    `--port=${laboratory.smtpPort}`,
  ]
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

test('every host is tried, even if the first one is good', async () => {
  const before = [connections('both'), connections('good2')]
  const { code, lines } = await verify(domainOf('both'))
  assert.equal(code, 0, lines.join('\n'))
  assert.deepEqual([connections('both'), connections('good2')], [1, 1 + (before[1] ?? 0)])
  assert.ok(lines.includes(`Trying next MX record in ${domainOf('both')}`))
  assert.equal(lines.filter((line) => line === 'Certificate verification successful').length, 2)
})

test('every address is tried: one where nothing listens leaves the domain undetermined, not its mail', async () => {
  const { verdict, cause, mail, hosts } = await reportOf('half')
  assert.equal(verdict, 'undetermined')
  assert.equal(cause?.reason, 'connection-failed')
  assert.equal(cause.at, `${hostOf('half')} [${NOBODY}]`)
  assert.equal(mail.mandatory.action, 'verified')
  const outcomes = hosts.flatMap(({ addresses }) => addresses.map(({ outcome }) => outcome))
  assert.deepEqual(outcomes.toSorted(), ['failed', 'verified'])
})

test('every address is tried: one with a different certificate fails the domain', async () => {
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
    'refused',
    'certificate-mismatch',
    'defer',
    'defer',
  ],
  ['no TLSA record', 'plain', 1, 'no-dane', 'no-tlsa-record', 'fallback', 'defer'],
  ['no STARTTLS', 'no-tls', 1, 'refused', 'starttls-not-offered', 'defer', 'defer'],
  ['connection refused', 'down', 3, 'undetermined', 'connection-failed', 'defer', 'defer'],
  ['no usable TLSA record', 'unusable', 1, 'no-dane', 'tlsa-unusable', 'fallback', 'defer'],
  ['a backup without DANE', 'backup', 1, 'no-dane', 'no-tlsa-record', 'verified', 'verified'],
  ['an equal without DANE', 'equal', 1, 'no-dane', 'no-tlsa-record', 'fallback', 'verified'],
  [
    'only the second host matches',
    'second',
    1,
    'refused',
    'certificate-mismatch',
    'verified',
    'verified',
  ],
  ['no such domain', 'nobody', 1, 'refused', 'no-such-domain', 'return', 'return'],
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

test('a backup without DANE exposes mail if the first host is blocked, unless DANE is mandatory', async () => {
  const { mail } = await reportOf('backup')
  assert.equal(mail.opportunistic.exposure?.at, hostOf('backup').replace('backup', 'plain'))
  assert.equal(mail.opportunistic.exposure.reason, 'no-tlsa-record')
  assert.equal(mail.mandatory.exposure, null)
  const { lines } = await verify(domainOf('backup'))
  assert.ok(
    lines.some((line) => /But an attacker who blocks the preferred hosts .* mx-plain/.test(line)),
    lines.join('\n'),
  )
})

test('--host: one mail host, without MX records', async () => {
  const { code, lines } = await verify(`--host=${hostOf('good')}`)
  assert.equal(code, 0, lines.join('\n'))
  assert.doesNotMatch(lines.join('\n'), /MX record/)
  assert.ok(lines.includes(`DANE SUCCESS for ${hostOf('good')}`), lines.join('\n'))
  const wrong = await verify('--json', `--host=${hostOf('wrong')}`, `--host=${hostOf('plain')}`)
  assert.equal(wrong.code, 1)
  const verdicts = wrong.lines.map((line) => parseReport(line).verdict)
  assert.deepEqual(verdicts, ['refused', 'no-dane'])
  assert.equal((await verify(`--host=${hostOf('good')}`, domainOf('good'))).code, 2)
})

test('what a host showed, whole, also where it was refused', async () => {
  const { stdout } = await verify('--json', domainOf('wrong'))
  parseReport(stdout)
  assert.match(stdout, /"certificates":\[\{"depth":0,"size":\d+,"subject":"CN=mx-wrong\./)
  assert.match(stdout, /"issuer":"CN=Laboratory CA"/)
  assert.match(stdout, /"publicKey":\{"sha256":"[0-9a-f]{64}","sha512":"[0-9a-f]{128}"\}/)
  assert.match(stdout, /"ttl":\d+/)
})

test('a certificate that expires soon: said under DANE-TA(2), where dates count', async () => {
  const { lines } = await verify(domainOf('soon'))
  assert.ok(
    lines.some((line) =>
      /^Certificate 0 expires in 2 days \(\d{4}-\d\d-\d\d\): then the DANE-TA\(2\) record/.test(
        line,
      ),
    ),
    lines.join('\n'),
  )
  const { stdout } = await verify('--json', domainOf('soon'))
  assert.match(stdout, /"expiring":\{"depth":0,"notAfter":"/)
})

test('unused records are listed with the reason', async () => {
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

test('nobody listens: undetermined, what that means, and what becomes of mail', async () => {
  const { code, lines } = await verify(domainOf('down'))
  assert.equal(code, 3, lines.join('\n'))
  assert.ok(lines.includes(`DANE UNDETERMINED for ${domainOf('down')}`), lines.join('\n'))
  const meaning =
    'This could not be determined: there is no connection from this machine to the host.'
  assert.ok(lines.includes(meaning), lines.join('\n'))
  assert.ok(lines.some((line) => line.startsWith('Under opportunistic, mail waits in the queue')))
})

test('the hosts of several domains cannot be reached: the network is suspected, once', async () => {
  const { stderr } = await verify('--json', domainOf('down'), domainOf('down2'))
  const port = laboratory.smtpPort
  const hint = `None of the hosts of 2 domains could be reached: does this network block outgoing connections to port ${port}?`
  assert.ok(stderr.startsWith(hint), stderr)
  for (const more of [[domainOf('down')], [domainOf('down'), domainOf('good')]]) {
    assert.equal((await verify('--json', ...more)).stderr, '')
  }
})

test('no usable TLSA record: mail is sent over TLS, which is not nothing', async () => {
  const { lines } = await verify(domainOf('unusable'))
  assert.ok(
    lines.some((line) =>
      /^Under opportunistic, mail is sent over TLS, unauthenticated: .*tlsa-unusable/.test(line),
    ),
    lines.join('\n'),
  )
})

test('a null MX record, an IPv6 address: named as what they are', async () => {
  const { lines } = await verify(domainOf('null'))
  assert.equal(lines[0], `Null MX record found for ${domainOf('null')}`)
  const six = await verify(domainOf('six'))
  assert.ok(
    six.lines.includes(
      `SECURE AAAA record (::1) found for MX(mx6-six.${PLACE.signed}) in ${domainOf('six')}`,
    ),
    six.stdout,
  )
  assert.doesNotMatch(six.stdout, /\bA record \(::1\)/)
})

test("without --config: ./config, as all commands do, if it is a relay's", async () => {
  const home = path.join(laboratory.folder, 'relay-home')
  await mkdir(path.join(home, 'config'), { recursive: true })
  await writeFile(path.join(home, 'config/dane.ini'), settingsOf())
  const run = (cwd: string): Promise<Ran> =>
    runCommand(['verify', '--json', '--timeout=1s', domainOf('plain')], { cwd })
  assert.equal(parseReport((await run(home)).stdout).policy.line, 6)
  assert.equal(parseReport((await run(laboratory.folder)).stdout).policy.source, 'default')
})

test('Ctrl-C ends a list with what is done, and 130', { timeout: 60_000 }, async () => {
  const file = path.join(laboratory.folder, 'long-list')
  await writeFile(file, [domainOf('good'), domainOf('silent')].join('\n'))
  const args = ['verify', ...common, '--timeout=60s', `--file=${file}`]
  const before = connections('silent')
  const child = spawn(COMMAND, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const out: string[] = []
    const err: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text))
    await until('both hosts', () => connections('silent') > before)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    child.kill('SIGINT')
    const code = await new Promise((resolve) => child.on('close', resolve))
    assert.equal(code, 130, err.join(''))
    assert.match(out.join(''), new RegExp(`^${domainOf('good')} +verified `, 'm'))
    assert.match(err.join(''), /^interrupted: 1 domains done$/m)
  } finally {
    child.kill('SIGKILL')
  }
})

test('no resolver answers: 3, and its address', async () => {
  const port = await freePort()
  const { code, lines } = await runCommand([
    'verify',
    `--config=${laboratory.trusting}`,
    `--resolver=127.0.0.1:${port}`,
    'example.org',
  ])
  assert.equal(code, 3)
  const reason = lines.find((line) => line.startsWith('Reason: ')) ?? ''
  assert.match(reason, new RegExp(`no validating resolver.*127\\.0\\.0\\.1:${port} fails`))
})

test('a wrong domain outranks an undetermined one: 1', async () => {
  const { code, lines } = await verify(
    '--timeout=2s',
    '--json',
    domainOf('wrong'),
    `lame.${PLACE.lame}`,
  )
  assert.deepEqual(
    lines.map((line) => parseReport(line).verdict),
    ['refused', 'undetermined'],
  )
  assert.equal(code, 1)
})

test('a silent host is abandoned after --timeout', async () => {
  const { code, lines } = await verify('--timeout=500ms', domainOf('silent'))
  assert.equal(code, 1)
  assert.ok(
    lines.some((line) => line.includes('no answer within 500 ms')),
    lines.join('\n'),
  )
})

for (const what of ['greeting', 'ehlo', 'starttls', 'handshake'] as const) {
  test(`a host that sends single octets of its ${what} is abandoned after --timeout`, async () => {
    const { code, lines } = await verify('--timeout=1s', domainOf(`dribble-${what}`))
    assert.equal(code, 1)
    assert.ok(
      lines.some((line) => line.includes('no answer within 1000 ms')),
      lines.join('\n'),
    )
  })
}

test('contradictory TLS options of Node: reported for the host, no exception', async () => {
  const args = ['verify', ...common, domainOf('good')]
  const env = { NODE_OPTIONS: '--tls-cipher-list=NO-SUCH-CIPHER' }
  const { code, stdout, stderr } = await runCommand(args, { env })
  assert.equal(code, 1)
  assert.match(stdout, /no cipher match/)
  assert.match(
    stderr,
    /^tls\.ini in .*: no TLS handshake is possible with it \(.*no cipher match\)/,
  )
})

test('--no-connect: DNS results, no connection, and no statement about certificates', async () => {
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
  assert.equal((await reportOf('plain', '--no-connect')).verdict, 'no-dane')
  assert.equal((await reportOf('wrong', '--no-connect')).verdict, 'published')
})

test('--debug: queries, responses and TTLs on standard error only', async () => {
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
trust = yes
server[] = 127.0.0.1:${laboratory.names.unboundPort}
[domains]
${domainOf('plain')} = mandatory
.${PLACE.unsigned} = none
`

test("--config: the relay's resolver, port and [domains], with the line; options override them", async () => {
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
  const mandatory = { inForce: 'mandatory', judgedAs: 'mandatory', source: 'line', line: 6 }
  assert.deepEqual(await run(domainOf('plain')), mandatory)
  const none = { inForce: 'none', judgedAs: 'opportunistic', source: 'line', line: 7 }
  assert.deepEqual(await run(`unsigned.${PLACE.unsigned}`), none)
  const given = { ...usual, source: 'command' }
  assert.deepEqual(await run('--policy=opportunistic', domainOf('plain')), given)

  const { code, lines } = await runCommand(['verify', `--config=${folder}`, domainOf('plain')])
  assert.equal(code, 1)
  const force = `The policy in force for ${domainOf('plain')} is mandatory, by dane.ini line 6 (${domainOf('plain')} = mandatory).`
  assert.ok(lines.includes(force), lines.join('\n'))
  const elsewhere = [`--config=${folder}`, `--resolver=127.0.0.1:${await freePort()}`]
  assert.equal((await runCommand(['verify', ...elsewhere, domainOf('good')])).code, 3)
})

test('--config: insecure_mx of dane.ini applies to an unsigned MX record', async () => {
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

test('--file: a table sorted by domain, totals, and invalid lines with their number', async () => {
  const file = path.join(laboratory.folder, 'list')
  await writeFile(file, LIST)
  const { code, lines, stderr } = await verify(`--file=${file}`)
  assert.equal(code, 1)
  assert.deepEqual(
    lines.slice(0, 5).map((line) => line.split(/\s{2,}/).slice(0, 6)),
    [
      ['DOMAIN', 'VERDICT', 'POLICY', 'OPPORTUNISTIC', 'MANDATORY', 'REASON'],
      [domainOf('good'), 'verified', 'opportunistic', 'verified', 'verified', '-'],
      [domainOf('plain'), 'no-dane', 'opportunistic', 'fallback', 'defer', 'no-tlsa-record'],
      [domainOf('wrong'), 'refused', 'opportunistic', 'defer', 'defer', 'certificate-mismatch'],
      [''],
    ],
  )
  assert.deepEqual(lines.slice(5), [
    '3 domains: 1 no-dane, 1 refused, 1 verified',
    'mail under opportunistic: 1 defer, 1 fallback, 1 verified',
    'mail under mandatory: 2 defer, 1 verified',
    '  1 certificate-mismatch (server certificate not trusted)',
    '  1 no-tlsa-record (no TLSA record)',
    '2 lines were not domain names and were skipped',
  ])
  assert.equal(
    stderr,
    'line 5: not a domain name: no domain at all\nline 7: not a domain name: ?[31mred\n',
  )
})

test('--file - reads standard input, and a single invalid line makes the code non-zero', async () => {
  const good = await runCommand(['verify', ...common, '--file=-'], {
    input: `${domainOf('good')}\r\n`,
  })
  assert.equal(good.code, 0, good.stdout)
  const bad = await runCommand(['verify', ...common, '--file=-'], {
    input: `-x-.\n${domainOf('good')}\n*`,
  })
  assert.equal(bad.code, 1)
  const empty = await runCommand(['verify', ...common, '--file=-'])
  assert.equal(empty.code, 2)
  assert.match(empty.stderr, /^the list has no domain$/m)
})

test('one connection per address for many domains', async () => {
  const before = connections('good2')
  const { code } = await verify('--json', domainOf('both'), domainOf('good2'), domainOf('both'))
  assert.equal(code, 0)
  assert.equal(connections('good2'), before + 1)
})

test('colors only on a terminal, and not with NO_COLOR', async () => {
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
  assert.match(stdout, /\r1 of 2 domains done\r2 of 2 domains done\r/)
  assert.ok(stdout.includes('\u001b[32mverified'), stdout)
  assert.ok(stdout.includes('\u001b[31mrefused'), stdout)
})
