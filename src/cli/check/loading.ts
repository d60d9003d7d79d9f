/**
 * Checks that Haraka loads this plugin at all.
 *
 * A Haraka that runs without it sends mail without DANE and logs nothing about it. So
 * everything that makes Haraka skip the plugin is a finding: the list of plugins, what is
 * installed under the name, `ignore_bad_plugins`, files that override others, a folder
 * that Haraka does not read. Limits: the folder that Haraka was started with is not
 * known. Pure: given the files' texts.
 */
import { printable } from '../../text.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'
import { readHarakaIni, readHarakaList } from './haraka-ini.js'
import type { FoundPlugin } from './installation.js'

export type LoadingFacts = {
  /** The text of a file in the config folder; empty if there is none. */
  readonly configText: (name: string) => string
  /** What Haraka finds under the name `dane`. */
  readonly found: FoundPlugin | undefined
  /** The package of the command that checks. */
  readonly own: { readonly place: string; readonly version: string }
}

export function loadingFindings(facts: LoadingFacts): readonly Finding[] {
  const smtpIni = facts.configText('smtp.ini')
  const ignoring = ignoreBadPlugins(smtpIni)
  return [
    ...presence(facts, ignoring),
    ...(smtpIni === ''
      ? [
          warning(
            'smtp.ini',
            'not present: Haraka does not start with this folder',
            "check that this is the folder that Haraka reads (haraka -c FOLDER reads FOLDER's config)",
          ),
        ]
      : []),
    ...(ignoring === undefined
      ? []
      : [
          warning(
            'smtp.ini',
            `ignore_bad_plugins=${ignoring}: if this plugin fails to load, ${WITHOUT}`,
            'remove the line; Haraka reads any value but 0 as yes, even false and no',
          ),
        ]),
    ...OVERRIDING.flatMap((name) => overrideFinding(name, facts.configText(name))),
    ...timeoutFindings(facts.configText),
  ]
}

/** Whether Haraka reads a folder of this name. */
export function folderFindings(folder: string, name: string, inner: boolean): readonly Finding[] {
  if (name === 'config') return []
  return inner
    ? [
        problem(
          'config',
          `Haraka reads ${folder}/config, not ${folder}`,
          `haraka-dane check --config ${folder}/config`,
        ),
      ]
    : [
        warning(
          'config',
          `Haraka reads only folders named config, and this one is named ${name}`,
          'check that Haraka reads this folder under another name',
        ),
      ]
}

function presence(
  { configText, found, own }: LoadingFacts,
  ignoring: string | undefined,
): readonly Finding[] {
  const list = configText('plugins')
  const isListed = readHarakaList(list).some((line) => /^(haraka-plugin-)?dane$/.test(line))
  if (!isListed) {
    return [problem(TOPIC, 'dane is not listed: mail is sent without DANE', listingTodo(list))]
  }
  const outcome = ignoring === undefined ? STOPS : `${WITHOUT} (ignore_bad_plugins=${ignoring})`
  if (found === undefined) {
    return [problem(TOPIC, `dane is listed, but not installed: ${outcome}`, INSTALL)]
  }
  const { place, package: pack, source } = found
  if (pack === undefined) {
    const text = `Haraka loads ${place} as dane, not this package`
    const todo = 'rename that file, and restart Haraka'
    return [
      source?.includes('haraka-plugin-dane') === true
        ? unknown(
            TOPIC,
            `${text}; it mentions haraka-plugin-dane`,
            `check what it does, or ${todo}`,
          )
        : problem(TOPIC, `${text}: mail is sent without DANE`, todo),
    ]
  }
  if (pack.name !== 'haraka-plugin-dane') {
    return [
      problem(
        TOPIC,
        `Haraka loads ${place} as dane, which is ${pack.name} ${pack.version} and not haraka-plugin-dane: mail is sent without DANE`,
        INSTALL,
      ),
    ]
  }
  if (source === undefined)
    return [problem(TOPIC, `${place} has no ${pack.main}: ${outcome}`, INSTALL)]
  const isOwn = place === own.place
  return [
    ok(TOPIC, 'dane is listed and installed'),
    ...(isOwn
      ? []
      : [
          warning(
            TOPIC,
            `Haraka loads ${pack.name} ${pack.version} in ${place}; this command belongs to ${own.version} in ${own.place} and checks by the rules of that version`,
            "run npx --no haraka-dane in the folder above Haraka's config",
          ),
        ]),
  ]
}

/** With the lines that look as if they listed it. */
function listingTodo(list: string): string {
  const near = list
    .split(/\r\n|\r|\n/)
    .flatMap((line, index) =>
      /^[\s;#]*(haraka-plugin-)?dane\b/i.test(line)
        ? [`line ${index + 1} has "${printable(line.trim(), 60)}"`]
        : [],
    )
  return near.length === 0
    ? 'echo dane >> config/plugins'
    : `put dane alone on a line of config/plugins: ${near.slice(0, 3).join(', ')}`
}

/** The value that enables it. Haraka does not read it as a boolean: only 0 and an empty value are no. */
function ignoreBadPlugins(smtpIni: string): string | undefined {
  const value = readHarakaIni(smtpIni).value('', 'ignore_bad_plugins') ?? ''
  return value === '' || /^-?0+(\.0+)?$/.test(value) ? undefined : value
}

/** `!name` in such a file replaces the file `name`. */
function overrideFinding(file: string, text: string): readonly Finding[] {
  const names = new Set(
    Array.from(text.matchAll(/["']!([\w.-]+)["']\s*:/g), ([, name = '']) => name),
  )
  const known = [...names].filter((name) => LOOKED_AT.has(name))
  return known.length === 0
    ? []
    : [
        unknown(
          file,
          `overrides ${known.join(', ')} for Haraka; the files of these names were looked at here`,
          'say it in those files, and take it out here',
        ),
      ]
}

/** The first of the two files that has a number, as Haraka takes it; 0 is no limit. */
function timeoutFindings(configText: LoadingFacts['configText']): readonly Finding[] {
  for (const file of ['dane.timeout', 'plugin_timeout']) {
    const seconds = parseFloat(readHarakaList(configText(file))[0] ?? '')
    if (Number.isNaN(seconds)) continue
    const todo = 'set 30, or remove the file'
    if (seconds < 0) {
      const text = `${seconds} s: every hook times out at once, and all mail waits`
      return [problem(file, text, todo)]
    }
    if (seconds === 0 || seconds >= LITTLE_TIME) return []
    return [
      warning(
        file,
        `${seconds} s: the lookups for a message get two thirds of it, so mail to slow destinations waits`,
        todo,
      ),
    ]
  }
  return []
}

const TOPIC = 'plugins'
const WITHOUT = 'Haraka starts without it and sends mail without DANE'
const STOPS = 'Haraka does not start'
const INSTALL = "npm install haraka-plugin-dane, in the folder above Haraka's config"
/** Haraka reads the second if the first does not exist. */
const OVERRIDING = ['smtp.json', 'smtp.yaml'] as const
const LOOKED_AT: ReadonlySet<string> = new Set([
  'plugins',
  'smtp.ini',
  'outbound.ini',
  'tls.ini',
  'log.ini',
  'plugin_timeout',
  'dane.timeout',
  'smtp_forward.ini',
  'smtp_proxy.ini',
  'qmail-queue.ini',
  'outbound.temp_fail_intervals',
])
/** Seconds. */
const LITTLE_TIME = 10
