// Appends that are written together: one write, one sync.
import { type Either, left, right } from 'fp-ts/lib/Either.js'
import type { DuramenError } from '../../ports/errors.ts'
import { conflict } from '../check.ts'
import type { Append, Appended } from '../port.ts'
import { encodeFrame, frameEnd, frameRoom, markFirst } from './format.ts'
import type { Places, StreamPlaces } from './places.ts'

type Answer = (answer: Either<DuramenError, Appended>) => void

interface Entry {
  readonly append: Append
  /** Where its frames are in the buffer. */
  start: number
  end: number
  readonly answer: Answer
  position: number
  /** Its stream, once it is accepted. */
  places: StreamPlaces | undefined
  refused: DuramenError | undefined
}

/** A group takes no more appends once it has that many bytes. */
const FULL = 1 << 20

export class Group {
  readonly entries: Entry[] = []
  #buffer: Buffer
  #used = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  get buffer(): Buffer {
    return this.#buffer
  }

  get full(): boolean {
    return this.#used >= FULL
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  /** Encodes an append at once, so that this work is done while another group is being written. */
  add(append: Append, salt: number, answer: Answer): void {
    const { stream, expected, texts } = append
    const start = this.#used
    const count = texts.length
    for (let number = 0; number < count; number++) {
      const text = texts[number]!
      this.#reserve(frameRoom(stream, text))
      const seq = expected + number + 1
      const more = number < count - 1
      this.#used = encodeFrame(this.#buffer, this.#used, salt, stream, seq, more, this.#used === 0, text)
    }
    this.entries.push({ append, start, end: this.#used, answer, position: 0, places: undefined, refused: undefined })
  }

  /** K2: refuses every append that does not follow its stream's last record, and takes its bytes out. */
  check(places: Places, salt: number): void {
    let next = places.last + 1
    let moved = 0
    for (const entry of this.entries) {
      const { stream, expected, texts } = entry.append
      const known = places.find(stream)
      const last = known?.claimed ?? 0
      if (last !== expected) {
        entry.refused = conflict(stream, expected, last)
        moved += entry.end - entry.start
        continue
      }
      entry.places = known ?? places.begin(stream)
      entry.places.claimed += texts.length
      entry.position = next
      next += texts.length
      if (moved === 0) continue
      this.#buffer.copyWithin(entry.start - moved, entry.start, entry.end)
      entry.start -= moved
      entry.end -= moved
    }
    this.#used -= moved
    if (this.#used > 0 && this.entries[0]!.refused !== undefined) markFirst(this.#buffer, 0, salt)
  }

  /** Takes the group into the index: its bytes are on disk, from `offset` of the last segment on. */
  commit(places: Places, offset: number): void {
    for (const { append, start, places: stream } of this.entries) {
      if (stream === undefined) continue
      let at = start
      for (let number = 0; number < append.texts.length; number++) {
        places.add(stream, offset + at)
        at = frameEnd(this.#buffer, at)!
      }
    }
  }

  /** Makes `check` undone: nothing of the group is on disk. */
  drop(places: Places): void {
    for (const { append, places: stream } of this.entries) {
      if (stream !== undefined) places.disclaim(append.stream, stream)
    }
  }

  /** Answers all appends. With an error, all of them get that one. */
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
