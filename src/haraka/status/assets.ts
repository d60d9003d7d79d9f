/** Style, script and icon of the page, from the folder `page` of this package. Reads files once. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import type { AssetExtension } from '../../status/page/request.js'

export type Assets = {
  readonly files: Readonly<Record<AssetExtension, Asset>>
  /** Changes with the content of any of them. */
  readonly version: string
}

type Asset = {
  readonly type: string
  readonly text: string
  /** The same in gzip. */
  readonly packed: Buffer
}

/** Throws if a file cannot be read: then the package is not complete. */
export function readAssets(): Assets {
  const read = (name: string, type: string): Asset => {
    const text = readFileSync(path.join(FOLDER, name), 'utf8')
    return { type, text, packed: gzipSync(text) }
  }
  const files = {
    css: read('status.css', 'text/css; charset=utf-8'),
    js: read('status.js', 'text/javascript; charset=utf-8'),
    svg: read('icon.svg', 'image/svg+xml'),
  }
  const hash = createHash('sha256')
  for (const { text } of Object.values(files)) hash.update(text)
  return { files, version: hash.digest('hex').slice(0, 12) }
}

/** From dist/src/haraka/status, and from build/src/haraka/status. */
const FOLDER = path.resolve(__dirname, '../../../../page')
