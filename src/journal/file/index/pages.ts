// A part of an index file as pages of 4 KiB, of which each has a checksum: what is not as it was written is never an
// answer, it is an IndexDamaged. The checksums stand at the end of the file (run.ts) and are in memory while it is open.
import type { FileHandle } from 'node:fs/promises'
import { writeAll } from '../../files.ts'
import { crc } from '../segments/crc.ts'
import { readFrom } from '../segments/segments.ts'

export const PAGE_BYTES = 4096
const BUFFER_BYTES = 32 * PAGE_BYTES

/** The index is not as it was written, or does not fit the log. The log is the truth: the index is made anew. */
export class IndexDamaged extends Error {}

/** Mixed into the checksum, so that a page is only itself at its own place. */
const seedOf = (seed: number, page: number) => (seed ^ Math.imul(page + 1, 0x9e3779b1)) >>> 0

export class PageWriter {
  readonly sums: number[] = []
  /** How many bytes there are. */
  length = 0
  readonly #handle: FileHandle
  readonly #start: number
  readonly #seed: number
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #used = 0
  #written = 0

  constructor(handle: FileHandle, start: number, seed: number) {
    this.#handle = handle
    this.#start = start
    this.#seed = seed
  }

  /** Puts bytes in: there is room for so many, `fill` returns where they end. */
  add(room: number, fill: (buffer: Buffer, at: number) => number): void {
    if (this.#used + room > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#used + room))
      this.#buffer.copy(larger, 0, 0, this.#used)
      this.#buffer = larger
    }
    const end = fill(this.#buffer, this.#used)
    this.length += end - this.#used
    this.#used = end
  }

  /** There is enough for a write. */
  get full(): boolean {
    return this.#used >= BUFFER_BYTES
  }

  /** Writes whole pages. */
  write(): Promise<void> {
    return this.#write(this.#used - (this.#used % PAGE_BYTES))
  }

  /** Writes what is left. */
  end(): Promise<void> {
    return this.#write(this.#used)
  }

  async #write(bytes: number): Promise<void> {
    const buffer = this.#buffer
    for (let at = 0; at < bytes; at += PAGE_BYTES) {
      this.sums.push(crc(buffer, at, Math.min(at + PAGE_BYTES, bytes), seedOf(this.#seed, this.sums.length)))
    }
    await writeAll(this.#handle, buffer.subarray(0, bytes), this.#start + this.#written)
    this.#written += bytes
    buffer.copyWithin(0, bytes, this.#used)
    this.#used -= bytes
  }
}

export class PageReader {
  readonly length: number
  readonly #handle: FileHandle
  readonly #start: number
  readonly #seed: number
  readonly #sums: Uint32Array

  constructor(handle: FileHandle, start: number, length: number, seed: number, sums: Uint32Array) {
    this.#handle = handle
    this.#start = start
    this.length = length
    this.#seed = seed
    this.#sums = sums
  }

  /** The bytes from `from` up to `to`. Rejects with IndexDamaged. */
  async read(from: number, to: number): Promise<Buffer> {
    if (from > to || to > this.length) throw new IndexDamaged(`bytes ${from} to ${to} of ${this.length}`)
    const first = Math.floor(from / PAGE_BYTES)
    const start = first * PAGE_BYTES
    const end = Math.min(Math.ceil(to / PAGE_BYTES) * PAGE_BYTES, this.length)
    const bytes = await readFrom(this.#handle, this.#start + start, this.#start + end).catch((error) => {
      throw new IndexDamaged(String(error), { cause: error })
    })
    if (bytes.length < end - start) throw new IndexDamaged(`it ends before byte ${this.#start + end}`)
    for (let at = 0, page = first; at < bytes.length; at += PAGE_BYTES, page++) {
      const sum = crc(bytes, at, Math.min(at + PAGE_BYTES, bytes.length), seedOf(this.#seed, page))
      if (sum !== this.#sums[page]) throw new IndexDamaged(`page ${page} is not as it was written`)
    }
    return bytes.subarray(from - start, to - start)
  }
}
