// Whether records follow one another within their streams, and which of them are still the beginning of their stream's
// history where others were lost.
//
// K2 K7 a stream is its records from the first that was not trimmed on, without a gap. What comes behind a lost record is
// no part of that; nor is an append of which a part was lost.
import type { Frame } from '../segments/format.ts'

/** What is known of a stream. */
interface Known {
  first: number
  last: number
  /** The highest seq before which it was trimmed. */
  before: number
  /** Bytes of its records, and of the last one. */
  bytes: number
  lastBytes: number
}

/** One frame of a segment, or several that belong together. */
export interface Span {
  readonly offset: number
  readonly end: number
}

export interface OrderOptions {
  /** By stream: the seq with which it begins; what is before was trimmed, and lost in parts. */
  readonly starts?: ReadonlyMap<string, number>
  /** Is told of frames that are not as they must be although nothing before was lost. */
  onWrong?(span: Span, what: string): void
  /** Is told of frames that are no part of their stream's history, or never were of any. */
  onGivenUp?(span: Span, frame: Frame, records: number): void
}

/**
 * Takes frames in order. Without `starts` it goes on behind gaps, to find all of them; with it, what comes behind a gap is
 * given up.
 */
export class Order {
  readonly streams = new Map<string, Known>()
  /** By stream: the seq that was expected and the one that came instead, of each gap. */
  readonly gaps = new Map<string, number[]>()
  records = 0
  readonly #options: OrderOptions
  /** Something was lost before. */
  #lossy = false
  /** Something was given up before, in good order. */
  #holes = false
  #append: { readonly frame: Frame; readonly seq: number; readonly spans: Span[] } | undefined

  constructor(options: OrderOptions = {}) {
    this.#options = options
  }

  /** Where the append begins that is not at its end yet. */
  get unfinished(): number | undefined {
    return this.#append?.spans[0]?.offset
  }

  /** Something was lost at this place. */
  lost(): void {
    this.#lossy = true
    this.#dropAppend()
  }

  /** Frames cannot go on in the next segment. */
  segmentEnds(): void {
    if (this.#append === undefined) return
    const { frame, spans } = this.#append
    this.#wrong(spans[0]!, `the append of ${frame.stream} that begins here has no end`)
    this.lost()
  }

  /** Whether a frame that was found behind a damaged place can be one that was written there. */
  follows({ stream, seq, trim }: Frame): boolean {
    const known = this.streams.get(stream)
    return trim ? known === undefined || seq > known.before : seq > (known?.last ?? 0)
  }

  /** What is not finished at the end of the journal has not happened. Returns how many frames that are. */
  forgetUnfinished(): number {
    const frames = this.#append?.spans.length ?? 0
    this.#append = undefined
    return frames
  }

  take(frame: Frame, span: Span): void {
    if (frame.hole) this.#hole(span)
    else if (frame.trim) this.#trim(frame, span)
    else this.#record(frame, span)
  }

  #hole(span: Span): void {
    if (this.#append !== undefined) {
      this.#wrong(span, `the append of ${this.#append.frame.stream} before is not whole`)
      this.lost()
    }
    this.#holes = true
  }

  #trim(frame: Frame, span: Span): void {
    const { stream, seq } = frame
    this.#interrupted(frame, span)
    const known = this.streams.get(stream)
    if (known !== undefined && seq >= 1 && seq <= known.last) {
      known.before = Math.max(known.before, seq)
      return
    }
    const mayBe = (this.#holes && known === undefined) || (this.#lossy && !this.#strict)
    if (seq >= 1 && mayBe) return this.#trimUnknown(stream, seq)
    if (!this.#lossy) this.#wrong(span, `it trims ${stream} before ${seq}, which is out of order`)
    this.#options.onGivenUp?.(span, frame, 0)
  }

  /** What it drops was lost, or given up before. */
  #trimUnknown(stream: string, seq: number): void {
    const known = this.streams.get(stream)
    if (known !== undefined) known.before = Math.max(known.before, seq)
    else this.streams.set(stream, { first: 0, last: 0, before: seq, bytes: 0, lastBytes: 0 })
  }

  get #strict(): boolean {
    return this.#options.starts !== undefined
  }

  #record(frame: Frame, span: Span): void {
    const { stream, seq, more } = frame
    this.#interrupted(frame, span)
    if (this.#append === undefined) this.#append = { frame, seq, spans: [span] }
    else this.#append.spans.push(span)
    if (more) return
    const { spans, seq: first, frame: begin } = this.#append
    this.#append = undefined
    const known = this.streams.get(stream)
    if (!this.#accepts(begin, known, first, spans[0]!)) {
      for (const one of spans) this.#options.onGivenUp?.(one, frame, 1)
      return
    }
    const bytes = spans.reduce((sum, { offset, end }) => sum + end - offset, 0)
    const lastBytes = span.end - span.offset
    this.records += spans.length
    if (known === undefined) this.streams.set(stream, { first, last: seq, before: 1, bytes, lastBytes })
    else Object.assign(known, { first: known.first || first, last: seq, bytes: known.bytes + bytes, lastBytes })
  }

  /** Whether an append that begins with that seq goes on where its stream is, or is to be taken all the same. */
  #accepts({ stream, begins }: Frame, known: Known | undefined, seq: number, span: Span): boolean {
    const last = known?.last ?? 0
    const start = this.#options.starts?.get(stream)
    if (start !== undefined && last === 0) return seq === start
    if (seq === last + 1 || (last === 0 && (begins || (this.#holes && !this.#lossy)))) return true
    if (this.#lossy && seq > last) {
      if (this.#strict) return false
      const gaps = this.gaps.get(stream)
      if (gaps === undefined) this.gaps.set(stream, [last + 1, seq])
      else gaps.push(last + 1, seq)
      return true
    }
    this.#wrong(span, `it is record ${seq} of ${stream}, which is out of order`)
    return false
  }

  /** An append must not be interrupted by anything else. */
  #interrupted({ stream, seq, trim }: Frame, span: Span): void {
    const append = this.#append
    if (append === undefined) return
    if (!trim && append.frame.stream === stream && seq === append.seq + append.spans.length) return
    this.#wrong(span, `the append of ${append.frame.stream} before is not whole`)
    this.lost()
  }

  #wrong(span: Span, what: string): void {
    this.#options.onWrong?.(span, what)
    this.#lossy = true
  }

  #dropAppend(): void {
    const append = this.#append
    this.#append = undefined
    if (append === undefined) return
    for (const span of append.spans) this.#options.onGivenUp?.(span, append.frame, 1)
    const { stream } = append.frame
    const gaps = this.gaps.get(stream)
    if (gaps === undefined) this.gaps.set(stream, [append.seq, append.seq])
    else gaps.push(append.seq, append.seq)
  }
}

/**
 * What the gaps have cost, now that all is known of the streams. `cuts`: by stream, the seq of the first record that is lost.
 * `starts`: by stream, the seq from which on it is whole, where only trimmed records were lost: what is left of those can't
 * be kept. `trimmedBefore` is asked beside the trims that were seen.
 */
export async function judge(order: Order, trimmedBefore: (stream: string) => Promise<number>) {
  const cuts = new Map<string, number>()
  const starts = new Map<string, number>()
  for (const [stream, gaps] of order.gaps) {
    const before = Math.max(order.streams.get(stream)?.before ?? 1, await trimmedBefore(stream))
    for (let at = 0; at < gaps.length && !cuts.has(stream); at += 2) {
      const [expected, next] = [gaps[at]!, gaps[at + 1]!]
      if (next === expected && gaps[at + 2] === expected) continue // an append that was lost in part, and the gap behind it
      if (next > before || next === expected) cuts.set(stream, expected)
      else starts.set(stream, next)
    }
  }
  return { cuts, starts }
}
