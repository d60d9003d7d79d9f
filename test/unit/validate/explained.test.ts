/** What the reviewed differences between the validators may account for, and what never. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Compared } from '../../../lab/signed-world/compare.js'
import { explanationOfChanged, EXPLANATIONS } from '../../../lab/signed-world/explained.js'
import type { Seen } from '../../../lab/signed-world/explained.js'
import type { Status } from '../../../lab/signed-world/references.js'
import type { ZoneSpec } from '../../../lab/signed-world/spec.js'

const STATUSES: readonly Status[] = [
  'secure found',
  'secure nodata',
  'secure nxdomain',
  'insecure found',
  'insecure nodata',
  'insecure nxdomain',
  'bogus',
  'failed',
]

/** A zone with every property that an entry is about, and the reason for each. */
const WORST: ZoneSpec = {
  origin: 'z',
  records: ['d.z. DNAME other.'],
  signing: {
    algorithm: 7,
    scheme: 'csk',
    denial: { kind: 'nsec3', iterations: 151, salt: '', isOptOut: true },
    period: 'now',
  },
  ds: 'sha1-and-wrong-sha256',
  zoneBreak: 'revoked',
  setBreaks: [{ owner: '*.z', type: 'A', kind: 'signed-by-parent' }],
  undenied: 1,
}
const DETAILS = [
  'bogus, no DNSKEY of z matches DS 1',
  'bogus, no proof that a.d.z has no A: no NSEC covers the name',
  'bogus, A of a.d.z: from a wildcard, without proof that a.d.z does not exist: no NSEC',
  'bogus, A of a.d.z: signature by key 1 does not match',
]
const zones = [{ spec: WORST }]
const insecure = new Map([['z', 'algorithm 7 RSASHA1-NSEC3-SHA1 not supported']])

/** Everything that can be said about a name in that zone. */
function* everything(): Generator<Seen> {
  for (const type of ['A', 'CNAME']) {
    for (const ours of STATUSES) {
      for (const detail of ours === 'bogus' ? DETAILS : ['']) {
        for (const unbound of STATUSES) {
          for (const bind of STATUSES) {
            const said = { ours, unbound, bind, detail }
            yield { name: 'a.d.z', type, zones, answering: zones, insecure, ...said }
          }
        }
      }
    }
  }
}

const isSecure = (status: Status): boolean => status.startsWith('secure')
const outcome = (status: Status): string | undefined => status.split(' ')[1]

/** The entries that account for it: each by itself, not only the first. */
function textsFor(seen: Seen): readonly string[] {
  return EXPLANATIONS.filter(({ accountsFor }) => accountsFor(seen)).map(({ text }) => text)
}

describe('[DNSSEC-80] a reviewed difference', () => {
  test('names a section of an RFC, and is one that can occur', () => {
    const used = new Set([...everything()].flatMap(textsFor))
    for (const { text } of EXPLANATIONS) {
      assert.match(text, /^RFC \d+ §\d/)
      assert.ok(used.has(text), text)
    }
  })

  test('accounts for secure only where BIND says the same', () => {
    for (const seen of everything()) {
      if (!isSecure(seen.ours) || textsFor(seen).length === 0) continue
      assert.equal(seen.ours, seen.bind)
      assert.equal(seen.type, 'CNAME')
    }
  })

  test('accounts for insecure where another is secure only by SHA-1, with the same outcome', () => {
    for (const seen of everything()) {
      const others = [seen.unbound, seen.bind].filter(isSecure)
      if (!seen.ours.startsWith('insecure') || others.length === 0) continue
      for (const text of textsFor(seen)) {
        if (text.startsWith('RFC 6672 ')) {
          assert.equal(seen.ours, seen.bind)
          continue
        }
        assert.match(text, /^RFC 9905 /)
        for (const other of others) assert.equal(outcome(other), outcome(seen.ours))
      }
    }
  })

  test('accounts for bogus only where one of the others fails too', () => {
    for (const seen of everything()) {
      if (seen.ours !== 'bogus' || textsFor(seen).length === 0) continue
      assert.ok([seen.unbound, seen.bind].some((other) => other === 'bogus' || other === 'failed'))
    }
  })

  test('accounts for nothing that an honest zone did, nor for a failure', () => {
    const honest: ZoneSpec = {
      ...WORST,
      records: ['other.z. DNAME other.'],
      signing: {
        algorithm: 13,
        scheme: 'csk',
        denial: { kind: 'nsec3', iterations: 150, salt: '', isOptOut: true },
        period: 'now',
      },
      ds: 'sha256',
      zoneBreak: undefined,
      setBreaks: [],
      undenied: 0,
    }
    const all = [{ spec: honest }]
    for (const seen of everything()) {
      if (seen.ours === 'failed') assert.deepEqual(textsFor(seen), [])
      const said = { ...seen, zones: all, answering: all }
      assert.deepEqual(textsFor(said), [])
    }
  })

  test('of SHA-1 is that of the zone that is insecure because of it', () => {
    for (const detail of ['z has no DS', 'NSEC3 with 151 iterations, too many to be checked']) {
      for (const seen of everything()) {
        const texts = textsFor({ ...seen, insecure: new Map([['z', detail]]) })
        assert.doesNotMatch(texts.join(), /RFC 9905 /)
      }
    }
  })

  test('of a DS is that of the zone whose keys it does not match', () => {
    for (const seen of everything()) {
      const detail = seen.detail.replace('DNSKEY of z ', 'DNSKEY of y.z ')
      assert.doesNotMatch(textsFor({ ...seen, detail }).join(), /RFC (?:4509|5011) /)
    }
  })
})

describe('[DNSSEC-80] a reply that was changed', () => {
  const compared = (ours: Status, others: Status, content = ''): Compared => ({
    question: { name: 'a.z', type: 'A' },
    ours,
    unbound: others,
    bind: others,
    detail: '',
    content,
    isOtherContent: false,
    explanation: undefined,
  })

  test('is secure as what all three have said of the honest one', () => {
    for (const ours of STATUSES.filter(isSecure)) {
      for (const honest of STATUSES) {
        for (const others of STATUSES) {
          for (const content of ['', '0a000001']) {
            const text = explanationOfChanged(
              compared(ours, 'bogus'),
              compared(honest, others, content),
            )
            const isSame = honest === ours && others === ours && content === ''
            assert.equal(text !== undefined, isSame, `${ours}, honest ${honest} ${others}`)
          }
        }
      }
    }
  })

  test('is insecure only if it was insecure for all three, or differed for a reviewed reason', () => {
    for (const honest of STATUSES) {
      for (const others of STATUSES) {
        const before = compared(honest, others)
        const after = compared('insecure found', 'bogus')
        const isUnsigned = honest.startsWith('insecure') && honest === others
        assert.equal(explanationOfChanged(after, before) !== undefined, isUnsigned)
        const reviewed = { ...before, explanation: 'RFC 9905 §2' }
        const isInsecure = honest.startsWith('insecure')
        assert.equal(explanationOfChanged(after, reviewed) !== undefined, isInsecure)
      }
    }
  })
})
