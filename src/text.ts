/**
 * Makes text from outside safe for a log line or a DSN.
 *
 * `printable` returns one line of printable ASCII, of bounded length. Other characters
 * become '?', so that a certificate's subject or a server's reply cannot forge a line,
 * color a terminal or fill a disk.
 *
 * The phrases by which operators find successes (`TLS success`, `delivered
 * verified`, `DANE SUCCESS`) are altered too: their spaces become underscores. Limits: a phrase formed by joining two
 * printable texts is not detected, so no template may join two with only a space; and
 * what Haraka itself logs of a session is not processed here. Idempotent. Pure.
 */
import { types } from 'node:util'

/** At most `most` characters of printable ASCII. */
export function printable(text: string, most = 200): string {
  const clean = text
    .slice(0, most)
    // One character each: removing some could join words into such a phrase.
    .replace(/[^ -~]/g, '?')
    .replace(OWN_WORDS, (words) => words.replaceAll(' ', '_'))
  return text.length > most ? `${clean}...` : clean
}

/**
 * The printable message of an error, or of any other thrown value. Plugins throw from other
 * realms.
 */
export function errorText(error: unknown, most = 400): string {
  return printable(types.isNativeError(error) ? error.message : String(error), most)
}

/** The phrases that report success, in any case, as `grep -i` finds them. */
const OWN_WORDS =
  /TLS +(?:success|connection +succeeded)|delivered +verified|DANE +(?:success|failed|undetermined|verification)|Certificate +verification +successful/gi
