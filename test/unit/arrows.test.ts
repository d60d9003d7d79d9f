/** The linter holds the arrows of docs/dev/design.md: each forbidden import is tried on it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ESLint } from 'eslint'
import { ROOT } from '../../lab/root.js'

const eslint = new ESLint({ cwd: ROOT })

const cases: readonly (readonly [string, string, boolean])[] = [
  ['src/discover/route.ts', "export * from '../verify/verify.js'", false],
  ['src/discover/route.ts', "export * from '../dns/stub.js'", false],
  ['src/discover/route.ts', "export * from '../settings/settings.js'", false],
  ['src/cache/redis-store.ts', "export * from '../settings/settings.js'", false],
  ['src/cache/redis-store.ts', "export * from '../settings/redis-settings.js'", true],
  ['src/cache/redis-client.ts', "export * from '../settings/settings.js'", false],
  ['src/discover/route.ts', "export * from '../policy.js'", true],
  ['src/verify/host-match.ts', "export * from '../discover/decide.js'", false],
  ['src/verify/host-match.ts', "export * from '../session/starttls-dialog.js'", false],
  ['src/cache/memory-store.ts', "export * from '../dns/stub.js'", false],
  ['src/dns/answer.ts', "export * from '../cache/memory-store.js'", false],
  ['src/dns/answer.ts', "export * from '../validate/chain.js'", false],
  ['src/validate/chain.ts', "export * from '../dns/answer.js'", false],
  ['src/validate/chain.ts', "export * from '../signed-message.js'", true],
  ['src/validate/validator.ts', 'setImmediate(() => undefined)', false],
  ['src/lookup.ts', "export * from './dns/stub.js'", false],
  ['src/policy.ts', "export * from './haraka/connection/gate.js'", false],
  ['src/plan.ts', "export * from './settings/settings.js'", false],
  ['src/settings/settings.ts', "export * from '../dns/stub.js'", false],
  ['src/settings/settings.ts', "export * from 'node:fs'", false],
  ['src/settings/config-folder.ts', "export * from 'node:fs'", true],
  ['src/settings/config-folder.ts', "export * from '../haraka/plugin.js'", false],
  ['src/x509/der.ts', "export * from '../verify/verify.js'", false],
  ['src/x509/der.ts', "export * from 'node:fs'", false],
  ['src/haraka/connection/gate.ts', "export * from '../../dns/stub.js'", false],
  ['src/haraka/connection/gate.ts', "export * from '../../verify/verify.js'", false],
  ['src/haraka/attempt/decision.ts', "export * from '../../discover/discover.js'", false],
  ['src/haraka/attempt/decision.ts', "export * from '../../enforce/plan.js'", true],
  ['src/haraka/attempt/decision.ts', "export * from '../../plan.js'", true],
  ['src/cli/investigate.ts', "export * from '../verify/verify.js'", false],
  ['src/cli/investigate.ts', "export * from '../discover/decide.js'", false],
  ['src/cli/investigate.ts', "export * from '../enforce/judge.js'", true],
  ['src/cli/report/text.ts', "export * from '../../enforce/plan.js'", false],
  ['src/enforce/plan.ts', "export * from '../discover/discover.js'", true],
  ['src/enforce/judge.ts', "export * from '../verify/verify.js'", true],
  ['src/enforce/plan.ts', "export * from '../settings/settings.js'", false],
  ['src/enforce/plan.ts', "export * from '../dns/stub.js'", false],
  ['src/enforce/judge.ts', "export * from '../session/handshake.js'", false],
  ['src/enforce/judge.ts', "export * from '../haraka/plugin.js'", false],
  ['src/discover/discover.ts', "export * from '../enforce/plan.js'", false],
  ['src/verify/verify.ts', "export * from '../enforce/judge.js'", false],
  ['src/plan.ts', "export * from './enforce/plan.js'", false],
  ['src/assemble.ts', "export * from './enforce/plan.js'", false],
  ['plugins/dane.ts', "export * from '../src/enforce/plan.js'", false],
  ['src/haraka/connection/gate.ts', "export * from '../../metrics/catalog.js'", true],
  ['src/discover/route.ts', "export * from '../metrics/catalog.js'", false],
  ['src/cli/main.ts', "export * from '../metrics/catalog.js'", false],
  ['src/mail-event.ts', "export * from './metrics/catalog.js'", false],
  ['src/metrics/counts.ts', "export * from '../haraka/log/mail-log.js'", false],
  ['src/metrics/counts.ts', "export * from '../mail-event.js'", true],
  ['src/metrics/counts.ts', "export * from 'prom-client'", true],
  ['src/metrics/collector.ts', "export * from 'node:cluster'", false],
  ['src/haraka/connection/gate.ts', "export * from 'prom-client'", false],
  ['src/haraka/metrics/workers.ts', "export * from 'node:cluster'", true],
  ['plugins/dane.ts', "export * from '../src/discover/discover.js'", false],
  ['src/verify/host-match.ts', "export { connect } from 'node:net'", false],
  ['src/verify/host-match.ts', "export { isIP } from 'node:net'", true],
  ['src/verify/host-match.ts', "export * from 'node:fs'", false],
  ['src/verify/host-match.ts', 'export const now = Date.now()', false],
  ['src/verify/host-match.ts', 'export const now = new Date()', false],
  ['src/verify/host-match.ts', 'export const chance = Math.random()', false],
  ['src/verify/host-match.ts', 'setTimeout(() => undefined, 1)', false],
  ['src/dns/datagram.ts', "export * from 'node:dgram'", true],
  ['src/dns/stream.ts', "export { connect } from 'node:net'", true],
  ['src/dns/stream.ts', "export * from 'node:dns'", false],
  ['src/dns/pool.ts', "export * from 'node:dgram'", false],
  ['src/dns/pool.ts', 'setTimeout(() => undefined, 1)', false],
  ['src/haraka/connection/gate.ts', "export * from 'node:dns/promises'", false],
  ['src/cli/report/text.ts', 'export const now = Date.now()', false],
  ['src/cli/report/text.ts', "export * from '../../assemble.js'", false],
  ['src/cli/report/text.ts', "export * from '../../reason.js'", true],
  ['src/cli/probe-cache.ts', "export * from '../haraka/connection/gate.js'", false],
  ['src/assemble.ts', "export * from './dns/stub.js'", true],
  ['src/assemble.ts', "export * from './haraka/connection/gate.js'", false],
]

for (const [file, code, isAllowed] of cases) {
  test(`${code.includes('node:dns') ? '[R7672-2.1.1-a] ' : ''}${file}: ${code} is ${isAllowed ? 'allowed' : 'refused'}`, async () => {
    const [result] = await eslint.lintText(`${code}\n`, { filePath: file })
    const held = result?.messages.filter(({ ruleId }) => ruleId?.includes('no-restricted')) ?? []
    assert.equal(held.length === 0, isAllowed, JSON.stringify(result?.messages))
  })
}
