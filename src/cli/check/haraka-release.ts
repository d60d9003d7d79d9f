/** Checks that this release of Haraka is one that the plugin runs with, and its known faults. Pure. */
import { breaksLogLines, crashText, isTooOld, OLDEST_HARAKA } from '../../haraka-hazards.js'
import { printable } from '../../text.js'
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'
import type { Haraka } from './installation.js'

export function harakaFindings(haraka: Haraka | undefined, logFormat: string): readonly Finding[] {
  if (haraka === undefined) {
    return [
      warning(
        'haraka',
        'not found next to the config folder, in PATH or among global packages: its version was not checked',
        `make sure that it is ${OLDEST_HARAKA} or later, and not 3.1.5`,
      ),
    ]
  }
  const version = printable(haraka.version, 40)
  const text = `${version} in ${printable(haraka.folder)}`
  if (isTooOld(version) === true) {
    return [
      problem(
        'haraka',
        `${text}: the plugin does not start with this version`,
        `install ${OLDEST_HARAKA} or later`,
      ),
    ]
  }
  const crash = crashText(version)
  return [
    crash === undefined ? ok('haraka', text) : warning('haraka', crash, 'install 3.1.6 or later'),
    ...(breaksLogLines(version) && logFormat.toLowerCase() !== 'json'
      ? [
          warning(
            'haraka',
            `${version} logs line breaks in a certificate's subject unescaped: ` +
              'a mail host can forge log lines',
            'install 3.3.3 or later, or set format=json in log.ini',
          ),
        ]
      : []),
  ]
}
