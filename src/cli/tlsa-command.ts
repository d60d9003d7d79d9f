/**
 * `haraka-dane tlsa`: the TLSA records for a certificate, as lines of a zone file.
 *
 * The certificate comes from a PEM file, with its issuer behind it if that is to be named
 * as well, or from what a host shows now. Comments explain the order of a rollover.
 * Limits: what a host shows comes over a network that nothing authenticates, and the
 * output says so. Effects: reads a file, network, standard output.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseDomainName, tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import { phraseOf } from '../reason.js'
import { errorText, printable } from '../text.js'
import { parseCertificate } from '../x509/certificate.js'
import type { Certificate } from '../x509/certificate.js'
import { helloNameOf } from './relay-settings.js'
import { dayText, showCertificate } from './shown-certificate.js'
import { probeHost } from './smtp-probe.js'
import { UsageError } from './usage.js'

export type TlsaOptions = {
  readonly files: readonly string[]
  readonly from: string | undefined
  readonly host: string | undefined
  readonly port: number
}

/** @returns 0 records were printed, 3 the host shows no certificate */
export async function runTlsa({ files, from, host, port }: TlsaOptions): Promise<number> {
  const [file, more] = files
  if ((file === undefined) === (from === undefined) || more !== undefined) {
    throw new UsageError('give either one PEM file or --from HOST')
  }
  const named = host === undefined ? undefined : nameOf('--host', host)
  if (file !== undefined) {
    print(readPem(file), named, port)
    return 0
  }
  const source = from ?? ''
  const isAddress = isIP(source) !== 0
  const name = isAddress ? named : nameOf('--from', source)
  if (name === undefined)
    throw new UsageError(`--from ${source} is an address: give --host as well`)
  const probe = await probeHost({
    address: source,
    port,
    serverName: named ?? name,
    helloName: helloNameOf(undefined),
    tls: {},
    timeoutMs: CONNECT_MS,
  })
  if (probe.kind !== 'handshake' || probe.chain === undefined) {
    const why =
      probe.kind === 'refused'
        ? `${phraseOf(probe.reason)}: ${probe.detail}`
        : probe.kind === 'no-route'
          ? `no route: ${probe.detail}`
          : 'it shows none'
    console.error(`no certificate from ${source} port ${port}: ${printable(why, 300)}`)
    return 3
  }
  console.log(`; What ${source} shows now, over a network that nothing authenticates here.`)
  console.log('; Compare the digests with the certificate on the host before you publish them.')
  print(certificatesOf(probe.chain, source), named ?? name, port)
  return 0
}

function print(
  [leaf, ...others]: readonly Certificate[],
  host: DomainName | undefined,
  port: number,
): void {
  if (leaf === undefined) return
  const shown = showCertificate(leaf.der)
  const owner = ownerOf(host ?? onlyName(shown.names), port)
  const issuer = others.find(({ subject }) => subject.equals(leaf.issuer))
  const isOwnIssuer = leaf.subject.equals(leaf.issuer)
  console.log(`; ${describe(leaf)}`)
  console.log(`${owner}. IN TLSA 3 1 1 ${keyDigest(leaf)}`)
  if (issuer !== undefined && !isOwnIssuer) {
    console.log(`; Its issuer: ${describe(issuer)}`)
    console.log(`${owner}. IN TLSA 2 1 1 ${keyDigest(issuer)}`)
  } else {
    const why = isOwnIssuer
      ? 'it is its own issuer'
      : `the certificate of ${shown.issuer} is not there`
    console.log(`; No record 2 1 1: ${why}.`)
  }
  for (const line of ADVICE) console.log(`; ${line}`.trimEnd())
}

function describe({ der }: Certificate): string {
  const { subject, issuer, names, notBefore, notAfter } = showCertificate(der)
  const also = names === '' ? '' : `, names ${names}`
  return `${subject}${also}, issued by ${issuer}, valid from ${dayText(notBefore)} to ${dayText(notAfter)}`
}

function keyDigest({ der }: Certificate): string {
  return showCertificate(der).publicKey?.sha256 ?? ''
}

function ownerOf(host: DomainName | undefined, port: number): DomainName {
  const owner = host && tlsaOwner(port, host)
  if (owner) return owner
  throw new UsageError(
    'give the name of the mail host with --host: the certificate has not exactly one',
  )
}

/** The host's name, if the certificate has one that is not a wildcard. */
function onlyName(names: string): DomainName | undefined {
  const [first, second] = Array.from(names.matchAll(/DNS:([^,\s"]+)/g), ([, name = '']) => name)
  return first === undefined || second !== undefined ? undefined : parseDomainName(first)
}

function nameOf(option: string, text: string): DomainName {
  const name = isIP(text) === 0 ? parseDomainName(text) : undefined
  if (name) return name
  throw new UsageError(`${option} ${printable(text)}: expected the name of a mail host`)
}

function readPem(file: string): readonly Certificate[] {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    throw new UsageError(`${file}: ${errorText(error)}`)
  }
  const blocks = text.slice(0, MAX_FILE).matchAll(PEM)
  const ders = Array.from(blocks, ([, base64 = '']) => Buffer.from(base64, 'base64'))
  return certificatesOf(ders, file)
}

function certificatesOf(ders: readonly Buffer[], source: string): readonly Certificate[] {
  const [first] = ders
  if (first === undefined || parseCertificate(first) === undefined) {
    throw new UsageError(`${printable(source)} has no readable certificate`)
  }
  return ders.flatMap((der) => parseCertificate(der) ?? [])
}

/** RFC 7468 §5; the lines between have nothing but base64 and white space. */
const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g
const MAX_FILE = 1_000_000
const CONNECT_MS = 30_000

const ADVICE: readonly string[] = [
  '',
  '3 1 1 names the key of this certificate: renew with the same key and it stays right.',
  "2 1 1 names the issuer's key: names and dates of the certificate count as well, the host",
  'has to send the issuer, and certificates of another issuer do not match.',
  '',
  'Rollover, in this order:',
  '1. Publish the record of the next key (certificate) as well, and keep the current one.',
  '2. Wait until the TTL of the old records has passed, on all secondaries.',
  '3. Install the new certificate on the host.',
  '4. Check from outside: haraka-dane verify DOMAIN (with --watch before step 1, it prints',
  '   each step when it has taken effect).',
  '5. Remove the old record.',
]
