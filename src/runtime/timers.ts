// K6: one heap for all delayed transitions of a host; one real timer for the earliest. Never early: what the real timer
// says is checked against the clock, and it is set for half a minute at most, so that a clock that was put forward, or a
// machine that slept, is noticed. One that can't be read holds the others up for a second, and fires once it is there.
// K9: however many are due at once, others have their turn after each batch. Entries name their timer and hold nothing else;
//     those of timers that were called off are swept out once they are many.
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
  /** Whether the timer still waits, by this very entry. */
  waits(stream: string, key: string, nth: number): boolean
  due(stream: string, key: string): void
  /** Resolves once these instances, whose entries have no key, are in memory and have their timers here; never rejects. */
  wake(streams: readonly string[]): Promise<void>
}

const SWEEP_FROM = 1024
/** Timers that fire, and sleeping instances that are woken, before others have their turn. */
const BATCH = 64
/** How long the others wait for a sleeping instance that has to be woken before them, ms. */
const WAKE_LIMIT = 1000
/** Longest time without a look at the clock, ms. */
const LOOK_EVERY = 30_000
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
  private waking = false
  private cancelWait: (() => void) | undefined

  constructor(clock: Clock, owner: TimersOwner) {
    this.clock = clock
    this.owner = owner
  }

  /** Answers the entry's number. */
  add(due: number, stream: string, key: string): number {
    const nth = this.nth++
    this.heap.push({ due, nth, stream, key })
    if (due < this.next) this.arm()
    return nth
  }

  /** Entries, those of timers that were called off included. */
  get size(): number {
    return this.heap.length
  }

  /** Of those that were added, so many wait no more. */
  drop(count = 1): void {
    this.calledOff += count
    if (this.calledOff < SWEEP_FROM || this.calledOff * 2 < this.heap.length) return
    this.heap = new TinyQueue(
      this.heap.data.filter(({ stream, key, nth }) => this.owner.waits(stream, key, nth)),
      order,
    )
    this.calledOff = 0
    this.arm()
  }

  close(): void {
    this.closed = true
    this.cancel?.()
    this.cancelWait?.()
  }

  private arm(): void {
    this.cancel?.()
    const first = this.heap.peek()
    this.next = first?.due ?? Number.POSITIVE_INFINITY
    if (!first || this.closed || this.waking) return
    this.cancel = this.clock.after(Math.min(LOOK_EVERY, Math.max(0, first.due - this.clock.now())), () => this.fire())
  }

  /** In order of time: who sleeps is woken before anything later fires. */
  private fire(): void {
    const now = this.clock.now()
    const ready: Due[] = []
    const asleep: string[] = []
    let last = now
    for (let entry = this.pop(now); entry; entry = this.pop(now)) {
      if (entry.key !== '') ready.push(entry)
      else {
        asleep.push(entry.stream)
        last = entry.due
        if (entry.stream === '') break
      }
      if (ready.length + asleep.length === BATCH) break
    }
    if (asleep.length === 0) {
      for (const { stream, key } of ready) this.owner.due(stream, key)
      return this.arm()
    }
    for (const entry of ready) this.heap.push(entry)
    this.waking = true
    const woken = () => {
      this.waking = false
      this.cancelWait?.()
      if (this.closed) return
      this.release(last)
      this.fire()
    }
    const late = new Promise<void>((resolve) => (this.cancelWait = this.clock.after(WAKE_LIMIT, resolve)))
    void Promise.race([this.owner.wake(asleep), late]).then(() => setImmediate(woken))
  }

  /** Fires what was due by then; who sleeps again has to be woken again. */
  private release(until: number): void {
    const again: Due[] = []
    for (let entry = this.pop(until); entry; entry = this.pop(until)) {
      if (entry.key === '') again.push(entry)
      else this.owner.due(entry.stream, entry.key)
    }
    for (const entry of again) this.heap.push(entry)
  }

  /** The next entry that is due by then and still counts. */
  private pop(until: number): Due | undefined {
    for (let first = this.heap.peek(); first && first.due <= until; first = this.heap.peek()) {
      this.heap.pop()
      if (this.owner.waits(first.stream, first.key, first.nth)) return first
      if (this.calledOff > 0) this.calledOff--
    }
    return undefined
  }
}
