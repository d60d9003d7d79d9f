/**
 * Makes the report of an inquiry, link by link, for people (`verify --chain`). Pure.
 */
import type { RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { RRset } from '../signed-message.js'
import { printable } from '../text.js'
import type { TrustAnchor } from '../trust-anchor.js'
import { wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type {
  ChainReport,
  DsReport,
  KeyReport,
  SignatureReport,
  ZoneReport,
} from './chain-report.js'
import type { Inquiry } from './inquiry.js'
import { keyTagOf } from './key.js'
import type { Link, Scene } from './scene.js'

/** @param now milliseconds since the epoch */
export function reportOf(
  { lookup, scene, questions }: Inquiry,
  anchors: readonly TrustAnchor[],
  name: DomainName,
  type: RecordType,
  now: number,
): ChainReport {
  return {
    name,
    type,
    zones: [...scene.links.values()].flatMap((link) => zoneReport(scene, link, anchors, now)),
    rrsets: [...scene.findings.values()].map(({ rrset, kind, detail }) => ({
      owner: wireNameText(rrset.owner),
      type: rrset.type,
      kind,
      detail: printable(detail),
      signatures: signatureReports(rrset, now),
    })),
    lookup,
    questions,
  }
}

/** None for a name at which no zone begins. */
function zoneReport(
  scene: Scene,
  { name, result, ds, dnskeys }: Link,
  anchors: readonly TrustAnchor[],
  now: number,
): readonly ZoneReport[] {
  if (result.kind === 'no-cut') return []
  const isUndetermined = result.kind === 'failed' && result.cause !== 'bogus'
  const kind = isUndetermined ? 'undetermined' : result.kind === 'failed' ? 'bogus' : result.kind
  const detail = result.kind === 'secure' ? '' : result.detail
  return [
    {
      zone: wireNameText(name),
      kind,
      detail: printable(detail),
      ds:
        ds?.map((each) => ({ ...dsReport(each), isAnchor: false })) ?? anchorReports(anchors, name),
      keys: dnskeys === undefined ? [] : keyReports(scene, dnskeys),
      signatures: dnskeys === undefined ? [] : signatureReports(dnskeys, now),
    },
  ]
}

function dsReport({ keyTag, algorithm, digestType }: Omit<DsReport, 'isAnchor'>) {
  return { keyTag, algorithm, digestType }
}

function anchorReports(anchors: readonly TrustAnchor[], apex: WireName): readonly DsReport[] {
  return anchors
    .filter(({ owner }) => owner === apex)
    .map((anchor) => ({
      ...(anchor.kind === 'ds'
        ? dsReport(anchor)
        : { keyTag: keyTagOf(anchor.rdata), algorithm: anchor.rdata[3] ?? 0, digestType: 0 }),
      isAnchor: true,
    }))
}

function keyReports(scene: Scene, dnskeys: RRset): readonly KeyReport[] {
  return scene.work.keysOf(dnskeys).map((key) => ({
    keyTag: key.keyTag,
    algorithm: key.algorithm,
    isSep: key.kind === 'key' && key.isSep,
    isRevoked: key.kind === 'key' && key.isRevoked,
    unusable: key.kind === 'unusable' ? key.detail : undefined,
  }))
}

function signatureReports({ signatures }: RRset, now: number): readonly SignatureReport[] {
  return signatures.map(({ keyTag, algorithm, expiration }) => {
    // RFC 1982: the instant that is nearest to now.
    const seconds = (expiration - Math.floor(now / 1000)) | 0
    return {
      keyTag,
      algorithm,
      expiresAt: (Math.floor(now / 1000) + seconds) * 1000,
      daysLeft: Math.floor(seconds / 86_400),
    }
  })
}
