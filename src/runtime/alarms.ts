// When instances at rest have to be woken for their delayed transitions.
//
// K6: none is missed, and none fires before an earlier one of another instance: sleepers are loaded in the order in which
//     they are due (timers.ts).
// K9: what is due later than the horizon has no entry and is not looked for; when the horizon comes near, the journal is
//     asked who is due before the next one.
import type { Clock } from '../ports/clock.ts'
import type { Timers } from './timers.ts'

/** How far ahead sleeping instances have an entry each, ms. */
const HORIZON = 30 * 60_000
/** How long before the horizon the journal is asked, ms. */
const AHEAD = 60_000

export class Alarms {
  private readonly entries = new Map<string, number>()
  private horizon: number
  /** The entry at which the journal is asked. */
  private look: number
  private readonly clock: Clock
  private readonly timers: Timers

  constructor(clock: Clock, timers: Timers) {
    this.clock = clock
    this.timers = timers
    this.horizon = clock.now() + HORIZON
    this.look = timers.add(this.horizon - AHEAD, '', '')
  }

  /** Who is due by then has an entry, ms since the epoch. */
  get until(): number {
    return this.horizon
  }

  /** The instance rests, its first delayed transition is due then. */
  set(stream: string, due: number): void {
    this.clear(stream)
    if (due <= this.horizon) this.entries.set(stream, this.timers.add(due, stream, ''))
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
    return stream === '' ? this.look === entry : this.entries.get(stream) === entry
  }

  /** The entry to look has come: from now on `set` is to be called for all that are due before the next horizon. */
  moveOn(): void {
    this.horizon = this.clock.now() + HORIZON
    this.look = this.timers.add(this.horizon - AHEAD, '', '')
  }

  /** The journal could not be asked: to be tried again then. */
  lookAgain(at: number): void {
    this.look = this.timers.add(at, '', '')
    this.timers.drop() // the entry that `moveOn` has made
  }
}
