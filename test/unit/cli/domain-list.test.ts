import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readDomainList } from '../../../src/cli/domain-list.js'
import type { ListLine } from '../../../src/cli/domain-list.js'

async function read(chunks: readonly Buffer[]): Promise<readonly string[]> {
  const lines: ListLine[] = []
  for await (const line of readDomainList(Readable.from(chunks))) lines.push(line)
  return lines.map((line) => (line.kind === 'domain' ? line.domain : `${line.line}: ${line.text}`))
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['nothing', '', []],
  ['no end of line at the end', 'a.example\nb.example', ['a.example', 'b.example']],
  [
    'CRLF, blank lines and spaces',
    ' a.example \r\n\r\n\t\r\nb.example\r\n',
    ['a.example', 'b.example'],
  ],
  ['a byte order mark', '\ufeffa.example\n', ['a.example']],
  [
    'comments, on their own line and after a name',
    '# one\na.example # two\n  # three\n',
    ['a.example'],
  ],
  [
    'any case, U-labels and a final dot',
    'A.Example.\nbücher.example',
    ['a.example', 'xn--bcher-kva.example'],
  ],
  [
    'a line that is not a domain is reported with its number',
    'a.example\n\n192.0.2.1\nuser@b.example\n.\nc.example',
    ['a.example', '3: 192.0.2.1', '4: user@b.example', '5: .', 'c.example'],
  ],
  ['an escape sequence', '\u001b[31m\u0007\n', ['1: ?[31m?']],
  ['invalid UTF-8', 'a\u0000b.example\n', ['1: a?b.example']],
]
for (const [circumstance, text, wanted] of cases) {
  test(`a list: ${circumstance}`, async () => {
    assert.deepEqual(await read([Buffer.from(text)]), wanted)
    // However the input is split into chunks.
    const octets = [...Buffer.from(text)].map((octet) => Buffer.from([octet]))
    assert.deepEqual(await read(octets), wanted)
  })
}

test('an endless line is not kept in memory', async () => {
  setFlagsFromString('--expose-gc')
  const chunk = Buffer.alloc(65_536, 'a')
  let peak = 0
  function* endless(): Generator<Buffer> {
    for (let count = 0; count < 4096; count++) {
      if (count % 512 === 0) {
        // Only what is still held counts, not what the collector has not come to.
        runInNewContext('gc()')
        peak = Math.max(peak, process.memoryUsage().arrayBuffers)
      }
      yield Buffer.from(chunk)
    }
    yield Buffer.from('\nb.example\n')
  }
  const lines: ListLine[] = []
  for await (const line of readDomainList(Readable.from(endless()))) lines.push(line)
  assert.deepEqual(
    lines.map(({ kind }) => kind),
    ['bad', 'domain'],
  )
  // 256 MB went through.
  assert.ok(peak < 64_000_000, `${peak} octets`)
})
