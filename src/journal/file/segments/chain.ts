// A chain of hashes over the groups of a journal, so that whoever has noted its end can tell whether anything before was
// changed, however well its checksums were made right again. Pure; last-group.ts has the reading.
//
// The first frame of each group carries the hash of the group before: SHA-256 of its bytes, of which that group's own hash
// is a part; of the first group in a segment, the segment's header comes before its bytes. The group with which a chain
// begins carries zeros. The hash of the last group is in no frame yet: it is the end of the chain, to be noted elsewhere.
//
// What a chain can't tell without such a note: whether groups at its end were taken away, or all of it was written anew.
// Where bytes were given up in the middle it is broken, and what is before counts as not covered; where the journal's
// leading segments are given up, it begins with the first group that is left, for which the noted end vouches.
import { createHash, type Hash } from 'node:crypto'
import { CHAIN_BYTES, type Frame } from './format.ts'

const BEGINNING = Buffer.alloc(CHAIN_BYTES)

/** Up to where a journal was when it was noted, and the hash over all of it. */
export interface ChainHead {
  /** Of the last frame. */
  readonly position: number
  /** 64 hex digits. */
  readonly hash: string
}

/** The end of a chain as its writer knows it. */
export class Chain {
  #link: Buffer
  #position: number

  /** Of a chain that is not begun: nothing. */
  constructor(link: Buffer = BEGINNING, position = 0) {
    this.#link = link
    this.#position = position
  }

  /** What the next group carries. */
  get link(): Buffer {
    return this.#link
  }

  /** Undefined before the first group. */
  get head(): ChainHead | undefined {
    return this.#position === 0 ? undefined : { position: this.#position, hash: this.#link.toString('hex') }
  }

  /** A group is on disk, up to that position. */
  moved(link: Buffer, position: number): void {
    this.#link = link
    this.#position = position
  }
}

/** For the bytes of a group; `header`: of its segment, where it is the first one there. */
export function hashOfGroup(header: Buffer | undefined): Hash {
  const hash = createHash('sha256')
  return header === undefined ? hash : hash.update(header)
}

/** What is wrong with a chain, and from which position on. */
export interface BrokenLink {
  readonly position: number
  readonly what: string
}

/** What there is to say of a chain. */
export interface ChainReport {
  /** The first position that the noted end vouches for; undefined where nothing is chained. */
  readonly from: number | undefined
  /** Its end; undefined where the last group is not chained. */
  readonly head: ChainHead | undefined
  readonly broken: readonly BrokenLink[]
  /** Whether the journal was at `expected` once; undefined where nothing was expected, or what that was of was given up. */
  readonly met: boolean | undefined
}

/** Follows a chain over all frames of a journal, in order. */
export class ChainVerifier {
  readonly #expected: ChainHead | undefined
  readonly #broken: BrokenLink[] = []
  #met = false
  /** The group that `expected` is the end of is not there any more. */
  #givenUp = false
  #from: number | undefined
  /** Of the segment whose first group is still to come. */
  #header: Buffer | undefined
  /** Over the group that is read; undefined where it is not chained. */
  #group: Hash | undefined
  /** Of the last frame, and of all. */
  #position = 0
  /** What was before is not there any more. */
  #afterHole = false
  #begun = false
  /** Before an append that is not whole yet. */
  #whole:
    | {
        readonly group: Hash | undefined
        readonly position: number
        readonly from: number | undefined
        readonly broken: number
      }
    | undefined

  /** `expected`: an end that was noted earlier. */
  constructor(expected?: ChainHead) {
    this.#expected = expected
  }

  /** The next segment begins with that header. */
  segment(header: Buffer): void {
    this.#header = Buffer.from(header)
  }

  /** The next frame, from `at` to `end` of the buffer; of a hole, `position` is the last that it covers. */
  frame(frame: Frame, buffer: Buffer, at: number, end: number, position: number): void {
    if (!frame.more) this.#whole = undefined
    else this.#whole ??= this.#before()
    if (frame.hole) {
      this.#close()
      const noted = this.#expected?.position ?? 0
      if (noted > this.#position && noted <= position) this.#givenUp = true
      this.#afterHole = true
      this.#header = undefined
    } else {
      if (frame.first) {
        this.#open(frame, buffer, position)
        this.#afterHole = false
      }
      this.#group?.update(buffer.subarray(at, end))
    }
    this.#position = position
  }

  /** An append that the frames end in the middle of does not count: it is cut off when the journal is opened. */
  end(): ChainReport {
    if (this.#whole !== undefined) {
      this.#group = this.#whole.group
      this.#position = this.#whole.position
      this.#from = this.#whole.from
      this.#broken.length = this.#whole.broken
    }
    const head = this.#close()
    return {
      from: this.#from,
      head,
      broken: this.#broken,
      met: this.#expected === undefined || (this.#givenUp && !this.#met) ? undefined : this.#met,
    }
  }

  #before() {
    return {
      group: this.#group?.copy(),
      position: this.#position,
      from: this.#from,
      broken: this.#broken.length,
    }
  }

  #open(frame: Frame, buffer: Buffer, position: number): void {
    const before = this.#close()
    const header = this.#header
    this.#header = undefined
    if (!frame.chained) {
      if (before !== undefined) this.#break(position, 'a group is not chained, though the one before is')
      return
    }
    const link = buffer.toString('hex', frame.textAt - CHAIN_BYTES, frame.textAt)
    this.#check(link, before, position)
    if (this.#afterHole) this.#meet(position - 1, link)
    this.#group = hashOfGroup(header)
    this.#begun = true
  }

  #check(link: string, before: ChainHead | undefined, position: number): void {
    const begins = link === BEGINNING.toString('hex')
    if (this.#afterHole && this.#begun) this.#break(position, 'what was before was given up')
    else if (before !== undefined && link !== before.hash) {
      this.#break(position, 'it does not carry the hash of the group before')
    } else if (before === undefined && !begins && !this.#afterHole) {
      this.#break(position, 'it carries the hash of a group that is not there')
    } else this.#from ??= position
  }

  #break(position: number, what: string): void {
    this.#broken.push({ position, what })
    this.#from = position
  }

  /** The end of the group that was read, if it is chained. */
  #close(): ChainHead | undefined {
    const hash = this.#group?.digest('hex')
    this.#group = undefined
    if (hash === undefined) return undefined
    const head = { position: this.#position, hash }
    this.#meet(head.position, hash)
    return head
  }

  #meet(position: number, hash: string): void {
    if (this.#expected?.position === position && this.#expected.hash === hash) this.#met = true
  }
}
