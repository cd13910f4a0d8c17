import type { Clock } from '../ports/clock.ts'

const now = Date.now
/** A timer of Node takes no more, some 25 days. */
const MOST = 2 ** 31 - 1

/** The machine's own clock. Taken when this module loads, so that a pinned `Date` can't reach it. */
export const systemClock: Clock = {
  now: () => now(),
  after(ms, fn) {
    let timer: NodeJS.Timeout
    const wait = (left: number) => {
      timer = left > MOST ? setTimeout(() => wait(left - MOST), MOST) : setTimeout(fn, left)
    }
    wait(ms)
    return () => clearTimeout(timer)
  },
}
