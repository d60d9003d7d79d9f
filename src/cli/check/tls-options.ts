/**
 * Checks that a TLS handshake is possible with the options of tls.ini.
 *
 * Tries them in memory, as Haraka combines them. Pure but for that: given the file's text.
 */
import { PKIX_FORCED } from '../../haraka-hazards.js'
import { withAcceptedVersions } from '../../session/handshake.js'
import { rehearse } from '../../session/rehearsal.js'
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'
import { readHarakaIni } from './haraka-ini.js'
import { handshakeOptionsOf } from '../tls-ini.js'

/** @param fileOf the text of a file in the config folder; empty if there is none */
export async function tlsFinding(
  tlsIni: string,
  fileOf: (name: string) => string,
): Promise<Finding> {
  const rehearsal = await rehearse(handshakeOptionsOf(tlsIni, fileOf), withAcceptedVersions)
  if (rehearsal.kind === 'possible') return ok('tls.ini', 'a TLS handshake is possible')
  const { culprits, detail } = rehearsal
  const named = culprits.length === 0 ? 'its options together' : culprits.join(' or ')
  return problem(
    'tls.ini',
    `no TLS handshake is possible with ${named} (${detail}): mail to hosts with DANE waits, ` +
      'and delivery to others may end Haraka',
    culprits.length === 0 ? 'correct them' : `correct or remove ${culprits.join(' or ')}`,
  )
}

/** As the plugin warns at start. */
export function pkixFindings(tlsIni: string): readonly Finding[] {
  const ini = readHarakaIni(tlsIni)
  if (!['mutual_tls', 'rejectUnauthorized'].every((option) => ini.isOn('', option))) return []
  return [warning('tls.ini', PKIX_FORCED, 'set rejectUnauthorized=false')]
}
