/**
 * The options of tls.ini for the TLS handshake with a mail host, as Haraka combines them.
 *
 * [outbound], what it inherits from the top of the file, and the options of Haraka's own
 * certificate, which override the rest under `mutual_tls`. Effects: `deliveryOptionsOf`
 * reads files.
 *
 * Limits: the lists of single hosts (mutual_auth_hosts and its exceptions) are not
 * applied host by host.
 */
import { readConfigFile } from '../settings/config-folder.js'
import { errorText } from '../text.js'
import { readHarakaIni } from './check/haraka-ini.js'
import type { HarakaIni } from './check/haraka-ini.js'

export type Options = Readonly<Record<string, unknown>>

/**
 * With the options of Haraka's own certificate if any host may get it.
 *
 * @param fileOf the text of a file in the config folder; empty if there is none
 */
export function handshakeOptionsOf(tlsIni: string, fileOf: (name: string) => string): Options {
  const ini = readHarakaIni(tlsIni)
  const isMutual = Object.keys(ini.options('mutual_auth_hosts')).length > 0
  return combined(ini, fileOf, isMutual || ini.isOn('', 'mutual_tls'))
}

/**
 * As a delivery from this relay uses them, for a host that mutual_auth_hosts does not list.
 *
 * @param onUnreadable called with the fault of a file that this user may not read; it is
 * then left out
 */
export function deliveryOptionsOf(folder: string, onUnreadable: (fault: string) => void): Options {
  const read = (name: string): string => {
    try {
      return readConfigFile(folder, name)
    } catch (error) {
      onUnreadable(errorText(error))
      return ''
    }
  }
  const ini = readHarakaIni(read('tls.ini'))
  return combined(ini, read, ini.isOn('', 'mutual_tls'))
}

function combined(ini: HarakaIni, fileOf: (name: string) => string, isMutual: boolean): Options {
  const main = ini.options('')
  const given = withFiles({ ...pick(main, INHERITED), ...ini.options('outbound') }, fileOf)
  return isMutual
    ? { ...given, ...certificateOptions({ ...main, ...ini.options('*') }, fileOf) }
    : given
}

/** Haraka's own certificate, and the options that belong to it; empty if there is none. */
function certificateOptions(main: Options, fileOf: (name: string) => string): Options {
  const defaults = { key: 'tls_key.pem', cert: 'tls_cert.pem', dhparam: 'dhparams.pem' }
  const options = withFiles({ ...defaults, ...pick(main, OF_CERTIFICATES) }, fileOf)
  const { key, cert, ca } = options
  if (key === undefined || cert === undefined) return {}
  return typeof ca === 'string' ? { ...options, ca: fileOf(ca) } : options
}

/** Replaces file names by the files' texts; an option whose file is missing is dropped. */
function withFiles(options: Options, fileOf: (name: string) => string): Options {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => {
      // Sessions are never resumed (handshake.ts).
      if (name === 'session') return []
      if (!FILES.has(name)) return [[name, value]]
      const first: unknown = Array.isArray(value) ? value[0] : value
      const text = typeof first === 'string' ? fileOf(first) : ''
      return text === '' ? [] : [[name, text]]
    }),
  )
}

function pick(options: Options, names: ReadonlySet<string>): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name)))
}

const FILES: ReadonlySet<string> = new Set(['key', 'cert', 'dhparam'])

/** What [outbound] inherits from the top of tls.ini. */
const INHERITED: ReadonlySet<string> = new Set([
  ...FILES,
  'ciphers',
  'minVersion',
  'requestCert',
  'honorCipherOrder',
  'rejectUnauthorized',
])

const OF_CERTIFICATES: ReadonlySet<string> = new Set([
  ...INHERITED,
  'ALPNProtocols',
  'requestOCSP',
  'secureContext',
  'pfx',
  'passphrase',
  'ca',
  'crl',
  'ecdhCurve',
  'secureProtocol',
  'secureOptions',
  'sessionIdContext',
])
