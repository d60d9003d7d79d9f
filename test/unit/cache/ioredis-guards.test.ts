/** Without the private methods of ioredis that the guards need, [redis] is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import DataHandler from 'ioredis/built/DataHandler.js'
import { SettingsError } from '../../../src/settings/option-reader.js'
import { parseSettings } from '../../../src/settings/settings.js'

test('without DataHandler.dispatch [redis] is refused, and the message names the method', async () => {
  Reflect.deleteProperty(DataHandler.prototype, 'dispatch')
  // Loaded only now, since the guards are installed when ioredis is loaded.
  const { openSharedStore } = await import('../../../src/assemble.js')
  const settings = parseSettings('[redis]\nurl = redis://127.0.0.1:1')
  const { redis } = settings
  assert.ok(redis)
  const nothing = (): void => undefined
  assert.throws(
    () => {
      // There is something to close only if it was not refused.
      openSharedStore(redis, settings, nothing, nothing).close()
    },
    (error) =>
      error instanceof SettingsError && /^\[redis\] .*DataHandler\.dispatch/.test(error.message),
  )
})
