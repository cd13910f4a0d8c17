// What a connection keeps, hears and says.
import type { Backoff, Problem } from '../problems.ts'

/** How patient a connection is; times in ms. */
export interface ConnectionSettings {
  readonly attempts: number
  /** The waits of an open circuit: each twice the one before. */
  readonly openFor: Backoff
}

/** What the machine is given at first. */
export interface ConnectionInput {
  readonly id: string
  /** Where the database is. */
  readonly name: string
  readonly settings: ConnectionSettings
}

/** What is known of a connection. */
export interface ConnectionContext extends ConnectionInput {
  /** Attempts in a row; a connection that is lost soon counts as one that failed. */
  readonly attempt: number
  /** How often the circuit has opened in a row. */
  readonly opens: number
  /** Connections in a row that were lost soon. */
  readonly flaps: number
  /** Why it is not connected, or what was the matter last. */
  readonly problem: ConnectionProblem | null
  /** The code of the problem for which the circuit has opened last. */
  readonly told: string | null
}

/** What is in the way of a connection. */
export interface ConnectionProblem extends Problem {
  readonly hint: string | null
  /** It will hardly go away by itself. */
  readonly lasting: boolean
}

/** What the machine hears from the driver's monitoring, and of its end. */
export type ConnectionEvent = { readonly type: 'LOST' } | { readonly type: 'UP' } | { readonly type: 'CLOSE' }

/** What a connection says. */
export interface ConnectionMessage {
  /**
   * `attempt`, `failed`: one of the attempts; `connected`; `lost`; `opened`: the circuit is open, nothing is tried for a while;
   * `trial`: then, once; `stable`: a connection that was lost again and again holds; `closed`.
   */
  readonly type: 'attempt' | 'failed' | 'connected' | 'lost' | 'opened' | 'trial' | 'stable' | 'closed'
  /** In one line, for people. */
  readonly message: string
  readonly problem: ConnectionProblem | null
  /** It repeats what was said before; such messages are logged as `debug`. */
  readonly again: boolean
}
