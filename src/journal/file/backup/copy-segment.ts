// One segment copied under another name: the bytes, what is sparse stays so, synced; and every frame of the copy checked.
//
// K7 what a copy holds was read again from it, so that no damage of the original, nor of the way, gets into it in silence.
// K12 0600.
import { type FileHandle, open } from 'node:fs/promises'
import { writeAll } from '../../files.ts'
import { headerOf } from '../commit/recover.ts'
import { damaged } from '../segments/damaged.ts'
import { HEADER_BYTES } from '../segments/format.ts'
import { segmentSize } from '../segments/holes.ts'
import { readFrom } from '../segments/segments.ts'
import { walk } from '../segments/walk.ts'

const CHUNK = 1 << 20
/** Blocks of so many bytes that hold nothing are not written. */
const BLOCK = 1 << 14
const NOTHING = Buffer.alloc(BLOCK)

/** A part of a file. */
export interface Part {
  readonly file: string
  readonly start: number
  /** Or the end of the file, where that comes first. */
  readonly end: number
  /** Is told of bytes that are written. */
  readonly wrote?: (bytes: number) => void
}

/** Writes parts that follow each other to a new file, and makes it durable. Resolves with its size. */
export async function copyParts(parts: readonly Part[], file: string): Promise<number> {
  const target = await open(file, 'w', 0o600)
  try {
    let size = 0
    for (const part of parts) size = await copyPart(part, target)
    await target.truncate(size)
    await target.sync()
    return size
  } finally {
    await target.close()
  }
}

/** Resolves with where it ends. */
async function copyPart({ file, start, end, wrote }: Part, target: FileHandle): Promise<number> {
  const handle = await open(file, 'r')
  try {
    for (let at = start; ; ) {
      const chunk = await readFrom(handle, at, Math.min(at + CHUNK, end))
      if (chunk.length === 0) return at
      await writeSparse(target, chunk, at)
      at += chunk.length
      wrote?.(chunk.length)
    }
  } finally {
    await handle.close()
  }
}

async function writeSparse(target: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  let start = 0
  for (let at = 0; at <= bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK)
    if (block.length > 0 && !block.equals(NOTHING.subarray(0, block.length))) continue
    if (at > start) await writeAll(target, bytes.subarray(start, at), offset + start)
    start = at + BLOCK
  }
  if (start < bytes.length) await writeAll(target, bytes.subarray(start), offset + start)
}

const SUM_AT = 4

/** The checksum of the frame that begins there; -1 where the file has no bytes. */
export async function sumAt(file: string, offset: number): Promise<number> {
  const handle = await open(file, 'r')
  try {
    const bytes = await readFrom(handle, offset + SUM_AT, offset + SUM_AT + 4)
    return bytes.length < 4 ? -1 : bytes.readUInt32LE()
  } finally {
    await handle.close()
  }
}

/** What a segment must hold. */
export interface Expected {
  /** What it was copied from, for errors. */
  readonly of: string
  readonly salt: number
  readonly first: number
  /** Its last position. */
  readonly last: number
  /** Where its last frame ends; undefined: where the segment does. */
  readonly end: number | undefined
  /** So much of it was checked before: frames up to that offset, and the position there. */
  readonly checked?: { readonly offset: number; readonly position: number }
}

/** The last frame of a segment. */
export interface Tail {
  readonly offset: number
  readonly end: number
  readonly position: number
}

/** Reads a segment's frames. Resolves with the last of them that is new. Rejects with JOURNAL_DAMAGED. */
export async function checkSegment(file: string, expected: Expected): Promise<Tail | undefined> {
  const { of, salt, first, last, end, checked = { offset: HEADER_BYTES, position: first - 1 } } = expected
  const header = await headerOf(file)
  if (typeof header === 'string') throw damaged(of, 0, header)
  if (header.salt !== salt || header.first !== first) throw damaged(of, 12, 'it belongs to another journal or place')
  const size = await segmentSize(file)
  let tail: Tail | undefined
  await walk(file, checked.offset, size, salt, (frame, offset, frameEnds) => {
    const position = (tail?.position ?? checked.position) + (frame.hole ? frame.seq : 1)
    tail = { offset, end: frameEnds, position }
  })
  const found = tail ?? { end: checked.offset, position: checked.position }
  if (found.end !== (end ?? size)) throw damaged(of, found.end, 'a frame is not as it was written')
  if (found.position !== last) throw damaged(of, found.end, `it ends with position ${found.position}, not ${last}`)
  return tail
}
