// What is known of streams without asking the disk: what the index does not have yet, and the streams that were used last.
//
// K9 in memory: what came since the index was written, and so many of the streams that it has.
import { NOT_URGENT, type Urgency } from '../records.ts'
import { Anchors } from './anchors.ts'
import { FRAME_BYTES } from './format.ts'
import { Gone } from './gone.ts'
import { indexedTo, PLACE, type StreamPlaces, Unindexed } from './unindexed.ts'

/** So many streams are remembered that the index has. */
const REMEMBERED = 1 << 14

/** Positions of the records from … to of a stream that were trimmed, and that only the index can name. */
export interface IndexedTrim {
  readonly name: string
  readonly from: number
  readonly to: number
}

/** What the index does not have, as it is at one moment. */
export interface Recent {
  readonly streams: readonly StreamPlaces[]
  readonly source: Unindexed
  readonly records: number
  readonly bytes: number
  /** Position, offset and length of the last frame. */
  readonly end: { readonly position: number; readonly offset: number; readonly length: number }
}

export abstract class Streams {
  /** Position of the last committed frame. */
  last = 0
  /** The same with its offset and length. */
  end = { position: 0, offset: 0, length: 0 }
  readonly anchors = new Anchors()
  readonly gone = new Gone()
  /** Frames were met that were given up: a stream may begin with any seq from there on. */
  afterHole = false
  protected readonly trims: IndexedTrim[] = []
  /** With something that the index does not have. */
  readonly #tail = new Map<string, StreamPlaces>()
  /** Used lately; the index has all of them. */
  readonly #rested = new Map<string, StreamPlaces>()
  #records = 0
  #bytes = 0

  /** Whether the index may have a stream; `false` is certain. */
  protected abstract mayHave(name: string): boolean

  /** How many records are in memory because the index does not have them. */
  get unindexed(): number {
    return this.#records
  }

  get unindexedBytes(): number {
    return this.#bytes
  }

  get remembered(): number {
    return this.#tail.size + this.#rested.size
  }

  /** A stream that is in memory; one that is nowhere has no record. */
  peek(name: string): StreamPlaces | undefined {
    const stream = this.known(name)
    return stream?.loaded ? stream : undefined
  }

  /** Whether `peek` tells the truth. */
  knows(name: string): boolean {
    return this.known(name)?.loaded ?? !this.mayHave(name)
  }

  /** Also one of which only what came lately is known. */
  protected known(name: string): StreamPlaces | undefined {
    return this.#tail.get(name) ?? this.#rested.get(name)
  }

  begin(name: string): StreamPlaces {
    return this.#rest({ ...nothing(name), loaded: true })
  }

  /** What is taken in next of a stream follows a record that is not here, nor are those before. */
  adopt(stream: StreamPlaces, before: number): void {
    stream.last = stream.trimmed = before
  }

  /** A stream of which a record is found while the log is read; of one that is not loaded, only what comes is known. */
  found(name: string): StreamPlaces | undefined {
    const known = this.known(name)
    return known !== undefined || !this.mayHave(name) ? known : this.#rest(nothing(name))
  }

  /** Takes in what the index says of a stream. */
  protected load(name: string, trimmed: number, last: number): StreamPlaces {
    const stream = this.known(name) ?? this.#rest(nothing(name))
    stream.trimmed = Math.max(stream.trimmed, trimmed)
    if (stream.recent.length === 0) stream.last = stream.claimed = last
    stream.loaded = true
    this.forget()
    return stream
  }

  /** Takes back what was claimed for a stream and not committed. */
  disclaim(stream: StreamPlaces): void {
    stream.claimed = stream.last
    if (stream.claimed === 0) this.#rested.delete(stream.name)
  }

  /** Takes in the next record, which begins at that offset of the last segment. */
  add(stream: StreamPlaces, offset: number, length: number, urgent: Urgency): void {
    this.#place(offset, length)
    if (stream.recent.length === 0) this.#toTail(stream)
    stream.recent.push(this.last, offset, length)
    stream.last++
    stream.urgent = urgent
  }

  /** Takes in the next frame, which is a trim: the records of the stream before that seq are read no more. */
  trim(stream: StreamPlaces, offset: number, length: number, before: number): void {
    this.pastTrim(offset, length)
    if (before - 1 <= stream.trimmed) return
    const { name, recent } = stream
    const indexed = indexedTo(stream)
    const from = stream.trimmed + 1
    if (!stream.loaded || from <= indexed) this.trims.push({ name, from, to: Math.min(before - 1, indexed) })
    const dropped = Math.max(before - 1 - Math.max(indexed, stream.trimmed), 0) * PLACE
    for (let at = 0; at < dropped && at < recent.length; at += PLACE) this.gone.add(recent[at]!)
    if (dropped > 0) stream.recent = recent.slice(dropped)
    stream.trimmed = before - 1
    stream.cut = true
    this.#toTail(stream)
  }

  /** Takes in the next frame, which is a hole of so many positions. */
  hole(offset: number, length: number, positions: number): void {
    this.afterHole = true
    this.anchors.note(this.last + 1, offset)
    this.last += positions
    this.end = { position: this.last, offset, length }
    this.#records++
    this.#bytes += FRAME_BYTES
  }

  /** The next frame is a trim of a stream whose records up to there were given up: it says nothing any more. */
  pastTrim(offset: number, length: number): void {
    this.#place(offset, length)
    this.gone.add(this.last)
  }

  /** The streams with records that the index does not have. */
  protected *recent(): Generator<StreamPlaces> {
    for (const stream of this.#tail.values()) if (stream.recent.length > 0) yield stream
  }

  /** All that the index does not have. */
  protected taking(): Recent {
    const streams = Array.from(this.#tail.values())
    const source = new Unindexed(streams, this.#records)
    return { streams, source, records: this.#records, bytes: this.#bytes, end: this.end }
  }

  /** The index has these now. */
  protected taken({ streams, source, records, bytes }: Recent): void {
    this.#records -= records
    this.#bytes -= bytes
    for (const [number, stream] of streams.entries()) {
      const { first, count, trimmed } = source.entries[number]!
      const taken = Math.max(first + count - 1 - indexedTo(stream), 0) * PLACE
      if (count > 0 && taken > 0) stream.recent = stream.recent.slice(taken)
      if (stream.trimmed === trimmed) stream.cut = false
      if (stream.recent.length > 0 || stream.cut) continue
      this.#tail.delete(stream.name)
      this.#rested.set(stream.name, stream)
    }
    this.forget()
  }

  /** Forgets streams that were not used lately. */
  protected forget(): void {
    if (this.#rested.size <= REMEMBERED) return
    for (const [name, stream] of this.#rested) {
      if (this.#rested.size <= REMEMBERED) return
      if (stream.claimed === stream.last) this.#rested.delete(name)
    }
  }

  #rest(stream: StreamPlaces): StreamPlaces {
    this.#rested.set(stream.name, stream)
    return stream
  }

  #toTail(stream: StreamPlaces): void {
    this.#rested.delete(stream.name)
    this.#tail.set(stream.name, stream)
  }

  #place(offset: number, length: number): void {
    this.last++
    this.end = { position: this.last, offset, length }
    this.#records++
    this.#bytes += length
    this.anchors.note(this.last, offset)
  }
}

function nothing(name: string): StreamPlaces {
  return { name, loaded: false, trimmed: 0, last: 0, recent: [], urgent: NOT_URGENT, cut: false, claimed: 0 }
}
