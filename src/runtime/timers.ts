// K6: one heap for all delayed transitions of a host; one real timer for the earliest. Never early: what the real timer
// says is checked against the clock. Entries of timers that were called off are left in the heap and dropped when due.
import TinyQueue from 'tinyqueue'
import type { Clock } from '../ports/clock.ts'

interface Due {
  readonly due: number
  /** Order among those due at the same time. */
  readonly nth: number
  readonly fire: () => void
}

export class Timers {
  private readonly heap = new TinyQueue<Due>([], (a, b) => a.due - b.due || a.nth - b.nth)
  private readonly clock: Clock
  private nth = 0
  private cancel: (() => void) | undefined
  private next = Number.POSITIVE_INFINITY
  private closed = false

  constructor(clock: Clock) {
    this.clock = clock
  }

  add(due: number, fire: () => void): void {
    this.heap.push({ due, nth: this.nth++, fire })
    if (due < this.next) this.arm()
  }

  close(): void {
    this.closed = true
    this.cancel?.()
  }

  private arm(): void {
    this.cancel?.()
    const first = this.heap.peek()
    this.next = first?.due ?? Number.POSITIVE_INFINITY
    if (!first || this.closed) return
    this.cancel = this.clock.after(Math.max(0, first.due - this.clock.now()), () => this.fire())
  }

  private fire(): void {
    const now = this.clock.now()
    while (this.heap.length && this.heap.peek()!.due <= now) this.heap.pop()!.fire()
    this.arm()
  }
}
