// Runs the compiled tests, all of them or those whose path contains an argument, and
// ends with the count of tests passed and failed.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const wanted = process.argv.slice(2)
const files = readdirSync(path.join(root, 'build/test'), { recursive: true })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  // The long ones first, so that no core waits at the end.
  .sort((a, b) => weight(b) - weight(a))
  .map((name) => path.join('build/test', name))

if (files.length === 0) {
  console.error(`no test file contains ${wanted.join(' or ')}`)
  process.exit(1)
}

const startedAt = Date.now()
const options = ['--test', '--test-concurrency=2', '--test-reporter=spec']
const child = spawn(process.execPath, [...options, ...files], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
child.stdout.setEncoding('utf8').on('data', (chunk) => {
  output += chunk
  process.stdout.write(chunk)
})
child.on('close', (code) => {
  const count = (name) => new RegExp(`^. ${name} (\\d+)`, 'm').exec(output)
  const [passed, failed] = ['pass', 'fail'].map((name) => Number(count(name)?.[1] ?? 0))
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(`\n${passed} tests passed, ${failed} failed, in ${seconds} s`)
  process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1
})

function weight(name) {
  return ['unit', 'scenario', 'hostile', 'loopback'].findIndex((folder) => name.startsWith(folder))
}
