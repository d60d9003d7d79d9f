/**
 * Which cases does the laboratory try that the gateways' tables do not have?
 *
 * Several MX hosts, aliases, STARTTLS in every broken form, certificates with every
 * flaw, rollover, records that nobody can use, domains without mail. Each row's id
 * says what is special about it.
 */
import { tlsaFor } from './certificates.js'
import type { Minted } from './certificates.js'
import { mint } from './certificates.js'
import type { Misbehavior } from './mx-host.js'
import { PLACE } from './rows.js'
import type { Authority, Row, RowHost, Wanted } from './rows.js'

type Draft = Partial<Omit<Row, 'id' | 'shown'>> & {
  readonly shown?: Partial<Row['shown']>
  readonly wanted: Wanted
}

const UNTRUSTED = 'server certificate not trusted'

export async function beyondRows(port: number, authority: Authority): Promise<readonly Row[]> {
  const rows: Row[] = []
  const add = (id: string, draft: Draft): void => {
    const shown = {
      mx: 'secure',
      address: 'secure',
      tlsa: 'secure',
      certificate: 'match',
      ...draft.shown,
    }
    rows.push({
      id,
      domain: `${id}.${PLACE.signed}`,
      policy: 'opportunistic',
      insecureMx: 'dane',
      hosts: [],
      records: [],
      ...draft,
      shown,
    })
  }
  const domainOf = (id: string): string => `${id}.${PLACE.signed}`
  const hostOf = (id: string): string => `mx-${id}.${PLACE.signed}`
  const mx = (id: string, host = hostOf(id), preference = 10): string =>
    `${domainOf(id)}. MX ${preference} ${host}.`
  const a = (host: string): string => `${host}. A @ADDRESS:${host}@`
  const tlsa = (host: string, record: string): string => `_${port}._tcp.${host}. TLSA ${record}`
  const serve = (name: string, leaf: Minted, more: Partial<RowHost> = {}): RowHost => ({
    name,
    chain: { leaf, others: [authority.ca] },
    ...more,
  })
  /** One host with a certificate of its own, its 3 1 1 record published. */
  const plain = async (
    id: string,
    draft: Draft & {
      readonly misbehavior?: Misbehavior
      readonly record?: (leaf: Minted) => string
    },
  ): Promise<void> => {
    const { misbehavior, record = (leaf: Minted) => tlsaFor(3, 1, 1, leaf), ...rest } = draft
    const leaf = await authority.issue(hostOf(id))
    add(id, {
      hosts: [serve(hostOf(id), leaf, misbehavior ? { misbehavior } : {})],
      records: [mx(id), a(hostOf(id)), tlsa(hostOf(id), record(leaf))],
      ...rest,
    })
  }
  const withLeaf = (
    id: string,
    leaf: Minted,
    records: readonly string[],
    draft: Draft,
    others?: Minted[],
  ): void =>
    add(id, {
      hosts: [{ name: hostOf(id), chain: { leaf, others: others ?? [authority.ca] } }],
      records: [mx(id), a(hostOf(id)), ...records.map((record) => tlsa(hostOf(id), record))],
      ...draft,
    })

  // What a server or somebody on the way may do before TLS.
  const stripped: readonly (readonly [Misbehavior, string])[] = [
    ['no-starttls', 'TLS is required, but was not offered'],
    ['starttls-454', 'TLS is required, but was refused'],
    ['starttls-554', 'TLS is required, but was refused'],
    ['starttls-hang-up', 'connection lost before TLS'],
    ['starttls-garbage', 'TLS handshake failed'],
    ['starttls-inject-line', 'invalid SMTP reply before TLS'],
    ['starttls-inject-partial', 'invalid SMTP reply before TLS'],
    ['ehlo-502', 'EHLO refused by the server before TLS'],
    ['ehlo-421', 'EHLO refused by the server before TLS'],
    ['greeting-554', 'connection refused by the server before TLS'],
    ['greeting-421', 'connection refused by the server before TLS'],
    ['greeting-garbage', 'invalid SMTP reply before TLS'],
    ['tls-1.1', 'TLS handshake failed'],
  ]
  for (const [misbehavior, reason] of stripped) {
    await plain(toLabel(misbehavior), {
      misbehavior,
      shown: { certificate: misbehavior },
      wanted: { action: 'defer', reason },
    })
  }

  // Certificates (RFC 7672 §3).
  const old = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') }
  const issued = (id: string, options: object): Promise<Minted> =>
    mint({ subject: `CN=${hostOf(id)}`, names: [hostOf(id)], issuer: authority.ca, ...options })

  const expiredEe = await issued('ee-expired', old)
  withLeaf('ee-expired', expiredEe, [tlsaFor(3, 1, 1, expiredEe)], {
    shown: { certificate: '3 1 1, expired' },
    wanted: { action: 'verified' },
  })
  const expiredTa = await issued('ta-expired', old)
  withLeaf('ta-expired', expiredTa, [tlsaFor(2, 1, 1, authority.ca)], {
    shown: { certificate: '2 1 1, leaf expired' },
    wanted: { action: 'defer', reason: `${UNTRUSTED} (certificate-expired)` },
  })
  const misnamedEe = await mint({ subject: 'CN=other.example', names: ['other.example'] })
  withLeaf('ee-misnamed', misnamedEe, [tlsaFor(3, 1, 1, misnamedEe)], {
    shown: { certificate: '3 1 1, other name' },
    wanted: { action: 'verified' },
  })
  const misnamedTa = await authority.issue('other.example')
  withLeaf('ta-misnamed', misnamedTa, [tlsaFor(2, 1, 1, authority.ca)], {
    shown: { certificate: '2 1 1, other name' },
    wanted: { action: 'defer', reason: `${UNTRUSTED} (name-mismatch)` },
  })
  const nextHopName = await authority.issue(domainOf('ta-next-hop'))
  withLeaf('ta-next-hop', nextHopName, [tlsaFor(2, 1, 1, authority.ca)], {
    shown: { certificate: '2 1 1, domain name' },
    wanted: { action: 'verified' },
  })
  const anchored = await authority.issue(hostOf('ta-chain'))
  withLeaf('ta-chain', anchored, [tlsaFor(2, 0, 1, authority.ca)], {
    shown: { certificate: '2 0 1, chain' },
    wanted: { action: 'verified' },
  })
  const alone = await authority.issue(hostOf('ta-in-dns'))
  withLeaf(
    'ta-in-dns',
    alone,
    [tlsaFor(2, 0, 0, authority.ca)],
    {
      shown: { certificate: '2 0 0, CA not sent' },
      wanted: { action: 'verified' },
    },
    [],
  )
  const keyOnly = await authority.issue(hostOf('ta-key-in-dns'))
  withLeaf(
    'ta-key-in-dns',
    keyOnly,
    [tlsaFor(2, 1, 0, authority.ca)],
    {
      shown: { certificate: '2 1 0, CA not sent' },
      wanted: { action: 'verified' },
    },
    [],
  )
  const absentCa = await authority.issue(hostOf('ta-absent'))
  withLeaf(
    'ta-absent',
    absentCa,
    [tlsaFor(2, 1, 1, authority.ca)],
    {
      shown: { certificate: '2 1 1, CA not sent' },
      wanted: { action: 'defer', reason: UNTRUSTED },
    },
    [],
  )
  const padded = await mint({ subject: `CN=${hostOf('ta-padded')}`, names: [hostOf('ta-padded')] })
  withLeaf('ta-padded', padded, [tlsaFor(2, 1, 1, authority.ca)], {
    shown: { certificate: '2 1 1, CA as padding' },
    wanted: { action: 'defer', reason: UNTRUSTED },
  })

  // RRsets.
  const rolled = await authority.issue(hostOf('rollover'))
  const previous = await authority.issue(hostOf('rollover'))
  withLeaf('rollover', rolled, [tlsaFor(3, 1, 1, previous), tlsaFor(3, 1, 1, rolled)], {
    shown: { certificate: 'old and new key' },
    wanted: { action: 'verified' },
  })
  const agile = await authority.issue(hostOf('agility'))
  withLeaf('agility', agile, [tlsaFor(3, 1, 1, agile), tlsaFor(3, 1, 2, previous)], {
    shown: { certificate: 'weak digest right' },
    wanted: { action: 'defer', reason: UNTRUSTED },
  })
  const unusable = await authority.issue(hostOf('unusable'))
  withLeaf('unusable', unusable, [tlsaFor(1, 1, 1, unusable), '3 1 1 00ff'], {
    shown: { tlsa: 'unusable', certificate: 'any' },
    wanted: { action: 'fallback', isEncrypted: true },
  })
  const strict = await authority.issue(hostOf('unusable-strict'))
  withLeaf('unusable-strict', strict, [tlsaFor(0, 0, 1, authority.ca)], {
    policy: 'mandatory',
    shown: { tlsa: 'unusable', certificate: 'any' },
    wanted: { action: 'defer', reason: 'no usable TLSA record' },
  })
  await plain('unusable-no-tls', {
    misbehavior: 'no-starttls',
    record: (leaf) => tlsaFor(1, 1, 1, leaf),
    shown: { tlsa: 'unusable', certificate: 'no STARTTLS' },
    wanted: { action: 'defer', reason: 'TLS is required, but was not offered' },
  })

  // Several hosts (RFC 7672 §2.2.1, RFC 5321 §5.1).
  const two = async (
    id: string,
    first: { readonly tlsa: 'right' | 'wrong' | 'none' } & Pick<RowHost, 'isDown' | 'misbehavior'>,
    draft: Draft,
  ): Promise<void> => {
    const [one, other] = [`mx1-${id}.${PLACE.signed}`, `mx2-${id}.${PLACE.signed}`]
    const [leaf1, leaf2] = await Promise.all([authority.issue(one), authority.issue(other)])
    const published = first.tlsa === 'wrong' ? leaf2 : leaf1
    add(id, {
      hosts: [
        serve(one, leaf1, {
          isDown: first.isDown === true,
          ...(first.misbehavior && { misbehavior: first.misbehavior }),
        }),
        serve(other, leaf2),
      ],
      records: [
        mx(id, one, 10),
        mx(id, other, 20),
        a(one),
        a(other),
        ...(first.tlsa === 'none' ? [] : [tlsa(one, tlsaFor(3, 1, 1, published))]),
        tlsa(other, tlsaFor(3, 1, 1, leaf2)),
      ],
      ...draft,
    })
  }
  await two(
    'mx-mismatch-then-good',
    { tlsa: 'wrong' },
    {
      shown: { mx: 'secure, 2 hosts', certificate: 'mismatch, match' },
      wanted: { action: 'verified' },
    },
  )
  await two(
    'mx-down-then-good',
    { tlsa: 'right', isDown: true },
    {
      shown: { mx: 'secure, 2 hosts', certificate: 'down, match' },
      wanted: { action: 'verified' },
    },
  )
  for (const [misbehavior] of stripped) {
    await two(
      `mx-${toLabel(misbehavior)}-then-good`,
      { tlsa: 'right', misbehavior },
      {
        shown: { mx: 'secure, 2 hosts', certificate: `${misbehavior}, match` },
        wanted: { action: 'verified' },
      },
    )
  }
  await two(
    'mx-plain-then-good',
    { tlsa: 'none' },
    {
      shown: { mx: 'secure, 2 hosts', tlsa: 'none, secure', certificate: '-, match' },
      wanted: { action: 'fallback' },
    },
  )
  await two(
    'mx-plain-then-good-strict',
    { tlsa: 'none' },
    {
      policy: 'mandatory',
      shown: { mx: 'secure, 2 hosts', tlsa: 'none, secure', certificate: '-, match' },
      wanted: { action: 'verified' },
    },
  )

  // Aliases (RFC 7672 §2.1.3, §2.2.2).
  const aliasRow = async (
    id: string,
    target: string,
    base: 'alias' | 'target',
    draft: Draft,
  ): Promise<void> => {
    const real = `real-${id}.${target}`
    const baseName = base === 'alias' ? hostOf(id) : real
    const leaf = await authority.issue(baseName)
    add(id, {
      // Only the right SNI gets the right certificate (RFC 7672 §8.1).
      hosts: [
        {
          name: real,
          chain: { leaf: await authority.issue('wrong-sni.example') },
          chainsByName: new Map([[baseName, { leaf }]]),
        },
      ],
      records: [
        mx(id),
        `${hostOf(id)}. CNAME ${real}.`,
        a(real),
        tlsa(baseName, tlsaFor(3, 1, 1, leaf)),
      ],
      ...draft,
    })
  }
  await aliasRow('alias-expanded', PLACE.signed, 'target', {
    shown: { address: 'secure alias', tlsa: 'at its target' },
    wanted: { action: 'verified' },
  })
  await aliasRow('alias-original', PLACE.signed, 'alias', {
    shown: { address: 'secure alias', tlsa: 'at the alias' },
    wanted: { action: 'verified' },
  })
  await aliasRow('alias-insecure', PLACE.unsigned, 'alias', {
    shown: { address: 'alias to insecure', tlsa: 'at the alias' },
    wanted: { action: 'verified' },
  })
  const nextHopAlias = await authority.issue(`expanded-next-hop.${PLACE.signed}`)
  add('next-hop-alias', {
    shown: { mx: 'secure alias', certificate: '2 1 1, target name' },
    hosts: [serve(hostOf('next-hop-alias'), nextHopAlias)],
    records: [
      `${domainOf('next-hop-alias')}. CNAME expanded-next-hop.${PLACE.signed}.`,
      `expanded-next-hop.${PLACE.signed}. MX 10 ${hostOf('next-hop-alias')}.`,
      a(hostOf('next-hop-alias')),
      tlsa(hostOf('next-hop-alias'), tlsaFor(2, 1, 1, authority.ca)),
    ],
    wanted: { action: 'verified' },
  })

  // Domains without MX records, or without mail.
  const implicit = await authority.issue(domainOf('implicit-mx'))
  add('implicit-mx', {
    shown: { mx: 'none, secure' },
    hosts: [serve(domainOf('implicit-mx'), implicit)],
    records: [
      a(domainOf('implicit-mx')),
      tlsa(domainOf('implicit-mx'), tlsaFor(3, 1, 1, implicit)),
    ],
    wanted: { action: 'verified' },
  })
  add('null-mx', {
    shown: { mx: 'null MX', address: '-', tlsa: '-', certificate: '-' },
    records: [`${domainOf('null-mx')}. MX 0 .`],
    wanted: { action: 'bounce', reason: 'domain accepts no mail (null MX)' },
  })
  add('no-such-domain', {
    shown: { mx: 'NXDOMAIN', address: '-', tlsa: '-', certificate: '-' },
    wanted: { action: 'bounce', reason: 'domain does not exist' },
  })

  // Lookups that fail without being bogus.
  add('mx-lame', {
    domain: `mx-lame.${PLACE.lame}`,
    shown: { mx: 'lame', address: '-', tlsa: '-', certificate: '-' },
    wanted: { action: 'defer', reason: 'host or domain name not found (mx-lookup-failed)' },
  })
  const lameTlsa = await authority.issue(hostOf('tlsa-lame'))
  add('tlsa-lame', {
    shown: { tlsa: 'lame', certificate: '-' },
    hosts: [serve(hostOf('tlsa-lame'), lameTlsa)],
    records: [
      mx('tlsa-lame'),
      a(hostOf('tlsa-lame')),
      `_${port}._tcp.${hostOf('tlsa-lame')}. CNAME tlsa.${PLACE.lame}.`,
    ],
    wanted: { action: 'defer', reason: 'TLSA lookup error (tlsa-lookup-failed)' },
  })
  const halfBroken = await authority.issue(hostOf('aaaa-bogus'))
  add('aaaa-bogus', {
    shown: { address: 'secure, AAAA bogus' },
    hosts: [serve(hostOf('aaaa-bogus'), halfBroken)],
    records: [
      mx('aaaa-bogus'),
      a(hostOf('aaaa-bogus')),
      `${hostOf('aaaa-bogus')}. AAAA 2001:db8::1`,
      tlsa(hostOf('aaaa-bogus'), tlsaFor(3, 1, 1, halfBroken)),
    ],
    damaged: [`${hostOf('aaaa-bogus')} AAAA`],
    wanted: { action: 'verified' },
  })
  const dual = await authority.issue(hostOf('dual-stack'))
  add('dual-stack', {
    shown: { address: 'A, and AAAA that is down' },
    hosts: [serve(hostOf('dual-stack'), dual)],
    records: [
      mx('dual-stack'),
      a(hostOf('dual-stack')),
      `${hostOf('dual-stack')}. AAAA ::2`,
      tlsa(hostOf('dual-stack'), tlsaFor(3, 1, 1, dual)),
    ],
    wanted: { action: 'verified' },
  })
  const ipv6 = await authority.issue(hostOf('ipv6'))
  add('ipv6', {
    shown: { address: 'secure, IPv6 alone' },
    hosts: [serve(hostOf('ipv6'), ipv6, { isIpv6: true })],
    records: [
      mx('ipv6'),
      `${hostOf('ipv6')}. AAAA ::1`,
      tlsa(hostOf('ipv6'), tlsaFor(3, 1, 1, ipv6)),
    ],
    wanted: { action: 'verified' },
  })

  // Policies that enforce nothing, and hosts that have no DANE.
  const mismatched = async (id: string, policy: 'none' | 'audit'): Promise<void> => {
    const [leaf, other] = await Promise.all([
      authority.issue(hostOf(id)),
      authority.issue(hostOf(id)),
    ])
    withLeaf(id, leaf, [tlsaFor(3, 1, 1, other)], {
      policy,
      shown: { certificate: 'mismatch' },
      wanted: { action: 'fallback' },
    })
  }
  await mismatched('policy-none', 'none')
  await mismatched('policy-audit', 'audit')
  add('plain-text', {
    shown: { tlsa: 'nxdomain', certificate: 'no STARTTLS' },
    hosts: [
      serve(hostOf('plain-text'), await authority.issue(hostOf('plain-text')), {
        misbehavior: 'no-starttls',
      }),
    ],
    records: [mx('plain-text'), a(hostOf('plain-text'))],
    wanted: { action: 'fallback', isEncrypted: false },
  })
  return rows
}

/** A misbehavior as a label of a domain name. */
function toLabel(misbehavior: Misbehavior): string {
  return misbehavior.replace('.', '-')
}
