// When a worker runs: what a caller gives, looked at.

import { assertFunction, assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { Logger } from '../../ports/logger.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import type { WorkerSettings } from './types.ts'

/** What a run is given. */
export interface WorkerRun {
  /** Of the worker. */
  readonly id: string
  /** Of this run, unique: give it to what you call, as idempotency key. */
  readonly key: string
  /** Fires when the worker is stopped or its host closes. */
  readonly signal: AbortSignal
  /** Waits; rejects at once when the signal fires, also where it has. */
  sleep(duration: Duration): Promise<void>
  /** The host's logger; each message begins with the worker's id. */
  readonly log: Logger
}

/** A periodic job, and when it runs. */
export interface WorkerOptions {
  /** Name of the worker, and of its records. */
  id: string
  /** Time from the beginning of a run to the beginning of the next. */
  every: Duration
  /** The job. One that is stopped ends by throwing what `sleep` or the signal gave it, or by returning. */
  run: (run: WorkerRun) => unknown
  /** How long to wait after a run that failed, in place of `every`. Default: as below. */
  backoff?: {
    /** After the first; doubled with each failure in a row. Default 1 s. */
    first?: Duration
    /** No wait is longer. Default 5 min. */
    max?: Duration
  }
  /** How long `stop` waits for a run to end, until it rejects with TIMEOUT. Default 30 s. */
  stopTimeout?: Duration
}

/** The same, with all defaults. */
export interface Job {
  readonly id: string
  readonly run: (run: WorkerRun) => unknown
  readonly plan: WorkerPlan
}

/** What two calls for the same worker have to agree on. */
interface WorkerPlan {
  readonly settings: WorkerSettings
  readonly stopTimeout: number
}

/** Throws BAD_OPTION. */
export function jobOf(options: WorkerOptions): Job {
  const given: Partial<WorkerOptions> = optionsGiven('worker', options)
  assertNames('worker', given, NAMES)
  const { id, run } = given
  if (typeof id !== 'string' || id === '') throw badOption('id', id, 'is no text', "Give one like 'sync'.")
  assertFunction('run', run, 'Give the job: run: async ({ signal }) => { … }.')
  const backoff: NonNullable<WorkerOptions['backoff']> = optionsGiven('backoff', given.backoff)
  assertNames('backoff', backoff, ['first', 'max'])
  return {
    id,
    run: run!,
    plan: {
      settings: {
        every: positive('every', given.every as Duration),
        backoff: {
          first: positive('backoff.first', backoff.first ?? '1s'),
          max: positive('backoff.max', backoff.max ?? '5m'),
        },
      },
      stopTimeout: milliseconds(given.stopTimeout ?? '30s', 'stopTimeout'),
    },
  }
}

/** Zero would be without a pause. */
function positive(name: string, duration: Duration): number {
  const value = milliseconds(duration, name)
  if (value > 0 && Number.isFinite(value)) return value
  throw badOption(name, duration, 'is no time that passes', "Give one like '1m'.")
}

const NAMES: readonly string[] = ['id', 'every', 'run', 'backoff', 'stopTimeout'] satisfies (keyof WorkerOptions)[]
