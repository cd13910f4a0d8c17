// Looks through all segments of a journal and finds whatever is not as it was written. Changes nothing.
//
// K7 all damages are found, not just the first: what follows one is read on. K9 a piece of a segment is in memory at a time,
// and what is known of the streams.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommittedEnd } from '../commit/committed-end.ts'
import type { TornTail } from '../commit/recover.ts'
import type { ChainVerifier } from '../segments/chain.ts'
import { decodeHeader, HEADER_BYTES, type Header } from '../segments/format.ts'
import { listSegments, segmentFile } from '../segments/segments.ts'
import { IndexEvidence } from './check-index.ts'
import { Order, type Span } from './check-order.ts'
import { type Damaged, type Met, placed } from './check-positions.ts'
import { saltOf } from './check-salt.ts'
import { type Found, walk } from './check-walk.ts'
import { Window } from './check-window.ts'
import type { Damage, DamageKind, Examination, ExaminedPart } from './findings.ts'

export interface ExamineOptions {
  /** Where the journal ends while a process writes to it. */
  readonly until?: CommittedEnd | undefined
  /** Is told of all frames up to the first damage. */
  readonly chain?: ChainVerifier
  /** Is told of all records that are as they were written. */
  onRecord?(found: Found): void
  onProgress?(done: number, total: number): void
}

interface File {
  readonly file: string
  readonly first: number
  readonly size: number
  readonly header: Header | string
}

/** `index`: whoever gets it must close it. Rejects with what the file system says. */
export async function examine(dir: string, options: ExamineOptions = {}): Promise<Examination> {
  const files = await filesOf(dir, options.until)
  const salt = await saltOf(files)
  const index = await IndexEvidence.open(join(dir, 'index'), salt, (first) => segmentFile(dir, first))
  try {
    return await new Examiner(files, salt, index, options).run()
  } catch (error) {
    await index.close()
    throw error
  }
}

class Examiner {
  readonly #files: readonly File[]
  readonly #salt: number
  readonly #index: IndexEvidence
  readonly #options: ExamineOptions
  readonly #order: Order
  readonly #parts: ExaminedPart[] = []
  readonly #damages: Damage[] = []
  readonly #bytes: number
  #torn: TornTail | undefined
  #read = 0
  /** The position that comes next. */
  #next = 1
  /** Of the segment that is being read. */
  #wrong: { span: Span; what: string; kind: DamageKind; bads: number; count: number }[] = []
  #met: Met[] = []
  #count = 0
  #soundTo: number | undefined

  constructor(files: readonly File[], salt: number, index: IndexEvidence, options: ExamineOptions) {
    this.#files = files
    this.#salt = salt
    this.#index = index
    this.#options = options
    this.#bytes = files.reduce((sum, { size }) => sum + size, 0)
    this.#order = new Order({ onWrong: (span, what) => this.#note('order', span, what) })
  }

  async run(): Promise<Examination> {
    for (const [number, file] of this.#files.entries()) {
      await this.#segment(file, number === this.#files.length - 1, this.#files[number + 1]?.first)
      this.#read += file.size
      this.#options.onProgress?.(this.#read, this.#bytes)
    }
    const last = this.#next - 1
    if (this.#options.until === undefined && this.#index.last > last) this.#endMissing(last)
    return {
      salt: this.#salt,
      parts: this.#parts,
      damages: this.#damages.sort(compare),
      torn: this.#torn,
      order: this.#order,
      last,
      index: this.#index,
      bytes: this.#bytes,
    }
  }

  async #segment(one: File, isLast: boolean, nextFirst: number | undefined): Promise<void> {
    const { file, first, size, header } = one
    const last = isLast && this.#options.until === undefined
    if (last && size <= HEADER_BYTES && typeof header === 'string') {
      this.#torn = { file, offset: 0, bytes: size }
      return
    }
    const stray = this.#strayness(one)
    if (stray !== undefined) {
      this.#parts.push({ kind: 'stray', file, size, first })
      this.#damages.push({ ...stray, file, offset: 0, bytes: size, exact: true })
      return this.#order.lost()
    }
    if (first > this.#next) this.#missing(file, first)
    const headerDamaged = typeof header === 'string'
    if (headerDamaged) {
      this.#damages.push({ kind: 'header', file, offset: 0, bytes: HEADER_BYTES, exact: true, what: header })
    }
    const walked = await this.#walk(one, last, nextFirst)
    this.#parts.push({ kind: 'segment', file, first, size, last, headerDamaged, ...walked })
  }

  /** What keeps a segment from being read where it is. */
  #strayness({ first, header }: File): Pick<Damage, 'kind' | 'what'> | undefined {
    if (typeof header === 'string' && header.startsWith(NEWER)) return { kind: 'newer', what: header }
    if (typeof header !== 'string' && header.salt !== this.#salt) {
      return { kind: 'foreign', what: 'it belongs to another journal' }
    }
    if (typeof header !== 'string' && header.first !== first) {
      return { kind: 'foreign', what: `its header names position ${header.first} as its first` }
    }
    if (first >= this.#next) return undefined
    return { kind: 'double', what: `the records from ${first} on are in the segment before, too` }
  }

  #missing(file: string, first: number): void {
    const from = this.#next
    this.#parts.push({ kind: 'missing', file, first: from, positions: first - from })
    const what = 'no segment holds these records'
    this.#damages.push({ kind: 'missing', file, offset: 0, bytes: 0, from, to: first - 1, exact: true, what })
    this.#order.lost()
    this.#next = first
  }

  #endMissing(last: number): void {
    const file = this.#files.at(-1)?.file ?? ''
    const [from, to] = [last + 1, this.#index.last]
    const what = 'the journal ends before these records, which its index knows'
    const offset = this.#torn?.offset ?? this.#files.at(-1)?.size ?? 0
    this.#damages.push({ kind: 'end', file, offset, bytes: 0, from, to, exact: true, what })
  }

  async #walk(one: File, last: boolean, nextFirst: number | undefined) {
    const { file, first } = one
    this.#met = []
    this.#wrong = []
    this.#count = 0
    this.#soundTo = undefined
    let end = one.size
    const lookups: { bad: Met; found: Found; before: number }[] = []
    let open: Met | undefined
    const window = await Window.open(file, one.size)
    try {
      window.onLoad = (offset) => this.#options.onProgress?.(this.#read + offset, this.#bytes)
      const order = this.#order
      const chain = this.#damages.length === 0 ? this.#options.chain : undefined
      await window.load(0, HEADER_BYTES)
      chain?.segment(window.buffer.subarray(0, HEADER_BYTES))
      end = await walk(
        window,
        {
          follows: (frame) => order.follows(frame),
          bad: (bad) => {
            this.#soundTo ??= order.unfinished ?? bad.offset
            order.lost()
            open = { ...bad, before: this.#count, after: undefined }
            this.#met.push(open)
            this.#count = 0
          },
          frame: (found) => {
            const { frame } = found
            if (frame.newer) return this.#newer(found)
            const record = !frame.hole && !frame.trim
            if (record && open !== undefined) {
              lookups.push({ bad: open, found: { ...found, buffer: EMPTY }, before: this.#count })
              open = undefined
            }
            order.take(frame, found)
            this.#count += frame.hole ? frame.seq : 1
            chain?.frame(frame, found.buffer, found.at, found.until, this.#next - 1 + this.#count)
            if (record) this.#options.onRecord?.(found)
          },
        },
        { salt: this.#salt, last },
      )
      if (last) end = await this.#end(window, file, end)
      else order.segmentEnds()
    } finally {
      await window.close()
    }
    for (const { bad, found, before } of lookups) {
      const position = await this.#index.positionOf(found.frame.stream, found.frame.seq, found.offset)
      if (position !== undefined) bad.after = position - before
    }
    const bads = placed(this.#met, first, this.#count, nextFirst)
    this.#report(file, first, bads)
    const behind = bads.at(-1)
    this.#next = (behind === undefined ? first : behind.from + behind.positions) + this.#count
    return { bads, soundTo: this.#soundTo, end }
  }

  /** Of the last segment: where its last whole append ends. What is behind has not happened. */
  async #end(window: Window, file: string, end: number): Promise<number> {
    const { unfinished } = this.#order
    const offset = unfinished ?? end
    this.#count -= this.#order.forgetUnfinished()
    const bytes = (await window.written(offset)) - offset
    if (bytes > 0) this.#torn = { file, offset, bytes }
    return offset
  }

  #newer(found: Found): void {
    this.#note('newer', found, 'it is of a kind that only a newer version of duramen knows')
    this.#order.lost()
    this.#count++
  }

  #note(kind: DamageKind, span: Span, what: string): void {
    this.#soundTo ??= Math.min(this.#order.unfinished ?? span.offset, span.offset)
    this.#wrong.push({ span, what, kind, bads: this.#met.length, count: this.#count })
  }

  #report(file: string, first: number, bads: readonly Damaged[]): void {
    for (const { offset, end, from, positions, exact } of bads) {
      const what = exact && positions === 1 ? 'a frame is not as it was written' : 'frames are not as they were written'
      const range = positions === 0 ? {} : { from, to: from + positions - 1 }
      this.#damages.push({ kind: 'frame', file, offset, bytes: end - offset, ...range, exact, what })
    }
    for (const { span, what, kind, bads: before, count } of this.#wrong) {
      const bad = bads[before - 1]
      const position = (bad === undefined ? first : bad.from + bad.positions) + count
      const bytes = span.end - span.offset
      this.#damages.push({ kind, file, offset: span.offset, bytes, from: position, to: position, exact: true, what })
    }
  }
}

const EMPTY = Buffer.alloc(0)
/** How decodeHeader begins what it says of a segment that a newer version wrote. */
const NEWER = 'it has format version'

function compare(one: Damage, other: Damage): number {
  if (one.file === other.file) return one.offset - other.offset
  return one.file < other.file ? -1 : 1
}

async function filesOf(dir: string, until: CommittedEnd | undefined): Promise<File[]> {
  const files: File[] = []
  for (const { file, first } of await listSegments(dir)) {
    if (until !== undefined && first > until.segment) break
    const { size } = await stat(file)
    const window = await Window.open(file, HEADER_BYTES)
    try {
      await window.load(0, HEADER_BYTES)
      const header = decodeHeader(window.buffer)
      files.push({ file, first, size: first === until?.segment ? Math.min(size, until.offset) : size, header })
    } finally {
      await window.close()
    }
  }
  return files
}
