// The port of a program that is run and looked after (V1).
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** Which program, and what it is given. */
export interface ChildOrder {
  readonly command: string
  readonly args: readonly string[]
  /** Its working folder. Default: that of this process. */
  readonly cwd?: string
  /** Its whole environment; what is undefined is not set. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** How a program has ended. */
export interface Exit {
  /** null where a signal has ended it. */
  readonly code: number | null
  readonly signal: string | null
}

/** A program that runs, with all the processes that it has begun. */
export interface Child {
  readonly pid: number
  /** Resolves once it has ended by itself or by `end`, nothing of it is left, and what it has written is kept. Never rejects. */
  readonly exited: Promise<Exit>
  /** Passes a signal on to it and its group, at once; nothing where they have ended. */
  signal(name: string): void
  /**
   * Asks all of them to end, and ends them after `limit` ms; with 0 at once. Resolves like `exited`; rejects with CHILD_FAILED
   * where some could not be ended.
   */
  end(limit: number): Promise<Exit>
}

/** Runs one program, one run of it at a time, also over the processes that look after it. */
export interface ChildRunner {
  /**
   * Ends what an earlier run has left: asks it to end, and ends it after `limit` ms. The answer: how many processes there were.
   * CHILD_FAILED, retryable: some could not be ended.
   */
  clear(limit: number): TaskEither<DuramenError, number>
  /**
   * Begins a run. CHILD_FAILED, retryable: something of an earlier run still lives (`clear` first), or the system has no
   * process to give. CHILD_FAILED, not retryable: there is no such program, or it may not be run; trying again helps nobody.
   */
  start(order: ChildOrder): TaskEither<DuramenError, Child>
}

/** What went wrong, and what to do about it. */
export interface SupervisorProblem {
  readonly code: string
  readonly message: string
  readonly hint: string | null
}

/** How a supervisor is doing: plain data, which its control socket tells, too. Times are ms since the epoch. */
export interface SupervisorStatus {
  readonly id: string
  /**
   * `waiting`: for the next start. `stuck`: it was asked to stop, and something of the program could not be ended; `problem` says
   * what. `critical`: it has given up.
   */
  readonly state: 'starting' | 'running' | 'waiting' | 'stopping' | 'stopped' | 'stuck' | 'critical'
  /** Of the program; null where none runs. */
  readonly pid: number | null
  /** When the run that goes on has begun; null where none does. */
  readonly startedAt: number | null
  /** When the next run begins; null unless it is `waiting`. */
  readonly nextStartAt: number | null
  /** Restarts that count at present, and how many may. */
  readonly restarts: number
  readonly maxRestarts: number
  /** How the last run ended; null where none has, or nobody has seen it. */
  readonly lastExit: Exit | null
  /** Why it could not be started, looked after or ended; null where it could, whatever it has ended with. */
  readonly problem: SupervisorProblem | null
}
