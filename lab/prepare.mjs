// Brings a fresh machine to where demo, tests and bench can run: npm packages, the
// Debian packages of the laboratory, the compiled sources. Needs nothing but Node.
//
// Installs Debian packages only as root or where sudo asks no password, and keeps
// their services from being started; else says what to install.
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
}

installNpmPackages()
installDebianPackages()
build()
installPackedPlugin()

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
    // The lists of packages may be missing or old.
    run(...split([...apt, 'update']))
    run(...split(install))
  })
}

/** Debian starts a daemon when it installs one, unless policy-rc.d says no. */
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

function build() {
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
  // What is no longer in the sources is not to be run.
  for (const folder of readdirSync('build').filter((name) => existsSync(name))) {
    for (const name of readdirSync(`build/${folder}`, { recursive: true })) {
      const source = path.join(folder, name.replace(/\.js$/, '.ts'))
      if (name.endsWith('.js') && !existsSync(source)) rmSync(path.join('build', folder, name))
    }
  }
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
