/**
 * Postfix with level dane on the same hosts, for comparison.
 *
 * The installed Postfix, with its own configuration, queue and log, its
 * daemons children of the bench. Neither the port of its resolver nor a list of resolvers
 * can be configured, so it runs in a mount namespace where /etc/resolv.conf names an
 * address on which the laboratory's resolver listens at port 53; that needs root. If
 * root or Postfix is missing, this figure is skipped.
 *
 * All messages of a run wait on hold and are released at once. CPU time is
 * that of all of Postfix's processes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createTransport } from 'nodemailer'
import { runToEnd, startChild, until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { messageTo } from '../steward.js'
import type { Delivery } from '../steward.js'
import { AT_ONCE } from '../world.js'
import type { World } from '../world.js'

export type Postfix = {
  readonly deliver: (domains: readonly string[]) => Promise<Delivery>
  readonly verified: () => number
  readonly stop: () => Promise<void>
}

/** The resolver's address for Postfix. */
const RESOLVER = '127.0.0.153'

export async function startPostfix(world: World): Promise<Postfix | undefined> {
  if (!(await canRun())) return undefined
  const home = path.join(world.laboratory.folder, 'postfix')
  const folders = Object.fromEntries(
    ['config', 'queue', 'data'].map((name) => [name, path.join(home, name)]),
  )
  const { config = '', queue = '', data = '' } = folders
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true })
  // Its daemons run as another user.
  await runToEnd('chmod', ['755', world.laboratory.folder, home])
  await runToEnd('chown', ['postfix', data])
  const logFile = path.join(queue, 'log')
  const smtpd = await freePort()
  const resolver = await world.laboratory.names.startResolver({
    more: [
      ...world.resolverLines,
      `interface: ${RESOLVER}@53`,
      'access-control: 127.0.0.0/8 allow',
    ],
  })
  writeFileSync(path.join(home, 'resolv.conf'), `nameserver ${RESOLVER}\noptions trust-ad edns0\n`)
  writeFileSync(path.join(config, 'main.cf'), mainCf(queue, data, logFile, world))
  writeFileSync(path.join(config, 'master.cf'), masterCf(smtpd))
  const script = `mount --bind ${home}/resolv.conf /etc/resolv.conf && exec postfix -c ${config} start-fg`
  // To a file: its daemons would keep a pipe open after its exit.
  const outputFile = path.join(home, 'output')
  const child = startChild('unshare', ['-m', 'sh', '-c', script], { outputFile })
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  await until('Postfix', () => log().includes('daemon started'), { child })
  // Not of the child, which only waits for it.
  const master = Number(readFileSync(path.join(queue, 'pid/master.pid'), 'latin1'))
  const end = (): void => {
    if (child.isRunning()) process.kill(master, 'SIGTERM')
  }
  process.on('exit', end)
  const transport = createTransport({ host: '127.0.0.1', port: smtpd, ignoreTLS: true, pool: true })
  const times = (text: string): number => log().split(text).length - 1

  return {
    async deliver(domains) {
      await Promise.all(
        domains.map((domain) =>
          transport.sendMail({
            envelope: { from: 'sender@relay.example', to: [`somebody@${domain}`] },
            raw: messageTo(domain),
          }),
        ),
      )
      const taken = (): number =>
        world.sink.sessions.filter(({ delivered }) => delivered.length > 0).length
      const cpu = cpuSecondsOf(child.pid)
      const startedAt = performance.now()
      // Released messages are in the deferred queue, due at once.
      await runToEnd('postsuper', ['-c', config, '-H', 'ALL'])
      await runToEnd('postqueue', ['-c', config, '-f'])
      await until('Postfix to deliver', () => taken() >= domains.length, { timeoutMs: 120_000 })
      const seconds = (performance.now() - startedAt) / 1000
      await until('Postfix to come to rest', () => isQueueEmpty(queue))
      return {
        delivered: taken(),
        deferred: 0,
        bounced: 0,
        seconds,
        cpuSeconds: cpuSecondsOf(child.pid) - cpu,
      }
    },
    verified: () => times('Verified TLS connection established'),
    async stop() {
      transport.close()
      end()
      await child.exited
      process.off('exit', end)
      await resolver.child.stop()
    },
  }
}

async function canRun(): Promise<boolean> {
  if (!existsSync('/usr/sbin/postfix') || process.getuid?.() !== 0) return false
  return runToEnd('unshare', ['-m', 'true']).then(
    () => true,
    () => false,
  )
}

function mainCf(queue: string, data: string, logFile: string, world: World): string {
  return `compatibility_level = 3.6
queue_directory = ${queue}
data_directory = ${data}
maillog_file = ${logFile}
maillog_file_prefixes = ${queue}
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_restrictions = static:HOLD
smtpd_client_connection_count_limit = 0
smtp_tcp_port = ${world.laboratory.smtpPort}
smtp_dns_support_level = dnssec
smtp_host_lookup = dns
smtp_tls_security_level = dane
smtp_tls_loglevel = 1
smtp_tls_session_cache_database =
smtp_connection_cache_on_demand = no
default_process_limit = ${AT_ONCE}
default_destination_concurrency_limit = ${AT_ONCE}
minimal_backoff_time = 1s
`
}

/** The daemons in use, none in a chroot. */
function masterCf(smtpd: number): string {
  const rows = [
    [`127.0.0.1:${smtpd}`, 'inet', 'n', 'smtpd'],
    ['pickup', 'unix', 'n', 'pickup'],
    ['cleanup', 'unix', 'n', 'cleanup'],
    ['qmgr', 'unix', 'n', 'qmgr'],
    ['tlsmgr', 'unix', '-', 'tlsmgr'],
    ['rewrite', 'unix', '-', 'trivial-rewrite'],
    ['bounce', 'unix', '-', 'bounce'],
    ['defer', 'unix', '-', 'bounce'],
    ['trace', 'unix', '-', 'bounce'],
    ['flush', 'unix', 'n', 'flush'],
    ['proxymap', 'unix', '-', 'proxymap'],
    ['showq', 'unix', 'n', 'showq'],
    ['smtp', 'unix', '-', 'smtp'],
    ['relay', 'unix', '-', 'smtp'],
    ['error', 'unix', '-', 'error'],
    ['retry', 'unix', '-', 'error'],
    ['anvil', 'unix', '-', 'anvil'],
    ['postlog', 'unix-dgram', 'n', 'postlogd'],
  ] as const
  const single = new Set(['pickup', 'qmgr', 'tlsmgr', 'anvil', 'postlog'])
  const unlimited = new Set(['cleanup', 'bounce', 'defer', 'trace', 'flush'])
  return rows
    .map(([name, type, isPrivate, program]) => {
      const most = single.has(name) ? '1' : unlimited.has(name) ? '0' : '-'
      return `${name} ${type} ${isPrivate} - n - ${most} ${program}\n`
    })
    .join('')
}

function isQueueEmpty(queue: string): boolean {
  return ['incoming', 'active', 'deferred', 'hold'].every(
    (name) =>
      readdirSync(path.join(queue, name), { recursive: true, withFileTypes: true }).filter(
        (entry) => entry.isFile(),
      ).length === 0,
  )
}

/** CPU time of a process, its running children, and those it has waited for. */
function cpuSecondsOf(pid: number): number {
  const processes = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'latin1')
      // After the name, which may contain anything: state, parent, ...
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      const [user = 0, system = 0, usersOfGone = 0, systemOfGone = 0] = fields
        .slice(11, 15)
        .map(Number)
      const own = { pid: Number(name), parent: Number(fields[1]) }
      return [{ ...own, living: user + system, gone: usersOfGone + systemOfGone }]
    } catch {
      return [] // it has exited in the meantime
    }
  })
  const sum = (at: number): number => {
    const self = processes.find((each) => each.pid === at)
    const children = processes.filter((each) => each.parent === at)
    return (
      (self ? self.living + self.gone : 0) +
      children.reduce((total, child) => total + sum(child.pid), 0)
    )
  }
  return sum(pid) / TICKS_PER_SECOND
}

/** USER_HZ, the same on every Linux that this runs on. */
const TICKS_PER_SECOND = 100
