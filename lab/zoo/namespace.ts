/**
 * Runs a server of a Debian package that is not installed, or not set up.
 *
 * Its files come from the package, unpacked into build/zoo; the server sees them in their
 * places, with users and a configuration of its own, by namespaces: overlays on /usr and
 * /etc, an empty /var and /run, and processes that end together. The machine itself is not changed, no service is
 * started and no configuration file is written.
 *
 * Limits: needs root and util-linux for the namespace, apt-get and dpkg-deb to fetch a
 * package.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runToEnd, startChild } from '../child.js'
import type { Child } from '../child.js'
import { ROOT } from '../root.js'

export type Sandbox = {
  /** Unpacked packages; none for a server that is installed. */
  readonly packages: readonly string[]
  /** Users and groups of the same name, which the server expects. */
  readonly users: readonly string[]
  /** Files by absolute path below /etc. */
  readonly files: Readonly<Record<string, string>>
  /** Shell lines before the server starts, in its namespace. */
  readonly before: readonly string[]
  /** The server and its arguments, as a shell line; it stays in the foreground. */
  readonly command: string
}

/** Whether a namespace can be had; otherwise why not. */
export async function namespaceFault(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root, to run in a mount namespace'
  return runToEnd('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'true']).then(
    () => undefined,
    (error: unknown) => `no mount namespace here: ${String(error).slice(0, 200)}`,
  )
}

/** Fetches and unpacks packages that have not been; says why that is not possible. */
export async function unpack(packages: readonly string[]): Promise<string | undefined> {
  for (const name of packages) {
    const folder = folderOf(name)
    if (existsSync(folder)) continue
    const archives = path.join(ROOT, 'build/zoo/archives')
    await mkdir(archives, { recursive: true })
    const fault = await fetch(name, archives, folder).catch((error: unknown) => String(error))
    if (fault !== undefined) return `${name} could not be fetched: ${fault.slice(0, 200)}`
  }
  return undefined
}

async function fetch(name: string, archives: string, folder: string): Promise<string | undefined> {
  await runToEnd('apt-get', ['-qq', 'download', name], { cwd: archives })
  const archive = (await readdir(archives)).find((file) => file.startsWith(`${name}_`))
  if (archive === undefined) return 'apt-get has written no file'
  await mkdir(path.dirname(folder), { recursive: true })
  await runToEnd('dpkg-deb', ['-x', path.join(archives, archive), folder])
  return undefined
}

/** @param folder of its own, readable for every user */
export async function startInNamespace(
  folder: string,
  { packages, users, files, before, command }: Sandbox,
): Promise<Child> {
  const etc = path.join(folder, 'etc')
  await mkdir(etc, { recursive: true })
  for (const [place, text] of Object.entries(files)) {
    const file = path.join(etc, path.relative('/etc', place))
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  const line = (name: string, index: number): string => `${name}:x:${FIRST_ID + index}:`
  const passwd = users.map((name, index) => `${line(name, index)}${FIRST_ID + index}::/:/bin/false`)
  await writeFile(path.join(etc, 'passwd'), await extended('/etc/passwd', users, passwd))
  await writeFile(path.join(etc, 'group'), await extended('/etc/group', users, users.map(line)))
  await chmod(folder, 0o755)
  const layers = (place: string, ...own: readonly string[]): string => {
    const unpacked = packages.map((name) => path.join(folderOf(name), place))
    const lower = [...own, ...unpacked.filter((each) => existsSync(each)), `/${place}`]
    return lower.length > 1
      ? `mount -t overlay overlay -o lowerdir=${lower.join(':')} /${place}`
      : ':'
  }
  const script = [
    'set -e',
    layers('usr'),
    layers('etc', etc),
    'mount -t tmpfs tmpfs /var',
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /var/lib /var/spool /var/log /var/run /var/tmp',
    'chmod 1777 /var/tmp',
    ...before,
    // Not by exec: the shell is the first process of the namespace, and with it all others
    // end. A server that changes its user would not be killed together with unshare.
    command,
    'exit $?',
  ]
  const options = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = startChild('unshare', [...options, 'sh', '-c', script.join('\n')])
  return {
    ...child,
    // unshare passes no other signal on.
    async stop() {
      child.signal('SIGKILL')
      await child.exited
    },
  }
}

/** The lines of a list of users without theirs, and these. */
async function extended(
  file: string,
  users: readonly string[],
  lines: readonly string[],
): Promise<string> {
  const kept = (await readFile(file, 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !users.some((name) => line.startsWith(`${name}:`)))
  return `${[...kept, ...lines].join('\n')}\n`
}

function folderOf(name: string): string {
  return path.join(ROOT, 'build/zoo/packages', name)
}

/** Of the users that exist in a namespace only. */
const FIRST_ID = 61_000
