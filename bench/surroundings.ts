/** The machine and the versions with which figures are taken. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import path from 'node:path'
import { runToEnd } from '../lab/child.js'
import { ROOT } from '../lab/root.js'

export type Surroundings = {
  readonly date: string
  readonly machine: string
  readonly load: string
  readonly versions: Readonly<Record<string, string>>
}

export async function surroundings(): Promise<Surroundings> {
  const processors = cpus()
  const version = async (program: string, args: string[], shape: RegExp): Promise<string> => {
    const output = await runToEnd(program, args).catch(() => '')
    return shape.exec(output)?.[1] ?? 'not installed'
  }
  const numbers = /(\d+\.[\d.]+)/
  return {
    date: new Date().toISOString(),
    machine: `${processors.length} × ${processors[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    load: loadavg()
      .map((each) => each.toFixed(2))
      .join(' '),
    versions: {
      plugin: packageVersion('package.json'),
      Haraka: packageVersion('node_modules/haraka/package.json'),
      Node: process.versions.node,
      'OpenSSL in Node': process.versions.openssl,
      OpenSSL: await version('openssl', ['version'], numbers),
      Unbound: await version('unbound', ['-V'], numbers),
      Redis: await version('redis-server', ['--version'], numbers),
      Postfix: await version('postconf', ['-h', '-d', 'mail_version'], numbers),
    },
  }
}

export function surroundingsText({ date, machine, load, versions }: Surroundings): string {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${date}\n${machine}; load before: ${load}\n${list.join(', ')}`
}

function packageVersion(file: string): string {
  const text = readFileSync(path.join(ROOT, file), 'utf8')
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown'
}
