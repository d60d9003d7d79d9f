/**
 * Messages between Haraka's workers and the process that started them (node:cluster).
 *
 * Messages of this plugin have a `type`; Haraka's own handlers look at `cmd` and `event`,
 * and ignore them. A message to a process that has just ended is lost without an error.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'

export function livingWorkers(): readonly Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) =>
    worker?.isConnected() ? [worker] : [],
  )
}

export function sendToWorker(worker: Worker, message: object): void {
  worker.send(message, () => {
    // A worker that has ended needs no message.
  })
}

export function sendToPrimary(message: object): void {
  if (!process.connected) return
  process.send?.(message, undefined, undefined, () => {
    // Without the primary process Haraka ends its workers.
  })
}

/** @returns how to cancel it */
export function schedule(milliseconds: number, action: () => void): () => void {
  const timer = setTimeout(action, milliseconds).unref()
  return () => {
    clearTimeout(timer)
  }
}
