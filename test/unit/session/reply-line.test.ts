/** One line of an SMTP reply, as parsed here and by Haraka. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ROOT } from '../../../lab/root.js'
import { plainReplyLine, readReplyLine } from '../../../src/session/reply-line.js'

/** The expression with which the installed Haraka parses lines; it is not exported. */
function harakaExpression(): RegExp {
  const file = path.join(ROOT, 'node_modules/haraka/outbound/hmail.js')
  const [, source] = /const smtp_regexp = \/(.*)\/;?\n/.exec(readFileSync(file, 'utf8')) ?? []
  assert.ok(source)
  return new RegExp(source)
}

describe('a line of a reply (RFC 5321 §4.2)', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['a code and text', '220 mx ESMTP\r\n', '220 mx ESMTP\r\n'],
    ['a code without text', '220\r\n', '220 \r\n'],
    ['a code and a space', '220 \r\n', '220 \r\n'],
    ['a line that is not the last', '250-mx\r\n', '250-mx\r\n'],
    ['a line without text that is not the last', '250-\r\n', '250-\r\n'],
    ['a space after a keyword', '250-STARTTLS \r\n', '250-STARTTLS\r\n'],
    ['a tab after a keyword', '250 STARTTLS\t\r\n', '250 STARTTLS\r\n'],
    ['CR CR LF', '250-STARTTLS\r\r\n', '250-STARTTLS\r\n'],
    ['CR CR LF after a code', '250\r\r\n', '250 \r\n'],
    ['LF alone', '250 ok\n', '250 ok\r\n'],
    ['spaces inside the text', '250  a  b\r\n', '250  a  b\r\n'],
  ]
  for (const [circumstance, line, plain] of cases) {
    test(circumstance, () => {
      assert.equal(plainReplyLine(line), plain)
      assert.deepEqual(readReplyLine(line), readReplyLine(plain))
      assert.equal(readReplyLine(line).kind, 'reply-line')
    })
  }

  for (const line of [
    '22\r\n',
    '2200\r\n',
    '220x\r\n',
    '220_mx\r\n',
    '199 x\r\n',
    ' 220\r\n',
    '\r\n',
  ]) {
    test(`not a reply, so left unchanged: ${JSON.stringify(line)}`, () => {
      assert.equal(readReplyLine(line).kind, 'unreadable')
      assert.equal(plainReplyLine(line), line)
    })
  }
})

test('Haraka parses each line as this reader does', () => {
  const haraka = harakaExpression()
  const text = fc.string({
    unit: fc.constantFrom(' ', '\t', '\r', '-', '#', '2', '5', '.', 'S', '\xe9', '\x00'),
    maxLength: 12,
  })
  const code = fc.constantFrom('220', '250', '454', '554', '2500', '199', '25')
  fc.assert(
    fc.property(code, fc.constantFrom('', ' ', '-', '\t'), text, (digits, separator, rest) => {
      const line = `${digits}${separator}${rest}\r\n`
      const read = readReplyLine(line)
      const plain = plainReplyLine(line)
      assert.ok(plain.endsWith('\n') && plain.indexOf('\n') === plain.length - 1)
      const [, theirs, follows] = haraka.exec(plain) ?? []
      if (read.kind === 'unreadable') return
      assert.deepEqual([theirs, follows === ' '], [read.code, read.isLast])
    }),
    { numRuns: 2000 },
  )
})
