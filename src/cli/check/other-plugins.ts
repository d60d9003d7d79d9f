/**
 * Checks whether other plugins keep mail away from this one.
 *
 * By the list in `config/plugins` and the hooks that the plugins' sources register: one
 * that answers get_mx chooses hosts, one with a deny hook may override a denial, one that
 * forwards in the queue phase bypasses outbound. Pure: given names and sources.
 */
import type { RoutesPolicy } from '../../settings/settings.js'
import { printable } from '../../text.js'
import { bypassText } from '../../haraka-hazards.js'
import { ok, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'
import { isTruth, readHarakaIni } from './haraka-ini.js'

export type ListedPlugin = {
  /** Without `haraka-plugin-`. */
  readonly name: string
  /** Undefined: no file was found. */
  readonly source: string | undefined
}

export type PluginFacts = {
  /** In the order of config/plugins. */
  readonly plugins: readonly ListedPlugin[]
  readonly routes: RoutesPolicy
  /** Whether a Haraka was found, and so the sources of its own plugins. */
  readonly isHarakaFound: boolean
  readonly configText: (name: string) => string
}

export function pluginFindings(facts: PluginFacts): readonly Finding[] {
  const { plugins, routes } = facts
  const at = plugins.findIndex(({ name }) => name === 'dane')
  const others = plugins.filter(({ name }) => name !== 'dane')
  const routers = namesOf(others, 'get_mx')
  const overrulers = namesOf(others, 'deny')
  const before = plugins.slice(0, Math.max(at, 0))
  const bypass = bypassText(namesOf(before, 'send_email'), namesOf(before, 'get_mx'))
  const unseen = others
    .filter(({ source }) => source === undefined)
    .map(({ name }) => printable(name))
  return [
    ...(routers.length > 0
      ? [routerFinding(routers, routes)]
      : [ok(TOPIC, 'no other plugin answers get_mx')]),
    ...(bypass === undefined ? [] : [warning(TOPIC, bypass, 'put dane first in config/plugins')]),
    ...(overrulers.length > 0
      ? [
          ok(
            TOPIC,
            `${overrulers.join(', ')} may override what a hook denies; mail that DANE defers is deferred regardless`,
          ),
        ]
      : []),
    ...others.flatMap(({ name }) => bypassFinding(name, facts) ?? []),
    ...(unseen.length > 0
      ? [
          unknown(
            TOPIC,
            `no source file was found for ${unseen.join(', ')}, so the hooks that they answer are not known`,
            facts.isHarakaFound
              ? 'check that Haraka finds them, or remove them from config/plugins'
              : 'run this where Haraka is installed',
          ),
        ]
      : []),
  ]
}

function routerFinding(routers: readonly string[], routes: RoutesPolicy): Finding {
  const who = `${routers.join(', ')} may answer get_mx`
  switch (routes) {
    case 'dane':
      return ok(
        TOPIC,
        `${who}: hosts chosen there are verified by their own TLSA records (routes = dane)`,
      )
    case 'skip':
      return warning(
        TOPIC,
        `${who}: mail to hosts chosen there is sent without DANE (routes = skip)`,
        'set routes = dane, unless that is what you want',
      )
    case 'defer':
      return warning(
        TOPIC,
        `${who}: mail to hosts chosen there waits and then bounces (routes = defer)`,
        'set routes = dane, unless that is what you want',
      )
  }
}

/** Forwarders hand mail on while the client waits: outbound never sees it. */
function bypassFinding(name: string, { configText }: PluginFacts): Finding | undefined {
  const forwarder = FORWARDERS[name]
  if (forwarder === undefined) return undefined
  const ini = readHarakaIni(configText(forwarder.file))
  const words = ini.everywhere('enable_outbound')
  const isOn =
    words.some(isTruth) || (ini.value('', 'enable_outbound') === undefined && forwarder.usual)
  return isOn
    ? warning(
        TOPIC,
        `${name} takes outgoing mail in the queue phase (enable_outbound of ${forwarder.file}): it never reaches this plugin`,
        `set enable_outbound=false in ${forwarder.file}, or enforce DANE at the server that it hands mail to`,
      )
    : ok(TOPIC, `${name} leaves outgoing mail to Haraka's outbound`)
}

/** Those whose source registers the hook. */
function namesOf(
  plugins: readonly ListedPlugin[],
  hook: 'get_mx' | 'send_email' | 'deny',
): readonly string[] {
  const pattern = new RegExp(`\\bhook_${hook}\\b|register_hook\\(\\s*['"\`]${hook}['"\`]`)
  return plugins
    .filter(({ source }) => source !== undefined && pattern.test(source))
    .map(({ name }) => printable(name))
}

/** Haraka's own, and what each does if its file does not say. */
const FORWARDERS: Readonly<Record<string, { readonly file: string; readonly usual: boolean }>> = {
  'queue/smtp_forward': { file: 'smtp_forward.ini', usual: false },
  'queue/smtp_proxy': { file: 'smtp_proxy.ini', usual: true },
  'queue/qmail-queue': { file: 'qmail-queue.ini', usual: true },
}

const TOPIC = 'plugins'
