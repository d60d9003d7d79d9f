/** The operator's policy for a destination, from dane.ini. Plain data; pure. */
export const POLICIES = ['none', 'audit', 'opportunistic', 'mandatory'] as const

/**
 * none: the plugin does not touch the message. audit: everything is checked, nothing
 * enforced. opportunistic: RFC 7672. mandatory: DANE or no delivery (RFC 7672 §6).
 */
export type Policy = (typeof POLICIES)[number]

/** The two enforced policies; audit is checked as opportunistic. */
export type EnforcedPolicy = 'opportunistic' | 'mandatory'

/**
 * RFC 7672 §2.2.1 leaves it to local policy whether DANE applies to secure hosts of an
 * insecure MX RRset.
 */
export const INSECURE_MX = ['dane', 'may'] as const
export type InsecureMx = (typeof INSECURE_MX)[number]
