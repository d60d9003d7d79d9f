/**
 * The domains whose plan is compared from one resolver to another.
 *
 * Each is one circumstance of DNS: its records, in the zones that rows.ts places, under
 * names of its own. No mail is sent to them; their hosts are addresses for documentation
 * (RFC 5737).
 */
import { PLACE } from '../rows.js'
import type { Row } from '../rows.js'

export type ZooName = {
  readonly domain: string
  /** What is particular about it. */
  readonly what: string
  readonly records: readonly string[]
  /** RRsets with damaged signatures, in the form of zones.ts. */
  readonly damaged?: readonly string[]
}

const { signed, unsigned, island, expired, noDnskey, lame } = PLACE
const DIGEST = 'ab'.repeat(32)
const ADDRESS = '192.0.2.1'

/** @param port of the mail hosts, which is part of the names of TLSA records */
export function zooNames(port: number): readonly ZooName[] {
  const tlsa = (host: string, data = `3 1 1 ${DIGEST}`): string =>
    `_${port}._tcp.${host}. TLSA ${data}`
  const mx = (domain: string, host: string): string => `${domain}. MX 10 ${host}.`
  /** A domain and its host in this zone, with a TLSA record. */
  const whole = (label: string, place: string): readonly string[] => {
    const host = `mx.${label}.${place}`
    return [mx(`${label}.${place}`, host), `${host}. A ${ADDRESS}`, tlsa(host)]
  }
  const own = (
    label: string,
    what: string,
    records: readonly string[],
    damaged?: readonly string[],
  ): ZooName => ({
    domain: `${label}.${signed}`,
    what,
    records,
    ...(damaged && { damaged }),
  })
  const at = (label: string, place: string, what: string): ZooName => ({
    domain: `${label}.${place}`,
    what,
    records: whole(label, place),
  })
  const host = (label: string): string => `mx.${label}.${signed}`
  /** A domain whose host has these records instead of an address. */
  const led = (label: string, records: readonly string[]): readonly string[] => [
    mx(`${label}.${signed}`, host(label)),
    ...records,
  ]
  return [
    own('zoo-secure', 'all secure', whole('zoo-secure', signed)),
    at('zoo-unsigned', unsigned, 'an unsigned zone'),
    at('zoo-island', island, 'a signed zone without DS'),
    at('zoo-expired', expired, 'expired signatures'),
    at('zoo-nokey', noDnskey, 'a DS and no DNSKEY'),
    at('zoo-lame', lame, 'name servers that do not answer'),
    own('zoo-bogus-mx', 'a damaged signature over MX', whole('zoo-bogus-mx', signed), [
      `zoo-bogus-mx.${signed} MX`,
    ]),
    own('zoo-bogus-a', 'a damaged signature over A', whole('zoo-bogus-a', signed), [
      `${host('zoo-bogus-a')} A`,
    ]),
    own('zoo-bogus-tlsa', 'a damaged signature over TLSA', whole('zoo-bogus-tlsa', signed), [
      `_${port}._tcp.${host('zoo-bogus-tlsa')} TLSA`,
    ]),
    own('zoo-chain', 'an MX host that is a chain of three CNAMEs', [
      ...led('zoo-chain', [
        `${host('zoo-chain')}. CNAME two.zoo-chain.${signed}.`,
        `two.zoo-chain.${signed}. CNAME three.zoo-chain.${signed}.`,
        `three.zoo-chain.${signed}. CNAME end.zoo-chain.${signed}.`,
        `end.zoo-chain.${signed}. A ${ADDRESS}`,
        tlsa(`end.zoo-chain.${signed}`),
      ]),
    ]),
    own('zoo-alias-out', 'an MX host that is a CNAME into an unsigned zone', [
      ...led('zoo-alias-out', [
        `${host('zoo-alias-out')}. CNAME zoo-there.${unsigned}.`,
        `zoo-there.${unsigned}. A ${ADDRESS}`,
        tlsa(host('zoo-alias-out')),
      ]),
    ]),
    own('zoo-loop', 'an MX host whose CNAMEs go in a circle', [
      ...led('zoo-loop', [
        `${host('zoo-loop')}. CNAME back.zoo-loop.${signed}.`,
        `back.zoo-loop.${signed}. CNAME ${host('zoo-loop')}.`,
      ]),
    ]),
    own('zoo-dname', 'an MX host below a DNAME', [
      mx(`zoo-dname.${signed}`, `mx.from.zoo-dname.${signed}`),
      `from.zoo-dname.${signed}. DNAME to.zoo-dname.${signed}.`,
      `mx.to.zoo-dname.${signed}. A ${ADDRESS}`,
      tlsa(`mx.to.zoo-dname.${signed}`),
    ]),
    own('zoo-dname-out', 'an MX host below a DNAME into an unsigned zone', [
      mx(`zoo-dname-out.${signed}`, `mx.from.zoo-dname-out.${signed}`),
      `from.zoo-dname-out.${signed}. DNAME zoo-dname-to.${unsigned}.`,
      `mx.zoo-dname-to.${unsigned}. A ${ADDRESS}`,
    ]),
    own('zoo-cname', 'a domain that is a CNAME', [
      `zoo-cname.${signed}. CNAME zoo-secure.${signed}.`,
    ]),
    {
      domain: `any.zoo-wild.${signed}`,
      what: 'a domain by a wildcard',
      records: [`*.zoo-wild.${signed}. MX 10 ${host('zoo-secure')}.`],
    },
    own('zoo-wild-tlsa', 'TLSA records by a wildcard', [
      ...led('zoo-wild-tlsa', [
        `${host('zoo-wild-tlsa')}. A ${ADDRESS}`,
        `*._tcp.${host('zoo-wild-tlsa')}. TLSA 3 1 1 ${DIGEST}`,
      ]),
    ]),
    own('zoo-missing', 'a domain that does not exist', []),
    own('zoo-empty', 'neither MX nor address', [`zoo-empty.${signed}. TXT nothing`]),
    own('zoo-implicit', 'no MX, but an address', [
      `zoo-implicit.${signed}. A ${ADDRESS}`,
      tlsa(`zoo-implicit.${signed}`),
    ]),
    own('zoo-no-tlsa', 'no TLSA records, and nothing below the host', [
      ...led('zoo-no-tlsa', [`${host('zoo-no-tlsa')}. A ${ADDRESS}`]),
    ]),
    own('zoo-tlsa-nodata', 'another type at the name of TLSA records', [
      ...led('zoo-tlsa-nodata', [
        `${host('zoo-tlsa-nodata')}. A ${ADDRESS}`,
        `_${port}._tcp.${host('zoo-tlsa-nodata')}. TXT nothing`,
      ]),
    ]),
    own('zoo-tlsa-out', 'TLSA records by a CNAME into an unsigned zone', [
      ...led('zoo-tlsa-out', [
        `${host('zoo-tlsa-out')}. A ${ADDRESS}`,
        `_${port}._tcp.${host('zoo-tlsa-out')}. CNAME zoo-tlsa.${unsigned}.`,
        `zoo-tlsa.${unsigned}. TLSA 3 1 1 ${DIGEST}`,
      ]),
    ]),
    own('zoo-big', '60 TLSA records, which need TCP', [
      ...led('zoo-big', [
        `${host('zoo-big')}. A ${ADDRESS}`,
        ...Array.from({ length: 60 }, (_, index) =>
          tlsa(host('zoo-big'), `3 1 2 ${index.toString(16).padStart(2, '0').repeat(64)}`),
        ),
      ]),
    ]),
    own('zoo-unusable', 'TLSA records that cannot be used', [
      ...led('zoo-unusable', [
        `${host('zoo-unusable')}. A ${ADDRESS}`,
        tlsa(host('zoo-unusable'), `1 1 1 ${DIGEST}`),
      ]),
    ]),
    own('zoo-many', '40 MX hosts', [
      ...Array.from({ length: 40 }, (_, index) => [
        `zoo-many.${signed}. MX ${index} mx${index}.zoo-many.${signed}.`,
        `mx${index}.zoo-many.${signed}. A ${ADDRESS}`,
      ]).flat(),
    ]),
    own('zoo-null', 'null MX', [`zoo-null.${signed}. MX 0 .`]),
    own('xn--bcher-kva', 'an internationalized name', whole('xn--bcher-kva', signed)),
    own('zoo-both', 'IPv6 and IPv4', [
      ...whole('zoo-both', signed),
      `${host('zoo-both')}. AAAA 2001:db8::1`,
    ]),
  ]
}

/** As a row of the laboratory, for its zones. */
export function toRow({ domain, records, damaged = [] }: ZooName): Row {
  return {
    id: domain,
    domain,
    policy: 'opportunistic',
    insecureMx: 'dane',
    shown: { mx: '', address: '', tlsa: '', certificate: '' },
    hosts: [],
    records,
    damaged,
    wanted: { action: 'fallback' },
  }
}
