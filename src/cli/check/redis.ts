/**
 * Does the shared cache work, and may what it says be believed?
 *
 * One question to Redis, by the plugin's own client. Effects: network.
 */
import { openInspection } from '../../assemble.js'
import { parseDomainName } from '../../name.js'
import { redisText } from '../../redis-settings.js'
import type { Settings } from '../../settings.js'
import { errorText } from '../../text.js'
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'

export async function redisFindings({
  redis,
  cache,
}: Pick<Settings, 'redis' | 'cache'>): Promise<readonly Finding[]> {
  if (redis === undefined) return [ok(TOPIC, 'not used: each worker remembers for itself')]
  const place = redisText(redis)
  const keyFinding =
    redis.key === undefined
      ? warning(
          TOPIC,
          'key is not set: whoever can write to this Redis can switch DANE off',
          'set key in [redis], the same on all relays that share (openssl rand -hex 32)',
        )
      : ok(TOPIC, 'key is set: entries without it are not believed')
  const inspection = await openInspection(redis, cache)
  try {
    const name = parseDomainName('check.invalid')
    if (name) await inspection.look(name, 'MX')
    return [ok(TOPIC, `${place} answers`), keyFinding]
  } catch (error) {
    return [
      problem(
        TOPIC,
        `${place}: ${errorText(error)}; mail goes on, and each worker asks DNS for itself`,
        'see whether it runs, and whether address, user and password of [redis] are right',
      ),
      keyFinding,
    ]
  } finally {
    inspection.close()
  }
}

const TOPIC = 'redis'
