import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readAnswer } from '../../../src/dns/answer.js'
import { parseMessage } from '../../../src/dns/message.js'
import type { RecordType } from '../../../src/lookup.js'
import { ANSWERED, FLAG, reply, rr, TYPE, u16, wireName } from '../../support/dns-message.js'
import type { Reply, Rr } from '../../support/dns-message.js'
import { name } from '../../support/names.js'

const NOW = 1_000_000_000_000
const digest = `030101${'ab'.repeat(32)}`

/** The result of a reply to `asked`, in short form. */
function read(asked: string, type: RecordType, parts: Reply, isTrusted = true): unknown {
  const message = parseMessage(reply({ question: { name: asked, type: 1 }, ...parts }))
  assert.ok(message, 'the message can be read')
  const answer = readAnswer(message, name(asked), type, isTrusted, NOW)
  if (answer.kind === 'failed') return `${answer.cause}: ${answer.detail}`
  const { kind, security, canonicalName, aliases, expiresAt } = answer
  return {
    kind: kind === 'absent' ? answer.reason : kind,
    security,
    ...(aliases.length > 0 && { canonicalName, aliases }),
    ...(answer.dname !== undefined && { dname: answer.dname }),
    ttl: (expiresAt - NOW) / 1000,
    ...(answer.isStale && { isStale: true }),
    ...(kind === 'found' && { records: answer.records.length }),
  }
}

for (const [ad, security] of [
  [FLAG.AD, 'secure'],
  [0, 'insecure'],
] as const) {
  describe(`with AD ${ad ? 'set' : 'clear'}`, () => {
    const flags = ANSWERED | ad

    test('records of the queried name', () => {
      const answer = [rr.a('mx.example', '192.0.2.1', 60), rr.a('mx.example', '192.0.2.2', 30)]
      assert.deepEqual(read('mx.example', 'A', { flags, answer }), {
        kind: 'found',
        security,
        ttl: 30,
        records: 2,
      })
    })

    test('NODATA (RFC 2308 §2.2)', () => {
      const authority = [rr.soa('example', 60, 900)]
      assert.deepEqual(read('mx.example', 'A', { flags, authority }), {
        kind: 'nodata',
        security,
        ttl: 60,
      })
    })

    test('NXDOMAIN (RFC 2308 §2.1)', () => {
      const authority = [rr.soa('example', 60, 900)]
      assert.deepEqual(read('mx.example', 'A', { flags, authority, rcode: 3 }), {
        kind: 'nxdomain',
        security,
        ttl: 60,
      })
    })

    test('NODATA without a SOA is not cached', () => {
      assert.deepEqual(read('mx.example', 'AAAA', { flags }), { kind: 'nodata', security, ttl: 0 })
    })

    test('an alias and its target (RFC 7672 §2.1.3)', () => {
      const answer = [
        rr.cname('mx.example', 'real.example', 20),
        rr.a('real.example', '192.0.2.1', 60),
      ]
      assert.deepEqual(read('mx.example', 'A', { flags, answer }), {
        kind: 'found',
        security,
        canonicalName: 'real.example',
        aliases: ['mx.example'],
        ttl: 20,
        records: 1,
      })
    })

    test('a chain of aliases in any order [R4035-3.2.3-a]', () => {
      const answer = [
        rr.a('c.example', '192.0.2.1'),
        rr.cname('b.example', 'c.example'),
        rr.cname('a.example', 'b.example'),
      ]
      assert.deepEqual(read('a.example', 'A', { flags, answer }), {
        kind: 'found',
        security,
        canonicalName: 'c.example',
        aliases: ['a.example', 'b.example'],
        ttl: 300,
        records: 1,
      })
    })

    test('NODATA at the end of an alias: the lowest TTL of both [R6698-8.2-b]', () => {
      const parts = {
        flags,
        answer: [rr.cname('a.example', 'b.example', 10)],
        authority: [rr.soa('example', 60)],
      }
      assert.deepEqual(read('a.example', 'TLSA', parts), {
        kind: 'nodata',
        security,
        canonicalName: 'b.example',
        aliases: ['a.example'],
        ttl: 10,
      })
    })

    test('NXDOMAIN at the end of an alias', () => {
      const parts = {
        flags,
        rcode: 3,
        answer: [rr.cname('a.example', 'b.example')],
        authority: [rr.soa('example', 60)],
      }
      assert.deepEqual(read('a.example', 'A', parts), {
        kind: 'nxdomain',
        security,
        canonicalName: 'b.example',
        aliases: ['a.example'],
        ttl: 60,
      })
    })

    test('an alias whose target is missing is followed by another query (RFC 7672 §2.1.3) [R7672-2.1.3-a]', () => {
      const parts = { flags, answer: [rr.cname('a.example', 'b.example', 10)] }
      assert.deepEqual(read('a.example', 'A', parts), {
        kind: 'incomplete',
        security,
        canonicalName: 'b.example',
        aliases: ['a.example'],
        ttl: 10,
      })
    })

    test('a DNAME: the synthesized CNAME is an alias like any other (RFC 6672 §3.1) [R7672-2.1.3-d]', () => {
      const dname = { owner: 'example', type: TYPE.DNAME, rdata: wireName('example.net') }
      const alias = rr.cname('mx.example', 'mx.example.net', 20)
      const parts = { flags, answer: [dname, alias, rr.a('mx.example.net', '192.0.2.1')] }
      assert.deepEqual(read('mx.example', 'A', parts), {
        kind: 'found',
        security,
        canonicalName: 'mx.example.net',
        aliases: ['mx.example'],
        dname: 'example',
        ttl: 20,
        records: 1,
      })
    })

    const A = rr.a('mx.example.net', '192.0.2.1')
    const DNAME = rr.dname('example', 'example.net', 60)
    const behind = {
      kind: 'found',
      security,
      canonicalName: 'mx.example.net',
      aliases: ['mx.example'],
      dname: 'example',
      ttl: 60,
      records: 1,
    }

    test('a DNAME and no CNAME, which is derived (RFC 6672 §3.2)', () => {
      assert.deepEqual(read('mx.example', 'A', { flags, answer: [DNAME, A] }), behind)
    })

    test('a CNAME next to a DNAME that says otherwise is not believed (RFC 6672 §5.3.1)', () => {
      const lie = [
        rr.cname('mx.example', 'evil.example.net'),
        rr.a('evil.example.net', '192.0.2.9'),
      ]
      assert.deepEqual(read('mx.example', 'A', { flags, answer: [DNAME, A, ...lie] }), behind)
      assert.equal(
        read('mx.example', 'A', { flags, answer: [DNAME, ...lie] }),
        'malformed: records of type A in the wrong place',
      )
    })

    test('a DNAME whose target is missing: asked on at the derived name (RFC 6672 §3.2)', () => {
      assert.deepEqual(read('mx.example', 'A', { flags, answer: [DNAME] }), {
        kind: 'incomplete',
        security,
        canonicalName: 'mx.example.net',
        aliases: ['mx.example'],
        dname: 'example',
        ttl: 60,
      })
    })

    test('a DNAME in the middle is no evidence about the first alias (RFC 7672 §2.1.3)', () => {
      const answer = [rr.cname('a.test', 'mx.example'), DNAME, A]
      const { dname: _, ...others } = behind
      const aliases = ['a.test', 'mx.example']
      assert.deepEqual(read('a.test', 'A', { flags, answer }), { ...others, aliases })
    })

    test('NXDOMAIN behind a DNAME (RFC 6672 §3.1)', () => {
      const parts = { flags, rcode: 3, answer: [DNAME], authority: [rr.soa('example.net', 30)] }
      const { records: _, ...others } = behind
      assert.deepEqual(read('mx.example', 'A', parts), { ...others, kind: 'nxdomain', ttl: 30 })
    })

    test('a DNAME to the root (RFC 6672 §2.2)', () => {
      const answer = [rr.dname('example', '.'), rr.a('mx', '192.0.2.1')]
      assert.deepEqual(read('mx.example', 'A', { flags, answer }), {
        ...behind,
        canonicalName: 'mx',
        ttl: 300,
      })
    })

    test('a DNAME at the name itself does not apply to it (RFC 6672 §2.3)', () => {
      const answer = [rr.dname('mx.example', 'example.net'), rr.a('mx.example', '192.0.2.1')]
      const wanted = { kind: 'found', security, ttl: 300, records: 1 }
      assert.deepEqual(read('mx.example', 'A', { flags, answer }), wanted)
    })

    test('a DNAME of another name with the same end does not apply (RFC 6672 §2.2)', () => {
      const answer = [rr.dname('x.example', 'example.net'), rr.a('mx.example', '192.0.2.1')]
      const wanted = { kind: 'found', security, ttl: 300, records: 1 }
      assert.deepEqual(read('mx.example', 'A', { flags, answer }), wanted)
    })

    test('CNAME asked for below a DNAME: the one derived from it (RFC 6672 §3.2)', () => {
      const wanted = { kind: 'found', security, ttl: 60, records: 1 }
      assert.deepEqual(read('mx.example', 'CNAME', { flags, answer: [DNAME] }), wanted)
    })

    test('DNAME asked for: the record itself (RFC 6672 §2.3)', () => {
      const wanted = { kind: 'found', security, ttl: 60, records: 1 }
      assert.deepEqual(read('example', 'DNAME', { flags, answer: [DNAME] }), wanted)
    })

    const long = Array.from({ length: 3 }, () => 'x'.repeat(63)).join('.')
    const broken: readonly (readonly [string, RecordType, readonly Rr[], RegExp])[] = [
      [
        'derived name longer than 255 octets (RFC 6672 §2.2): YXDOMAIN',
        'A',
        [rr.dname('example', `${long}.${'y'.repeat(55)}.net`)],
        /^rcode: YXDOMAIN/,
      ],
      [
        'derived name too long, CNAME asked for',
        'CNAME',
        [rr.dname('example', `${long}.${'y'.repeat(55)}.net`)],
        /^rcode: YXDOMAIN/,
      ],
      [
        'two DNAMEs that differ (RFC 6672 §2.4)',
        'A',
        [DNAME, rr.dname('example', 'example.org'), A],
        /^malformed: aliases/,
      ],
      [
        'two DNAMEs that differ, CNAME asked for',
        'CNAME',
        [DNAME, rr.dname('example', 'example.org'), rr.cname('mx.example', 'a.test')],
        /^malformed: aliases/,
      ],
      [
        'records of the type below a DNAME (RFC 6672 §2.4)',
        'A',
        [DNAME, rr.a('mx.example', '192.0.2.1')],
        /^malformed: aliases/,
      ],
      [
        'a DNAME into itself, without end (RFC 6672 §3.2)',
        'A',
        [rr.dname('example', 'a.example')],
        /^alias-loop/,
      ],
      [
        'two DNAMEs that lead to each other',
        'A',
        [rr.dname('example', 'test'), rr.dname('test', 'example')],
        /^alias-loop/,
      ],
    ]
    for (const [circumstance, type, answer, wanted] of broken) {
      test(circumstance, () => {
        assert.match(String(read('mx.example', type, { flags, answer })), wanted)
      })
    }

    for (const code of [3, 19]) {
      test(`an answer that is stale by EDE ${code} lives for 30 s at most (RFC 8767 §4)`, () => {
        const additional = [rr.opt([[code, '']])]
        const answer = [rr.a('mx.example', '192.0.2.1', 300)]
        const wanted = { kind: 'found', security, ttl: 30, records: 1, isStale: true }
        assert.deepEqual(read('mx.example', 'A', { flags, answer, additional }), wanted)
        const parts = { flags, authority: [rr.soa('example', 900)], additional }
        const gone = { security, ttl: 30, isStale: true }
        assert.deepEqual(read('mx.example', 'A', parts), { kind: 'nodata', ...gone })
        assert.deepEqual(read('mx.example', 'A', { ...parts, rcode: 3 }), {
          kind: 'nxdomain',
          ...gone,
        })
      })
    }

    test('stale by the last of many extended errors', () => {
      const errors = Array.from({ length: 9 }, () => [0, 'x'] as const)
      const additional = [rr.opt([...errors, [3, '']])]
      const answer = [rr.cname('mx.example', 'b.example', 10)]
      assert.deepEqual(read('mx.example', 'A', { flags, answer, additional }), {
        kind: 'incomplete',
        security,
        canonicalName: 'b.example',
        aliases: ['mx.example'],
        ttl: 10,
        isStale: true,
      })
    })

    test('a query for CNAME returns the alias itself (RFC 7672 §2.2.2)', () => {
      const answer = [rr.cname('a.example', 'b.example'), rr.a('b.example', '192.0.2.1')]
      assert.deepEqual(read('a.example', 'CNAME', { flags, answer }), {
        kind: 'found',
        security,
        ttl: 300,
        records: 1,
      })
    })
  })
}

test('AD over an untrusted channel is ignored (RFC 4035 §4.9.3) [R4035-4.6-b R4035-4.9.3-a]', () => {
  const parts = { flags: ANSWERED | FLAG.AD, answer: [rr.a('mx.example', '192.0.2.1')] }
  assert.deepEqual(read('mx.example', 'A', parts, false), {
    kind: 'found',
    security: 'insecure',
    ttl: 300,
    records: 1,
  })
})

test('owner names are compared regardless of case (RFC 1035 §2.3.3)', () => {
  const answer = [rr.cname('MX.example', 'Real.Example'), rr.a('REAL.example', '192.0.2.1')]
  assert.deepEqual(read('mx.example', 'A', { answer }), {
    kind: 'found',
    security: 'insecure',
    canonicalName: 'real.example',
    aliases: ['mx.example'],
    ttl: 300,
    records: 1,
  })
})

test('TTL 0 is an answer that is not cached [R6698-8.2-b]', () => {
  const answer = [rr.tlsa('_25._tcp.mx.example', digest, 0)]
  assert.deepEqual(read('_25._tcp.mx.example', 'TLSA', { answer }), {
    kind: 'found',
    security: 'insecure',
    ttl: 0,
    records: 1,
  })
})

test('a TTL of years is limited to a day', () => {
  const answer = [rr.a('mx.example', '192.0.2.1', 0x7fffffff)]
  assert.deepEqual(read('mx.example', 'A', { answer }), {
    kind: 'found',
    security: 'insecure',
    ttl: 86_400,
    records: 1,
  })
})

const SOMEWHERE_ELSE = 'malformed: records of type A in the wrong place'

/** Replies that have no records of the queried type, but do not prove their absence either. */
const WRONG_PLACES: readonly (readonly [string, Reply, string])[] = [
  ['the type under another name', { answer: [rr.a('other.example', '192.0.2.1')] }, SOMEWHERE_ELSE],
  [
    'the type under another name, with a SOA',
    { answer: [rr.a('other.example', '192.0.2.1')], authority: [rr.soa('example', 60)] },
    SOMEWHERE_ELSE,
  ],
  [
    'the type in another class',
    { answer: [{ ...rr.a('mx.example', '192.0.2.1'), class: 3 }] },
    SOMEWHERE_ELSE,
  ],
  [
    'the type in the authority section',
    { authority: [rr.a('mx.example', '192.0.2.1')] },
    SOMEWHERE_ELSE,
  ],
  [
    'a signature over the type, without it',
    { answer: [{ owner: 'mx.example', type: TYPE.RRSIG, rdata: u16(TYPE.A) }] },
    SOMEWHERE_ELSE,
  ],
  [
    'a SOA of another zone (RFC 2308 §3)',
    { authority: [rr.soa('attacker.test', 60)] },
    'malformed: a referral instead of an answer',
  ],
  [
    'NXDOMAIN with a SOA of another zone',
    { rcode: 3, authority: [rr.soa('attacker.test', 60)] },
    'malformed: NXDOMAIN from another zone',
  ],
  [
    'a SOA of a zone whose name is a suffix of ours, but not at a label',
    { authority: [rr.soa('x.example', 60)] },
    'malformed: a referral instead of an answer',
  ],
]

const failures: readonly (readonly [string, Reply, string])[] = [
  ['SERVFAIL (RFC 7672 §2.1.1)', { rcode: 2 }, 'servfail: SERVFAIL'],
  ['REFUSED', { rcode: 5 }, 'refused: REFUSED'],
  ['FORMERR', { rcode: 1 }, 'rcode: RCODE 1'],
  ['NOTIMP', { rcode: 4 }, 'rcode: RCODE 4'],
  ['YXDOMAIN', { rcode: 6 }, 'rcode: RCODE 6'],
  ['NOTAUTH', { rcode: 9 }, 'rcode: RCODE 9'],
  [
    'BADVERS, whose lower bits equal NOERROR (RFC 6891 §6.1.3)',
    { additional: [rr.opt([], 1)] },
    'rcode: RCODE 16',
  ],
  [
    'an extended RCODE whose lower bits equal NXDOMAIN',
    { rcode: 3, additional: [rr.opt([], 1)] },
    'rcode: RCODE 19',
  ],
  ...WRONG_PLACES,
  [
    'a referral (RFC 2308 §2.2)',
    { authority: [rr.ns('example', 'ns.example')] },
    'malformed: a referral instead of an answer',
  ],
  [
    'no records at all, and RA clear (RFC 1035 §4.1.1)',
    { flags: ANSWERED & ~0x0080 },
    'malformed: nothing from a server that does not recurse',
  ],
  [
    'NXDOMAIN with records',
    { rcode: 3, answer: [rr.a('mx.example', '192.0.2.1')] },
    'malformed: NXDOMAIN with records',
  ],
  [
    'an alias of itself',
    { answer: [rr.cname('mx.example', 'mx.example')] },
    'alias-loop: aliases of mx.example',
  ],
  [
    'an alias loop',
    { answer: [rr.cname('mx.example', 'b.example'), rr.cname('b.example', 'mx.example')] },
    'alias-loop: aliases of mx.example',
  ],
  [
    'two aliases at one name (RFC 2181 §10.1)',
    { answer: [rr.cname('mx.example', 'b.example'), rr.cname('mx.example', 'c.example')] },
    'malformed: aliases of mx.example',
  ],
  [
    'an alias next to records',
    { answer: [rr.cname('mx.example', 'b.example'), rr.a('mx.example', '192.0.2.1')] },
    'malformed: aliases of mx.example',
  ],
  [
    '17 aliases',
    {
      answer: Array.from({ length: 17 }, (_, i) =>
        rr.cname(i === 0 ? 'mx.example' : `a${i}.example`, `a${i + 1}.example`),
      ),
    },
    'alias-loop: aliases of mx.example',
  ],
]

for (const [circumstance, parts, wanted] of failures) {
  test(`a failure, with AD set or clear: ${circumstance} [R7672-2.1.1-e]`, () => {
    const flags = (parts.flags ?? ANSWERED) | FLAG.AD
    assert.equal(read('mx.example', 'A', parts), wanted)
    assert.equal(read('mx.example', 'A', { ...parts, flags }), wanted)
  })
}

test('16 aliases are followed', () => {
  const answer = Array.from({ length: 16 }, (_, i) =>
    rr.cname(i === 0 ? 'mx.example' : `a${i}.example`, `a${i + 1}.example`),
  )
  const found = read('mx.example', 'A', { answer: [...answer, rr.a('a16.example', '192.0.2.1')] })
  assert.match(JSON.stringify(found), /"kind":"found"/)
})

test('a repeated alias counts once', () => {
  const answer = [
    rr.cname('mx.example', 'b.example'),
    rr.cname('mx.example', 'b.example'),
    rr.a('b.example', '192.0.2.1'),
  ]
  assert.match(JSON.stringify(read('mx.example', 'A', { answer })), /"kind":"found"/)
})

for (const code of [6, 7, 8, 9, 10, 11, 12]) {
  test(`SERVFAIL with extended error ${code} is bogus (RFC 8914 §4)`, () => {
    assert.equal(
      read('mx.example', 'A', { rcode: 2, additional: [rr.opt([[code, 'why']])] }),
      'bogus: SERVFAIL',
    )
  })
}

for (const code of [0, 3, 5, 15, 22, 23, 49_152]) {
  test(`SERVFAIL with extended error ${code} does not prove bogus [R8914-6-a]`, () => {
    assert.equal(
      read('mx.example', 'A', { rcode: 2, additional: [rr.opt([[code, '']])] }),
      'servfail: SERVFAIL',
    )
  })
}

test('an extended error next to an answer is ignored (RFC 8914 §6) [R8914-3-a R8914-6-a]', () => {
  const parts = {
    flags: ANSWERED | FLAG.AD,
    answer: [rr.a('mx.example', '192.0.2.1')],
    additional: [rr.opt([[6, 'bogus']])],
  }
  assert.deepEqual(read('mx.example', 'A', parts), {
    kind: 'found',
    security: 'secure',
    ttl: 300,
    records: 1,
  })
})

test('an alias with the SOA of its own zone leaves its target unknown (RFC 7672 §2.1.3)', () => {
  const parts = {
    answer: [rr.cname('mx.example', 'real.test')],
    authority: [rr.soa('example', 60)],
  }
  assert.match(JSON.stringify(read('mx.example', 'A', parts)), /"kind":"incomplete".*"real.test"/)
})

test('an alias with the name servers of its zone leaves its target unknown', () => {
  const parts = {
    answer: [rr.cname('mx.example', 'real.test')],
    authority: [rr.ns('example', 'ns.example')],
  }
  assert.match(JSON.stringify(read('mx.example', 'A', parts)), /"kind":"incomplete".*"real.test"/)
})

test('the SOA of the root covers every name', () => {
  const parts = { rcode: 3, authority: [rr.soa('.', 60)] }
  assert.match(JSON.stringify(read('mx.example', 'A', parts)), /"kind":"nxdomain".*"ttl":60/)
})

test('hundreds of TLSA records are refused', () => {
  const many = (count: number): Reply => ({
    answer: Array.from({ length: count }, () => rr.tlsa('mx.example', digest)),
  })
  assert.match(JSON.stringify(read('mx.example', 'TLSA', many(64))), /"records":64/)
  assert.equal(read('mx.example', 'TLSA', many(65)), 'malformed: 65 records of type TLSA')
})

test('of hundreds of addresses a bounded number is kept', () => {
  const answer = Array.from({ length: 400 }, () => rr.a('mx.example', '192.0.2.1'))
  assert.match(JSON.stringify(read('mx.example', 'A', { answer })), /"records":256/)
})
