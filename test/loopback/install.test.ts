/** A fresh Haraka from the registry with the packed plugin in the same folder, as an operator installs both. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runToEnd } from '../../lab/child.js'
import { judge, recipientOf } from '../../lab/judge.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { ROOT } from '../../lab/root.js'
import { tableRows } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

describe('Haraka 3.3.4, freshly installed', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-install-'))
  let laboratory: Laboratory
  let rows: readonly Row[]

  before(async () => {
    const relay = path.join(ROOT, 'build/relay')
    const packed = readdirSync(relay).find((name) => name.endsWith('.tgz'))
    assert.ok(packed)
    const [started] = await Promise.all([
      startLaboratory(async (port) =>
        (await tableRows(port, await createAuthority())).slice(43, 46),
      ),
      runToEnd('npm', [
        'install',
        '--silent',
        '--no-audit',
        '--no-fund',
        '--prefer-offline',
        '--prefix',
        folder,
        'haraka@3.3.4',
        path.join(relay, packed),
      ]),
    ])
    laboratory = started.laboratory
    rows = started.rows
  })
  after(async () => {
    await laboratory.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('delivers and defers as in the table, with no file of Haraka changed', async () => {
    const nodeModules = path.join(folder, 'node_modules')
    const harakaPackage = path.join(nodeModules, 'haraka')
    assert.equal(versionOf(harakaPackage), '3.3.4')
    const pristine = digestOf(path.join(ROOT, 'node_modules/haraka'))
    assert.equal(digestOf(harakaPackage), pristine)

    const relay = await laboratory.startRelay('dane', { harakaPackage, nodeModules })
    for (const row of rows) {
      const id = await relay.submit(recipientOf(row))
      const outcome = await relay.outcomeOf(id)
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.deepEqual(judge(row, outcome, id, relay, laboratory).complaints, [], row.id)
    }
    assert.equal(digestOf(harakaPackage), pristine)
  })

  test('haraka -h dane shows the README, after the line that docs/install.md gives', async () => {
    const haraka = path.join(folder, 'node_modules/haraka/bin/haraka')
    const home = path.join(folder, 'help')
    await runToEnd(process.execPath, [haraka, '-i', home])
    symlinkSync(path.join(folder, 'node_modules'), path.join(home, 'node_modules'))
    const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
    const guide = readFileSync(path.join(ROOT, 'docs/install.md'), 'utf8')
    const [line] = /^mkdir -p docs.*dane\.md$/m.exec(guide) ?? []
    assert.ok(line)
    const env = { PAGER: 'cat' }
    const help = (): Promise<string> =>
      runToEnd(process.execPath, [haraka, '-c', home, '-h', 'dane'], { env })
    assert.match(await help(), /No documentation found for: dane/)
    await runToEnd('sh', ['-c', line], { cwd: home })
    assert.equal(await help(), readme)
  })

  test('the package contains what it needs and nothing else', () => {
    const installed = path.join(folder, 'node_modules/haraka-plugin-dane')
    assert.deepEqual(readdirSync(installed).sort(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin',
      'config',
      'dist',
      'docs',
      'man',
      'package.json',
      'page',
    ])
    assert.deepEqual(
      readdirSync(path.join(installed, 'docs')),
      readdirSync(path.join(ROOT, 'docs')).filter((name) => name !== 'dev'),
    )
    assert.deepEqual(readdirSync(path.join(installed, 'dist')).sort(), ['plugins', 'src'])
  })
})

function versionOf(folder: string): string {
  return (
    /"version": "([^"]+)"/.exec(readFileSync(path.join(folder, 'package.json'), 'utf8'))?.[1] ?? ''
  )
}

function digestOf(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = path.join(folder, name)
    if (!name.includes('node_modules') && statSync(file).isFile())
      hash.update(name).update(readFileSync(file))
  }
  return hash.digest('hex')
}
