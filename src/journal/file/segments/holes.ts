// Segments of which a part was given up: a hole stands where frames were. All other frames stay where they are, so that
// whoever knows a place still finds there what was there. A file system gives the space of a hole back.
//
// K7 a segment is copied beside itself, each frame that stays checked on the way, synced, and takes the name of the old one:
// a crash leaves the old one or the new one, and what is beside it is removed when the journal is opened.
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeAll } from '../../files.ts'
import { damaged } from './damaged.ts'
import {
  decodeFrame,
  decodeHeader,
  EMPTY_BYTES,
  encodeHeader,
  encodeHole,
  FRAME_BYTES,
  frameEnd,
  HEADER_BYTES,
  type Header,
  neededEnd,
} from './format.ts'
import { readFrom, type Segment, syncFolder } from './segments.ts'
import { walkIn } from './walk.ts'

/** What is put to the name of a file while it is being made. */
export const NEW = '.new'
/** So much is read and written at once. */
const AHEAD_BYTES = 1 << 20
/** File systems give back blocks of that size, or larger ones. */
const BLOCK_BYTES = 4096
/** Of a segment, or of the snapshots: it may hold what was dropped since. */
const COPY = /^(\d{16}\.log|snapshots)\.new$/

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
 * where a frame that stays is not as it was written, with what the file system says, or with what `check`, which is called
 * for each frame, throws; then nothing has changed.
 */
export async function rewriteSegment(
  segment: Segment,
  salt: number,
  ranges: readonly GivenUp[],
  check: () => void,
): Promise<void> {
  await copySegment(segment, salt, ranges, `${segment.file}${NEW}`, check)
  await rename(`${segment.file}${NEW}`, segment.file)
  await syncFolder(dirname(segment.file))
}

/** Removes copies that a crash has left. */
export async function removeCopies(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (COPY.test(name)) await rm(join(folder, name))
}

/** Writes a segment with these holes under another name, durably. Nothing is left of it where that fails. */
export async function copySegment(
  segment: Segment,
  salt: number,
  ranges: readonly GivenUp[],
  to: string,
  check: () => void,
): Promise<void> {
  const { file, first, size } = segment
  const nothingLeft = ranges[0]?.offset === HEADER_BYTES && ranges[0].bytes === size - HEADER_BYTES
  const source = await open(file, 'r')
  try {
    const target = await open(to, 'w', 0o600)
    try {
      if (!nothingLeft) await target.truncate(size)
      const copy = new SparseCopy(source, target, file, salt, check)
      await copy.put(encodeHeader({ salt, first }), 0)
      let from = HEADER_BYTES
      for (const { offset, bytes, positions } of ranges) {
        await copy.frames(from, offset)
        await copy.put(encodeHole(salt, offset, bytes, positions), offset)
        from = offset + bytes
      }
      await copy.frames(from, size)
      await copy.flush()
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

/** A copy to which only what is put is written, and zeros between where a file system would not give back less. */
class SparseCopy {
  readonly #source: FileHandle
  readonly #target: FileHandle
  readonly #file: string
  readonly #salt: number
  readonly #check: () => void
  /** Bytes of the source that were read ahead. */
  #ahead: Buffer = Buffer.alloc(0)
  #aheadAt = 0
  readonly #buffer = Buffer.allocUnsafeSlow(AHEAD_BYTES)
  /** Where in the target the buffer goes, and how much of it. */
  #start = 0
  #used = 0

  constructor(source: FileHandle, target: FileHandle, file: string, salt: number, check: () => void) {
    this.#source = source
    this.#target = target
    this.#file = file
    this.#salt = salt
    this.#check = check
  }

  /** Copies frames from one offset to another, checking each. Of a hole, what it covers is not written. */
  async frames(from: number, to: number): Promise<void> {
    const read = (start: number, end: number) => this.#read(start, end)
    const ended = await walkIn(read, from, to, this.#salt, ({ hole }, start, end, bytes, at) => {
      this.#check()
      return this.put(bytes.subarray(at, at + (hole ? FRAME_BYTES : end - start)), start)
    })
    if (ended !== to) throw damaged(this.#file, ended, 'a frame is not as it was written')
  }

  /** Offsets ascend. */
  put(bytes: Buffer, offset: number): Promise<void> | undefined {
    const gap = offset - this.#start - this.#used
    if (gap >= BLOCK_BYTES || this.#used + gap + bytes.length > AHEAD_BYTES) return this.#putBehind(bytes, offset)
    this.#buffer.fill(0, this.#used, this.#used + gap)
    bytes.copy(this.#buffer, this.#used + gap)
    this.#used += gap + bytes.length
    return undefined
  }

  async flush(): Promise<void> {
    await writeAll(this.#target, this.#buffer.subarray(0, this.#used), this.#start)
    this.#start += this.#used
    this.#used = 0
  }

  async #putBehind(bytes: Buffer, offset: number): Promise<void> {
    await this.flush()
    this.#start = offset
    if (bytes.length <= AHEAD_BYTES) return this.put(bytes, offset)
    await writeAll(this.#target, bytes, offset)
    this.#start += bytes.length
  }

  async #read(start: number, end: number): Promise<Buffer> {
    const at = start - this.#aheadAt
    if (at >= 0 && at + end - start <= this.#ahead.length) return this.#ahead.subarray(at, at + end - start)
    const read = await readFrom(this.#source, start, Math.max(end, start + AHEAD_BYTES))
    this.#ahead = read
    this.#aheadAt = start
    return read.subarray(0, end - start)
  }
}
