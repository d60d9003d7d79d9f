/** Which addresses are public: the IANA registries of special-purpose addresses, row by row. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isPrivateAddress, isPublicAddress } from '../../../src/tlsrpt/public-address.js'

const PUBLIC = [
  '1.1.1.1',
  '9.9.9.9',
  '193.0.6.139',
  '2606:4700:4700::1111',
  '2a00:1450::1',
  '2001:200::1',
  '2001:4860:4860::8888',
]

/**
 * First and last address of each row of the registries (IPv4, then IPv6), and of multicast
 * and site-local addresses; then the neighbors that are public.
 */
const BLOCKS: readonly (readonly [string, string, string, ...string[]])[] = [
  ['"this network"', '0.0.0.0', '0.255.255.255', '1.0.0.0'],
  ['private use', '10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ['shared address space', '100.64.0.0', '100.127.255.255', '100.63.255.255', '100.128.0.0'],
  ['loopback', '127.0.0.0', '127.255.255.255', '126.255.255.255', '128.0.0.0'],
  ['link-local', '169.254.0.0', '169.254.255.255', '169.253.255.255', '169.255.0.0'],
  ['private use', '172.16.0.0', '172.31.255.255', '172.15.255.255', '172.32.0.0'],
  ['protocol assignments', '192.0.0.0', '192.0.0.255', '191.255.255.255', '192.0.1.0'],
  ['PCP and TURN anycast', '192.0.0.9', '192.0.0.10'],
  ['NAT64 discovery', '192.0.0.170', '192.0.0.171'],
  ['TEST-NET-1', '192.0.2.0', '192.0.2.255', '192.0.1.255', '192.0.3.0'],
  ['AS112', '192.31.196.0', '192.31.196.255', '192.31.195.255', '192.31.197.0'],
  ['AMT', '192.52.193.0', '192.52.193.255', '192.52.192.255', '192.52.194.0'],
  ['6to4 relays', '192.88.99.0', '192.88.99.255', '192.88.98.255', '192.88.100.0'],
  ['private use', '192.168.0.0', '192.168.255.255', '192.167.255.255', '192.169.0.0'],
  ['AS112', '192.175.48.0', '192.175.48.255', '192.175.47.255', '192.175.49.0'],
  ['benchmarking', '198.18.0.0', '198.19.255.255', '198.17.255.255', '198.20.0.0'],
  ['TEST-NET-2', '198.51.100.0', '198.51.100.255', '198.51.99.255', '198.51.101.0'],
  ['TEST-NET-3', '203.0.113.0', '203.0.113.255', '203.0.112.255', '203.0.114.0'],
  ['multicast', '224.0.0.0', '239.255.255.255', '223.255.255.255'],
  ['reserved', '240.0.0.0', '255.255.255.254'],
  ['broadcast', '255.255.255.255', '255.255.255.255'],
  ['unspecified and loopback', '::', '::1'],
  ['IPv4-compatible', '::7f00:1', '::127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1', '64:ff9b::255.255.255.255'],
  ['local NAT64', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['discard and dummy', '100::', '100:0:0:1:ffff:ffff:ffff:ffff'],
  ['protocol assignments', '2001::', '2001:1ff:ffff::', '2000:ffff::', '2001:200::'],
  ['Teredo', '2001:0:7f00:1::', '2001:0:ffff::'],
  ['benchmarking', '2001:2::', '2001:2:0:ffff::'],
  ['ORCHID', '2001:10::', '2001:2f:ffff::'],
  ['documentation', '2001:db8::', '2001:db8:ffff::', '2001:db7:ffff::', '2001:db9::'],
  ['6to4', '2002:7f00:1::', '2002:ffff::', '2001:ffff::', '2003::'],
  ['AS112', '2620:4f:8000::', '2620:4f:8000:ffff::', '2620:4f:7fff::', '2620:4f:8001::'],
  ['documentation', '3fff::', '3fff:fff:ffff::', '3ffe:ffff::', '3fff:1000::'],
  ['SRv6', '5f00::', '5f00:ffff::'],
  ['unique local', 'fc00::', 'fdff:ffff::'],
  ['link-local', 'fe80::1', 'febf::'],
  ['site-local', 'fec0::1', 'feff::'],
  ['multicast', 'ff02::1', 'ffff::'],
]

describe('an address', () => {
  for (const address of PUBLIC) {
    test(`is public: ${address}`, () => {
      assert.deepEqual([isPublicAddress(address), isPrivateAddress(address)], [true, false])
    })
  }

  for (const [what, first, last, ...neighbors] of BLOCKS) {
    test(`is not public: ${what}, ${first} to ${last}`, () => {
      for (const address of [first, last]) {
        assert.deepEqual([isPublicAddress(address), isPrivateAddress(address)], [false, true])
      }
      for (const address of neighbors) {
        assert.deepEqual(
          [isPublicAddress(address), isPrivateAddress(address)],
          [true, false],
          address,
        )
      }
    })
  }

  test('IPv4-mapped: never a destination; of ours, it is the IPv4 address', () => {
    for (const [address, isPrivate] of [
      ['::ffff:1.1.1.1', false],
      ['::ffff:101:101', false],
      ['::ffff:127.0.0.1', true],
      ['::ffff:7f00:1', true],
      ['::ffff:10.0.0.1', true],
    ] as const) {
      assert.deepEqual([isPublicAddress(address), isPrivateAddress(address)], [false, isPrivate])
    }
  })

  test('a zone makes it local', () => {
    for (const address of ['fe80::1%eth0', '2606:4700:4700::1111%1']) {
      assert.equal(isPublicAddress(address), false)
    }
  })

  test('what is no address is neither', () => {
    for (const text of ['localhost', '1.1.1.1 ', '1.1.1', '01.1.1.1', '']) {
      assert.deepEqual([isPublicAddress(text), isPrivateAddress(text)], [false, false])
    }
  })
})
