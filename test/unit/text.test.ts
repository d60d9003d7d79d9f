/** Text from outside becomes one line of ASCII that cannot pass for a line of this program. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { errorText, printable } from '../../src/text.js'

describe('printable', () => {
  const cases: readonly (readonly [circumstance: string, text: string, wanted: string])[] = [
    ['ASCII', '554 5.7.1 no ~', '554 5.7.1 no ~'],
    ['line breaks', 'a\r\nb\u2028c\u0085d', 'a??b?c?d'],
    ['escape codes and NUL', '\u001b[32mgreen\u0000\u007f', '?[32mgreen??'],
    ['beyond the BMP', 'a\u{1f512}b', 'a??b'],
    ['the phrase of a success', 'TLS success for bank.example', 'TLS_success for bank.example'],
    ['in any case', 'tls SUCCESS for x, Tls Success', 'tls_SUCCESS for x, Tls_Success'],
    ['more than one space between', 'TLS   success', 'TLS___success'],
    ['the words of a delivery', 'delivered  verified domain=x', 'delivered__verified domain=x'],
    ['inside a longer word', 'xTLS successful', 'xTLS_successful'],
    ['several times', 'TLS success TLS success', 'TLS_success TLS_success'],
    ['a whole forged log line', '[INFO] [-] [dane] TLS success', '[INFO] [-] [dane] TLS_success'],
    ['the phrase of a report', 'DANE SUCCESS for x', 'DANE_SUCCESS for x'],
    ['the other phrase of a report', 'DANE FAILED, dane failed', 'DANE_FAILED, dane_failed'],
    ['a longer part of a report', 'TLS connection succeeded x', 'TLS_connection_succeeded x'],
    ['the third phrase of a report', 'DANE UNDETERMINED for x', 'DANE_UNDETERMINED for x'],
    [
      'the certificate line of a report',
      'Certificate verification successful',
      'Certificate_verification_successful',
    ],
    ['non-ASCII between the words', 'TLS\u00a0success TLS\tsuccess', 'TLS?success TLS?success'],
    ['non-ASCII inside a word', 'TLS suc\u00adcess T\u200bLS success', 'TLS suc?cess T?LS success'],
    ['look-alike letters', 'TL\u0405 \u017fuccess', 'TL? ?uccess'],
  ]
  for (const [circumstance, text, wanted] of cases) {
    test(circumstance, () => {
      assert.equal(printable(text), wanted)
      assert.equal(printable(printable(text)), wanted)
      assert.equal(errorText(new Error(text)), wanted)
    })
  }

  test('cut at any length: never a forged phrase, never longer than requested', () => {
    const text = 'TLS success for TLS success for bank.example'
    for (let most = 0; most <= text.length; most++) {
      const cut = printable(text, most)
      assert.doesNotMatch(cut, /TLS success/)
      assert.ok(cut.length <= most + 3)
    }
  })
})
