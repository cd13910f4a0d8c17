// Segments of which a part was given up: a hole stands where frames were. All other frames stay where they are, so that
// whoever knows a place still finds there what was there. A file system gives the space of a hole back.
//
// K7 a segment is copied beside itself, each frame that stays checked on the way, synced, and takes the name of the old one:
// a crash leaves the old one or the new one, and what is beside it is removed when the journal is opened.
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { damaged } from './damaged.ts'
import {
  decodeFrame,
  decodeHeader,
  encodeHeader,
  encodeHole,
  FRAME_BYTES,
  frameEnd,
  HEADER_BYTES,
  type Header,
  neededEnd,
} from './format.ts'
import { writeAll } from './pages.ts'
import { readFrom, type Segment, syncFolder } from './segments.ts'
import { walkIn } from './walk.ts'

/** The file of a segment of which nothing is left: its header and one hole that reaches to where the segment ended. */
const EMPTY_BYTES = HEADER_BYTES + FRAME_BYTES
const NEW = '.new'
const COPY = /^\d{16}\.log\.new$/

/** What is to be given up: frames that follow one another, from the first one's offset on. */
export interface GivenUp {
  readonly offset: number
  readonly bytes: number
  /** How many positions they have. */
  readonly positions: number
}

/** The bytes of a segment: those of its file, unless nothing is left of it but a hole. */
export async function segmentSize(file: string): Promise<number> {
  const { size } = await stat(file)
  if (size !== EMPTY_BYTES) return size
  const handle = await open(file, 'r')
  try {
    const bytes = await readFrom(handle, 0, size)
    const header = decodeHeader(bytes)
    const end = bytes.length === size && typeof header === 'object' ? frameEnd(bytes, HEADER_BYTES) : undefined
    if (end === undefined || neededEnd(bytes, HEADER_BYTES, end) > size) return size
    return decodeFrame(bytes, HEADER_BYTES, end, (header as Header).salt, HEADER_BYTES)?.hole ? end : size
  } finally {
    await handle.close()
  }
}

/**
 * Puts a segment with holes in the place of the one that is there; each range becomes one. The ranges ascend, begin and end
 * with a frame or a hole, and have 24 bytes or more. Nobody may write to the segment. Rejects with JOURNAL_DAMAGED
 * where a frame that stays is not as it was written, or with what the file system says; then nothing has changed.
 */
export async function rewriteSegment(segment: Segment, salt: number, ranges: readonly GivenUp[]): Promise<void> {
  await copySegment(segment, salt, ranges, `${segment.file}${NEW}`)
  await rename(`${segment.file}${NEW}`, segment.file)
  await syncFolder(dirname(segment.file))
}

/** A copy of a segment as it is, in another folder, unless that has one; what is there is never replaced. */
export async function archiveSegment(segment: Segment, salt: number, folder: string): Promise<boolean> {
  const file = join(folder, basename(segment.file))
  if (await isKept(file, segment, salt)) return false
  await copySegment(segment, salt, [], `${file}${NEW}`)
  await rename(`${file}${NEW}`, file)
  await syncFolder(folder)
  return true
}

/** Removes copies that a crash has left. */
export async function removeCopies(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (COPY.test(name)) await rm(join(folder, name))
}

/** Whether the segment has a copy there. Rejects with JOURNAL_DAMAGED where it is none of it. */
async function isKept(file: string, { first, size }: Segment, salt: number): Promise<boolean> {
  const handle = await open(file, 'r').catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return false
  try {
    const header = decodeHeader(await readFrom(handle, 0, HEADER_BYTES))
    const same = typeof header === 'object' && header.salt === salt && header.first === first
    if (same && (await segmentSize(file)) === size) return true
  } finally {
    await handle.close()
  }
  throw damaged(file, 0, 'it is no copy of the segment of that name')
}

/** Bytes that go to an offset. */
interface Piece {
  readonly bytes: Buffer
  readonly at: number
  end: number
  readonly offset: number
}

async function copySegment(segment: Segment, salt: number, ranges: readonly GivenUp[], to: string): Promise<void> {
  const { file, first, size } = segment
  const nothingLeft = ranges[0]?.offset === HEADER_BYTES && ranges[0].bytes === size - HEADER_BYTES
  const source = await open(file, 'r')
  try {
    const target = await open(to, 'w', 0o600)
    try {
      await writeAll(target, encodeHeader({ salt, first }), 0)
      if (!nothingLeft) await target.truncate(size)
      let from = HEADER_BYTES
      for (const { offset, bytes, positions } of ranges) {
        await copyFrames(source, target, segment, salt, from, offset)
        await writeAll(target, encodeHole(salt, offset, bytes, positions), offset)
        from = offset + bytes
      }
      await copyFrames(source, target, segment, salt, from, size)
      await target.sync()
    } finally {
      await target.close()
    }
  } catch (error) {
    await rm(to, { force: true }).catch(() => {})
    throw error
  } finally {
    await source.close()
  }
}

/** Copies frames from one offset to another; what a hole covers is not written, so that it takes no space. */
async function copyFrames(
  source: FileHandle,
  target: FileHandle,
  { file }: Segment,
  salt: number,
  from: number,
  to: number,
): Promise<void> {
  let piece: Piece = { bytes: Buffer.alloc(0), at: 0, end: 0, offset: from }
  const write = ({ bytes, at, end, offset }: Piece) => writeAll(target, bytes.subarray(at, end), offset)
  const ended = await walkIn(source, from, to, salt, ({ hole }, offset, frameEnd, bytes, at) => {
    const end = at + (hole ? FRAME_BYTES : frameEnd - offset)
    if (bytes === piece.bytes && at === piece.end) {
      piece.end = end
      return
    }
    const before = piece
    piece = { bytes, at, end, offset }
    return write(before)
  })
  if (ended !== to) throw damaged(file, ended, 'a frame is not as it was written')
  await write(piece)
}
