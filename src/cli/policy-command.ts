/** `haraka-dane policy`: prints the policy for each domain, and the line of dane.ini that sets it. */
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
        : `the default (${file} does not set it)`
    console.log(`${domain}: ${policy}, by ${where}`)
    console.log(`  ${MEANING[policy]}`)
  }
  return Promise.resolve(0)
}

const MEANING: Readonly<Record<Policy, string>> = {
  none: 'mail is sent as without this plugin',
  audit: 'everything is checked and nothing enforced; the log says what enforcing would have done',
  opportunistic: 'if the domain publishes DANE, no mail is sent to it unprotected',
  mandatory: 'DANE or no delivery: without it, mail waits and then bounces',
}
