/**
 * Haraka's log for lines that belong to a process and not to a message.
 *
 * With `nodes` in smtp.ini each worker has its own resolvers, its own connection to Redis
 * and its own copy of dane.ini. Lines of a worker end with its number, so that the same
 * line from several workers does not look like a repetition.
 */
import cluster from 'node:cluster'
import type { Plugin } from '../host.js'

type Level = 'logdebug' | 'loginfo' | 'lognotice' | 'logwarn' | 'logerror' | 'logcrit'

export type ProcessLog = Readonly<Record<Level, (text: string) => void>>

export function processLog(plugin: Plugin): ProcessLog {
  const id = cluster.isWorker ? cluster.worker?.id : undefined
  const suffix = id === undefined ? '' : ` (worker ${id})`
  const at =
    (level: Level) =>
    (text: string): void => {
      plugin[level](`${text}${suffix}`)
    }
  return {
    logdebug: at('logdebug'),
    loginfo: at('loginfo'),
    lognotice: at('lognotice'),
    logwarn: at('logwarn'),
    logerror: at('logerror'),
    logcrit: at('logcrit'),
  }
}
