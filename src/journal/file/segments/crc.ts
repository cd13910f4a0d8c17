// The checksum of frames: CRC-32 as zlib computes it. For a frame of common size, leaving JavaScript costs more than
// the sum itself, so that short ones are summed here, eight bytes a step.
import { crc32 } from 'node:zlib'

/** Above so many bytes zlib is faster. */
const SHORT = 1024

/** Eight tables of 256: table k says what a byte does to the sum when k more bytes follow. */
const TABLES = tables()
/** Which of the first 256 has that top byte. */
const BY_TOP = Uint8Array.from({ length: 256 }, (_, top) => TABLES.findIndex((one) => one >>> 24 === top))

/** CRC-32 of the bytes from `start` up to `end`, continued from `seed`. */
export function crc(buffer: Buffer, start: number, end: number, seed: number): number {
  if (end - start > SHORT) return crc32(buffer.subarray(start, end), seed)
  let sum = ~seed
  let at = start
  for (; at + 8 <= end; at += 8) {
    sum ^= buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)
    sum =
      TABLES[1792 + (sum & 255)]! ^
      TABLES[1536 + ((sum >>> 8) & 255)]! ^
      TABLES[1280 + ((sum >>> 16) & 255)]! ^
      TABLES[1024 + (sum >>> 24)]! ^
      TABLES[768 + buffer[at + 4]!]! ^
      TABLES[512 + buffer[at + 5]!]! ^
      TABLES[256 + buffer[at + 6]!]! ^
      TABLES[buffer[at + 7]!]!
  }
  for (; at < end; at++) sum = TABLES[(sum ^ buffer[at]!) & 255]! ^ (sum >>> 8)
  return ~sum >>> 0
}

/** The seed with which the bytes from `start` up to `end` have that CRC-32: there is exactly one. */
export function seedOf(buffer: Buffer, start: number, end: number, sum: number): number {
  let state = ~sum
  for (let at = end - 1; at >= start; at--) {
    const byte = BY_TOP[state >>> 24]!
    state = ((state ^ TABLES[byte]!) << 8) | (byte ^ buffer[at]!)
  }
  return ~state >>> 0
}

function tables(): Int32Array {
  const all = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
    all[byte] = sum
  }
  for (let at = 256; at < all.length; at++) all[at] = all[all[at - 256]! & 255]! ^ (all[at - 256]! >>> 8)
  return all
}
