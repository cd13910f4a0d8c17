/** Where time comes from. Replaced by a virtual clock in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `fn` once, `ms` milliseconds from now or later; the returned function calls it off. Keeps the process alive. */
  after(ms: number, fn: () => void): () => void
}

/** The longest wait that a timer of Node keeps, ms: some 25 days. A longer one would end at once. */
export const LONGEST_TIMER = 2 ** 31 - 1
