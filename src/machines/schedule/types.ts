// What a schedule knows, hears and says. Plain data: it goes into the journal as it is.
import type { Problem } from '../problems.ts'

/** When runs are due. `anchor`: ms since the epoch; null: the time at which the schedule was made, or `every` was changed. */
export type When =
  | { readonly every: number; readonly anchor: number | null }
  | { readonly cron: string; readonly timezone: string }

/** What happens to a run that is due while the run before it has not ended (T5). */
export type Overlap = 'skip' | 'queue' | 'allow'

/** Which runs are made of those that were missed, because the host was down (T6). */
export type CatchUp = 'none' | 'last' | 'all'

/** The options of a schedule, as they are recorded. */
export interface Settings {
  readonly when: When
  readonly overlap: Overlap
  readonly catchUp: CatchUp
  readonly grace: number
  readonly limit: number
}

export interface ScheduleInput {
  readonly id: string
  readonly settings: Settings
}

export interface ScheduleContext extends ScheduleInput {
  /** What `every` counts from. */
  readonly origin: number
  /** All due times up to this one have been seen to (T1). */
  readonly after: number
  /** The due time after it; null when there is none. */
  readonly next: number | null
  /** Due times whose runs are to be made, oldest first. */
  readonly queue: readonly number[]
  /** Due time of the last run that was made. */
  readonly previous: number | null
  /** Failures in a row, and the last one's reason. */
  readonly tries: number
  readonly problem: Problem | null
  readonly totals: { readonly made: number; readonly skipped: number; readonly failed: number }
}

/** What follows from the time that it is. */
export interface Plan {
  /** Runs to be made. */
  readonly due: readonly number[]
  /** The first and the last due time of those that were missed and are not made up for. */
  readonly missed: { readonly from: number; readonly to: number } | null
  readonly after: number
  readonly next: number | null
}

/** What became of a due time. */
export type Made =
  | { readonly outcome: 'made' }
  | { readonly outcome: 'skipped' }
  | { readonly outcome: 'failed'; readonly problem: Problem }

/** What the machine hears from outside. */
export type ScheduleCommand = { type: 'CONFIGURE'; settings: Settings } | { type: 'STOP' }

/** What a schedule says, once it is committed. `run`: id of the run's instance; due times are in ms since the epoch. */
export type ScheduleMessage =
  /** A run was begun. */
  | { readonly type: 'made'; readonly message: string; readonly run: string; readonly due: number }
  /** A run was not made, because the one before it has not ended, or `limit` others wait. */
  | { readonly type: 'skipped'; readonly message: string; readonly run: string; readonly due: number }
  /** A run could not be begun: its input or its machine threw. It is not tried again. */
  | {
      readonly type: 'failed'
      readonly message: string
      readonly run: string
      readonly due: number
      readonly problem: Problem
    }
  /** Due times passed while nothing ran, and `catchUp` does not make up for them. */
  | { readonly type: 'missed'; readonly message: string; readonly from: number; readonly to: number }
  /** The journal is in trouble; the run waits and is tried again by itself. */
  | { readonly type: 'blocked'; readonly message: string; readonly problem: Problem }
