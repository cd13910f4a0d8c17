import { type Clock, LONGEST_TIMER } from '../ports/clock.ts'

const now = Date.now

/** The machine's own clock. Taken when this module loads, so that a pinned `Date` can't reach it. */
export const systemClock: Clock = {
  now: () => now(),
  after(ms, fn) {
    let timer: NodeJS.Timeout
    const wait = (left: number) => {
      timer = left > LONGEST_TIMER ? setTimeout(() => wait(left - LONGEST_TIMER), LONGEST_TIMER) : setTimeout(fn, left)
    }
    wait(ms)
    return () => clearTimeout(timer)
  },
}
