// The delayed transitions of one instance that wait, and XState's three calls about them.
//
// K6: a timer's due time is absolute, from the record that set it.
import type { AnyEventObject } from 'xstate'
import { NO_ENTRIES, own } from './empty.ts'
import type { Timer } from './turn.ts'

interface Addressed {
  readonly sessionId: string
}

/** What a turn has to know of its timers. */
interface TimerTurn {
  readonly seq: number
  readonly at: number
  readonly set: Timer[]
  readonly gone: string[]
}

export class TimerBook {
  timers: Map<string, Timer> = NO_ENTRIES
  private readonly turn: () => TimerTurn
  private nth = 0
  /** Undefined: to be looked for. */
  private first: number | undefined

  constructor(turn: () => TimerTurn) {
    this.turn = turn
  }

  /** When the first is due. */
  get earliest(): number | undefined {
    if (this.first === undefined)
      for (const { due } of this.timers.values()) this.first = Math.min(due, this.first ?? due)
    return this.first
  }

  /** One that was set in an earlier life of the actors. */
  restore(timer: Timer): void {
    this.timers = own(this.timers).set(timer.key, timer)
    this.first = undefined
  }

  /** Timers of the next turn are counted from 0. */
  begin(): void {
    this.nth = 0
  }

  schedule(from: Addressed, to: Addressed, event: AnyEventObject, delay: number, id?: string): void {
    const { seq, at, set } = this.turn()
    const nth = this.nth++
    const name = id ?? `t${seq}.${nth}` // XState's default is a random number
    // unique per scheduling: a firing that waits in the queue must never hit a newer timer of the same id
    const key = `${from.sessionId}|${name}@${seq}.${nth}`
    const due = at + (delay > 0 && delay < Number.POSITIVE_INFINITY ? delay : 0) // as setTimeout takes what is no delay
    const timer = { key, source: from.sessionId, id: name, target: to.sessionId, event, at, due }
    this.timers = own(this.timers).set(key, timer)
    if (this.first !== undefined && due < this.first) this.first = due
    set.push(timer)
  }

  /** As in XState, of several timers with one id the last is called off. */
  cancel(from: Addressed, id: string): void {
    let last: string | undefined
    for (const t of this.timers.values()) if (t.source === from.sessionId && t.id === id) last = t.key
    if (last !== undefined) this.remove(last)
  }

  cancelAll(actor: Addressed): void {
    for (const t of this.timers.values()) if (t.source === actor.sessionId) this.remove(t.key)
  }

  remove(key: string): void {
    if (this.timers.get(key)?.due === this.first) this.first = undefined
    this.timers.delete(key)
    this.turn().gone.push(key)
  }
}
