// A file of the index: where the records of some positions, from the first to the last without a gap, are in the log.
// It is written once and never changed.
//
// places   16 bytes a record: f64 position | u32 offset in its segment | u32 bytes of its frame; by stream, by seq
// entries  one for each stream, by the hash of its name, in blocks of about 4 KiB: entry.ts
// footer   what it holds and where, the checksums of all pages, of each block the hash it begins with and what may be
//          due in it, which streams are there (names.ts), where some records are (anchors)
// trailer  f64 where the footer begins | u32 its bytes | u32 its checksum | 8 magic
//
// K3 each run names a place in the log and the checksum of the record there: it counts only for that very log.
import { type FileHandle, open } from 'node:fs/promises'
import { crc } from '../segments/crc.ts'
import { readFrom } from '../segments/segments.ts'
import { decodeEntry, type Entry, entryEnd, HASH_BYTES } from './entry.ts'
import { bloomHas } from './names.ts'
import { IndexDamaged, PageReader } from './pages.ts'

export const PLACE_BYTES = 16
export const RUN_VERSION = 1
export const RUN_MAGIC = 'duramenx'
export const TRAILER_BYTES = 24

/** What a run says of itself; JSON in its footer. */
export interface RunHead {
  readonly version: number
  readonly salt: number
  /** Of its checksums. */
  readonly seed: number
  /** Positions. */
  readonly first: number
  readonly last: number
  /** First position and size of each segment of the log up to there; the last one was still being written: 0. */
  readonly segments: readonly (readonly [first: number, size: number])[]
  /** The frame at `last`: where it is in the last of them, and its checksum. */
  readonly offset: number
  readonly end: number
  readonly sum: number
  /** Which file of trimmed positions belongs to it; 0 for none. */
  readonly gone: number
  /** How many there are of each. */
  readonly places: number
  readonly streams: number
  readonly blocks: number
  readonly anchors: number
  /** Bytes of the two parts that have pages. */
  readonly placeBytes: number
  readonly entryBytes: number
  readonly entriesAt: number
  readonly bloomBytes: number
}

/** The footer's arrays in the order in which they follow the head. */
export interface RunTables {
  /** Position and offset of each. */
  readonly anchors: Float64Array
  readonly blockStarts: Float64Array
  /** The first that is due in it; infinite for none. */
  readonly blockDues: Float64Array
  readonly blockHashes: Uint32Array
  readonly placeSums: Uint32Array
  readonly entrySums: Uint32Array
  /** 1 where an entry of the block must be looked at when the journal is opened. */
  readonly blockPending: Uint8Array
  readonly bloom: Uint8Array
}

export class Run {
  readonly path: string
  readonly head: RunHead
  readonly tables: RunTables
  readonly #handle: FileHandle
  readonly #places: PageReader
  readonly #entries: PageReader
  #users = 0
  #retired = false

  private constructor(path: string, handle: FileHandle, head: RunHead, tables: RunTables) {
    this.path = path
    this.head = head
    this.tables = tables
    this.#handle = handle
    this.#places = new PageReader(handle, 0, head.placeBytes, head.seed, tables.placeSums)
    this.#entries = new PageReader(handle, head.entriesAt, head.entryBytes, ~head.seed >>> 0, tables.entrySums)
  }

  /** Undefined where the file is none of a journal with that salt, or with any, of this version, as it was written. */
  static async open(path: string, salt: number | undefined): Promise<Run | undefined> {
    const handle = await open(path, 'r')
    try {
      const footer = await footerOf(handle)
      const read = footer && tablesOf(footer)
      if (read !== undefined && (salt === undefined || read.head.salt === salt))
        return new Run(path, handle, read.head, read.tables)
    } catch (error) {
      await handle.close()
      throw error
    }
    await handle.close()
    return undefined
  }

  mayHave(hash: number): boolean {
    return bloomHas(this.tables.bloom, hash)
  }

  /** What it holds of a stream. */
  async find(name: string, hash: number): Promise<Entry | undefined> {
    if (!this.mayHave(hash)) return undefined
    const { blockHashes } = this.tables
    for (let block = firstBlock(blockHashes, hash); block < blockHashes.length; block++) {
      if (blockHashes[block]! > hash) return undefined
      const bytes = await this.#block(block, block + 1)
      for (let at = 0; at + HASH_BYTES <= bytes.length; at = entryEnd(bytes, at)) {
        if (bytes.readUInt32LE(at) !== hash) continue
        const entry = decodeEntry(bytes, at)
        if (entry.name === name) return entry
      }
    }
    return undefined
  }

  /** The entries of some blocks that follow one another. */
  async entries(block: number, until: number): Promise<Entry[]> {
    const bytes = await this.#block(block, until)
    const found: Entry[] = []
    for (let at = 0; at + HASH_BYTES <= bytes.length; at = entryEnd(bytes, at)) found.push(decodeEntry(bytes, at))
    return found
  }

  /** The bytes of places, by their number in the file. */
  places(from: number, count: number): Promise<Buffer> {
    return this.#places.read(from * PLACE_BYTES, (from + count) * PLACE_BYTES)
  }

  #block(block: number, until: number): Promise<Buffer> {
    const { blockStarts } = this.tables
    return this.#entries.read(blockStarts[block]!, blockStarts[until]!)
  }

  /** Its file stays open while someone uses it. */
  use(): void {
    this.#users++
  }

  async unuse(): Promise<void> {
    if (--this.#users === 0 && this.#retired) await this.#handle.close()
  }

  /** Closes its file once nobody uses it. */
  async retire(): Promise<void> {
    if (this.#retired) return
    this.#retired = true
    if (this.#users === 0) await this.#handle.close()
  }
}

async function footerOf(handle: FileHandle): Promise<Buffer | undefined> {
  const { size } = await handle.stat()
  if (size < TRAILER_BYTES) return undefined
  const trailer = await readFrom(handle, size - TRAILER_BYTES, size)
  if (trailer.length < TRAILER_BYTES || trailer.toString('latin1', 16) !== RUN_MAGIC) return undefined
  const at = trailer.readDoubleLE(0)
  const bytes = trailer.readUInt32LE(8)
  if (at + bytes !== size - TRAILER_BYTES) return undefined
  const footer = await readFrom(handle, at, at + bytes)
  return footer.length === bytes && crc(footer, 0, bytes, RUN_VERSION) === trailer.readUInt32LE(12) ? footer : undefined
}

/** The tables begin behind the head, at a multiple of 8. */
export const tablesAt = (headBytes: number) => Math.ceil((4 + headBytes) / 8) * 8

function tablesOf(footer: Buffer): { head: RunHead; tables: RunTables } | undefined {
  const headBytes = footer.readUInt32LE(0)
  const head = JSON.parse(footer.toString('utf8', 4, 4 + headBytes)) as RunHead
  if (head.version !== RUN_VERSION) return undefined
  let at = footer.byteOffset + tablesAt(headBytes)
  const take = <T>(
    make: new (buffer: ArrayBuffer, at: number, length: number) => T,
    length: number,
    size: number,
  ): T => {
    const array = new make(footer.buffer as ArrayBuffer, at, length)
    at += length * size
    return array
  }
  const pages = (bytes: number) => Math.ceil(bytes / 4096)
  const anchors = take(Float64Array, head.anchors * 2, 8)
  const blockStarts = take(Float64Array, head.blocks + 1, 8)
  const blockDues = take(Float64Array, head.blocks, 8)
  const blockHashes = take(Uint32Array, head.blocks, 4)
  const placeSums = take(Uint32Array, pages(head.placeBytes), 4)
  const entrySums = take(Uint32Array, pages(head.entryBytes), 4)
  const blockPending = take(Uint8Array, head.blocks, 1)
  const bloom = take(Uint8Array, head.bloomBytes, 1)
  const tables = { anchors, blockStarts, blockDues, blockHashes, placeSums, entrySums, blockPending, bloom }
  return { head, tables }
}

/** The block in which entries with that hash begin. */
function firstBlock(hashes: Uint32Array, hash: number): number {
  let low = 0
  let high = hashes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (hashes[middle]! < hash) low = middle + 1
    else high = middle
  }
  return Math.max(low - 1, 0)
}

/** A place that was read: `index` counts from the first of the buffer. */
export function placeIn(bytes: Buffer, index: number): { position: number; offset: number; length: number } {
  const at = index * PLACE_BYTES
  const position = bytes.readDoubleLE(at)
  if (!Number.isSafeInteger(position)) throw new IndexDamaged(`position ${position}`)
  return { position, offset: bytes.readUInt32LE(at + 8), length: bytes.readUInt32LE(at + 12) }
}
