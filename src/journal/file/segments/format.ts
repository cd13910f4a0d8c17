// The bytes of a segment file: a header, then frames. All numbers are little-endian.
//
// header  8 magic | u16 version | u16 header bytes | u32 salt | f64 first position | u32 0 | u32 crc of all before
// frame   u32 length of what follows the crc | u32 crc of what follows, seeded with the salt
//         u8 codec | u8 flags | u16 0 | u32 key id
//         u48 seq | u16 bytes of the stream's name | name | 32 chain value, if chained | text
// flags   1 the next frame belongs to the same append | 2 the first frame of a group
//         4 a trim: no record; those of the stream before that seq are read no more. It takes a position, as records do
//         8 a hole: frames were here and were given up; its seq says how many positions they had, its key id is its length
//         again, it has no name, and its checksum is that of the 16 bytes before the name alone. What it covers may be
//         missing at the end of the file
//         16 the first record of a stream whose records before were never here
//         32 chained: begins with a hash over all groups before its own, see chain.ts
//         any other: a later version wrote it, and it can't be read without that
// tail    zeros, of the last segment of a journal that is open or was not closed; no frame has length 0
//
// A group is what was written at once; the next one is only written once it is on disk. A power cut may keep any pages
// of the last group and lose others. So a bad frame with no first frame of a group behind it is what such a cut has left;
// one with a first frame behind it was on disk and is damaged. The checksum of a first frame is seeded with its offset, too,
// so that the bytes of one, copied into a text of the same journal, are none. A hole is sealed like a first frame.
//
// The salt is a random number that all segments of one journal share. It makes sure that no text, however it is made,
// and no old block of the disk, can look like a frame of this journal. Codec and key id leave room for compression and
// encryption (K12); 0 is plain text.
import { crc, seedOf as unseeded } from './crc.ts'

export const HEADER_BYTES = 32
/** Everything of a frame but name and text. */
export const FRAME_BYTES = 24
/** The file of a segment of which nothing is left: its header and one hole, of which what it covers need not be there. */
export const EMPTY_BYTES = HEADER_BYTES + FRAME_BYTES
/** Bytes of a chain value. */
export const CHAIN_BYTES = 32
export const MORE = 1
const FIRST = 2
export const TRIM = 4
export const HOLE = 8
export const BEGINS = 16
const CHAINED = 32
const KNOWN = MORE | FIRST | TRIM | HOLE | BEGINS | CHAINED

const MAGIC = 'duramenj'
const VERSION = 1
const BEFORE_LENGTH = 8
const UINT32 = 2 ** 32

export interface Header {
  readonly salt: number
  /** The position of the segment's first record. */
  readonly first: number
}

export interface Frame {
  readonly stream: string
  /** Of a hole: how many positions it covers. */
  readonly seq: number
  /** What made the text; 0 for plain UTF-8. */
  readonly codec: number
  readonly keyId: number
  /** The next frame belongs to the same append. */
  readonly more: boolean
  /** It begins a group. */
  readonly first: boolean
  /** It is no record but drops those of its stream before `seq`. */
  readonly trim: boolean
  /** It is what is left of frames that were given up. */
  readonly hole: boolean
  /** The stream begins with it, whatever its seq. */
  readonly begins: boolean
  /** The text comes after a chain value. */
  readonly chained: boolean
  /** It has flags that only a later version knows. */
  readonly newer: boolean
  /** Where the text begins in the buffer; it ends with the frame. */
  readonly textAt: number
}

/** What a codec made of a text. */
export interface Coded {
  readonly codec: number
  readonly keyId: number
  readonly bytes: Uint8Array
}

export function encodeHeader({ salt, first }: Header): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(MAGIC, 'latin1')
  header.writeUInt16LE(VERSION, 8)
  header.writeUInt16LE(HEADER_BYTES, 10)
  header.writeUInt32LE(salt, 12)
  header.writeDoubleLE(first, 16)
  header.writeUInt32LE(crc(header, 0, 28, 0), 28)
  return header
}

/** A string says what is wrong with the header. */
export function decodeHeader(header: Buffer): Header | string {
  if (header.length < HEADER_BYTES) return 'its header is incomplete'
  if (header.toString('latin1', 0, 8) !== MAGIC) return 'it does not begin like a segment'
  if (crc(header, 0, 28, 0) !== header.readUInt32LE(28)) return 'the checksum of its header is wrong'
  const version = header.readUInt16LE(8)
  if (version !== VERSION) return `it has format version ${version}, this version of duramen reads ${VERSION}`
  return { salt: header.readUInt32LE(12), first: header.readDoubleLE(16) }
}

/** Room that is enough for a frame; counted exactly only where guessing would waste memory. */
export function frameRoom(stream: string, text: string): number {
  return FRAME_BYTES + stream.length * 3 + (text.length < 1 << 16 ? text.length * 3 : Buffer.byteLength(text))
}

/** Writes a frame; there must be `frameRoom` for it. `flags`: MORE, TRIM, BEGINS. Returns where it ends. */
export function encodeFrame(
  buffer: Buffer,
  at: number,
  salt: number,
  stream: string,
  seq: number,
  flags: number,
  text: string,
): number {
  const name = buffer.write(stream, at + FRAME_BYTES)
  const end = at + FRAME_BYTES + name + buffer.write(text, at + FRAME_BYTES + name)
  writeHead(buffer, at, end, salt, 0, flags, 0, seq, name)
  return end
}

/** The same with what a codec made of the text; room: that of a frame without text, and the bytes. */
export function encodeCoded(
  buffer: Buffer,
  at: number,
  salt: number,
  stream: string,
  seq: number,
  flags: number,
  { codec, keyId, bytes }: Coded,
): number {
  const name = buffer.write(stream, at + FRAME_BYTES)
  buffer.set(bytes, at + FRAME_BYTES + name)
  const end = at + FRAME_BYTES + name + bytes.length
  writeHead(buffer, at, end, salt, codec, flags, keyId, seq, name)
  return end
}

function writeHead(
  buffer: Buffer,
  at: number,
  end: number,
  salt: number,
  codec: number,
  flags: number,
  keyId: number,
  seq: number,
  name: number,
): void {
  buffer.writeUInt32LE(end - at - BEFORE_LENGTH, at)
  buffer.writeUInt32LE(codec | (flags << 8), at + 8)
  buffer.writeUInt32LE(keyId, at + 12)
  buffer.writeUInt32LE(seq % UINT32, at + 16)
  buffer.writeUInt16LE(Math.floor(seq / UINT32), at + 20)
  buffer.writeUInt16LE(name, at + 22)
  buffer.writeUInt32LE(crc(buffer, at + BEFORE_LENGTH, end, salt), at + 4)
}

/** What stands, from `offset` of a file on, in place of `bytes` bytes of frames (24 or more) that had so many positions. */
export function encodeHole(salt: number, offset: number, bytes: number, positions: number): Buffer {
  const hole = Buffer.alloc(FRAME_BYTES)
  const length = bytes - BEFORE_LENGTH
  writeHead(hole, 0, FRAME_BYTES, salt, 0, HOLE, length, positions, 0)
  hole.writeUInt32LE(length, 0)
  markFirst(hole, salt, offset)
  return hole
}

/** Makes the frame that a buffer begins with the first one of a group that begins at `offset` of its file. */
export function markFirst(buffer: Buffer, salt: number, offset: number): void {
  buffer[9]! |= FIRST
  buffer.writeUInt32LE(sumOf(buffer, 0, frameEnd(buffer, 0)!, salt, offset), 4)
}

/**
 * Makes the first frame of a group a chained one: it begins CHAIN_BYTES behind the buffer's beginning, and at its beginning
 * then. What it carries is written later, by `writeLink`; the checksum is made right by `markFirst`.
 */
export function makeChained(buffer: Buffer): void {
  buffer.copyWithin(0, CHAIN_BYTES, CHAIN_BYTES + FRAME_BYTES + buffer.readUInt16LE(CHAIN_BYTES + 22))
  buffer.writeUInt32LE(buffer.readUInt32LE(0) + CHAIN_BYTES, 0)
  buffer[9]! |= CHAINED
}

export function writeLink(buffer: Buffer, link: Buffer): void {
  buffer.set(link, FRAME_BYTES + buffer.readUInt16LE(22))
}

/** What a frame says of itself, without a look at its checksum. */
export function marksOf(buffer: Buffer, at: number): Pick<Frame, 'first' | 'hole' | 'chained'> {
  const flags = buffer[at + 9]!
  return { first: (flags & FIRST) !== 0, hole: (flags & HOLE) !== 0, chained: (flags & CHAINED) !== 0 }
}

/** The checksum that a frame at that offset of its file must have. */
function sumOf(buffer: Buffer, at: number, end: number, salt: number, offset: number): number {
  const flags = buffer[at + 9]!
  return crc(buffer, at + BEFORE_LENGTH, neededEnd(buffer, at, end), seedOf(flags, salt, offset))
}

/** The salt with which the checksum of a frame at that offset of its file is right. */
export function saltOfFrame(buffer: Buffer, at: number, end: number, offset: number): number {
  const seed = unseeded(buffer, at + BEFORE_LENGTH, neededEnd(buffer, at, end), buffer.readUInt32LE(at + 4))
  return buffer[at + 9]! & FIRST ? (seed - (offset % UINT32) + UINT32) % UINT32 : seed
}

/** Where the bytes end that must be there to decode the frame: of a hole, those before what it covers. */
export const neededEnd = (buffer: Buffer, at: number, end: number) => (isHole(buffer, at) ? at + FRAME_BYTES : end)

/** Whether the frame there, if it is one, is a hole. */
export const isHole = (buffer: Buffer, at: number) => (buffer[at + 9]! & HOLE) !== 0

const seedOf = (flags: number, salt: number, offset: number) => (flags & FIRST ? (salt + offset) % UINT32 : salt)

/** Where the frame at that place ends as its length says; undefined for a length that no frame has. */
export function frameEnd(buffer: Buffer, at: number): number | undefined {
  const length = buffer.readUInt32LE(at)
  return length < FRAME_BYTES - BEFORE_LENGTH ? undefined : at + BEFORE_LENGTH + length
}

/**
 * Undefined when the bytes between are not a frame of this journal, at that offset of its file. Of a hole, FRAME_BYTES of
 * them are enough.
 */
export function decodeFrame(buffer: Buffer, at: number, end: number, salt: number, offset: number): Frame | undefined {
  if (sumOf(buffer, at, end, salt, offset) !== buffer.readUInt32LE(at + 4)) return undefined
  const flags = buffer[at + 9]!
  const nameEnd = at + FRAME_BYTES + buffer.readUInt16LE(at + 22)
  const seq = buffer.readUInt16LE(at + 20) * UINT32 + buffer.readUInt32LE(at + 16)
  const chained = (flags & CHAINED) !== 0
  const hole = (flags & HOLE) !== 0
  const keyId = buffer.readUInt32LE(at + 12)
  if (hole && (keyId !== buffer.readUInt32LE(at) || seq * FRAME_BYTES > end - at)) return undefined
  const textAt = chained ? nameEnd + CHAIN_BYTES : nameEnd
  if (textAt > end) return undefined
  return {
    stream: buffer.toString('utf8', at + FRAME_BYTES, nameEnd),
    seq,
    codec: buffer[at + 8]!,
    keyId,
    more: (flags & MORE) !== 0,
    first: (flags & FIRST) !== 0,
    trim: (flags & TRIM) !== 0,
    hole,
    begins: (flags & BEGINS) !== 0,
    chained,
    newer: (flags & ~KNOWN) !== 0,
    textAt,
  }
}

/**
 * Where in the buffer, from `at` on, the first whole frame begins that is the first one of a group, if there is one.
 * `offset`: of the buffer in its file.
 */
export function findGroup(buffer: Buffer, at: number, salt: number, offset: number): number | undefined {
  for (let start = at; start + FRAME_BYTES <= buffer.length; start++) {
    const flags = buffer[start + 9]!
    if ((flags & FIRST) === 0 || buffer[start + 10] !== 0 || buffer[start + 11] !== 0) continue
    const end = frameEnd(buffer, start)
    if (end === undefined || neededEnd(buffer, start, end) > buffer.length) continue
    if (decodeFrame(buffer, start, end, salt, offset + start) !== undefined) return start
  }
  return undefined
}
