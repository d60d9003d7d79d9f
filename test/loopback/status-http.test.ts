/**
 * The status page over HTTP, from a real Haraka: methods, Host headers, headers of every
 * answer, and what is left to other routes.
 */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { startDestinations } from '../../lab/destination.js'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Haraka } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { ATTACKS, SITES } from '../support/http-attacks.js'
import { exchange, neverRead, statusesOf } from '../support/raw-http.js'
import { deliver, wantedRelease } from '../support/relays.js'

type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const SECRETS = `[redis]
enabled = yes
host = 127.0.0.1
port = 1
password = sesame-of-redis
key = sesame-of-the-shared-cache
`

describe('status over HTTP', () => {
  let laboratory: Laboratory
  let relay: Haraka
  let port = 0

  before(async () => {
    laboratory = await startDestinations({ good: {}, bad: { tlsa: 'wrong' } })
    port = await freePort()
    const daneIni = `[status]\nenabled = yes\npath = /mail/dane\nhost[] = status.example.org\n`
    const files = { 'http.ini': `listen=127.0.0.1:${port}` }
    relay = await laboratory.startRelay('dane', { ...wantedRelease(), files }, daneIni)
    await until('the page', async () => {
      const answer = await ask('/mail/dane').catch(() => undefined)
      return answer?.status === 200
    })
    await deliver(relay, `user@good.${PLACE.signed}`)
    await deliver(relay, `user@bad.${PLACE.signed}`)
  })
  after(() => laboratory.stop())

  function ask(
    path: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, headers, timeout: 30_000 })
      sent.on('error', reject)
      sent.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response
          resolve({ status, headers, body: Buffer.concat(chunks) })
        })
      })
      sent.end()
    })
  }

  const PATHS = [
    ['/mail/dane', 'text/html; charset=utf-8', 200],
    [`/mail/dane/bad.${PLACE.signed}`, 'text/html; charset=utf-8', 200],
    ['/mail/dane/unknown.example', 'text/html; charset=utf-8', 404],
    ['/mail/dane/%E0%A4%A', 'text/html; charset=utf-8', 404],
    ['/mail/dane.json', 'application/json; charset=utf-8', 200],
    ['/mail/dane.css', 'text/css; charset=utf-8', 200],
    ['/mail/dane.js', 'text/javascript; charset=utf-8', 200],
    ['/mail/dane.svg', 'image/svg+xml', 200],
  ] as const

  for (const [path, type, status] of PATHS) {
    test(`${path}: type, policy, and nothing of it is stored or shown elsewhere`, async () => {
      const { headers, ...answer } = await ask(path)
      assert.equal(answer.status, status)
      assert.equal(headers['content-type'], type)
      const policy = String(headers['content-security-policy'])
      for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
        assert.ok(policy.includes(part), policy)
      }
      assert.doesNotMatch(policy, /unsafe|\*|https?:/)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
      assert.equal(headers['x-powered-by'], undefined)
    })

    test(`${path}: GET and HEAD alone`, async () => {
      const head = await ask(path, { method: 'HEAD' })
      assert.equal(head.status, status)
      assert.equal(head.body.length, 0)
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const { headers, ...answer } = await ask(path, { method })
        assert.equal(answer.status, 405, method)
        assert.equal(headers.allow, 'GET, HEAD')
      }
    })
  }

  const HOSTS: readonly (readonly [string, number])[] = [
    ['localhost', 200],
    ['localhost:8080', 200],
    ['LOCALHOST.', 200],
    ['127.0.0.1', 200],
    ['[::1]:80', 200],
    ['status.example.org', 200],
    ['Status.Example.org:8443', 200],
    // DNS rebinding: the name of another site for this address.
    ['attacker.example', 421],
    ['localhost.attacker.example', 421],
    ['status.example.org.attacker.example', 421],
    ['127.0.0.1.attacker.example', 421],
    ['[attacker.example]', 421],
  ]
  for (const [host, status] of HOSTS) {
    test(`Host: ${host}: ${status}`, async () => {
      for (const path of ['/mail/dane', '/mail/dane.json', '/mail/dane.js']) {
        const answer = await ask(path, { headers: { host } })
        assert.equal(answer.status, status, path)
        if (status === 421) assert.doesNotMatch(answer.body.toString(), /signed\.example/)
      }
    })
  }

  test('other paths are left to other routes', async () => {
    for (const path of ['/', '/mail', '/mail/danes', '/mail/dane.txt', '/dane', '/mail/dane-x']) {
      const { status, body } = await ask(path)
      assert.equal(status, 404, path)
      assert.doesNotMatch(body.toString(), /Delivery status/)
    }
  })

  test('a slash at the end leads to the page', async () => {
    const { status, headers } = await ask('/mail/dane/')
    assert.equal(status, 308)
    assert.equal(headers.location, '../dane')
  })

  test('style and script of the page are cached by their version', async () => {
    const page = (await ask('/mail/dane')).body.toString()
    const link = /href="(dane\.css\?v=[0-9a-f]+)"/.exec(page)?.[1] ?? ''
    const { headers } = await ask(`/mail/${link}`)
    assert.match(headers['cache-control'] ?? '', /immutable/)
  })

  test('compressed for whom asks for it', async () => {
    const plain = await ask('/mail/dane.js')
    const packed = await ask('/mail/dane.js', { headers: { 'accept-encoding': 'br, gzip' } })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.deepEqual(gunzipSync(packed.body), plain.body)
  })

  test('a normal view, style and script together, are less than 40 kB without compression', async () => {
    const sizes = await Promise.all(
      ['/mail/dane', '/mail/dane.css', '/mail/dane.js', '/mail/dane.svg'].map((path) => ask(path)),
    )
    const sum = sizes.reduce((all, { body }) => all + body.length, 0)
    assert.ok(sum < 40_000, String(sum))
  })

  test('more views at once than a process answers are refused, and it recovers', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask('/mail/dane')))
    const refused = answers.filter(({ status }) => status === 503)
    assert.ok(refused.length > 0)
    assert.ok(refused.every(({ headers }) => headers['retry-after'] === '10'))
    assert.equal(answers.filter(({ status }) => status === 200).length + refused.length, 100)
    await until('the page', async () => (await ask('/mail/dane')).status === 200)
  })

  test('hostile requests are answered as wrong or as harmless, and nothing is logged or changed', async () => {
    const logged = relay.log().length
    for (const [what, head, statuses] of ATTACKS) {
      let answer = ''
      let status: number | undefined
      await until('admission', async () => {
        answer = await exchange(port, `${head}Connection: close\r\n\r\n`)
        ;[status] = statusesOf(answer)
        return status !== 503
      })
      assert.ok(statuses.includes(status ?? 0), `${what}: ${answer.slice(0, 300)}`)
      const [headers = '', body = ''] = answer.split('\r\n\r\n', 2)
      assert.doesNotMatch(headers, /set-cookie|access-control/i, what)
      assert.doesNotMatch(body, /<script>|<img|root:|sesame/, what)
      if (status !== 200) assert.doesNotMatch(body, /bad\.signed\.example/, what)
      if (status === 200 || status === 421 || status === 405) {
        assert.match(headers, /content-security-policy: default-src 'none'/i, what)
        assert.match(headers, /cache-control: no-store/i, what)
      }
    }
    const lines = relay.log().slice(logged)
    assert.deepEqual(
      lines.filter((line) => /\[(?:WARN|ERROR|CRIT)\]/.test(line)),
      [],
    )
    assert.ok(relay.child.isRunning())
  })

  test('other sites may link to the page, and not load it into theirs', async () => {
    for (const [what, [site, mode, dest], status] of SITES) {
      const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest }
      for (const path of ['/mail/dane', '/mail/dane.json', '/mail/dane.css']) {
        let answer: Answer | undefined
        await until('admission', async () => {
          answer = await ask(path, { headers })
          return answer.status !== 503
        })
        assert.equal(answer?.status, status, `${what}, ${path}`)
        if (status === 403) assert.doesNotMatch(answer.body.toString(), /signed\.example/)
      }
    }
  })

  test('a client that sends many requests and reads nothing is disconnected', async () => {
    for (const path of ['/mail/dane', '/mail/dane.js']) {
      const socket = await neverRead(port, path, 400)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      // To notice the end, it has to read.
      socket.resume()
      await closed
    }
    await until('the page', async () => (await ask('/mail/dane')).status === 200)
  })

  test('no secret of dane.ini is shown', async () => {
    const http = await freePort()
    const files = { 'http.ini': `listen=127.0.0.1:${http}` }
    const other = await laboratory.startRelay(
      'dane',
      { ...wantedRelease(), files },
      `${SECRETS}[status]\nenabled = yes\n`,
    )
    try {
      await deliver(other, `user@good.${PLACE.signed}`)
      for (const path of ['/dane', `/dane/good.${PLACE.signed}`, '/dane.json']) {
        const response = await fetch(`http://127.0.0.1:${http}${path}`)
        const text = await response.text()
        assert.equal(response.status, 200)
        if (!path.startsWith('/dane/')) assert.match(text, /redis/i)
        assert.doesNotMatch(text, /sesame/)
      }
    } finally {
      await other.stop()
    }
  })
})
