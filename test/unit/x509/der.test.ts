import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDer, readChildren, readElement, readWhole } from '../../../src/x509/der.js'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

describe('the end of an element (X.690 §10.1)', () => {
  const cases: readonly (readonly [string, string, number | undefined])[] = [
    ['short length', '04 02 aabb ff', 4],
    ['length of one octet', `04 81 80 ${'00'.repeat(128)}`, 131],
    ['length of two octets', `04 82 0100 ${'00'.repeat(256)}`, 260],
    ['no content', '05 00', 2],
    ['long form instead of the short form', '04 81 02 aabb', undefined],
    ['a length that begins with a zero', `04 82 0080 ${'00'.repeat(128)}`, undefined],
    ['indefinite length', '30 80 0000', undefined],
    ['a length of five octets', '04 85 0000000001 aa', undefined],
    ['the reserved length', '04 ff', undefined],
    ['a length beyond the end', '04 03 aabb', undefined],
    ['a truncated length', '04 82 01', undefined],
    ['only a tag', '04', undefined],
    ['nothing', '', undefined],
    ['a tag of two octets', '1f 22 00', undefined],
  ]
  for (const [circumstance, hex, end] of cases) {
    test(`${circumstance}: ${end === undefined ? 'none' : `at ${end}`}`, () => {
      const all = bytes(hex)
      assert.equal(readElement(all, 0, all.length)?.end, end)
    })
  }

  test('reads nothing beyond the given end', () => {
    assert.equal(readElement(bytes('04 02 aabb'), 0, 3), undefined)
    assert.equal(readElement(bytes('04 02 aabb'), 0, 1), undefined)
  })
  test('the whole is one element with nothing after it', () => {
    assert.equal(readWhole(bytes('04 01 aa'))?.end, 3)
    assert.equal(readWhole(bytes('04 01 aa 00')), undefined)
  })
  test('children fill their parent, up to a number', () => {
    const parent = (hex: string): [Buffer, number | undefined] => {
      const all = bytes(hex)
      const whole = readWhole(all)
      assert.ok(whole)
      return [all, readChildren(all, whole, 2)?.length]
    }
    assert.equal(parent('30 04 0500 0500')[1], 2)
    assert.equal(parent('30 00')[1], 0)
    assert.equal(parent('30 06 0500 0500 0500')[1], undefined)
    assert.equal(parent('30 03 0500 05')[1], undefined)
    assert.equal(parent('30 04 0500 0401')[1], undefined)
  })
})

describe('DER throughout (X.690 §10)', () => {
  const nested = (depth: number): string => {
    let inside = Buffer.from('0500', 'hex')
    for (let level = 0; level < depth; level++) {
      inside = Buffer.concat([Buffer.from([0x30, inside.length]), inside])
    }
    return inside.toString('hex')
  }
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['a primitive', '02 01 05', true],
    ['a sequence of sets', '30 04 3100 3100', true],
    ['a constructed context tag', '30 04 a2 02 0500', true],
    ['a primitive context tag', '30 03 82 01 61', true],
    ['nested long form instead of the short form', '30 04 82 81 01 61', false],
    ['indefinite length inside', '30 06 a2 80 0500 0000', false],
    ['a constructed string', '2c 03 0c 01 61', false],
    ['a constructed bit string', '30 05 23 03 03 01 00', false],
    ['a primitive sequence', '10 00', false],
    ['a primitive set', '30 02 1100', false],
    ['end-of-contents octets', '30 02 0000', false],
    ['a constructed boolean', '21 03 0101ff', false],
    ['trailing data', '30 00 00', false],
    ['content that is not an element', '30 01 05', false],
    ['nothing', '', false],
    ['the greatest depth allowed', nested(32), true],
    ['one level deeper', nested(33), false],
  ]
  for (const [circumstance, hex, isSo] of cases) {
    test(`${circumstance}: ${isSo ? 'yes' : 'no'}`, () => {
      assert.equal(isDer(bytes(hex)), isSo)
    })
  }
})
