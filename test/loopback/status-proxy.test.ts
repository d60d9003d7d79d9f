/**
 * The delivery status behind nginx and Caddy, configured as docs/install.md says: a password
 * is asked for, the page works, and the name is checked.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import { freePort } from '../../lab/free-port.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { startViewer, withoutBrowser } from '../support/browser.js'
import type { Viewer } from '../support/browser.js'
import { blocksOf, pageText } from '../support/pages.js'
import {
  ask,
  PASSWORD,
  PROXY_NAME,
  startCaddy,
  startNginx,
  USER,
  without,
} from '../support/proxies.js'
import type { Program, Proxy } from '../support/proxies.js'
import { deliver } from '../support/relays.js'

const BAD = `bad.${PLACE.signed}`
const PROGRAMS: readonly Program[] = ['nginx', 'caddy']
const skip = PROGRAMS.every((each) => without(each) !== false) && without('nginx')

describe('delivery status behind a proxy', { skip }, () => {
  let laboratory: Laboratory
  let viewer: Viewer | undefined
  const proxies = new Map<Program, Proxy>()
  const portOf = (program: Program): number => proxies.get(program)?.port ?? 0

  before(async () => {
    laboratory = await startDestinations({ bad: { tlsa: 'wrong' } })
    const haraka = `127.0.0.1:${await freePort()}`
    const options = blocksOf(pageText('docs/install.md'), 'ini').find((each) =>
      each.startsWith('[status]'),
    )
    const files = { 'http.ini': `listen=${haraka}` }
    const relay = await laboratory.startRelay('dane', { files }, options)
    const { guests } = laboratory
    // The same page below another prefix.
    const below = `location /mail/ { proxy_pass http://${haraka}/; proxy_set_header Host $host; }`
    if (!without('nginx')) proxies.set('nginx', await startNginx(guests, haraka, below))
    if (!without('caddy')) proxies.set('caddy', await startCaddy(guests, haraka))
    if (!withoutBrowser) {
      viewer = await startViewer([`--host-resolver-rules=MAP ${PROXY_NAME} 127.0.0.1`])
    }
    await deliver(relay, `user@${BAD}`)
  })
  after(async () => {
    await viewer?.stop()
    for (const { child } of proxies.values()) await child.stop()
    await laboratory.stop()
  })

  for (const program of PROGRAMS) {
    test(
      `${program}: a password is asked for, then all of the page is there`,
      { skip: without(program) },
      async () => {
        const port = portOf(program)
        const paths = ['/dane', `/dane/${BAD}`, '/dane.json', '/dane.css', '/dane.js', '/dane.svg']
        for (const path of paths) {
          for (const guess of [{}, { password: 'wrong' }]) {
            const refused = await ask(port, path, guess)
            assert.equal(refused.status, 401, path)
            assert.match(String(refused.headers['www-authenticate']), /^Basic /)
            assert.ok(!refused.body.includes(BAD))
          }
          const { status, headers } = await ask(port, path, { password: PASSWORD })
          assert.equal(status, 200, path)
          assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
          assert.equal(headers['cache-control'], 'no-store')
        }
        const { body } = await ask(port, '/dane', { password: PASSWORD })
        assert.ok(body.includes(BAD))
        const slash = await ask(port, '/dane/', { password: PASSWORD })
        assert.equal(slash.status, 308)
        assert.equal(slash.headers.location, '../dane')
      },
    )

    test(`${program}: no page under another name`, { skip: without(program) }, async () => {
      const host = 'attacker.example'
      const answer = await ask(portOf(program), '/dane', { password: PASSWORD, host })
      assert.ok(!answer.body.includes(BAD))
      // Caddy has no site of this name, and passes nothing on.
      if (program === 'nginx') assert.equal(answer.status, 421)
    })
  }

  const PAGES: readonly (readonly [Program, string])[] = [
    ['nginx', '/dane'],
    ['nginx', '/mail/dane'],
    ['caddy', '/dane'],
  ]
  for (const [program, path] of PAGES) {
    test(
      `${program}, ${path}: live in a browser, with a page for each destination`,
      { skip: without(program) || withoutBrowser },
      async () => {
        const url = `https://${PROXY_NAME}:${portOf(program)}${path}`
        const credentials = { username: USER, password: PASSWORD }
        await viewer?.view(url, { hasClock: true, credentials }, async (page) => {
          const answers: string[] = []
          page.on('response', (response) => {
            answers.push(`${response.status()} ${response.url()}`)
          })
          await page.clock.runFor(6_000)
          await until('an update', () => answers.includes(`200 ${url}`))
          await page.getByRole('link', { name: BAD }).click()
          await page.getByRole('heading', { level: 1, name: BAD }).waitFor()
          assert.equal(page.url(), `${url}/${BAD}`)
          await page.reload()
          await page.getByRole('heading', { level: 1, name: BAD }).waitFor()
          assert.equal(await page.evaluate('getComputedStyle(document.body).margin'), '0px')
          await page.getByRole('link', { name: 'All destinations' }).click()
          await page.getByRole('heading', { level: 1, name: 'Delivery status' }).waitFor()
          assert.equal(page.url(), url)
          const json = await page.getByRole('link', { name: 'JSON' }).getAttribute('href')
          assert.equal(new URL(json ?? '', url).href, `${url}.json`)
        })
      },
    )
  }
})
