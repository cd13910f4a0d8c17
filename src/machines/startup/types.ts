// What a start-up knows, hears and says. Plain data: it goes into the journal as it is, and no value of a task is in it.
import type { Backoff, Problem } from '../problems.ts'

/** How far a task is. */
export type TaskState =
  /** What it needs is not done yet. */
  | 'waiting'
  | 'running'
  /** An attempt has failed, and another one will be made. */
  | 'retrying'
  | 'done'
  /** It runs once, and has been done before. */
  | 'skipped'
  /** It is not tried again; or it was done, and stopping it failed. */
  | 'failed'
  /** Something that it needs has failed; it has not run. */
  | 'blocked'
  /** It was called off, or has not begun, because all is stopped. */
  | 'aborted'
  | 'stopping'
  | 'stopped'

/** What is recorded of a task: all that decides when it runs, and what becomes of it. */
export interface TaskPlan {
  readonly id: string
  readonly needs: readonly string[]
  /** It runs once per version, in all processes together. */
  readonly once: boolean
  readonly version: number
  readonly critical: boolean
  readonly heavy: boolean
  /** It has something to stop. */
  readonly stops: boolean
  /** What people are told once it is done. */
  readonly says: string
  readonly attempts: number
  readonly backoff: Backoff
}

/** A task, and how far it is. Times in ms since the epoch. */
export interface Task extends TaskPlan {
  readonly state: TaskState
  /** The attempt that runs, or was the last; 0: it has not begun. */
  readonly attempt: number
  /** When its first attempt began. */
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** When it is tried again. */
  readonly retryAt: number | null
  /** How long its last attempt took. */
  readonly ms: number | null
  readonly problem: Problem | null
}

/** What the machine of a start-up begins with. */
export interface StartupInput {
  readonly id: string
}

/** What became of the start of a process. */
export interface FormerBoot {
  readonly boot: string
  /** `unfinished`: its process has ended without a shutdown. */
  readonly state: 'unfinished' | 'failed' | 'stopped'
}

/** A task that runs once and has been done, and in which version. */
export interface DoneOnce {
  readonly task: string
  readonly version: number
}

/** What the machine of a start-up knows. */
export interface StartupContext extends StartupInput {
  /** Which start of a process it is; null: there was none yet. */
  readonly boot: string | null
  readonly former: FormerBoot | null
  readonly startedAt: number
  readonly readyAt: number | null
  readonly endedAt: number | null
  readonly tasks: readonly Task[]
  /** Places in `tasks` of those that are done, in order of their completion. */
  readonly order: readonly number[]
  /** The tasks that run once and have been done, of all processes (S2). */
  readonly done: readonly DoneOnce[]
  /** Why the start failed (S3). */
  readonly failure: { readonly task: string; readonly problem: Problem } | null
  /** Who or what has asked for the shutdown. */
  readonly reason: string | null
}

/** What the machine asks for: one attempt at a task, or its stop. `task`: its place. */
export interface TaskOrder {
  readonly id: string
  readonly boot: string
  readonly task: number
  readonly attempt: number
}

/** What came of an attempt at a task. Its value stays in the process. */
export interface Ran {
  readonly outcome: 'done' | 'failed' | 'aborted'
  readonly ms: number
  readonly problem: Problem | null
  /** It is not tried again, whatever attempts are left. */
  readonly final: boolean
}

/** What came of stopping a task. */
export interface Stopped {
  readonly outcome: 'stopped' | 'failed'
  readonly ms: number
  readonly problem: Problem | null
}

/** What the machine of a start-up hears. */
export type StartupEvent =
  /** A process starts. */
  | { type: 'BEGIN'; boot: string; tasks: readonly TaskPlan[] }
  | { type: 'SHUTDOWN'; boot: string; reason: string }
  /** The wait before another attempt is over. */
  | { type: 'RETRY'; boot: string; task: number }

/** What a start-up says, once it is committed. */
export interface StartupMessage {
  readonly type: 'started' | TaskState | 'ready' | 'degraded'
  readonly message: string
  /** The task that it is about; null: all of them. */
  readonly task: string | null
}
