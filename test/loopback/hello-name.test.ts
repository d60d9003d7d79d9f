/** By what name `verify` introduces itself, to a host that wants a full one. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { helloNameOf } from '../../src/cli/relay-settings.js'
import { probeHost } from '../../src/cli/smtp-probe.js'
import type { Probe } from '../../src/cli/smtp-probe.js'
import { name } from '../support/names.js'

/** A host that has 503 for a name without a dot; neither has STARTTLS. */
async function greet(
  address: string,
  helloName: string | undefined,
): Promise<{ probe: Probe; heard: string }> {
  const open = new Set<Socket>()
  let heard = ''
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.write('220 mx.example ESMTP\r\n')
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1')
      const isFull = /^EHLO (\[.+\]|\S+\.\S+)\r\n$/.test(heard)
      socket.write(isFull ? '250 mx.example\r\n' : '503 5.5.2 need a full name\r\n')
    })
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      server.listen(0, address, resolve)
    })
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('no port')
    const serverName = name('mx.example')
    const options = { address, port: bound.port, serverName, helloName, tls: {}, timeoutMs: 5_000 }
    return { probe: await probeHost(options), heard }
  } finally {
    for (const socket of open) socket.destroy()
    server.close()
  }
}

function text(probe: Probe): string {
  return probe.kind === 'refused' ? `${probe.reason}: ${probe.detail}` : probe.kind
}

describe('the name in EHLO', () => {
  test('without a full name it is the address literal of the socket (RFC 5321 §4.1.3)', async () => {
    const { probe, heard } = await greet('127.0.0.1', undefined)
    assert.equal(heard, 'EHLO [127.0.0.1]\r\n')
    assert.match(text(probe), /^starttls-not-offered: /)
  })

  test('and over IPv6, with its tag', async (context) => {
    try {
      assert.equal((await greet('::1', undefined)).heard, 'EHLO [IPv6:::1]\r\n')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRNOTAVAIL'))
        throw error
      context.skip('no IPv6 on this machine')
    }
  })

  test('a refusal says which name was sent', async () => {
    const { probe } = await greet('127.0.0.1', 'vm')
    assert.equal(text(probe), 'ehlo-refused: to EHLO vm: 503 5.5.2 need a full name')
  })
})

describe('which name that is', () => {
  const cases: readonly (readonly [string, string | undefined, string, string | undefined])[] = [
    ['as in `me`', 'relay.example.org\n', 'vm', 'relay.example.org'],
    [
      'as in `me`, behind comments',
      '# ours\n\n relay.example.org \nother\n',
      'vm',
      'relay.example.org',
    ],
    ['as in `me`, even if it is no full name', 'relay\n', 'vm.example.org', 'relay'],
    ['of the machine, if `me` is empty', '\n', 'vm.example.org', 'vm.example.org'],
    ['of the machine, if there is no `me`', undefined, 'vm.example.org', 'vm.example.org'],
    ['none, if the machine has no full name', undefined, 'vm', undefined],
    ['none, if `me` cannot be sent', 'two words\n', 'vm', undefined],
  ]
  for (const [circumstance, me, machine, wanted] of cases) {
    test(circumstance, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'dane-me-'))
      try {
        if (me !== undefined) await writeFile(path.join(folder, 'me'), me)
        assert.equal(helloNameOf(folder, machine), wanted)
      } finally {
        await rm(folder, { recursive: true })
      }
    })
  }

  test('without a config folder it is that of the machine', () => {
    assert.equal(helloNameOf(undefined, 'vm.example.org'), 'vm.example.org')
    assert.equal(helloNameOf(undefined, 'vm'), undefined)
  })
})
