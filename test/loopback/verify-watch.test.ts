/** `haraka-dane verify --watch` through a real rollover of TLSA records and certificate. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { until } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { Row } from '../../lab/rows.js'
import { COMMAND, runCommand } from '../support/command.js'

const DOMAIN = 'roll.signed.example'
const HOST = `mx-${DOMAIN}`

let laboratory: Laboratory
let row: Row
/** Whose records do not change. */
let still: Row
let next: Minted
before(async () => {
  const started = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    next = await authority.issue(HOST)
    row = (await destination(port, authority, 'roll', { ttl: 1 })).row
    still = (await destination(port, authority, 'still')).row
    return [row, still]
  })
  laboratory = started.laboratory
})
after(() => laboratory.stop())

type Watch = {
  readonly output: () => string
  readonly lines: () => readonly string[]
  /** The exit code after Ctrl-C. */
  readonly interrupt: () => Promise<number | null>
  readonly kill: () => void
}

function watch(domain: string, ...args: readonly string[]): Watch {
  const child = spawn(COMMAND, ['verify', '--watch', ...args, ...common(), domain])
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
  return {
    output: () => chunks.join(''),
    lines: () => chunks.join('').trimEnd().split('\n'),
    async interrupt() {
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
      child.kill('SIGINT')
      return ended
    },
    kill: () => child.kill('SIGKILL'),
  }
}

function common(): readonly string[] {
  return [
    ...['--config', laboratory.trusting],
    ...['--resolver', `127.0.0.1:${laboratory.names.unboundPort}`],
    ...['--port', String(laboratory.smtpPort)],
  ]
}

/** Puts these TLSA records into the zone. */
async function publish(...tlsa: readonly string[]): Promise<void> {
  const kept = row.records.filter((line) => !line.includes(' TLSA '))
  const owner = `_${laboratory.smtpPort}._tcp.${HOST}.`
  const records = [...kept, ...tlsa.map((each) => `${owner} 1 TLSA ${each}`)]
  await laboratory.publish([{ ...row, records }, still])
}

const recordOf = ({ records }: Row): string => / TLSA (.+)$/.exec(records.at(-1) ?? '')?.[1] ?? ''

test('each step of a rollover is one change, and the last verdict is the exit code', async () => {
  const oldRecord = recordOf(row)
  const newRecord = tlsaFor(3, 1, 1, next)
  const watching = watch(DOMAIN, '--interval', '1s', '--json')
  try {
    /** Waits for a change that has this text, and returns what changed. */
    const changed = async (text: string): Promise<Record<string, unknown>> => {
      let found: Record<string, unknown> | undefined
      await until(`${text}: ${watching.output()}`, () => {
        const line = watching.lines().find((each) => each.includes(text))
        found = line === undefined ? undefined : asObject(JSON.parse(line))
        return found !== undefined
      })
      return found ?? {}
    }
    const owner = `_${laboratory.smtpPort}._tcp.${HOST}`
    await changed('"event":"begin"')
    const begun = watching.lines().length

    await publish(oldRecord, newRecord)
    const both = await changed(`"after":${JSON.stringify([oldRecord, newRecord].toSorted())}`)
    assert.deepEqual(
      [both['event'], both['what'], both['where'], both['before']],
      ['change', 'tlsa', owner, [oldRecord]],
    )

    laboratory.hosts.get(HOST)?.present({ leaf: next })
    const shown = await changed(`["depth 0, ${newRecord}`)
    assert.deepEqual([shown['what'], String(shown['where']).split(' ')[0]], ['certificate', HOST])

    await publish(newRecord)
    await changed(`"after":${JSON.stringify([newRecord])}`)
    assert.equal(watching.lines().length, begun + 3, watching.output())

    await publish(oldRecord)
    const verdict = await changed(
      '"what":"verdict","where":"roll.signed.example","before":["verified"]',
    )
    assert.match(JSON.stringify(verdict['after']), /^\["refused: certificate-mismatch at mx-roll/)

    assert.equal(await watching.interrupt(), 1)
    const end = asObject(JSON.parse(watching.lines().at(-1) ?? '{}'))
    assert.deepEqual([end['event'], end['verdict'], end['changes']], ['end', 'refused', 5])
  } finally {
    watching.kill()
  }
})

test('as text: what there is, a line after ten checks without a change, and a summary', async () => {
  const watching = watch(still.domain, '--interval', '1s')
  try {
    await until('a heartbeat', () => watching.output().includes('no change in 10 checks: verified'))
    const text = watching.output().replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /gm, '')
    const [mx, address, tlsa, certificate, verdict, begin] = text.split('\n')
    assert.equal(mx, `MX of ${still.domain}: 10 mx-${still.domain}; mx secure`)
    assert.match(
      address ?? '',
      new RegExp(`^addresses of mx-${still.domain}: 127\\.0\\.\\d+\\.\\d+; secure$`),
    )
    assert.equal(
      tlsa,
      `TLSA of _${laboratory.smtpPort}._tcp.mx-${still.domain}: ${recordOf(still)}`,
    )
    assert.match(
      certificate ?? '',
      /^certificates of \S+ at \S+: depth 0, 3 1 1 [0-9a-f]{64}, until/,
    )
    assert.equal(verdict, `verdict for ${still.domain}: verified`)
    assert.match(begin ?? '', /^watching still\.signed\.example: next check in 1 s/)
    assert.equal(await watching.interrupt(), 0)
    assert.match(watching.lines().at(-1) ?? '', /checks, 0 changes; last verdict: verified$/)
  } finally {
    watching.kill()
  }
})

test('arguments that make no sense together', async () => {
  for (const [args, wanted] of [
    [['--watch', 'a.example', 'b.example'], /--watch follows one domain/],
    [['--watch'], /--watch follows one domain/],
    [['--watch', '--file', '-'], /--watch follows one domain/],
    [['--interval', '5s', 'a.example'], /--interval needs --watch/],
    [['--watch', '--interval', '100ms', 'a.example'], /a time from 1s to 3600s/],
    [['--watch', '--interval', '5\nx', 'a.example'], /--interval .*: expected a time/],
  ] as const) {
    const { code, stderr } = await runCommand(['verify', ...args])
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, wanted)
  }
})

function asObject(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null)
  return Object.fromEntries(Object.entries(value))
}
