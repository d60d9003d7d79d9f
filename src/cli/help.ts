/** The help texts: of all commands in short, and of each. Pure. */
import { COMMANDS } from './command-options.js'
import type { Command } from './command-options.js'

const CONFIG = `  --config FOLDER            Haraka's config folder (config)`

const EXIT = `Exit code: 0 all verified, fine, shown, sent or purged; 1 some not; 2 bad usage;
3 could not be determined; 130 a list was interrupted. If some are not and others could
not be determined, it is 1.`

const SYNOPSIS: Readonly<Record<Command, readonly string[]>> = {
  verify: [
    'verify [options] DOMAIN...',
    'verify [options] --file LIST',
    'verify [options] --host HOST',
    'verify [options] --chain DOMAIN...',
    'verify [options] --watch DOMAIN',
  ],
  check: ['check [--config FOLDER] [--json] [--knock HOST[:PORT]]'],
  status: ['status [--config FOLDER] [--json] [--show WORD | DOMAIN]'],
  policy: ['policy [--config FOLDER] DOMAIN...'],
  tlsa: [
    'tlsa CERT.pem [--host NAME] [--port PORT]',
    'tlsa --from HOST [--host NAME] [--port PORT]',
  ],
  completion: ['completion bash | zsh'],
  cache: [
    'cache show [--config FOLDER] DOMAIN...',
    'cache purge [--config FOLDER] DOMAIN... | --all',
  ],
  tlsrpt: [
    'tlsrpt show [--config FOLDER] DOMAIN [DAY]',
    'tlsrpt preview [--config FOLDER] DOMAIN [DAY]',
    'tlsrpt send [--config FOLDER] DOMAIN [DAY]',
    'tlsrpt log [--config FOLDER] [DOMAIN [DAY]]',
  ],
}

const HELP: Readonly<Record<Command, string>> = {
  verify: `verify does what a delivery would do, up to the certificate check, at every address of
every mail host, and reports the result: verified, no DANE, refused, or undetermined if
a lookup failed or a host could not be reached. Haraka is not needed.

  --config FOLDER            use the settings of this relay (its config folder):
                             resolver, port, policies, insecure_mx, and the TLS
                             options and name (me) of deliveries; other options
                             override them. Defaults to config, if it has a dane.ini
  --resolver SERVER          a resolver, as in dane.ini (127.0.0.1 and those of
                             /etc/resolv.conf); may be repeated, in order of preference
  --policy POLICY            opportunistic or mandatory (opportunistic)
  --port PORT                port of the mail hosts (25)
  --timeout TIME             for one connection (30s) and, up to 10s, for one
                             lookup (5s)
  --chain                    instead: the chain of trust from the root, with the keys and
                             signatures of each zone, validated here
  --no-connect               DNS only: certificates are not checked
  --file LIST                read domains from a file, one per line, # for comments;
                             - is the standard input. Prints a sorted table with totals;
                             Ctrl-C prints the table of the domains that are done
  --host HOST                a mail host instead of a domain, without MX records; may be
                             repeated
  --concurrency NUMBER       domains of a list checked at the same time, 1 to 500 (50)
  --watch                    check one domain or --host again and again, and print what
                             has changed: MX, addresses, TLSA, certificates, verdict.
                             Ctrl-C prints a summary and ends with the code of the last
                             verdict
  --interval TIME            between the checks of --watch, 1s to 1h (the TTL of the TLSA
                             records, 10s to 5m)
  --json                     one JSON object per line and domain, see docs/verify-json.md
  --debug                    print queries, responses and TTLs to the standard error`,
  check: `check examines the relay's set-up: settings, resolvers, Redis, clock, outbound.ini,
tls.ini, metrics, file permissions, other plugins, Haraka's version.

${CONFIG}
  --json                     one JSON object: version, code, and findings with level
                             (ok, warning, problem, unknown), topic, text and todo
  --knock HOST[:PORT]        also try to connect to this mail host (25), up to the
                             TLS handshake: does this network let mail out?`,
  status: `status asks the running relay which destinations have mail waiting, and why. It needs
[status] enabled = yes in dane.ini, and an HTTP server in http.ini. With a domain: its
plan, host by host, and what each host showed. Exit code 1: DANE holds mail.

${CONFIG}
  --show WORD                all, waiting, held or verified (waiting)
  --json                     one JSON object, see docs/status-json.md`,
  policy: `policy prints the policy for a domain, and the line of dane.ini that sets it.

${CONFIG}`,
  tlsa: `tlsa prints the TLSA records for your own mail host, as lines of a zone file: 3 1 1 for
the key of the certificate, 2 1 1 for that of its issuer, and the order of a rollover.

  CERT.pem                   the certificate, with its issuer behind it (fullchain.pem)
  --from HOST                what this host shows now, instead of a file
  --host NAME                name of the mail host (the only name in the certificate)
  --port PORT                port of the mail host (25)`,
  completion: `completion prints the completion of commands and options for a shell.`,
  cache: `cache shows the entries for a domain in the Redis of dane.ini, with the seconds left,
or removes them; relays drop their own copies within ten seconds. It queries DNS for the
domain's hosts. Entries are answers, and the zones that they were validated by.

${CONFIG}
  --all                      all domains`,
  tlsrpt: `tlsrpt is about TLS reports (RFC 8460): show prints what was counted for a domain,
preview the report as it would be sent, log where reports went and with which answer. send
asks the running relay to send the report now; one that was sent is not sent again. Run it
as the user of Haraka.

${CONFIG}
  DAY                        in UTC, such as 2026-03-01, yesterday (default) or today`,
}

/** The help for one command. */
export function helpOf(command: Command): string {
  return `${synopsis([command])}\n\n${HELP[command]}\n\n${EXIT}`
}

export const USAGE = `${synopsis(COMMANDS)}
       haraka-dane help [COMMAND] | --help | -h
       haraka-dane --version

${Object.values(HELP).join('\n\n')}

${EXIT}`

function synopsis(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => SYNOPSIS[command])
  return lines
    .map((line, index) => `${index === 0 ? 'Usage: ' : '       '}haraka-dane ${line}`)
    .join('\n')
}
