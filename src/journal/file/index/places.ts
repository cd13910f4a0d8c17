// Where each record is and which records a stream has: what is new is in memory (streams.ts), the rest in the index on disk
// (disk-index.ts, runs.ts). Both are caches of the log (K3).
//
// K2 an append is decided on the very last record of its stream: one that is not in memory is looked up before.
import { rm } from 'node:fs/promises'
import type { Urgency } from '../../records.ts'
import { DiskIndex, type MadeIndex } from './disk-index.ts'
import { mustLook } from './entry.ts'
import { type IndexSource, IndexWriting } from './index-writing.ts'
import { hashOf } from './names.ts'
import { IndexDamaged } from './pages.ts'
import type { RunHead } from './run.ts'
import { type Runs, randomSeed } from './runs.ts'
import { Streams } from './streams.ts'
import { indexedTo, PLACE, type StreamPlaces } from './unindexed.ts'

/** So many bytes of the log are read at opening, at the most, because the index does not have them. */
const UNINDEXED_BYTES = 1 << 25

/** While the log is read, so many times as many records go into a file of the index, at most MANY, for few to be merged. */
const AT_ONCE = 8
const MANY = 1 << 18

/** Numbers of a head: position, offset and length of the record, hash of its stream's name. */
export const HEAD = PLACE + 1

/** What the index needs of the log. */
export interface IndexedLog {
  readonly salt: number
  /** The checksum of the frame at a position, and the segments up to there. */
  frameAt(position: number, offset: number): Promise<Pick<RunHead, 'segments' | 'sum'>>
  /** Gives all frames up to a position to other places. Rejects with JOURNAL_DAMAGED. */
  refill(places: Places, until: number): Promise<void>
  /** Is told once that the index can't be written, and each time that it was made anew. */
  warn(message: string, error: unknown): void
}

/** Of the index on disk. */
export interface IndexFolder {
  /** An empty one, where that on disk is of no use. */
  anew(): Runs
  goneFile(id: number): string
  readonly every: number
  /** It is somebody else's: nothing may be changed in it. */
  readonly readOnly?: true
}

export class Places extends Streams implements IndexSource {
  readonly #index: DiskIndex
  readonly #writing: IndexWriting
  readonly #folder: IndexFolder
  readonly #log: IndexedLog
  readonly #loading = new Map<string, Promise<StreamPlaces | undefined>>()
  #resolving: Promise<void> | undefined

  constructor(runs: Runs, folder: IndexFolder, log: IndexedLog) {
    super()
    this.#folder = folder
    this.#log = log
    this.#index = new DiskIndex(runs, folder.readOnly ? undefined : (until) => this.#remade(until), log.warn)
    this.#writing = new IndexWriting(this.#index, this, log.warn)
    this.last = runs.last
    this.endOffset = runs.newest?.offset ?? 0
    this.endLength = (runs.newest?.end ?? 0) - this.endOffset
    for (const [position, offset] of runs.anchors()) this.anchors.add(position, offset)
  }

  /** What the newest file of the index says of itself. */
  get newest(): RunHead | undefined {
    return this.#index.runs.newest
  }

  /** Reads what the index has beside its files; whether it is there. */
  async ready(): Promise<boolean> {
    const { goneFile } = this.#index
    return goneFile === 0 || this.gone.read(this.#folder.goneFile(goneFile), this.#log.salt)
  }

  /** The log is somebody else's, who may give up what is trimmed of it while it is read. */
  get readOnly(): boolean {
    return this.#folder.readOnly ?? false
  }

  protected mayHave(name: string): boolean {
    return this.#index.runs.mayHave(name)
  }

  /** A stream, wherever it is; undefined for one that has no record. */
  async look(name: string): Promise<StreamPlaces | undefined> {
    if (this.knows(name)) return this.peek(name)
    const loading = this.#loading.get(name) ?? this.#load(name).finally(() => this.#loading.delete(name))
    this.#loading.set(name, loading)
    return loading
  }

  async #load(name: string): Promise<StreamPlaces | undefined> {
    const indexed = await this.#index.ask(async (runs) => {
      const before = this.known(name)
      // What is written into the index while it is read need not be found.
      const needed = before === undefined || before.recent.length === 0 ? 0 : indexedTo(before)
      const found = await runs.find(name)
      const last = found?.last ?? 0
      const known = this.known(name)
      const beyond = known !== undefined && known.recent.length > 0 && last > known.last
      if (beyond || Math.max(known?.trimmed ?? 0, last) < needed) {
        throw new IndexDamaged(`it ends with record ${last} of ${name}`)
      }
      return found
    })
    return this.load(name, indexed?.trimmed ?? 0, indexed?.last ?? 0)
  }

  /** Position, offset and length of the records from … to of a stream that are kept, one after the other. */
  async places(stream: StreamPlaces, from: number, to: number): Promise<number[]> {
    const { recent } = stream
    const indexed = indexedTo(stream)
    const first = Math.max(from, stream.trimmed + 1)
    const old = first <= Math.min(to, indexed) ? await this.#old(stream.name, first, Math.min(to, indexed)) : []
    if (to <= indexed) return old
    const start = Math.max(first - indexed - 1, 0) * PLACE
    return old.concat(recent.slice(start, (to - indexed) * PLACE))
  }

  #old(name: string, from: number, to: number): Promise<number[]> {
    return this.#index.ask(async (runs) => {
      const places = await runs.places(name, from, to)
      const known = this.peek(name)
      const kept = to - Math.max(from, (known?.trimmed ?? 0) + 1) + 1
      if (known !== undefined && places.length < kept * PLACE) throw new IndexDamaged(`records of ${name} are missing`)
      return places
    })
  }

  /** Of the streams with such hashes of their names: the place of the last record, and that hash. */
  async heads(among: (hash: number) => boolean): Promise<number[]> {
    const recent: number[] = []
    const names = new Set<string>()
    for (const { name, recent: places } of this.recent()) {
      names.add(name)
      const hash = hashOf(name)
      if (among(hash)) recent.push(...places.slice(-PLACE), hash)
    }
    const old = await this.#index.ask((runs) => runs.heads(({ name, hash }) => among(hash) && !names.has(name)))
    return old.concat(recent)
  }

  /** The streams whose last record has a delayed transition that is due by then. */
  async due(before: number): Promise<{ stream: string; due: number }[]> {
    const isDue = ({ due }: Urgency) => due <= before && due < Number.POSITIVE_INFINITY
    const { recent, old } = await this.#urgent(
      ({ urgent }) => isDue(urgent),
      (runs, without) =>
        runs.urgent(
          ({ tables }, block) => tables.blockDues[block]! <= before,
          (entry) => isDue(entry) && !without.has(entry.name),
        ),
    )
    return [
      ...recent.map(({ name, urgent }) => ({ stream: name, due: urgent.due })),
      ...old.map(({ name, due }) => ({ stream: name, due })),
    ]
  }

  /** The names of the streams that a host must look at when it opens. */
  async pending(): Promise<string[]> {
    const { recent, old } = await this.#urgent(
      ({ urgent, last, trimmed }) => urgent.pending || (urgent.purged && trimmed < last - 1),
      (runs, without) =>
        runs.urgent(
          ({ tables }, block) => tables.blockPending[block] === 1,
          (entry, trimmed) => mustLook({ ...entry, trimmed }) && !without.has(entry.name),
        ),
    )
    return [...recent, ...old].map(({ name }) => name)
  }

  async #urgent<T>(
    wanted: (stream: StreamPlaces) => boolean,
    ask: (runs: Runs, without: ReadonlySet<string>) => Promise<T>,
  ): Promise<{ recent: StreamPlaces[]; old: T }> {
    const recent = Array.from(this.recent(), (stream) => ({ ...stream }))
    const names = new Set(recent.map(({ name }) => name))
    const old = await this.#index.ask((runs) => ask(runs, names))
    return { recent: recent.filter(wanted), old }
  }

  /** Resolves once `gone` knows all positions that trims have dropped. */
  async trimsKnown(): Promise<void> {
    while (this.trims.length > 0) {
      this.#resolving ??= this.#resolve().finally(() => {
        this.#resolving = undefined
      })
      await this.#resolving
    }
  }

  async #resolve(): Promise<void> {
    for (const trim of this.trims.slice()) {
      const { name, from, to } = trim
      const places = await this.#index.ask((runs) => runs.places(name, from, to))
      for (let at = 0; at < places.length; at += PLACE) this.gone.add(places[at]!)
      this.trims.shift()
    }
  }

  /** It gave a place where another record is. */
  distrust(what: string): Promise<void> {
    return this.#index.rebuild(this.#index.runs, new IndexDamaged(what))
  }

  /** There is enough for a file of the index. */
  get full(): boolean {
    return this.unindexed >= this.#folder.every || this.unindexedBytes >= UNINDEXED_BYTES
  }

  /** Call it after a group: sees to it that the index is written. */
  tidy(): void {
    if (this.full) void this.write()
  }

  /** While the log is read: there is enough for a large file. */
  get heavy(): boolean {
    const { every } = this.#folder
    return this.unindexed >= Math.max(every, Math.min(AT_ONCE * every, MANY))
  }

  /** Writes what the index does not have, where it may; never rejects. */
  async write(): Promise<void> {
    if (!this.readOnly) await this.#writing.write()
  }

  async writeRun(): Promise<void> {
    if (this.#index.runs.removed) await this.distrust('it was removed')
    await this.trimsKnown()
    await this.#index.change(() => this.#writeRun())
  }

  async #writeRun(): Promise<void> {
    const { runs, goneFile: before } = this.#index
    if (this.unindexed === 0 || this.trims.length > 0 || runs.removed) return
    const taking = this.taking()
    const { position: last, offset, length } = taking.end
    const first = runs.last + 1
    const anchors = this.anchors.between(first, last)
    const { salt } = this.#log
    const gone = this.gone.changed ? last : before
    try {
      if (gone !== before) await this.gone.write(this.#folder.goneFile(gone), salt)
      const frame = await this.#log.frameAt(last, offset)
      const range = { salt, seed: randomSeed(), first, last, ...frame, offset, end: offset + length, gone, anchors }
      await runs.add(taking.source, range, () => false)
    } catch (error) {
      this.gone.changed ||= gone !== before
      throw error
    }
    this.#index.goneFile = gone
    if (gone !== before) await rm(this.#folder.goneFile(before), { force: true }).catch(() => {})
    this.taken(taking)
  }

  /** Removes what is beside the index and no part of it, once the log is known to be whole. Never rejects. */
  removeOthers(): Promise<void> {
    const { runs, goneFile } = this.#index
    return this.still(() => runs.removeOthers(this.#folder.goneFile(goneFile))).catch(() => {})
  }

  /** The offsets of the frames that the index names in the segment that begins with a position. */
  named(first: number): ReadonlySet<number> {
    const named = this.#index.runs.names.filter(({ segments }) => segments.at(-1)?.[0] === first)
    return new Set(named.map(({ offset }) => offset))
  }

  /** Does something during which the index on disk does not change. */
  still<T>(action: () => Promise<T>): Promise<T> {
    return this.#index.change(action)
  }

  /** Writes the index up to the end of the log as one file, which then names nothing but that end. */
  async condense(stopped: () => boolean): Promise<void> {
    await this.writeRun()
    await this.still(() => this.#index.runs.mergeAll(stopped))
  }

  /** The index up to a position, made from the log. */
  async #remade(until: number): Promise<MadeIndex> {
    const fresh = new Places(this.#folder.anew(), this.#folder, this.#log)
    try {
      await this.#log.refill(fresh, until)
      await fresh.writeRun()
    } catch (error) {
      await fresh.abandon()
      throw error
    }
    this.gone.changed = true
    return fresh.#index
  }

  /** Writes what is worth it, and closes the files. */
  async close(worth = () => this.unindexed >= this.#folder.every / 8): Promise<void> {
    await this.#writing.close(worth)
    await this.#index.close()
  }

  /** Closes the files, of a log that could not be opened, or is only read. */
  abandon(): Promise<void> {
    return this.close(() => false)
  }
}
