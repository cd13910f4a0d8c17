/** Where time comes from. Replaced by a virtual clock in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `fn` once, `ms` milliseconds from now or later; the returned function calls it off. Keeps the process alive. */
  after(ms: number, fn: () => void): () => void
}
