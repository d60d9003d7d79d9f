/** Reports as mail, read and verified by libraries that others wrote. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import PostalMime from 'postal-mime'
import { composeMail } from '../../../src/tlsrpt/compose-mail.js'
import type { MailParts } from '../../../src/tlsrpt/compose-mail.js'
import { toReport } from '../../../src/tlsrpt/report.js'
import { verifyDkim } from '../../support/dkim.js'
import { counts, dkimPair, REPORTER } from '../../support/report-samples.js'

const pair = dkimPair()
const given = counts('example.com')
const { json } = toReport(given, REPORTER)

const parts = (more: Partial<MailParts> = {}): MailParts => ({
  ...REPORTER,
  counts: given,
  json,
  to: 'reports@example.com',
  dkimKey: pair.pem,
  dkimSelector: 'tls1',
  at: Date.parse('2026-03-02T01:02:03Z'),
  ...more,
})

describe('RFC 8460 §5.3: a report as mail', () => {
  test('has the header fields of the RFC', async () => {
    const mail = await PostalMime.parse(await composeMail(parts()))
    const field = (key: string) =>
      mail.headers.filter((each) => each.key === key).map(({ value }) => value)
    assert.deepEqual(field('tls-report-domain'), ['example.com'])
    assert.deepEqual(field('tls-report-submitter'), ['relay.example'])
    assert.deepEqual(field('tls-required'), ['No'])
    assert.deepEqual(field('auto-submitted'), ['auto-generated'])
    assert.deepEqual(field('subject'), [
      'Report Domain: example.com Submitter: relay.example Report-ID: <20260301.example.com@relay.example>',
    ])
    assert.deepEqual(field('date'), ['Mon, 02 Mar 2026 01:02:03 +0000'])
    assert.match(field('content-type')[0] ?? '', /^multipart\/report; report-type="?tlsrpt"?;/)
    assert.equal(mail.from?.address, 'tlsrpt@relay.example')
    assert.deepEqual(
      mail.to?.map(({ address }) => address),
      ['reports@example.com'],
    )
  })

  test('has a text for people first, then the report', async () => {
    const raw = await composeMail(parts())
    const mail = await PostalMime.parse(raw)
    assert.match(mail.text ?? '', /Successful sessions: 3\n/)
    assert.equal(mail.attachments.length, 1)
    const [attachment] = mail.attachments
    assert.ok(attachment)
    assert.equal(attachment.mimeType, 'application/tlsrpt+gzip')
    assert.equal(
      attachment.filename,
      'relay.example!example.com!1772323200!1772409599!20260301.json.gz',
    )
    const content = attachment.content
    assert.ok(content instanceof ArrayBuffer)
    assert.equal(gunzipSync(Buffer.from(content)).toString(), json)
    assert.ok(raw.indexOf('text/plain') < raw.indexOf('application/tlsrpt+gzip'))
  })

  test('is ASCII with CRLF, in lines that every host takes', async () => {
    const raw = await composeMail(parts({ organization: 'x'.repeat(200) }))
    assert.doesNotMatch(raw, /[^\r]\n|\r[^\n]|[^\r\n\t -~]/)
    for (const line of raw.split('\r\n')) assert.ok(line.length <= 998, line)
  })

  test('keeps its Message-ID over retries, with another one for each recipient', async () => {
    const idOf = async (more: Partial<MailParts>) =>
      (await PostalMime.parse(await composeMail(parts(more)))).messageId
    assert.equal(await idOf({}), await idOf({ at: Date.parse('2026-03-02T05:00:00Z') }))
    assert.notEqual(await idOf({}), await idOf({ to: 'other@example.com' }))
  })

  for (const [what, text] of [
    ['a line break', 'Example\r\nBcc: victim@example.net'],
    ['control characters', 'Example\u0000\u001b[31m'],
    ['letters beyond ASCII', 'Öffentliche Post'],
  ] as const) {
    test(`${what} in the organization adds no header field`, async () => {
      const raw = await composeMail(parts({ organization: text }))
      const mail = await PostalMime.parse(raw)
      assert.equal(
        mail.headers.some(({ key }) => key === 'bcc'),
        false,
      )
      assert.equal((await verifyDkim(raw, pair.record)).result, 'pass')
    })
  }
})

describe('RFC 8460 §3: the DKIM signature', () => {
  test('verifies, covers the TLS-Report fields and has no l=', async () => {
    const raw = await composeMail(parts())
    const { result, domain, selector, fields } = await verifyDkim(raw, pair.record)
    assert.deepEqual([result, domain, selector], ['pass', 'relay.example', 'tls1'])
    for (const field of [
      'from',
      'to',
      'subject',
      'date',
      'tls-report-domain',
      'tls-report-submitter',
    ]) {
      assert.ok(fields.includes(field), field)
    }
    const [signature = ''] = raw.split('\r\nFrom:')
    assert.match(signature, /c=relaxed\/relaxed/)
    assert.doesNotMatch(signature, /;\s*l=/)
  })

  test('does not verify once the body or a TLS-Report field has changed', async () => {
    const raw = await composeMail(parts())
    for (const changed of [
      raw.replace('Failed sessions:     0', 'Failed sessions:     1'),
      raw.replace('TLS-Report-Domain: example.com', 'TLS-Report-Domain: example.net'),
    ]) {
      assert.notEqual(changed, raw)
      assert.notEqual((await verifyDkim(changed, pair.record)).result, 'pass')
    }
  })

  test('survives that Haraka adds Received on top', async () => {
    const raw = `Received: by relay.example\r\n${await composeMail(parts())}`
    assert.equal((await verifyDkim(raw, pair.record)).result, 'pass')
  })

  test('a key that cannot sign means no mail', async () => {
    const bad = '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----'
    await assert.rejects(composeMail(parts({ dkimKey: bad })), /DKIM key cannot sign/)
  })
})
