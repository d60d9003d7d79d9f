/**
 * What may a client send before TLS?
 *
 * Where DANE requires TLS, no message data, credentials or anything else may be sent
 * before the server is verified. A client's output is therefore checked like a server's:
 * each write has to be one whole command out of four (RFC 3207 §4).
 *
 * Pure.
 */

export type OpeningCommand = 'EHLO' | 'HELO' | 'STARTTLS' | 'QUIT'

/**
 * The command in these octets; undefined for anything else: another command, part of a
 * command, more than one. RFC 5321 §2.3.8: a line ends with CRLF, and CR and LF occur
 * nowhere else, since servers differ in what they accept as the end of a line.
 */
export function openingCommand(octets: Buffer): OpeningCommand | undefined {
  // RFC 5321 §4.5.3.1.4.
  if (octets.length > MAX_COMMAND) return undefined
  const [, verb] = LINE.exec(octets.toString('latin1')) ?? []
  return verb === undefined ? undefined : COMMANDS.get(verb.toUpperCase())
}

/** The name in EHLO or HELO: the relay's own; undefined for any other octets. */
export function introducedName(octets: Buffer): string | undefined {
  const command = openingCommand(octets)
  if (command !== 'EHLO' && command !== 'HELO') return undefined
  return octets.toString('latin1').slice('EHLO '.length).trim()
}

/** Describes octets for the log: never the arguments, which may be an address or a password. */
export function octetsText(octets: Buffer): string {
  const [, verb] = /^([A-Za-z]{1,12})(?![A-Za-z])/.exec(octets.toString('latin1', 0, 16)) ?? []
  const size = `${octets.length} octets`
  return verb === undefined ? size : `${verb.toUpperCase()} (${size})`
}

/** Octets of a command including CRLF. */
const MAX_COMMAND = 512

// A name may contain anything except control characters; it is not validated here.
const LINE = /^(EHLO(?= )|HELO(?= )|STARTTLS(?=\r)|QUIT(?=\r))(?: [ -~\x80-\xff]+)?\r\n$/i

const COMMANDS: ReadonlyMap<string, OpeningCommand> = new Map(
  (['EHLO', 'HELO', 'STARTTLS', 'QUIT'] as const).map((command) => [command, command]),
)
