/** What `haraka-dane check` says about the set-up of TLS reports. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { withLaboratory } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { runCommand } from './command.js'
import { TLSRPT_FILES, TLSRPT_INI } from './report-relay.js'

/**
 * The findings, each as `LEVEL TEXT -> TODO`.
 *
 * @param changes options of `[tlsrpt]`; empty: removed. With a `dkim_key` there is no key
 */
export async function checkReports(
  { names, smtpPort }: Laboratory,
  folder: string,
  changes: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const config = path.join(await mkdtemp(path.join(folder, 'check-')), 'config')
  await mkdir(config)
  let ini = TLSRPT_INI
  for (const [key, value] of Object.entries(changes)) {
    ini = ini.replace(new RegExp(`^${key} = .*$`, 'm'), value === '' ? '' : `${key} = ${value}`)
  }
  const text = withLaboratory(`${ini}\n`, names.unboundPort, smtpPort)
  await writeFile(path.join(config, 'dane.ini'), text)
  if (changes['dkim_key'] === undefined) {
    await writeFile(path.join(config, 'tlsrpt.pem'), TLSRPT_FILES['tlsrpt.pem'] ?? '')
  }
  const { stdout } = await runCommand(['check', '--config', config])
  // `LEVEL    tlsrpt: TEXT`, and what to do on the next line.
  return Array.from(
    stdout.matchAll(/^(\w+) +tlsrpt: (.*)\n(?: +do: (.*)\n)?/gm),
    ([, level = '', said = '', todo]) =>
      `${level} ${said}${todo === undefined ? '' : ` -> ${todo}`}`,
  )
}
