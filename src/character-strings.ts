/** The text of a TXT record. Pure. */

/**
 * RFC 1035 §3.3.14: character strings up to the end of the record. No mail depends on one:
 * what is malformed says nothing, and does not keep the rest of the message from being used.
 */
export function readCharacterStrings(rdata: Buffer): string {
  const strings: string[] = []
  for (let at = 0; at < rdata.length;) {
    const end = at + 1 + (rdata[at] ?? 0)
    if (end > rdata.length) return ''
    strings.push(rdata.toString('latin1', at + 1, end))
    at = end
  }
  return strings.join('')
}
