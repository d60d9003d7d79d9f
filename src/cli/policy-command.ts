/** `haraka-dane policy`: which policy holds for a domain, and which line of which file says so? */
import path from 'node:path'
import type { Policy } from '../policy.js'
import { policyInForce, readSettingsOrDefaults } from './relay-settings.js'
import { toDomains } from './usage.js'

export function runPolicy(folder: string, names: readonly string[]): Promise<number> {
  const domains = toDomains(names)
  const settings = readSettingsOrDefaults(folder)
  const file = path.join(folder, 'dane.ini')
  for (const domain of domains) {
    const { policy, source } = policyInForce(settings, domain)
    const where =
      source.kind === 'line'
        ? `${file} line ${source.line} (${source.text})`
        : `the default, since ${file} says nothing`
    console.log(`${domain}: ${policy}, by ${where}`)
    console.log(`  ${MEANING[policy]}`)
  }
  return Promise.resolve(0)
}

const MEANING: Readonly<Record<Policy, string>> = {
  none: 'mail is sent as if this plugin were not there',
  audit: 'everything is looked up and judged, nothing enforced; the log says what would have been',
  opportunistic: 'where the domain publishes DANE, no mail goes to it unprotected',
  mandatory: 'DANE or no delivery: without it, mail waits and then bounces',
}
