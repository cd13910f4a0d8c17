// What is in memory of streams until the index on disk has it, as a source for a file of the index.
import type { Urgency } from '../../records.ts'
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
  /** The index lacks something of it. */
  unindexed: boolean
  /** It was trimmed since the index has heard of it. */
  cut: boolean
  /** The seq of its last record once the group that is being written is on disk. */
  claimed: number
}

/** The seq of the last record of a stream that the index has. */
export const indexedTo = ({ last, recent }: StreamPlaces) => last - recent.length / PLACE

/** How they are now, whatever comes. In arrays of numbers, for there may be many. */
export class Unindexed implements RunSource {
  readonly streams: number
  readonly places: number
  /** Of each stream, in the order in which they were given: the seq of the last record that is here, 0 for none. */
  readonly lasts: Float64Array
  /** How many records were dropped from its beginning. */
  readonly trims: Float64Array
  readonly #given: readonly StreamPlaces[]
  readonly #urgencies: Urgency[]
  readonly #hashes: Uint32Array
  /** The number of the first place of each, and where the last one's end. */
  readonly #starts: Uint32Array
  readonly #bytes: Buffer
  /** The numbers of the streams, nearly in the order of their hashes: those of one bucket follow one another. */
  readonly #order: Uint32Array
  #next = 0

  constructor(streams: readonly StreamPlaces[], count: number) {
    const { length } = streams
    this.#given = streams
    this.streams = length
    this.lasts = new Float64Array(length)
    this.trims = new Float64Array(length)
    this.#urgencies = new Array(length)
    this.#hashes = new Uint32Array(length)
    this.#starts = new Uint32Array(length + 1)
    this.#bytes = Buffer.allocUnsafeSlow(count * PLACE_BYTES)
    let at = 0
    for (let number = 0; number < length; number++) {
      const { name, trimmed, last, recent, urgent } = streams[number]!
      this.lasts[number] = recent.length === 0 ? 0 : last
      this.trims[number] = trimmed
      this.#urgencies[number] = urgent
      this.#hashes[number] = hashOf(name)
      this.#starts[number] = at
      for (let index = 0; index < recent.length; index += PLACE) {
        const byte = at++ * PLACE_BYTES
        this.#bytes.writeDoubleLE(recent[index]!, byte)
        this.#bytes.writeUInt32LE(recent[index + 1]!, byte + 8)
        this.#bytes.writeUInt32LE(recent[index + 2]!, byte + 12)
      }
    }
    this.#starts[length] = at
    this.places = at
    this.#order = this.#buckets()
  }

  async next(): Promise<readonly Entry[]> {
    const entries: Entry[] = []
    for (let bucket = -1; this.#next < this.streams; this.#next++) {
      const entry = this.#entry(this.#order[this.#next]!)
      const own = this.#bucketOf(entry.hash)
      if (entries.length >= BATCH && own !== bucket) break
      bucket = own
      let at = entries.push(entry) - 1
      for (; at > 0 && compare(entries[at - 1]!, entry) > 0; at--) entries[at] = entries[at - 1]!
      entries[at] = entry
    }
    return entries
  }

  take(from: number, count: number): Buffer {
    return this.#bytes.subarray(from * PLACE_BYTES, (from + count) * PLACE_BYTES)
  }

  #entry(number: number): Entry {
    const { name } = this.#given[number]!
    const { due, pending, purged } = this.#urgencies[number]!
    const at = this.#starts[number]!
    const count = this.#starts[number + 1]! - at
    const first = count === 0 ? 0 : this.lasts[number]! - count + 1
    return { name, hash: this.#hashes[number]!, first, count, trimmed: this.trims[number]!, due, pending, purged, at }
  }

  #bucketOf(hash: number): number {
    return Math.floor((hash / 2 ** 32) * this.streams)
  }

  /** In one pass, without sorting all of them, which would hold the event loop up. */
  #buckets(): Uint32Array {
    const ends = new Uint32Array(this.streams + 1)
    for (const hash of this.#hashes) ends[this.#bucketOf(hash) + 1]!++
    for (let bucket = 1; bucket <= this.streams; bucket++) ends[bucket]! += ends[bucket - 1]!
    const order = new Uint32Array(this.streams)
    for (let number = 0; number < this.streams; number++) {
      const bucket = this.#bucketOf(this.#hashes[number]!)
      order[ends[bucket]!++] = number
    }
    return order
  }
}
