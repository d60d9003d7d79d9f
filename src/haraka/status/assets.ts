/** Style, script and icon of the page, from the folder `page` of this package. Reads files once. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { AssetExtension } from '../../status/page/request.js'

export type Assets = {
  readonly files: Readonly<Record<AssetExtension, Asset>>
  /** Changes with the content of any of them. */
  readonly version: string
}

type Asset = { readonly type: string; readonly bytes: string }

/** Throws if a file cannot be read: then the package is not complete. */
export function readAssets(): Assets {
  const read = (name: string): string => readFileSync(path.join(FOLDER, name), 'utf8')
  const files = {
    css: { type: 'text/css; charset=utf-8', bytes: read('status.css') },
    js: { type: 'text/javascript; charset=utf-8', bytes: read('status.js') },
    svg: { type: 'image/svg+xml', bytes: read('icon.svg') },
  }
  const hash = createHash('sha256')
  for (const { bytes } of Object.values(files)) hash.update(bytes)
  return { files, version: hash.digest('hex').slice(0, 12) }
}

/** From dist/src/haraka/status, and from build/src/haraka/status. */
const FOLDER = path.resolve(__dirname, '../../../../page')
