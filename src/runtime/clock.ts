import type { Clock } from '../ports/clock.ts'

const now = Date.now

/** The machine's own clock. Taken when this module loads, so that a pinned `Date` can't reach it. */
export const systemClock: Clock = {
  now: () => now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(ms, 2 ** 31 - 1))
    return () => clearTimeout(timer)
  },
}
