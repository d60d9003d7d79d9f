/** No file of src imports itself by way of others. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../lab/root.js'

type Imports = ReadonlyMap<string, readonly string[]>

/** All imports of a file, or only those that are left when the types are gone. */
function importsOf(file: string, text: string, areTypesMeant: boolean): readonly string[] {
  const code = areTypesMeant ? text : text.replace(/\b(?:im|ex)port type\b[^']*'[^']*'/g, '')
  return [...code.matchAll(/\b(?:from|import|require)\s*\(?\s*'(\.[^']+)\.js'/g)].map(
    ([, place]) => `${path.join(path.dirname(file), place ?? '')}.ts`,
  )
}

function readImports(areTypesMeant: boolean): Imports {
  const folder = path.join(ROOT, 'src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return new Map(
    files
      .filter((file) => file.endsWith('.ts'))
      .map((file) => {
        const text = readFileSync(path.join(folder, file), 'utf8')
        return [file, importsOf(file, text, areTypesMeant)]
      }),
  )
}

/** Files from which a way of imports leads back to them. */
function inCycles(imports: Imports): readonly string[] {
  return [...imports.keys()].filter((file) => {
    const reached = new Set<string>()
    const left = [...(imports.get(file) ?? [])]
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (reached.has(next)) continue
      reached.add(next)
      left.push(...(imports.get(next) ?? []))
    }
    return reached.has(file)
  })
}

test('no file of src needs itself by way of others to be loaded', () => {
  const imports = readImports(false)
  assert.ok(imports.size > 100)
  assert.deepEqual(inCycles(imports), [])
})

test('nor are there types that go in a circle', () => {
  assert.deepEqual(inCycles(readImports(true)), [])
})

test('a cycle is seen, and which of them are of types alone', () => {
  const texts = {
    'a.ts': "import { b } from './b/b.js'",
    'b/b.ts': "export type {\n  C,\n} from './c.js'",
    'b/c.ts': "const a = await import('../a.js')",
    'd.ts': "import './a.js'",
    'e.ts': "import { f } from './f.js'",
    'f.ts': "import type { F } from './d.js'\nexport * from './e.js'",
  }
  const read = (areTypesMeant: boolean): Imports =>
    new Map(
      Object.entries(texts).map(([file, text]) => [file, importsOf(file, text, areTypesMeant)]),
    )
  assert.deepEqual(inCycles(read(true)), ['a.ts', 'b/b.ts', 'b/c.ts', 'e.ts', 'f.ts'])
  assert.deepEqual(inCycles(read(false)), ['e.ts', 'f.ts'])
})
