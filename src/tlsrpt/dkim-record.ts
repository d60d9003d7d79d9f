/**
 * Whether the DKIM record of a selector lets receivers verify our reports (RFC 6376 §3.6.1,
 * RFC 8460 §3).
 *
 * Pure, given the records and the key.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'

export type DkimCheck =
  | { readonly kind: 'fits'; readonly bits: number }
  | { readonly kind: 'wrong'; readonly detail: string }

/** @param pem the private key */
export function checkDkimRecord(records: readonly string[], pem: string): DkimCheck {
  const keys = records.map(tagsOf).filter((tags) => tags.has('p'))
  const [tags, second] = keys
  if (tags === undefined) return wrong('there is no DKIM record')
  // RFC 6376 §3.6.2.2: the result is undefined then.
  if (second !== undefined) return wrong('there are several DKIM records')
  const version = tags.get('v')
  if (version !== undefined && version !== 'DKIM1') return wrong(`its version is not DKIM1`)
  const p = (tags.get('p') ?? '').replace(/\s/g, '')
  if (p === '') return wrong('the key is revoked (p= is empty)')
  if (!isListed(tags.get('k'), 'rsa')) return wrong('its key type (k=) is not rsa')
  if (!isListed(tags.get('h'), 'sha256')) return wrong('it does not allow sha256 (h=)')
  const services = tags.get('s')
  // RFC 8460 §3: the service type of the key is tlsrpt, or any.
  if (services !== undefined && !isListed(services, '*') && !isListed(services, 'tlsrpt')) {
    return wrong('it does not allow reports: s= has neither tlsrpt nor *')
  }
  const ours = publicKeyOf(pem)
  if (p !== ours?.base64) return wrong('it has another key')
  return { kind: 'fits', bits: ours.bits }
}

/** The text of the TXT record for a private key in PEM; undefined if it is not RSA. */
export function dkimRecordFor(pem: string): string | undefined {
  const key = publicKeyOf(pem)
  return key && `v=DKIM1; k=rsa; s=tlsrpt; p=${key.base64}`
}

function wrong(detail: string): DkimCheck {
  return { kind: 'wrong', detail }
}

/** RFC 6376 §3.2; the first of two tags counts for nothing there, here the first is taken. */
function tagsOf(record: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  for (const part of record.split(';')) {
    const [, name, value] = /^\s*(\w+)\s*=(.*)$/s.exec(part) ?? []
    if (name !== undefined && value !== undefined && !tags.has(name)) tags.set(name, value.trim())
  }
  return tags
}

/** A tag that is missing allows everything. */
function isListed(value: string | undefined, word: string): boolean {
  return value === undefined || value.split(':').some((each) => each.trim() === word)
}

function publicKeyOf(pem: string): { readonly base64: string; readonly bits: number } | undefined {
  try {
    const key = createPublicKey(createPrivateKey(pem))
    const bits = key.asymmetricKeyDetails?.modulusLength
    if (key.asymmetricKeyType !== 'rsa' || bits === undefined) return undefined
    return { base64: key.export({ type: 'spki', format: 'der' }).toString('base64'), bits }
  } catch {
    return undefined
  }
}
