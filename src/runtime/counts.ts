// What has happened on a host since it was opened, as integers: nothing is allocated to count, so it is always counted.
import type { DuramenError, DuramenErrorCode } from '../ports/errors.ts'
import type { Input } from './inputs.ts'

/** How an attempt at an effect has ended. `stopped`: its state was left, or the host closed. */
export type EffectOutcome = 'completed' | 'failed' | 'stopped'

/** What has happened on the instances of one machine. */
export class Counts {
  /** Events from outside and deliveries that became durable. */
  events = 0
  /** Events that had been recorded before. */
  duplicates = 0
  /** Records that became durable. */
  commits = 0
  /** Appends that made them durable. */
  appends = 0
  /** Delayed transitions that fired. */
  timers = 0
  /** Attempts at effects that have begun, and how they ended. */
  begun = 0
  completed = 0
  failed = 0
  stopped = 0
  /** Events and creations that were rejected, by code. */
  readonly rejected = new Map<DuramenErrorCode, number>()

  committed({ kind, caller }: Input): void {
    this.commits++
    if (kind === 'timer') this.timers++
    else if (kind === 'event' && caller) this.events++
  }

  reject(code: DuramenErrorCode, times = 1): void {
    this.rejected.set(code, (this.rejected.get(code) ?? 0) + times)
  }

  /** Attempts at effects that are under way. */
  get running(): number {
    return this.begun - this.completed - this.failed - this.stopped
  }

  add(other: Counts): void {
    for (const name of Object.keys(other) as (keyof Counts)[])
      if (typeof other[name] === 'number') (this[name] as number) += other[name]
    for (const [code, times] of other.rejected) this.reject(code, times)
  }
}

/** The last time that the journal could not take an append. */
export interface JournalError {
  readonly code: DuramenErrorCode
  readonly message: string
  /** Ms since the epoch. */
  readonly at: number
}

/** What a host counts. */
export class Tally {
  readonly machines = new Map<string, Counts>()
  journalError: JournalError | undefined
  /** The last append that the journal has answered was refused by trouble of its own. */
  journalFailing = false

  of(machine: string): Counts {
    let counts = this.machines.get(machine)
    if (!counts) this.machines.set(machine, (counts = new Counts()))
    return counts
  }

  total(): Counts {
    const total = new Counts()
    for (const counts of this.machines.values()) total.add(counts)
    return total
  }

  appended(): void {
    this.journalFailing = false
  }

  /** A conflict and an append that can't be taken by any journal tell nothing of this one. */
  notAppended({ code, message }: DuramenError, at: number): void {
    if (code === 'CONFLICT' || code === 'BAD_ID' || code === 'BAD_INPUT' || code === 'NOT_SERIALIZABLE') return
    this.journalError = { code, message, at }
    this.journalFailing = true
  }
}
