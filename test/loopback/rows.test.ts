/** Every row of the demo, on real servers: decision-table.csv and the rows beyond it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { allRows } from '../../lab/all-rows.js'
import type { Haraka } from '../../lab/haraka.js'
import { judge, recipientOf } from '../../lab/judge.js'
import { startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { Session } from '../../lab/mx-dialog.js'
import { readTable } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

/** Requirements shown by rows beyond the table; see docs/dev/rfc-map.md. */
const SHOWS: Readonly<Record<string, string>> = {
  'no-starttls': '[DERIVED-tls-b]',
  'starttls-454': '[DERIVED-tls-b]',
  'starttls-554': '[DERIVED-tls-b]',
  'starttls-hang-up': '[DERIVED-tls-b]',
  'starttls-garbage': '[DERIVED-tls-b DERIVED-tls-c]',
  'starttls-inject-line': '[DERIVED-tls-a]',
  'starttls-inject-partial': '[DERIVED-tls-a]',
  'ehlo-502': '[DERIVED-tls-b]',
  'tls-1-1': '[R8996-4/5 R7671-3-a]',
  'ta-expired': '[R7672-3.2-a DERIVED-tls-d]',
  'ta-misnamed': '[R7672-3.2-a R7672-9.1-b DERIVED-tls-d]',
  'ta-absent': '[R7672-3.2-a R6698-4.1-h]',
  agility: '[R7671-8-a]',
  'unusable-no-tls': '[R7672-2.2.3-g]',
  'unusable-strict': '[R7672-6-b R7671-10.3-a]',
  'mx-plain-then-good-strict': '[R7672-2.2-e R7672-6-a R7672-6-b]',
  'alias-expanded': '[R7672-8.1-a R7671-7-b]',
  'alias-original': '[R7672-8.1-a]',
  'policy-audit': '[R7672-9.1-a]',
  'plain-text': '[R6698-4.1-i]',
}

/** What is said of a host that DNS rules out. */
const FROM_DNS = [
  'host or domain name not found',
  'TLSA lookup error',
  'non-DNSSEC destination',
  'no TLSA record',
  'no usable TLSA record',
]

let laboratory: Laboratory
let rows: readonly Row[]

describe('rows', { concurrency: 8 }, () => {
  let relays: Readonly<Record<'dane' | 'may', Haraka>>

  before(async () => {
    const started = await startLaboratory(allRows)
    laboratory = started.laboratory
    rows = started.rows
    const [dane, may] = await Promise.all([
      laboratory.startRelay('dane'),
      laboratory.startRelay('may'),
    ])
    relays = { dane, may }
  })
  after(() => laboratory.stop())

  // The rows are built in `before`, so the ids are composed here as in rows.ts.
  const table = readTable().map(
    (row, index) => `${row.source}-${String(index + 1).padStart(2, '0')}`,
  )
  for (const [index, id] of table.entries()) {
    const { mx, certificate } = readTable()[index] ?? {}
    const isTrap = mx === 'insecure' && certificate === 'match'
    test(`decision-table.csv ${id}${isTrap ? ' [R7672-2.2.1-f]' : ''}`, async () => {
      await check(rows.find((row) => row.id === id))
    })
  }

  test('rows beyond the table', async (context) => {
    const beyond = rows.filter(({ id }) => !table.includes(id))
    assert.ok(beyond.length >= 40)
    const ids = beyond.map(({ id }) => id)
    assert.deepEqual(
      Object.keys(SHOWS).filter((id) => !ids.includes(id)),
      [],
    )
    await Promise.all(
      beyond.map((row) => context.test(`${row.id} ${SHOWS[row.id] ?? ''}`, () => check(row))),
    )
  })

  async function check(row: Row | undefined): Promise<void> {
    assert.ok(row)
    const relay = relays[row.insecureMx]
    const id = await relay.submit(recipientOf(row))
    const outcome = await relay.outcomeOf(id)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(
      judge(row, outcome, id, relay, laboratory).complaints,
      [],
      relay.log(id).join('\n'),
    )
  }
})

describe('every session of every row has', () => {
  test('EHLO again inside TLS, and STARTTLS once [R3207-4.2-a R3207-4.2-b]', () => {
    const encrypted = sessions().filter(({ mails }) => mails.some(({ isEncrypted }) => isEncrypted))
    assert.ok(encrypted.length > 20)
    for (const { commands } of encrypted) {
      const verbs = commands.map((line) => line.split(' ')[0])
      assert.deepEqual(verbs.slice(0, 4), ['EHLO', 'STARTTLS', 'EHLO', 'MAIL'])
    }
  })

  test('no connection to a host that DNS rules out [R7672-10-a]', () => {
    const out = rows.filter(
      ({ wanted }) =>
        wanted.action === 'defer' && FROM_DNS.some((phrase) => wanted.reason?.startsWith(phrase)),
    )
    assert.ok(out.length > 20)
    for (const { id, hosts } of out) {
      const called = hosts.filter(({ name }) => laboratory.hosts.get(name)?.sessions.length !== 0)
      assert.deepEqual(
        called.map(({ name }) => name),
        [],
        id,
      )
    }
  })

  test('at most one message, and no resumed TLS session [DERIVED-tls-e DERIVED-tls-f]', () => {
    for (const { mails, isResumed } of sessions()) {
      assert.ok(mails.length <= 1)
      assert.equal(isResumed, false)
    }
  })

  function sessions(): readonly Session[] {
    return [...laboratory.hosts.values()].flatMap((host) => host.sessions)
  }
})
