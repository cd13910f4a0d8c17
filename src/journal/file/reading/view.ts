// The journal in a folder as it is read by who may not write: the segments up to one end, where the records are in them,
// and the index that the writer keeps. It grows with the end; it is made anew where the files have changed under it.
//
// K3 nothing is changed in the folder. An index that can't be used is done without: then all places are in memory.
// K9 what the index does not have is in memory. It is made anew once there is much of that and the index has grown.
import { join } from 'node:path'
import type { CommittedEnd } from '../commit/committed-end.ts'
import { headerOf, holds, scan, survey } from '../commit/recover.ts'
import { type IndexedLog, type IndexFolder, Places } from '../index/places.ts'
import { indexedUpTo, Runs } from '../index/runs.ts'
import type { Coding } from '../segments/coding.ts'
import { damaged, gap, noJournal } from '../segments/damaged.ts'
import { HEADER_BYTES } from '../segments/format.ts'
import { type Segment, SegmentReader, segmentFile } from '../segments/segments.ts'
import { Listings } from './listings.ts'
import type { Source } from './read.ts'

/** So many records that the index does not have are much. */
const MANY = 1 << 15
/** So often files of the index may come and go while they are opened. */
const TRIES = 5

export class View {
  readonly source: Source
  readonly places: Places
  readonly #folder: string
  readonly #segments: Segment[]
  /** The position up to which the index went when it was opened. */
  readonly #indexedUpTo: number
  /** It is opened with the index, as far as there is one. */
  readonly indexed: boolean
  closed = false
  #end: CommittedEnd
  #users = 0
  #retired = false

  private constructor(
    folder: string,
    segments: Segment[],
    source: Source,
    places: Places,
    indexed: boolean,
    indexedUpTo: number,
  ) {
    this.indexed = indexed
    this.#indexedUpTo = indexedUpTo
    this.#folder = folder
    this.#segments = segments
    this.source = source
    this.places = places
    this.#end = endOf(segments, places)
  }

  /**
   * The journal up to an end of it, or to that of its index where this is further. Rejects with FOLDER_MISSING where there is
   * none, JOURNAL_DAMAGED, or what the file system says.
   */
  static async open(
    folder: string,
    to: CommittedEnd,
    coding: Coding,
    indexed: boolean,
    check: () => void,
  ): Promise<View> {
    for (let tries = 1; ; tries++) {
      const { files, salt } = await survey(folder)
      if (salt === undefined) throw noJournal(folder)
      const segments: Segment[] = []
      const reader = new SegmentReader(salt)
      const source: Source = { segments, reader, salt, coding, listings: new Listings(), check }
      const index = join(folder, 'index')
      const runs = indexed
        ? await Runs.open(index, salt, MANY, (head) => holds(files, salt, head))
        : Runs.none(index, MANY)
      const places = new Places(runs, readOnly(index), logOf(salt))
      const ready = await places.ready()
      const upTo = await indexedUpTo(index).catch(async (error) => {
        await places.abandon()
        throw error
      })
      if (!ready || (indexed && upTo > runs.last && tries < TRIES)) {
        await places.abandon()
        if (tries < TRIES) continue
        return View.open(folder, to, coding, false, check)
      }
      const known = places.newest?.segments.at(-1)?.[0] ?? 0
      for (const file of files) {
        if (file.first < known) segments.push(file)
        else if (file.first === known) segments.push({ ...file, size: places.newest!.end })
      }
      const view = new View(folder, segments, source, places, indexed, upTo)
      try {
        if (to.position > places.last) await view.#take(files, to)
      } catch (error) {
        await view.retire()
        throw error
      }
      return view
    }
  }

  /** Up to where it goes. */
  get end(): CommittedEnd {
    return this.#end
  }

  /** Takes in what is there up to a later end. Rejects with JOURNAL_DAMAGED where that is not what follows. */
  async grow(to: CommittedEnd): Promise<void> {
    const { files } = await survey(this.#folder)
    await this.#take(files, to)
  }

  async #take(files: readonly Segment[], to: CommittedEnd): Promise<void> {
    for (const { file, first, size } of files) {
      if (first < (this.#segments.at(-1)?.first ?? 0)) continue
      if (first > to.segment) break
      const segment = await this.#segment(file, first)
      const end = first === to.segment ? to.offset : size
      await scan(segment, end, this.source.salt, this.places, this.source.coding)
      if (segment.size !== end) throw damaged(file, segment.size, 'a frame is not as it was written')
    }
    this.#end = endOf(this.#segments, this.places)
    if (this.#end.position !== to.position)
      throw gap(segmentFile(this.#folder, to.segment), this.#end.position + 1, to.position + 1)
  }

  async #segment(file: string, first: number): Promise<Segment> {
    const last = this.#segments.at(-1)
    if (last?.first === first) return last
    if (first !== this.places.last + 1) throw gap(file, this.places.last + 1, first)
    const header = await headerOf(file)
    if (typeof header === 'string') throw damaged(file, 0, header)
    if (header.salt !== this.source.salt) throw damaged(file, 12, 'it belongs to another journal')
    const segment = { file, first, size: HEADER_BYTES }
    this.#segments.push(segment)
    return segment
  }

  /** Whether one that is made anew would have less in memory. */
  async outgrown(): Promise<boolean> {
    if (!this.places.full) return false
    return (await indexedUpTo(join(this.#folder, 'index'))) > this.#indexedUpTo
  }

  /** Whether it is the journal of one that was opened earlier, and has all of that. */
  continues({ source, end }: View): boolean {
    return this.source.salt === source.salt && this.#end.position >= end.position
  }

  /** Its files stay open while someone uses it. */
  use(): void {
    this.#users++
  }

  async unuse(): Promise<void> {
    if (--this.#users === 0 && this.#retired) await this.close()
  }

  /** Closes its files once nobody uses it. */
  async retire(): Promise<void> {
    this.#retired = true
    if (this.#users === 0) await this.close()
  }

  async close(): Promise<void> {
    this.closed = true
    await Promise.all([this.places.abandon(), this.source.reader.close()])
  }
}

function endOf(segments: readonly Segment[], { last }: Places): CommittedEnd {
  const { first, size } = segments.at(-1) ?? { first: 0, size: 0 }
  return { position: last, segment: first, offset: size }
}

/** The index of somebody else. */
const readOnly = (index: string): IndexFolder => ({
  anew: () => Runs.none(index, MANY),
  goneFile: (id) => join(index, `gone-${id}`),
  every: MANY,
  readOnly: true,
})

/** What an index that is not written needs of the log. */
const logOf = (salt: number): IndexedLog => ({
  salt,
  frameAt: () => Promise.reject(new Error('The index is only read')),
  refill: () => Promise.reject(new Error('The index is only read')),
  warn() {},
})
