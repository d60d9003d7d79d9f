/** Where is the project? The compiled files are two folders below it. */
import path from 'node:path'

export const ROOT = path.resolve(__dirname, '..', '..')
