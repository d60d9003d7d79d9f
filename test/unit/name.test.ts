import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameFromWire, parseDomainName, tlsaOwner } from '../../src/name.js'
import { name } from '../support/names.js'

const label63 = 'a'.repeat(63)
const name253 = `${label63}.${label63}.${label63}.${'a'.repeat(61)}`

const written: readonly (readonly [string, string, string | undefined])[] = [
  ['plain', 'example.org', 'example.org'],
  ['upper case compares as lower (RFC 4343 §2)', 'MX.Example.ORG', 'mx.example.org'],
  ['one trailing dot is the root', 'example.org.', 'example.org'],
  ['two trailing dots', 'example.org..', undefined],
  ['U-label (RFC 5890 §2.3.2.1)', 'Bücher.example', 'xn--bcher-kva.example'],
  ['ideographic full stop (RFC 3490 §3.1)', 'bücher。example', 'xn--bcher-kva.example'],
  ['A-label stays', 'XN--bcher-kva.example', 'xn--bcher-kva.example'],
  ['underscore labels (RFC 6698 §3)', '_25._tcp.mx.example.org', '_25._tcp.mx.example.org'],
  ['single label', 'localhost', 'localhost'],
  ['label of 63 octets (RFC 1035 §2.3.4)', `${label63}.example`, `${label63}.example`],
  ['label of 64 octets', `${label63}a.example`, undefined],
  ['253 characters', name253, name253],
  ['254 characters', `${name253}a`, undefined],
  ['empty', '', undefined],
  ['root', '.', undefined],
  ['leading dot', '.example.org', undefined],
  ['empty label', 'example..org', undefined],
  ['IPv4 address', '192.0.2.1', undefined],
  ['IPv6 address', '2001:db8::1', undefined],
  ['address literal', '[192.0.2.1]', undefined],
  ['space', 'example .org', undefined],
  ['line break', 'example.org\n', undefined],
  ['NUL', 'example\0.org', undefined],
  ['wildcard', '*.example.org', undefined],
  ['URL syntax beside a U-label: path', 'bücher.example/foo', undefined],
  ['URL syntax beside a U-label: query', 'bücher.example?x', undefined],
  ['URL syntax beside a U-label: fragment', 'bücher.example#x', undefined],
  ['URL syntax beside a U-label: backslash', 'evil.example\\\u00fc', undefined],
  ['URL syntax beside a U-label: percent', 'ex%61mple.\u00fc.example', undefined],
  ['a tab beside a U-label', 'b\u00fccher.exa\tmple', undefined],
  ['an address in full-width digits', '\uff11\uff12\uff17.0.0.1', undefined],
  ['an address of two numbers', '\uff11\uff12\uff17.1', undefined],
  ['an address in hexadecimal', '0x7f.\uff11', undefined],
  ['backslash', 'ex\\046ample.org', undefined],
  ['megabytes', 'a.'.repeat(1_000_000), undefined],
]

for (const [circumstance, text, wanted] of written) {
  test(`a written name: ${circumstance}`, () => {
    assert.equal(parseDomainName(text), wanted)
  })
}

const wire: readonly (readonly [string, string, string | undefined])[] = [
  ['upper case', 'MX.EXAMPLE.ORG', 'mx.example.org'],
  ['the root is not a name', '.', undefined],
  ['wildcard as MX exchange', '*.example.org', '*.example.org'],
  ['slash (RFC 2317 §4)', '0/26.2.0.192.in-addr.arpa', '0/26.2.0.192.in-addr.arpa'],
  ['an address in the form of a name', '192.0.2.7', '192.0.2.7'],
  ['replacement character of a decoder', 'ex\uFFFDample.org', undefined],
  ['control character', 'ex\u0007ample.org', undefined],
]

for (const [circumstance, text, wanted] of wire) {
  test(`a name from DNS: ${circumstance}`, () => {
    assert.equal(nameFromWire(text), wanted)
  })
}

test('TLSA owner: port in decimal, no leading zeros (RFC 6698 §3) [R6698-3-a]', () => {
  assert.equal(tlsaOwner(25, name('mx.example.org')), '_25._tcp.mx.example.org')
})

test('TLSA owner: none if the base is too long for the prefix', () => {
  assert.equal(tlsaOwner(25, name(name253)), undefined)
})
