/**
 * The cost of verifying a server's certificates.
 *
 * Microseconds of CPU for `verify` with records 3 1 1, 3 0 0 and 2 1 1 on three
 * certificates, compared with the handshake (both ends, since they are in one
 * process here, so about half of it is the client's) and with OpenSSL's own
 * verification of the same chain (`openssl verify`, a thousand leaves in one run, excluding
 * program start). Taken in turn; P-256 keys, the most common at mail hosts.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:tls'
import type { Server } from 'node:tls'
import path from 'node:path'
import { mint, tlsaFor } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { runToEnd } from '../../lab/child.js'
import { parseDomainName } from '../../src/name.js'
import type { DomainName } from '../../src/name.js'
import type { AuthenticateHost } from '../../src/plan.js'
import { handshakeOptions, peerChain } from '../../src/session/handshake.js'
import { filterTlsa } from '../../src/tlsa.js'
import type { PeerChain } from '../../src/verdict.js'
import { verify } from '../../src/verify/verify.js'
import type { Bench, Figure } from '../figure.js'
import { spreadOf, spreadText, tableText } from '../statistics.js'

const HOST = 'mx.bench.example'

type Chain = { readonly certificates: readonly [Minted, ...Minted[]]; readonly server: Server }

export async function measureVerify({ world, size, note }: Bench): Promise<Figure> {
  const name = parseDomainName(HOST)
  if (name === undefined) throw new Error('no name')
  const root = await mint({ subject: 'CN=root', isCa: true })
  const middle = await mint({ subject: 'CN=middle', isCa: true, issuer: root })
  const leaf = await mint({ subject: `CN=${HOST}`, names: [HOST], issuer: middle })
  const chain = await serve([leaf, middle, root])
  const cases = [
    ['verify 3 1 1', expectation(name, 3, 1, 1, leaf)],
    ['verify 3 0 0', expectation(name, 3, 0, 0, leaf)],
    ['verify 2 1 1, three certificates', expectation(name, 2, 1, 1, root)],
  ] as const
  const rivals: readonly (readonly [string, () => number | Promise<number>])[] = [
    ...cases.map(([label, wanted]) => {
      const shown: PeerChain = [leaf.der, middle.der, root.der]
      return [label, () => perVerify(wanted, shown, size.samples)] as const
    }),
    ['openssl verify, the same chain', () => perOpenssl(world.laboratory.folder, chain)],
    ['handshake, both ends', () => perHandshake(chain, name, Math.ceil(size.samples / 10))],
  ]
  const runs = new Map<string, number[]>(rivals.map(([label]) => [label, []]))
  try {
    for (let pair = -1; pair < size.pairs; pair++) {
      for (const [label, measure] of rivals) {
        const microseconds = await measure()
        if (pair >= 0) runs.get(label)?.push(microseconds)
      }
      note(`verify: ${pair + 1} of ${size.pairs}`)
    }
  } finally {
    chain.server.close()
  }
  const rows = [...runs].map(([label, own]) => ({ name: label, cpuMicroseconds: spreadOf(own) }))
  return {
    data: { rows },
    text: [
      `CPU µs each, ${size.samples} in each of ${size.pairs} runs`,
      tableText([['', 'µs'], ...rows.map((row) => [row.name, spreadText(row.cpuMicroseconds, 1)])]),
    ].join('\n'),
  }
}

/** The TLSA expectation for this certificate, as in delivery. */
function expectation(
  tlsaBase: DomainName,
  usage: number,
  selector: number,
  matchingType: number,
  certificate: Minted,
): AuthenticateHost {
  const [, , , data = ''] = tlsaFor(usage, selector, matchingType, certificate).split(' ')
  const rdata = Buffer.concat([
    Buffer.from([usage, selector, matchingType]),
    Buffer.from(data, 'hex'),
  ])
  const [record] = filterTlsa([{ rdata }]).usable
  if (record === undefined) throw new Error('an unusable record')
  return {
    kind: 'authenticate',
    tlsaBase,
    records: [record],
    referenceNames: [tlsaBase],
    unusable: [],
  }
}

function perVerify(wanted: AuthenticateHost, shown: PeerChain, times: number): number {
  const now = Date.now()
  return perRun(times, () => {
    assert.equal(verify(wanted, shown, now).kind, 'authenticated')
  })
}

function perRun(times: number, work: () => void): number {
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) work()
  return microsecondsSince(before) / times
}

function microsecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

async function serve(certificates: readonly [Minted, ...Minted[]]): Promise<Chain> {
  const [leaf] = certificates
  const server = createServer(
    { key: leaf.keyPem, cert: certificates.map(({ pem }) => pem).join('\n') },
    (socket) => socket.on('error', () => undefined),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { certificates, server }
}

async function perHandshake({ server }: Chain, name: DomainName, times: number): Promise<number> {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ...handshakeOptions({}, name) }, () => {
        assert.equal(peerChain(socket)?.length, 3)
        socket.destroy()
      })
      socket.on('close', () => resolve())
      socket.on('error', reject)
    })
  }
  return microsecondsSince(before) / times
}

/** The difference between a thousand leaves and one, which excludes program start. */
async function perOpenssl(folder: string, { certificates }: Chain): Promise<number> {
  const [leaf, middle, root] = certificates.map(({ pem }) => pem)
  const file = (name: string): string => path.join(folder, name)
  await writeFile(file('leaf.pem'), leaf ?? '')
  await writeFile(file('middle.pem'), middle ?? '')
  await writeFile(file('root.pem'), root ?? '')
  const cpuOf = async (times: number): Promise<number> => {
    const leaves = Array.from({ length: times }, () => file('leaf.pem')).join(' ')
    const script = `openssl verify -CAfile ${file('root.pem')} -untrusted ${file('middle.pem')} -verify_hostname ${HOST} ${leaves} >/dev/null; times`
    const output = await runToEnd('sh', ['-c', script])
    const [user = 0, system = 0] = Array.from(
      (output.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g),
      ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
    )
    return (user + system) * 1e6
  }
  return ((await cpuOf(1001)) - (await cpuOf(1))) / 1000
}
