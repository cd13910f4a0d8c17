// How a supervisor is doing.
import type { StateValue } from 'xstate'
import type { SupervisorStatus } from '../../ports/child.ts'
import { counting } from './machine.ts'
import type { SupervisorContext } from './types.ts'

const STATES: Readonly<Record<string, SupervisorStatus['state']>> = {
  sweeping: 'starting',
  clearing: 'starting',
  starting: 'starting',
  running: 'running',
  ending: 'stopping',
  waiting: 'waiting',
  stopped: 'stopped',
  stuck: 'stuck',
  critical: 'critical',
}

/** `pid`: of the program that runs in this process. */
export function supervisorStatus(
  { context, value }: { context: SupervisorContext; value: StateValue },
  pid: number | null,
  now: number,
): SupervisorStatus {
  const { id, startedAt, restartAt, settings, exit, problem } = context
  const state = STATES[typeof value === 'string' ? value : Object.keys(value)[0]!]!
  const uptime = startedAt === null ? 0 : now - startedAt
  return {
    id,
    state,
    pid,
    startedAt,
    nextStartAt: state === 'waiting' ? restartAt : null,
    restarts: counting(context, uptime, now).length,
    maxRestarts: settings.maxRestarts,
    lastExit: exit,
    problem,
  }
}
