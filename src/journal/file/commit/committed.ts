// How far the journal is committed, for processes that read it beside its writer: a small file that the writer keeps.
//
// K1 K7 it names only what is on disk, so that a reader never shows what is not, nor what its writer takes back.
//
// It is written in place, without a sync, a little behind the appends: none of them waits for it. So it may be missing,
// half-written, or left behind by another writer: it has a checksum, names the journal's salt, the lock under which it
// was written, and the last frame, of which it has place and checksum. Where anything of that does not fit, it counts for
// nothing (committed-end.ts).
//
// checksum of what follows, 8 hex digits | blank | JSON | blanks up to BYTES - 1 | newline
//
// K12 0600.
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../../ports/logger.ts'
import { crc } from '../segments/crc.ts'

const NAME = 'committed'
/** Enough for the largest numbers. */
const BYTES = 320
const SUM_DIGITS = 8
/** It is written at most each so many ms. */
const EVERY = 10
/** How long, in ms, it is left alone after it could not be written. */
const PAUSE = 1000

/** Where the last committed frame is. */
export interface LastFrame {
  /** 0 for none. */
  readonly position: number
  /** The first position of its segment. */
  readonly segment: number
  /** Where it begins and ends there. */
  readonly start: number
  readonly end: number
  /** Its checksum. */
  readonly sum: number
}

export const NO_FRAME: LastFrame = { position: 0, segment: 0, start: 0, end: 0, sum: 0 }

/** What the file says. */
export interface Committed extends LastFrame {
  readonly salt: number
  /** The id of the lock under which it was written. */
  readonly lock: string
  /** A write failed so that nobody knows what of it is on disk: nothing behind the last frame counts. */
  readonly failed: boolean
}

export const committedFile = (folder: string) => join(folder, NAME)

/** What a folder's file says; undefined for none that is whole. Rejects with what the file system says. */
export async function readCommitted(folder: string): Promise<Committed | undefined> {
  const bytes = await readFile(committedFile(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (bytes === undefined || bytes.length !== BYTES) return undefined
  if (bytes.toString('latin1', 0, SUM_DIGITS) !== sumOf(bytes)) return undefined
  return JSON.parse(bytes.toString('latin1', SUM_DIGITS))
}

function encode(committed: Committed): Buffer {
  const bytes = Buffer.alloc(BYTES, ' ')
  bytes.write(JSON.stringify(committed), SUM_DIGITS + 1, 'latin1')
  bytes.write('\n', BYTES - 1, 'latin1')
  bytes.write(sumOf(bytes), 'latin1')
  return bytes
}

const sumOf = (bytes: Buffer) => crc(bytes, SUM_DIGITS, BYTES, 0).toString(16).padStart(SUM_DIGITS, '0')

/** Keeps the file of a journal that is open for writing. */
export class CommittedFile {
  readonly #path: string
  readonly #salt: number
  readonly #lock: string
  /** The last frame that is on disk, which has that checksum. */
  readonly #last: (sum: number) => LastFrame
  readonly #logger: Logger
  #file: FileHandle | undefined
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #sum: number
  #failed = false
  #every = EVERY
  #warned = false

  constructor(
    folder: string,
    salt: number,
    lock: string,
    sum: number,
    last: (sum: number) => LastFrame,
    logger: Logger,
  ) {
    this.#path = committedFile(folder)
    this.#salt = salt
    this.#lock = lock
    this.#sum = sum
    this.#last = last
    this.#logger = logger
  }

  /** More is committed, up to a frame with that checksum: it is written soon. */
  moved(sum: number): void {
    this.#sum = sum
    this.#timer ??= setTimeout(() => this.write(), this.#every).unref()
  }

  /** What comes behind is unknown from now on. */
  failed(): Promise<void> {
    this.#failed = true
    return this.write()
  }

  /** Writes it as it is now. Never rejects: readers do without it, and that it fails is said once. */
  write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    try {
      this.#file ??= await open(this.#path, 'w', 0o600)
      const committed = { salt: this.#salt, lock: this.#lock, ...this.#last(this.#sum), failed: this.#failed }
      await this.#file.writev([encode(committed)], 0)
      this.#every = EVERY
    } catch (error) {
      this.#every = PAUSE
      await this.#remove()
      if (this.#warned) return
      this.#warned = true
      const what = 'could not be written: who reads the journal beside this process sees its last append late'
      this.#logger.warn(`${this.#path} ${what}`, { error })
    }
  }

  /** One that stays as it is would hold readers back. */
  async #remove(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => {})
    await rm(this.#path, { force: true }).catch(() => {})
  }

  /** Writes it for the last time. */
  async close(): Promise<void> {
    await this.write()
    await this.#file?.close().catch(() => {})
  }
}
