/** The linter holds the arrows of docs/design.md: each forbidden import is tried on it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ESLint } from 'eslint'
import { ROOT } from '../../lab/root.js'

const eslint = new ESLint({ cwd: ROOT })

const cases: readonly (readonly [string, string, boolean])[] = [
  ['src/discover/route.ts', "export * from '../verify/verify.js'", false],
  ['src/discover/route.ts', "export * from '../dns/stub.js'", false],
  ['src/discover/route.ts', "export * from '../settings.js'", false],
  ['src/discover/route.ts', "export * from '../policy.js'", true],
  ['src/verify/names.ts', "export * from '../discover/decide.js'", false],
  ['src/verify/names.ts', "export * from '../session/preamble.js'", false],
  ['src/cache/memory-store.ts', "export * from '../dns/stub.js'", false],
  ['src/dns/answer.ts', "export * from '../cache/memory-store.js'", false],
  ['src/lookup.ts', "export * from './dns/stub.js'", false],
  ['src/policy.ts', "export * from './haraka/gate.js'", false],
  ['src/haraka/gate.ts', "export * from '../dns/stub.js'", false],
  ['src/haraka/gate.ts', "export * from '../verify/verify.js'", true],
  ['src/haraka/gate.ts', "export * from '../metrics/catalog.js'", true],
  ['src/discover/route.ts', "export * from '../metrics/catalog.js'", false],
  ['src/cli/main.ts', "export * from '../metrics/catalog.js'", false],
  ['src/mail-event.ts', "export * from './metrics/catalog.js'", false],
  ['src/metrics/counts.ts', "export * from '../haraka/log.js'", false],
  ['src/metrics/counts.ts', "export * from '../mail-event.js'", true],
  ['src/metrics/counts.ts', "export * from 'prom-client'", true],
  ['src/metrics/collector.ts', "export * from 'node:cluster'", false],
  ['src/haraka/gate.ts', "export * from 'prom-client'", false],
  ['src/haraka/workers.ts', "export * from 'node:cluster'", true],
  ['plugins/dane.ts', "export * from '../src/discover/discover.js'", false],
  ['src/verify/names.ts', "export { connect } from 'node:net'", false],
  ['src/verify/names.ts', "export { isIP } from 'node:net'", true],
  ['src/verify/names.ts', "export * from 'node:fs'", false],
  ['src/verify/names.ts', 'export const now = Date.now()', false],
  ['src/verify/names.ts', 'export const now = new Date()', false],
  ['src/verify/names.ts', 'export const chance = Math.random()', false],
  ['src/verify/names.ts', 'setTimeout(() => undefined, 1)', false],
  ['src/dns/datagram.ts', "export * from 'node:dgram'", true],
  ['src/dns/stream.ts', "export { connect } from 'node:net'", true],
  ['src/dns/stream.ts', "export * from 'node:dns'", false],
  ['src/dns/pool.ts', "export * from 'node:dgram'", false],
  ['src/dns/pool.ts', 'setTimeout(() => undefined, 1)', false],
  ['src/haraka/gate.ts', "export * from 'node:dns/promises'", false],
  ['src/cli/report/text.ts', 'export const now = Date.now()', false],
  ['src/cli/report/text.ts', "export * from '../../assemble.js'", false],
  ['src/cli/report/text.ts', "export * from '../../reason.js'", true],
  ['src/cli/knock.ts', "export * from '../haraka/gate.js'", false],
  ['src/assemble.ts', "export * from './dns/stub.js'", true],
  ['src/assemble.ts', "export * from './haraka/gate.js'", false],
]

for (const [file, code, isAllowed] of cases) {
  test(`${code.includes('node:dns') ? '[R7672-2.1.1-a] ' : ''}${file}: ${code} is ${isAllowed ? 'allowed' : 'refused'}`, async () => {
    const [result] = await eslint.lintText(`${code}\n`, { filePath: file })
    const held = result?.messages.filter(({ ruleId }) => ruleId?.includes('no-restricted')) ?? []
    assert.equal(held.length === 0, isAllowed, JSON.stringify(result?.messages))
  })
}
