/**
 * Real mail servers as MX hosts: Postfix, Exim and OpenSMTPD.
 *
 * Each listens on two addresses: on one it offers STARTTLS, on the other it does not. It
 * accepts mail for its domains and throws it away. What it logs is kept, to see how it
 * understood the session.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import type { KeyKind } from '../certificates.js'
import { until } from '../child.js'
import type { Child } from '../child.js'
import { startInNamespace } from './namespace.js'
import type { Sandbox } from './namespace.js'

export type MailServerOptions = {
  /** Empty or missing; readable for every user. */
  readonly folder: string
  readonly port: number
  readonly addresses: { readonly tls: string; readonly plain: string }
  readonly domains: readonly string[]
  /** The certificate and those after it. */
  readonly chainPem: string
  readonly keyPem: string
}

export type MailServer = {
  readonly child: Child
  readonly log: () => Promise<string>
}

export type MailServerKind = {
  readonly name: 'Postfix' | 'Exim' | 'OpenSMTPD'
  /** Debian packages, unpacked if they are not installed. */
  readonly packages: readonly string[]
  readonly start: (options: MailServerOptions) => Promise<MailServer>
  readonly key?: KeyKind
  /** In its log: a client ended its session with QUIT and sent no mail. */
  readonly quit: RegExp
  /** In its log: a message was accepted. */
  readonly accepted: RegExp
}

export const MAIL_SERVERS: readonly MailServerKind[] = [
  {
    name: 'Postfix',
    packages: ['postfix'],
    start: (options) => start(options, postfix),
    quit: /disconnect from \S+ ehlo=\d(?: starttls=1)? quit=1 commands=\d/,
    accepted: /status=sent/,
  },
  {
    name: 'Exim',
    packages: ['exim4-daemon-light', 'exim4-base', 'libidn12'],
    start: (options) => start(options, exim),
    quit: /no MAIL in SMTP connection from .*C=EHLO,(?:STARTTLS,)?(?:EHLO,)?QUIT/,
    accepted: /=> :blackhole:/,
  },
  {
    name: 'OpenSMTPD',
    packages: ['opensmtpd'],
    // With OpenSSL 3 it cannot sign with an EC key.
    key: 'RSA-2048',
    start: (options) => start(options, openSmtpd),
    quit: /disconnected reason=quit/,
    accepted: /result="?Ok/,
  },
]

type Files = { readonly chain: string; readonly key: string; readonly log: string }

type Plan = Omit<Sandbox, 'packages'> & {
  readonly packages: readonly string[]
  readonly isLogInFile: boolean
}

async function start(
  options: MailServerOptions,
  plan: (options: MailServerOptions, files: Files) => Plan,
): Promise<MailServer> {
  const { folder, addresses, port, chainPem, keyPem } = options
  const open = path.join(folder, 'open')
  await mkdir(open, { recursive: true })
  const files = {
    chain: path.join(open, 'chain.pem'),
    key: path.join(open, 'key.pem'),
    log: path.join(open, 'mainlog'),
  }
  await writeFile(files.chain, chainPem)
  // Some of them refuse a key that others may read.
  await writeFile(files.key, keyPem, { mode: 0o600 })
  const { isLogInFile, ...sandbox } = plan(options, files)
  const child = await startInNamespace(folder, sandbox)
  const log = async (): Promise<string> =>
    child.output() + (isLogInFile ? await readFile(files.log, 'utf8').catch(() => '') : '')
  try {
    for (const address of [addresses.tls, addresses.plain])
      await until('a greeting', () => greets(address, port), { child })
  } catch (error) {
    await child.stop()
    throw new Error(`${String(error)}\n${await log()}`, { cause: error })
  }
  return { child, log }
}

function postfix({ addresses, port, domains }: MailServerOptions, files: Files): Plan {
  const internal = [
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'proxymap unix - - n - - proxymap',
    'anvil unix - - n - 1 anvil',
    'discard unix - - n - - discard',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return {
    packages: ['postfix'],
    users: ['postfix', 'postdrop'],
    files: {
      '/etc/postfix/main.cf': [
        'compatibility_level = 3.6',
        'myhostname = postfix.zoo.example',
        'mydestination =',
        'inet_protocols = ipv4',
        `maillog_file = ${files.log}`,
        `maillog_file_prefixes = ${path.dirname(files.log)}`,
        'alias_maps =',
        `virtual_mailbox_domains = ${domains.join(', ')}`,
        'virtual_transport = discard:',
        'smtpd_relay_restrictions = reject_unauth_destination',
        'smtpd_tls_security_level = may',
        'smtpd_tls_loglevel = 1',
        `smtpd_tls_chain_files = ${files.key}, ${files.chain}`,
        '',
      ].join('\n'),
      '/etc/postfix/master.cf': [
        `${addresses.tls}:${port} inet n - n - - smtpd`,
        `${addresses.plain}:${port} inet n - n - - smtpd -o smtpd_tls_security_level=none`,
        ...internal,
        '',
      ].join('\n'),
    },
    before: ['mkdir -p /var/spool/postfix /var/lib/postfix', 'chown postfix /var/lib/postfix'],
    command: 'postfix start-fg',
    isLogInFile: true,
  }
}

function exim({ addresses, port, domains }: MailServerOptions, files: Files): Plan {
  return {
    packages: ['exim4-daemon-light', 'exim4-base', 'libidn12'],
    users: ['Debian-exim'],
    files: {
      '/etc/exim4/exim4.conf': [
        'primary_hostname = exim.zoo.example',
        `domainlist own = ${domains.join(' : ')}`,
        `local_interfaces = <; [${addresses.tls}]:${port} ; [${addresses.plain}]:${port}`,
        `log_file_path = ${path.dirname(files.log)}/%slog`,
        'log_selector = +smtp_connection +smtp_no_mail +tls_cipher',
        `tls_advertise_hosts = \${if eq{$received_ip_address}{${addresses.plain}}{}{*}}`,
        `tls_certificate = ${files.chain}`,
        `tls_privatekey = ${files.key}`,
        'acl_smtp_rcpt = own_domains',
        'keep_environment =',
        'begin acl',
        'own_domains:',
        '  accept domains = +own',
        '  deny',
        'begin routers',
        'drop:',
        '  driver = redirect',
        '  domains = +own',
        '  data = :blackhole:',
        '',
      ].join('\n'),
    },
    before: [
      'mkdir -p /var/spool/exim4 /run/exim4',
      'chown Debian-exim:Debian-exim /var/spool/exim4 /run/exim4',
      `chown -R Debian-exim:Debian-exim ${path.dirname(files.log)}`,
    ],
    command: 'exim4 -bdf -q1h -oP /run/exim4/exim.pid',
    isLogInFile: true,
  }
}

function openSmtpd({ addresses, port, domains }: MailServerOptions, files: Files): Plan {
  return {
    packages: ['opensmtpd'],
    users: ['opensmtpd', 'opensmtpq'],
    files: {
      '/etc/smtpd.conf': [
        `pki zoo cert "${files.chain}"`,
        `pki zoo key "${files.key}"`,
        `listen on ${addresses.tls} port ${port} tls pki zoo hostname opensmtpd.zoo.example`,
        `listen on ${addresses.plain} port ${port} hostname opensmtpd.zoo.example`,
        'action drop mda "/bin/cat > /dev/null" virtual { "@" = nobody }',
        `match from any for domain { ${domains.map((each) => `"${each}"`).join(', ')} } action drop`,
        '',
      ].join('\n'),
    },
    before: ['mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd', 'chmod 711 /var/spool/smtpd'],
    command: 'smtpd -d',
    isLogInFile: false,
  }
}

function greets(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address)
    const end = (isThere: boolean): void => {
      socket.end('QUIT\r\n')
      socket.destroySoon()
      resolve(isThere)
    }
    socket.setTimeout(2_000, () => {
      end(false)
    })
    socket.on('error', () => {
      end(false)
    })
    socket.on('data', (chunk: Buffer) => {
      end(chunk.toString('latin1').startsWith('220'))
    })
  })
}
