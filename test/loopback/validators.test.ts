/**
 * This validator, Unbound and BIND say the same about random zones, signed and broken, and
 * about replies that were changed on the way. `npm run compare-validators` asks more.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { compareChanged } from '../../lab/signed-world/changed.js'
import { compare, isEqual, isLooser } from '../../lab/signed-world/compare.js'
import type { Compared } from '../../lab/signed-world/compare.js'
import { startProxy } from '../../lab/signed-world/proxy.js'
import { serveWorld } from '../../lab/signed-world/world.js'

const SEED = 18
const ZONES = 26

test(
  '[DNSSEC-80] the same status as Unbound and BIND, or a reviewed reason',
  { timeout: 240_000 },
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'validators-'))
    const served = await serveWorld(folder, SEED, ZONES)
    const { world, resolver } = served
    try {
      const proxy = await startProxy(resolver, (_, parts) => parts)
      try {
        const upstream = { port: proxy.port, fetch: proxy.reply }
        const all = await compare(folder, world, upstream, served.questions(300))
        assert.deepEqual(unexplained(all, isDifferent), [])
        // As many of each as show that something was compared.
        for (const status of ['secure found', 'secure nodata', 'secure nxdomain', 'bogus']) {
          assert.ok(all.filter(({ ours }) => ours === status).length >= 5, status)
        }
      } finally {
        proxy.close()
      }
      const changed = [
        ...(await compareChanged(folder, world, resolver, served.questions(80, 1), 'answers')),
        ...(await compareChanged(folder, world, resolver, served.questions(30, 2), 'any')),
      ]
      assert.deepEqual(unexplained(changed, isLooser), [])
      assert.ok(changed.filter(({ ours }) => ours === 'bogus').length >= 15)
    } finally {
      await served.stop()
      await rm(folder, { recursive: true, force: true })
    }
  },
)

function isDifferent({ ours, unbound, bind, isOtherContent }: Compared): boolean {
  return isOtherContent || !isEqual(ours, unbound) || !isEqual(ours, bind)
}

function unexplained(
  all: readonly Compared[],
  matters: (compared: Compared) => boolean,
): readonly Compared[] {
  return all.filter((each) => matters(each) && each.explanation === undefined)
}
