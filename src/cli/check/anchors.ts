/**
 * Says who validates, and whether the trust anchors still fit the keys of the root.
 *
 * The root changes its keys every few years, and publishes a new one long before it signs
 * with it: so there is time to update. Effects: network.
 */
import { digestOf, keyTagOf, openMember, readAnchors } from '../../assemble.js'
import { isUsable } from '../../lookup.js'
import type { ProbeResult } from '../../lookup.js'
import type { ResolverSettings } from '../../settings/settings.js'
import { RR_TYPE } from '../../signed-message.js'
import type { TrustAnchor } from '../../trust-anchor.js'
import { ROOT } from '../../wire-name.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'

/** @param results of probing the resolvers, in their order */
export async function validationFindings(
  settings: ResolverSettings,
  results: readonly ProbeResult[],
): Promise<readonly Finding[]> {
  const { validation, insecureZones } = settings
  const zones = insecureZones.map((zone) =>
    warning(
      TOPIC,
      `insecure_zones has ${zone}: nothing at or below it is validated here or protected`,
      'remove it once the zone is signed correctly',
    ),
  )
  const isOwn = results.some(({ kind }) => kind === 'passing' || kind === 'unusable')
  if (!isOwn) {
    const believed = results.some(isUsable) ? ', and their AD bits are believed' : ''
    return [ok(TOPIC, `validation = ${validation}: the resolvers validate${believed}`), ...zones]
  }
  return [
    ok(TOPIC, `validation = ${validation}: DNSSEC is validated here`),
    ...zones,
    await anchorFinding(settings),
  ]
}

async function anchorFinding(settings: ResolverSettings): Promise<Finding> {
  const anchors = readAnchors(settings)
  for (const server of settings.servers) {
    const member = openMember(server, settings, () => undefined)
    try {
      const deadline = Date.now() + settings.timeoutMs
      const reply = await member.askSigned({ name: ROOT, type: RR_TYPE.DNSKEY }, deadline)
      if (reply.kind === 'failed') continue
      const set = reply.rrsets.find(({ owner, type }) => owner === ROOT && type === RR_TYPE.DNSKEY)
      if (set !== undefined) return judgeAnchors(anchors, set.rdatas)
    } finally {
      member.close()
    }
  }
  return unknown(
    TOPIC,
    'the trust anchors could not be compared with the keys of the root: no resolver has them',
    'see the findings about the resolvers',
  )
}

/** @param keys RDATA of the DNSKEY records of the root; not validated */
export function judgeAnchors(anchors: readonly TrustAnchor[], keys: readonly Buffer[]): Finding {
  // RFC 4034 §2.1.1: the root marks its key-signing keys; RFC 5011 §2.1: revoked ones are gone.
  const current = keys.filter((rdata) => (rdata.readUInt16BE(0) & (SEP | REVOKED)) === SEP)
  const isKnown = (rdata: Buffer): boolean =>
    anchors.some((anchor) =>
      anchor.kind === 'dnskey'
        ? anchor.rdata.equals(rdata)
        : (digestOf(anchor.digestType, ROOT, rdata)?.equals(anchor.digest) ?? false),
    )
  const known = current.filter(isKnown).map(keyTagOf)
  const strange = current.filter((rdata) => !isKnown(rdata)).map(keyTagOf)
  if (known.length === 0) {
    return problem(
      TOPIC,
      `no trust anchor fits the keys of the root (${strange.join(', ')}): nothing validates, and mail waits`,
      TODO,
    )
  }
  if (strange.length > 0) {
    return warning(
      TOPIC,
      `the root publishes a key that no trust anchor knows (${strange.join(', ')}): once it signs with that key, nothing validates`,
      TODO,
    )
  }
  if (known.length === 1) {
    return warning(
      TOPIC,
      `the trust anchors know one key of the root (${known.join(', ')}), and no other that will follow it`,
      TODO,
    )
  }
  return ok(TOPIC, `the trust anchors know all keys of the root (${known.join(', ')})`)
}

const TOPIC = 'validation'
const TODO =
  'update this plugin, or the file of trust_anchors (Debian: dns-root-data); see https://www.iana.org/dnssec/files'
const SEP = 0x0001
const REVOKED = 0x0080
