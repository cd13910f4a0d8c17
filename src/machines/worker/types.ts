// What a worker keeps, is asked for and tells, as plain data.
import type { Backoff, Problem } from '../problems.ts'

/** When a worker runs; times in ms. */
export interface WorkerSettings {
  readonly every: number
  /** How long it waits after a run that failed. */
  readonly backoff: Backoff
}

/** What the machine is given at first. */
export interface WorkerInput {
  readonly id: string
  readonly settings: WorkerSettings
}

/** What became of a run. `interrupted`: its process has ended meanwhile. `stopped`: it was told to, and gave up. */
export interface WorkerRan {
  readonly outcome: 'done' | 'failed' | 'interrupted' | 'stopped'
  readonly ms: number
  readonly problem: Problem | null
}

/** What is known of a worker. */
export interface WorkerContext extends WorkerInput {
  /** Runs that were done, have failed or were interrupted. */
  readonly runs: number
  /** Failures in a row. */
  readonly failures: number
  /** When the last run began, and when the next one does, ms since the epoch; null where that is not known. */
  readonly begunAt: number | null
  readonly nextAt: number | null
  readonly last: WorkerRan | null
  readonly problem: Problem | null
  /** One more run is asked for, after the one that goes on. */
  readonly again: boolean
  /** It was started again while it was stopping. */
  readonly wanted: boolean
}

/** What the machine hears from outside. */
export type WorkerCommand =
  | { readonly type: 'START'; readonly settings: WorkerSettings }
  | { readonly type: 'TRIGGER' }
  | { readonly type: 'STOP' }

/** What a worker says, once it is committed. */
export interface WorkerMessage {
  /** `done`, `failed` and `interrupted`: a run has ended. `started`, `stopped`: the worker. */
  readonly type: 'done' | 'failed' | 'interrupted' | 'started' | 'stopped'
  /** In one line, for people. */
  readonly message: string
}
