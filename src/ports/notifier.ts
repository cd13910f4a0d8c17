// The port by which people are told that something needs them, wherever they are.
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** What people are told. */
export interface Notice {
  /** `critical`: it has been given up and waits for somebody. `problem`: it goes on, but not well. `solved`: it is well again. */
  readonly level: 'critical' | 'problem' | 'solved'
  /** In one line: `CRITICAL: server was restarted 10 times in 5 min`. */
  readonly title: string
  /** The rest, in plain text; may be empty. */
  readonly text: string
  /** ms since the epoch. */
  readonly at: number
}

/** A way to tell people. */
export interface Notifier {
  /** What it is called in logs: `webhook hooks.example.org`. Without secrets. */
  readonly name: string
  /** Resolves once whoever passes it on has taken it. The same notice may come twice. NOTIFY_FAILED says why it was not taken. */
  notify(notice: Notice, signal?: AbortSignal): TaskEither<DuramenError, void>
}
