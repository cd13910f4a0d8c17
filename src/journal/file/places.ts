// Where each record is and which records a stream has: what is new in memory, the rest in the index on disk (runs.ts).
// Both are caches of the log (K3).
//
// K2 an append is decided on the very last record of its stream: one that is not in memory is looked up before, and no
// append waits for the index to be written.
// K3 an index that turns out to be damaged is made anew from the log, and the answer comes from the new one.
// K9 in memory: what the index does not have yet, and so many of the streams that were used last.
import { rm } from 'node:fs/promises'
import { DuramenError } from '../../ports/errors.ts'
import { fsError } from '../fs-error.ts'
import { NOT_URGENT, type Urgency } from '../records.ts'
import { Anchors } from './anchors.ts'
import { mustLook } from './entry.ts'
import { Gone } from './gone.ts'
import { IndexDamaged } from './pages.ts'
import type { RunHead } from './run.ts'
import { type Runs, randomSeed } from './runs.ts'
import { indexedTo, PLACE, type StreamPlaces, Unindexed } from './unindexed.ts'

/** So many streams are remembered that the index has. */
const REMEMBERED = 1 << 14
/** So many bytes of the log are read at opening, at the most, because the index does not have them. */
const UNINDEXED_BYTES = 1 << 25
/** How long, in ms, the index is left alone after it could not be written. */
const PAUSE = 10_000

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
  anew(): Promise<Runs>
  goneFile(id: number): string
  readonly every: number
}

export class Places {
  /** Position of the last committed frame. */
  last = 0
  readonly anchors = new Anchors()
  readonly gone = new Gone()
  #runs: Runs
  readonly #folder: IndexFolder
  readonly #log: IndexedLog
  /** With something that the index does not have. */
  readonly #tail = new Map<string, StreamPlaces>()
  /** Used lately; the index has all of them. */
  readonly #rested = new Map<string, StreamPlaces>()
  readonly #loading = new Map<string, Promise<StreamPlaces | undefined>>()
  /** Trims of records whose positions are only in the index. */
  #trims: { name: string; from: number; to: number }[] = []
  #resolving: Promise<void> | undefined
  /** Position, offset and length of the last frame. */
  #end = { position: 0, offset: 0, length: 0 }
  #unindexedRecords = 0
  #unindexedBytes = 0
  #goneFile = 0
  /** Whoever changes the index does so after those before. */
  #changing: Promise<unknown> = Promise.resolve()
  #writing: Promise<void> | undefined
  #pausedUntil = 0
  #warned = false
  #closing = false

  constructor(runs: Runs, folder: IndexFolder, log: IndexedLog) {
    this.#runs = runs
    this.#folder = folder
    this.#log = log
    this.last = runs.last
    this.#goneFile = runs.newest?.gone ?? 0
    for (const [position, offset] of runs.anchors()) this.anchors.add(position, offset)
  }

  /** What the newest file of the index says of itself. */
  get newest(): RunHead | undefined {
    return this.#runs.newest
  }

  /** Reads what the index has beside its files; whether it is there. */
  async ready(): Promise<boolean> {
    return this.#goneFile === 0 || this.gone.read(this.#folder.goneFile(this.#goneFile), this.#log.salt)
  }

  /** How many records are in memory because the index does not have them. */
  get unindexed(): number {
    return this.#unindexedRecords
  }

  get remembered(): number {
    return this.#tail.size + this.#rested.size
  }

  /** A stream that is in memory; one that is nowhere has no record. */
  peek(name: string): StreamPlaces | undefined {
    const stream = this.#tail.get(name) ?? this.#rested.get(name)
    return stream?.loaded ? stream : undefined
  }

  /** Whether `peek` tells the truth. */
  knows(name: string): boolean {
    const stream = this.#tail.get(name) ?? this.#rested.get(name)
    return stream === undefined ? !this.#runs.mayHave(name) : stream.loaded
  }

  /** A stream, wherever it is; undefined for one that has no record. */
  async look(name: string): Promise<StreamPlaces | undefined> {
    if (this.knows(name)) return this.peek(name)
    const loading = this.#loading.get(name) ?? this.#load(name).finally(() => this.#loading.delete(name))
    this.#loading.set(name, loading)
    return loading
  }

  async #load(name: string): Promise<StreamPlaces | undefined> {
    const indexed = await this.#ask(async (runs) => {
      const found = await runs.find(name)
      const recent = this.#tail.get(name)
      const last = found?.last ?? 0
      if (recent !== undefined && (last < indexedTo(recent) || last > recent.last)) {
        throw new IndexDamaged(`it ends with record ${last} of ${name}`)
      }
      return found
    })
    const known = this.#tail.get(name) ?? this.#rested.get(name)
    const { trimmed = 0, last = 0 } = indexed ?? {}
    const stream = known ?? { ...nothing(name), trimmed, last, claimed: last }
    if (known !== undefined) {
      known.trimmed = Math.max(known.trimmed, trimmed)
      if (known.recent.length === 0) known.last = known.claimed = last
    } else this.#rested.set(name, stream)
    stream.loaded = true
    this.#forget()
    return stream
  }

  begin(name: string): StreamPlaces {
    const stream = nothing(name)
    this.#rested.set(name, stream)
    return stream
  }

  /** A stream of which a record is found while the log is read; of one that is not loaded, only what comes is known. */
  found(name: string): StreamPlaces | undefined {
    const known = this.#tail.get(name) ?? this.#rested.get(name)
    if (known !== undefined || !this.#runs.mayHave(name)) return known
    const stream = { ...nothing(name), loaded: false }
    this.#rested.set(name, stream)
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
    this.#place(offset, length)
    this.gone.add(this.last)
    if (before - 1 <= stream.trimmed) return
    const { name, recent } = stream
    const indexed = indexedTo(stream)
    const from = stream.trimmed + 1
    if (!stream.loaded || from <= indexed) this.#trims.push({ name, from, to: Math.min(before - 1, indexed) })
    const dropped = Math.max(before - 1 - Math.max(indexed, stream.trimmed), 0) * PLACE
    for (let at = 0; at < dropped && at < recent.length; at += PLACE) this.gone.add(recent[at]!)
    if (dropped > 0) stream.recent = recent.slice(dropped)
    stream.trimmed = before - 1
    stream.cut = true
    this.#toTail(stream)
  }

  #toTail(stream: StreamPlaces): void {
    this.#rested.delete(stream.name)
    this.#tail.set(stream.name, stream)
  }

  #place(offset: number, length: number): void {
    this.last++
    this.#end = { position: this.last, offset, length }
    this.#unindexedRecords++
    this.#unindexedBytes += length
    this.anchors.note(this.last, offset)
  }

  /** Call it after a group: forgets streams that were not used lately, and sees to it that the index is written. */
  tidy(): void {
    this.#forget()
    if (this.full) void this.write().catch(() => {})
  }

  #forget(): void {
    if (this.#rested.size <= REMEMBERED) return
    for (const [name, stream] of this.#rested) {
      if (this.#rested.size <= REMEMBERED) return
      if (stream.claimed === stream.last) this.#rested.delete(name)
    }
  }

  // ---- reading -------------------------------------------------------------------------------------------------------

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
    return this.#ask(async (runs) => {
      const places = await runs.places(name, from, to)
      const known = this.peek(name)
      const kept = to - Math.max(from, (known?.trimmed ?? 0) + 1) + 1
      if (known !== undefined && places.length < kept * PLACE) throw new IndexDamaged(`records of ${name} are missing`)
      return places
    })
  }

  /** Position, offset and length of the last record of every stream. */
  async heads(): Promise<number[]> {
    const recent: number[] = []
    const names = new Set<string>()
    for (const stream of this.#tail.values()) {
      if (stream.recent.length === 0) continue
      names.add(stream.name)
      recent.push(...stream.recent.slice(-PLACE))
    }
    const old = await this.#ask((runs) => runs.heads((name) => !names.has(name)))
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
    const streams = Array.from(this.#tail.values(), (stream) => ({ ...stream }))
    const recent = streams.filter((stream) => stream.recent.length > 0)
    const names = new Set(recent.map(({ name }) => name))
    const old = await this.#ask((runs) => ask(runs, names))
    return { recent: recent.filter(wanted), old }
  }

  /** Resolves once `gone` knows all positions that trims have dropped. */
  async trimsKnown(): Promise<void> {
    while (this.#trims.length > 0) {
      this.#resolving ??= this.#resolve().finally(() => {
        this.#resolving = undefined
      })
      await this.#resolving
    }
  }

  async #resolve(): Promise<void> {
    for (const trim of this.#trims.slice()) {
      const { name, from, to } = trim
      const places = await this.#ask((runs) => runs.places(name, from, to))
      for (let at = 0; at < places.length; at += PLACE) this.gone.add(places[at]!)
      this.#trims.shift()
    }
  }

  /** An answer of the index; of a new one where it is damaged. */
  async #ask<T>(read: (runs: Runs) => Promise<T>): Promise<T> {
    const runs = this.#runs
    try {
      return await read(runs)
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error
      await this.#rebuild(runs, error)
    }
    try {
      return await read(this.#runs)
    } catch (error) {
      throw error instanceof IndexDamaged ? fsError(error, 'read the index of the journal', {}) : error
    }
  }

  /** It gave a place where another record is. */
  distrust(what: string): Promise<void> {
    return this.#rebuild(this.#runs, new IndexDamaged(what))
  }

  // ---- writing -------------------------------------------------------------------------------------------------------

  /** There is enough for a file of the index. */
  get full(): boolean {
    return this.#unindexedRecords >= this.#folder.every || this.#unindexedBytes >= UNINDEXED_BYTES
  }

  /** Writes what the index does not have; never rejects but with JOURNAL_DAMAGED. */
  write(): Promise<void> {
    if (this.#writing === undefined && performance.now() < this.#pausedUntil) return Promise.resolve()
    this.#writing ??= this.#writeAll()
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#writing = undefined
      })
    return this.#writing
  }

  async #writeAll(): Promise<void> {
    do {
      await this.trimsKnown()
      await this.#change(() => this.#writeRun())
      while (this.#runs.crowded && !this.#closing) {
        const runs = this.#runs
        try {
          await this.#change(() => runs.merge(() => this.#closing && !runs.overdue))
        } catch (error) {
          if (this.#closing) return
          if (!(error instanceof IndexDamaged)) throw error
          await this.#rebuild(runs, error)
        }
      }
    } while (this.full && !this.#closing)
  }

  async #writeRun(): Promise<void> {
    if (this.#unindexedRecords === 0 || this.#trims.length > 0 || this.#runs.removed) return
    const { position: last, offset, length } = this.#end
    const records = this.#unindexedRecords
    const bytes = this.#unindexedBytes
    const streams = Array.from(this.#tail.values())
    const source = new Unindexed(streams, records)
    const first = this.#runs.last + 1
    const anchors = this.anchors.between(first, last)
    const { salt } = this.#log
    const before = this.#goneFile
    const gone = this.gone.changed ? last : before
    try {
      if (gone !== before) await this.gone.write(this.#folder.goneFile(gone), salt)
      const frame = await this.#log.frameAt(last, offset)
      const range = { salt, seed: randomSeed(), first, last, ...frame, offset, end: offset + length, gone, anchors }
      await this.#runs.add(source, range, () => false)
    } catch (error) {
      this.gone.changed ||= gone !== before
      throw error
    }
    this.#goneFile = gone
    if (gone !== before) await rm(this.#folder.goneFile(before), { force: true }).catch(() => {})
    this.#unindexedRecords -= records
    this.#unindexedBytes -= bytes
    this.#taken(streams, source)
  }

  /** The index has these now. */
  #taken(streams: readonly StreamPlaces[], { entries }: Unindexed): void {
    for (const [number, stream] of streams.entries()) {
      const { first, count, trimmed } = entries[number]!
      const taken = Math.max(first + count - 1 - indexedTo(stream), 0) * PLACE
      if (count > 0 && taken > 0) stream.recent = stream.recent.slice(taken)
      if (stream.trimmed === trimmed) stream.cut = false
      if (stream.recent.length > 0 || stream.cut) continue
      this.#tail.delete(stream.name)
      this.#rested.set(stream.name, stream)
    }
    this.#forget()
  }

  /** Makes the index anew from the log, unless somebody has done so. */
  async #rebuild(damaged: Runs, cause: unknown): Promise<void> {
    const rebuilt = this.#change(async () => {
      if (this.#runs !== damaged) return
      const until = damaged.last
      await damaged.remove()
      const fresh = new Places(await this.#folder.anew(), this.#folder, this.#log)
      await this.#log.refill(fresh, until)
      await fresh.trimsKnown()
      await fresh.#writeRun()
      this.#runs = fresh.#runs
      this.#goneFile = fresh.#goneFile
      this.gone.changed = true
      this.#log.warn('The index of the journal was damaged and was made anew from its segments', cause)
    })
    await rebuilt.catch((error) => {
      throw error instanceof DuramenError ? error : fsError(error, 'make the index of the journal anew', {})
    })
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }

  /** The journal does without; that is said once. */
  #failed(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE
    if (this.#warned || this.#closing) return
    this.#warned = true
    this.#log.warn('The index of the journal could not be written; what it lacks stays in memory', error)
  }

  /** Writes what is worth it, and closes the files. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#writing
    if (this.#unindexedRecords >= this.#folder.every / 8) await this.write()
    await this.#changing
    await this.#runs.close()
  }
}

function nothing(name: string): StreamPlaces {
  return { name, loaded: true, trimmed: 0, last: 0, recent: [], urgent: NOT_URGENT, cut: false, claimed: 0 }
}
