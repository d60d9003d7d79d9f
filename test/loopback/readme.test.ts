/**
 * A new user follows the commands of README: from an empty Haraka to the first verified
 * message, and how long it takes; with a resolver that validates, and with one that does not.
 *
 * Every command of the section Install is run as written, except for what belongs to the
 * laboratory: the packed plugin instead of the registry's, its resolver, ports and
 * domain, and Haraka in the release that the other tests use.
 */
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { runToEnd, startChild, until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Child } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { ROOT } from '../../lab/root.js'
import { PLACE } from '../../lab/rows.js'
import { blocksOf, pageText, sectionOf } from '../support/pages.js'

const DOMAIN = `good.${PLACE.signed}`
const README_DOMAIN = 'ietf.org'

const folder = mkdtempSync(path.join(tmpdir(), 'dane-readme-'))
let home = path.join(folder, 'relay')
let laboratory: Laboratory
let relayPort: number
let relay: Child | undefined

before(async () => {
  relayPort = await freePort()
  laboratory = await startDestinations({ good: {} })
})
after(async () => {
  await relay?.stop()
  await laboratory.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** npm's global packages in a folder of this test, and nothing of the project in PATH. */
const env = {
  npm_config_prefix: path.join(folder, 'global'),
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  PATH: [path.join(folder, 'global/bin'), path.dirname(process.execPath), '/usr/bin', '/bin'].join(
    path.delimiter,
  ),
}

/** What README has for a real machine, and its replacement in the laboratory. */
function here(commands: string): string {
  const built = path.join(ROOT, 'build/relay')
  const packed = readdirSync(built).find((name) => name.endsWith('.tgz')) ?? 'missing'
  const harakaPackage = readFileSync(path.join(ROOT, 'node_modules/haraka/package.json'), 'utf8')
  const [, version = 'missing'] = /"version": "([^"]+)"/.exec(harakaPackage) ?? []
  return commands
    .replace('npm install haraka-plugin-dane', `npm install ${path.join(built, packed)}`)
    .replace('install -g haraka', `install -g haraka@${version}`)
    .replaceAll(README_DOMAIN, DOMAIN)
    .replace('127.0.0.1:25', `127.0.0.1:${relayPort}`)
}

function log(): string {
  return readFileSync(path.join(home, 'haraka.log'), 'utf8')
}

/** With its log in a new file. */
async function startRelay(command: string): Promise<void> {
  await relay?.stop()
  writeFileSync(path.join(home, 'haraka.log'), '')
  const child = startChild('sh', ['-c', `exec ${command} > haraka.log 2>&1`], { cwd: home, env })
  relay = child
  const listening = `Listening on 127.0.0.1:${relayPort}`
  await until('Haraka', () => log().includes(listening), { child, timeoutMs: 60_000 })
}

const startedAt = Date.now()
const times: string[] = []

/** Runs commands as copied from the page, and stops at the first failure. */
async function run(commands: string, cwd: string): Promise<string> {
  const begunAt = Date.now()
  const printed = await runToEnd('sh', ['-e', '-c', here(commands)], { cwd, env })
  times.push(`${seconds(begunAt)}  ${commands.trimEnd().replaceAll('\n', '; ')}`)
  return printed
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1).padStart(5)} s`
}

/**
 * Follows the section Install in an empty folder.
 *
 * @param lines added to [resolver] of dane.ini
 * @param finding what `check` has to say of the resolver
 */
async function firstMessage(
  parent: string,
  lines: readonly string[],
  resolverPort: number,
  finding: RegExp,
): Promise<void> {
  const section = sectionOf(pageText('README.md'), 'Install')
  const blocks = blocksOf(section, 'sh')
  assert.equal(blocks.length, 5)
  const [install = '', check = '', verify = '', send = '', relayFromNothing = ''] = blocks
  const [, start = ''] = /`(haraka -c \.)` runs it/.exec(section) ?? []
  const [, grep = ''] = /`(grep '[^`]+')` finds hosts/.exec(pageText('README.md')) ?? []

  home = path.join(parent, 'relay')
  await run(relayFromNothing, parent)
  const config = path.join(home, 'config')
  writeFileSync(path.join(config, 'smtp.ini'), `listen=127.0.0.1:${relayPort}\n`)
  // The laboratory's mail hosts are on loopback.
  writeFileSync(path.join(config, 'outbound.ini'), 'local_mx_ok=true\n')

  await run(install, home)
  const daneIni = path.join(config, 'dane.ini')
  const shipped = readFileSync(daneIni, 'utf8')
  assert.equal(shipped, readFileSync(path.join(ROOT, 'config/dane.ini'), 'utf8'))
  const options = [`server[] = 127.0.0.1:${resolverPort}`, ...lines].join('\n')
  const ours = shipped.replace(/^\[resolver\]$/m, `[resolver]\n${options}`)
  writeFileSync(daneIni, withLaboratory(ours, resolverPort, laboratory.smtpPort))

  const checked = await run(check, home)
  assert.match(checked, finding)
  assert.match(checked, /^ok {7}plugins: dane is listed and installed$/m)
  assert.doesNotMatch(checked, /^(problem|unknown)/m)

  await startRelay(start)

  assert.match(await run(verify, home), new RegExp(`^DANE SUCCESS for ${DOMAIN}$`, 'm'))
  const host = laboratory.hosts.get(`mx-good.${PLACE.signed}`)
  const delivered = (): readonly string[] =>
    host?.sessions.flatMap((session) => session.delivered) ?? []
  host?.forget()
  await run(send, home)
  await until('the first message', () => delivered().length > 0)
  assert.match(await run(`${grep} haraka.log`, home), new RegExp(` for ${DOMAIN} `))
  assert.deepEqual(delivered(), [`friend@${DOMAIN}`])
}

test('from an empty Haraka to the first verified message', async () => {
  const validates = /^ok {7}resolver: \S+ answers and validates$/m
  await firstMessage(folder, [], laboratory.names.unboundPort, validates)

  // docs/install.md installs the same way, and uninstalls it.
  const [install = ''] = blocksOf(sectionOf(pageText('README.md'), 'Install'), 'sh')
  const [, start = ''] = /`(haraka -c \.)` runs it/.exec(pageText('README.md')) ?? []
  const guide = pageText('docs/install.md')
  assert.ok(blocksOf(sectionOf(guide, '4. The plugin'), 'sh').includes(install))
  const [takeOut = '', uninstall = ''] = blocksOf(sectionOf(guide, 'Remove'), 'sh')
  await run(takeOut.replace(/^npx --no haraka-dane cache purge.*only with \[redis\]$/m, ''), home)
  await startRelay(start)
  assert.doesNotMatch(log(), /\[dane\]/)
  await run(uninstall, home)
  assert.ok(!existsSync(path.join(home, 'node_modules/haraka-plugin-dane')))

  console.log([...times, `${seconds(startedAt)}  in all, the laboratory included`].join('\n'))
})

test('the same where the only resolver does not validate', async () => {
  const plain = await laboratory.names.startResolver({ isPlain: true })
  const parent = path.join(folder, 'without-validating-resolver')
  mkdirSync(parent)
  const lines = [`trust_anchors = ${laboratory.names.trustAnchorFile}`]
  const passes = /^ok {7}resolver: \S+ passes DNSSEC data on, and its answers are validated here$/m
  await firstMessage(parent, lines, plain.port, passes)
  await until('delivered verified', () => log().includes(`delivered verified domain=${DOMAIN} `))
})

test('Unbound accepts the configuration in docs/install.md', async () => {
  const [config = ''] = blocksOf(pageText('docs/install.md'), '')
  assert.match(config, /^server:/)
  const file = path.join(folder, 'relay.conf')
  writeFileSync(file, config)
  assert.match(await runToEnd('unbound-checkconf', [file]), /no errors/)
})
