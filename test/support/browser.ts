/**
 * Chromium, for the tests of the status page.
 *
 * Every page notes what must not happen: a request to elsewhere, a violation of the
 * content security policy, an error of a script, a dialog.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { chromium } from 'playwright-core'
import type { Page } from 'playwright-core'
import { ROOT } from '../../lab/root.js'

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (each) => existsSync(each),
)

/** For node:test: why tests with a browser are skipped; false if they are not. */
export const withoutBrowser =
  PROGRAM === undefined && 'chromium is not installed: apt-get install chromium'

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export type Look = {
  readonly scheme?: 'light' | 'dark'
  readonly width?: number
  readonly height?: number
  readonly isMotionReduced?: boolean
  /** Only of a new page. */
  readonly hasScripts?: boolean
  /** Only of a new page: its timers run only when the test says so (`page.clock`). */
  readonly hasClock?: boolean
  /** The server goes away while the page is open. */
  readonly mayFail?: boolean
  /** For a server with a password, whose certificate no known CA has signed. */
  readonly credentials?: { readonly username: string; readonly password: string }
}

export type Viewer = {
  /** A page at `url`; fails if something happened that must not. */
  readonly view: (url: string, look: Look, work: (page: Page) => Promise<void>) => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * One browser; each view has a context of its own, which shares nothing with the others.
 *
 * @param more arguments of the program
 */
export async function startViewer(more: readonly string[] = []): Promise<Viewer> {
  const browser = await chromium.launch({
    executablePath: PROGRAM ?? '',
    args: [...ARGUMENTS, ...more],
    headless: true,
  })
  return {
    async view(url, look, work) {
      const { credentials } = look
      const context = await browser.newContext({
        javaScriptEnabled: look.hasScripts ?? true,
        ...(credentials && { httpCredentials: credentials, ignoreHTTPSErrors: true }),
      })
      try {
        context.setDefaultTimeout(60_000)
        const page = await context.newPage()
        await setLook(page, look)
        if (look.hasClock) {
          await page.clock.install({ time: 0 })
          await page.clock.pauseAt(1_000)
        }
        const faults = watch(page, new URL(url).origin, look.mayFail ?? false)
        await page.goto(url)
        await work(page)
        assert.deepEqual(faults, [])
      } finally {
        await context.close()
      }
    },
    stop: () => browser.close(),
  }
}

/** Also of a page that is open. */
export async function setLook(
  page: Page,
  { scheme = 'light', width = 1280, height = 900, isMotionReduced = false }: Look,
): Promise<void> {
  await page.setViewportSize({ width, height })
  await page.emulateMedia({
    colorScheme: scheme,
    reducedMotion: isMotionReduced ? 'reduce' : 'no-preference',
  })
}

function watch(page: Page, origin: string, mayFail: boolean): readonly string[] {
  const faults: string[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request to ${request.url()}`)
    if (request.method() !== 'GET') faults.push(`${request.method()} ${request.url()}`)
  })
  page.on('response', (response) => {
    // A page that is not found, or not available, is one of ours.
    const isPage = ['document', 'fetch'].includes(response.request().resourceType())
    if (!isPage && response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('dialog', (dialog) => {
    faults.push(`dialog ${dialog.message()}`)
    dialog.dismiss().catch(() => undefined)
  })
  page.on('console', (message) => {
    if (message.text().includes('status of 404')) return
    if (message.text().includes('status of 503')) return
    if (mayFail && message.text().includes('net::ERR_CONNECTION_')) return
    faults.push(`console: ${message.text()}`)
  })
  return faults
}

/** What axe-core finds serious or critical. It is run by the debugger, so the policy of the page does not apply to it. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(AXE)
  const found: unknown =
    await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary).join('; ')))`)
  assert.ok(Array.isArray(found))
  return found.map(String)
}

const AXE = readFileSync(createRequire(path.join(ROOT, 'package.json')).resolve('axe-core'), 'utf8')

/** Into build/screenshots, to be looked at after the run. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = path.join(ROOT, 'build/screenshots')
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true })
}
