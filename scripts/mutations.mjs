// Is there a test for each guard? Removes the guards of guards.txt one by one, runs the
// tests, and records in docs/dev/guards.md which of them failed. Ends with 1
// if no test failed for a guard not marked redundant, if one failed for a redundant guard,
// or if a guard's text is not at the place given in guards.txt.
//
// Works on copies of the compiled tree, so sources and build stay as they are. With
// arguments only the guards whose file or description contains one of them; the rows of the
// others are kept. With --check nothing is run; it checks that docs/dev/guards.md lists the
// existing guards.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import ts from 'typescript'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const WORKERS = 2
const REPORT = 'docs/dev/guards.md'
/** More than any file takes on a busy machine; a test that does not end counts as failed. */
const PATIENCE_MS = 600_000
/** The tests of verification, the fast ones first. */
const TESTS = [
  'unit/verify/refusals',
  'unit/verify/dane-ta',
  'unit/verify/host-match',
  'unit/verify/path',
  'unit/verify/strength',
  'unit/verify/extensions',
  'unit/verify/certificate-memo',
  'hostile/certificates',
  'hostile/constraints',
  'unit/tlsa',
  'unit/x509/der',
  'unit/verify/dane-ee',
  'hostile/budget',
  'hostile/certificates-read-twice',
  'hostile/cost',
  'hostile/cost-of-names',
  'hostile/issuer-names',
  'loopback/handshake',
  'loopback/peer-chain',
  'hostile/names-read-twice',
  'hostile/properties',
  'hostile/worst-verdict',
]
/** The tests of the integration with Haraka, after the one that the guard names. */
const TESTS_IN_HARAKA = [
  'unit/haraka/attempt/decision',
  'unit/haraka/connection/gate-failures',
  'unit/haraka/connection/gate-held',
  'loopback/rows',
  'loopback/relay',
]
/** The tests of DNSSEC validation, likewise. */
const TESTS_OF_VALIDATION = [
  'unit/validate/validator',
  'unit/validate/chain',
  'unit/validate/denial',
  'unit/validate/nsec',
  'unit/validate/nsec3',
  'unit/validate/signature',
]
/** The tests most likely to fail without a guard of this file. */
const NEAREST = {
  'match-tlsa.ts': 'unit/verify/dane-ee',
  'budget.ts': 'hostile/budget',
  'certificate.ts': 'hostile/certificates',
  'constraints.ts': 'hostile/constraints',
  'der.ts': 'unit/x509/der',
  'directory-name.ts': 'hostile/issuer-names',
  'extensions.ts': 'unit/verify/extensions',
  'general-name.ts': 'hostile/constraints',
  'handshake.ts': 'loopback/handshake',
  'host-match.ts': 'unit/verify/host-match',
  'path.ts': 'unit/verify/dane-ta',
  'parsed-certificate.ts': 'hostile/certificates',
  'certificate-memo.ts': 'unit/verify/certificate-memo',
  'strength.ts': 'unit/verify/strength',
  'tlsa.ts': 'unit/tlsa',
  'path-checks.ts': 'unit/verify/path',
  'verify.ts': 'unit/verify/dane-ee',
}

const guards = readGuards()
const complaints = guards.flatMap(complaint)
if (complaints.length > 0) {
  console.error(complaints.join('\n'))
  process.exit(1)
}
const wanted = process.argv.slice(2)
const reported = readReport()
if (wanted.includes('--check')) check()
else await run()

/** The differences between two lists of guards. */
function check() {
  const strays = [...reported.keys()].filter((key) => !guards.some((guard) => keyOf(guard) === key))
  const missing = guards.filter((guard) => {
    const { count, first } = reported.get(keyOf(guard)) ?? {}
    return guard.reason === undefined ? !(Number(count) > 0) : first !== guard.reason
  })
  for (const key of strays) console.error(`docs/dev/guards.md: no such guard: ${key}`)
  for (const guard of missing) console.error(`docs/dev/guards.md: nothing of ${keyOf(guard)}`)
  process.exitCode = strays.length + missing.length > 0 ? 1 : 0
}

async function run() {
  const chosen = guards.filter(
    (guard) => wanted.length === 0 || wanted.some((part) => keyOf(guard).includes(part)),
  )
  const queue = [...chosen]
  const noticed = new Map()
  await Promise.all(
    Array.from({ length: WORKERS }, (_, worker) => work(`build/mutants/${worker}`, queue, noticed)),
  )
  rmSync('build/mutants', { recursive: true, force: true })
  for (const guard of chosen) {
    const failed = noticed.get(guard)
    const [first = guard.reason ?? 'none'] = failed
    const count = guard.reason !== undefined && failed.length === 0 ? 'redundant' : failed.length
    reported.set(keyOf(guard), { count: String(count), first })
  }
  writeFileSync(REPORT, await report())

  const survivors = chosen.filter((guard) => noticed.get(guard).length === 0)
  const redundant = survivors.filter(({ reason }) => reason !== undefined)
  const missed = survivors.length - redundant.length
  const mistaken = chosen.filter(
    (guard) => guard.reason !== undefined && noticed.get(guard).length > 0,
  )
  for (const guard of mistaken) console.log(`not redundant, since a test notices: ${keyOf(guard)}`)
  console.log(
    `${chosen.length} guards, ${missed} that no test would miss, ${redundant.length} redundant`,
  )
  process.exitCode = missed + mistaken.length > 0 || chosen.length === 0 ? 1 : 0
}

async function work(copy, queue, noticed) {
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  for (const part of ['src', 'test', 'lab'])
    cpSync(`build/${part}`, `${copy}/${part}`, { recursive: true })
  // Haraka loads the packed plugin.
  cpSync('build/relay/node_modules', `${copy}/node_modules`, { recursive: true })
  for (let guard = queue.shift(); guard; guard = queue.shift()) {
    const compiled = guard.file.replace(/\.ts$/, '.js')
    const places = [copy, `${copy}/node_modules/haraka-plugin-dane/dist`]
    for (const place of places) writeFileSync(`${place}/${compiled}`, compile(without(guard)))
    const failed = await firstFailures(copy, guard)
    for (const place of places) cpSync(`build/${compiled}`, `${place}/${compiled}`)
    noticed.set(guard, failed)
    const none = guard.reason === undefined ? 'NOT NOTICED' : 'redundant'
    console.log(`${keyOf(guard)}: ${failed[0] ?? none}`)
  }
}

/** The failing tests of the first file with failures. */
async function firstFailures(copy, { file, near }) {
  const nearest = near ?? NEAREST[path.basename(file)]
  const tests = file.startsWith('src/haraka/')
    ? TESTS_IN_HARAKA
    : file.startsWith('src/validate/')
      ? TESTS_OF_VALIDATION
      : TESTS
  for (const test of [nearest, ...tests.filter((each) => each !== nearest)]) {
    const failed = await failures(copy, `${test}.test.js`)
    if (failed.length > 0) return failed
  }
  return []
}

function failures(copy, test) {
  const options = [
    '--test',
    '--test-concurrency=1',
    `--test-timeout=${PATIENCE_MS}`,
    '--test-reporter=./scripts/failed-tests.mjs',
  ]
  const child = spawn(process.execPath, [...options, path.resolve(copy, 'test', test)], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LAB_NODE_MODULES: path.resolve(copy, 'node_modules') },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
  })
  return new Promise((resolve) => {
    child.on('close', () => resolve(output.split('\n').filter((line) => line !== '')))
  })
}

function compile(source) {
  const { compilerOptions } = ts.readConfigFile('tsconfig.json', ts.sys.readFile).config
  const options = ts.convertCompilerOptionsFromJson(compilerOptions, '.').options
  return ts.transpileModule(source, {
    compilerOptions: { ...options, module: ts.ModuleKind.CommonJS, moduleResolution: undefined },
  }).outputText
}

function without({ file, text, instead }) {
  // A function, since $ is special in a replacement string.
  return readFileSync(file, 'utf8').replace(text, () => instead)
}

function complaint(guard) {
  const found = readFileSync(guard.file, 'utf8').split(guard.text).length - 1
  return found === 1 ? [] : [`${keyOf(guard)}: stands there ${found} times: ${guard.text}`]
}

function keyOf({ file, words }) {
  return `${file}: ${words}`
}

function readGuards() {
  const read = []
  let file = ''
  for (const block of readFileSync('scripts/guards.txt', 'utf8').split(/\n\n+/)) {
    const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    if (lines.length === 0) continue
    if (lines[0].startsWith('== ')) {
      file = lines[0].slice(3)
      continue
    }
    const [words, text, instead, ...rest] = lines
    const [near, reason] = ['near: ', 'redundant: '].map((key) =>
      rest.find((line) => line.startsWith(key))?.slice(key.length),
    )
    const isWhole = text?.startsWith('- ') && instead?.startsWith('+')
    if (!isWhole || rest.length !== [near, reason].filter((each) => each !== undefined).length) {
      throw new Error(`guards.txt: not a guard: ${block}`)
    }
    const plain = (line) => line.slice(2).replaceAll('\\n', '\n')
    read.push({ file, words, text: plain(text), instead: plain(instead), near, reason })
  }
  return read
}

/** The result of the last run, by guard. */
function readReport() {
  const rows = new Map()
  let file = ''
  for (const line of existsSync(REPORT) ? readFileSync(REPORT, 'utf8').split('\n') : []) {
    if (line.startsWith('## ')) file = line.slice(3)
    const [, words = '', count = '', first = ''] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
    if (/^(\d+|redundant)$/.test(count))
      rows.set(keyOf({ file, words }), { count, first: first.replaceAll('\\|', '|') })
  }
  return rows
}

async function report() {
  const lines = [
    '# Guards',
    '',
    'Each check of verifier, handshake, gate and delivery, and what fails when it is removed: the number of failing tests in the first test file with a failure, and the first of them. A check is redundant if another one refuses the same; it stays so that each file is complete in itself, and in case the other one is removed. Generated by `npm run mutations` from scripts/guards.txt, which lists the changes.',
  ]
  let file = ''
  for (const guard of guards) {
    if (guard.file !== file) {
      file = guard.file
      lines.push(
        '',
        `## ${file}`,
        '',
        '| guard | failing tests | the first, or why there is none |',
        '| --- | --- | --- |',
      )
    }
    const { count, first } = reported.get(keyOf(guard)) ?? { count: '0', first: 'not run' }
    lines.push(`| ${guard.words} | ${count} | ${first.replaceAll('|', '\\|')} |`)
  }
  return format(`${lines.join('\n')}\n`, {
    ...(await resolveConfig(REPORT)),
    parser: 'markdown',
  })
}
