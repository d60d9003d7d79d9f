/**
 * Picks ports for servers that are told their port.
 *
 * Promises: no process of the laboratory on this machine is given a port that another
 * one still has, and no outgoing connection takes it before the server has bound it: the
 * ports are below the range that Linux uses for those (32768 to 60999 by default).
 *
 * A port is reserved by a file that holds the process id of its owner, until that
 * process ends.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A port that is free on this address now, for TCP and UDP. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  mkdirSync(FOLDER, { recursive: true })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    if (!reserve(port)) continue
    if ((await isFreeForTcp(port, address)) && (await isFreeForUdp(port, address))) return port
    release(port)
  }
  throw new Error('no free port')
}

function reserve(port: number): boolean {
  const file = fileOf(port)
  if (writeNew(file)) {
    if (reserved.size === 0) process.once('exit', releaseAll)
    reserved.add(port)
    return true
  }
  // Left by a process that was killed: free at the next attempt.
  if (!isAlive(ownerOf(file))) rmSync(file, { force: true })
  return false
}

function writeNew(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

/** NaN if the file has gone, or is not written yet. */
function ownerOf(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10)
  } catch {
    return NaN
  }
}

function isAlive(pid: number): boolean {
  if (Number.isNaN(pid)) return true
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function releaseAll(): void {
  for (const port of reserved) release(port)
}

function release(port: number): void {
  rmSync(fileOf(port), { force: true })
  reserved.delete(port)
}

function fileOf(port: number): string {
  return path.join(FOLDER, String(port))
}

function isFreeForTcp(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, address, () => server.close(() => resolve(true)))
  })
}

function isFreeForUdp(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)))
  })
}

const reserved = new Set<number>()
const FOLDER = path.join(tmpdir(), 'dane-laboratory-ports')
const FIRST = 10_000
/** A Redis Cluster listens at its port plus 10,000 as well, which is below 32768, too. */
const LAST = 19_999
const ATTEMPTS = 200
