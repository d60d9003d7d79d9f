/** Requests that an outsider may send to the status page below /mail/dane, and what may come back. */

const LONG = 'x'.repeat(8_000)
/** Request line and headers, and what may come back. */
export const ATTACKS: readonly (readonly [string, string, readonly number[]])[] = [
  ['no Host', 'GET /mail/dane HTTP/1.1\r\n', [400]],
  ['no Host, HTTP/1.0', 'GET /mail/dane HTTP/1.0\r\n', [421]],
  [
    'two Hosts, the second is ours',
    'GET /mail/dane HTTP/1.1\r\nHost: attacker.example\r\nHost: localhost\r\n',
    [400, 421],
  ],
  [
    'the name of another site, and ours in headers of proxies',
    'GET /mail/dane HTTP/1.1\r\nHost: attacker.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n',
    [421],
  ],
  [
    'our name in the URL, another one in Host',
    'GET http://localhost/mail/dane HTTP/1.1\r\nHost: attacker.example\r\n',
    [404, 421],
  ],
  ['a control character in Host', 'GET /mail/dane HTTP/1.1\r\nHost: local\thost\r\n', [421]],
  ['a user in Host', 'GET /mail/dane HTTP/1.1\r\nHost: localhost@attacker.example\r\n', [421]],
  ['a long Host', `GET /mail/dane HTTP/1.1\r\nHost: ${LONG}\r\n`, [421]],
  ['TRACE', 'TRACE /mail/dane HTTP/1.1\r\nHost: localhost\r\n', [405]],
  ['PROPFIND', 'PROPFIND /mail/dane HTTP/1.1\r\nHost: localhost\r\n', [405]],
  ['a method of its own', 'STEAL /mail/dane HTTP/1.1\r\nHost: localhost\r\n', [400]],
  [
    'POST that says it is GET',
    'POST /mail/dane HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n',
    [405],
  ],
  [
    'GET with a body',
    'GET /mail/dane HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nshow=',
    [200],
  ],
  [
    'two lengths of one body',
    'GET /mail/dane HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    [400],
  ],
  ...[
    '/mail/dane/%00',
    '/mail/dane/bad%00.signed.example',
    '/mail/dane/..%2f..%2f..%2fetc%2fpasswd',
    '/mail/dane/../../../../etc/passwd',
    '/mail/dane/%2e%2e/%2e%2e/config/dane.ini',
    '/mail/dane/%252e%252e%252fdane.ini',
    '/mail/dane/%E0%A4%A%',
    '/mail/dane/%ED%A0%80',
    '/mail/dane/%u202e',
    '/mail/dane/\\..\\config',
    '/mail/dane/__proto__',
    '/mail/dane/constructor',
    '/mail/dane/[object%20Object]',
    '/mail/dane/<script>alert(1)</script>',
    `/mail/dane/${LONG}`,
    '/mail/dane//',
    '/mail/dane/a/b/c',
  ].map(
    (path) => [path.slice(0, 60), `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`, [404]] as const,
  ),
  ...[
    '/mail//dane',
    '//mail/dane',
    '/mail/./dane',
    '/mail/x/../dane',
    '/mail%2fdane',
    '/mail/%64ane',
    '/MAIL/DANE',
    '/mail/dane;x=y',
    '/mail/dane%3Fshow=all',
    '/mail/dane%00.css',
    '/mail/dane.css/..',
    '/mail/dane.json/',
    '/mail/dane.ini',
    '/mail/dane.JSON',
    '*',
  ].map(
    (path) =>
      [`${path}: not ours`, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`, [400, 404]] as const,
  ),
  [
    'more headers than Node takes',
    `GET /mail/dane HTTP/1.1\r\nHost: localhost\r\nX: ${LONG.repeat(3)}\r\n`,
    [431],
  ],
  ...[
    'show=nothing&sort=__proto__&order=up',
    'show[]=held&show[a]=b&q[$ne]=1',
    'show=held&show=all&show=waiting',
    'limit=-1&from=-1',
    'limit=1e9&from=99999999999999999999',
    'limit=NaN&from=0x10',
    'q=%00%0d%0aSet-Cookie:%20a=b',
    "q='%20OR%201=1--",
    'q=.*%5B(%7B',
    'q=%3Cscript%3Ealert(1)%3C/script%3E',
    'q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E',
    'd=bad.signed.example',
    '=&&&=%',
    `q=${LONG}`,
  ].map(
    (query) =>
      [
        `?${query.slice(0, 60)}`,
        `GET /mail/dane?${query} HTTP/1.1\r\nHost: localhost\r\n`,
        [200],
      ] as const,
  ),
]

/** Sec-Fetch-Site, -Mode and -Dest, as browsers send them. */
export const SITES: readonly (readonly [string, readonly [string, string, string], number])[] = [
  ['typed by the reader', ['none', 'navigate', 'document'], 200],
  ['the script of the page', ['same-origin', 'cors', 'empty'], 200],
  ['a link on another site', ['cross-site', 'navigate', 'document'], 200],
  ['an image on another site', ['cross-site', 'no-cors', 'image'], 403],
  ['a script of another site', ['cross-site', 'cors', 'empty'], 403],
  ['a frame on another site', ['cross-site', 'navigate', 'iframe'], 403],
  ['a script of a neighbor', ['same-site', 'no-cors', 'script'], 403],
]
