/**
 * `npm run releases`: does it do the same in every Haraka that it supports?
 *
 * Installs each release from the registry, with the packed plugin beside it, into
 * build/releases, sends one message for each row of the verdict tables and beyond, and
 * runs the tests of Haraka's dangers. Releases may be named as arguments. Ends with 0
 * only if every row came out as wanted and every test passed in each.
 */
import path from 'node:path'
import { beyondRows } from './beyond-rows.js'
import { startChild } from './child.js'
import { createAuthority, startLaboratory } from './laboratory.js'
import { installRelease } from './release.js'
import { ROOT } from './root.js'
import { tableRows } from './rows.js'
import { runRows } from './run-rows.js'

/** The oldest, the ends of lines with other traps (3.1.4, 3.1.7, 3.2.1), the newest. */
const RELEASES = ['3.0.4', '3.1.4', '3.1.7', '3.2.1', '3.3.4']

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)

async function main(): Promise<number> {
  const named = process.argv.slice(2)
  let wrongInAll = 0
  for (const release of named.length > 0 ? named : RELEASES) {
    const installed = await installRelease(release)
    const { laboratory, rows } = await startLaboratory(async (port) => {
      const authority = await createAuthority()
      return [...(await tableRows(port, authority)), ...(await beyondRows(port, authority))]
    })
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

/** How many of the tests of Haraka's dangers fail in this release. */
async function runTests(release: string): Promise<number> {
  const files = ['danger-options', 'danger-plugins', 'routes', 'queue'].map((name) =>
    path.join(ROOT, `build/test/loopback/${name}.test.js`),
  )
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
