/**
 * Runs Redis: a single server, a master with its Sentinels, or a Cluster.
 *
 * Real redis-servers on loopback and free ports, without persistence, each in its own folder
 * below the given one; stopped by the code that started them.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runToEnd, startChild, until } from './child.js'
import { freePort } from './free-port.js'
import type { Child } from './child.js'

export type RedisServer = {
  readonly port: number
  readonly child: Child
  /** Runs one command through redis-cli and returns the reply as text. */
  readonly cli: (...args: readonly string[]) => Promise<string>
}

export async function startRedis(
  folder: string,
  { port, options = [] }: { readonly port?: number; readonly options?: readonly string[] } = {},
): Promise<RedisServer> {
  const own = port ?? (await freePort())
  const home = path.join(folder, `redis-${own}`)
  await mkdir(home, { recursive: true })
  const child = startChild('redis-server', [
    ...['--port', String(own), '--bind', '127.0.0.1', '--dir', home],
    ...['--save', '', '--appendonly', 'no', '--protected-mode', 'no'],
    ...options,
  ])
  const cli = (...args: readonly string[]): Promise<string> =>
    runToEnd('redis-cli', ['-p', String(own), '--raw', ...args])
  await until('Redis', () => child.output().includes('Ready to accept connections'), { child })
  return { port: own, child, cli }
}

/** A master, two replicas and three Sentinels that monitor them. */
export async function startSentinels(folder: string): Promise<{
  readonly master: RedisServer
  readonly sentinelPorts: readonly number[]
  readonly stop: () => Promise<void>
}> {
  const master = await startRedis(folder)
  const follow = ['--replicaof', '127.0.0.1', String(master.port)]
  const replicas = await Promise.all([1, 2].map(() => startRedis(folder, { options: follow })))
  await until('the replicas', async () => {
    const info = await master.cli('info', 'replication')
    return (info.match(/state=online/g) ?? []).length === 2
  })
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => {
      const port = await freePort()
      const file = path.join(folder, `sentinel-${port}.conf`)
      await writeFile(
        file,
        [
          `port ${port}`,
          'bind 127.0.0.1',
          `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
          'sentinel down-after-milliseconds mymaster 1000',
          'sentinel failover-timeout mymaster 5000',
          '',
        ].join('\n'),
      )
      const child = startChild('redis-server', [file, '--sentinel'])
      await until('a Sentinel', () => child.output().includes('monitor master'), { child })
      return { port, child }
    }),
  )
  const [first] = sentinels
  await until('the Sentinels to know each other', async () => {
    const known = await runToEnd('redis-cli', [
      ...['-p', String(first?.port ?? 0), '--raw', 'sentinel', 'ckquorum', 'mymaster'],
    ]).catch(() => '')
    return known.startsWith('OK 3')
  })
  return {
    master,
    sentinelPorts: sentinels.map(({ port }) => port),
    async stop() {
      await Promise.all([...sentinels, master, ...replicas].map(({ child }) => child.stop()))
    },
  }
}

/** Three masters that share the slots. */
export async function startCluster(
  folder: string,
): Promise<{ readonly nodes: readonly RedisServer[]; readonly stop: () => Promise<void> }> {
  const nodes = await Promise.all(
    [1, 2, 3].map(() =>
      startRedis(folder, {
        options: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
      }),
    ),
  )
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await runToEnd('redis-cli', ['--cluster', 'create', ...places, '--cluster-yes'])
  await until('the Cluster', async () => {
    const infos = await Promise.all(nodes.map(({ cli }) => cli('cluster', 'info')))
    return infos.every((info) => info.includes('cluster_state:ok'))
  })
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map(({ child }) => child.stop()))
    },
  }
}
