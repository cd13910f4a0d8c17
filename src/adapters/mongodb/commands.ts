// The one way by which commands go to the server: each with a limit and a signal, and once more where nobody knows what
// has become of it, or more often where the server takes no more for now. All commands of the store come to the same when
// they are carried out twice.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadConcernLike, ReadPreferenceMode } from 'mongodb'
import { untilAborted } from '../../ports/signal.ts'
import {
  isOverloaded,
  isRefused,
  isUnknown,
  isUnopened,
  isUnsent,
  NoAnswer,
  refusesMajority,
  retryAfter,
} from './errors.ts'

export interface Reading {
  readonly readConcern: ReadConcernLike
  /** Whatever the client prefers: a secondary may lag behind what it was told. */
  readonly readPreference: ReadPreferenceMode
}

/** Before a server that takes no more is asked again, ms; longer where it says so. */
const PAUSE = { first: 50, max: 2000 }

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
      await this.ask(() => read(readingWith('majority')))
    } catch (error) {
      if (!refusesMajority(error)) throw error
      await this.ask(() => read(readingWith('local')))
      this.#level = 'local'
    }
  }

  /**
   * Once more; not where there was no server, as the driver has waited for one already. A server that takes no more for now
   * is asked again and again until `timeout` is over.
   */
  async ask<T>(command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const until = performance.now() + this.#timeout
    let lost: unknown
    for (let pause = PAUSE.first; ; pause = Math.min(2 * pause, PAUSE.max)) {
      try {
        return await this.once(command, signal)
      } catch (error) {
        if (signal?.aborted) throw error
        if (isOverloaded(error)) {
          const ms = Math.max(pause, retryAfter(error))
          if (performance.now() + ms > until) throw error
          await sleep(ms, undefined, { signal })
        } else if (lost !== undefined) throw isUnsent(error) ? lost : error
        else if (!isUnknown(error) || isUnsent(error)) throw error
        else lost = error
      }
    }
  }

  /** Has an index made. None is needed for a right answer, only for a quick one: where the server won't have it, there is none. */
  async index(create: () => Promise<unknown>, signal?: AbortSignal): Promise<void> {
    await this.ask(create, signal).catch((error) => {
      if (!isRefused(error)) throw error
    })
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
