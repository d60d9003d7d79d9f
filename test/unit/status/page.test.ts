/** The page as HTML: texts stay texts, every state and empty state, pages, links. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../../lab/root.js'
import type { Reason } from '../../../src/reason.js'
import type { DestinationDetail } from '../../../src/status/destination-detail.js'
import { adviceFor } from '../../../src/advice.js'
import { Admission } from '../../../src/status/page/admission.js'
import { detailPage } from '../../../src/status/page/detail.js'
import { html } from '../../../src/status/page/html.js'
import { listPage } from '../../../src/status/page/list.js'
import { unavailablePage, unknownPage } from '../../../src/status/page/notice-page.js'
import { EVERYTHING, parsePageQuery } from '../../../src/status/page/page-query.js'
import { ago, ahead, span } from '../../../src/status/page/time-text.js'
import { destinationText } from '../../../src/status/page/words.js'
import { select } from '../../../src/status/status-query.js'
import type { StatusModel } from '../../../src/status/status-model.js'
import { SAMPLE, SAMPLE_AT, SAMPLE_DETAIL } from '../../support/status-sample.js'

const PLACE = { name: 'dane', up: '', version: 'v1' } as const
const BELOW = { ...PLACE, up: '../' } as const

function list(parameters = '', model: StatusModel = SAMPLE): string {
  const query = parsePageQuery(new URLSearchParams(parameters))
  return listPage({ ...model, ...select(model.destinations, query) }, { place: PLACE, query })
}

const detail = (value: DestinationDetail): string =>
  detailPage(value, { place: BELOW, query: EVERYTHING })

/** Without elements, as a reader sees it. */
function textOf(page: string): string {
  return page
    .replace(/<head>[^]*<\/head>|<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
}

describe('text from outside', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['elements', '<script>x</script>', '&lt;script&gt;x&lt;/script&gt;'],
    ['the end of an attribute', `" onclick='x'`, '&quot; onclick=&#39;x&#39;'],
    ['an entity', '&lt;', '&amp;lt;'],
    ['a line break', 'a\r\nb', 'a[U+000D][U+000A]b'],
    ['NUL and escape', '\0\u001B[2J', '[U+0000][U+001B][2J'],
    ['bidirectional controls', '\u202Egnp.exe\u2066\u200F', '[U+202E]gnp.exe[U+2066][U+200F]'],
    ['zero width', 'a\u200B\uFEFFb', 'a[U+200B][U+FEFF]b'],
    ['tag characters', '\u{E0041}', '[U+E0041]'],
    ['a lone surrogate', 'a\uD800b', 'a[U+D800]b'],
    ['line separators', '\u2028\u2029', '[U+2028][U+2029]'],
    ['letters of any script', 'bücher 例', 'bücher 例'],
  ]
  for (const [name, text, wanted] of cases) {
    test(name, () => {
      assert.equal(html`${text}`.text, wanted)
    })
  }

  test('a long text is cut', () => {
    assert.ok(html`${'x'.repeat(10_000)}`.text.length <= 500)
  })

  test('U-labels have their A-labels next to them, as names that look alike do', () => {
    const { name, ascii } = destinationText('xn--pple-43d.example')
    assert.match(name.text, /аpple/)
    assert.match(ascii?.text ?? '', /xn--pple-43d/)
    assert.equal(destinationText('mx.example').ascii, undefined)
    assert.equal(destinationText('xn--\u202E').ascii, undefined)
  })

  test('a status that is all hostile text has the elements of one that is not', () => {
    const evil = `"><script>x</script>\u202E${'x'.repeat(10_000)}`
    const spoil = <T>(value: T): T => {
      const text = JSON.stringify(value, (key, each: unknown) =>
        typeof each === 'string' && !KEPT.has(key) ? evil : each,
      )
      const spoiled: unknown = JSON.parse(text)
      const hasItsShape = (each: unknown): each is T => each !== undefined
      assert.ok(hasItsShape(spoiled))
      return spoiled
    }
    const elements = (page: string): readonly string[] =>
      [...page.matchAll(/<\/?([a-z0-9]+)/g)].map(([, name]) => name ?? '').filter(isNoBreak)
    const isNoBreak = (name: string): boolean => name !== 'wbr' && name !== 'span'
    for (const [good, bad] of [
      [list(), list('', spoil(SAMPLE))],
      [detail(SAMPLE_DETAIL), detail({ ...spoil(SAMPLE_DETAIL), command: [evil] })],
      [unknownPage('x', BELOW, EVERYTHING), unknownPage(evil, BELOW, EVERYTHING)],
      [unavailablePage('x', PLACE), unavailablePage(evil, PLACE)],
    ] as const) {
      assert.deepEqual(new Set(elements(bad)), new Set(elements(good)))
      assert.equal(bad.match(/<script/g)?.length, 1)
      assert.doesNotMatch(bad, /\u202E/)
    }
  })

  /** Words that the program chooses. */
  const KEPT = new Set(['kind', 'state', 'policy', 'route', 'security', 'outcome', 'reason'])
})

test('a host without a connection was tried, and not refused', () => {
  const text = textOf(detail(SAMPLE_DETAIL))
  const wanted = 'no connection 4 min ago 198.51.100.7 port 25: no connection after 30.0 s'
  assert.ok(text.includes(wanted), text)
})

test('a plan of next hops that another plugin chose', () => {
  const { plan } = SAMPLE_DETAIL
  assert.ok(plan)
  const [first] = plan.hosts
  assert.ok(first)
  const hosts = [
    { ...first, port: 587, policy: 'mandatory' },
    {
      ...first,
      port: undefined,
      policy: 'opportunistic',
      host: '/run/mail',
      requires: { kind: 'exempt', phrase: 'a Unix socket, which is no network' },
      lastAttempt: undefined,
    },
    { ...first, port: 587, policy: 'mandatory' },
  ] as const
  const page = detail({
    ...SAMPLE_DETAIL,
    plan: { ...plan, route: 'relay', policy: 'mandatory', hosts },
  })
  const text = textOf(page)
  for (const wanted of [
    'under the policy mandatory , for the next hops that another plugin chose.',
    'Next hops in order',
    'port 587 authenticate by TLSA of mx1.contoso.example',
    'socket, policy opportunistic nothing: a Unix socket, which is no network',
  ]) {
    assert.ok(text.includes(wanted), `${wanted} in ${text}`)
  }
  assert.doesNotMatch(text, /preference/)
  // The same host twice: both rows stay when the script updates the page.
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
  assert.equal(new Set(ids).size, ids.length)
})

describe('the list', () => {
  test('each state of DANE has a word, and each row its facts', () => {
    const text = textOf(list())
    for (const wanted of [
      'no DANE non-DNSSEC destination 1,040 1,112 recipients',
      'held 187 196 recipients 9 h 12 min gives up in 1 d 14 h in 6 min certificate-mismatch',
      'encrypted only 9 9 recipients',
      'held policy mandatory 6',
      'not yet known 4',
      'due now',
      'not enforced policy none 0',
      'bücher. example xn--bcher-kva. example',
      '421 4.7.28 rate limited, try again later <b>soon</b>',
    ]) {
      assert.ok(text.includes(wanted), `${wanted} in ${text}`)
    }
  })

  test('the head says what is wrong with the relay, in words', () => {
    const { relay, queue } = SAMPLE
    const text = textOf(
      list('', {
        ...SAMPLE,
        queue: { ...queue, kind: 'counting', messages: 34_000, files: 100_000, unreadable: 2 },
        relay: {
          ...relay,
          silentWorkers: 1,
          redis: { state: 'unavailable', detail: 'refused' },
          resolvers: [{ server: '127.0.0.1:53', state: 'not-validating', detail: 'no AD bit' }],
          tlsrpt: { detail: '3 reports sent' },
        },
      }),
    )
    for (const wanted of [
      '34,000 of 100,000 messages so far',
      '2 files in the queue folder cannot be read',
      '127.0.0.1:53 does not validate and is not used: no AD bit',
      'none can be used: mail waits',
      'Redis is not available',
      '1 of 4 workers did not answer',
      'TLS reports: 3 reports sent',
    ]) {
      assert.ok(text.includes(wanted), `${wanted} in ${text}`)
    }
  })

  const empty: readonly (readonly [string, string, Partial<StatusModel>, RegExp])[] = [
    ['nothing is known', '', { destinations: [] }, /No mail waits Nothing has been sent/],
    [
      'nothing is held',
      'show=held',
      { destinations: SAMPLE.destinations.slice(-1) },
      /DANE holds no mail/,
    ],
    ['nothing is found', 'q=zzz', {}, /Nothing found .*zzz/],
    ['beyond the last page', 'from=500', {}, /past the end/],
  ]
  for (const [name, parameters, model, wanted] of empty) {
    test(`empty: ${name}`, () => {
      assert.match(textOf(list(parameters, { ...SAMPLE, ...model })), wanted)
    })
  }

  test('of thousands of destinations, one page is shown, and the next is a link', () => {
    const [first] = SAMPLE.destinations
    assert.ok(first)
    const destinations = Array.from({ length: 2_000 }, (_, i) => ({
      ...first,
      destination: `d${i}.example`,
    }))
    const page = list('sort=destination&from=100', { ...SAMPLE, destinations })
    assert.equal(page.match(/<tr id=/g)?.length, 100)
    assert.match(textOf(page), /101 to 200 of 2,000/)
    assert.match(page, /href="dane\?sort=destination&amp;from=200">Next/)
    assert.match(page, /href="dane\?sort=destination">Previous/)
    assert.ok(page.length < 120_000, String(page.length))
  })

  test('links keep what was asked for, and the sorted column turns around', () => {
    const page = list('show=waiting&sort=oldest&q=example')
    assert.match(
      page,
      /aria-sort="ascending"[^]*?href="dane\?show=waiting&amp;sort=oldest&amp;order=desc&amp;q=example"/,
    )
    assert.match(page, /href="dane\?show=held&amp;sort=oldest&amp;q=example"/)
    assert.match(page, /<input type="hidden" name="show" value="waiting"/)
    assert.match(page, /href="dane\/contoso\.example\?show=waiting&amp;sort=oldest&amp;q=example"/)
    assert.equal(page.match(/aria-sort/g)?.length, 1)
  })

  test('a search for U-labels finds the A-labels', () => {
    const page = list('q=bücher.example')
    assert.match(textOf(page), /1 of 10 destinations/)
  })
})

describe('one destination', () => {
  test('why mail waits, who can change it, the plan host by host, the policy, the command', () => {
    const text = textOf(detail(SAMPLE_DETAIL))
    for (const wanted of [
      'Held by DANE: certificate-mismatch',
      'What contoso.example can do',
      'authenticate by TLSA of mx1.contoso.example 3 1 1 0a1b2c3d4e5f6071... 2 1 1 77aa88bb99cc00dd...',
      'not contacted: TLSA lookup error _25._tcp.mx2.contoso.example TLSA: timeout',
      'nothing: non-DNSSEC destination address-insecure 198.51.100.7 and 2 more no connection 4 min ago',
      'from MX records that are signed and validated',
      'opportunistic , the default',
      'haraka-dane verify contoso.example',
    ]) {
      assert.ok(text.includes(wanted), `${wanted} in ${text}`)
    }
  })

  for (const status of SAMPLE.destinations) {
    test(`${status.dane.kind}: ${status.destination}, without a plan`, () => {
      const page = detail({ ...SAMPLE_DETAIL, status, plan: undefined, command: [] })
      assert.match(textOf(page), /None is known: no message was tried/)
      assert.doesNotMatch(page, /undefined|NaN|Invalid/)
    })
  }

  test('a host that was verified shows record, name, protocol and cipher', () => {
    const { plan } = SAMPLE_DETAIL
    const [host] = plan?.hosts ?? []
    assert.ok(plan && host)
    const lastAttempt = {
      kind: 'verified',
      at: SAMPLE_AT - 5_000,
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      record: '2 1 1 77aa...',
      name: 'mx1.contoso.example',
    } as const
    const text = textOf(
      detail({ ...SAMPLE_DETAIL, plan: { ...plan, hosts: [{ ...host, lastAttempt }] } }),
    )
    assert.match(
      text,
      /verified 5 s ago TLSv1\.3, TLS_AES_256_GCM_SHA384 matched 2 1 1 77aa\.\.\. name mx1\.contoso\.example/,
    )
  })
})

test('what a reason means and what to do is as in docs/reasons.md', () => {
  const page = readFileSync(path.join(ROOT, 'docs/reasons.md'), 'utf8')
  const plain = (text: string): string =>
    text
      .replace(/\s*\(\[[^\]]*\]\([^)]*\)\)/g, '')
      .replaceAll('`', '')
      .trim()
  const parts = page.split(/^### /m).slice(1)
  assert.ok(parts.length > 30)
  for (const part of parts) {
    const word = /^`([^`]+)`/.exec(part)?.[1] ?? ''
    const [, , meaning = '', todo = ''] = part.split(/\n\n/)
    const [, where, action = ''] = /^What to do(, at the destination)?: ([^]*)/.exec(todo) ?? []
    const isReason = (text: string): text is Reason => text !== ''
    assert.ok(isReason(word))
    assert.deepEqual(
      adviceFor(word),
      {
        meaning: plain(meaning),
        action: plain(action),
        whose: where === undefined ? 'relay' : 'destination',
      },
      word,
    )
  }
})

describe('times', () => {
  const S = 1_000
  const H = 3_600 * S
  const spans = [
    [0, '0 s'],
    [59 * S, '59 s'],
    [60 * S, '1 min'],
    [H, '1 h'],
    [9 * H + 720 * S, '9 h 12 min'],
    [24 * H, '1 d'],
    [51 * H, '2 d 3 h'],
    [-5, '0 s'],
  ] as const
  for (const [milliseconds, wanted] of spans) {
    test(`${milliseconds} ms: ${wanted}`, () => {
      assert.equal(span(milliseconds), wanted)
    })
  }

  test('past, future, and instants that no clock has', () => {
    const now = SAMPLE_AT
    assert.match(ago(now - 4 * 60 * S, now).text, /datetime="2026-11-26T20:10:08Z">4 min ago</)
    assert.match(ago(now - 25 * H, now).text, />25 Nov, 19:14</)
    assert.match(ago(now - 8_800 * H, now).text, />25 Nov 2025, /)
    assert.match(ago(now + 400, now).text, />just now</)
    assert.match(ahead(now + 42 * S, now).text, />in 42 s</)
    assert.match(ahead(now - 42 * S, now).text, />now</)
    for (const at of [NaN, Infinity, -Infinity, 1e300]) {
      assert.match(ago(at, now).text, /datetime="\d{4}-/)
    }
  })
})

describe('how many views a process answers', () => {
  test('a burst, then a rate, and no more than some at once', () => {
    const admission = new Admission()
    let entered = 0
    while (admission.enter(1_000)) entered++
    assert.equal(entered, 20)
    for (let i = 0; i < entered; i++) admission.leave()
    while (admission.enter(1_000)) {
      entered++
      admission.leave()
    }
    assert.equal(entered, 40)
    assert.equal(admission.enter(1_100), true)
    admission.leave()
    // The clock was set back.
    assert.equal(admission.enter(0), true)
    admission.leave()
    assert.equal(admission.enter(0), false)
  })
})
