// The end of the journal: writes groups behind the last segment and makes them durable.
//
// K7 `sync` resolves only after fdatasync. The file's size is set ahead of its end, so that fdatasync need not put a new
// size on disk each time; a segment that is full, or closed, is cut back to its end.
// K11 a write that failed is undone, durably, before the answer says that nothing happened. Where that fails too, or
// where fdatasync itself failed (the kernel may have dropped the pages and will report it only once), no one knows
// what is on disk: the answer is OUTCOME_UNKNOWN, and nothing more is written.
import fs from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { DuramenError } from '../../../ports/errors.ts'
import { fsError } from '../../fs-error.ts'
import { type Chain, hashOfGroup } from '../segments/chain.ts'
import { encodeHeader, HEADER_BYTES, markFirst, writeLink } from '../segments/format.ts'
import { NextSegment } from '../segments/next-segment.ts'
import type { Segment } from '../segments/segments.ts'

/** The file's size is set ahead in such steps. Larger ones gain little, and after a crash all of it is read. */
const AHEAD_BYTES = 1 << 22
/** So much of a segment is full when the next one is made. */
const NEARLY_FULL = 7 / 8

export class Log {
  readonly salt: number
  /** Where its groups are chained. */
  readonly chain: Chain | undefined
  /** Is called when a segment has begun. */
  onSegment: () => void = () => {}
  readonly #folder: string
  readonly #segments: Segment[]
  readonly #segmentBytes: number
  readonly #next: NextSegment
  #file: FileHandle
  /** The size that the last segment's file was given; 0 when it ends where the segment does. */
  #ahead = 0
  /** What is on disk behind the end is unknown. */
  #unknown = false
  /** A new segment was begun and failed half-way: it must be there before anything more is written. */
  #begun = false

  private constructor(
    folder: string,
    segments: Segment[],
    salt: number,
    segmentBytes: number,
    next: NextSegment,
    file: FileHandle,
    chain: Chain | undefined,
  ) {
    this.#folder = folder
    this.#segments = segments
    this.salt = salt
    this.#segmentBytes = segmentBytes
    this.#next = next
    this.#file = file
    this.chain = chain
  }

  /** Opens the last of the segments, which is on disk, for writing; creates the first one of a new journal. */
  static async open(
    folder: string,
    segments: Segment[],
    salt: number,
    segmentBytes: number,
    chain: Chain | undefined,
  ): Promise<Log> {
    const next = new NextSegment(folder, salt)
    await next.discard()
    if (segments.length === 0) {
      const { segment, file } = await next.begin(1, async () => {})
      segments.push(segment)
      return new Log(folder, segments, salt, segmentBytes, next, file, chain)
    }
    const file = await open(segments.at(-1)!.file, 'r+')
    return new Log(folder, segments, salt, segmentBytes, next, file, chain)
  }

  /**
   * Writes a group whose first record has that position; its bytes are not on disk before `sync`. `blocking` holds the event
   * loop up and saves a thread hop. Rejects with NO_SPACE, IO … when nothing was written, with OUTCOME_UNKNOWN when that
   * is not certain.
   */
  async write(bytes: Buffer, position: number, blocking: boolean): Promise<void> {
    const size = this.#segments.at(-1)!.size
    const full = size + bytes.length > this.#segmentBytes && size > HEADER_BYTES
    if (full || this.#begun) await this.#roll(position)
    const segment = this.#segments.at(-1)!
    if (this.chain !== undefined) writeLink(bytes, this.chain.link)
    markFirst(bytes, this.salt, segment.size)
    try {
      if (segment.size + bytes.length > this.#ahead) await this.#setAhead(segment.size + bytes.length)
      if (blocking) this.#writeBlocking(bytes, segment.size)
      else await this.#write(bytes, segment.size)
    } catch (error) {
      await this.#undo(segment, error)
    }
  }

  /** Makes the bytes of the last `write` durable, up to position `last`; resolves with their offset in the last segment. Rejects with OUTCOME_UNKNOWN, and with FOLDER_MISSING where nobody will find them. */
  async sync(bytes: Buffer, last: number, blocking: boolean): Promise<number> {
    const segment = this.#segments.at(-1)!
    const offset = segment.size
    let link: Buffer | undefined
    try {
      const syncing = blocking ? fs.fdatasyncSync(this.#file.fd) : this.#file.datasync()
      if (this.chain !== undefined) link = this.#linkAfter(segment, bytes) // while the disk works
      await syncing
    } catch (error) {
      this.#unknown = true
      throw unknown(segment, error)
    }
    if (fs.fstatSync(this.#file.fd).nlink === 0) throw removed(segment)
    segment.size += bytes.length
    if (link !== undefined) this.chain?.moved(link, last)
    if (segment.size > this.#segmentBytes * NEARLY_FULL) this.#next.prepare()
    return offset
  }

  #linkAfter({ first, size }: Segment, bytes: Buffer): Buffer {
    const header = size === HEADER_BYTES ? encodeHeader({ salt: this.salt, first }) : undefined
    return hashOfGroup(header).update(bytes).digest()
  }

  async close(): Promise<void> {
    // Zeros that stay behind the end do no harm.
    if (!this.#unknown) await this.#file.truncate(this.#segments.at(-1)!.size).catch(() => {})
    await this.#next.discard().catch(() => {})
    await this.#file.close()
  }

  async #roll(first: number): Promise<void> {
    this.#begun = true
    try {
      const full = this.#file
      const { segment, file } = await this.#next.begin(first, async () => {
        await full.truncate(this.#segments.at(-1)!.size)
        await full.sync()
      })
      this.#file = file
      this.#ahead = 0
      this.#segments.push(segment)
      this.#begun = false
      this.onSegment()
      await full.close()
    } catch (error) {
      throw fsError(error, 'begin a new segment', { file: this.#folder, position: first })
    }
  }

  /** It is a gain where it works; where it does not, writing says what is wrong. */
  async #setAhead(end: number): Promise<void> {
    this.#ahead = Math.max(end, Math.min(end + AHEAD_BYTES, this.#segmentBytes))
    await this.#file.truncate(this.#ahead).catch(() => {})
  }

  async #write(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
    }
  }

  #writeBlocking(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(this.#file.fd, bytes, done, bytes.length - done, offset + done)
    }
  }

  async #undo(segment: Segment, cause: unknown): Promise<never> {
    try {
      await this.#file.truncate(segment.size)
      this.#ahead = 0
      await this.#file.sync()
    } catch {
      this.#unknown = true
      throw unknown(segment, cause)
    }
    throw fsError(cause, `append to ${segment.file}`, { file: segment.file, offset: segment.size })
  }
}

/** What has no name any more is gone once this process ends. */
function removed({ file, size }: Segment): DuramenError {
  return new DuramenError('FOLDER_MISSING', `Could not append to ${file}: it was removed`, {
    where: { file, offset: size },
    hint: 'Close the journal, restore its folder from a backup and open it again.',
  })
}

function unknown({ file, size }: Segment, cause: unknown): DuramenError {
  return new DuramenError('OUTCOME_UNKNOWN', `Whether the append reached ${file} is unknown`, {
    cause,
    where: { file, offset: size },
    hint: 'Close the journal, see to the disk and open the journal again: what is there then has happened.',
  })
}
