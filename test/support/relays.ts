/**
 * Relays that come and go with a test, and destinations that they can send to: how a
 * test starts both, and what it asks the mail hosts afterwards.
 */
import { destination } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { MxHost, Session } from '../../lab/mx-host.js'
import { installedRelease } from '../../lab/release.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

export type Relays = {
  readonly laboratory: Laboratory
  /** One for each label, `label.PLACE`. */
  readonly rows: readonly Row[]
  /** Starts Haraka, does the work, stops Haraka. */
  readonly withRelay: <T>(
    more: Partial<HarakaOptions>,
    work: (relay: Haraka) => Promise<T>,
    daneIni?: string,
  ) => Promise<T>
  /** `mx-label.PLACE` of a label. */
  readonly hostOf: (label: string) => MxHost
  readonly domainOf: (label: string) => string
  /** A certificate and key in PEM, for a relay's own use. */
  readonly certificate: () => Promise<{ readonly cert: string; readonly key: string }>
  /** Sessions at a label's host that name this recipient. */
  readonly sessionsFor: (label: string, recipient: string) => readonly Session[]
}

/** Names in DNS and no host. */
const BARE = {
  policy: 'opportunistic',
  insecureMx: 'dane',
  shown: { mx: '', address: '', tlsa: '', certificate: '' },
  hosts: [],
  wanted: { action: 'fallback' },
} as const

/**
 * @param labels destinations, and what is special about each
 * @param more domains that have records and no host
 */
export async function startRelays(
  labels: Readonly<Record<string, DestinationOptions>>,
  more: readonly Pick<Row, 'domain' | 'records'>[] = [],
): Promise<Relays> {
  // `npm run releases` has these tests run in other Harakas than the one in node_modules.
  const release = process.env['HARAKA_RELEASE']
  const installed = release === undefined ? {} : installedRelease(release)
  const authority = await createAuthority()
  const { laboratory, rows } = await startLaboratory(async (port) => {
    const all = await Promise.all(
      Object.entries(labels).map(([label, options]) =>
        destination(port, authority, label, options),
      ),
    )
    const bare = more.map((row): Row => ({ ...BARE, id: row.domain, ...row }))
    return [...all.map(({ row }) => row), ...bare]
  })
  const placeOf = (label: string): string => labels[label]?.place ?? PLACE.signed
  const hostOf = (label: string): MxHost => {
    const host = laboratory.hosts.get(`mx-${label}.${placeOf(label)}`)
    if (host === undefined) throw new Error(`no such host: ${label}`)
    return host
  }
  return {
    laboratory,
    rows,
    async withRelay(more, work, daneIni = '') {
      const relay = await laboratory.startRelay('dane', { ...installed, ...more }, daneIni)
      try {
        return await work(relay)
      } finally {
        await relay.stop()
      }
    },
    hostOf,
    async certificate() {
      const { pem, keyPem } = await authority.issue('relay.example')
      return { cert: pem, key: keyPem }
    },
    domainOf: (label) => `${label}.${placeOf(label)}`,
    sessionsFor: (label, recipient) =>
      hostOf(label).sessions.filter(({ recipients }) =>
        recipients.some(({ to }) => to === recipient),
      ),
  }
}

/** What became of one message, in a few words. */
export async function deliver(relay: Haraka, to: string, from?: string): Promise<string> {
  const outcome = await relay.outcomeOf(await relay.submit(to, from))
  if (outcome.kind !== 'delivered') return `${outcome.kind}: ${outcome.reason}`
  return outcome.isEncrypted ? 'delivered over TLS' : 'delivered in clear text'
}
