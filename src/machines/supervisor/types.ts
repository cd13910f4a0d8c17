// What a supervisor keeps, is asked for and tells, as plain data.
import type { Exit, SupervisorProblem } from '../../ports/child.ts'
import type { Problem } from '../problems.ts'

/** When a program is started again, and when it is given up; times in ms. */
export interface SupervisorSettings {
  readonly restartDelay: number
  readonly maxRestarts: number
  readonly window: number
  readonly stable: number
  /** Each further wait is twice the one before, up to `max`; null: all are `restartDelay`. */
  readonly backoff: { readonly max: number } | null
}

/** What the machine is given at first. */
export interface SupervisorInput {
  readonly id: string
  readonly settings: SupervisorSettings
}

/** What is known of a program and its restarts. */
export interface SupervisorContext extends SupervisorInput {
  /** The process that supervises; null before the first. */
  readonly boot: string | null
  /** When the restarts that count were decided on, ms since the epoch, oldest first; at most `maxRestarts`. */
  readonly restarts: readonly number[]
  /** All restarts ever, those by hand included. */
  readonly total: number
  /** When the program that runs was started. */
  readonly startedAt: number | null
  /** When it is started again, while that is waited for. */
  readonly restartAt: number | null
  /** How it has ended the last time. */
  readonly exit: Exit | null
  /** For how long it ran the last time, ms; 0 where it did not, or nobody knows. */
  readonly uptime: number
  readonly problem: SupervisorProblem | null
  /** A restart was asked for while what was left of the program is ended. */
  readonly wanted: boolean
  /** Why nothing runs; null while it is seen to that something does. */
  readonly outcome: SupervisorOutcome | null
}

/** How supervision has ended: by exit code 0, as it was asked to, or because it has given up. */
export type SupervisorOutcome = 'clean' | 'stopped' | 'critical'

/** What the machine hears from outside. */
export type SupervisorCommand =
  /** A process begins to supervise; whatever another one has begun is void. */
  | { readonly type: 'OPEN'; readonly boot: string; readonly settings: SupervisorSettings }
  | { readonly type: 'RESTART'; readonly why: string }
  /** It has waited for its restart, whatever the clock says. */
  | { readonly type: 'WAITED' }
  | { readonly type: 'STOP' }

/** Whose program, and which process asks. */
export interface Asked {
  readonly id: string
  readonly boot: string
}

/** What became of a start. `hopeless`: the same start can't succeed. */
export type Started =
  | { readonly outcome: 'started'; readonly pid: number }
  | {
      readonly outcome: 'refused'
      readonly problem: SupervisorProblem
      readonly hopeless: boolean
      /** As a shell would say it: 127 not found, 126 not to be executed. */
      readonly exit: Exit | null
    }

/** A program that has ended, after it ran for `ms`. */
export interface Ended {
  readonly exit: Exit
  readonly ms: number
}

/** Whether people could be told. */
export interface Told {
  readonly told: boolean
  readonly problem: Problem | null
}

/** What a supervisor says, once it is committed. */
export interface SupervisorMessage {
  /**
   * `started`; `failed`: it has ended and is started again; `lost`: the process that supervised it has ended, what it left is
   * ended and started again; `restarting`, `stopped`: it was asked to; `stuck`: it was asked to stop, and something of it could
   * not be ended; `clean`: exit code 0; `critical`: given up.
   */
  readonly type: 'started' | 'failed' | 'lost' | 'restarting' | 'clean' | 'stopped' | 'stuck' | 'critical'
  /** In one line, for people. */
  readonly message: string
}
