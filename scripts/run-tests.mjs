// `npm test`: prepares and runs the tests, all of them or those whose path contains an
// argument, and ends with the count of tests passed and failed.
//
// With an argument, prepares only what these tests need, and types are not checked:
// `npm run typecheck` does that.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepare } from './prepare.mjs'
import { needsBrowser, needsLaboratory, selectTests } from './test-files.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
/** Ends a test that hangs. More than any test or file takes on a busy machine. */
const TIMEOUT_MS = 600_000
/**
 * From Node 24 on, the timeout ends a test and not its file, which hangs if the test left
 * a server open. Output comes file by file, so silence may last as long as the longest.
 */
const SILENCE_MS = 900_000

/** Test files at once: many of them mostly wait, for a timeout or for the end of a TTL. */
const AT_ONCE = Math.min(8, 2 * availableParallelism())

const wanted = process.argv
  .slice(2)
  .map((name) => name.replace(/^(\.\/)?test\//, '').replace(/\.test\.ts$/, ''))
const files = selectTests(wanted)

if (files.length === 0) {
  console.error(`no test file contains ${wanted.join(' or ')}`)
  process.exit(1)
}

await prepare({
  types: wanted.length === 0,
  laboratory: files.some(needsLaboratory),
  browser: files.some(needsBrowser),
})

const startedAt = Date.now()
const options = [
  '--test',
  `--test-concurrency=${AT_ONCE}`,
  '--test-reporter=spec',
  `--test-timeout=${TIMEOUT_MS}`,
]
const compiled = files.map((name) => path.join('build/test', `${name}.test.js`))
const child = spawn(process.execPath, [...options, ...compiled], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
const giveUp = () => {
  console.error(`no output for ${SILENCE_MS / 60_000} minutes: a test file does not end`)
  child.kill()
}
const silence = setTimeout(giveUp, SILENCE_MS)
child.stdout.setEncoding('utf8').on('data', (chunk) => {
  output += chunk
  silence.refresh()
  process.stdout.write(chunk)
})
child.on('close', (code) => {
  clearTimeout(silence)
  const count = (name) => Number(new RegExp(`^. ${name} (\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const [passed, failed] = [count('pass'), count('fail') + count('cancelled')]
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(`\n${passed} tests passed, ${failed} failed, in ${seconds} s`)
  process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1
})
