// What is in memory of streams until the index on disk has it, as a source for a file of the index.
import type { Urgency } from '../records.ts'
import type { Entry } from './entry.ts'
import { compare, type RunSource } from './merge.ts'
import { hashOf } from './names.ts'
import { PLACE_BYTES } from './run.ts'

/** Numbers of a place: position, offset in its segment, length of its frame. */
export const PLACE = 3
/** So many entries are given at once. */
const BATCH = 1024

export interface StreamPlaces {
  readonly name: string
  /** What the index holds of it is known here: `trimmed` and `last` are right. */
  loaded: boolean
  /** How many records were dropped from its beginning. */
  trimmed: number
  /** The seq of its last record. */
  last: number
  /** The places of its last records, which the index does not have. Replaced, not cut, when it gets shorter. */
  recent: number[]
  /** What its last record asks for; counts while there is a recent one. */
  urgent: Urgency
  /** It was trimmed since the index has heard of it. */
  cut: boolean
  /** The seq of its last record once the group that is being written is on disk. */
  claimed: number
}

/** The seq of the last record of a stream that the index has. */
export const indexedTo = ({ last, recent }: StreamPlaces) => last - recent.length / PLACE

/** How they are now, whatever comes. */
export class Unindexed implements RunSource {
  readonly streams: number
  readonly places: number
  readonly entries: Entry[] = []
  readonly #bytes: Buffer
  #buckets: Iterator<Entry[]>

  constructor(streams: Iterable<StreamPlaces>, count: number) {
    this.#bytes = Buffer.allocUnsafeSlow(count * PLACE_BYTES)
    let at = 0
    for (const stream of streams) {
      const { name, trimmed, recent, urgent } = stream
      const places = recent.length / PLACE
      const first = places === 0 ? 0 : stream.last - places + 1
      const { due, pending, purged } = urgent
      this.entries.push({ name, hash: hashOf(name), first, count: places, trimmed, due, pending, purged, at })
      for (let index = 0; index < recent.length; index += PLACE) {
        const byte = at++ * PLACE_BYTES
        this.#bytes.writeDoubleLE(recent[index]!, byte)
        this.#bytes.writeUInt32LE(recent[index + 1]!, byte + 8)
        this.#bytes.writeUInt32LE(recent[index + 2]!, byte + 12)
      }
    }
    this.streams = this.entries.length
    this.places = at
    this.#buckets = buckets(this.entries)
  }

  async next(): Promise<readonly Entry[]> {
    const found: Entry[] = []
    for (let next = this.#buckets.next(); !next.done; next = this.#buckets.next()) {
      found.push(...next.value)
      if (found.length >= BATCH) break
    }
    return found
  }

  take(from: number, count: number): Buffer {
    return this.#bytes.subarray(from * PLACE_BYTES, (from + count) * PLACE_BYTES)
  }
}

/** In order, without sorting all of them at once, which would hold the event loop up. */
function* buckets(entries: readonly Entry[]): Generator<Entry[]> {
  const count = Math.max(1, entries.length >> 3)
  const sorted: (Entry[] | undefined)[] = new Array(count)
  for (const entry of entries) {
    const at = Math.floor((entry.hash / 2 ** 32) * count)
    const bucket = sorted[at]
    if (bucket === undefined) sorted[at] = [entry]
    else bucket.push(entry)
  }
  for (const bucket of sorted) if (bucket !== undefined) yield bucket.sort(compare)
}
