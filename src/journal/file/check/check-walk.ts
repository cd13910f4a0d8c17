// Goes through a segment frame by frame, over damaged places to the next frame behind them.
//
// K7 A text may hold the bytes of a frame, so not all that looks like a frame behind a damaged place is one. A first frame
// of a group is sealed with its offset; no copy of one passes for it. Any other frame must be followed by whole frames up
// to a first one, or to the end, and be newer than all that is known of its stream, which no copy is.

import { decodeFrame, EMPTY_BYTES, FRAME_BYTES, type Frame, frameEnd, HEADER_BYTES, HOLE } from '../segments/format.ts'
import type { Window } from './check-window.ts'

/** Bytes between whole frames that are none. */
export interface Bad {
  readonly offset: number
  readonly end: number
  /** How many frames they were; undefined where that is not known. */
  readonly frames: number | undefined
}

/** A whole frame, and the piece of the segment that holds it. */
export interface Found {
  readonly frame: Frame
  readonly offset: number
  readonly end: number
  readonly buffer: Buffer
  /** Where the frame begins and ends in the buffer. */
  readonly at: number
  readonly until: number
}

export interface Visitor {
  frame(found: Found): void
  bad(bad: Bad): void
  /** Whether a frame that is no first one may follow what was there so far. */
  follows(frame: Frame): boolean
}

export interface WalkOptions {
  readonly salt: number
  /** It may end in a torn group and in zeros. */
  readonly last: boolean
  /** What an earlier walk has found. */
  readonly known?: readonly Bad[]
}

/** Resolves with where the torn group begins that the segment ends with; with its size where there is none. */
export async function walk(window: Window, visitor: Visitor, options: WalkOptions): Promise<number> {
  return new Walk(window, visitor, options).run()
}

class Walk {
  readonly #window: Window
  readonly #visitor: Visitor
  readonly #salt: number
  readonly #last: boolean
  readonly #known: readonly Bad[] | undefined
  /** The first frame of a group that was found behind a damaged place. */
  #group = 0

  constructor(window: Window, visitor: Visitor, { salt, last, known }: WalkOptions) {
    this.#window = window
    this.#visitor = visitor
    this.#salt = salt
    this.#last = last
    this.#known = known
  }

  async run(): Promise<number> {
    const { size } = this.#window
    let jumps = 0
    for (let offset = HEADER_BYTES; offset < size; ) {
      const jump = this.#known?.[jumps]
      if (jump?.offset === offset) {
        jumps++
        this.#visitor.bad(jump)
        offset = jump.end
        continue
      }
      const peeked = this.#peek(offset)
      const found = typeof peeked === 'number' ? await this.#at(offset) : peeked
      if (found !== undefined) {
        this.#visitor.frame(found)
        offset = found.end
        continue
      }
      if (this.#known !== undefined || (this.#last && !(await this.#groupBehind(offset)))) return offset
      const bad = await this.#over(offset)
      this.#visitor.bad(bad)
      offset = bad.end
    }
    return size
  }

  /** The frame at an offset; a number says how many bytes must be there to tell. */
  #peek(offset: number): Found | number | undefined {
    const window = this.#window
    if (offset + FRAME_BYTES > window.size) return undefined
    if (!window.has(offset, FRAME_BYTES)) return FRAME_BYTES
    const { buffer } = window
    const at = offset - window.start
    if (buffer[at + 10] !== 0 || buffer[at + 11] !== 0) return undefined
    const until = frameEnd(buffer, at)
    if (until === undefined || at + FRAME_BYTES + buffer.readUInt16LE(at + 22) > until) return undefined
    const end = window.start + until
    const hole = (buffer[at + 9]! & HOLE) !== 0
    if (end > window.size && !(hole && window.size === EMPTY_BYTES)) return undefined
    if (!hole && !window.has(offset, until - at)) return until - at
    const frame = decodeFrame(buffer, at, until, this.#salt, offset)
    return frame && { frame, offset, end, buffer, at, until }
  }

  async #at(offset: number): Promise<Found | undefined> {
    let found = this.#peek(offset)
    while (typeof found === 'number') {
      await this.#window.load(offset, found)
      if (!this.#window.has(offset, found)) return undefined // the file has become shorter
      found = this.#peek(offset)
    }
    return found
  }

  /** The bad place that begins there. */
  async #over(offset: number): Promise<Bad> {
    const { size } = this.#window
    const end = await this.#saidEnd(offset)
    if (end !== undefined && (end === size ? !this.#last : await this.#trusted(end))) return { offset, end, frames: 1 }
    const next = await this.#search(offset + FRAME_BYTES, (found) => this.#trusts(found))
    return { offset, end: next ?? size, frames: undefined }
  }

  /** Where the bad frame ends as its length says. */
  async #saidEnd(offset: number): Promise<number | undefined> {
    const window = this.#window
    if (offset + FRAME_BYTES > window.size) return undefined
    if (!window.has(offset, FRAME_BYTES)) await window.load(offset, FRAME_BYTES)
    const until = frameEnd(window.buffer, offset - window.start)
    const end = until === undefined ? undefined : window.start + until
    return end !== undefined && end <= window.size ? end : undefined
  }

  async #trusted(offset: number): Promise<boolean> {
    const found = await this.#at(offset)
    return found !== undefined && (await this.#trusts(found))
  }

  async #trusts({ frame, end }: Found): Promise<boolean> {
    if (frame.first) return true
    if (!this.#visitor.follows(frame)) return false
    for (let at = end; at < this.#window.size; ) {
      const found = await this.#at(at)
      if (found === undefined) return false
      if (found.frame.first) return true
      at = found.end
    }
    return !this.#last
  }

  async #groupBehind(offset: number): Promise<boolean> {
    if (this.#group > offset) return true
    const found = await this.#search(offset + 1, async ({ frame }) => frame.first)
    this.#group = found ?? 0
    return found !== undefined
  }

  /** Where, from an offset on, a frame begins that will do. */
  async #search(from: number, will: (found: Found) => Promise<boolean>): Promise<number | undefined> {
    const window = this.#window
    for (let offset = from; offset + FRAME_BYTES <= window.size; offset++) {
      if (!window.has(offset, FRAME_BYTES)) await window.load(offset, FRAME_BYTES)
      const peeked = this.#peek(offset)
      if (peeked === undefined) continue
      const found = typeof peeked === 'number' ? await this.#at(offset) : peeked
      if (found !== undefined && (await will(found))) return offset
    }
    return undefined
  }
}
