/**
 * Finds Haraka, and the plugins that it loads.
 *
 * Searches for plugins where Haraka does, in its order: the relay's folder, what npm
 * installed there, then Haraka's own. Searches for Haraka next to the relay, behind
 * `haraka` in PATH and among the global packages of this Node. Effects: reads files, at
 * most 1 MB of each; runs nothing that it finds.
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
    const version = readVersion(place)
    // Haraka itself resolves symbolic links.
    if (version !== undefined) return { folder: realpathSync(place), version }
  }
  return undefined
}

export type FoundPlugin = {
  /** A file, or the folder of a package. */
  readonly place: string
  /** Undefined for a file. */
  readonly package:
    | {
        readonly name: string
        readonly version: string
        /** Its entry point, relative to its folder. */
        readonly main: string
      }
    | undefined
  /** Undefined: there is no code at the entry point, or it cannot be read. */
  readonly source: string | undefined
}

/** What Haraka loads under a name in config/plugins: the first that it finds. */
export function findPlugin(
  relay: string,
  haraka: Haraka | undefined,
  name: string,
): FoundPlugin | undefined {
  // A name that leads out of these folders is not a plugin's.
  if (!/^[\w@][\w@./-]*$/.test(name) || name.includes('..')) return undefined
  const usual = (home: string): readonly string[] => [
    path.join(home, 'plugins', `${name}.js`),
    path.join(home, 'node_modules', `haraka-plugin-${name}`),
    path.join(home, '..', `haraka-plugin-${name}`),
  ]
  const places = [
    ...usual(relay),
    path.join(relay, 'plugins', name),
    path.join(relay, 'node_modules', name),
    ...(haraka ? usual(haraka.folder) : []),
  ]
  for (const place of places) {
    const found = place.endsWith('.js') ? readPluginFile(place) : readPluginPackage(place)
    if (found) return found
  }
  return undefined
}

/** The package that this code belongs to. */
export const OWN_PACKAGE = path.resolve(__dirname, '../../../..')

function readPluginFile(place: string): FoundPlugin | undefined {
  return existsSync(place) ? { place, package: undefined, source: readStart(place) } : undefined
}

function readPluginPackage(folder: string): FoundPlugin | undefined {
  if (!existsSync(path.join(folder, 'package.json'))) return undefined
  const { name, version, main } = packageOf(folder) ?? {}
  const begin = stringOf(main) ?? 'index.js'
  const code = path.join(folder, begin)
  return {
    place: realpathSync(folder),
    package: {
      name: stringOf(name) ?? 'a package without a name',
      version: stringOf(version) ?? 'without a version',
      main: begin,
    },
    source: readStart(code) ?? readStart(`${code}.js`) ?? readStart(path.join(code, 'index.js')),
  }
}

/** The version of the package in a folder. */
export function readVersion(folder: string): string | undefined {
  return stringOf(packageOf(folder)?.['version'])
}

/** The package that `haraka` in this folder of PATH belongs to. */
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

/** Undefined if there is no file, or it cannot be read. */
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

/** The package has had both names. */
const NAMES = ['haraka', 'Haraka'] as const
const MAX_FILE = 1_048_576
