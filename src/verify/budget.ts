/**
 * Limits the cost of verifying certificates.
 *
 * The server chooses the certificates, keys and names, and thereby the work. All work
 * that takes time is charged before it is done, in microseconds of CPU time on the
 * machine described in docs/dev/bench.md, rounded up. A `Meter` belongs to one verdict,
 * an `Allowance` to all verdicts of one delivery attempt.
 *
 * The limit of a verdict counts all work, including results remembered from earlier
 * verdicts: the result must not depend on what was verified before. The allowance counts
 * only work that is actually done. When it is used up, each further verdict may still
 * cost `COST.ordinary`, several times the cost of an ordinary chain, so that no host is
 * refused because of what another host of the domain has sent.
 *
 * Pure, except for the sums it keeps.
 */

/** Limits on counts (RFC 5280 sets none; webpki and OpenSSL have their own). */
export const BUDGET = {
  /** Certificates in the list; the usual CAs need two or three. */
  certificates: 128,
  /** Certificates in one path above the leaf; the deepest public hierarchies have three. */
  depth: 16,
  /** Signatures verified with keys of certificates. */
  signatures: 72,
  /** Signatures verified with bare keys. */
  keySignatures: 64,
  /** Paths checked. */
  paths: 32,
  /** Names compared with constraints; OpenSSL gives up at 2^20. */
  comparisons: 50_000,
} as const

/** Microseconds. An ordinary chain of three certificates costs about 1,000. */
export const COST = {
  /** The most that one verdict may cost. */
  verdict: 20_000,
  /** Cost allowed for a verdict when the attempt has used up its allowance. */
  ordinary: 8_000,
  /**
   * All verdicts of an attempt: all hosts, their addresses, and repeated checks with fresh
   * TLSA records.
   */
  attempt: 100_000,
} as const

/** The cost of each operation, measured with the worst input of its size. */
export const PRICE = {
  /** OpenSSL decodes a certificate and, on first use, its extensions. */
  open: (octets: number) => 130 + octets * 0.12,
  /** A certificate's fields are parsed. */
  parse: (octets: number) => 30 + octets * 0.15,
  /** Subject and issuer names are parsed. */
  names: (octets: number) => 1 + octets * 0.15,
  /** A public key is decoded. */
  key: 130,
  /** A certificate in the list is considered as an issuer. */
  candidate: 0.4,
  /** Two certificates are compared as subject and issuer. */
  pair: (octets: number) => 1 + octets * 0.002,
  /** A host name is matched against a certificate. */
  hostName: (octets: number) => 3 + octets * 0.08,
  /** A certificate is split into its fields and digested. */
  digest: (octets: number) => 5 + octets * 0.02,
  /** A signature over this many octets, in addition to the cost of the key. */
  signed: (octets: number) => 15 + octets * 0.005,
  /** A name is examined or compared with a constraint. */
  name: 0.1,
  /** A path is checked, in addition to its names. */
  path: 20,
} as const

/** What remains for one delivery attempt. */
export class Allowance {
  private left: number = COST.attempt

  /** What the next verdict may cost. */
  get share(): number {
    return Math.max(COST.ordinary, Math.min(COST.verdict, this.left))
  }

  take(cost: number): void {
    this.left -= cost
  }
}

/** What one verdict has cost so far. */
export class Meter {
  private readonly counts: Record<keyof typeof BUDGET, number> = { ...BUDGET }
  private readonly allowance: Allowance
  private left: number = COST.verdict
  private share: number

  constructor(allowance: Allowance) {
    this.allowance = allowance
    this.share = allowance.share
  }

  /**
   * Call before doing the work. Throws `BudgetExhausted` if it must not be done.
   *
   * @param isDone the result is remembered from an earlier verdict
   */
  spend(cost: number, isDone = false): void {
    this.left -= cost
    if (this.left < 0) throw new BudgetExhausted(`${COST.verdict / 1000} ms of work`)
    if (isDone) return
    this.share -= cost
    if (this.share < 0) {
      throw new BudgetExhausted('what is left of the allowance of this attempt')
    }
    this.allowance.take(cost)
  }

  count(what: keyof typeof BUDGET): void {
    this.counts[what] -= 1
    if (this.counts[what] < 0) throw new BudgetExhausted(`${BUDGET[what]} ${what}`)
  }
}

/** More work than any honest chain needs. The message names the limit. */
export class BudgetExhausted extends Error {}
