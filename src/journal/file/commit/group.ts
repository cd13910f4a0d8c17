// Appends and trims that are written together: one write, one sync.
//
// K12 an append whose text a codec refuses has left nothing in the buffer.
import { type Either, left, right } from 'fp-ts/lib/Either.js'
import type { DuramenError } from '../../../ports/errors.ts'
import { conflict, trimRefusal } from '../../check.ts'
import type { Append, Appended } from '../../port.ts'
import { NOT_URGENT, type Urgency, urgencyOf } from '../../records.ts'
import type { Places } from '../index/places.ts'
import type { StreamPlaces } from '../index/unindexed.ts'
import type { Coding } from '../segments/coding.ts'
import {
  BEGINS,
  CHAIN_BYTES,
  type Coded,
  encodeCoded,
  encodeFrame,
  frameEnd,
  frameRoom,
  MORE,
  makeChained,
  TRIM,
} from '../segments/format.ts'

export type Answer = (answer: Either<DuramenError, Appended>) => void

interface Entry {
  readonly stream: string
  /** The seq that an append follows, or before which a trim drops. */
  readonly seq: number
  readonly frames: number
  readonly trim: boolean
  /** Its stream begins with it, whatever the seq. */
  readonly adopt: boolean
  /** Where its frames are in the buffer. */
  start: number
  end: number
  readonly answer: Answer
  /** Of its last record. */
  readonly urgency: Urgency
  position: number
  /** Its stream, once it is accepted. */
  places: StreamPlaces | undefined
  refused: DuramenError | undefined
}

/** A group takes no more appends once it has that many bytes. */
const FULL = 1 << 20

export class Group {
  readonly entries: Entry[] = []
  /** Position of its last frame; known once it was checked. */
  last = 0
  #buffer: Buffer
  /** Where its bytes begin: behind room for a chain value, until the first frame that is accepted has moved into it. */
  #begin: number
  #used: number

  constructor(buffer: Buffer, chained: boolean) {
    this.#buffer = buffer
    this.#begin = this.#used = chained ? CHAIN_BYTES : 0
  }

  get buffer(): Buffer {
    return this.#buffer
  }

  get full(): boolean {
    return this.#used >= FULL
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(this.#begin, this.#used)
  }

  /** Encodes an append at once, so that this work is done while another group is being written. */
  add(append: Append, salt: number, coding: Coding, answer: Answer): void {
    const start = this.#used
    const refused = coding.codec === undefined ? this.#plain(append, salt) : this.#coded(append, salt, coding)
    if (refused !== undefined) return answer(left(refused))
    const { stream, expected, texts, adopt = false } = append
    this.#enter(stream, expected, texts.length, false, adopt, start, answer, urgencyOf(stream, texts.at(-1)!))
  }

  #plain({ stream, expected, texts, adopt }: Append, salt: number): undefined {
    const count = texts.length
    for (let number = 0; number < count; number++) {
      const text = texts[number]!
      this.#reserve(frameRoom(stream, text))
      const seq = expected + number + 1
      const flags = flagsOf(number, count, adopt)
      this.#used = encodeFrame(this.#buffer, this.#used, salt, stream, seq, flags, text)
    }
  }

  /** All of them are encoded before the first goes into the buffer. */
  #coded({ stream, expected, texts, adopt }: Append, salt: number, coding: Coding): DuramenError | undefined {
    let encoded: Coded[]
    try {
      encoded = texts.map((text, number) => coding.encode(text, { stream, seq: expected + number + 1, kind: 'record' }))
    } catch (error) {
      return error as DuramenError
    }
    for (const [number, coded] of encoded.entries()) {
      this.#reserve(frameRoom(stream, '') + coded.bytes.length)
      const flags = flagsOf(number, encoded.length, adopt)
      this.#used = encodeCoded(this.#buffer, this.#used, salt, stream, expected + number + 1, flags, coded)
    }
    return undefined
  }

  /** Encodes a trim. */
  trim(stream: string, before: number, salt: number, answer: Answer): void {
    const start = this.#used
    this.#reserve(frameRoom(stream, ''))
    this.#used = encodeFrame(this.#buffer, start, salt, stream, before, TRIM, '')
    this.#enter(stream, before, 1, true, false, start, answer, NOT_URGENT)
  }

  #enter(
    stream: string,
    seq: number,
    frames: number,
    trim: boolean,
    adopt: boolean,
    start: number,
    answer: Answer,
    urgency: Urgency,
  ): void {
    const end = this.#used
    this.entries.push({
      stream,
      seq,
      frames,
      trim,
      adopt,
      start,
      end,
      answer,
      urgency,
      position: 0,
      places: undefined,
      refused: undefined,
    })
  }

  /** Sees to it that `check` knows of each stream what it must know. Undefined where it does. */
  prepare(places: Places): Promise<void> | undefined {
    for (const { stream } of this.entries) if (!places.knows(stream)) return this.#look(places)
    return undefined
  }

  async #look(places: Places): Promise<void> {
    const unknown = () => this.entries.filter(({ stream }) => !places.knows(stream))
    for (let entries = unknown(); entries.length > 0; entries = unknown()) {
      await Promise.all(entries.map(({ stream }) => places.look(stream)))
    }
  }

  /**
   * K2: refuses every append that does not follow its stream's last record, and takes its bytes out; as those of a trim
   * that has nothing to drop.
   */
  check(places: Places): void {
    let next = places.last + 1
    let moved = 0
    for (const entry of this.entries) {
      const { stream, seq, frames, trim, adopt } = entry
      const known = places.peek(stream)
      const last = known?.claimed ?? 0
      if (trim) entry.refused = trimRefusal(stream, seq, last)
      else if (last !== (adopt ? 0 : seq)) entry.refused = conflict(stream, seq, last)
      if (entry.refused !== undefined || (trim && known!.trimmed >= seq - 1)) {
        moved += entry.end - entry.start
        continue
      }
      entry.places = known ?? places.begin(stream)
      if (!trim) entry.places.claimed = seq + frames
      entry.position = next
      next += frames
      if (moved === 0) continue
      this.#buffer.copyWithin(entry.start - moved, entry.start, entry.end)
      entry.start -= moved
      entry.end -= moved
    }
    this.#used -= moved
    this.last = next - 1
    if (this.#begin < this.#used) this.#chain()
  }

  #chain(): void {
    if (this.#begin === 0) return
    makeChained(this.#buffer)
    this.#begin = 0
    this.entries.find(({ places }) => places !== undefined)!.start = 0
  }

  /** Takes the group into the index: its bytes are on disk, from `offset` of the last segment on. */
  commit(places: Places, offset: number): void {
    for (const { seq, frames, trim, adopt, start, urgency, places: stream } of this.entries) {
      if (stream === undefined) continue
      if (adopt) places.adopt(stream, seq)
      let at = start
      for (let left = frames; left > 0; left--) {
        const end = frameEnd(this.#buffer, at)!
        if (trim) places.trim(stream, offset + at, end - at, seq)
        else places.add(stream, offset + at, end - at, left === 1 ? urgency : NOT_URGENT)
        at = end
      }
    }
    places.tidy()
  }

  /** Makes `check` undone: nothing of the group is on disk. */
  drop(places: Places): void {
    for (const { places: stream } of this.entries) if (stream !== undefined) places.disclaim(stream)
  }

  /** Answers all of them. With an error, all of them get that one. */
  answer(error?: DuramenError): void {
    for (const { answer, position, refused } of this.entries) {
      const wrong = error ?? refused
      answer(wrong === undefined ? right({ position }) : left(wrong))
    }
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#used + bytes))
    this.#buffer.copy(larger, 0, 0, this.#used)
    this.#buffer = larger
  }
}

const flagsOf = (number: number, count: number, adopt = false) =>
  (number < count - 1 ? MORE : 0) | (adopt && number === 0 ? BEGINS : 0)
