/**
 * How the connection to a refused host ends: with QUIT if it is the client's turn to speak
 * (RFC 5321 §4.1.1.10), inside TLS with close_notify, and without QUIT after octets out of
 * turn.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import type { Haraka } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'

const cases: readonly (readonly [string, DestinationOptions, readonly string[]])[] = [
  ['certificate', { tlsa: 'wrong' }, ['EHLO', 'STARTTLS', 'QUIT']],
  ['no-starttls', { host: { misbehavior: 'no-starttls' } }, ['EHLO', 'QUIT']],
  ['starttls-454', { host: { misbehavior: 'starttls-454' } }, ['EHLO', 'STARTTLS', 'QUIT']],
  ['greeting-554', { host: { misbehavior: 'greeting-554' } }, ['QUIT']],
  ['ehlo-502', { host: { misbehavior: 'ehlo-502' } }, ['EHLO', 'QUIT']],
  ['greeting-garbage', { host: { misbehavior: 'greeting-garbage' } }, []],
  ['injected', { host: { misbehavior: 'starttls-inject-line' } }, ['EHLO', 'STARTTLS']],
]

let laboratory: Laboratory
let relay: Haraka
before(async () => {
  laboratory = await startDestinations(
    Object.fromEntries(
      cases.map(([label, options]) => [label, { ...options, hasSecondHost: true }]),
    ),
  )
  relay = await laboratory.startRelay('dane')
})
after(async () => {
  await relay.stop()
  await laboratory.stop()
})

describe('the first host is refused, the second gets the mail', () => {
  for (const [label, , wanted] of cases) {
    test(`${label}: the first host receives ${wanted.join(', ') || 'nothing'}`, async () => {
      const domain = `${label}.${PLACE.signed}`
      const host = laboratory.hosts.get(`mx-${domain}`)
      const id = await relay.submit(`somebody@${domain}`)
      assert.equal((await relay.outcomeOf(id)).kind, 'delivered', relay.log(id).join('\n'))
      const [session] = host?.sessions ?? []
      assert.ok(session)
      await until('the end of the connection', () => session.isClosed)
      const verbs = session.commands.map((line) => line.split(' ')[0])
      assert.deepEqual(verbs, wanted)
      if (wanted.at(-1) === 'QUIT') assert.deepEqual(session.errors, [])
    })
  }
})
