// Whether code is part of a piece of work that goes on: what would wait there for the whole of it would wait for ever.
//
// Timers and listeners keep the context in which they were made. What was made in work that has ended is no part of it any more.
import { AsyncLocalStorage } from 'node:async_hooks'

export class Inside<Whole extends object> {
  readonly #work = new AsyncLocalStorage<{ readonly whole: Whole; open: boolean }>()

  /** Whether who calls is part of work for this whole that has not ended. */
  of(whole: Whole): boolean {
    const work = this.#work.getStore()
    return work?.whole === whole && work.open
  }

  /** Does the work as part of the whole, until what it answers has settled. */
  async run<T>(whole: Whole, fn: () => T): Promise<Awaited<T>> {
    const work = { whole, open: true }
    try {
      return await this.#work.run(work, fn)
    } finally {
      work.open = false
    }
  }
}
