// S8 A start-up as data: what ran, when, how long, with what outcome; and how it is doing, for health checks (S6).
import type { SnapshotFrom } from 'xstate'
import { isDone, namesOf } from './graph.ts'
import type { startupMachine } from './machine.ts'
import type { FormerBoot, Task } from './types.ts'

/** What there is to know of a task. */
export type TaskReport = Omit<Task, 'version' | 'heavy' | 'stops' | 'attempts' | 'backoff' | 'retryAt'>

/** A start-up as data, as it is committed. Times in ms since the epoch. */
export interface StartupReport {
  readonly id: string
  /** Which start of the process it is. */
  readonly boot: string
  readonly state: 'starting' | 'ready' | 'degraded' | 'stopping' | 'failed' | 'stopped'
  readonly startedAt: number
  readonly readyAt: number | null
  readonly endedAt: number | null
  readonly tasks: readonly TaskReport[]
  /** Ids of the tasks that are done, or were before, in order of their completion. */
  readonly order: readonly string[]
  /** The start before this one; null: this is the first. `unfinished`: that process has ended without a shutdown. */
  readonly former: FormerBoot | null
}

/** How a start-up is doing. `starting` turns into `unhealthy` once the grace period is over. */
export type StartupHealth = 'starting' | 'healthy' | 'degraded' | 'unhealthy' | 'stopping'

export type StartupSnapshot = SnapshotFrom<typeof startupMachine>

/** `idle` comes before the first start, and is never told. */
export const stateOf = ({ value }: StartupSnapshot) =>
  (typeof value === 'string' ? value : (value as { running: string }).running) as StartupReport['state']

export function reportOf(snapshot: StartupSnapshot): StartupReport {
  const { context } = snapshot
  const { id, boot, startedAt, readyAt, endedAt, tasks, order, former } = context
  return {
    id,
    boot: boot ?? '',
    state: stateOf(snapshot),
    startedAt,
    readyAt,
    endedAt,
    tasks: tasks.map(taskReport),
    order: order.map((n) => tasks[n]!.id),
    former,
  }
}

const taskReport = ({ version, heavy, stops, attempts, backoff, retryAt, ...told }: Task): TaskReport => told

/** S6: `grace` and `now` in ms. */
export function healthOf(snapshot: StartupSnapshot, grace: number, now: number): StartupHealth {
  const { failure, startedAt } = snapshot.context
  if (failure) return 'unhealthy'
  const state = stateOf(snapshot)
  if (state === 'starting') return now - startedAt < grace ? state : 'unhealthy'
  if (state === 'degraded') return state
  return state === 'ready' ? 'healthy' : 'stopping'
}

/** What it is doing, in one line. */
export function statusLine(snapshot: StartupSnapshot): string {
  const { tasks } = snapshot.context
  const busy = tasks.filter(({ state }) => state === 'running' || state === 'retrying' || state === 'stopping')
  const state = stateOf(snapshot)
  const how = state === 'starting' ? `${state} ${tasks.filter(isDone).length}/${tasks.length}` : state
  return busy.length > 0 ? `${how}: ${namesOf(busy)}` : how
}
