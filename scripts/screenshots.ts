/**
 * `npm run screenshots`: the picture in docs/status.md, from the laboratory.
 *
 * A real Haraka with a destination in each state, and its page in Chromium.
 */
import path from 'node:path'
import { ROOT } from '../lab/root.js'
import { startViewer } from '../test/support/browser.js'
import { startStatusWorld } from '../test/support/status-world.js'
import { runCommand } from './run-command.js'

runCommand(main)

async function main(): Promise<number> {
  const world = await startStatusWorld()
  const viewer = await startViewer()
  try {
    const size = { width: 1200, height: 720 }
    await viewer.view(`${world.url}?sort=dane`, size, async (page) => {
      const file = path.join(ROOT, 'docs/status.png')
      await page.locator('.live').waitFor()
      await page.screenshot({ path: file })
      console.log(file)
    })
    return 0
  } finally {
    await viewer.stop()
    await world.stop()
  }
}
