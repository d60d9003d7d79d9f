/**
 * What each reason means and what to do, for the person who looks at a destination.
 *
 * The texts are those of docs/reasons.md; a test compares them. Pure data.
 */
import type { Reason } from './reason.js'

export type Advice = {
  readonly meaning: string
  readonly action: string
  /** Who can do it: the destination, or people who run this relay. */
  readonly whose: 'destination' | 'relay'
}

export function adviceFor(reason: Reason): Advice {
  return ADVICE[reason]
}

function there(meaning: string, action: string): Advice {
  return { meaning, action, whose: 'destination' }
}

function here(meaning: string, action: string): Advice {
  return { meaning, action, whose: 'relay' }
}

const ADVICE: Readonly<Record<Reason, Advice>> = {
  'no-certificate': there(
    'The handshake succeeded without a certificate.',
    'configure one. No real server does this by accident; it may be an attack.',
  ),
  'unreadable-certificate': there(
    'What the server sent is not a certificate, or can be parsed in two ways.',
    'issue a new one with common tools. detail says what is wrong with it.',
  ),
  'certificate-mismatch': there(
    'No TLSA record matches a certificate that the server sent.',
    'publish the new record before the certificate changes. If the destination is sure that all is well, it is an attack.',
  ),
  'untrusted-path': there(
    "The trust anchor of a DANE-TA(2) record was found, but there is no valid path from the server's certificate to it, or a key on the path is too weak or too slow.",
    'send all intermediate certificates, with the signatures, purposes and constraints of a real CA.',
  ),
  'budget-exhausted': there(
    'Verification would take more than 20 ms of CPU time, or more than 8 ms after other hosts have used up the 100 ms of this attempt.',
    'send only the certificates that lead to the anchor. An ordinary chain takes 1 ms.',
  ),
  'certificate-expired': there(
    'A certificate on the path to a DANE-TA(2) anchor has expired. With DANE-EE(3), dates are ignored.',
    "renew the certificate. If many expire at once, check this relay's clock.",
  ),
  'certificate-not-yet-valid': here(
    'A certificate on the path to a DANE-TA(2) anchor is not valid yet.',
    "check this relay's clock, then inform the destination.",
  ),
  'name-mismatch': there(
    'The path to a DANE-TA(2) anchor is valid, but the certificate has none of the expected names.',
    "use a certificate with the MX host's name (or the domain's).",
  ),
  'connection-failed': here(
    'The address does not answer on its port. Reported by haraka-dane verify; a delivery goes on to the next address.',
    'try from this machine: nc HOST 25. A firewall blocks it, or the host is down.',
  ),
  'connection-lost': here(
    'The server closed the connection before TLS, or sent nothing in time.',
    'wait. If it persists, check whether the host blocks this relay.',
  ),
  'session-timeout': here(
    'The server sent data, but TLS was not established within session_timeout. detail says at which step.',
    'wait. If it persists, check the network path to the host, or raise session_timeout.',
  ),
  'greeting-refused': here(
    'The greeting was not a 2xx reply. detail quotes it.',
    'read the reply; often the reason is a block list.',
  ),
  'ehlo-refused': here(
    'EHLO was not accepted. detail has the name that was sent, and quotes the reply. haraka-dane verify sends the name in me if it has --config, else the name of the machine, or its address ([192.0.2.1]) where that name has no dot.',
    'check me, which has to be a full name, and the PTR record of this relay.',
  ),
  'starttls-not-offered': there(
    'The TLSA records promise TLS, but the server does not offer it: misconfigured, or stripped on the way.',
    'enable STARTTLS. On this relay: look for a firewall that rewrites SMTP.',
  ),
  'starttls-refused': there(
    'STARTTLS was offered, but the reply to it was not 220.',
    'check that the server can read its certificate and key.',
  ),
  'protocol-violation': here(
    'The reply is not SMTP, or there was data out of turn, which is what injected commands look like.',
    'try from another network. If it is the same there, inform the destination; otherwise suspect an attack on the path.',
  ),
  'tls-handshake-failed': there(
    "The handshake with TLS 1.2 or later failed. detail has OpenSSL's error.",
    'support TLS 1.2. On this relay: if all hosts fail, check the options of tls.ini (haraka-dane check).',
  ),
  'tls-disabled': here(
    'outbound.ini has enable_tls=false, or detail names what Haraka or a plugin tried to send too early.',
    'remove that line, or remove the host from no_tls_hosts in tls.ini. Otherwise a plugin writes to the connection.',
  ),
  'mx-bogus': there(
    'The MX record does not validate: expired signatures, a missing key, or a forgery.',
    "fix the zone (dnsviz.net shows where). If many domains are bogus: check this machine's clock and the trust anchor.",
  ),
  'mx-lookup-failed': here(
    'No answer for the MX record: timeout, SERVFAIL, REFUSED. Also an answer that the resolver marks as expired (EDE 3 or 19, RFC 8767), if it would return the message or send it without DANE.',
    'wait. If it persists, query the resolver with dig. Set serve-expired: no in Unbound.',
  ),
  'address-bogus': here(
    "The MX host's address does not validate.",
    "as for mx-bogus, in the host's zone.",
  ),
  'address-lookup-failed': here(
    "No answer for the MX host's addresses, or an expired one, as for mx-lookup-failed.",
    'as for mx-lookup-failed.',
  ),
  'no-address': there(
    'The MX host has no address, or no MX record names a host.',
    'remove the MX record, or add an address for the host.',
  ),
  'alias-lookup-failed': there(
    "The host's name is an alias, and the lookup that shows whether it is signed failed: of its CNAME, or of the DNAME above it.",
    'MX hosts should not be aliases (RFC 5321 §5.1).',
  ),
  'tlsa-bogus': here(
    'The TLSA records do not validate.',
    'as for mx-bogus, in the zone of _25._tcp.HOST.',
  ),
  'tlsa-lookup-failed': there(
    'No answer for the TLSA records: the name servers do not support the type, or a firewall drops the query. Also an expired answer without usable records, as for mx-lookup-failed.',
    'name servers must answer for types that they do not know.',
  ),
  'no-resolver': here(
    'No resolver in dane.ini validates and answers. This affects all mail, whatever the destination.',
    'act at once; the log names each resolver and its problem. See [resolver] in dane.ini.',
  ),
  'mx-insecure': there(
    'The MX record is not signed (or insecure_mx = may).',
    'sign the domain. On this relay: do not use mandatory for it.',
  ),
  'address-insecure': there(
    "The MX host's address is not signed.",
    'use a mail provider whose zone is signed.',
  ),
  'address-literal': here(
    'The next hop is an IP address, so there is no name to look up.',
    'use a host name.',
  ),
  'tlsa-insecure': there(
    'TLSA records exist, but they are not signed.',
    'sign the zone that contains them.',
  ),
  'no-tlsa-record': there(
    'Everything is signed, but there are no TLSA records.',
    'publish them. On this relay: do not use mandatory for it.',
  ),
  'tlsa-unusable': there(
    'TLSA records exist, but none has a supported usage, selector, matching type and valid data.',
    'publish 3 1 1 or 2 1 1.',
  ),
  'null-mx': here(
    'The domain declares that it accepts no mail (RFC 7505).',
    'the sender must check the address.',
  ),
  'no-such-domain': here('NXDOMAIN.', 'the sender must check the address.'),
  'no-mail-host': here(
    'There is no MX record, and the domain itself has no address.',
    'the sender must check the address.',
  ),
  'invalid-domain': here(
    "The recipient's domain is not a valid domain name and cannot be looked up.",
    'the sender must check the address.',
  ),
  'route-deferred': here(
    'Another plugin chose the next hop, and routes = defer is set or the hop has an impossible port.',
    'set routes = dane or skip, or give the domain a policy of its own.',
  ),
  'no-plan': here(
    'Haraka was about to deliver without a decision by this plugin: another plugin bypassed it.',
    "put dane first in config/plugins. Find out which plugin calls Haraka's delivery itself.",
  ),
  'internal-error': here(
    'An unexpected error in the plugin.',
    'the log line before it has the error. Please report it.',
  ),
}
