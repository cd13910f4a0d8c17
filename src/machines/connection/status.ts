// How a connection is doing.
import type { SnapshotFrom } from 'xstate'
import type { connectionMachine } from './machine.ts'
import type { ConnectionProblem } from './types.ts'

/** How a connection is doing. */
export interface ConnectionStatus {
  readonly id: string
  /** Where the database is; without user and password. */
  readonly name: string
  /** `connecting`: it is tried, and waited for. `disconnected`: the circuit is open, calls are refused at once. */
  readonly state: 'connecting' | 'connected' | 'disconnected' | 'closed'
  /** The word for health checks. */
  readonly database: 'connected' | 'disconnected'
  /** Since when it is in this state, ms since the epoch. */
  readonly since: number
  /** Of how many it is the how manyth attempt. */
  readonly attempt: number
  readonly attempts: number
  /** Why it is not connected; null while it is. */
  readonly problem: ConnectionProblem | null
  /** How many `withConnection` are at work. */
  readonly works: number
}

export function statusOf(
  snapshot: SnapshotFrom<typeof connectionMachine>,
  since: number,
  works: number,
): ConnectionStatus {
  const { id, name, attempt, settings, problem } = snapshot.context
  const connected = snapshot.matches('connected')
  const state = connected
    ? 'connected'
    : snapshot.matches('closed')
      ? 'closed'
      : snapshot.hasTag('open')
        ? 'disconnected'
        : 'connecting'
  return {
    id,
    name,
    state,
    database: connected ? 'connected' : 'disconnected',
    since,
    attempt: Math.min(attempt, settings.attempts),
    attempts: settings.attempts,
    problem: connected ? null : problem,
    works,
  }
}
