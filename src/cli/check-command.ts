/**
 * `haraka-dane check`: reports whether this relay is set up so that DANE works.
 *
 * Checks everything in one run and says of each part what its state is and what to do. A
 * part that cannot be checked does not keep the others from being checked. Effects:
 * reads files, network, standard output.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { assembleResolver } from '../assemble.js'
import { readConfigFile } from '../settings/config-folder.js'
import type { DomainName } from '../name.js'
import type { Settings } from '../settings/settings.js'
import { errorText, printable } from '../text.js'
import { exitCode, ok, problem, unknown, warning } from './check/finding.js'
import type { Finding } from './check/finding.js'
import { harakaFindings } from './check/haraka-release.js'
import { knockFinding } from './check/knock.js'
import type { Door } from './check/knock.js'
import { readHarakaIni, readHarakaList } from './check/haraka-ini.js'
import { findHaraka, findPlugin, OWN_PACKAGE, readVersion } from './check/installation.js'
import type { Haraka } from './check/installation.js'
import { folderFindings, loadingFindings } from './check/loading.js'
import { metricsFindings, statusFindings } from './check/http-pages.js'
import { outboundFindings } from './check/outbound.js'
import { permissionFindings } from './check/permissions.js'
import { pluginFindings } from './check/other-plugins.js'
import { redisFindings } from './check/redis.js'
import { resolverFindings } from './check/resolvers.js'
import { pkixFindings, tlsFinding } from './check/tls-options.js'
import { tlsrptFindings } from './check/tlsrpt.js'
import { readHttpIni, readSettingsOrDefaults } from './relay-settings.js'
import { createPainter, isColorful } from './terminal.js'
import { UsageError } from './usage.js'

export type CheckOptions = {
  readonly isJson: boolean
  /** A mail host of the operator's choice, to try the way out. */
  readonly knock: Door | undefined
}

/** @returns 0 nothing is wrong, 1 something is, 3 something could not be checked */
export async function runCheck(folder: string, { isJson, knock }: CheckOptions): Promise<number> {
  if (!existsSync(folder)) {
    throw new UsageError(`${folder} does not exist: give Haraka's config folder`)
  }
  const relay = path.resolve(folder, '..')
  const haraka = findHaraka(relay)
  const findings: Finding[] = []
  const report = (more: readonly Finding[]): void => {
    findings.push(...more)
    if (isJson) return
    for (const finding of more) for (const line of linesOf(finding)) console.log(line)
  }
  const inner = existsSync(path.resolve(folder, 'config'))
  report(folderFindings(path.resolve(folder), path.basename(path.resolve(folder)), inner))
  const reading = tryToRead(folder)
  if (reading.kind === 'invalid') report([reading.finding])
  else {
    const { settings } = reading
    report(settingsFindings(folder, settings))
    report(portFindings(settings))
    report(await guarded('http.ini', () => httpPagesOf(folder, relay, haraka, settings)))
    report(
      await guarded('resolver', () => resolverFindings(settings.resolver, domainsOf(settings))),
    )
    report(await guarded('redis', () => redisFindings(settings)))
    report(await guarded('tlsrpt', () => tlsrptOf(folder, settings)))
  }
  report(await guarded('outbound.ini', () => outboundOf(folder)))
  report(await guarded('tls.ini', async () => [await tlsOf(folder)]))
  report(await guarded('tls.ini', () => pkixFindings(readConfigFile(folder, 'tls.ini'))))
  report(await guarded('permissions', () => permissionFindings(folder, smtpIniOf(folder))))
  const routes = reading.kind === 'read' ? reading.settings.routes : 'dane'
  report(await guarded('plugins', () => loadingOf(folder, relay, haraka)))
  report(await guarded('plugins', () => pluginsOf(folder, relay, haraka, routes)))
  report(await guarded('haraka', () => harakaFindings(haraka, logFormatOf(folder))))
  if (knock !== undefined) report([await knockFinding(knock, folder)])
  const code = exitCode(findings)
  if (isJson) console.log(JSON.stringify({ version: 1, code, findings: findings.map(toJson) }))
  return code
}

function toJson({ level, topic, text, todo }: Finding): Finding & { readonly todo: string } {
  return { level, topic, text: printable(text, 600), todo: printable(todo ?? '', 600) }
}

type Reading =
  | { readonly kind: 'read'; readonly settings: Settings }
  | { readonly kind: 'invalid'; readonly finding: Finding }

function tryToRead(folder: string): Reading {
  try {
    return { kind: 'read', settings: readSettingsOrDefaults(folder) }
  } catch (error) {
    return {
      kind: 'invalid',
      finding: problem(
        'dane.ini',
        errorText(error),
        'fix it: Haraka does not start with this file (a running Haraka keeps its previous settings). ' +
          'Resolvers and Redis were not checked',
      ),
    }
  }
}

function settingsFindings(folder: string, settings: Settings): readonly Finding[] {
  const { policy, domains } = settings
  const exists = existsSync(path.join(folder, 'dane.ini'))
  if (exists && readConfigFile(folder, 'dane.ini').trim() === '') {
    return [
      problem(
        'dane.ini',
        'empty: a running Haraka keeps its previous settings, and one that starts has the defaults',
        'write it again, or remove it and restart Haraka to have the defaults',
      ),
    ]
  }
  const policies = [policy, ...[...domains.values()].map((rule) => rule.policy)]
  const text = `policy ${policy}, ${domains.size} per-domain policies`
  const isEnforcing = policies.some((each) => each === 'opportunistic' || each === 'mandatory')
  return [
    ok('dane.ini', exists ? `valid: ${text}` : `not present, so the defaults apply: ${text}`),
    ...(isEnforcing
      ? []
      : [
          warning(
            'dane.ini',
            policies.includes('audit')
              ? 'nothing is enforced: the policy is audit'
              : 'DANE is off: every policy is none',
            'set policy = opportunistic when you are ready',
          ),
        ]),
  ]
}

/** Domains that dane.ini names: mail goes there. */
function domainsOf({ domains }: Settings): readonly DomainName[] {
  return [...domains.values()].map(({ name }) => name)
}

function portFindings({ port }: Settings): readonly Finding[] {
  if (port === 25) return []
  return [
    warning(
      'dane.ini',
      `port = ${port}: mail hosts accept mail from other servers on port 25, and publish TLSA records for that port; mail is deferred`,
      'remove the line, unless this relay is a laboratory',
    ),
  ]
}

/** What dane.ini has on Haraka's HTTP server. */
function httpPagesOf(
  folder: string,
  relay: string,
  haraka: Haraka | undefined,
  { metrics, status }: Settings,
): readonly Finding[] {
  const http = readHttpIni(folder)
  const home = haraka?.folder ?? relay
  return [
    ...(metrics ? metricsFindings(metrics.path, http, home) : []),
    ...(status ? statusFindings(status, http, home) : []),
  ]
}

function tlsrptOf(folder: string, settings: Settings): Promise<readonly Finding[]> {
  const { tlsrpt } = settings
  return tlsrptFindings(tlsrpt, folder, () =>
    assembleResolver({ ...settings, redis: undefined }, () => undefined),
  )
}

function smtpIniOf(folder: string): ReturnType<typeof readHarakaIni> {
  return readHarakaIni(readConfigFile(folder, 'smtp.ini'))
}

function outboundOf(folder: string): readonly Finding[] {
  return outboundFindings({
    outboundIni: readConfigFile(folder, 'outbound.ini'),
    tlsIni: readConfigFile(folder, 'tls.ini'),
    tempFailIntervals: readConfigFile(folder, 'outbound.temp_fail_intervals'),
  })
}

function loadingOf(folder: string, relay: string, haraka: Haraka | undefined): readonly Finding[] {
  return loadingFindings({
    configText: (name) => readConfigFile(folder, name),
    found: findPlugin(relay, haraka, 'dane'),
    own: { place: OWN_PACKAGE, version: readVersion(OWN_PACKAGE) ?? 'unknown' },
  })
}

function tlsOf(folder: string): Promise<Finding> {
  return tlsFinding(readConfigFile(folder, 'tls.ini'), (name) => readConfigFile(folder, name))
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
    plugins: names.map((name) => ({ name, source: findPlugin(relay, haraka, name)?.source })),
    routes,
    isHarakaFound: haraka !== undefined,
    configText: (name) => readConfigFile(folder, name),
  })
}

function logFormatOf(folder: string): string {
  return readHarakaIni(readConfigFile(folder, 'log.ini')).value('', 'format') ?? ''
}

/** A part that cannot be read becomes a finding; a file that dane.ini names is part of the settings. */
async function guarded(
  topic: string,
  look: () => readonly Finding[] | Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look()
  } catch (error) {
    if (topic === 'resolver' || topic === 'redis') {
      return [problem(topic, errorText(error), 'fix dane.ini: Haraka does not start with it')]
    }
    return [unknown(topic, errorText(error), 'check that it exists and is readable')]
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
