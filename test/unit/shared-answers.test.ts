/** Which relays share answers in Redis: those that would have come to the same. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { vaultOf } from '../../src/assemble.js'
import { SettingsError } from '../../src/settings/option-reader.js'
import { parseSettings } from '../../src/settings/settings.js'

const folder = mkdtempSync(path.join(tmpdir(), 'anchors-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const IANA = [
  '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D',
  '. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16',
]

function anchors(name: string, ...lines: readonly string[]): string {
  const file = path.join(folder, name)
  writeFileSync(file, `${lines.join('\n')}\n`)
  return `trust_anchors = ${file}`
}

function prefixOf(lines: string, prefix = 'dane:'): string {
  const text = `[resolver]\n${lines}\n[redis]\nenabled = yes\nprefix = ${prefix}`
  const { redis, resolver } = parseSettings(text)
  assert.ok(redis)
  // Reports are of all relays, no matter where they are validated.
  assert.equal(redis.prefix, prefix)
  return vaultOf(redis, resolver).prefix
}

const INTERNAL = 'insecure_zones[] = internal.example'
const OTHER = 'insecure_zones[] = other.example'
const ONE_ANCHOR = anchors('one', ...IANA.slice(1))
const LABORATORY = anchors('laboratory', `. IN DS 12345 13 2 ${'ab'.repeat(32)}`)

describe('relays share the answers of those that would have come to the same', () => {
  for (const [what, lines, prefix] of [
    ['the default', '', /^dane:$/],
    ['auto', 'validation = auto', /^dane:$/],
    ['a resolver is believed', 'validation = resolver', /^dane:$/],
    ['no resolver is believed', 'validation = own', /^dane:own\/$/],
    ['insecure zones (RFC 7646)', INTERNAL, /^dane:[0-9a-f]{8}\/$/],
    [
      'insecure zones, no resolver is believed',
      `validation = own\n${INTERNAL}`,
      /^dane:own\/\w{8}\/$/,
    ],
    ['SHA-1 (RFC 9905)', 'allow_sha1 = yes', /^dane:[0-9a-f]{8}\/$/],
    ['trust anchors', LABORATORY, /^dane:[0-9a-f]{8}\/$/],
    ['fewer trust anchors', ONE_ANCHOR, /^dane:[0-9a-f]{8}\/$/],
    [
      'trust anchors, no resolver is believed',
      `validation = own\n${LABORATORY}`,
      /^dane:own\/\w{8}\/$/,
    ],
    [
      'the trust anchors built in, in another order',
      anchors('same', ...[...IANA].reverse()),
      /^dane:$/,
    ],
    ['insecure zones without a meaning', `validation = resolver\n${INTERNAL}`, /^dane:$/],
    ['trust anchors without a meaning', `validation = resolver\n${LABORATORY}`, /^dane:$/],
  ] as const) {
    test(what, () => {
      assert.match(prefixOf(lines), prefix)
    })
  }

  test('order does not matter, names and keys do', () => {
    const [one, two] = [`${INTERNAL}\n${OTHER}`, `${OTHER}\n${INTERNAL}`]
    assert.equal(prefixOf(one), prefixOf(two))
    const all = [
      INTERNAL,
      OTHER,
      one,
      'allow_sha1 = yes',
      `${INTERNAL}\nallow_sha1 = yes`,
      ONE_ANCHOR,
      LABORATORY,
      `${LABORATORY}\n${INTERNAL}`,
    ]
    assert.equal(new Set(all.map((lines) => prefixOf(lines))).size, all.length)
  })

  test('a prefix of dane.ini is never that of relays with other rules', () => {
    for (const lines of ['validation = own', INTERNAL, `validation = own\n${INTERNAL}`]) {
      const taken = prefixOf(lines)
      assert.throws(() => prefixOf('', taken), SettingsError)
      assert.notEqual(prefixOf('', taken.replaceAll('/', ':')), taken)
    }
  })

  test('the contents of the file count, not its name', () => {
    const before = prefixOf(anchors('changing', ...IANA.slice(1)))
    assert.equal(before, prefixOf(ONE_ANCHOR))
    assert.notEqual(prefixOf(anchors('changing', ...IANA.slice(0, 1))), before)
  })

  test('a file that cannot be read is a bad setting', () => {
    const missing = path.join(folder, 'missing')
    assert.throws(() => prefixOf(`trust_anchors = ${missing}`), SettingsError)
  })
})
