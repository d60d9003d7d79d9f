/**
 * `haraka-dane check`: is this relay set up so that DANE works?
 *
 * Looks at everything in one go and says of each part how it stands and what to do. What
 * is wrong with one part keeps no other from being looked at. Effects: reads files, asks
 * the network, writes to standard output.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { readConfigFile } from '../config-folder.js'
import { isTooOld, OLDEST_HARAKA, crashText } from '../haraka-releases.js'
import type { Settings } from '../settings.js'
import { errorText, printable } from '../text.js'
import { exitCode, ok, problem, unknown, warning } from './check/finding.js'
import type { Finding } from './check/finding.js'
import { readHarakaList } from './check/haraka-ini.js'
import { findHaraka, readPluginSource } from './check/installation.js'
import type { Haraka } from './check/installation.js'
import { outboundFindings } from './check/outbound.js'
import { pluginFindings } from './check/other-plugins.js'
import { redisFindings } from './check/redis.js'
import { resolverFindings } from './check/resolvers.js'
import { readSettingsOrDefaults } from './relay-settings.js'
import { createPainter, isColorful } from './terminal.js'
import { UsageError } from './usage.js'

/** @returns 0 nothing is wrong, 1 something is, 3 something could not be looked at */
export async function runCheck(folder: string): Promise<number> {
  if (!existsSync(folder)) {
    throw new UsageError(`${folder} is not there: give Haraka's config folder`)
  }
  const relay = path.resolve(folder, '..')
  const haraka = findHaraka(relay)
  const findings: Finding[] = []
  const tell = (more: readonly Finding[]): void => {
    findings.push(...more)
    for (const finding of more) for (const line of linesOf(finding)) console.log(line)
  }
  const settings = readOrComplain(folder)
  tell('complaint' in settings ? [settings.complaint] : settingsFindings(folder, settings.read))
  if ('read' in settings) {
    tell(await guarded('resolver', () => resolverFindings(settings.read.resolver)))
    tell(await guarded('redis', () => redisFindings(settings.read)))
  }
  tell(await guarded('outbound.ini', () => outboundOf(folder)))
  const routes = 'read' in settings ? settings.read.routes : 'dane'
  tell(await guarded('plugins', () => pluginsOf(folder, relay, haraka, routes)))
  tell([harakaFinding(haraka)])
  return exitCode(findings)
}

function readOrComplain(
  folder: string,
): { readonly read: Settings } | { readonly complaint: Finding } {
  try {
    return { read: readSettingsOrDefaults(folder) }
  } catch (error) {
    return {
      complaint: problem(
        'dane.ini',
        errorText(error),
        'mend it: Haraka does not start with it, and one that runs keeps its old settings. ' +
          'Resolvers and Redis were not looked at',
      ),
    }
  }
}

function settingsFindings(folder: string, settings: Settings): readonly Finding[] {
  const { policy, domains } = settings
  const isThere = existsSync(path.join(folder, 'dane.ini'))
  const policies = [policy, ...[...domains.values()].map((rule) => rule.policy)]
  const text = `policy ${policy}, ${domains.size} domains of their own`
  const isEnforcing = policies.some((each) => each === 'opportunistic' || each === 'mandatory')
  return [
    ok('dane.ini', isThere ? `understood: ${text}` : `not there, so the defaults hold: ${text}`),
    ...(isEnforcing
      ? []
      : [
          warning(
            'dane.ini',
            policies.includes('audit')
              ? 'nothing is enforced: DANE is only watched (audit)'
              : 'nothing is done: every policy is none',
            'set policy = opportunistic when you are ready',
          ),
        ]),
  ]
}

function outboundOf(folder: string): readonly Finding[] {
  return outboundFindings({
    outboundIni: readConfigFile(folder, 'outbound.ini'),
    tlsIni: readConfigFile(folder, 'tls.ini'),
    tempFailIntervals: readConfigFile(folder, 'outbound.temp_fail_intervals'),
  })
}

function pluginsOf(
  folder: string,
  relay: string,
  haraka: Haraka | undefined,
  routes: Settings['routes'],
): readonly Finding[] {
  const names = readHarakaList(readConfigFile(folder, 'plugins')).map((name) =>
    name.replace(/^haraka-plugin-/, ''),
  )
  return pluginFindings({
    plugins: names.map((name) => ({ name, source: readPluginSource(relay, haraka, name) })),
    routes,
    isHarakaFound: haraka !== undefined,
    configText: (name) => readConfigFile(folder, name),
  })
}

function harakaFinding(haraka: Haraka | undefined): Finding {
  if (haraka === undefined) {
    return warning(
      'haraka',
      'not found beside the config folder, in PATH or among global packages: its version was not looked at',
      `see that it is ${OLDEST_HARAKA} or later, and not 3.1.5`,
    )
  }
  const version = printable(haraka.version, 40)
  const text = `${version} in ${printable(haraka.folder)}`
  if (isTooOld(version) === true) {
    return problem(
      'haraka',
      `${text}: the plugin does not start with it`,
      `install ${OLDEST_HARAKA} or later`,
    )
  }
  const crash = crashText(version)
  return crash === undefined
    ? ok('haraka', text)
    : warning('haraka', crash, 'install 3.1.6 or later')
}

/** What cannot be read is told as that; a file that dane.ini names is part of the settings. */
async function guarded(
  topic: string,
  look: () => readonly Finding[] | Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look()
  } catch (error) {
    if (topic === 'resolver' || topic === 'redis') {
      return [problem(topic, errorText(error), 'mend dane.ini: Haraka does not start with it')]
    }
    return [unknown(topic, errorText(error), 'see whether it is there and may be read')]
  }
}

function linesOf({ level, topic, text, todo }: Finding): readonly string[] {
  const paint = createPainter(isColorful(process.stdout.isTTY, process.env))
  const color = level === 'ok' ? 'green' : level === 'problem' ? 'red' : 'yellow'
  const word = paint(level.padEnd(8), color)
  return [
    `${word} ${topic}: ${printable(text, 600)}`,
    ...(todo === undefined ? [] : [`         do: ${printable(todo, 600)}`]),
  ]
}
