/** Zone files as ldns-signzone and dnssec-signzone write them: a record a line, names absolute. */

export type Line = {
  /** Absolute, without the final dot, lower case. */
  readonly owner: string
  readonly ttl: number
  readonly type: string
  readonly rdata: string
}

export type SignatureLine = Line & { readonly covers: string }

export function parseLines(text: string): readonly Line[] {
  return text.split('\n').flatMap((line) => {
    const [owner = '', ttl = '', , type = '', ...rdata] = line
      .replace(/;.*/, '')
      .trim()
      .split(/\s+/)
    if (rdata.length === 0) return []
    const name = owner.replace(/\.$/, '').toLowerCase()
    return [{ owner: name, ttl: Number(ttl), type, rdata: rdata.join(' ') }]
  })
}

export function writeLines(lines: readonly Line[]): string {
  return lines
    .map(({ owner, ttl, type, rdata }) => `${owner}. ${ttl} IN ${type} ${rdata}\n`)
    .join('')
}

/** The type that an RRSIG covers; undefined for other records. */
export function coveredBy({ type, rdata }: Line): string | undefined {
  return type === 'RRSIG' ? rdata.split(' ')[0] : undefined
}

/** Whether the line is a record of this set, or one of its signatures. */
export function isOf(line: Line, owner: string, type: string): boolean {
  return line.owner === owner && (line.type === type || coveredBy(line) === type)
}
