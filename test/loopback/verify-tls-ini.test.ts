/** `haraka-dane verify --config` shakes hands with the options of tls.ini, as a delivery does. */
import assert from 'node:assert/strict'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { startDestinations } from '../../lab/destination.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { parseReport, runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'

const DOMAIN = 'good.signed.example'

let laboratory: Laboratory
before(async () => {
  laboratory = await startDestinations({ good: {} })
})
after(() => laboratory.stop())

async function verify(label: string, tlsIni: string): Promise<Ran> {
  const folder = path.join(laboratory.folder, label)
  await mkdir(folder)
  await cp(path.join(laboratory.trusting, 'dane.ini'), path.join(folder, 'dane.ini'))
  await writeFile(path.join(folder, 'tls.ini'), tlsIni)
  return runCommand([
    'verify',
    '--json',
    ...['--config', folder],
    ...['--resolver', `127.0.0.1:${laboratory.names.unboundPort}`],
    ...['--port', String(laboratory.smtpPort)],
    DOMAIN,
  ])
}

test('[outbound] applies, and a delivery negotiates the same', async () => {
  const tlsIni = '[outbound]\nmaxVersion=TLSv1.2\nciphers=ECDHE-ECDSA-CHACHA20-POLY1305\n'
  const { code, lines } = await verify('limited', tlsIni)
  assert.equal(code, 0)
  const tls = parseReport(lines[0] ?? '').hosts[0]?.addresses[0]?.tls
  assert.deepEqual([tls?.protocol, tls?.cipher], ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305'])
  const relay = await laboratory.startRelay('dane', { files: { 'tls.ini': tlsIni } })
  const id = await relay.submit(`user@${DOMAIN}`)
  assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
  const success = 'TLS success protocol TLSv1.2 cipher ECDHE-ECDSA-CHACHA20-POLY1305 for'
  assert.ok(relay.log(id).some((line) => line.includes(success)))
})

test('what DANE requires overrides it: TLS 1.2 at least (RFC 8996)', async () => {
  const { lines } = await verify('old', '[outbound]\nminVersion=TLSv1\n')
  assert.equal(parseReport(lines[0] ?? '').hosts[0]?.addresses[0]?.tls?.protocol, 'TLSv1.3')
})

test('options with which no handshake is possible are named as the cause', async () => {
  const { code, lines, stderr } = await verify('broken', '[outbound]\nciphers=NONSENSE\n')
  assert.equal(code, 1)
  assert.equal(parseReport(lines[0] ?? '').cause?.reason, 'tls-handshake-failed')
  assert.match(stderr, /^tls\.ini in \S+: no TLS handshake is possible with it \(.+\), so every/)
})

test('a key file that this user cannot read is named, and left out', async () => {
  // A folder is as unreadable as a file without permission, and for root as well.
  const folder = path.join(laboratory.folder, 'unreadable')
  await mkdir(path.join(folder, 'key.pem'), { recursive: true })
  await cp(path.join(laboratory.trusting, 'dane.ini'), path.join(folder, 'dane.ini'))
  await writeFile(path.join(folder, 'tls.ini'), '[outbound]\nkey=key.pem\n')
  const { code, stderr } = await runCommand([
    'verify',
    ...['--config', folder],
    ...['--resolver', `127.0.0.1:${laboratory.names.unboundPort}`],
    ...['--port', String(laboratory.smtpPort)],
    DOMAIN,
  ])
  assert.match(stderr, /^key\.pem cannot be read: .*: the connections below do without it/)
  assert.equal(code, 0)
})
