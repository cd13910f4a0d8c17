// Several files of the index as one: stream by stream, in the order of the hashes of their names.
import type { Entry } from './entry.ts'
import { IndexDamaged } from './pages.ts'
import { PLACE_BYTES, type Run } from './run.ts'

/** So many places of one stream are copied at once. */
export const COPIED = 4096
/** So many blocks are read at once. */
const BLOCKS_AHEAD = 12

/** What a run is made from. */
export interface RunSource {
  /** The most that can come of it. */
  readonly streams: number
  readonly places: number
  /** The next entries by hash and name; none at the end. */
  next(): Promise<readonly Entry[]>
  /** The bytes of places by their numbers, which ascend from call to call. */
  take(from: number, count: number): Buffer | Promise<Buffer>
}

/** What one source has of a stream. */
export interface Part {
  readonly entry: Entry
  readonly source: RunSource
}

/** Calls `each` for every stream with what the sources have of it, in their order; waits where it gives a promise. */
export async function byStream(
  sources: readonly RunSource[],
  each: (parts: readonly Part[]) => Promise<void> | undefined,
): Promise<void> {
  const cursors = sources.map((source) => new Cursor(source))
  const parts: Cursor[] = []
  for (;;) {
    let least: Entry | undefined
    parts.length = 0
    for (const cursor of cursors) {
      if (cursor.ended || (cursor.empty && !(await cursor.fill()))) continue
      const order = least === undefined ? -1 : compare(cursor.entry, least)
      if (order > 0) continue
      if (order < 0) parts.length = 0
      least = cursor.entry
      parts.push(cursor)
    }
    if (least === undefined) return
    const waiting = each(parts)
    if (waiting !== undefined) await waiting
    for (const cursor of parts) cursor.step()
  }
}

/** How many records were dropped from a stream's beginning. Throws IndexDamaged where one is missing of those that were not. */
export function trimmedIn(parts: readonly { readonly entry: Entry }[]): number {
  let trimmed = 0
  for (const { entry } of parts) if (entry.trimmed > trimmed) trimmed = entry.trimmed
  let next = 0
  for (const { entry } of parts) {
    const end = entry.first + entry.count
    if (end <= trimmed + 1) continue
    if (next !== 0 && entry.first !== next) throw new IndexDamaged(`record ${next} of ${entry.name} is missing`)
    next = end
  }
  return trimmed
}

class Cursor implements Part {
  readonly source: RunSource
  #entries: readonly Entry[] = []
  #index = 0
  ended = false

  constructor(source: RunSource) {
    this.source = source
  }

  get entry(): Entry {
    return this.#entries[this.#index]!
  }

  get empty(): boolean {
    return this.#index >= this.#entries.length
  }

  step(): void {
    this.#index++
  }

  /** Whether there is one more. */
  async fill(): Promise<boolean> {
    this.#entries = await this.source.next()
    this.#index = 0
    this.ended = this.empty
    return !this.ended
  }
}

/** An older run, read from its beginning to its end. */
export class OldRun implements RunSource {
  readonly streams: number
  readonly places: number
  readonly #run: Run
  #block = 0
  /** Places that were read ahead, and the number of the first of them. */
  #ahead: Buffer = Buffer.alloc(0)
  #aheadAt = 0

  constructor(run: Run) {
    this.#run = run
    this.streams = run.head.streams
    this.places = run.head.places
  }

  async next(): Promise<readonly Entry[]> {
    const block = this.#block
    this.#block = Math.min(block + BLOCKS_AHEAD, this.#run.head.blocks)
    return block < this.#block ? this.#run.entries(block, this.#block) : []
  }

  take(from: number, count: number): Buffer | Promise<Buffer> {
    const start = (from - this.#aheadAt) * PLACE_BYTES
    const end = start + count * PLACE_BYTES
    return start >= 0 && end <= this.#ahead.length ? this.#ahead.subarray(start, end) : this.#read(from, count)
  }

  async #read(from: number, count: number): Promise<Buffer> {
    const ahead = await this.#run.places(from, Math.min(Math.max(count, 2 * COPIED), this.places - from))
    this.#ahead = ahead
    this.#aheadAt = from
    return ahead.subarray(0, count * PLACE_BYTES)
  }
}

/** By hash, then by name. */
export function compare(one: Entry, other: Entry): number {
  return one.hash - other.hash || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0)
}
