/**
 * A process that looks names up as a relay would: with the settings of a dane.ini, whose
 * path is its argument, and with a resolver of its own. For tests that need several.
 *
 * Each message is a list: name and type are answered with the outcome; an empty one gives
 * the process a new resolver, with an empty memory.
 */
import { readFileSync } from 'node:fs'
import { assembleResolver } from '../../src/assemble.js'
import type { Lookup } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings/settings.js'
import { domain, outcome } from './validator-rig.js'

const settings = parseSettings(readFileSync(process.argv[2] ?? '', 'utf8'))
const open = () => assembleResolver(settings, () => undefined)
let resolver = open()

process.on('message', (message: unknown) => {
  const [name, type] = Array.isArray(message) ? message.map(String) : []
  if (name === undefined) {
    resolver.close()
    resolver = open()
    process.send?.('ready')
    return
  }
  resolver.lookup(domain(name), type === 'MX' ? 'MX' : 'A').then(reply, (error: unknown) => {
    process.send?.(`rejected: ${String(error)}`)
  })
})

function reply(lookup: Lookup): void {
  process.send?.(outcome(lookup))
}
