/**
 * What keeps the plugin from validating what a resolver says, and what to do about it.
 *
 * Such a resolver is not used: that signatures or denials are missing never makes an
 * answer insecure (RFC 4035 §5.2). Words for log, `check` and docs/troubleshooting.md. Pure.
 */

export const RESOLVER_PROBLEMS = [
  'drops-signatures',
  'drops-denial',
  'no-dnskey',
  'no-tcp',
  'clock',
  'anchors',
] as const

export type ResolverProblem = (typeof RESOLVER_PROBLEMS)[number]

export function problemAdvice(problem: ResolverProblem): string {
  switch (problem) {
    case 'drops-signatures':
    case 'drops-denial':
    case 'no-dnskey':
      return 'set a resolver in [resolver] of dane.ini that passes DNSSEC data on, such as Unbound on this machine'
    case 'no-tcp':
      return 'let TCP port 53 to it through the firewall, or set another resolver in [resolver] of dane.ini'
    case 'clock':
      return 'set the clock of this machine, and make sure that chrony or ntpd is running'
    case 'anchors':
      return (
        'the keys of the root have changed, or its answers are forged: update this plugin or the ' +
        'file of trust_anchors, and compare with another resolver'
      )
  }
}
