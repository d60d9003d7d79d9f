import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createStarttlsDialog, MAX_LINE, MAX_TOTAL } from '../../../src/session/starttls-dialog.js'

/** The steps for these chunks; the last one as text. */
function read(...chunks: readonly string[]): string {
  const dialog = createStarttlsDialog()
  let last = 'nothing'
  for (const chunk of chunks) {
    const step = dialog.read(Buffer.from(chunk, 'latin1'))
    last = step.kind === 'refuse' ? `${step.reason}: ${step.detail}` : step.kind
    if (step.kind === 'refuse' || step.kind === 'handshake') break
  }
  return last
}

const HELLO = '220 mx.example.org ESMTP\r\n'
const EHLO = '250-mx.example.org\r\n250-SIZE 1000\r\n250 STARTTLS\r\n'

describe('the only dialog that leads to TLS (RFC 3207 §4)', () => {
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ['in three replies', [HELLO, EHLO, '220 go ahead\r\n']],
    ['octet by octet', Array.from(HELLO + EHLO + '220 go\r\n')],
    ['a greeting of several lines', ['220-mx.example.org\r\n220 ready\r\n', EHLO, '220 go\r\n']],
    ['STARTTLS in small letters', [HELLO, '250-mx\r\n250-starttls\r\n250 OK\r\n', '220 go\r\n']],
    ['lines that end in LF alone', ['220 mx\n', '250-mx\n250 STARTTLS\n', '220 go\n']],
    ['STARTTLS answered in several lines', [HELLO, EHLO, '220-go\r\n220 ahead\r\n']],
    ['codes without text', ['220\r\n', '250-mx\r\n250-STARTTLS\r\n250\r\n', '220\r\n']],
    ['codes without text, as last lines', ['220-mx\r\n220\r\n', EHLO, '220-go\r\n220\r\n']],
    ['codes and a space', ['220 \r\n', '250-\r\n250-STARTTLS\r\n250 \r\n', '220 \r\n']],
    ['a space after STARTTLS', [HELLO, '250-mx\r\n250-STARTTLS \r\n250 OK \r\n', '220 go \r\n']],
    [
      'white space after STARTTLS in the last line',
      [HELLO, '250-mx\r\n250 STARTTLS \t\r\n', '220 go\r\n'],
    ],
    [
      'lines that end in CR CR LF',
      [HELLO, EHLO, '220 go\r\n'].map((each) => each.replaceAll('\r', '\r\r')),
    ],
    ['codes without text that end in CR CR LF', ['220\r\r\n', EHLO, '220\r\r\n']],
    ['codes without text, octet by octet', Array.from(`220\r\n${EHLO}220\r\n`)],
  ]
  for (const [circumstance, chunks] of ways) {
    test(circumstance, () => {
      // One chunk per reply, since the server has to wait for its client in between.
      assert.equal(read(...chunks), 'handshake')
    })
  }

  test('an incomplete reply is not refused', () => {
    assert.equal(read(HELLO.slice(0, -1)), 'continue')
    assert.equal(read(HELLO), 'turn')
    assert.equal(read(HELLO, EHLO), 'turn')
    assert.equal(read(HELLO, EHLO, '220 g'), 'continue')
  })
})

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['greeting 554', ['554 no mail here\r\n'], /^greeting-refused: 554 no mail here$/],
  ['greeting 421', ['421 later\r\n'], /^greeting-refused: /],
  ['greeting 354', ['354 go\r\n'], /^greeting-refused: /],
  ['greeting of another protocol', ['SSH-2.0-x\r\n'], /^protocol-violation: SSH/],
  ['EHLO 502 [DERIVED-tls-b]', [HELLO, '502 no\r\n'], /^ehlo-refused: 502 no$/],
  ['EHLO 421', [HELLO, '421 busy\r\n'], /^ehlo-refused: /],
  ['EHLO reply with different codes', [HELLO, '250-mx\r\n550 STARTTLS\r\n'], /^ehlo-refused: /],
  [
    'EHLO reply refused except in its last line',
    [HELLO, '550-no\r\n250 STARTTLS\r\n'],
    /^ehlo-refused: /,
  ],
  ['no STARTTLS [DERIVED-tls-b]', [HELLO, '250 mx\r\n'], /^starttls-not-offered: /],
  [
    'STARTTLS as part of a word',
    [HELLO, '250-STARTTLSX\r\n250 XSTARTTLS\r\n'],
    /^starttls-not-offered: /,
  ],
  ['STARTTLS with a parameter', [HELLO, '250 STARTTLS now\r\n'], /^starttls-not-offered: /],
  [
    'STARTTLS 454 [DERIVED-tls-b]',
    [HELLO, EHLO, '454 not now\r\n'],
    /^starttls-refused: 454 not now$/,
  ],
  ['STARTTLS 554', [HELLO, EHLO, '554 never\r\n'], /^starttls-refused: /],
  ['STARTTLS 250', [HELLO, EHLO, '250 ok\r\n'], /^starttls-refused: /],
  ['STARTTLS 221', [HELLO, EHLO, '221 bye\r\n'], /^starttls-refused: /],
  [
    'a line after 220 [DERIVED-tls-a]',
    [HELLO, EHLO, '220 go\r\n554 injected\r\n'],
    /^protocol-violation: data after the reply 220 go$/,
  ],
  [
    'an octet after 220 [DERIVED-tls-a]',
    [HELLO, EHLO, '220 go\r\n5'],
    /^protocol-violation: data after/,
  ],
  ['a line after the greeting', [`${HELLO}250 STARTTLS\r\n`], /^protocol-violation: data after/],
  ['a line after the EHLO reply', [HELLO, `${EHLO}220 go\r\n`], /^protocol-violation: data after/],
  ['a code without separator', ['220mx\r\n'], /^protocol-violation: 220mx$/],
  ['a code and a tab', ['220\tmx\r\n'], /^protocol-violation: 220/],
  ['554 without text', ['554\r\n'], /^greeting-refused: 554$/],
  [
    'a line after a greeting without text',
    ['220\r\n250 STARTTLS\r\n'],
    /^protocol-violation: data after the reply 220$/,
  ],
  [
    'STARTTLS after a code without text, which ends the reply',
    [HELLO, '250-mx\r\n250\r\n250 STARTTLS\r\n'],
    /^protocol-violation: data after the reply 250$/,
  ],
  [
    'a line after 220 without text [DERIVED-tls-a]',
    [HELLO, EHLO, '220\r\n554 injected\r\n'],
    /^protocol-violation: data after the reply 220$/,
  ],
  [
    'CR inside a line, which does not end it',
    [HELLO, '250-mx\r250-STARTTLS\r\n250 OK\r\n'],
    /^starttls-not-offered: /,
  ],
  ['an empty line', [HELLO, '\r\n'], /^protocol-violation: $/],
  ['a code of two digits', ['22 hi\r\n'], /^protocol-violation: /],
  ['a line that is too long', [`220 ${'x'.repeat(MAX_LINE)}\r\n`], /^protocol-violation: /],
  ['a line without end', ['220 ', 'x'.repeat(MAX_LINE)], /^protocol-violation: too much data$/],
  [
    'lines without end',
    [HELLO, ...Array.from({ length: 100 }, () => `250-${'x'.repeat(1000)}\r\n`)],
    /^protocol-violation: too much data$/,
  ],
]
for (const [circumstance, chunks, wanted] of refusals) {
  test(`refused before TLS: ${circumstance}`, () => {
    assert.match(read(...chunks), wanted)
  })
}

test('server text reaches the log as one printable line', () => {
  assert.equal(read('554 \u001b[31mred\u0007 \u00ff\r\n'), 'greeting-refused: 554 ?[31mred? ?')
})

test('after a refusal every call refuses', () => {
  const dialog = createStarttlsDialog()
  assert.equal(dialog.read(Buffer.from('554 no\r\n')).kind, 'refuse')
  assert.equal(dialog.read(Buffer.from(HELLO)).kind, 'refuse')
})

test('after the handshake has started nothing is accepted', () => {
  const dialog = createStarttlsDialog()
  for (const chunk of [HELLO, EHLO, '220 go\r\n']) dialog.read(Buffer.from(chunk))
  assert.equal(dialog.read(Buffer.from('250 ok\r\n')).kind, 'refuse')
})

test('a greeting of a gigabyte is not buffered', () => {
  const dialog = createStarttlsDialog()
  const chunk = Buffer.alloc(1024 * 1024, '220-x\r\n')
  let steps = 0
  while (dialog.read(chunk).kind !== 'refuse') steps++
  assert.ok(steps * chunk.length <= MAX_TOTAL + chunk.length)
})
