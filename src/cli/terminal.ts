/**
 * Colors for the terminal.
 *
 * Only on a terminal, only if NO_COLOR (https://no-color.org) is not set, and not if TERM
 * is `dumb`. Pure.
 */

/** @param environment process.env */
export function isColorful(
  isTerminal: boolean | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
}

export type Color = 'green' | 'yellow' | 'red'

/** Returns the text in the color, or unchanged without colors. */
export function createPainter(isColorful: boolean): (text: string, color: Color) => string {
  return (text, color) => (isColorful ? `\u001b[${CODE[color]}m${text}\u001b[39m` : text)
}

const CODE: Readonly<Record<Color, number>> = { green: 32, yellow: 33, red: 31 }
