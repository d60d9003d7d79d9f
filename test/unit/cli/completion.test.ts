/** The man page and the completion of shells know every command and option, as the parser does. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../../lab/root.js'
import { COMMANDS, OPTIONS } from '../../../src/cli/command-options.js'
import { completionScript } from '../../../src/cli/completion.js'
import { helpOf } from '../../../src/cli/help.js'

const page = readFileSync(path.join(ROOT, 'man/haraka-dane.1'), 'utf8').replaceAll('\\-', '-')

for (const command of COMMANDS) {
  test(`${command}: its options are in the help and on the man page`, () => {
    assert.ok(page.includes(`haraka-dane ${command}`), command)
    for (const option of Object.keys(OPTIONS[command])) {
      assert.ok(page.includes(`--${option}`), `${option} on the man page`)
      assert.ok(helpOf(command).includes(`--${option}`), `${option} in the help`)
    }
  })
}

function complete(...words: readonly string[]): readonly string[] {
  const list = words.map((word) => `'${word}'`).join(' ')
  const script = `${completionScript('bash')}
COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _haraka_dane; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout.trim().split('\n')
}

test('bash completes commands, options, and the values that are words', () => {
  assert.deepEqual(complete('haraka-dane', 'ver'), ['verify'])
  assert.deepEqual(complete('haraka-dane', 'verify', '--no'), ['--no-connect'])
  assert.deepEqual(complete('haraka-dane', 'verify', '--policy', 'm'), ['mandatory'])
  assert.deepEqual(complete('haraka-dane', 'cache', 'p'), ['purge'])
  assert.deepEqual(complete('haraka-dane', 'tlsrpt', 'p'), ['preview'])
})

test('zsh, and a shell that is not known', () => {
  assert.match(completionScript('zsh'), /^#compdef haraka-dane\n.*bashcompinit/)
  assert.throws(() => completionScript('fish'), /expected completion bash or completion zsh/)
})
