import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { crc } from '../../src/journal/file/segments/crc.ts'

test('the checksum is that of zlib, for every length and seed', () => {
  const bytes = randomBytes(3000)
  for (let length = 0; length < 1100; length++) {
    const start = length % 13
    const seed = length * 3_904_513
    expect(crc(bytes, start, start + length, seed)).toBe(crc32(bytes.subarray(start, start + length), seed))
  }
  expect(crc(bytes, 1, 3000, 0xffffffff)).toBe(crc32(bytes.subarray(1), 0xffffffff))
})
