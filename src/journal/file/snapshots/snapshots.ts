// Snapshots of streams: written in the background, in small turns, and read with suspicion.
//
// K3 a snapshot counts only for the very record that it was taken after: beside it stands that record's checksum. So
// one that belongs to a history which is no more (a torn tail, a journal restored from a backup) is never taken.
// K9 what waits to be written is bounded; what is too much is not kept.
import type { Logger } from '../../../ports/logger.ts'
import type { StoredSnapshot } from '../../port.ts'
import type { Coding } from '../segments/coding.ts'
import { type Kept, SnapshotFile } from './snapshot-file.ts'

/** How long, in ms, snapshots wait for others, or for a newer one that replaces them. */
const GATHER = 50
/** So many UTF-16 units are written at once. */
const TURN_LENGTH = 1 << 18
/** So many may wait. */
const WAITING_LENGTH = 1 << 25
/** How long, in ms, none are kept after the disk has failed. */
const PAUSE = 60_000

/** The checksum of a record that is kept, undefined where it is not there. */
export type SumOf = (stream: string, seq: number) => Promise<number | undefined>

export class Snapshots {
  readonly #path: string
  readonly #placesPath: string
  readonly #salt: number
  readonly #coding: Coding
  readonly #sumOf: SumOf
  readonly #logger: Logger
  /** In the order in which they are written. */
  readonly #waiting = new Map<string, StoredSnapshot>()
  #waitingLength = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #opened: Promise<SnapshotFile | undefined> | undefined
  /** None are taken in before that time. */
  #pausedUntil = 0
  #warned = false

  constructor(path: string, placesPath: string, salt: number, coding: Coding, sumOf: SumOf, logger: Logger) {
    this.#path = path
    this.#placesPath = placesPath
    this.#salt = salt
    this.#coding = coding
    this.#sumOf = sumOf
    this.#logger = logger
  }

  /** Takes in a snapshot whose record is there. */
  save(snapshot: StoredSnapshot): void {
    const { stream, seq, text } = snapshot
    const before = this.#waiting.get(stream)
    const length = this.#waitingLength + text.length - (before?.text.length ?? 0)
    if (performance.now() < this.#pausedUntil || length > WAITING_LENGTH || seq < (before?.seq ?? 0)) return
    this.#waiting.delete(stream)
    this.#waiting.set(stream, snapshot)
    this.#waitingLength = length
    if (this.#writing === undefined) this.#timer ??= setTimeout(() => this.#write(), GATHER).unref()
  }

  async find(stream: string): Promise<StoredSnapshot | undefined> {
    // Before the file is read, for it may be written meanwhile and wait no more.
    const waiting = this.#waiting.get(stream)
    const kept = await this.#kept(await this.#file(false), stream)
    const newest = kept === undefined || (waiting !== undefined && waiting.seq >= kept.seq) ? waiting : kept
    if (newest === undefined || (await this.#sumOf(stream, newest.seq)) === undefined) return undefined
    return { stream, seq: newest.seq, text: newest.text }
  }

  /** Leaves no byte of snapshots whose records were dropped. Rejects with what the file system says. */
  async clean(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    const cleaning = this.#clean()
    this.#writing = cleaning
      .catch(() => {})
      .finally(() => {
        this.#writing = undefined
        // What came meanwhile has no timer.
        if (this.#waiting.size > 0) void this.#write()
      })
    await cleaning
  }

  async #clean(): Promise<void> {
    const file = await this.#file(false)
    await file?.clean(async (stream, seq) => (await this.#sumOf(stream, seq)) !== undefined)
  }

  /** Writes what waits. Never rejects: there is nothing that may not be lost. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#waiting.size > 0 || this.#writing !== undefined) await this.#write()
    await (await this.#opened)?.close().catch(() => {})
  }

  /** The file; undefined where there is none yet, or it can't be opened. */
  async #file(create: boolean): Promise<SnapshotFile | undefined> {
    if (this.#opened === undefined && !create && !(await SnapshotFile.exists(this.#path))) return undefined
    this.#opened ??= SnapshotFile.open(this.#path, this.#placesPath, this.#salt, this.#coding).catch((error) => {
      this.#failed(error)
      this.#opened = undefined
      return undefined
    })
    return this.#opened
  }

  #write(): Promise<void> {
    this.#timer = undefined
    this.#writing ??= this.#writeTurns()
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#writing = undefined
      })
    return this.#writing
  }

  async #writeTurns(): Promise<void> {
    const file = await this.#file(true)
    if (file === undefined) return
    while (this.#waiting.size > 0) {
      const turn: Kept[] = []
      let length = 0
      for (const [stream, snapshot] of this.#waiting) {
        const sum = await this.#sumOf(stream, snapshot.seq)
        const newer = (await file.seqOf(stream)) > snapshot.seq && (await this.#kept(file, stream)) !== undefined
        if (sum !== undefined && !newer) turn.push({ ...snapshot, sum })
        else this.#settled(snapshot)
        length += snapshot.text.length
        if (length >= TURN_LENGTH) break
      }
      await file.write(turn)
      for (const snapshot of turn) this.#settled(snapshot)
    }
  }

  /** It waits no more, unless a newer one has come meanwhile. */
  #settled({ stream, seq, text }: StoredSnapshot): void {
    const waiting = this.#waiting.get(stream)
    if (waiting?.seq !== seq || waiting.text !== text) return
    this.#waiting.delete(stream)
    this.#waitingLength -= text.length
  }

  async #kept(file: SnapshotFile | undefined, stream: string): Promise<Kept | undefined> {
    const kept = await file?.read(stream).catch(() => undefined)
    return kept !== undefined && (await this.#sumOf(stream, kept.seq)) === kept.sum ? kept : undefined
  }

  /** The journal does without; that is said once. */
  #failed(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE
    this.#waiting.clear()
    this.#waitingLength = 0
    if (this.#warned) return
    this.#warned = true
    this.#logger.warn('Snapshots are not kept for a while; instances then begin with their first record', { error })
  }
}
