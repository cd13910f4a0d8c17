import type { Clock } from '../ports/clock.ts'
import { type Duration, milliseconds } from '../runtime/duration.ts'
import { settle } from './settle.ts'

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /**
   * Goes on by a duration (ms, or `'5s'`), calling what falls due on the way in order of time, each at its own time. All that
   * a call sets off settles before the next: timers that are armed meanwhile and fall due on the way are called, too. The
   * promise resolves when nothing more is due.
   */
  advance(duration: Duration): Promise<void>
  /** Goes on without letting anything settle: calls what waits now and falls due on the way, in order, and returns. */
  tick(duration: Duration): void
  /** How many calls wait. */
  readonly waiting: number
}

/** A clock for `openHost({ clock })`. `start`: its first time, ms since the epoch; default 1,000,000. */
export function virtualClock(start = 1_000_000): VirtualClock {
  let now = start
  let nth = 0
  const calls = new Map<number, { due: number; fn: () => void }>()

  /** Calls what is due next; false when nothing is until `end`. */
  const step = (end: number): boolean => {
    let next: number | undefined
    let due = Number.POSITIVE_INFINITY
    for (const [id, call] of calls)
      if (call.due <= end && call.due < due) {
        next = id
        due = call.due
      }
    if (next === undefined) return false
    const { fn } = calls.get(next)!
    calls.delete(next)
    now = Math.max(now, due)
    fn()
    return true
  }

  return {
    now: () => now,
    after(ms, fn) {
      const id = nth++
      calls.set(id, { due: now + (Number.isNaN(ms) ? 1 : Math.max(0, ms)), fn })
      return () => void calls.delete(id)
    },
    async advance(duration) {
      const end = now + milliseconds(duration, 'advance')
      await settle()
      while (step(end)) await settle()
      now = Math.max(now, end)
    },
    tick(duration) {
      const end = now + milliseconds(duration, 'tick')
      while (step(end)) {}
      now = end
    },
    get waiting() {
      return calls.size
    },
  }
}
