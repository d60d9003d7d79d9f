// Prepares a fresh machine for demo, tests and bench: npm packages, the Debian packages
// of the laboratory, the compiled sources, the packed plugin. Needs nothing but Node.
//
// Run as a program it prepares everything. Tests that need no servers ask for less: see
// run-tests.mjs.
//
// Installs Debian packages only as root or with passwordless sudo, and prevents
// their services from being started; otherwise prints what to install.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

/** Program to Debian package. */
const PROGRAMS = {
  nsd: 'nsd',
  unbound: 'unbound',
  'ldns-keygen': 'ldnsutils',
  'ldns-signzone': 'ldnsutils',
  'redis-server': 'redis-server',
  faketime: 'faketime',
  openssl: 'openssl',
  curl: 'curl',
  named: 'bind9',
  delv: 'bind9-dnsutils',
  'dnssec-signzone': 'bind9-utils',
}

/** Only the tests of the status page need it, and skip themselves without. */
const BROWSER = 'chromium'

/** More changed files than this, and the compiler is faster than one file at a time. */
const FEW = 20
const COMPILED = ['plugins', 'src', 'test', 'lab', 'scripts', 'bench']
const STAMPS = 'build/.stamps.json'

if (process.argv[1] === fileURLToPath(import.meta.url)) await prepare()

/**
 * Without `types`, files that changed are compiled alone and their types are not checked,
 * which takes a fraction of the time. Without `laboratory`, nothing is packed and no
 * Debian package is looked for. The browser is optional.
 */
export async function prepare({ types = true, laboratory = true, browser = true } = {}) {
  installNpmPackages()
  if (laboratory) installDebianPackages()
  if (browser) installBrowser()
  if (types || !(await compileChanged())) compile()
  if (laboratory) installPackedPlugin()
}

function installNpmPackages() {
  const lock = 'package-lock.json'
  const installed = 'node_modules/.package-lock.json'
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  say('installing npm packages (npm ci)')
  run('npm', ['ci', '--no-audit', '--no-fund'])
}

function installDebianPackages() {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isOnPath(program))
  const packages = [...new Set(missing.map(([, debian]) => debian))]
  if (packages.length === 0) return
  const asRoot = process.getuid?.() === 0 ? [] : canSudo() ? ['sudo', '-n'] : undefined
  if (!isOnPath('apt-get') || asRoot === undefined) {
    say(`missing: ${missing.map(([program]) => program).join(', ')}`)
    say(`on Debian, install them with: sudo apt-get install ${packages.join(' ')}`)
    process.exit(1)
  }
  say(`installing Debian packages: ${packages.join(' ')}`)
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y']
  withoutServices(asRoot, () => {
    const install = [...apt, 'install', '--no-install-recommends', ...packages]
    if (attempt(install)) return
    // The package lists may be missing or outdated.
    run(...split([...apt, 'update']))
    run(...split(install))
  })
}

function installBrowser() {
  if (isOnPath(BROWSER)) return
  const asRoot = process.getuid?.() === 0 ? [] : canSudo() ? ['sudo', '-n'] : undefined
  const apt = asRoot && [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y']
  if (apt && isOnPath('apt-get')) {
    say(`installing the Debian package ${BROWSER}, for the tests of the status page`)
    const install = [...apt, 'install', '--no-install-recommends', BROWSER]
    // The package lists may be missing or outdated.
    if (attempt(install) || (attempt([...apt, 'update']) && attempt(install))) return
  }
  say(`${BROWSER} cannot be installed here: tests of the status page in a browser are skipped`)
}

/** Debian starts a daemon on installation unless policy-rc.d forbids it. */
function withoutServices(asRoot, install) {
  const policy = '/usr/sbin/policy-rc.d'
  if (asRoot.length > 0 || existsSync(policy)) {
    install()
    return
  }
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install()
  } finally {
    rmSync(policy)
  }
}

function compile() {
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
  removeOrphans()
  stamp(sources())
}

/** Compiles the few files that changed; false if the compiler has to do it. */
async function compileChanged() {
  const stamps = existsSync(STAMPS) ? JSON.parse(readFileSync(STAMPS, 'utf8')) : {}
  const all = sources()
  const changed = all.filter((source) => stamps[source] !== stampOf(source))
  if (changed.length > FEW) return false
  removeOrphans()
  if (changed.length === 0) return true
  // The compiler's own record is wrong from now on: a file that is changed back would be
  // left as it is.
  rmSync('build/.tsbuildinfo', { force: true })
  const { default: ts } = await import('typescript')
  const { config } = ts.readConfigFile('tsconfig.json', (file) => readFileSync(file, 'utf8'))
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, '.')
  const compilerOptions = { ...options, declaration: false }
  for (const fileName of changed) {
    const text = readFileSync(fileName, 'utf8')
    const { outputText } = ts.transpileModule(text, { compilerOptions, fileName })
    mkdirSync(path.dirname(outputOf(fileName)), { recursive: true })
    writeFileSync(outputOf(fileName), outputText)
  }
  stamp(all)
  return true
}

/** Compiled files whose sources are gone must not be run. */
function removeOrphans() {
  for (const folder of COMPILED.filter((name) => existsSync(`build/${name}`))) {
    for (const name of readdirSync(`build/${folder}`, { recursive: true })) {
      const source = path.join(folder, name.replace(/\.js$/, '.ts'))
      if (name.endsWith('.js') && !existsSync(source)) rmSync(path.join('build', folder, name))
    }
  }
}

function sources() {
  return COMPILED.flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => path.join(folder, name)),
  )
}

function outputOf(source) {
  return path.join('build', source.replace(/\.ts$/, '.js'))
}

function stamp(all) {
  writeFileSync(
    STAMPS,
    JSON.stringify(Object.fromEntries(all.map((each) => [each, stampOf(each)]))),
  )
}

/** Of a source and what was compiled from it, so that a change of either is seen. */
function stampOf(source) {
  return digestOf([source, outputOf(source)])
}

/** The plugin as an operator gets it: packed, and installed with its dependencies. */
function installPackedPlugin() {
  const relay = 'build/relay'
  const stamp = path.join(relay, '.packed-from')
  const digest = digestOf([
    'package.json',
    'package-lock.json',
    'README.md',
    'bin',
    'config',
    'docs',
    'page',
    'plugins',
    'src',
  ])
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  say('packing the plugin and installing the package')
  rmSync(relay, { recursive: true, force: true })
  mkdirSync(relay, { recursive: true })
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', relay], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  writeFileSync(path.join(relay, 'package.json'), '{ "private": true }\n')
  const options = ['--no-audit', '--no-fund', '--silent', '--prefer-offline']
  run('npm', ['install', ...options, '--prefix', relay, path.join(relay, filename)])
  writeFileSync(stamp, digest)
}

function digestOf(places) {
  const hash = createHash('sha256')
  const visit = (place) => {
    if (!existsSync(place)) return
    if (statSync(place).isDirectory()) {
      for (const entry of readdirSync(place).sort()) visit(path.join(place, entry))
    } else {
      hash.update(place).update(readFileSync(place))
    }
  }
  for (const place of places) visit(place)
  return hash.digest('hex')
}

function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function canSudo() {
  return isOnPath('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
}

function attempt(command) {
  const [program, ...args] = command
  return spawnSync(program, args, { stdio: ['ignore', 'ignore', 'ignore'] }).status === 0
}

function split([program, ...args]) {
  return [program, args]
}

function run(program, args) {
  try {
    execFileSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  } catch (error) {
    say(`failed: ${program} ${args.join(' ')} (${error.status ?? error.message})`)
    process.exit(1)
  }
}

function say(text) {
  console.error(`prepare: ${text}`)
}
