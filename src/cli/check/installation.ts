/**
 * Which Haraka is here, and what do the plugins that it loads look like?
 *
 * Looks where Haraka itself looks for plugins: the relay's folder, what npm installed
 * there, then Haraka's own. Haraka is looked for beside the relay, behind `haraka` in
 * PATH and among the global packages of this Node. Effects: reads files, at most 1 MB of
 * each; runs nothing of what it finds.
 */
import { openSync, closeSync, existsSync, readSync, realpathSync } from 'node:fs'
import path from 'node:path'

export type Haraka = { readonly folder: string; readonly version: string }

/** @param relay the folder above Haraka's config */
export function findHaraka(relay: string): Haraka | undefined {
  const places = [
    ...NAMES.map((name) => path.join(relay, 'node_modules', name)),
    ...(process.env['PATH'] ?? '').split(path.delimiter).flatMap(behindBinary),
    ...NAMES.map((name) => path.join(process.execPath, '../../lib/node_modules', name)),
  ]
  for (const place of places) {
    const version = stringOf(packageOf(place)?.['version'])
    // Haraka itself looks from where it really is.
    if (version !== undefined) return { folder: realpathSync(place), version }
  }
  return undefined
}

/** The code of a plugin that config/plugins lists; undefined if there is no such file. */
export function readPluginSource(
  relay: string,
  haraka: Haraka | undefined,
  name: string,
): string | undefined {
  // What leads out of these folders is no plugin's name.
  if (!/^[\w@][\w@./-]*$/.test(name) || name.includes('..')) return undefined
  const homes = [relay, ...(haraka ? [haraka.folder] : [])]
  for (const home of homes) {
    const plain = readStart(path.join(home, 'plugins', `${name}.js`))
    if (plain !== undefined) return plain
    const folders = [
      path.join(home, 'plugins', name),
      path.join(home, 'node_modules', `haraka-plugin-${name}`),
      path.join(home, 'node_modules', name),
      ...(home === relay ? [] : [path.join(home, '..', `haraka-plugin-${name}`)]),
    ]
    for (const folder of folders) {
      const main = packageOf(folder)?.['main'] ?? 'index.js'
      if (typeof main !== 'string' || !existsSync(path.join(folder, 'package.json'))) continue
      return readStart(path.join(folder, main)) ?? readStart(path.join(folder, `${main}.js`)) ?? ''
    }
  }
  return undefined
}

/** The package whose bin/haraka this folder of PATH leads to. */
function behindBinary(folder: string): readonly string[] {
  try {
    return [path.join(path.dirname(realpathSync(path.join(folder, 'haraka'))), '..')]
  } catch {
    return [] // no haraka there
  }
}

function packageOf(folder: string): Readonly<Record<string, unknown>> | undefined {
  const text = readStart(path.join(folder, 'package.json'))
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Undefined where there is no file, or none that can be read. */
function readStart(file: string): string | undefined {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    const bytes = Buffer.alloc(MAX_FILE)
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MAX_FILE, 0))
  } catch {
    return undefined
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The package has had both. */
const NAMES = ['haraka', 'Haraka'] as const
const MAX_FILE = 1_048_576
