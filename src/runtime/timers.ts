// K6: one heap for all delayed transitions of a host; one real timer for the earliest. Never early: what the real timer
// says is checked against the clock.
// K9: entries name their timer and hold nothing else; those of timers that were called off are swept out once they are many.
import TinyQueue from 'tinyqueue'
import type { Clock } from '../ports/clock.ts'

interface Due {
  readonly due: number
  /** Order among those due at the same time. */
  readonly nth: number
  readonly stream: string
  readonly key: string
}

/** Whose timers they are. */
export interface TimersOwner {
  /** Whether the timer still waits. */
  waits(stream: string, key: string): boolean
  due(stream: string, key: string): void
}

const SWEEP_FROM = 1024
const order = (a: Due, b: Due) => a.due - b.due || a.nth - b.nth

export class Timers {
  private heap = new TinyQueue<Due>([], order)
  private readonly clock: Clock
  private readonly owner: TimersOwner
  private nth = 0
  private calledOff = 0
  private cancel: (() => void) | undefined
  private next = Number.POSITIVE_INFINITY
  private closed = false

  constructor(clock: Clock, owner: TimersOwner) {
    this.clock = clock
    this.owner = owner
  }

  add(due: number, stream: string, key: string): void {
    this.heap.push({ due, nth: this.nth++, stream, key })
    if (due < this.next) this.arm()
  }

  /** One that was added waits no more. */
  drop(): void {
    if (++this.calledOff < SWEEP_FROM || this.calledOff * 2 < this.heap.length) return
    this.heap = new TinyQueue(
      this.heap.data.filter(({ stream, key }) => this.owner.waits(stream, key)),
      order,
    )
    this.calledOff = 0
    this.arm()
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
    while (this.heap.length && this.heap.peek()!.due <= now) {
      const { stream, key } = this.heap.pop()!
      this.owner.due(stream, key)
    }
    this.arm()
  }
}
