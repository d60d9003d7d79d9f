/** Where is the project? The nearest folder above the compiled files that has a package.json. */
import { existsSync } from 'node:fs'
import path from 'node:path'

function find(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : find(path.dirname(folder))
}

export const ROOT = find(__dirname)
