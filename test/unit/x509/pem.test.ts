import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mint } from '../../../lab/certificates.js'
import { areCertificates } from '../../../src/x509/pem.js'

/** Contents of a file, made from a good certificate and a damaged one. */
const cases: readonly (readonly [string, (pem: string, damaged: string) => string, boolean])[] = [
  ['one certificate', (pem) => pem, true],
  ['two, with text in between', (pem) => `${pem}\nthe other one:\n${pem}`, true],
  ['lines that end in CR LF', (pem) => pem.replaceAll('\n', '\r\n'), true],
  ['an empty file', () => '', false],
  ['a blank line', () => '\n', false],
  ['other text', () => 'hello\n', false],
  ['a key', (pem) => pem.replaceAll('CERTIFICATE', 'PRIVATE KEY'), false],
  ['a damaged certificate', (_, damaged) => damaged, false],
  ['a good one and a damaged one', (pem, damaged) => `${pem}\n${damaged}`, false],
  ['a good one and a truncated one', (pem) => `${pem}\n${pem.slice(0, 200)}`, false],
  ['a truncated one and then a good one', (pem) => `${pem.slice(0, 200)}\n${pem}`, false],
]

for (const [circumstance, compose, wanted] of cases) {
  test(`a file of CA certificates: ${circumstance}`, async () => {
    const { pem } = await mint({ subject: 'CN=ca', isCa: true })
    const damaged = pem.replace(/(?<=-----\n).{8}/, 'AAAAAAAA')
    assert.notEqual(damaged, pem)
    assert.equal(areCertificates(compose(pem, damaged)), wanted)
  })
}
