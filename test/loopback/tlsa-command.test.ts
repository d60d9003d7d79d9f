/** `haraka-dane tlsa`: records for a certificate of a file, and for what a host shows. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { mint, tlsaFor } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { runToEnd } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { Authority } from '../../lab/rows.js'
import { runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'

let laboratory: Laboratory
let authority: Authority
let leaf: Minted
let file: string
before(async () => {
  authority = await createAuthority()
  const started = await startLaboratory(async (port) => [
    (await destination(port, authority, 'good')).row,
  ])
  laboratory = started.laboratory
  leaf = await authority.issue('mx.example.org')
  file = path.join(laboratory.folder, 'fullchain.pem')
  await writeFile(file, leaf.pem + '\n' + authority.ca.pem)
})
after(() => laboratory.stop())

const tlsa = (...args: readonly string[]): Promise<Ran> => runCommand(['tlsa', ...args])

const records = ({ lines }: Ran): readonly string[] => lines.filter((line) => !line.startsWith(';'))

test('a file: the whole records of certificate and issuer, in a zone file that can be read', async () => {
  const ran = await tlsa(file)
  assert.equal(ran.code, 0, ran.stderr)
  const owner = '_25._tcp.mx.example.org. IN TLSA'
  const wanted = [
    `${owner} ${tlsaFor(3, 1, 1, leaf)}`,
    `${owner} ${tlsaFor(2, 1, 1, authority.ca)}`,
  ]
  assert.deepEqual(records(ran), wanted)
  const zone = path.join(laboratory.folder, 'zone')
  const soa = 'example.org. 60 IN SOA ns.example.org. m.example.org. 1 2 3 4 5\n'
  await writeFile(zone, soa + ran.stdout)
  const read = await runToEnd('ldns-read-zone', [zone])
  assert.equal(Array.from(read.matchAll(/\tTLSA\t/g)).length, 2, read)
  const steps = ran.lines.flatMap(
    (line) => /^; (\d)\. (\w+)/.exec(line)?.slice(1, 3).join(' ') ?? [],
  )
  assert.deepEqual(steps, ['1 Publish', '2 Wait', '3 Install', '4 Check', '5 Remove'])
})

test('another host and port; a certificate without its issuer', async () => {
  const alone = path.join(laboratory.folder, 'cert.pem')
  await writeFile(alone, leaf.pem)
  const ran = await tlsa(alone, '--host=mx2.example.org', '--port=465')
  assert.deepEqual(records(ran), [`_465._tcp.mx2.example.org. IN TLSA ${tlsaFor(3, 1, 1, leaf)}`])
  assert.ok(
    ran.lines.includes('; No record 2 1 1: the certificate of CN=Laboratory CA is not there.'),
    ran.stdout,
  )
})

test('--from: what the host shows, with a warning about the way to it', async () => {
  const [host] = [...laboratory.hosts.entries()]
  assert.ok(host)
  const [name, { address }] = host
  const port = laboratory.smtpPort
  const ran = await tlsa(`--from=${address}`, `--host=${name}`, `--port=${port}`)
  assert.equal(ran.code, 0, ran.stderr)
  assert.match(ran.lines[0] ?? '', /over a network that nothing authenticates/)
  assert.match(
    records(ran)[0] ?? '',
    new RegExp(`^_${port}\\._tcp\\.${name}\\. IN TLSA 3 1 1 [0-9a-f]{64}$`),
  )
  const issuer = `_${port}._tcp.${name}. IN TLSA ${tlsaFor(2, 1, 1, authority.ca)}`
  assert.equal(records(ran)[1], issuer)
})

test('a host that is not there: 3, and why', async () => {
  const ran = await tlsa('--from=127.0.0.1', '--host=mx.example.org', `--port=${await freePort()}`)
  assert.equal(ran.code, 3)
  assert.match(ran.stderr, /^no certificate from 127\.0\.0\.1 port \d+: no connection: /)
  assert.equal(ran.stdout, '')
})

test('a subject that would be a line of its own in a zone stays a comment', async () => {
  const evil = await mint({
    subject: 'CN="x\n_25._tcp.bank.example. IN TLSA 3 1 1 00"',
    names: ['mx.example.org'],
  })
  const place = path.join(laboratory.folder, 'evil.pem')
  await writeFile(place, evil.pem)
  const ran = await tlsa(place)
  assert.deepEqual(records(ran), [`_25._tcp.mx.example.org. IN TLSA ${tlsaFor(3, 1, 1, evil)}`])
  assert.ok(ran.lines.includes('; No record 2 1 1: it is its own issuer.'), ran.stdout)
})

for (const [circumstance, args, wanted] of [
  ['nothing', [], /give either one PEM file or --from HOST/],
  ['a file that is not there', ['/nowhere.pem'], /\/nowhere\.pem: ENOENT/],
  ['a file that is no certificate', ['package.json'], /package\.json has no readable certificate/],
  ['an address without a name', ['--from=192.0.2.1'], /is an address: give --host as well/],
  ['a port that is none', ['--from=mx.example.org', '--port=x'], /--port x: expected a whole/],
] as const) {
  test(`bad usage ends with 2: ${circumstance}`, async () => {
    const { code, stderr } = await tlsa(...args)
    assert.equal(code, 2)
    assert.match(stderr, wanted)
  })
}
