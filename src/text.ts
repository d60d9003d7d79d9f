/**
 * How does text from outside get into a log line or a DSN?
 *
 * Only through `printable`: one line of printable ASCII, of bounded length. What
 * is not printable becomes '?', so nobody can forge a line, color a terminal or
 * fill a disk with a certificate's subject or a server's reply. Pure.
 */
import { types } from 'node:util'

/** At most `most` characters of printable ASCII. */
export function printable(text: string, most = 200): string {
  const clean = text.slice(0, most).replace(/[^ -~]/g, '?')
  return text.length > most ? `${clean}...` : clean
}

/** An error's message, or whatever was thrown in its place, printable. Plugins throw from other realms. */
export function errorText(error: unknown, most = 400): string {
  return printable(types.isNativeError(error) ? error.message : String(error), most)
}
