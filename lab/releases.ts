/**
 * `npm run releases`: does it do the same in every Haraka that it supports?
 *
 * Installs each release from the registry, with the packed plugin beside it, into
 * build/releases, and sends one message for each row of the verdict tables and beyond.
 * Releases may be named as arguments. Ends with 0 only if every row came out as wanted
 * in each.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { beyondRows } from './beyond-rows.js'
import { runToEnd } from './child.js'
import { createAuthority, startLaboratory } from './laboratory.js'
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
    const nodeModules = path.join(await install(release), 'node_modules')
    const { laboratory, rows } = await startLaboratory(async (port) => {
      const authority = await createAuthority()
      return [...(await tableRows(port, authority)), ...(await beyondRows(port, authority))]
    })
    try {
      const harakaPackage = path.join(nodeModules, 'haraka')
      const results = await runRows(laboratory, rows, { harakaPackage, nodeModules })
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
  }
  return wrongInAll === 0 ? 0 : 1
}

/** The folder with this Haraka and the plugin as it is now. */
async function install(release: string): Promise<string> {
  const folder = path.join(ROOT, 'build/releases', release)
  const relay = path.join(ROOT, 'build/relay')
  const packed = readdirSync(relay).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('the plugin is not packed: node lab/prepare.mjs')
  rmSync(path.join(folder, 'node_modules/haraka-plugin-dane'), { recursive: true, force: true })
  const isThere = existsSync(path.join(folder, 'node_modules/haraka'))
  const npm = ['install', '--silent', '--no-audit', '--no-fund', '--no-save', '--prefix', folder]
  // Until 3.3 the package had a capital letter.
  const haraka = `haraka@npm:${release < '3.3' ? 'Haraka' : 'haraka'}@${release}`
  await runToEnd('npm', [
    ...npm,
    ...(isThere ? ['--prefer-offline'] : []),
    haraka,
    path.join(relay, packed),
  ])
  return folder
}
