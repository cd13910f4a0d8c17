// When the index is written, behind the log, and what becomes of it where that fails.
//
// K2 no append waits for the index to be written.
// K9 a file of it at a time; what it lacks while the disk refuses it stays in memory, and that is said once.
import type { DiskIndex } from './disk-index.ts'
import { IndexDamaged } from './pages.ts'

/** How long, in ms, the index is left alone after it could not be written. */
const PAUSE = 10_000

/** What there is to write. */
export interface IndexSource {
  /** There is enough for a file. */
  readonly full: boolean
  /** Writes what the index does not have as one file. */
  writeRun(): Promise<void>
}

export class IndexWriting {
  readonly #index: DiskIndex
  readonly #source: IndexSource
  readonly #warn: (message: string, error: unknown) => void
  #writing: Promise<void> | undefined
  #pausedUntil = 0
  #warned = false
  #closing = false

  constructor(index: DiskIndex, source: IndexSource, warn: (message: string, error: unknown) => void) {
    this.#index = index
    this.#source = source
    this.#warn = warn
  }

  /** Writes what the index does not have. Never rejects. */
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
      await this.#source.writeRun()
      while (this.#index.runs.crowded && !this.#closing) await this.#merge()
    } while (this.#source.full && !this.#closing)
  }

  async #merge(): Promise<void> {
    const { runs } = this.#index
    try {
      await this.#index.change(() => runs.merge(() => this.#closing && !runs.overdue))
    } catch (error) {
      if (this.#closing) return
      if (!(error instanceof IndexDamaged)) throw error
      await this.#index.rebuild(runs, error)
    }
  }

  /** The journal does without; that is said once. */
  #failed(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE
    if (this.#warned || this.#closing) return
    this.#warned = true
    this.#warn('The index of the journal could not be written; what it lacks stays in memory', error)
  }

  /** Merges no more; writes what is left where that is worth it. */
  async close(worth: () => boolean): Promise<void> {
    this.#closing = true
    await this.#writing
    if (worth()) await this.write()
  }
}
