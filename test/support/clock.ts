import type { Clock } from '../../src/index.ts'

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /** Goes on by `ms`, calling what is due in order of time. */
  advance(ms: number): void
  /** Calls that wait. */
  readonly waiting: number
}

export function virtualClock(start = 1_000_000): VirtualClock {
  let now = start
  let nth = 0
  const calls = new Map<number, { due: number; fn: () => void }>()
  return {
    now: () => now,
    after(ms, fn) {
      const id = nth++
      calls.set(id, { due: now + (Number.isNaN(ms) ? 1 : Math.max(0, ms)), fn })
      return () => void calls.delete(id)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const next = [...calls].filter(([, c]) => c.due <= end).sort(([i, a], [j, b]) => a.due - b.due || i - j)[0]
        if (!next) break
        calls.delete(next[0])
        now = Math.max(now, next[1].due)
        next[1].fn()
      }
      now = end
    },
    get waiting() {
      return calls.size
    },
  }
}
