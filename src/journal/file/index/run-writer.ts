// Writes a file of the index from sources whose entries are in the order of their hashes: from memory, or from older files
// that become one. A little at a time, so that the event loop is never held up for long.
import { type FileHandle, open, rm } from 'node:fs/promises'
import { writeAll } from '../../files.ts'
import { crc } from '../segments/crc.ts'
import { type Entry, encodeEntry, entryRoom, mustLook } from './entry.ts'
import { byStream, COPIED, type Part, type RunSource, trimmedIn } from './merge.ts'
import { bloomAdd, bloomBytes } from './names.ts'
import { PAGE_BYTES, PageWriter } from './pages.ts'
import { PLACE_BYTES, RUN_MAGIC, RUN_VERSION, type RunHead, TRAILER_BYTES, tablesAt } from './run.ts'

const BLOCK_BYTES = PAGE_BYTES

/** What the log knows of the positions of a run. */
export type RunRange = Pick<
  RunHead,
  'salt' | 'seed' | 'first' | 'last' | 'segments' | 'offset' | 'end' | 'sum' | 'gone'
> & { readonly anchors: readonly number[] }

/**
 * Writes a run, durably. The sources are in the order of the log. Rejects, and leaves nothing, where `stopped` says so, with
 * IndexDamaged, or with what the file system says.
 */
export async function writeRun(
  path: string,
  range: RunRange,
  sources: readonly RunSource[],
  stopped: () => boolean,
): Promise<void> {
  const handle = await open(path, 'w', 0o600)
  try {
    await new RunWriter(handle, range, sources).write(stopped)
    await handle.sync()
    await handle.close()
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

class RunWriter {
  readonly #handle: FileHandle
  readonly #range: RunRange
  readonly #sources: readonly RunSource[]
  readonly #entriesAt: number
  readonly #places: PageWriter
  readonly #entries: PageWriter
  readonly #bloom: Uint8Array
  readonly #starts: number[] = []
  readonly #dues: number[] = []
  readonly #hashes: number[] = []
  readonly #pending: number[] = []
  #streams = 0
  #count = 0

  constructor(handle: FileHandle, range: RunRange, sources: readonly RunSource[]) {
    const sum = (of: (source: RunSource) => number) => sources.reduce((all, source) => all + of(source), 0)
    this.#handle = handle
    this.#range = range
    this.#sources = sources
    this.#entriesAt = Math.ceil((sum(({ places }) => places) * PLACE_BYTES) / PAGE_BYTES) * PAGE_BYTES
    this.#places = new PageWriter(handle, 0, range.seed)
    this.#entries = new PageWriter(handle, this.#entriesAt, ~range.seed >>> 0)
    this.#bloom = new Uint8Array(bloomBytes(sum(({ streams }) => streams)))
  }

  async write(stopped: () => boolean): Promise<void> {
    await byStream(this.#sources, (group) => {
      const copying = this.#add(group)
      if (copying !== undefined) return copying.then(() => this.#writeFull(stopped))
      return this.#places.full || this.#entries.full ? this.#writeFull(stopped) : undefined
    })
    await this.#places.end()
    await this.#entries.end()
    await this.#writeFooter()
  }

  async #writeFull(stopped: () => boolean): Promise<void> {
    if (stopped()) throw new Error('the journal is being closed')
    if (this.#places.full) await this.#places.write()
    if (this.#entries.full) await this.#entries.write()
  }

  /** One stream, from the older to the newer. */
  #add(parts: readonly Part[]): Promise<void> | undefined {
    const trimmed = trimmedIn(parts)
    const newest = (parts.findLast(({ entry }) => entry.count > 0) ?? parts[0]!).entry
    const at = this.#count
    let first = 0
    let waiting: (() => Promise<void>)[] | undefined
    for (const { entry, source } of parts) {
      const dropped = Math.min(Math.max(trimmed + 1 - entry.first, 0), entry.count)
      const count = entry.count - dropped
      if (count === 0) continue
      if (first === 0) first = entry.first + dropped
      this.#count += count
      const from = entry.at + dropped
      const bytes = waiting === undefined && count <= COPIED ? source.take(from, count) : undefined
      if (Buffer.isBuffer(bytes)) this.#copy(bytes)
      else {
        waiting ??= []
        waiting.push(() => this.#copyAll(source, from, count, bytes))
      }
    }
    const { name, hash, due, pending, purged } = newest
    this.#enter({ name, hash, first, count: this.#count - at, trimmed, due, pending, purged, at })
    return waiting && inOrder(waiting)
  }

  #enter(entry: Entry): void {
    const start = this.#starts.at(-1)
    if (start === undefined || this.#entries.length - start >= BLOCK_BYTES) {
      this.#starts.push(this.#entries.length)
      this.#hashes.push(entry.hash)
      this.#dues.push(Number.POSITIVE_INFINITY)
      this.#pending.push(0)
    }
    const block = this.#starts.length - 1
    if (entry.due < this.#dues[block]!) this.#dues[block] = entry.due
    if (mustLook(entry)) this.#pending[block] = 1
    this.#entries.add(entryRoom(entry.name), (buffer, at) => encodeEntry(buffer, at, entry))
    bloomAdd(this.#bloom, entry.hash)
    this.#streams++
  }

  #copy(bytes: Buffer): void {
    this.#places.add(bytes.length, (buffer, at) => at + bytes.copy(buffer, at))
  }

  async #copyAll(source: RunSource, from: number, count: number, begun?: Promise<Buffer>): Promise<void> {
    if (begun !== undefined) return this.#copy(await begun)
    for (let done = 0; done < count; done += COPIED) {
      this.#copy(await source.take(from + done, Math.min(COPIED, count - done)))
      if (this.#places.full) await this.#places.write()
    }
  }

  async #writeFooter(): Promise<void> {
    const { anchors, ...range } = this.#range
    const head: RunHead = {
      version: RUN_VERSION,
      ...range,
      places: this.#count,
      streams: this.#streams,
      blocks: this.#starts.length,
      anchors: anchors.length / 2,
      placeBytes: this.#places.length,
      entryBytes: this.#entries.length,
      entriesAt: this.#entriesAt,
      bloomBytes: this.#bloom.length,
    }
    const text = Buffer.from(JSON.stringify(head))
    const before = Buffer.alloc(tablesAt(text.length))
    before.writeUInt32LE(text.length, 0)
    text.copy(before, 4)
    const footer = Buffer.concat([
      before,
      bytesOf(Float64Array.from(anchors)),
      bytesOf(Float64Array.from([...this.#starts, this.#entries.length])),
      bytesOf(Float64Array.from(this.#dues)),
      bytesOf(Uint32Array.from(this.#hashes)),
      bytesOf(Uint32Array.from(this.#places.sums)),
      bytesOf(Uint32Array.from(this.#entries.sums)),
      Uint8Array.from(this.#pending),
      this.#bloom,
    ])
    const trailer = Buffer.alloc(TRAILER_BYTES)
    const at = this.#entriesAt + this.#entries.length
    trailer.writeDoubleLE(at, 0)
    trailer.writeUInt32LE(footer.length, 8)
    trailer.writeUInt32LE(crc(footer, 0, footer.length, RUN_VERSION), 12)
    trailer.write(RUN_MAGIC, 16, 'latin1')
    await writeAll(this.#handle, footer, at)
    await writeAll(this.#handle, trailer, at + footer.length)
  }
}

async function inOrder(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  for (const task of tasks) await task()
}

const bytesOf = (array: Float64Array | Uint32Array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)
