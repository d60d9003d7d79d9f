/**
 * Checks what TLS reports need: the DKIM key and its record, and the addresses in them.
 *
 * Receivers ignore a report whose signature does not verify, and no one informs the sender
 * (RFC 8460 §3). Effects: reads the key and this machine's addresses, one lookup.
 */
import { networkInterfaces } from 'node:os'
import { failureText } from '../../lookup.js'
import type { Resolver } from '../../lookup.js'
import { parseDomainName } from '../../name.js'
import { readDkimKey } from '../../settings/config-folder.js'
import type { TlsrptSettings } from '../../settings/tlsrpt-settings.js'
import { errorText } from '../../text.js'
import { checkDkimRecord, dkimRecordFor } from '../../tlsrpt/dkim-record.js'
import { willNamePrivate } from '../../tlsrpt/public-address.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'

/** @param folder Haraka's config folder */
export async function tlsrptFindings(
  settings: TlsrptSettings | undefined,
  folder: string,
  resolver: () => Pick<Resolver, 'lookup'> & { readonly close: () => void },
): Promise<readonly Finding[]> {
  if (settings === undefined) return []
  const asking = resolver()
  try {
    return [
      await dkimFinding(settings, folder, asking),
      alignmentFinding(settings),
      addressFinding(settings),
    ]
  } finally {
    asking.close()
  }
}

async function dkimFinding(
  { dkim, submitter }: TlsrptSettings,
  folder: string,
  resolver: Pick<Resolver, 'lookup'>,
): Promise<Finding> {
  let pem: string
  try {
    pem = readDkimKey(folder, dkim.keyFile)
  } catch (error) {
    return problem(TOPIC, errorText(error), 'Haraka does not start without it: docs/tlsrpt.md')
  }
  const name = parseDomainName(`${dkim.selector}._domainkey.${submitter}`)
  if (name === undefined) {
    return problem(TOPIC, 'dkim_selector and the domain of from are too long', 'shorten one')
  }
  const lookup = await resolver.lookup(name, 'TXT')
  if (lookup.kind === 'failed') {
    const text = `the DKIM record at ${name} could not be looked up: ${failureText(lookup)}`
    return unknown(TOPIC, text, 'run check again; receivers need this record')
  }
  const records = lookup.kind === 'found' ? lookup.records.map(({ text }) => text) : []
  const check = checkDkimRecord(records, pem)
  if (check.kind === 'fits') {
    return ok(TOPIC, `the DKIM record at ${name} has the key of dane.ini (RSA, ${check.bits} bits)`)
  }
  return problem(
    TOPIC,
    `the DKIM record at ${name} does not fit the key of dane.ini: ${check.detail}; receivers ignore the reports`,
    `publish this TXT record there: ${dkimRecordFor(pem) ?? ''}`,
  )
}

/** The signature and From have the same domain by construction; contact may have another. */
function alignmentFinding({ contact, submitter }: TlsrptSettings): Finding {
  const domain = contact.slice(contact.lastIndexOf('@') + 1)
  const isBelow = (name: string, other: string): boolean => `.${name}`.endsWith(`.${other}`)
  if (isBelow(domain, submitter) || isBelow(submitter, domain)) {
    return ok(TOPIC, `From, the DKIM signature and contact are of one domain (${submitter})`)
  }
  return warning(
    TOPIC,
    `contact is of ${domain}, and From of ${submitter}, which signs: receivers may take the report for a forgery`,
    'use addresses of one domain',
  )
}

/** RFC 8460 §4.4 `sending-mta-ip`. */
function addressFinding({ sendingIp }: TlsrptSettings): Finding {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const addresses = own.map(({ address }) => address)
  const named = [sendingIp.ipv4, sendingIp.ipv6].filter((each) => each !== undefined)
  const shown = named.length > 0 ? `sending_ip (${named.join(', ')})` : 'what mail is sent from'
  if (!willNamePrivate(sendingIp, addresses)) {
    return ok(TOPIC, `the address that reports name is public: ${shown}`)
  }
  return warning(
    TOPIC,
    `reports name an address that is not public: ${shown}; receivers cannot find the relay by it, and it shows your network`,
    'set sending_ip to the public address that mail is sent from',
  )
}

const TOPIC = 'tlsrpt'
