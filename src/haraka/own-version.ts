/** The version of this package. Effects: reads package.json once. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { printable } from '../text.js'
import { member } from './host.js'

export function ownVersion(): string {
  try {
    const text = readFileSync(path.resolve(__dirname, '../../../package.json'), 'utf8')
    return printable(String(member(JSON.parse(text), 'version')), 40)
  } catch {
    return 'unknown'
  }
}
