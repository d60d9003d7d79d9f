/**
 * The status page of a real Haraka with two workers, in a real browser: destinations in all
 * states, with and without scripts, by keyboard, live, and with texts of a hostile host.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { until } from '../../lab/child.js'
import { PLACE } from '../../lab/rows.js'
import { deliver } from '../support/relays.js'
import {
  screenshot,
  seriousFindings,
  setLook,
  startViewer,
  withoutBrowser,
} from '../support/browser.js'
import type { Look, Viewer } from '../support/browser.js'
import { field } from '../support/status.js'
import { startStatusWorld } from '../support/status-world.js'
import type { StatusWorld } from '../support/status-world.js'

const STATES = {
  [`verified.${PLACE.signed}`]: 'verified',
  [`mismatch.${PLACE.signed}`]: 'held',
  [`bogus.${PLACE.signed}`]: 'held',
  [`fixed.${PLACE.signed}`]: 'held',
  [`grey.${PLACE.signed}`]: 'verified',
  [`plain.${PLACE.unsigned}`]: 'no DANE',
  [`unusable.${PLACE.signed}`]: 'encrypted only',
  [`exempt.${PLACE.unsigned}`]: 'not enforced',
  [`strict.${PLACE.signed}`]: 'held',
  [`early.${PLACE.signed}`]: 'not yet known',
  [`hostile.${PLACE.signed}`]: 'held',
  [`endless.${PLACE.signed}`]: 'held',
}

const MISMATCH = `mismatch.${PLACE.signed}`
const FIXED = `fixed.${PLACE.signed}`

const LOOKS: Readonly<Record<string, Look>> = {
  light: {},
  dark: { scheme: 'dark' },
  wide: { width: 1800 },
  narrow: { width: 390, height: 844, isMotionReduced: true },
}

describe('status page', { skip: withoutBrowser }, () => {
  let world: StatusWorld
  let viewer: Viewer
  before(async () => {
    world = await startStatusWorld()
    viewer = await startViewer()
  })
  after(async () => {
    await viewer.stop()
    await world.stop()
  })

  const view = (look: Look, work: (page: Page) => Promise<void>): Promise<void> =>
    viewer.view(world.url, look, work)

  /** Destination to the word in its row. */
  async function shown(page: Page): Promise<Readonly<Record<string, string>>> {
    const rows: unknown = await page.evaluate(`
      [...document.querySelectorAll('table.main tbody tr')].map((row) =>
        [row.querySelector('th a').innerText, row.querySelector('.tag').innerText])`)
    assert.ok(Array.isArray(rows))
    return Object.fromEntries(rows.map((row) => [String(field(row, '0')), String(field(row, '1'))]))
  }

  const names = async (page: Page): Promise<readonly string[]> => Object.keys(await shown(page))

  const pathOf = (page: Page): string => page.url().slice(new URL(page.url()).origin.length)

  /** In each look: nothing serious for axe-core, no text out of the window. */
  async function looksWell(page: Page, picture: string): Promise<void> {
    for (const [name, look] of Object.entries(LOOKS)) {
      await setLook(page, look)
      assert.deepEqual(await seriousFindings(page), [], name)
      await screenshot(page, `${picture}-${name}`)
      await fits(page)
    }
  }

  test('all states; in all looks nothing serious for axe-core, no text out of the window', async () => {
    await view({}, async (page) => {
      const sorted = (of: object): unknown => Object.entries(of).sort()
      assert.deepEqual(sorted(await shown(page)), sorted(STATES))
      await looksWell(page, 'status-list')
      await page.goto(`${world.url}/${MISMATCH}`)
      await looksWell(page, 'status-destination')
    })
  })

  async function fits(page: Page): Promise<void> {
    const width = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    assert.ok(Number(width) <= 0, `${String(width)} px out of the window`)
  }

  for (const hasScripts of [true, false]) {
    test(`${hasScripts ? 'with' : 'without'} scripts: filter, sort, search, details, back`, async () => {
      await view({ hasScripts }, async (page) => {
        if (hasScripts) await page.evaluate('window.isSame = true')
        await page.getByRole('link', { name: /^Held by DANE/ }).click()
        await page.waitForURL(/show=held/)
        await page.locator('[aria-current="true"]:has-text("Held")').waitFor()
        const held = Object.entries(STATES).filter(([, word]) => word === 'held')
        assert.deepEqual((await names(page)).toSorted(), held.map(([each]) => each).toSorted())

        await page.getByRole('columnheader', { name: 'Destination' }).getByRole('link').click()
        await page.waitForURL(/sort=destination/)
        await page.locator('th[aria-sort="ascending"]:has-text("Destination")').waitFor()
        assert.deepEqual(await names(page), held.map(([each]) => each).toSorted())
        await page.getByRole('columnheader', { name: 'Destination' }).getByRole('link').click()
        await page.locator('th[aria-sort="descending"]:has-text("Destination")').waitFor()
        assert.deepEqual(
          await names(page),
          held
            .map(([each]) => each)
            .toSorted()
            .toReversed(),
        )

        // By the name of its second MX host.
        await page.getByRole('searchbox').fill(`mx2-mismatch`)
        if (!hasScripts) await page.getByRole('button', { name: 'Find' }).click()
        await page.waitForURL(/q=mx2-mismatch/)
        await page.locator('#count:has-text("1 of")').waitFor()
        assert.deepEqual(await names(page), [MISMATCH])
        const list = pathOf(page)

        await page.getByRole('link', { name: MISMATCH }).click()
        await page.getByRole('heading', { level: 1, name: MISMATCH }).waitFor()
        assert.match(pathOf(page), /^\/dane\/mismatch\.signed\.example\?/)
        const text = await page.locator('main').innerText()
        for (const wanted of [
          'Held by DANE: certificate-mismatch',
          `mx-mismatch.${PLACE.signed}`,
          `mx2-mismatch.${PLACE.signed}`,
          '3 1 1 ',
          'the default: no line of dane.ini says otherwise',
          `haraka-dane verify ${MISMATCH}`,
        ]) {
          assert.ok(text.includes(wanted), `${wanted} in ${text}`)
        }
        await page.goBack()
        await page.getByRole('heading', { level: 1, name: 'Delivery status' }).waitFor()
        assert.equal(pathOf(page), list)
        assert.deepEqual(await names(page), [MISMATCH])
        assert.equal(await page.getByRole('searchbox').inputValue(), 'mx2-mismatch')
        await page.goForward()
        await page.getByRole('heading', { level: 1, name: MISMATCH }).waitFor()
        await page.getByRole('link', { name: 'All destinations' }).click()
        await page.getByRole('heading', { level: 1, name: 'Delivery status' }).waitFor()
        assert.equal(pathOf(page), list)
        if (hasScripts) assert.equal(await page.evaluate('window.isSame'), true)
      })
    })
  }

  test('a policy of dane.ini is shown with its line, and an unknown domain has a page', async () => {
    await view({}, async (page) => {
      await page.goto(`${world.url}/strict.${PLACE.signed}`)
      const text = await page.locator('main').innerText()
      assert.match(text, /mandatory, by line \d+ of dane\.ini: strict\.signed\.example = mandatory/)
      assert.match(text, /no-tlsa-record/)
      const response = await page.goto(`${world.url}/unknown.example`)
      assert.equal(response?.status(), 404)
      await page.getByRole('heading', { name: 'Nothing is known of unknown.example' }).waitFor()
      assert.deepEqual(await seriousFindings(page), [])
      await page.goto(`${world.url}?q=no-such-host`)
      await page.getByRole('heading', { name: 'Nothing found' }).waitFor()
    })
  })

  test('by keyboard alone: filter, open a destination, return to its row', async () => {
    await view({}, async (page) => {
      const focused = async (): Promise<string> =>
        String(await page.evaluate('document.activeElement.textContent.trim()'))
      const tabTo = async (wanted: RegExp): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          if (wanted.test(await focused())) return
          await page.keyboard.press('Tab')
        }
        assert.fail(`${String(wanted)} is not reached by Tab`)
      }
      await page.keyboard.press('Tab')
      assert.equal(await focused(), 'Skip to the content')
      await tabTo(/^Held by DANE/)
      await page.keyboard.press('Enter')
      await page.waitForURL(/show=held/)
      await page.locator('[aria-current="true"]:has-text("Held")').waitFor()
      // The link keeps the focus.
      assert.match(await focused(), /^Held by DANE/)
      await tabTo(new RegExp(`^${MISMATCH.replaceAll('.', '\\.')}$`))
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
      assert.equal(outline, 'solid')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: MISMATCH }).waitFor()
      assert.equal(await focused(), MISMATCH)
      // What Alt and the left arrow do; without a window Chromium has no such keys.
      await page.goBack()
      await page.getByRole('heading', { level: 1, name: 'Delivery status' }).waitFor()
      await until('the focus', async () => (await focused()) === MISMATCH)
    })
  })

  /** What the script does after so many seconds, however fast this machine is. */
  const pass = (page: Page, seconds: number): Promise<void> => page.clock.runFor(seconds * 1_000)

  test('live: a destination changes from held to verified in the open page, and the focus stays', async () => {
    await view({ hasClock: true }, async (page) => {
      await page.evaluate('window.isSame = true')
      const row = page.locator('tr', { has: page.getByRole('link', { name: FIXED }) })
      assert.equal(await row.locator('.tag').innerText(), 'held')
      await page.getByRole('link', { name: FIXED }).focus()
      const host = world.laboratory.hosts.get(`mx-${FIXED}`)
      assert.ok(host)
      host.misbehave(undefined)
      await deliver(world.relay, `another@${FIXED}`)
      await pass(page, 6)
      await row.locator('.tag:has-text("verified")').waitFor()
      assert.equal(await page.evaluate('window.isSame'), true)
      assert.equal(await page.evaluate('document.activeElement.textContent'), FIXED)
      assert.match(await page.locator('.fresh').innerText(), /live, as of/)
      const said = await page.locator('#say').textContent()
      assert.match(said ?? '', /^Held by DANE: \d/)
    })
  })

  test('paused, the page stays as it is; resumed, it is live again', async () => {
    await view({ hasClock: true }, async (page) => {
      await page.getByRole('button', { name: 'Pause' }).click()
      const as = await page.locator('.fresh').innerText()
      assert.match(as, /paused, as of/)
      const asked: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      await page.clock.fastForward(300_000)
      assert.deepEqual(asked, [])
      assert.equal(await page.locator('.fresh').innerText(), as)
      await page.getByRole('button', { name: 'Resume' }).click()
      await page.getByRole('button', { name: 'Pause' }).waitFor()
      await page.locator('.fresh:has-text("live, as of")').waitFor()
      assert.equal(asked.length, 1)
      await until('another request', async () => {
        await pass(page, 1)
        return asked.length === 2
      })
    })
  })

  test('texts of a hostile host are text: no script, no element, no direction of theirs', async () => {
    await view({}, async (page) => {
      for (const label of ['hostile', 'endless']) {
        await page.goto(`${world.url}/${label}.${PLACE.signed}`)
        await page.getByRole('heading', { level: 1 }).waitFor()
        assert.equal(await page.locator('body script, main img, main svg, main style').count(), 0)
        const text = await page.locator('body').innerText()
        assert.match(text, /<script>alert\(1\)<\/script>/)
        assert.doesNotMatch(text, /\p{Cf}|(?![\n\t])\p{Cc}/u)
        assert.ok(text.length < 5_000, text)
        await fits(page)
        await screenshot(page, `status-destination-${label}`)
      }
      await page.goto(world.url)
      await fits(page)
    })
  })
})
