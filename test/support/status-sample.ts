/** A realistic status, with a destination in each state and texts that hosts chose. */
import type { DestinationDetail } from '../../src/status/destination-detail.js'
import type {
  DestinationStatus,
  QueueStatus,
  RelayStatus,
  StatusModel,
  Waiting,
} from '../../src/status/status-model.js'

export const SAMPLE_AT = Date.UTC(2026, 10, 26, 20, 14, 8)

const S = 1_000
const MIN = 60 * S
const H = 60 * MIN
const before = (milliseconds: number): number => SAMPLE_AT - milliseconds

const RELAY: RelayStatus = {
  name: 'relay.example.org',
  version: '0.1.0',
  workers: 4,
  silentWorkers: 0,
  since: before(62 * H),
  resolvers: [
    { server: '127.0.0.1:53', state: 'validating', detail: '' },
    {
      server: 'tls://192.0.2.53:853#dns.example.org',
      state: 'failing',
      detail: '. DS: no answer within 5000 ms',
    },
  ],
  redis: { state: 'available', detail: '' },
  tlsrpt: undefined,
}

const QUEUE: QueueStatus = {
  kind: 'counted',
  at: before(3 * S),
  detail: '',
  files: 1_284,
  messages: 1_284,
  recipients: 1_391,
  unreadable: 0,
  messagesWithoutRow: 0,
  oldest: {
    destination: 'contoso.example',
    arrivedAt: before(9 * H + 12 * MIN),
    givesUpAt: SAMPLE_AT + 14 * H + 48 * MIN,
  },
  next: { at: SAMPLE_AT + 42 * S, destination: 'fabrikam.example' },
}

const NOTHING: Waiting = {
  messages: 0,
  recipients: 0,
  due: 0,
  oldestAt: undefined,
  givesUpAt: undefined,
  nextRetryAt: undefined,
}

const waiting = (messages: number, recipients: number, oldest: number, next: number): Waiting => ({
  messages,
  recipients,
  due: 0,
  oldestAt: before(oldest),
  givesUpAt: before(oldest) + 48 * H,
  nextRetryAt: SAMPLE_AT + next,
})

const ROWS: readonly DestinationStatus[] = [
  {
    destination: 'bigmail.example',
    waiting: waiting(1_040, 1_112, 38 * MIN, 3 * MIN),
    dane: {
      kind: 'no-dane',
      at: before(MIN),
      reason: 'mx-insecure',
      phrase: 'non-DNSSEC destination',
    },
    policy: 'opportunistic',
    hosts: ['mx1.bigmail.example', 'mx4.bigmail.example'],
    lastSuccess: { at: before(12 * S), host: 'mx1.bigmail.example', isVerified: false },
    lastRefusal: {
      at: before(MIN),
      outcome: 'deferred',
      host: 'mx4.bigmail.example',
      reason: undefined,
      phrase: 'deferred by the host',
      detail: '421 4.7.28 rate limited, try again later <b>soon</b>',
    },
  },
  {
    destination: 'contoso.example',
    waiting: waiting(187, 196, 9 * H + 12 * MIN, 6 * MIN),
    dane: {
      kind: 'held',
      at: before(4 * MIN),
      reason: 'certificate-mismatch',
      phrase: 'server certificate not trusted',
    },
    policy: 'opportunistic',
    hosts: ['mx1.contoso.example', 'mx2.contoso.example'],
    lastSuccess: { at: before(33 * H), host: 'mx1.contoso.example', isVerified: true },
    lastRefusal: {
      at: before(4 * MIN),
      outcome: 'deferred',
      host: 'mx1.contoso.example',
      reason: 'certificate-mismatch',
      phrase: 'server certificate not trusted',
      detail:
        '192.0.2.17 port 25: no certificate matches 3 1 1 0a1b2c3d4e5f6071...; it shows 3 1 1 9f3c77e0aa01bb02...',
    },
  },
  {
    destination: 'fabrikam.example',
    waiting: waiting(19, 19, 2 * H + 40 * MIN, 42 * S),
    dane: { kind: 'held', at: before(8 * MIN), reason: 'tlsa-bogus', phrase: 'TLSA lookup error' },
    policy: 'opportunistic',
    hosts: ['mail.fabrikam.example'],
    lastSuccess: { at: before(2 * H + 43 * MIN), host: 'mail.fabrikam.example', isVerified: true },
    lastRefusal: {
      at: before(8 * MIN),
      outcome: 'deferred',
      host: 'mail.fabrikam.example',
      reason: 'tlsa-bogus',
      phrase: 'TLSA lookup error',
      detail: '_25._tcp.mail.fabrikam.example TLSA: bogus, SERVFAIL, EDE 7 (Signature Expired)',
    },
  },
  {
    destination: 'post.example',
    waiting: waiting(17, 40, 6 * MIN, 4 * MIN),
    dane: { kind: 'verified', at: before(2 * MIN), host: 'mx.post.example' },
    policy: 'opportunistic',
    hosts: ['mx.post.example'],
    lastSuccess: { at: before(2 * MIN), host: 'mx.post.example', isVerified: true },
    lastRefusal: {
      at: before(6 * MIN),
      outcome: 'deferred',
      host: 'mx.post.example',
      reason: undefined,
      phrase: 'deferred by the host',
      detail: '450 4.2.0 greylisted',
    },
  },
  {
    destination: 'xn--bcher-kva.example',
    waiting: waiting(9, 9, 21 * MIN, 9 * MIN),
    dane: { kind: 'encrypted', at: before(6 * H), host: 'mx.xn--bcher-kva.example' },
    policy: 'opportunistic',
    hosts: ['mx.xn--bcher-kva.example'],
    lastSuccess: { at: before(6 * H), host: 'mx.xn--bcher-kva.example', isVerified: false },
    lastRefusal: {
      at: before(12 * MIN),
      outcome: 'deferred',
      host: 'xn--bcher-kva.example',
      reason: undefined,
      phrase: 'no host accepted it',
      detail: 'Tried all MXs',
    },
  },
  {
    destination: 'ministry.example',
    waiting: waiting(6, 6, 52 * MIN, 11 * MIN),
    dane: { kind: 'held', at: before(9 * MIN), reason: 'no-tlsa-record', phrase: 'no TLSA record' },
    policy: 'mandatory',
    hosts: ['mx.ministry.example'],
    lastSuccess: undefined,
    lastRefusal: {
      at: before(9 * MIN),
      outcome: 'deferred',
      host: 'mx.ministry.example',
      reason: 'no-tlsa-record',
      phrase: 'no TLSA record',
      detail: 'no TLSA record at _25._tcp.mx.ministry.example',
    },
  },
  {
    destination: 'school.example',
    waiting: waiting(4, 4, H + 3 * MIN, 14 * MIN),
    dane: { kind: 'unknown' },
    policy: 'opportunistic',
    hosts: [],
    lastSuccess: undefined,
    lastRefusal: undefined,
  },
  {
    destination: 'club.example',
    waiting: {
      messages: 2,
      recipients: 5,
      due: 2,
      oldestAt: before(3 * S),
      givesUpAt: SAMPLE_AT + 48 * H,
      nextRetryAt: undefined,
    },
    dane: { kind: 'verified', at: before(MIN), host: 'mx.club.example' },
    policy: 'opportunistic',
    hosts: ['mx.club.example'],
    lastSuccess: { at: before(MIN), host: 'mx.club.example', isVerified: true },
    lastRefusal: undefined,
  },
  {
    destination: 'partner.example',
    waiting: NOTHING,
    dane: { kind: 'not-enforced' },
    policy: 'none',
    hosts: [],
    lastSuccess: { at: before(2 * H), host: '203.0.113.9', isVerified: false },
    lastRefusal: undefined,
  },
  {
    destination: 'bank.example',
    waiting: NOTHING,
    dane: { kind: 'verified', at: before(20 * MIN), host: 'mx2.bank.example' },
    policy: 'mandatory',
    hosts: ['mx1.bank.example', 'mx2.bank.example'],
    lastSuccess: { at: before(20 * MIN), host: 'mx2.bank.example', isVerified: true },
    lastRefusal: undefined,
  },
]

/** As `currentStatus` returns it for all, most waiting first. */
export const SAMPLE: StatusModel = {
  at: SAMPLE_AT,
  relay: RELAY,
  queue: QUEUE,
  held: { destinations: 3, messages: 212 },
  counts: { all: 10, waiting: 8, held: 3, verified: 3 },
  matching: 10,
  destinations: ROWS,
}

/** As `destination('contoso.example')` returns it. */
export const SAMPLE_DETAIL: DestinationDetail = {
  at: SAMPLE_AT,
  relay: RELAY,
  queue: QUEUE,
  status: ROWS[1] ?? neverMissing(),
  plan: {
    at: before(4 * MIN + 6 * S),
    policy: 'opportunistic',
    route: 'mx',
    security: 'secure',
    hosts: [
      {
        host: 'mx1.contoso.example',
        preference: 10,
        port: undefined,
        policy: undefined,
        requires: {
          kind: 'authenticate',
          tlsaBase: 'mx1.contoso.example',
          records: ['3 1 1 0a1b2c3d4e5f6071...', '2 1 1 77aa88bb99cc00dd...'],
          omittedRecords: 0,
          expiresAt: SAMPLE_AT + 10 * MIN,
        },
        addresses: ['2001:db8:1::17', '192.0.2.17'],
        omittedAddresses: 0,
        lastAttempt: {
          kind: 'refused',
          at: before(4 * MIN + 5 * S),
          reason: 'certificate-mismatch',
          phrase: 'server certificate not trusted',
          detail:
            '192.0.2.17 port 25: no certificate matches 3 1 1 0a1b2c3d4e5f6071...; it shows 3 1 1 9f3c77e0aa01bb02...',
        },
      },
      {
        host: 'mx2.contoso.example',
        preference: 20,
        port: undefined,
        policy: undefined,
        requires: {
          kind: 'unreachable',
          reason: 'tlsa-lookup-failed',
          phrase: 'TLSA lookup error',
          detail: '_25._tcp.mx2.contoso.example TLSA: timeout',
        },
        addresses: ['192.0.2.18'],
        omittedAddresses: 0,
        lastAttempt: undefined,
      },
      {
        host: 'backup.isp.example',
        preference: 30,
        port: undefined,
        policy: undefined,
        requires: {
          kind: 'opportunistic',
          reason: 'address-insecure',
          phrase: 'non-DNSSEC destination',
        },
        addresses: ['198.51.100.7'],
        omittedAddresses: 2,
        lastAttempt: {
          kind: 'unreached',
          at: before(4 * MIN),
          phrase: 'no connection',
          detail: '198.51.100.7 port 25: no connection after 30.0 s',
        },
      },
    ],
    omittedHosts: 0,
  },
  policy: { policy: 'opportunistic', line: undefined, text: undefined },
  command: ['haraka-dane', 'verify', 'contoso.example'],
}

function neverMissing(): never {
  throw new Error('the sample has this row')
}
