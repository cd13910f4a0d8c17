// When instances at rest have to be woken for their delayed transitions.
//
// K6: none is missed, and none fires before an earlier one of another instance: sleepers are loaded in the order in which
//     they are due (timers.ts).
// K9: what is due later than the horizon has no entry; one entry stands for the first of all those, and when it comes near,
//     the journal is asked again.
import type { Clock } from '../ports/clock.ts'
import type { Timers } from './timers.ts'

/** How far ahead sleeping instances have an entry each, ms. */
const HORIZON = 30 * 60_000
/** How long before the first of those beyond the horizon the journal is asked, ms. */
const AHEAD = 60_000

export class Alarms {
  private readonly entries = new Map<string, number>()
  /** Who is due by then has an entry. */
  private until: number
  /** The first who is due later, as far as is known, and the entry that stands for all of them. */
  private far = Number.POSITIVE_INFINITY
  private farEntry = -1
  private readonly clock: Clock
  private readonly timers: Timers

  constructor(clock: Clock, timers: Timers) {
    this.clock = clock
    this.timers = timers
    this.until = clock.now() + HORIZON
  }

  /** The instance rests, its first delayed transition is due then. */
  set(stream: string, due: number): void {
    this.clear(stream)
    if (due <= this.until) this.entries.set(stream, this.timers.add(due, stream, ''))
    else if (due < this.far) {
      this.standFor(due, Math.max(this.until, due - AHEAD))
    }
  }

  has(stream: string): boolean {
    return this.entries.has(stream)
  }

  /** The instance is awake, or gone. */
  clear(stream: string): void {
    if (this.entries.delete(stream)) this.timers.drop()
  }

  /** The entry is the one that counts. */
  waits(stream: string, entry: number): boolean {
    return stream === '' ? this.farEntry === entry : this.entries.get(stream) === entry
  }

  /** The journal could not be asked for those beyond the horizon: to be tried again then. */
  lookAgain(at: number): void {
    this.standFor(at, at)
  }

  private standFor(far: number, at: number): void {
    const before = this.farEntry
    this.far = far
    this.farEntry = this.timers.add(at, '', '')
    if (before >= 0) this.timers.drop()
  }

  /** From now on `set` is to be called for all that rest: the horizon has moved on. */
  moveOn(): void {
    this.until = this.clock.now() + HORIZON
    this.far = Number.POSITIVE_INFINITY
    this.farEntry = -1
  }
}
