/** Verifies DKIM signatures with mailauth, which this project did not write. */
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'

export type VerifiedDkim = {
  /** `pass`, or why not. */
  readonly result: string
  readonly domain: string
  readonly selector: string
  /** The fields that the signature covers, in lower case. */
  readonly fields: readonly string[]
  /** Signatures of the message. */
  readonly count: number
}

/** @param record the TXT record of the key */
export async function verifyDkim(raw: string, record: string): Promise<VerifiedDkim> {
  const { results } = await dkimVerify(Buffer.from(raw, 'latin1'), {
    resolver: () => Promise.resolve([[record]]),
  })
  const [first] = results
  return {
    result: first?.status.result ?? 'none',
    domain: first?.signingDomain ?? '',
    selector: first?.selector ?? '',
    fields: fieldsOf(raw),
    count: results.filter(({ status }) => status.result !== 'none').length,
  }
}

/** The value of `h=`. */
function fieldsOf(raw: string): readonly string[] {
  const [, fields = ''] = /^DKIM-Signature:[^]*?\bh=([^;]*);/m.exec(raw) ?? []
  return fields.toLowerCase().split(/[:\s]+/)
}
