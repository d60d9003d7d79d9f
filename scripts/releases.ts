/**
 * `npm run releases`: runs the demo and tests in every supported Haraka release.
 *
 * Installs each release from the registry, with the packed plugin, into
 * build/releases, sends one message for each row of the verdict tables and beyond, and
 * runs the tests of Haraka's dangers. Releases may be named as arguments. Ends with 0
 * only if every row had the expected outcome and every test passed in each.
 */
import path from 'node:path'
import { allRows } from '../lab/all-rows.js'
import { startChild } from '../lab/child.js'
import { startLaboratory } from '../lab/laboratory.js'
import { installRelease } from '../lab/release.js'
import { ROOT } from '../lab/root.js'
import { runRows } from '../lab/run-rows.js'
import { runCommand } from './run-command.js'

/** The oldest, the last releases of lines with other defects (3.1.4, 3.1.7, 3.2.1), the newest. */
const RELEASES = ['3.0.4', '3.1.4', '3.1.7', '3.2.1', '3.3.4']

runCommand(main)

async function main(): Promise<number> {
  const named = process.argv.slice(2)
  let wrongInAll = 0
  for (const release of named.length > 0 ? named : RELEASES) {
    const installed = await installRelease(release)
    const { laboratory, rows } = await startLaboratory(allRows)
    try {
      const results = await runRows(laboratory, rows, installed)
      const wrong = results.filter(({ complaints }) => complaints.length > 0)
      for (const { row, happened, complaints } of wrong)
        console.log(`WRONG ${row.id}: ${happened}: ${complaints.join('; ')}`)
      console.log(
        `Haraka ${release}, Node ${process.version}: ${rows.length - wrong.length} of ${rows.length} rows as wanted`,
      )
      wrongInAll += wrong.length
    } finally {
      await laboratory.stop()
    }
    wrongInAll += await runTests(release)
  }
  return wrongInAll === 0 ? 0 : 1
}

/** The number of tests of Haraka's dangers that fail in this release. */
async function runTests(release: string): Promise<number> {
  const files = [
    'danger-options',
    'danger-plugins',
    'danger-sessions',
    'faults',
    'next-hops',
    'routes',
    'queue',
    'log-integrity',
    'status',
    'status-http',
  ].map((name) => path.join(ROOT, `build/test/loopback/${name}.test.js`))
  const options = ['--test', '--test-concurrency=2', '--test-reporter=tap']
  const child = startChild(process.execPath, [...options, ...files], {
    env: { HARAKA_RELEASE: release },
  })
  await child.exited
  const output = child.output()
  const count = (what: string): number =>
    Number(new RegExp(`^# ${what} (\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const [passed, failed] = [count('pass'), count('fail') + count('cancelled')]
  for (const [line] of output.matchAll(/^ *not ok .*$/gm)) console.log(line)
  console.log(`Haraka ${release}: ${passed} tests of its dangers passed, ${failed} failed`)
  return passed > 0 ? failed : 1
}
