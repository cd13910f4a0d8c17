// The port of a program that is run and looked after (V1).
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** Which program, and what it is given. */
export interface ChildOrder {
  readonly command: string
  readonly args: readonly string[]
  /** Its working folder. */
  readonly cwd: string
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>
}

/** Which process it is: a pid alone is given to others once it has ended. */
export interface ChildIdentity {
  readonly pid: number
  /** When it began, as the system counts; null where the system does not tell. */
  readonly started: string | null
}

/** How a program has ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A program that runs, with all the processes that it has begun. */
export interface Child extends ChildIdentity {
  /** Resolves once it has ended, and what it has written is kept. */
  readonly exited: Promise<Exit>
  /** Passes a signal on to all of them; nothing where they have ended. */
  signal(name: string): void
  /** Asks all of them to end, and ends them after `limit` ms. Resolves once none is left. */
  end(limit: number): Promise<Exit>
}

/** Runs programs. */
export interface ChildRunner {
  /** Begins it; `key` marks all of its processes, so that a later process finds them. CHILD_FAILED says why it could not begin. */
  start(key: string, order: ChildOrder): TaskEither<DuramenError, Child>
  /** Ends what an earlier process has left of a program with that key. The answer: how many processes there were. */
  clear(key: string, last: ChildIdentity | null, limit: number): TaskEither<DuramenError, number>
}
