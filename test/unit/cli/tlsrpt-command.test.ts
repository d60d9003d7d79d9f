/** `haraka-dane tlsrpt` where there is nothing to show, and where it is used wrongly. */
import assert from 'node:assert/strict'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runTlsrpt } from '../../../src/cli/tlsrpt-command.js'
import { UsageError } from '../../../src/cli/usage.js'
import { parseSettings } from '../../../src/settings/settings.js'
import { DAY_MS, utcDay } from '../../../src/tlsrpt/day.js'
import { TLSRPT_INI } from '../../support/report-relay.js'

const SETTINGS = parseSettings(TLSRPT_INI)
const YESTERDAY = utcDay(Date.now() - DAY_MS)

describe('[TLSRPT-77] haraka-dane tlsrpt', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'tlsrpt-cli-'))
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })
  const run = (args: readonly string[], settings = SETTINGS): Promise<number> =>
    runTlsrpt(settings, path.join(folder, 'config'), args)

  for (const [args, said] of [
    [['show', 'a.example'], `nothing was counted for a.example on ${YESTERDAY} (UTC)`],
    [['preview', 'a.example'], `nothing was counted for a.example on ${YESTERDAY} (UTC)`],
    [['send', 'a.example', 'yesterday'], `nothing was counted for a.example on ${YESTERDAY} (UTC)`],
    [['log'], 'no counts'],
    [['log', 'a.example', '2026-03-01'], 'no counts'],
  ] as const) {
    test(`${args.join(' ')}: 1, and why`, async (t) => {
      const lines: unknown[] = []
      t.mock.method(console, 'log', (line: unknown) => lines.push(line))
      assert.equal(await run(args), 1)
      assert.deepEqual(lines, [said])
    })
  }

  for (const [args, why] of [
    [[], /expected tlsrpt show, preview, send or log/],
    [['drop', 'a.example'], /expected tlsrpt show, preview, send or log/],
    [['constructor', 'a.example'], /expected tlsrpt show, preview, send or log/],
    [['show'], /no domain given/],
    [['show', 'a b'], /not a domain name/],
    [['show', 'a.example', '2026-02-30'], /not a day such as 2026-03-01: 2026-02-30/],
    [['show', 'a.example', 'today', 'b'], /expected one domain and one day/],
    [['send', 'a.example', 'today'], /has not ended yet/],
  ] as const) {
    test(`${args.join(' ')} is refused`, async () => {
      await assert.rejects(
        run(args),
        (error) => error instanceof UsageError && why.test(error.message),
      )
    })
  }

  test('without [tlsrpt] enabled it is refused', async () => {
    await assert.rejects(run(['log'], parseSettings('')), /TLS reports are off: dane\.ini needs/)
  })

  test('files of another user are refused: Haraka could not read what this user writes', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root can give files away')
      return
    }
    mkdirSync(path.join(folder, 'tlsrpt'), { recursive: true })
    chownSync(path.join(folder, 'tlsrpt'), 65_534, 65_534)
    await assert.rejects(run(['log']), /belongs to another user: .* \(uid 65534\)/)
  })
})
