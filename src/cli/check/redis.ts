/**
 * Checks that the shared cache works, and that its entries can be authenticated.
 *
 * Each command that the plugin needs is tried on a key of its own. Effects: network; writes
 * one key to Redis and removes it.
 */
import { openInspection } from '../../assemble.js'
import { redisText } from '../../settings/redis-settings.js'
import type { Settings } from '../../settings/settings.js'
import { redisAdvice } from '../redis-advice.js'
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'

export async function redisFindings(
  settings: Pick<Settings, 'redis' | 'resolver' | 'cache'>,
): Promise<readonly Finding[]> {
  const { redis } = settings
  if (redis === undefined) return [ok(TOPIC, 'not used: each worker has a cache of its own')]
  const place = redisText(redis)
  const keyFinding =
    redis.key === undefined
      ? warning(
          TOPIC,
          'key is not set: anyone who can write to this Redis can disable DANE',
          'set key in [redis], the same on all relays that share (openssl rand -hex 32)',
        )
      : ok(TOPIC, 'key is set: entries that it does not authenticate are ignored')
  const inspection = await openInspection(redis, settings)
  try {
    const faults = await inspection.tryOut()
    return [...trialFindings(place, redis.isTls, faults), keyFinding]
  } finally {
    inspection.close()
  }
}

type TrialFaults = Awaited<ReturnType<Awaited<ReturnType<typeof openInspection>>['tryOut']>>

function trialFindings(place: string, isTls: boolean, faults: TrialFaults): readonly Finding[] {
  const [first] = faults
  if (first === undefined) return [ok(TOPIC, `${place} can be written, read and purged`)]
  // Without a connection all of them fail for the same reason.
  if (first.fault.startsWith('no connection')) {
    const text = `${place}: ${first.fault}; ${DIRECT}`
    return [problem(TOPIC, text, redisAdvice(first.fault, isTls))]
  }
  return faults.map(({ tried, fault, without }) => {
    const text = `${place}: ${tried} failed: ${fault}; ${without}`
    return tried === 'SCAN'
      ? warning(TOPIC, text, redisAdvice(fault, isTls))
      : problem(TOPIC, text, redisAdvice(fault, isTls))
  })
}

const DIRECT = 'mail is still delivered, and each worker queries DNS itself'
const TOPIC = 'redis'
