// The one way by which commands go to the server: each with a limit and a signal, and once more where nobody knows what
// has become of it. All commands of the store come to the same when they are carried out twice.
import type { ReadConcernLike, ReadPreferenceMode } from 'mongodb'
import { untilAborted } from '../../ports/signal.ts'
import { isUnknown, isUnopened, isUnsent, NoAnswer, refusesMajority } from './errors.ts'

export interface Reading {
  readonly readConcern: ReadConcernLike
  /** Whatever the client prefers: a secondary may lag behind what it was told. */
  readonly readPreference: ReadPreferenceMode
}

type Level = 'majority' | 'local'

const readingWith = (level: Level): Reading => ({ readConcern: { level }, readPreference: 'primary' })

export class Commands {
  readonly #timeout: number
  /** I1: what a majority has stays, whoever is elected. A server that can't tell says so once. */
  #level: Level = 'majority'

  constructor(timeout: number) {
    this.#timeout = timeout
  }

  /** Options of a read whose answer can be relied on. */
  get reading(): Reading {
    return readingWith(this.#level)
  }

  /** Else what was read may be gone once another is elected. */
  get seesMajority(): boolean {
    return this.#level === 'majority'
  }

  /** Finds out with any read what the server takes. Only one that takes the same read without a majority has none. */
  async settle(read: (options: Reading) => Promise<unknown>): Promise<void> {
    try {
      await this.once(() => read(readingWith('majority')))
    } catch (error) {
      if (!refusesMajority(error)) throw error
      await this.once(() => read(readingWith('local')))
      this.#level = 'local'
    }
  }

  /** Not again where there was no server: the driver has waited for one already. */
  async ask<T>(command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await this.once(command, signal)
    } catch (error) {
      if (!isUnknown(error) || isUnsent(error) || signal?.aborted) throw error
      return await this.once(command, signal).catch((second) => {
        throw isUnsent(second) ? error : second
      })
    }
  }

  /** Ends with the limit or the signal, whatever the driver waits for. A cursor that has failed can't be asked again. */
  async once<T>(command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new NoAnswer(`no answer within ${this.#timeout} ms`)), this.#timeout)
    try {
      const answered = untilAborted(command(), limit.signal)
      return await (signal ? untilAborted(answered, signal) : answered)
    } finally {
      clearTimeout(timer)
    }
  }
}

/**
 * Does what comes first on a client. One whose own first connect has failed does not try again by itself, and is connected.
 * One that its owner has closed, even while this was under way, says so when it is asked again, and stays closed.
 */
export async function opening<T>(first: () => Promise<T>, connect: () => Promise<unknown>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await first()
    } catch (error) {
      if (!isUnopened(error) || tries > 2) throw error
      if (tries === 1)
        await new Promise(setImmediate) // a close that was called is through with it by then
      else await connect()
    }
  }
}
