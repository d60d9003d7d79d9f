/**
 * Do other plugins of this Haraka take mail out of the plugin's hands?
 *
 * By what `config/plugins` lists and what the plugins' sources say of their hooks:
 * whoever answers get_mx chooses hosts, whoever has a deny hook may overrule, whoever
 * forwards in the queue phase bypasses outbound. Pure: names and sources come in.
 */
import type { RoutesPolicy } from '../../settings.js'
import { printable } from '../../text.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'
import { isTruth, readHarakaIni } from './haraka-ini.js'

export type ListedPlugin = {
  /** Without `haraka-plugin-`. */
  readonly name: string
  /** Undefined: no file of that name was found. */
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
  const routers = others.filter(answers('get_mx')).map(({ name }) => printable(name))
  const overrulers = others.filter(answers('deny')).map(({ name }) => printable(name))
  const before = plugins.slice(0, Math.max(at, 0))
  const first = before.filter(answers('send_email')).map(({ name }) => printable(name))
  const unseen = others
    .filter(({ source }) => source === undefined)
    .map(({ name }) => printable(name))
  return [
    danePresence(plugins[at]),
    ...(routers.length > 0
      ? [routerFinding(routers, routes)]
      : [ok(TOPIC, 'no other answers get_mx')]),
    ...(first.length > 0 && before.some(answers('get_mx'))
      ? [
          warning(
            TOPIC,
            `${first.join(', ')} may answer send_email before this plugin, and others get_mx: ` +
              'mail that both answer leaves without DANE',
            'put dane first in config/plugins',
          ),
        ]
      : []),
    ...(overrulers.length > 0
      ? [
          ok(
            TOPIC,
            `${overrulers.join(', ')} may overrule what a hook refuses; mail that DANE holds back is held all the same`,
          ),
        ]
      : []),
    ...others.flatMap(({ name }) => bypassFinding(name, facts) ?? []),
    ...(unseen.length > 0
      ? [
          unknown(
            TOPIC,
            `no file was found of ${unseen.join(', ')}, so what they answer is not known`,
            facts.isHarakaFound
              ? 'see whether Haraka finds them, or take them out of config/plugins'
              : 'run this where Haraka is installed',
          ),
        ]
      : []),
  ]
}

function danePresence(dane: ListedPlugin | undefined): Finding {
  if (dane === undefined) {
    return problem(
      TOPIC,
      'dane is not listed: mail is sent without DANE',
      'echo dane >> config/plugins',
    )
  }
  return dane.source === undefined
    ? problem(
        TOPIC,
        'dane is listed, but not installed: Haraka does not start',
        "npm install haraka-plugin-dane, in the folder above Haraka's config",
      )
    : ok(TOPIC, 'dane is listed and installed')
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
        `set enable_outbound=false in ${forwarder.file}, or leave DANE to where that mail goes`,
      )
    : ok(TOPIC, `${name} leaves outgoing mail to Haraka's outbound`)
}

function answers(hook: 'get_mx' | 'send_email' | 'deny'): (plugin: ListedPlugin) => boolean {
  const pattern = new RegExp(`\\bhook_${hook}\\b|register_hook\\(\\s*['"\`]${hook}['"\`]`)
  return ({ source }) => source !== undefined && pattern.test(source)
}

/** Haraka's own, and what each does where its file says nothing. */
const FORWARDERS: Readonly<Record<string, { readonly file: string; readonly usual: boolean }>> = {
  'queue/smtp_forward': { file: 'smtp_forward.ini', usual: false },
  'queue/smtp_proxy': { file: 'smtp_proxy.ini', usual: true },
  'queue/qmail-queue': { file: 'qmail-queue.ini', usual: true },
}

const TOPIC = 'plugins'
