// Which test files do the arguments of `npm test` mean, in which order are they run, and
// what do they need?
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const FOLDERS = ['unit', 'scenario', 'hostile', 'loopback']

/**
 * The test files whose path below test/ contains one of `wanted`, or all if there are
 * none, as `folder/name` without `.test.ts`. The long ones first, so that no core waits
 * at the end.
 */
export function selectTests(wanted) {
  return readdirSync(path.join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replace(/\.test\.ts$/, ''))
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
    .sort((a, b) => weight(b) - weight(a))
}

/** Does a test need servers and the packed plugin? */
export function needsLaboratory(name) {
  return name.startsWith('loopback')
}

export function needsBrowser(name) {
  return /^loopback\/status-(page|proxy|script)/.test(name)
}

function weight(name) {
  return FOLDERS.findIndex((folder) => name.startsWith(folder))
}
