/**
 * The view of one destination: its last plan host by host, what the hosts showed, and why
 * its policy holds.
 *
 * Texts are printable and bounded as in status-model.ts. Plain data; pure.
 */
import type { Security } from '../lookup.js'
import type { Policy } from '../policy.js'
import type { Reason } from '../reason.js'
import type { DestinationStatus, Instant, QueueStatus, RelayStatus } from './status-model.js'

/** The view of one destination. */
export type DestinationDetail = {
  readonly at: Instant
  readonly relay: RelayStatus
  readonly queue: QueueStatus
  readonly status: DestinationStatus
  /** The last plan; undefined: none was made, or it is no longer remembered. */
  readonly plan: PlanStatus | undefined
  readonly policy: PolicyStatus
  /** To try it by hand: words of a shell, none of which needs quotes. */
  readonly command: readonly string[]
}

/** Which policy holds, and why. */
export type PolicyStatus = {
  readonly policy: Policy
  /** The line of dane.ini, counted from 1; undefined: it is the default. */
  readonly line: number | undefined
  /** That line, such as `.example.org = mandatory`; undefined: it is the default. */
  readonly text: string | undefined
}

export type PlanStatus = {
  readonly at: Instant
  /** The policy that it was made under: the stricter one if another plugin chose the route. */
  readonly policy: Policy
  /** relay: another plugin chose the hosts. */
  readonly route: 'mx' | 'implicit-mx' | 'relay'
  /** Of the MX records; of a relay: insecure if one of its hosts comes from insecure ones. */
  readonly security: Security
  /** By preference, those of a relay in its own order; at most MAX_HOSTS. */
  readonly hosts: readonly HostStatus[]
  /** Hosts that are not shown. */
  readonly omittedHosts: number
}

export type HostStatus = {
  /** The MX hostname, or an IP address if the MX record has one; of a relay also a socket. */
  readonly host: string
  readonly preference: number
  /** Of a relay: where Haraka connects to; undefined for a socket. */
  readonly port: number | undefined
  /** Of a relay: the policy that holds for this host. */
  readonly policy: Policy | undefined
  /** What DANE requires of it. */
  readonly requires: HostRequirement
  /** At most MAX_ADDRESSES. */
  readonly addresses: readonly string[]
  readonly omittedAddresses: number
  readonly lastAttempt: HostAttempt | undefined
}

export type HostRequirement =
  | {
      readonly kind: 'authenticate'
      readonly tlsaBase: string
      /** In presentation format, data shortened; at most MAX_RECORDS. */
      readonly records: readonly string[]
      readonly omittedRecords: number
      /** When the TLSA records expire by their TTL. */
      readonly expiresAt: Instant | undefined
    }
  | {
      readonly kind: 'encrypt'
      readonly tlsaBase: string
      readonly records: readonly string[]
      readonly omittedRecords: number
    }
  /** DANE does not apply: TLS if offered. */
  | { readonly kind: 'opportunistic'; readonly reason: Reason; readonly phrase: string }
  /** Of a relay: DANE does not apply, whatever DNS says; `phrase` says why. */
  | { readonly kind: 'exempt'; readonly phrase: string }
  /** Not contacted at this attempt. */
  | {
      readonly kind: 'unreachable'
      readonly reason: Reason
      readonly phrase: string
      readonly detail: string
    }

/** What the host showed at the last attempt. */
export type HostAttempt =
  | {
      readonly kind: 'verified' | 'encrypted'
      readonly at: Instant
      /** Such as `TLSv1.3`. */
      readonly protocol: string
      readonly cipher: string
      /** The TLSA record that matched. */
      readonly record: string | undefined
      /** The name in the certificate that matched; undefined: DANE-EE needs none. */
      readonly name: string | undefined
    }
  /** No connection to one of its addresses, the last one that was tried. */
  | {
      readonly kind: 'unreached'
      readonly at: Instant
      readonly phrase: string
      /** The address, and how long Haraka waited. */
      readonly detail: string
    }
  | {
      readonly kind: 'refused'
      readonly at: Instant
      readonly reason: Reason
      readonly phrase: string
      /** The address, and what was expected and shown. */
      readonly detail: string
    }
