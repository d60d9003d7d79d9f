/** What the start warns of is in the log however many processes Haraka has. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'

let laboratory: Laboratory
before(async () => {
  const started = await startLaboratory(async (port) => [
    (await destination(port, await createAuthority(), 'good')).row,
  ])
  laboratory = started.laboratory
})
after(() => laboratory.stop())

const WARNINGS = [
  'tls.ini has mutual_tls and rejectUnauthorized: ',
  'outbound.ini has enable_tls=false: ',
  'metrics are counted but not served: ',
  'early may answer send_email before this plugin',
  'is trusted at an unprivileged port (trust = yes)',
]

for (const workers of [0, 1, 2]) {
  test(`nodes=${workers}: every warning of the start`, async () => {
    const relay = await laboratory.startRelay('dane', {
      workers,
      daneIni: '[metrics]\nenabled = yes\n',
      plugins: ['early', 'dane'],
      files: {
        'tls.ini': 'mutual_tls=true\nrejectUnauthorized=true\n',
        'outbound.ini': 'enable_tls=false\n',
      },
      ownPlugins: {
        early:
          "exports.register = function () { for (const hook of ['send_email', 'get_mx']) this.register_hook(hook, 'go', -200) }\n" +
          'exports.go = (next) => next()',
      },
    })
    try {
      for (const text of WARNINGS) await relay.logged(text)
      for (const text of WARNINGS) {
        const lines = relay.log().filter((line) => line.includes(text))
        assert.ok(
          lines.every((line) => line.startsWith('[WARN] [-] [dane] ')),
          lines.join('\n'),
        )
      }
    } finally {
      await relay.stop()
    }
  })
}
