// The port of a connection to a database. A driver knows how; how often, and what to do meanwhile, is the business of the
// connection machine (src/machines/connection).
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { DuramenError } from './errors.ts'

/** What connects to one database. `C`: what work on it is given. */
export interface ConnectionDriver<C> {
  /** For messages: where the database is, never with a user or a password. */
  readonly name: string
  /**
   * Right once the database answers, also where it was connected before; then with the same object. Called one at a time, and ends soon after its signal:
   * with NOT_CONNECTED and what is in the way. An error that is not `retryable` is not tried again at once.
   */
  connect(signal: AbortSignal): TaskEither<DuramenError, C>
  /**
   * Tells when the database can't be used any more, and when it may be again, from whatever watches it anyway; the answer ends
   * it. A driver that can't tell says nothing. Never throws.
   */
  watch(listener: (change: 'up' | 'down') => void): () => void
  /** Frees what `connect` has opened. May be called at any time, also twice. */
  close(): TaskEither<DuramenError, void>
}
