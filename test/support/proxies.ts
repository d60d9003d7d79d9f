/**
 * The web servers of docs/install.md in front of the delivery status, with the examples
 * there as they are, but for ports, files and the password.
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import path from 'node:path'
import { runToEnd, startChild, until } from '../../lab/child.js'
import type { Child } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { mint } from '../../lab/certificates.js'
import { blocksOf, pageText } from './pages.js'

export const PROXY_NAME = 'status.example.org'
export const USER = 'operator'
export const PASSWORD = 'sesame'

/** As `caddy hash-password` prints it, with less work (2^4 rounds instead of 2^14). */
const HASH = '$2b$04$QWfK1BsDL7cysQM/Jsr11esDLNxlFCwJTwvO83WtfB7NtO97gAWMi'

export type Proxy = {
  readonly port: number
  readonly child: Child
}

export type Program = 'nginx' | 'caddy'

/** For node:test: why tests with this program are skipped; false if they are not. */
export function without(program: Program): string | false {
  const isThere = ['/usr/sbin', '/usr/bin', '/usr/local/bin'].some((folder) =>
    existsSync(path.join(folder, program)),
  )
  return !isThere && `${program} is not installed: apt-get install ${program}`
}

/**
 * @param folder that nginx's own user may enter
 * @param haraka where Haraka's HTTP server listens
 * @param more another `location` of the same server
 */
export async function startNginx(folder: string, haraka: string, more = ''): Promise<Proxy> {
  const port = await freePort()
  const [certificate, hash] = await Promise.all([
    mint({ subject: `CN=${PROXY_NAME}`, names: [PROXY_NAME] }),
    runToEnd('openssl', ['passwd', '-6', PASSWORD]),
  ])
  const file = (name: string): string => path.join(folder, name)
  await writeFile(file('cert.pem'), certificate.pem)
  await writeFile(file('key.pem'), certificate.keyPem)
  await writeFile(file('dane.htpasswd'), `${USER}:${hash}`)
  const server = replaced(exampleOf('nginx'), {
    'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
    '/etc/ssl/status.example.org.pem': file('cert.pem'),
    '/etc/ssl/private/status.example.org.key': file('key.pem'),
    '/etc/nginx/dane.htpasswd': file('dane.htpasswd'),
    'http://127.0.0.1:9904': `http://${haraka}`,
  }).replace(/\}\s*$/, `${more}}\n`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${file(each)};`)
    .join('\n')
  await writeFile(
    file('nginx.conf'),
    `pid ${file('pid')};\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${server}\n}\n`,
  )
  const options = ['-p', folder, '-c', file('nginx.conf'), '-e', 'stderr', '-g', 'daemon off;']
  return started(startChild('nginx', options), port)
}

export async function startCaddy(folder: string, haraka: string): Promise<Proxy> {
  const port = await freePort()
  const home = path.join(folder, 'caddy')
  await mkdir(home)
  const site = replaced(exampleOf('caddyfile'), {
    'NAME HASH': `${USER} ${HASH}`,
    '127.0.0.1:9904': haraka,
  })
  const own = ['admin off', `https_port ${port}`, 'auto_https disable_redirects', 'local_certs']
  const global = [...own, 'skip_install_trust', `storage file_system ${home}`].join('\n')
  await writeFile(path.join(home, 'Caddyfile'), `{\n${global}\n}\n${site}`)
  const child = startChild('caddy', ['run', '--config', path.join(home, 'Caddyfile')], {
    env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
  })
  return started(child, port)
}

async function started(child: Child, port: number): Promise<Proxy> {
  const isUp = (): Promise<boolean> =>
    ask(port, '/').then(
      () => true,
      () => false,
    )
  await until('the proxy', isUp, { child }).catch(async (error: unknown) => {
    await child.stop()
    throw error
  })
  return { port, child }
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** As a browser that knows the password, or not. */
export function ask(
  port: number,
  url: string,
  { password, host = PROXY_NAME }: { password?: string; host?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: url,
      servername: PROXY_NAME,
      rejectUnauthorized: false,
      headers: { host },
      timeout: 30_000,
      ...(password !== undefined && { auth: `${USER}:${password}` }),
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const parts: string[] = []
      response.setEncoding('utf8').on('data', (part: string) => parts.push(part))
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: parts.join('') })
      })
    })
    sent.end()
  })
}

function exampleOf(language: 'nginx' | 'caddyfile'): string {
  const [example = ''] = blocksOf(pageText('docs/install.md'), language)
  return example
}

/** Each of these must be in the example. */
function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`docs/install.md has no ${from}`)
    return changed.replace(from, () => to)
  }, text)
}
