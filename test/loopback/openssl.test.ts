/**
 * The same chains and records judged by the installed OpenSSL: `openssl s_client` with
 * its DANE options against a TLS server for each chain. If the two differ, an RFC
 * section says why.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createServer } from 'node:tls'
import type { Server } from 'node:tls'
import { mint, NOON, tlsaFor } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { startChild } from '../../lab/child.js'
import { chainOf, judge, word } from '../support/chains.js'
import { mintShapes, MX } from '../support/shapes.js'

type Comparison = {
  readonly title: string
  readonly sent: readonly [Minted, ...Minted[]]
  readonly records: readonly string[]
}

/** Known differences from OpenSSL: a part of the title, and the reason. */
const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [
    /^cross-signed/,
    'RFC 5280 §6 leaves path building open (RFC 4158); OpenSSL tries one issuer of a name, this tries them all',
  ],
  [
    /^(root (expired|path length 0)|name excluded) \| 2 1 [01] root$/,
    'RFC 7672 §3.1.2: constraints of the anchor for selector Cert(0); a key has none (RFC 7671 §5.2.3)',
  ],
  [
    /^(intermediate (for email|may not sign|no CA|with an unknown critical extension)|name not permitted) \| 2 1 1 intermediate$/,
    'RFC 7672 §3.1.2, as above',
  ],
  [
    /^issuer named otherwise \| 2 1 1 intermediate$/,
    'RFC 7671 §5.2.3: a key that signed the topmost certificate needs no name',
  ],
  [
    /^intermediate expired \| 2 0 1 intermediate$/,
    'RFC 6698 §2.1.1: the anchor is a certificate, held to its dates; OpenSSL looks at them only if it is self-signed',
  ],
  [
    /^leaf of 1024 bits \| 3 /,
    'RFC 7672 §3.1.1: the match is all it takes; which keys a handshake may use is for TLS to say',
  ],
  [/^name: partial wildcard/, 'RFC 7672 §3.2.3: a wildcard is the whole first label'],
]

describe('OpenSSL agrees', () => {
  const comparisons: Comparison[] = []
  const servers: Server[] = []
  const ports = new Map<readonly Minted[], Promise<number>>()
  const differences: string[] = []

  before(async () => {
    for (const { name, sent, leaf, intermediate, root } of await mintShapes()) {
      const sets: Readonly<Record<string, readonly string[]>> = {
        '3 1 1 leaf': [tlsaFor(3, 1, 1, leaf)],
        '3 0 0 leaf': [tlsaFor(3, 0, 0, leaf)],
        '3 1 1 intermediate': [tlsaFor(3, 1, 1, intermediate)],
        '2 0 1 root': [tlsaFor(2, 0, 1, root)],
        '2 1 1 root': [tlsaFor(2, 1, 1, root)],
        '2 0 0 root': [tlsaFor(2, 0, 0, root)],
        '2 1 0 root': [tlsaFor(2, 1, 0, root)],
        '2 0 1 intermediate': [tlsaFor(2, 0, 1, intermediate)],
        '2 1 1 intermediate': [tlsaFor(2, 1, 1, intermediate)],
        '2 1 1 leaf': [tlsaFor(2, 1, 1, leaf)],
        'wrong 3 and right 2': [tlsaFor(3, 1, 1, intermediate), tlsaFor(2, 0, 1, root)],
        'weak digest right': [tlsaFor(3, 1, 1, leaf), tlsaFor(3, 1, 2, intermediate)],
      }
      for (const [set, records] of Object.entries(sets))
        comparisons.push({ title: `${name} | ${set}`, sent, records })
    }
    comparisons.push(...(await nameComparisons()))
  })
  after(() => {
    for (const server of servers) server.close()
  })

  test('on every combination of chain, record and name', { timeout: 240_000 }, async (context) => {
    assert.ok(comparisons.length >= 400)
    const queue = [...comparisons]
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let next = queue.shift(); next; next = queue.shift()) await compare(next)
      }),
    )
    const unexplained = differences.filter(
      (each) => !EXPLAINED.some(([pattern]) => pattern.test(each.split(' => ')[0] ?? '')),
    )
    context.diagnostic(
      `${comparisons.length} combinations, ${differences.length} differences, ${unexplained.length} unexplained`,
    )
    for (const [pattern, why] of EXPLAINED) {
      const count = differences.filter((each) => pattern.test(each.split(' => ')[0] ?? '')).length
      context.diagnostic(`${count} differ: ${why}`)
      assert.ok(count > 0, `still needed: ${why}`)
    }
    assert.deepEqual(unexplained, [])
  })

  async function compare({ title, sent, records }: Comparison): Promise<void> {
    const port = await serve(sent)
    const child = startChild('openssl', [
      's_client',
      ...[
        '-connect',
        `127.0.0.1:${port}`,
        '-dane_tlsa_domain',
        MX,
        '-dane_ee_no_namechecks',
        '-brief',
      ],
      ...['-attime', String(NOON.getTime() / 1000), '-auth_level', '2'],
      // The handshake itself is not compared.
      ...[
        '-cipher',
        'ALL:@SECLEVEL=0',
        '-sigalgs',
        'RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA256:ECDSA+SHA512:ed25519',
      ],
      ...records.flatMap((record) => ['-dane_tlsa_rrdata', record]),
    ])
    await child.exited
    const output = child.output()
    assert.match(output, /^(Verification|CONNECTION ESTABLISHED)/m, `${title}: ${output}`)
    const theirs = output.includes('Verification: OK')
    const ours = word(judge(records, chainOf(...sent), { names: [MX] }))
    if (theirs === ours.startsWith('authenticated')) return
    differences.push(
      `${title} => OpenSSL: ${/Verification error: .*/.exec(output)?.[0] ?? 'OK'}, this: ${ours}`,
    )
  }

  /** The port of a server that presents this chain; each is started once. */
  function serve(sent: readonly [Minted, ...Minted[]]): Promise<number> {
    const known = ports.get(sent)
    if (known) return known
    const port = new Promise<number>((resolve) => {
      const server = createServer({
        key: sent[0].keyPem,
        cert: sent.map(({ pem }) => pem).join('\n'),
        ciphers: 'ALL:@SECLEVEL=0',
      })
      servers.push(server)
      server.on('tlsClientError', () => undefined)
      server.on('secureConnection', (socket) => socket.on('error', () => undefined))
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      })
    })
    ports.set(sent, port)
    return port
  }

  async function nameComparisons(): Promise<readonly Comparison[]> {
    const root = await mint({ subject: 'CN=root', isCa: true })
    const cases: readonly (readonly [string, { names?: readonly string[]; subject?: string }])[] = [
      ['the host', { names: [MX] }],
      ['different case', { names: ['MX.Example.ORG'] }],
      ['another host', { names: ['mx2.example.org'] }],
      ['one of several', { names: ['a.example', MX] }],
      ['wildcard', { names: ['*.example.org'] }],
      ['wildcard over two labels', { names: ['*.org'] }],
      ['wildcard below', { names: ['*.mx.example.org'] }],
      ['partial wildcard in front', { names: ['m*.example.org'] }],
      ['partial wildcard behind', { names: ['*x.example.org'] }],
      ['wildcard inside', { names: ['mx.*.org'] }],
      ['bare wildcard', { names: ['*'] }],
      ['trailing dot', { names: ['mx.example.org.'] }],
      ['CN alone', { subject: `CN=${MX}` }],
      ['wildcard CN', { subject: 'CN=*.example.org' }],
      ['CN beside another name', { subject: `CN=${MX}`, names: ['other.example'] }],
      ['two CNs', { subject: `CN=other.example, CN=${MX}` }],
      ['no name', { subject: 'O=nobody' }],
    ]
    return Promise.all(
      cases.map(async ([circumstance, { names = [], subject = 'O=nobody' }]) => {
        const leaf = await mint({ subject, names, issuer: root })
        return {
          title: `name: ${circumstance}`,
          sent: [leaf, root],
          records: [tlsaFor(2, 1, 1, root)],
        } as const
      }),
    )
  }
})
