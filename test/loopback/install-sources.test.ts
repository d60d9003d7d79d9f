/** The package installed from its sources, in an empty folder: from a clone, and from `npm pack`. */
import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { runToEnd } from '../../lab/child.js'
import { ROOT } from '../../lab/root.js'
import { runCommand } from '../support/command.js'

const folder = mkdtempSync(path.join(tmpdir(), 'dane-sources-'))
const clone = path.join(folder, 'clone')
const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--silent']

before(async () => {
  const listed = await runToEnd('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: ROOT,
  })
  mkdirSync(clone)
  for (const name of listed.split('\0').filter((each) => each !== '')) {
    cpSync(path.join(ROOT, name), path.join(clone, name), { recursive: true })
  }
  keepBuildDependencies(path.join(clone, 'package.json'))
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.org']
  await runToEnd('git', ['init', '-q'], { cwd: clone })
  await runToEnd('git', ['add', '-A'], { cwd: clone })
  await runToEnd('git', [...author, 'commit', '-qm', 'sources'], { cwd: clone })
})
after(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Drops what only tests and the linter need: npm would install all of it to compile. */
function keepBuildDependencies(file: string): void {
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'), (key: string, value: unknown) =>
    key === 'devDependencies' && typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).filter(([name]) => isForBuild(name)))
      : value,
  )
  writeFileSync(file, JSON.stringify(manifest))
}

const isForBuild = (name: string): boolean => name === 'typescript' || name.startsWith('@types/')

function emptyFolder(name: string): string {
  const home = path.join(folder, name)
  mkdirSync(home)
  return home
}

async function worksIn(home: string): Promise<void> {
  const version = await runCommand(['--no', '--', 'haraka-dane', '--version'], {
    program: 'npx',
    cwd: home,
  })
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/, version.stderr)
  const installed = path.join(home, 'node_modules/haraka-plugin-dane')
  const plugin = `require(${JSON.stringify(installed)}).register`
  assert.equal(await runToEnd(process.execPath, ['-p', `typeof ${plugin}`]), 'function\n')
}

test('npm install git+file://: npm compiles it', { timeout: 300_000 }, async () => {
  const home = emptyFolder('from-git')
  await runToEnd('npm', ['install', ...quiet, `git+file://${clone}`], { cwd: home })
  await worksIn(home)
})

test('npm pack, and the file that it makes', { timeout: 300_000 }, async () => {
  const home = emptyFolder('from-pack')
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'))
  await runToEnd('npm', ['pack', '--silent'], { cwd: clone })
  const [packed] = readdirSync(clone).filter((name) => name.endsWith('.tgz'))
  assert.ok(packed)
  await runToEnd('npm', ['install', ...quiet, path.join(clone, packed)], { cwd: home })
  await worksIn(home)
})

test('sources that are not compiled: what to do, and no stack', async () => {
  const sources = path.join(emptyFolder('bare'), 'bin')
  cpSync(path.join(ROOT, 'bin'), sources, { recursive: true })
  const program = path.join(sources, 'haraka-dane')
  const { code, stderr } = await runCommand(['--version'], { program })
  assert.match(stderr, /is missing: this is a copy of the sources, not a package\nrun npm ci/)
  assert.doesNotMatch(stderr, /^ +at /m)
  assert.equal(code, 2)
})

test('npx --no outside of a relay runs nothing', async () => {
  const home = emptyFolder('outside')
  const { code, stdout } = await runCommand(['--no', 'haraka-dane', 'check'], {
    program: 'npx',
    cwd: home,
    env: { npm_config_offline: 'true' },
  })
  assert.notEqual(code, 0)
  assert.equal(stdout, '')
})
