/** A signed world, served: zones from a seed, NSD, and a resolver that does not validate. */
import { randomFrom } from './random.js'
import { buildWorld } from './build.js'
import type { SignedWorld } from './build.js'
import { generateZones } from './generate.js'
import { chooseQuestions } from './questions.js'
import type { Question } from './questions.js'
import { startAuthority, startPlainResolver } from './servers.js'

export type ServedWorld = {
  readonly world: SignedWorld
  /** The port of the resolver. */
  readonly resolver: number
  /** Others for each `part`. */
  readonly questions: (count: number, part?: number) => readonly Question[]
  readonly stop: () => Promise<void>
}

export async function serveWorld(
  folder: string,
  seed: number,
  zones: number,
): Promise<ServedWorld> {
  const world = await buildWorld(folder, generateZones(seed, zones))
  const authority = await startAuthority(folder, world)
  try {
    const resolver = await startPlainResolver(folder, world, authority.port)
    return {
      world,
      resolver: resolver.port,
      questions: (count, part = 0) =>
        chooseQuestions(world.zones, count, randomFrom(seed + 1 + 1_000_003 * part)),
      async stop() {
        await Promise.all([authority.child.stop(), resolver.child.stop()])
      },
    }
  } catch (error) {
    await authority.child.stop()
    throw error
  }
}
