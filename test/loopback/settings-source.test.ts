/** dane.ini as it is found on a disk: missing, unreadable, half-written. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { createSettingsSource } from '../../src/haraka/settings-source.js'
import type { Plugin } from '../../src/haraka/host.js'

const home = mkdtempSync(path.join(tmpdir(), 'dane-settings-'))
const file = path.join(home, 'config/dane.ini')
const { HARAKA } = process.env
process.env['HARAKA'] = home

beforeEach(() => {
  rmSync(path.join(home, 'config'), { recursive: true, force: true })
  mkdirSync(path.join(home, 'config'))
})
after(() => {
  rmSync(home, { recursive: true, force: true })
  if (HARAKA === undefined) delete process.env['HARAKA']
  else process.env['HARAKA'] = HARAKA
})

function source(): ReturnType<typeof createSettingsSource> {
  const plugin: Pick<Plugin, 'config'> = { config: { get: () => [] } }
  return createSettingsSource(plugin, () => undefined)
}

test('no file: the defaults', () => {
  assert.equal(source().read().policy, 'opportunistic')
})

test('a file', () => {
  writeFileSync(file, 'policy = mandatory\n')
  assert.equal(source().read().policy, 'mandatory')
})

test('a folder instead of the file is refused', () => {
  mkdirSync(file)
  assert.throws(() => source().read(), /dane\.ini cannot be read: EISDIR/)
})

test('a dangling link is refused', () => {
  symlinkSync(path.join(home, 'nowhere'), file)
  assert.throws(() => source().read(), /dane\.ini cannot be read: ENOENT/)
})

test(
  'an unreadable file is refused',
  { skip: process.getuid?.() === 0 && 'root may read everything' },
  () => {
    writeFileSync(file, 'policy = mandatory\n')
    chmodSync(file, 0)
    assert.throws(() => source().read(), /dane\.ini cannot be read: EACCES/)
  },
)

for (const [circumstance, spoil] of [
  ['emptied', () => writeFileSync(file, '')],
  ['blank', () => writeFileSync(file, '\n \n')],
  ['gone', () => unlinkSync(file)],
] as const) {
  test(`a file that is ${circumstance} at a reload does not mean the defaults`, () => {
    writeFileSync(file, 'policy = mandatory\n')
    const settings = source()
    assert.equal(settings.read().policy, 'mandatory')
    spoil()
    assert.throws(() => settings.read(), /dane\.ini is empty or missing/)
    writeFileSync(file, 'policy = none\n')
    assert.equal(settings.read().policy, 'none')
  })
}

test('a file created later is read', () => {
  const settings = source()
  assert.equal(settings.read().policy, 'opportunistic')
  writeFileSync(file, 'policy = none\n')
  assert.equal(settings.read().policy, 'none')
})
