/**
 * Tries the commands that the shared cache needs, on a key of its own.
 *
 * Writes, reads and removes one key that expires by itself. Never rejects.
 */
import { errorText } from '../text.js'
import type { RedisClient } from './redis-client.js'
import { KEY_START } from './seal.js'
import type { Vault } from './seal.js'

export type TrialFault = {
  /** The commands that were tried. */
  readonly tried: string
  /** What came back. */
  readonly fault: string
  /** What does not work without it. */
  readonly without: string
}

/** @param nonce makes the key unique */
export async function tryCommands(
  client: RedisClient,
  vault: Vault,
  nonce: string,
): Promise<readonly TrialFault[]> {
  const key = `${vault.prefix}${KEY_START}check:${nonce}`
  let isWritten = false
  const steps: readonly (readonly [string, string, () => Promise<string | undefined>])[] = [
    [
      'SET with PX',
      'answers are not shared, and cache purge cannot reach the relays',
      async () => {
        await client.set(key, nonce, LIFE_MS)
        isWritten = true
        return undefined
      },
    ],
    [
      'GETRANGE and PTTL',
      'nothing that is stored there is used',
      async () => {
        const stored = await client.read(key, nonce.length)
        const isSame = stored?.text === nonce && stored.leftMs > 0 && stored.leftMs <= LIFE_MS
        return isSame || !isWritten ? undefined : 'another value or expiry than was written'
      },
    ],
    [
      'SET with NX',
      'the same query is sent to DNS by several processes at once',
      async () =>
        (await client.setNew(key, nonce, LIFE_MS)) && isWritten
          ? 'the key was overwritten'
          : undefined,
    ],
    [
      'DEL',
      'cache purge cannot remove entries',
      async () => {
        await client.remove(key)
        return undefined
      },
    ],
    [
      'SCAN',
      'cache purge --all invalidates entries, but cannot remove them',
      async () => {
        // The first batch shows it.
        for await (const _ of client.keys(key)) break
        return undefined
      },
    ],
  ]
  const faults: TrialFault[] = []
  for (const [tried, without, attempt] of steps) {
    const fault = await attempt().catch((error: unknown) => errorText(error))
    if (fault !== undefined) faults.push({ tried, fault, without })
  }
  return faults
}

const LIFE_MS = 10_000
