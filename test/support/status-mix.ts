/**
 * Mail of a fixed mix to a relay with a delivery status, and what the status has to show
 * then: the queue as it is in the folder, and DANE as the log has it.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { readQueueTruth } from './queue-truth.js'
import type { Relays } from './relays.js'
import { field, fieldsOf, getStatus } from './status.js'
import type { StatusAnswer } from './status.js'

export type Watched = {
  readonly relay: Haraka
  /** Of the status as JSON. */
  readonly url: string
}

/** A relay with an HTTP server, whose queue waits for hours. */
export async function startWatched(
  relays: Relays,
  more: Partial<HarakaOptions>,
  daneIni: string,
  address = '127.0.0.1',
): Promise<Watched> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/dane.json`
  const files = {
    'http.ini': `listen=${address}:${port}`,
    'outbound.ini': 'local_mx_ok=true\nconnect_timeout=60\ntemp_fail_intervals=1h,2h,3h*99',
  }
  const relay = await relays.startRelay({ ...more, files }, daneIni)
  await until('the HTTP server', () => isUp(url))
  return { relay, url }
}

export async function isUp(url: string): Promise<boolean> {
  // A connection that was given to a process that is being killed stays open, without an answer.
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
  return response !== undefined
}

/** Sends `count` messages, in turn to each domain, with one recipient, two or three. */
export async function sendMix(
  { relay }: Watched,
  domains: readonly string[],
  count: number,
): Promise<void> {
  const before = outcomes(relay)
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < count; i += LANES) {
      const domain = domains[i % domains.length] ?? ''
      const recipients = Array.from({ length: 1 + (i % 3) }, (_, k) => `u${i}-${k}@${domain}`)
      await relay.submit(recipients)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
  await until('all outcomes', () => outcomes(relay) >= before + count, { timeoutMs: 240_000 })
}

/** Messages that were deferred or delivered. */
function outcomes(relay: Haraka): number {
  return relay.log().filter((line) => /delivered file=|Temp failing \S+ for /.test(line)).length
}

/** Compares with the queue folder, once nothing moves any more. */
export async function equalsQueue({ relay, url }: Watched): Promise<StatusAnswer> {
  const folder = path.join(relay.folder, 'queue')
  let last: StatusAnswer | undefined
  const differences = async (): Promise<readonly unknown[]> => {
    const truth = readQueueTruth(folder)
    last = await getStatus(url)
    const shown = Object.fromEntries(
      last.destinations
        .filter((row) => Number(field(row, 'waiting', 'messages')) > 0)
        .map((row) => {
          const { messages, recipients, oldestAt, nextRetryAt } = fieldsOf(field(row, 'waiting'))
          return [
            String(field(row, 'destination')),
            { messages, recipients, oldestAt, nextRetryAt },
          ]
        }),
    )
    const sums = [field(last.queue, 'messages'), field(last.queue, 'recipients')]
    return [
      [sums, [truth.messages, truth.recipients]],
      [shown, truth.destinations],
    ].filter(([a, b]) => !isEqual(a, b))
  }
  await until('the status of the queue', async () => (await differences()).length === 0).catch(
    async () => assert.deepEqual(await differences(), []),
  )
  assert.ok(last)
  assert.equal(field(last.queue, 'kind'), 'counted')
  assert.equal(field(last.queue, 'unreadable'), 0)
  return last
}

/** Compares what DANE says with the last lines of the log for each destination. */
export function equalsLog(
  { relay }: Watched,
  { destinations }: StatusAnswer,
  domains: readonly string[],
): void {
  for (const domain of domains) {
    const row = destinations.find((each) => field(each, 'destination') === domain)
    assert.ok(row, domain)
    assert.deepEqual(
      {
        dane: daneOf(row),
        refusal: refusalOf(row),
        success: field(row, 'lastSuccess', 'host') ?? undefined,
      },
      fromLog(relay.log(), domain),
      domain,
    )
  }
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b)
    return true
  } catch {
    return false
  }
}

export function daneOf(row: object): string {
  const kind = String(field(row, 'dane', 'kind'))
  return kind === 'held' ? `held ${String(field(row, 'dane', 'reason'))}` : kind
}

function refusalOf(row: object): string | undefined {
  const refusal = field(row, 'lastRefusal')
  if (refusal === null) return undefined
  const { reason, detail } = fieldsOf(refusal)
  return typeof reason === 'string' ? reason : String(detail)
}

/**
 * What the log says last of a destination. Lines of several workers may end up in one, so
 * nothing is taken from it that is not next to the name.
 */
function fromLog(
  log: readonly string[],
  domain: string,
): { dane: string; refusal: string | undefined; success: string | undefined } {
  const text = log.join('\n')
  const last = (pattern: string): RegExpExecArray | undefined =>
    [
      ...text.matchAll(new RegExp(pattern.replace('DOMAIN', domain.replaceAll('.', '\\.')), 'g')),
    ].at(-1)
  const held = last('message deferred domain=DOMAIN policy=\\S+ host=\\S+ reason=(\\S+)')
  const success = last('delivered (?:file=\\S+|verified) domain=DOMAIN host=(\\S+)')
  const reply = last('recipient <[^>]*@DOMAIN> deferred: (\\d{3} [\\d.]+ later)')
  const verified = last('TLS success [^\\n]{1,80} for DOMAIN host=')
  const noDane = last('plan domain=DOMAIN policy=\\S+ route=mx mx=\\S+ hosts="?\\S+ opportunistic ')
  const [state, latest] = [
    ['held', held],
    ['verified', verified],
    ['no-dane', noDane],
  ].reduce<readonly [string, number]>(
    (best, [word, found]) =>
      typeof word === 'string' && typeof found === 'object' && found.index > best[1]
        ? [word, found.index]
        : best,
    ['not-enforced', -1],
  )
  const dane = state === 'held' && latest >= 0 ? `held ${held?.[1] ?? ''}` : state
  return { dane, refusal: held?.[1] ?? reply?.[1], success: success?.[1] }
}

/** Submitting at the same time. */
const LANES = 8
