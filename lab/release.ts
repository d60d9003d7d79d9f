/**
 * How does the laboratory get another Haraka than the one in node_modules?
 *
 * From the registry, once, into build/releases, without what is optional; the packed
 * plugin as it is now is installed beside it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { runToEnd } from './child.js'
import type { HarakaOptions } from './haraka.js'
import { ROOT } from './root.js'

export type Installed = Required<Pick<HarakaOptions, 'harakaPackage' | 'nodeModules'>>

/** Where a release is, once it is installed. */
export function installedRelease(release: string): Installed {
  const nodeModules = path.join(folderOf(release), 'node_modules')
  return { harakaPackage: path.join(nodeModules, 'haraka'), nodeModules }
}

/** @param release such as `3.0.4` */
export async function installRelease(release: string): Promise<Installed> {
  const folder = folderOf(release)
  const { nodeModules } = installedRelease(release)
  const relay = path.join(ROOT, 'build/relay')
  const packed = readdirSync(relay).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('the plugin is not packed: node lab/prepare.mjs')
  rmSync(path.join(nodeModules, 'haraka-plugin-dane'), { recursive: true, force: true })
  const isThere = existsSync(path.join(nodeModules, 'haraka'))
  await runToEnd('npm', [
    ...['install', '--silent', '--no-audit', '--no-fund', '--no-save', '--omit=optional'],
    ...['--prefix', folder, ...(isThere ? ['--prefer-offline'] : [])],
    // Until 3.3 the package had a capital letter.
    `haraka@npm:${release < '3.3' ? 'Haraka' : 'haraka'}@${release}`,
    // The laboratory's way in, a part of Haraka until 3.0.5; and who overrules deferrals.
    ...['haraka-plugin-relay@1', 'haraka-plugin-karma@2'],
    path.join(relay, packed),
  ])
  return installedRelease(release)
}

function folderOf(release: string): string {
  return path.join(ROOT, 'build/releases', release)
}
