/** The report of RFC 8460 §4.4: what it says, in which form, and its bounds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RESULT_TYPES } from '../../../src/tlsrpt/counts.js'
import { MAX_REPORT_BYTES, reportFileName, toReport } from '../../../src/tlsrpt/report.js'
import type { Report } from '../../../src/tlsrpt/report.js'
import { counts, DAY, detail, name, REPORTER, tlsa } from '../../support/report-samples.js'
import { assertReport } from '../../support/report-schema.js'

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

function totals({ policies }: Report): readonly [number, number, number] {
  return [
    sum(policies.map(({ summary }) => summary['total-successful-session-count'])),
    sum(policies.map(({ summary }) => summary['total-failure-session-count'])),
    sum(
      policies.flatMap((policy) =>
        (policy['failure-details'] ?? []).map((each) => each['failed-session-count']),
      ),
    ),
  ]
}

describe('RFC 8460 §4.4: a report', () => {
  test('has the members of the RFC, and nothing else', () => {
    const given = counts(
      'example.com',
      tlsa('mx.example.com', ['2 1 1 aa', '3 1 1 bb'], 5, [
        detail('certificate-expired', 2, {
          sendingMtaIp: '198.51.100.1',
          receivingMxHostname: 'mx.example.com',
          receivingMxHelo: 'mx.example.com',
          receivingIp: '2001:db8::1',
          reasonCode: 'certificate-expired',
          additionalInformation: 'notAfter 2026-02-01',
        }),
      ]),
    )
    const { report, json } = toReport(given, REPORTER)
    assert.deepEqual(report, {
      'organization-name': 'Relay Example Inc.',
      'date-range': {
        'start-datetime': '2026-03-01T00:00:00Z',
        'end-datetime': '2026-03-01T23:59:59Z',
      },
      'contact-info': 'postmaster@relay.example',
      'report-id': '20260301.example.com@relay.example',
      policies: [
        {
          policy: {
            'policy-type': 'tlsa',
            'policy-string': ['2 1 1 aa', '3 1 1 bb'],
            'policy-domain': 'mx.example.com',
          },
          summary: { 'total-successful-session-count': 5, 'total-failure-session-count': 2 },
          'failure-details': [
            {
              'result-type': 'certificate-expired',
              'sending-mta-ip': '198.51.100.1',
              'receiving-mx-hostname': 'mx.example.com',
              'receiving-mx-helo': 'mx.example.com',
              'receiving-ip': '2001:db8::1',
              'failed-session-count': 2,
              'additional-information': 'notAfter 2026-02-01',
              'failure-reason-code': 'certificate-expired',
            },
          ],
        },
      ],
    })
    assertReport(json)
  })

  test('leaves out what is not known: no null, no empty text, no empty set', () => {
    const { report, json } = toReport(
      counts('example.com', tlsa('mx.example.com', [], 0, [detail('dnssec-invalid', 1)])),
      REPORTER,
    )
    assert.deepEqual(report.policies, [
      {
        policy: { 'policy-type': 'tlsa', 'policy-domain': 'mx.example.com' },
        summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 1 },
        'failure-details': [{ 'result-type': 'dnssec-invalid', 'failed-session-count': 1 }],
      },
    ])
    assertReport(json)
  })

  test('names the policy domain where no policy was found', () => {
    const { report, json } = toReport(counts('example.com'), REPORTER)
    assert.deepEqual(report.policies[0]?.policy, {
      'policy-type': 'no-policy-found',
      'policy-domain': 'example.com',
    })
    assertReport(json)
  })

  test('is the same whatever the order of counts', () => {
    const one = tlsa('a.example.com', ['3 1 1 aa'], 1, [
      detail('certificate-expired', 1),
      detail('validation-failure', 2),
    ])
    const two = tlsa('b.example.com', ['3 1 1 bb'], 1)
    const turned = { ...one, details: one.details.toReversed() }
    assert.equal(
      toReport(counts('example.com', one, two), REPORTER).json,
      toReport(counts('example.com', two, turned), REPORTER).json,
    )
  })

  for (const resultType of RESULT_TYPES) {
    test(`result type ${resultType} fits the schema`, () => {
      const given = counts('example.com', tlsa('mx.example.com', [], 0, [detail(resultType, 1)]))
      assertReport(toReport(given, REPORTER).json)
    })
  }

  test('RFC 8460 §5.1: the file name has submitter, domain and both ends of the day', () => {
    assert.equal(
      reportFileName(DAY, name('example.com'), REPORTER.submitter),
      'relay.example!example.com!1772323200!1772409599!20260301.json.gz',
    )
  })
})

describe('a report beyond its bounds', () => {
  const records = Array.from(
    { length: 60 },
    (_, index) => `3 1 1 ${index.toString(16)}${'ab'.repeat(60)}`,
  )
  const many = (policies: number, details: number) =>
    Array.from({ length: policies }, (_, index) =>
      tlsa(
        'mx.example.com',
        [`3 1 1 ${index.toString(16).padStart(4, '0')}`, ...records],
        index,
        Array.from({ length: details }, (_, at) =>
          detail('certificate-expired', at + 1, {
            receivingIp: `2001:db8::${at.toString(16)}`,
            additionalInformation: 'x'.repeat(1000),
            reasonCode: 'certificate-expired',
          }),
        ),
      ),
    )

  for (const [what, policies, details] of [
    ['details', 10, 500],
    ['policies', 100, 1],
    ['both', 100, 500],
  ] as const) {
    test(`too many ${what}: every session stays in the totals`, () => {
      const given = counts('example.com', ...many(policies, details))
      const { report, json } = toReport(given, REPORTER)
      assert.ok(Buffer.byteLength(json) <= MAX_REPORT_BYTES, String(json.length))
      const failed = sum(given.policies.map((each) => each.failed))
      assert.deepEqual(totals(report), [
        sum(given.policies.map((each) => each.successful)),
        failed,
        failed,
      ])
      assertReport(json)
    })
  }

  test('one that fits is not reduced', () => {
    const { report } = toReport(counts('example.com', ...many(1, 500)), REPORTER)
    assert.equal(report.policies[0]?.['failure-details']?.length, 500)
  })
})
