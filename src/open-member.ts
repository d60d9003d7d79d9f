/**
 * Puts one resolver together: its sockets, the stub that believes its AD bit, and the
 * validator that does not need to.
 *
 * Which of the two is used follows from `validation` and from what its probe shows
 * (probed-resolver.ts).
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createAsk, createAskSigned } from './dns/ask.js'
import { sharedUdpTo, udpTo } from './dns/datagram.js'
import { createEitherProbe, createProbe } from './dns/probe.js'
import type { Probe } from './dns/probe.js'
import type { Member } from './dns/probed-resolver.js'
import { createSignatureReader } from './dns/signature.js'
import type { ReadSignature } from './dns/signature.js'
import { createStaleFinder } from './dns/stale.js'
import type { FindStale } from './dns/stale.js'
import { tcpTo, tlsTo } from './dns/stream.js'
import { createStub, observed } from './dns/stub.js'
import type { LookupObserver } from './lookup.js'
import { isLoopback, serverText } from './server-address.js'
import type { ResolverAddress } from './server-address.js'
import { SettingsError } from './settings/option-reader.js'
import { mayBeBelieved } from './settings/resolver-settings.js'
import type { ResolverSettings } from './settings/settings.js'
import type { AskSigned } from './signed-message.js'
import { entropy, now, wall, yieldTurn } from './system.js'
import { errorText } from './text.js'
import { BUILT_IN_ANCHORS, parseTrustAnchors } from './trust-anchor.js'
import type { TrustAnchor } from './trust-anchor.js'
import { isSupportedAlgorithm, isSupportedDigest } from './validate/key.js'
import type { Rules } from './validate/proven-under.js'
import { createValidationProbe } from './validate/probe.js'
import { createValidator } from './validate/validator.js'
import type { Validator } from './validate/validator.js'
import { createMemoryZones } from './validate/zone-store.js'
import type { ZoneStore } from './validate/zone-store.js'
import { toWireName } from './wire-name.js'
import { areCertificates } from './x509/pem.js'

export type OpenedMember = Member & {
  readonly readSignature: ReadSignature
  readonly findStale: FindStale
  readonly askSigned: AskSigned
  readonly explain: Validator['explain']
  readonly close: () => void
}

type MemberSettings = Omit<ResolverSettings, 'servers' | 'timeoutMs' | 'areServersGiven'> &
  Partial<Pick<ResolverSettings, 'servers' | 'areServersGiven'>>

/**
 * One resolver with its sockets, without a cache. It is probed only when the caller asks
 * for it. Throws a SettingsError if a file that the settings name is invalid.
 *
 * @param zones what is known of zones, shared among resolvers
 */
export function openMember(
  server: ResolverAddress,
  settings: MemberSettings,
  observe: LookupObserver,
  zones: ZoneStore = createMemoryZones(),
): OpenedMember {
  const { caFile, probe, servers = [], areServersGiven = true } = settings
  const rules = rulesOf(settings)
  const name = serverText(server)
  const stream =
    server.tlsName === undefined ? tcpTo(server) : tlsTo(server, readCa('resolver', caFile))
  const shared =
    server.tlsName === undefined && isLoopback(server) ? sharedUdpTo(server) : undefined
  const parts = {
    server: name,
    udp: shared?.exchange ?? (server.tlsName === undefined ? udpTo(server) : undefined),
    stream: stream.exchange,
    // Replies over TLS or from this machine cannot be forged, and some forwarders mishandle mixed case.
    isCaseMixed: server.tlsName === undefined && !isLoopback(server),
    now,
    entropy,
  }
  const ask = createAsk(parts)
  const isTrusted = mayBeBelieved(server, settings)
  const askSigned = onWallTime(createAskSigned(parts))
  const validator = createValidator({
    ...rules,
    ask: askSigned,
    now: wall,
    yieldTurn,
    zones,
  })
  return {
    ...createStub({ server: name, ask, isTrusted, now, observe }),
    validated: observed({ server: name, now, observe }, (domain, type, deadline) =>
      validator.lookup(domain, type, deadline - now() + wall()),
    ),
    isOptional: !areServersGiven && servers.length > 1,
    probe: probeOf(
      settings,
      createProbe(ask, probe, now),
      createValidationProbe({ ...rules, ask: askSigned, now: wall }),
      isTrusted,
    ),
    readSignature: createSignatureReader(ask, probe.name),
    findStale: createStaleFinder({ ask, now, pause }),
    askSigned,
    explain: (domain, type, deadline) => validator.explain(domain, type, deadline - now() + wall()),
    close() {
      shared?.close()
      stream.close()
    },
  }
}

/**
 * Signatures end by the wall clock, which may be set back, unlike `now`; so the validator
 * has that one, and its deadlines are translated.
 */
function onWallTime(ask: AskSigned): AskSigned {
  return (question, deadline) => ask(question, deadline - wall() + now())
}

function probeOf(
  { validation }: Pick<ResolverSettings, 'validation'>,
  byItself: Probe,
  passesOn: Probe,
  isTrusted: boolean,
): Probe {
  const onWall: Probe = (deadline) => passesOn(deadline - now() + wall())
  switch (validation) {
    case 'resolver':
      return byItself
    case 'own':
      return onWall
    case 'auto':
      // RFC 4035 §4.9.3: the AD bit of any other means nothing.
      return isTrusted ? createEitherProbe(byItself, onWall, now) : onWall
  }
}

/** What validation is by. Throws a SettingsError if the file of the trust anchors is invalid. */
export function rulesOf(
  settings: Pick<ResolverSettings, 'anchorsFile' | 'insecureZones' | 'isSha1Allowed'>,
): Rules {
  const { insecureZones, isSha1Allowed } = settings
  const anchors = readAnchors(settings)
  return { anchors, insecureZones: insecureZones.map(toWireName), isSha1Allowed }
}

/** The trust anchors that the settings name. Throws a SettingsError if the file is invalid. */
export function readAnchors({
  anchorsFile,
  isSha1Allowed,
}: Pick<ResolverSettings, 'anchorsFile' | 'isSha1Allowed'>): readonly TrustAnchor[] {
  if (anchorsFile === undefined) return BUILT_IN_ANCHORS
  const text = readText('resolver', 'trust_anchors', anchorsFile)
  const read = parseTrustAnchors(
    text,
    (algorithm, digestType) =>
      isSupportedAlgorithm(algorithm, { sha1: isSha1Allowed }) &&
      (digestType === undefined || isSupportedDigest(digestType)),
  )
  if (read.kind === 'anchors') return read.anchors
  throw new SettingsError(`[resolver] trust_anchors = ${anchorsFile}: ${read.detail}`)
}

/** Throws a SettingsError if the file is no list of certificates. */
export function readCa(section: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  const text = readText(section, 'ca_file', file)
  if (areCertificates(text)) return text
  throw new SettingsError(
    `[${section}] ca_file = ${file}: expected certificates in PEM, each whole`,
  )
}

function readText(section: string, option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SettingsError(`[${section}] ${option} = ${file}: ${errorText(error)}`)
  }
}
