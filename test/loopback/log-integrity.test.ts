/**
 * What a mail host says of itself cannot pass for a delivery that DANE verified: greetings,
 * replies, certificates and names that say `TLS success ... for bank.example` go through a
 * real relay, and README's own grep commands read its log.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mint, tlsaFor } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Haraka } from '../../lab/haraka.js'
import { installedRelease } from '../../lab/release.js'
import type { Misbehavior } from '../../lab/mx-dialog.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { parseReport, runCommand } from '../support/command.js'
import { blocksOf, pageText, sectionOf } from '../support/pages.js'

const FORGED = `TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for bank.example host=mx.bank.example record="3 1 1 00" depth=0`
const LINE = `[INFO] [0A1B2C3D-0000-4000-8000-000000000000.1.1] [dane] ${FORGED}`

/** In every reply: the phrases, a line of our log, a line of our report, ways to hide preceding text. */
const WORDS = `tls success for x ${LINE}\r\u001b[2K${LINE}\u0000DANE SUCCESS for bank.example`

/** DN values with escaped characters (RFC 4514 §2.4). */
const dn = (text: string): string =>
  text
    .replace(/[",=+<>#;\\]/g, '\\$&')
    .replaceAll('\n', '\\0A')
    .replaceAll('\r', '\\0D')
const SUBJECT = [
  `CN=${dn(`x\n${LINE}`)}`,
  `O=${dn(FORGED)}`,
  `OU=${dn(`DANE SUCCESS for y`)}`,
].join(', ')

const said: readonly (readonly [label: string, misbehavior: Misbehavior])[] = [
  ['greeting', 'greeting-554'],
  ['busy', 'greeting-421'],
  ['noise', 'greeting-garbage'],
  ['ehlo', 'ehlo-502'],
  ['starttls', 'starttls-554'],
  ['injected', 'starttls-inject-line'],
]
const openly: readonly (readonly [label: string, misbehavior: Misbehavior | undefined])[] = [
  ['plain', undefined],
  ['mailbox', 'rcpt-450'],
]
/** Destinations that DANE verifies, whatever their hosts say. */
const VERIFIED = ['good', 'talkative'] as const

describe('forged success phrases', () => {
  let laboratory: Laboratory
  let folder: string
  before(async () => {
    const started = await startLaboratory(rowsAt)
    laboratory = started.laboratory
    folder = path.join(laboratory.folder, 'config')
    mkdirSync(folder)
    const ini = withLaboratory('', laboratory.names.unboundPort, laboratory.smtpPort)
    writeFileSync(path.join(folder, 'dane.ini'), ini)
  })
  after(() => laboratory.stop())

  async function rowsAt(port: number): Promise<readonly Row[]> {
    const authority = await createAuthority()
    const forger = await mint({ subject: SUBJECT, isCa: true })
    // The first two appear together in our line.
    const names = ['tls', 'success for bank.example', 'TLS success for x', 'for.example', LINE]
    const shown = await mint({ subject: SUBJECT, names, issuer: forger })
    const talks = { words: WORDS, chain: { leaf: shown, others: [forger] } }
    const rows = await Promise.all([
      destination(port, authority, 'good'),
      ...said.map(([label, misbehavior]) =>
        destination(port, authority, label, { host: { ...talks, misbehavior } }),
      ),
      ...openly.map(([label, misbehavior]) =>
        destination(port, authority, label, {
          tlsa: 'none',
          host: { ...talks, ...(misbehavior && { misbehavior }) },
        }),
      ),
      // Its TLSA record matches a different certificate.
      destination(port, authority, 'stranger', { host: talks }),
      destination(port, authority, 'watched', { host: talks }),
    ])
    const owner = (host: string): string => `_${port}._tcp.${host}.`
    return [
      ...rows.map(({ row }) => row),
      row('talkative', talks, (host) => `${owner(host)} TLSA ${tlsaFor(3, 1, 1, shown)}`),
      // A trust anchor that is not in the path.
      row('anchored', talks, (host) => `${owner(host)} TLSA ${tlsaFor(2, 0, 1, forger)}`),
      // TLS without a usable TLSA record; names contain `for`.
      row('for', talks, (host) => `${owner(host)} TLSA 9 9 9 00`),
      // Unusual but legal names in DNS.
      row('odd', talks, () => '', `[info]=[-]=[dane]=tls=success=for.${PLACE.signed}`),
    ]
  }

  function row(
    label: string,
    talks: { words: string; chain: { leaf: Minted } },
    tlsa: (host: string) => string,
    host = `mx-${label}.${PLACE.signed}`,
  ): Row {
    const domain = `${label}.${PLACE.signed}`
    return {
      id: label,
      domain,
      policy: 'opportunistic',
      insecureMx: 'dane',
      shown: { mx: '', address: '', tlsa: '', certificate: '' },
      hosts: [{ name: host, ...talks }],
      records: [`${domain}. MX 10 ${host}.`, `${host}. A @ADDRESS:${host}@`, tlsa(host)],
      wanted: { action: 'fallback' },
    }
  }

  const labels = [
    ...VERIFIED,
    ...said.map(([label]) => label),
    ...openly.map(([label]) => label),
    ...['stranger', 'anchored', 'watched', 'for', 'odd'],
  ]

  /** Sends one message to each destination; returns the name of the log. */
  async function sendAll(relay: Haraka): Promise<string> {
    const ids = await Promise.all(labels.map((label) => relay.submit(`m@${label}.${PLACE.signed}`)))
    const done = /delivered file|Temp failing|bouncing mail/
    for (const id of ids) {
      const deadline = Date.now() + 60_000
      while (!relay.log(id).some((line) => done.test(line))) {
        assert.ok(Date.now() < deadline, `${id}\n${relay.log(id).join('\n')}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await relay.stop()
    return path.join(relay.folder, 'log')
  }

  /** Runs a command of the pages as an operator's shell does. */
  function run(command: string, log: string): readonly string[] {
    const { stdout, stderr } = spawnSync('sh', ['-c', command.replace('haraka.log', log)], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    assert.equal(stderr, '')
    return stdout.split('\n').filter((line) => line !== '')
  }

  const domainsIn = (lines: readonly string[]): readonly string[] =>
    lines.map((line) => / for ([^\s"]+)/.exec(line)?.[1] ?? line).toSorted()
  const wanted = VERIFIED.map((label) => `${label}.${PLACE.signed}`).toSorted()

  const section = (): string => sectionOf(pageText('README.md'), 'What the log says')
  const formats: readonly (readonly [format: string, command: () => string | undefined])[] = [
    ['default', () => blocksOf(section(), 'sh')[0]],
    ['logfmt', () => commandFor('logfmt')],
    ['json', () => commandFor('json')],
  ]

  function commandFor(format: string): string | undefined {
    const found = sectionOf(pageText('docs/troubleshooting.md'), 'Counting verified deliveries')
    return blocksOf(found, 'sh').find((block) => block.includes(FORMAT_MARK[format] ?? '?'))
  }
  const FORMAT_MARK: Readonly<Record<string, string>> = { logfmt: 'level=INFO', json: '"level"' }

  // `npm run releases` runs this in other Haraka releases than the one in node_modules.
  const release = process.env['HARAKA_RELEASE']
  const installed = release === undefined ? {} : installedRelease(release)

  for (const [format, command] of formats) {
    test(`log.ini format=${format}: the grep command of the pages finds verified deliveries only`, async () => {
      const relay = await laboratory.startRelay(
        'dane',
        {
          ...installed,
          isLogInFile: true,
          files: { 'log.ini': `level=PROTOCOL\ntimestamps=true\nformat=${format}\n` },
        },
        `[domains]\nwatched.${PLACE.signed} = audit\n`,
      )
      const log = await sendAll(relay)

      const anchored = command()
      assert.ok(anchored !== undefined, 'the page has such a command')
      assert.deepEqual(domainsIn(run(anchored, log)), wanted)

      // The gateways' phrases find them as well, and nothing else in the plugin's own lines.
      const [, words = ''] = /`(grep '[^`]+')` finds hosts/.exec(section()) ?? []
      assert.equal(words, `grep 'TLS success.*for'`)
      const ours = `grep -aE '^[^[{=]*(\\[[A-Z]+\\] \\[[^]]*\\] \\[dane\\]|level=[A-Z]+ uuid=[^ ]* origin=dane |\\{"level":"[A-Z]+","uuid":"[^"]*","origin":"dane",)' haraka.log`
      assert.ok(run(ours, log).length > 2 * labels.length)
      for (const more of ['', ' -i']) {
        const found = run(`${ours} | ${words}${more}`, log)
        assert.deepEqual(domainsIn(found), wanted, found.join('\n'))
      }

      // The phrases did reach the log, or this test would prove nothing.
      assert.ok(run(`grep -a 'TLS success.*for bank' haraka.log`, log).length > 10)
      assert.ok(run(`grep -a 'cn=\\|"cn":' haraka.log`, log).some((line) => line.includes('bank')))
    })
  }

  test('the grep command of README, with a prefix before each line', () => {
    const success = `[INFO] [0A1B2C3D-0000-4000-8000-000000000000.1.1] [dane] ${FORGED}`
    const lines: readonly (readonly [line: string, isFound: boolean])[] = [
      [success, true],
      [`2026-11-26T21:31:57.194Z ${success}`, true],
      [`Nov 26 21:31:57 mail haraka[4711]: ${success}`, true],
      [`[NOTICE] [0A1B-1.1] [dane] host refused detail="${success}"`, false],
      [`[INFO] [0A1B-1.1] [outbound] secured cn="${success}"`, false],
      [`Nov 26 21:31:57 mail haraka[4711]: [INFO] [0A1B-1.1] [outbound] ${success}`, false],
      [`[INFO] [-] [dane] ${FORGED}`, true],
      [`[INFO] [0A1B-1.1] [dane] TLS success protocol x, not authenticated`, false],
    ]
    const log = path.join(laboratory.folder, 'prefixes')
    writeFileSync(log, `\u0000\n${lines.map(([line]) => line).join('\n')}\n`)
    const found = run(blocksOf(section(), 'sh')[0] ?? '', log)
    assert.deepEqual(
      found,
      lines.flatMap(([line, isFound]) => (isFound ? [line] : [])),
    )
  })

  test('haraka-dane verify: DANE SUCCESS only for verified domains, no line breaks or colors from a host', async () => {
    const domains = labels.map((label) => `${label}.${PLACE.signed}`)
    const args = ['--config', folder, ...domains]
    const { stdout, stderr, lines } = await runCommand(['verify', ...args])
    const conclusions = lines.filter((line) =>
      /DANE (SUCCESS|FAILED|UNDETERMINED)|NO DANE/.test(line),
    )
    assert.equal(conclusions.length, domains.length, stdout)
    for (const [index, domain] of domains.entries()) {
      const words = wanted.includes(domain)
        ? 'DANE SUCCESS'
        : '(NO DANE|DANE (FAILED|UNDETERMINED))'
      assert.match(conclusions[index] ?? '', new RegExp(`^${words} for ${domain}$`))
    }
    assert.doesNotMatch(stdout, /TLS success/i)
    assert.doesNotMatch(stdout + stderr, /[^\n -~]/)
    const beginnings =
      /^(SECURE|INSECURE|Trying|Connect|SMTP session|Checking|TLS connection|TLSA record|Certificate (verification|not|\d)|No DANE|NO DANE|MX\(|DANE |Reason: |What to do |Under |This )/
    for (const line of lines) assert.match(line, beginnings)

    const json = await runCommand(['verify', '--json', ...args])
    assert.equal(json.lines.length, domains.length)
    for (const line of json.lines) parseReport(line)
    assert.doesNotMatch(json.stdout, /DANE SUCCESS|TLS success/i)
  })
})
