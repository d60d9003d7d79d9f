/**
 * Chromium, for the tests of the status page.
 *
 * Every page notes what must not happen: a request to elsewhere, a violation of the
 * content security policy, an error of a script, a dialog.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'
import { ROOT } from '../../lab/root.js'

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (each) => existsSync(each),
)

/** For node:test: why tests with a browser are skipped; false if they are not. */
export const withoutBrowser =
  PROGRAM === undefined && 'chromium is not installed: apt-get install chromium'

const ARGUMENTS = [
  '--headless',
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
  readonly hasScripts?: boolean
  readonly isMotionReduced?: boolean
}

/** A page at `url`; fails if something happened that must not. */
export async function withPage(
  url: string,
  { scheme = 'light', width = 1280, height = 900, hasScripts = true, isMotionReduced }: Look,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dane-browser-'))
  let context: BrowserContext | undefined
  try {
    context = await chromium.launchPersistentContext(folder, {
      executablePath: PROGRAM ?? '',
      args: ARGUMENTS,
      headless: true,
      colorScheme: scheme,
      reducedMotion: isMotionReduced ? 'reduce' : 'no-preference',
      javaScriptEnabled: hasScripts,
      viewport: { width, height },
    })
    context.setDefaultTimeout(60_000)
    const page = context.pages()[0] ?? (await context.newPage())
    const faults = watch(page, new URL(url).origin)
    await page.goto(url)
    await work(page)
    assert.deepEqual(faults, [])
  } finally {
    await context?.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

function watch(page: Page, origin: string): readonly string[] {
  const faults: string[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request to ${request.url()}`)
    if (request.method() !== 'GET') faults.push(`${request.method()} ${request.url()}`)
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('dialog', (dialog) => {
    faults.push(`dialog ${dialog.message()}`)
    dialog.dismiss().catch(() => undefined)
  })
  page.on('console', (message) => {
    // A page that is not found is one of ours.
    if (message.text().includes('status of 404')) return
    if (message.text().includes('status of 503')) return
    faults.push(`console: ${message.text()}`)
  })
  return faults
}

/** What axe-core finds serious or critical. It is run by the debugger, so the policy of the page does not apply to it. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  const file = createRequire(path.join(ROOT, 'package.json')).resolve('axe-core')
  const run = `${readFileSync(file, 'utf8')}
axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary).join('; ')))`
  const found: unknown = await page.evaluate(run)
  assert.ok(Array.isArray(found))
  return found.map(String)
}

/** Into build/screenshots, to be looked at after the run. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = path.join(ROOT, 'build/screenshots')
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true })
}
