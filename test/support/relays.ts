/**
 * Starts relays for the duration of a test, and destinations for their mail, and reads
 * what the mail hosts saw.
 */
import { destinations } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import type { Session } from '../../lab/mx-dialog.js'
import type { MxHost } from '../../lab/mx-host.js'
import { installedRelease } from '../../lab/release.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'

export type Relays = {
  readonly laboratory: Laboratory
  /** One per label, `label.PLACE`. */
  readonly rows: readonly Row[]
  /** Starts Haraka, which runs until the laboratory is stopped. */
  readonly startRelay: (more: Partial<HarakaOptions>, daneIni?: string) => Promise<Haraka>
  /** Starts Haraka, runs the work, stops Haraka. */
  readonly withRelay: <T>(
    more: Partial<HarakaOptions>,
    work: (relay: Haraka) => Promise<T>,
    daneIni?: string,
  ) => Promise<T>
  /** `mx-label.PLACE` of a label. */
  readonly hostOf: (label: string) => MxHost
  readonly domainOf: (label: string) => string
  /** A certificate and key in PEM, for use by a relay. */
  readonly certificate: () => Promise<{ readonly cert: string; readonly key: string }>
  /** Sessions at a label's host that name this recipient. */
  readonly sessionsFor: (label: string, recipient: string) => readonly Session[]
}

/** A row with DNS records but no host. */
const BARE = {
  policy: 'opportunistic',
  insecureMx: 'dane',
  shown: { mx: '', address: '', tlsa: '', certificate: '' },
  hosts: [],
  wanted: { action: 'fallback' },
} as const

/**
 * @param labels destinations, and the options of each
 * @param more domains with records but no host
 */
export async function startRelays(
  labels: Readonly<Record<string, DestinationOptions>>,
  more: readonly Pick<Row, 'domain' | 'records'>[] = [],
): Promise<Relays> {
  const authority = await createAuthority()
  const { laboratory, rows } = await startLaboratory(async (port) => {
    const rows = await destinations(port, labels, authority)
    const bare = more.map((row): Row => ({ ...BARE, id: row.domain, ...row }))
    return [...rows, ...bare]
  })
  const placeOf = (label: string): string => labels[label]?.place ?? PLACE.signed
  const hostOf = (label: string): MxHost => {
    const host = laboratory.hosts.get(`mx-${label}.${placeOf(label)}`)
    if (host === undefined) throw new Error(`no such host: ${label}`)
    return host
  }
  const startRelay: Relays['startRelay'] = (more, daneIni = '') =>
    laboratory.startRelay('dane', { ...wantedRelease(), ...more }, daneIni)
  return {
    laboratory,
    rows,
    startRelay,
    async withRelay(more, work, daneIni) {
      const relay = await startRelay(more, daneIni)
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

/** `npm run releases` runs tests in other Haraka releases than the one in node_modules. */
export function wantedRelease(): Partial<HarakaOptions> {
  const release = process.env['HARAKA_RELEASE']
  return release === undefined ? {} : installedRelease(release)
}

/** The outcome of one message, in a few words. */
export async function deliver(relay: Haraka, to: string, from?: string): Promise<string> {
  const outcome = await relay.outcomeOf(await relay.submit(to, from))
  if (outcome.kind !== 'delivered') return `${outcome.kind}: ${outcome.reason}`
  return outcome.isEncrypted ? 'delivered over TLS' : 'delivered in clear text'
}
