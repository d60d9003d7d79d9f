/**
 * `haraka-dane verify --chain` on zones that are secure, insecure, bogus and without the
 * domain, through a resolver that does not validate: as text, as JSON, and its exit code.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { startDestinations } from '../../lab/destination.js'
import { freePort } from '../../lab/free-port.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { FAILURE_CAUSES } from '../../src/lookup.js'
import { closed, runCommand } from '../support/command.js'
import type { Ran } from '../support/command.js'
import { pageText, sectionOf } from '../support/pages.js'

const SECURE = `good.${PLACE.signed}`
const INSECURE = `plain.${PLACE.unsigned}`
const BOGUS = `late.${PLACE.expired}`
const ABSENT = `nobody.${PLACE.signed}`

describe('haraka-dane verify --chain', () => {
  let laboratory: Laboratory
  let config: string
  before(async () => {
    laboratory = await startDestinations({
      good: {},
      plain: { place: PLACE.unsigned },
      late: { place: PLACE.expired },
    })
    const { names, folder, smtpPort } = laboratory
    const { port } = await names.startResolver({ isPlain: true })
    config = path.join(folder, 'chain')
    await mkdir(config)
    const anchors = [`trust_anchors = ${names.trustAnchorFile}`]
    await writeFile(path.join(config, 'dane.ini'), withLaboratory('', port, smtpPort, anchors))
  })
  after(() => laboratory.stop())

  const chain = (...args: readonly string[]): Promise<Ran> =>
    runCommand(['verify', '--chain', '--config', config, ...args])

  /** The tag of a zone's only key, as ldns-keygen names its file. */
  async function tagOf(zone: string): Promise<string> {
    const folder = path.join(laboratory.folder, 'zones')
    const ds = (await readdir(folder)).find((name) => name.startsWith(`K${zone}.+`)) ?? ''
    const text = await readFile(path.join(folder, `${path.parse(ds).name}.ds`), 'utf8')
    const [, tag = 'missing'] = /\sDS\s+(\d+)\s/.exec(text) ?? []
    return tag
  }

  /** Lines of a zone that is secure, or of one whose keys are to be shown. */
  async function zoneLines(zone: string): Promise<RegExp> {
    const tag = await tagOf(zone)
    const what = zone === '' ? 'trust anchor' : 'DS'
    return new RegExp(
      [
        `^  zone ${zone === '' ? '\\.' : zone}: secure`,
        `    ${what} ${tag}, 13 ECDSAP256SHA256, digest type 2`,
        `    key ${tag}, 13 ECDSAP256SHA256, KSK`,
        `    signed by ${tag}, 13 ECDSAP256SHA256, until \\d{4}-\\d\\d-\\d\\d, \\d+ days left$`,
      ].join('\n'),
      'm',
    )
  }

  test('a secure domain: each zone with key tag, algorithm and days left; 0', async () => {
    const { code, stdout, stderr } = await chain(SECURE)
    assert.equal(code, 0, stderr)
    for (const zone of ['', 'example', PLACE.signed]) assert.match(stdout, await zoneLines(zone))
    assert.match(stdout, new RegExp(`^  MX of ${SECURE}: secure$`, 'm'))
    assert.match(stdout, new RegExp(`^  TLSA of _\\d+\\._tcp\\.mx-${SECURE}: secure$`, 'm'))
    // The TLSA records' chain is the same, and is not printed again.
    assert.equal(stdout.match(/^ {2}zone /gm)?.length, 3)
  })

  test('an insecure delegation: the zone without a DS; 0', async () => {
    const { code, stdout, stderr } = await chain(INSECURE)
    assert.equal(code, 0, stderr)
    assert.match(stdout, await zoneLines('example'))
    const zone = PLACE.unsigned
    assert.match(stdout, new RegExp(`^  zone ${zone}: insecure, ${zone} has no DS$`, 'm'))
    assert.doesNotMatch(stdout, /TLSA/)
  })

  test('expired signatures: the broken link, its key and the day; 1', async () => {
    const { code, stdout } = await chain(BOGUS)
    assert.equal(code, 1)
    const tag = await tagOf(PLACE.expired)
    const zone = PLACE.expired
    const broken = `DNSKEY of ${zone}: signature by key ${tag} expired on 2020-02-01`
    assert.match(stdout, new RegExp(`^  zone ${zone}: bogus, ${broken}$`, 'm'))
    assert.match(stdout, new RegExp(`^    DS ${tag}, 13 ECDSAP256SHA256, digest type 2$`, 'm'))
    assert.doesNotMatch(stdout, /TLSA/)
  })

  test('NXDOMAIN is proven: 0', async () => {
    const { code, stdout, stderr } = await chain(ABSENT)
    assert.equal(code, 0, stderr)
    assert.match(stdout, await zoneLines(PLACE.signed))
    assert.match(stdout, /^ {2}.*NXDOMAIN/im)
  })

  test('--json: one object for each domain; a bogus one among them makes it 1', async () => {
    const { code, lines } = await chain('--json', SECURE, INSECURE, BOGUS, ABSENT)
    assert.equal(code, 1)
    const [secure, insecure, bogus, absent] = lines.map((line) => parseChain(line))
    assert.deepEqual(
      [secure, insecure, bogus, absent].map((each) => each?.chains.map(({ result }) => result)),
      [['secure', 'secure'], ['insecure'], ['bogus'], ['nxdomain']],
    )
    assert.equal(secure?.domain, SECURE)
    const tag = Number(await tagOf(PLACE.signed))
    const zone = secure.chains[0]?.zones.find((each) => each.zone === PLACE.signed)
    assert.deepEqual(
      [zone?.ds, zone?.keys, zone?.signatures.map(({ keyTag }) => keyTag)],
      [
        [{ keyTag: tag, algorithm: 13, digestType: 2, isAnchor: false }],
        [{ keyTag: tag, algorithm: 13, isSep: true, isRevoked: false }],
        [tag],
      ],
    )
    const broken = bogus?.chains[0]?.zones.find(({ kind }) => kind === 'bogus')
    assert.equal(broken?.zone, PLACE.expired)
    assert.ok((broken.signatures[0]?.daysLeft ?? 0) < -2000)
    assert.match(bogus?.chains[0]?.detail ?? '', /^bogus, DNSKEY of expired\.example: signature /)
    assert.equal(secure.chains[0]?.detail, '')
  })

  test('--json has the keys that docs/verify-json.md describes, and no others', async () => {
    const { lines } = await chain('--json', SECURE, BOGUS)
    const section = sectionOf(pageText('docs/verify-json.md'), 'The chain of trust')
    const keys = new Set(lines.flatMap((line) => keysOf(JSON.parse(line))))
    assert.ok(keys.size > 20)
    assert.deepEqual(
      [...keys].filter((key) => !section.includes(`\`${key}\``)),
      [],
    )
  })

  test('docs/verify-chain.schema.json lists every result, and no other', () => {
    const results = /"result":\{.*?"enum":(\[[^\]]*\])\}/.exec(JSON.stringify(chainSchema))?.[1]
    const known: unknown = JSON.parse(results ?? '[]')
    assert.deepEqual(known, ['secure', 'insecure', 'nodata', 'nxdomain', ...FAILURE_CAUSES])
  })

  test('no resolver that answers: 3, and which one', async () => {
    const port = await freePort()
    const { code, stdout, stderr } = await chain(`--resolver=127.0.0.1:${port}`, SECURE)
    assert.equal(code, 3)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      new RegExp(`no resolver passes on what validation needs: 127.0.0.1:${port} `),
    )
  })
})

function keysOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
}

type Chain = {
  readonly domain: string
  readonly chains: readonly {
    readonly result: string
    readonly detail: string
    readonly zones: readonly {
      readonly zone: string
      readonly kind: string
      readonly ds: readonly unknown[]
      readonly keys: readonly unknown[]
      readonly signatures: readonly { readonly keyTag: number; readonly daysLeft: number }[]
    }[]
  }[]
}

/** Validated against docs/verify-chain.schema.json; unknown keys are errors. */
function parseChain(line: string): Chain {
  const value: unknown = JSON.parse(line)
  if (isChain(value)) return value
  throw new Error(`${JSON.stringify(isChain.errors, null, 2)}\n${line}`)
}

const chainSchema: unknown = JSON.parse(pageText('docs/verify-chain.schema.json'))
const isChain = new Ajv2020().compile<Chain>(closed(chainSchema))
