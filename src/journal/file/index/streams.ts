// What is known of streams without asking the disk: what the index does not have yet, and the streams that were used last.
//
// K9 in memory: what came since the index was written, and so many of the streams that it has.
import { NOT_URGENT, type Urgency } from '../../records.ts'
import { FRAME_BYTES } from '../segments/format.ts'
import { Anchors } from './anchors.ts'
import { Gone } from './gone.ts'
import { indexedTo, PLACE, type StreamPlaces, Unindexed } from './unindexed.ts'

/** So many streams are remembered that the index has. */
const REMEMBERED = 1 << 14

/** Shared by all that have none; replaced, never pushed to. */
const NONE: number[] = []

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
  readonly end: Streams['end']
}

export abstract class Streams {
  /** Position of the last committed frame. */
  last = 0
  protected endOffset = 0
  protected endLength = 0
  readonly anchors = new Anchors()
  readonly gone = new Gone()
  /** Frames were met that were given up: a stream may begin with any seq from there on. */
  afterHole = false
  protected readonly trims: IndexedTrim[] = []
  readonly #known = new Map<string, StreamPlaces>()
  /** With something that the index does not have. */
  #tail: StreamPlaces[] = []
  /** Used lately; the index has all of them. */
  readonly #rested = new Set<StreamPlaces>()
  #records = 0
  #bytes = 0
  /** A group is being written. */
  #held = false

  /** Whether the index may have a stream; `false` is certain. */
  protected abstract mayHave(name: string): boolean

  /** How many records are in memory because the index does not have them. */
  get unindexed(): number {
    return this.#records
  }

  /** Position, offset and length of the last committed frame. */
  get end(): { readonly position: number; readonly offset: number; readonly length: number } {
    return { position: this.last, offset: this.endOffset, length: this.endLength }
  }

  get unindexedBytes(): number {
    return this.#bytes
  }

  get remembered(): number {
    return this.#known.size
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
    return this.#known.get(name)
  }

  /** A stream that is nowhere yet: `add` or `disclaim` must follow. */
  begin(name: string): StreamPlaces {
    return this.#enter(name, true)
  }

  /** What is taken in next of a stream follows a record that is not here, nor are those before. */
  adopt(stream: StreamPlaces, before: number): void {
    this.#drop(stream, before + 1)
    stream.last = before
  }

  /** A stream of which a record is found while the log is read; of one that is not loaded, only what comes is known. */
  found(name: string): StreamPlaces | undefined {
    const known = this.known(name)
    return known !== undefined || !this.mayHave(name) ? known : this.#enter(name, false)
  }

  /**
   * Takes in what the index says of a stream. It may have been asked before it was given the last records; what was seen of the
   * stream here is never older.
   */
  protected load(name: string, trimmed: number, last: number): StreamPlaces {
    const stream = this.known(name) ?? this.#enter(name, true)
    stream.trimmed = Math.max(stream.trimmed, trimmed)
    if (last > stream.last) stream.last = stream.claimed = last
    stream.loaded = true
    if (!stream.unindexed) this.#rested.add(stream)
    this.forget()
    return stream
  }

  /** Takes back what was claimed for a stream and not committed. */
  disclaim(stream: StreamPlaces): void {
    stream.claimed = stream.last
    if (stream.claimed > 0) return
    this.#known.delete(stream.name)
    this.#rested.delete(stream)
  }

  /** Takes in the next record, which begins at that offset of the last segment. */
  add(stream: StreamPlaces, offset: number, length: number, urgent: Urgency): void {
    this.#place(offset, length)
    if (!stream.unindexed) this.#toTail(stream)
    // An array that is made with three numbers has room for three; one that is pushed to for the first time, for seventeen.
    if (stream.recent.length === 0) stream.recent = [this.last, offset, length]
    else stream.recent.push(this.last, offset, length)
    stream.last++
    stream.urgent = urgent
  }

  /** Takes in the next frame, which is a trim: the records of the stream before that seq are read no more. */
  trim(stream: StreamPlaces, offset: number, length: number, before: number): void {
    this.pastTrim(offset, length)
    this.#drop(stream, before)
  }

  #drop(stream: StreamPlaces, before: number): void {
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
    if (!stream.unindexed) this.#toTail(stream)
  }

  /** Takes in the next frame, which is a hole of so many positions. */
  hole(offset: number, length: number, positions: number): void {
    this.afterHole = true
    this.anchors.note(this.last + 1, offset)
    this.last += positions
    this.endOffset = offset
    this.endLength = length
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
    for (const stream of this.#tail) if (stream.recent.length > 0) yield stream
  }

  /** All that the index does not have. */
  protected taking(): Recent {
    const streams = this.#tail.slice()
    const source = new Unindexed(streams, this.#records)
    return { streams, source, records: this.#records, bytes: this.#bytes, end: this.end }
  }

  /** The index has these now. */
  protected taken({ streams, source, records, bytes }: Recent): void {
    this.#records -= records
    this.#bytes -= bytes
    const came = this.#tail.slice(streams.length)
    const forgotten = streams.length - REMEMBERED
    this.#tail = []
    for (let number = 0; number < streams.length; number++) {
      const stream = streams[number]!
      const taken = Math.max(source.lasts[number]! - indexedTo(stream), 0) * PLACE
      if (taken > 0) stream.recent = taken === stream.recent.length ? NONE : stream.recent.slice(taken)
      if (stream.trimmed === source.trims[number]) stream.cut = false
      stream.unindexed = stream.recent.length > 0 || stream.cut
      if (stream.unindexed) this.#tail.push(stream)
      else if (number < forgotten && !this.#held) this.#known.delete(stream.name)
      else this.#rested.add(stream)
    }
    this.#tail = this.#tail.concat(came)
    this.forget()
  }

  /** K2 From now on no stream is forgotten: what a group knows of its streams holds until all of it is taken in. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.forget()
  }

  /** Forgets streams that were not used lately. */
  protected forget(): void {
    if (this.#held) return
    for (const stream of this.#rested) {
      if (this.#rested.size <= REMEMBERED) return
      this.#rested.delete(stream)
      this.#known.delete(stream.name)
    }
  }

  #enter(name: string, loaded: boolean): StreamPlaces {
    const stream: StreamPlaces = {
      name,
      loaded,
      trimmed: 0,
      last: 0,
      recent: NONE,
      urgent: NOT_URGENT,
      unindexed: false,
      cut: false,
      claimed: 0,
    }
    this.#known.set(name, stream)
    return stream
  }

  #toTail(stream: StreamPlaces): void {
    stream.unindexed = true
    this.#rested.delete(stream)
    this.#tail.push(stream)
  }

  #place(offset: number, length: number): void {
    this.last++
    this.endOffset = offset
    this.endLength = length
    this.#records++
    this.#bytes += length
    this.anchors.note(this.last, offset)
  }
}
