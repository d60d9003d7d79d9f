/**
 * What to do about an error of Redis.
 *
 * From the text of the error: the server's own codes, Node's and OpenSSL's. Pure.
 */

/** One sentence without a full stop. */
export function redisAdvice(fault: string, isTls: boolean): string {
  // A server without TLS waits for the rest of what it takes for a command.
  if (isTls && fault.includes('ETIMEDOUT')) return NO_HANDSHAKE
  return ADVICE.find(([pattern]) => pattern.test(fault))?.[1] ?? GENERAL
}

const NO_HANDSHAKE =
  'check host and port in [redis] of dane.ini, and the firewall on the way; ' +
  'if the server has no TLS at this port, set tls = no'

const GENERAL = 'check that Redis runs, and address, user and password in [redis] of dane.ini'

/** The first that fits. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/WRONGPASS|invalid password/i, 'correct username and password in [redis] of dane.ini'],
  [
    /AUTH.* without any password|no password is set/i,
    'this Redis has no password: remove password from [redis] of dane.ini, or set requirepass there',
  ],
  [
    /NOAUTH|authentication required/i,
    'set password, and username if the server has users, in [redis] of dane.ini',
  ],
  [
    /AUTH.* was refused/,
    'correct username and password in [redis] of dane.ini; a server before Redis 6 has no users',
  ],
  [
    /SELECT.*NOPERM/,
    'allow this user SELECT (ACL SETUSER ... +select), or set db = 0 in [redis] of dane.ini',
  ],
  [
    /SELECT \d+ was refused/,
    'set db in [redis] of dane.ini to a database that the server has (databases in redis.conf); a Cluster or a proxy has only 0',
  ],
  [
    /NOPERM/,
    'allow this user the keys and commands (ACL SETUSER ... ~dane:* +get +getrange +pttl +set +del +scan)',
  ],
  [/\bOOM\b/, 'raise maxmemory of that Redis, or set maxmemory-policy = volatile-ttl there'],
  [
    /READONLY/,
    'name the master in [redis] of dane.ini, or its Sentinels: this server is a replica',
  ],
  [
    /MISCONF|NOREPLICAS|disk/i,
    'see the log of that Redis: it refuses writes until it can save or replicate them',
  ],
  [/LOADING|MASTERDOWN|CLUSTERDOWN/, 'wait until that Redis is ready, and see its log'],
  [
    /DENIED|protected mode/i,
    'bind that Redis to this address with a password set, or switch its protected mode off',
  ],
  [/unknown command|unsupported|not supported/i, 'use a server or proxy that has this command'],
  [/ECONNREFUSED|ENOENT/, 'check that Redis runs, and host, port or path in [redis] of dane.ini'],
  [/EACCES|EPERM/, 'give the user that Haraka runs as access to the socket of Redis'],
  [/ENOTFOUND|EAI_AGAIN/, 'correct the host in [redis] of dane.ini: its name does not resolve'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    'check the host in [redis] of dane.ini, and the firewall on the way',
  ],
  [
    /certificate|self.signed|altname|unable to (?:verify|get)/i,
    'set ca_file in [redis] of dane.ini to the CA of that Redis, and host to a name in its certificate',
  ],
  [
    /wrong version number|packet length|before secure TLS|SSL routines|EPROTO|record/i,
    'this port does not use TLS: set tls = no, or the TLS port, in [redis] of dane.ini',
  ],
  [
    /closed the connection|ECONNRESET|Protocol error|unexpected reply/i,
    'check that this is the port of a Redis, and whether it expects TLS (tls = yes in [redis] of dane.ini)',
  ],
]
