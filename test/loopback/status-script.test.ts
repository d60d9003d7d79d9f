/**
 * The status page in a browser where a laboratory would take too long: thousands of
 * destinations whose names, hosts and replies are hostile, and a server that goes away.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Page, Request } from 'playwright-core'
import { until } from '../../lab/child.js'
import { startViewer, withoutBrowser } from '../support/browser.js'
import type { Viewer } from '../support/browser.js'
import { EVIL, layHostile, layOrdinary, reply } from '../support/status-facts.js'
import { startStatusServer } from '../support/status-server.js'
import type { StatusServer } from '../support/status-server.js'

describe('script of the status page', { skip: withoutBrowser }, () => {
  let viewer: Viewer
  let server: StatusServer
  before(async () => {
    viewer = await startViewer()
  })
  after(() => viewer.stop())
  beforeEach(async () => {
    server = await startStatusServer()
  })
  afterEach(() => server.stop())

  test('2,000 destinations of hostile text: the page has the elements that it always has', async (context) => {
    layOrdinary(server)
    await viewer.view(server.url, { hasClock: true }, async (page) => {
      const usual = new Set(MORE)
      for (const path of ['', '/waiting.example', '/nobody.example']) {
        await page.goto(server.url + path)
        for (const each of await shapes(page)) usual.add(each)
      }
      layHostile(server, COUNT)
      const found: string[] = []
      for (const from of [0, 1_000]) {
        const begun = performance.now()
        await page.goto(`${server.url}?limit=1000&from=${from}`)
        context.diagnostic(`1,000 rows loaded in ${Math.round(performance.now() - begun)} ms`)
        assert.equal(await rows(page), 1_000)
        await isOrdinary(page, usual)
        found.push(...(await links(page)))
      }
      for (const link of found) assert.match(link, /^\/dane(?:[/?.]|$)/)
      const details = found.filter((link) => link.startsWith('/dane/'))
      assert.equal(details.length, COUNT)

      // Every kind of name has its page.
      for (const link of details.slice(0, EVIL.length)) {
        const response = await fetch(new URL(link, server.url))
        assert.equal(response.status, 200, link)
        await page.evaluate(
          `document.documentElement.innerHTML = ${JSON.stringify(await response.text())}`,
        )
        await isOrdinary(page, usual)
      }
      const [first = ''] = details
      await page.goto(new URL(first, server.url).href)
      await isOrdinary(page, usual)
    })
  })

  /** It has no elements or attributes but the usual ones, and no text is hidden or reversed. */
  async function isOrdinary(page: Page, usual: ReadonlySet<string>): Promise<void> {
    const others = (await shapes(page)).filter((each) => !usual.has(each))
    assert.deepEqual(others, [])
    assert.doesNotMatch(String(await page.evaluate('document.body.innerText')), NOT_SHOWN)
  }

  /** Names of elements and attributes, as `a` and `a href`. */
  async function shapes(page: Page): Promise<readonly string[]> {
    const found: unknown = await page.evaluate(`[...new Set(
      [...document.querySelectorAll('*')].flatMap((each) => [
        each.localName, ...each.getAttributeNames().map((name) => each.localName + ' ' + name)
      ]))]`)
    assert.ok(Array.isArray(found))
    return found.map(String)
  }

  const rows = (page: Page): Promise<unknown> =>
    page.evaluate(`document.querySelectorAll('table.main tbody tr').length`)

  test('1,000 hostile rows that change, in an open page: filter and search work as before', async (context) => {
    layHostile(server, COUNT)
    await viewer.view(`${server.url}?limit=1000`, { hasClock: true }, async (page) => {
      await page.evaluate('window.isSame = true')
      const asked: string[] = []
      page.on('response', (response) => asked.push(response.url()))
      reply(server, COUNT, 'another')
      const begun = performance.now()
      await page.clock.runFor(5_000)
      await page.locator('main:has-text("another")').waitFor()
      context.diagnostic(`1,000 rows changed in ${Math.round(performance.now() - begun)} ms`)
      assert.equal(await rows(page), 1_000)
      await page.getByRole('searchbox').fill('<script>')
      await page.clock.runFor(300)
      await page.waitForURL(/q=%3Cscript%3E/)
      await page.locator('#count:has-text("of")').waitFor()
      await page.getByRole('link', { name: /^Held by DANE/ }).click()
      await page.waitForURL(/show=held/)
      assert.equal(await page.evaluate('window.isSame'), true)
      assert.ok(asked.every((url) => url.startsWith(server.url)))
    })
  })

  test('a server that goes away: the page says so, asks less and less often, and recovers by itself', async () => {
    layOrdinary(server)
    await viewer.view(server.url, { hasClock: true, mayFail: true }, async (page) => {
      await page.evaluate('window.isSame = true')
      let asked = 0
      let failed = 0
      // The browser may ask for the icon again, too.
      const isOfScript = (request: Request): boolean => request.resourceType() === 'fetch'
      page.on('request', (request) => (asked += Number(isOfScript(request))))
      page.on('requestfailed', (request) => (failed += Number(isOfScript(request))))
      const fresh = page.locator('.fresh p')
      assert.match(await fresh.innerText(), /^live, as of /)
      const as = (await fresh.innerText()).replace('live', '')
      await server.goAway()
      for (const [tries, seconds] of [5, 10, 20, 40, 60, 60].entries()) {
        await page.clock.runFor(seconds * 1_000 - 1_000)
        assert.equal(asked, tries, `before ${seconds} s`)
        await until('another try', async () => {
          if (asked === tries) await page.clock.runFor(100)
          return failed > tries
        })
        // The script has seen it too.
        await page.evaluate('0')
        await page.locator('.fresh p:has-text("not live")').waitFor()
      }
      assert.equal(await fresh.innerText(), `not live${as}`)
      assert.equal(await page.locator('#say').textContent(), 'The page is not live')
      // What was known stays.
      await page.getByRole('link', { name: 'waiting.example' }).waitFor()

      // Typing does not lose the page.
      await page.getByRole('searchbox').fill('open')
      await page.clock.runFor(300)
      await until('the search fails', () => failed === 7)
      await page.evaluate('0')
      assert.equal(await page.evaluate('window.isSame'), true)
      await page.getByRole('link', { name: 'waiting.example' }).waitFor()
      assert.equal(await fresh.innerText(), `not live${as}`)

      await server.comeBack()
      await until('another try', async () => {
        if (asked === 7) await page.clock.runFor(1_000)
        return asked === 8
      })
      await page.locator('.live').waitFor()
      assert.match(await fresh.innerText(), /^live, as of /)
      assert.match(page.url(), /\?q=open$/)
      assert.equal(await page.getByRole('link', { name: 'waiting.example' }).count(), 0)
      assert.equal(await page.locator('#say').textContent(), 'The page is live again')
      assert.equal(await page.evaluate('window.isSame'), true)
      await page.clock.runFor(5_100)
      await until('five seconds again', () => asked === 9)
    })
  })

  async function links(page: Page): Promise<readonly string[]> {
    const all: unknown = await page.evaluate(`[...document.querySelectorAll('main a')].map((each) =>
      each.origin === location.origin ? each.pathname + each.search : each.href)`)
    assert.ok(Array.isArray(all))
    return all.map(String)
  }
})

const COUNT = 2_000

/** Of a list with several pages, and of a page whose script has not run yet. */
const MORE = ['nav class', 'button hidden']

/** Controls, and formats that change the direction of text or hide it. */
const NOT_SHOWN = /\p{Cf}|(?![\n\t])\p{Cc}/u
