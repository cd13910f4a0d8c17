// The index on disk, as it is asked and changed.
//
// K3 it is a cache of the log: one that turns out to be damaged is made anew, and the answer comes from the new one. Who
// only reads the journal changes nothing in it, and is told.
import { closed } from '../../check.ts'
import { asDuramen, fsError } from '../../fs-error.ts'
import { IndexDamaged } from './pages.ts'
import type { Runs } from './runs.ts'

/** An index made from the log: its files, and the number of the file of trimmed positions that belongs to it. */
export interface MadeIndex {
  readonly runs: Runs
  readonly goneFile: number
}

export class DiskIndex implements MadeIndex {
  runs: Runs
  /** 0 for none. */
  goneFile: number
  /** Makes it anew from the log, up to a position; undefined where nothing may be changed. */
  readonly #remade: ((until: number) => Promise<MadeIndex>) | undefined
  readonly #warn: (message: string, error: unknown) => void
  /** Whoever changes it does so after those before. */
  #changing: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(
    runs: Runs,
    remade: ((until: number) => Promise<MadeIndex>) | undefined,
    warn: (message: string, error: unknown) => void,
  ) {
    this.runs = runs
    this.goneFile = runs.newest?.gone ?? 0
    this.#remade = remade
    this.#warn = warn
  }

  /** An answer of the index; of a new one where it is damaged, or IndexDamaged. */
  async ask<T>(read: (runs: Runs) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed()
    const { runs } = this
    try {
      return await read(runs)
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error
      await this.rebuild(runs, error)
    }
    try {
      return await read(this.runs)
    } catch (error) {
      throw error instanceof IndexDamaged ? fsError(error, 'read the index of the journal', {}) : error
    }
  }

  /** Makes it anew from the log, unless somebody has done so since it was these files. */
  async rebuild(damaged: Runs, cause: unknown): Promise<void> {
    const remade = this.#remade
    if (remade === undefined) throw cause
    const rebuilt = this.change(async () => {
      if (this.runs !== damaged) return
      const until = damaged.last
      await damaged.remove()
      const { runs, goneFile } = await remade(until)
      this.runs = runs
      this.goneFile = goneFile
      this.#warn('The index of the journal was damaged and was made anew from its segments', cause)
    })
    await rebuilt.catch((error) => {
      throw asDuramen(error, 'make the index of the journal anew', {})
    })
  }

  change<T>(change: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closed())
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }

  /** From then on nothing of it is asked or changed, for somebody else may have the journal. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#changing
    await this.runs.close()
  }
}
