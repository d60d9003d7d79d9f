/**
 * Installs a Haraka release other than the one in node_modules.
 *
 * From the registry, once, into build/releases, without optional dependencies; the
 * currently packed plugin is installed next to it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { runToEnd } from './child.js'
import type { HarakaOptions } from './haraka.js'
import { ROOT } from './root.js'

export type Installed = Required<Pick<HarakaOptions, 'harakaPackage' | 'nodeModules'>>

/** The folders of an installed release. */
export function installedRelease(release: string): Installed {
  const nodeModules = path.join(folderOf(release), 'node_modules')
  return { harakaPackage: path.join(nodeModules, 'haraka'), nodeModules }
}

/** Installs one Haraka, such as `3.0.4`, without the plugin. */
export async function installHaraka(release: string): Promise<Pick<Installed, 'harakaPackage'>> {
  const { harakaPackage } = installedRelease(release)
  if (!existsSync(harakaPackage)) {
    await install(release, [
      // Before 3.3 the package name had a capital letter.
      `haraka@npm:${release < '3.3' ? 'Haraka' : 'haraka'}@${release}`,
      // Part of Haraka until 3.0.5: `relay`, used for submission, and `karma`, which overrules deferrals.
      ...['haraka-plugin-relay@1', 'haraka-plugin-karma@2'],
      // No release brings it. The others find express 5, that of this project.
      ...(release < '3.1' ? ['express@4'] : []),
    ])
  }
  return { harakaPackage }
}

/** Installs one Haraka and the currently packed plugin. */
export async function installRelease(release: string): Promise<Installed> {
  await installHaraka(release)
  const { nodeModules } = installedRelease(release)
  const relay = path.join(ROOT, 'build/relay')
  const packed = readdirSync(relay).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('the plugin is not packed: node scripts/prepare.mjs')
  rmSync(path.join(nodeModules, 'haraka-plugin-dane'), { recursive: true, force: true })
  await install(release, ['--prefer-offline', path.join(relay, packed)])
  return installedRelease(release)
}

async function install(release: string, what: readonly string[]): Promise<void> {
  const options = ['--silent', '--no-audit', '--no-fund', '--omit=optional']
  await runToEnd('npm', ['install', ...options, '--prefix', folderOf(release), ...what])
}

function folderOf(release: string): string {
  return path.join(ROOT, 'build/releases', release)
}
