/** Every `haraka-dane` command shown in README and docs is valid. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { destination } from '../../lab/destination.js'
import { withLaboratory } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { runCommand } from '../support/command.js'
import { blocksOf, PAGES, pageText } from '../support/pages.js'

const GOOD = 'good.signed.example'

const TLSRPT = `[tlsrpt]
enabled = yes
organization = Laboratory
contact = postmaster@relay.example
from = tlsrpt@relay.example
dkim_key = tlsrpt.pem
dkim_selector = tlsrpt
`

/** As a user types them, without pipes and redirections. */
const commands = new Set(
  PAGES.flatMap((page) => blocksOf(pageText(page), 'sh').join('').split('\n'))
    .map((line) => /^(?:npx --no )?haraka-dane ([^|#]*)/.exec(line)?.[1]?.trim() ?? '')
    .filter((line) => line !== ''),
)

describe('commands of README and docs', () => {
  let laboratory: Laboratory
  let redis: RedisServer
  before(async () => {
    const authority = await createAuthority()
    const started = await startLaboratory(async (port) => [
      (await destination(port, authority, 'good')).row,
    ])
    laboratory = started.laboratory
    const { pem } = await authority.issue('mx.example.org')
    writeFileSync(path.join(laboratory.folder, 'fullchain.pem'), `${pem}\n${authority.ca.pem}`)
    redis = await startRedis(laboratory.folder)
    const config = path.join(laboratory.folder, 'config')
    mkdirSync(config)
    const resolver = `[resolver]\nserver[] = 127.0.0.1:${laboratory.names.unboundPort}\n`
    const ini = `${resolver}[redis]\nurl = redis://127.0.0.1:${redis.port}\nkey = nobody-can-guess-this\n${TLSRPT}`
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const dkimKey = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(path.join(config, 'tlsrpt.pem'), dkimKey)
    const text = withLaboratory(ini, laboratory.names.unboundPort, laboratory.smtpPort)
    writeFileSync(path.join(config, 'dane.ini'), text)
    writeFileSync(path.join(config, 'plugins'), 'dane\n')
    writeFileSync(path.join(laboratory.folder, 'domains.txt'), `${GOOD}\n`)
  })
  after(async () => {
    await redis.child.stop()
    await laboratory.stop()
  })

  test('there are commands', () => {
    assert.ok(commands.size >= 10, [...commands].join('\n'))
  })

  for (const command of commands) {
    test(`haraka-dane ${command}`, async () => {
      const domain = /\b(?:[\w-]+\.)*(?:example|org|net)\b|\bDOMAIN\b/g
      const args = command.replace(domain, GOOD).split(/ +/)
      const { code, stdout, stderr } = await runCommand(args, { cwd: laboratory.folder })
      // Without --config, verify queries the resolver of this machine, if any.
      const isSure = command.includes('--config') || /^(policy|cache purge)/.test(command)
      const expected = isSure ? [0] : [0, 1, 3]
      assert.ok(expected.includes(code ?? -1), `${String(code)}\n${stdout}${stderr}`)
    })
  }
})
