// What becomes of the tasks of a start-up, step by step: from data to data, for machine.ts.
import { backoff, type Problem } from '../problems.ts'
import type { Ran, StartupContext, StartupEvent, StartupMessage, Stopped, Task } from './types.ts'

type Change = Pick<StartupContext, 'tasks'> & Partial<StartupContext>

const NEW = { attempt: 0, startedAt: null, endedAt: null, retryAt: null, ms: null, problem: null }

/** A process starts: all from the beginning, but for what is done for good (S2). */
export function begun(
  { boot, endedAt, failure }: StartupContext,
  event: Extract<StartupEvent, { type: 'BEGIN' }>,
  now: number,
): Partial<StartupContext> {
  return {
    boot: event.boot,
    former: boot === null ? null : { boot, state: endedAt === null ? 'unfinished' : failure ? 'failed' : 'stopped' },
    startedAt: now,
    readyAt: null,
    endedAt: null,
    tasks: event.tasks.map((plan) => ({ ...plan, ...NEW, state: 'waiting' })),
    order: [],
    failure: null,
    reason: null,
  }
}

/** Ids of actors, as `outcomeIn` reads them: where an operator ends one, there is nothing else that says whose end it is. */
export const taskActor = (n: number, attempt: number) => `task-${n}-${attempt}`
export const stopActor = (n: number) => `stop-${n}`

/** The end of an attempt, or of a stop: what its actor says of which task. */
export type Ended = { readonly actor: string; readonly task: number } & (
  | { readonly ran: Ran; readonly attempt: number }
  | { readonly stopped: Stopped }
)

/** Undefined: it is the end of neither. */
export function outcomeIn(event: unknown): Ended | undefined {
  const { actorId: actor, output, error } = event as { actorId: string; output?: unknown; error?: unknown }
  const [, kind, n, attempt] = /^(task|stop)-(\d+)(?:-(\d+))?$/.exec(actor) ?? []
  if (kind === undefined) return undefined
  const task = Number(n)
  const facts = (output ?? {}) as Partial<Omit<Ran, 'outcome'> & { outcome: unknown }>
  const { ms = 0, problem = null, final = false } = facts
  if (kind === 'stop') {
    const outcome = facts.outcome === 'stopped' ? 'stopped' : 'failed'
    return { actor, task, stopped: { outcome, ms, problem: problem ?? orFrom(outcome, error) } }
  }
  const known = facts.outcome === 'done' || facts.outcome === 'aborted' || facts.outcome === 'failed'
  const outcome = known ? (facts.outcome as Ran['outcome']) : 'failed'
  return {
    actor,
    task,
    attempt: Number(attempt),
    ran: { outcome, ms, problem: problem ?? orFrom(outcome, error), final: final || !known },
  }
}

/** Ended by an operator, without facts. */
function orFrom(outcome: string, error: unknown): Problem | null {
  if (outcome !== 'failed') return null
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return {
    code: typeof code === 'string' ? code : 'ABORTED',
    message: typeof message === 'string' ? message : 'it was ended from outside',
  }
}

/** Undefined: it is not the attempt that counts. */
export function afterRun(
  context: StartupContext,
  ended: Extract<Ended, { ran: Ran }>,
  now: number,
): Change | undefined {
  const { tasks, order, done, reason, failure } = context
  const before = tasks[ended.task]
  if (before?.state !== 'running' || before.attempt !== ended.attempt) return undefined
  const { outcome, ms, problem, final } = ended.ran
  const ending = reason !== null || failure !== null
  const task: Task = { ...before, ms, endedAt: now, problem }
  const change = (to: Partial<Task>) => tasks.with(ended.task, { ...task, ...to })
  if (outcome === 'done')
    return {
      tasks: change({ state: 'done' }),
      order: [...order, ended.task],
      ...(task.once && {
        done: [...done.filter((one) => one.task !== task.id), { task: task.id, version: task.version }],
      }),
    }
  if (outcome === 'aborted' && ending) return { tasks: change({ state: 'aborted' }) }
  if (!ending && !final && task.attempt < task.attempts)
    return { tasks: change({ state: 'retrying', retryAt: now + backoff(task.backoff, task.attempt) }) }
  const why = problem ?? { code: 'ABORTED', message: 'it was called off' }
  return {
    tasks: change({ state: 'failed', problem: why }),
    ...(task.critical && !ending && { failure: { task: task.id, problem: why } }),
  }
}

/** Undefined: it is not about to be stopped. */
export function afterStop(
  { tasks }: StartupContext,
  ended: Extract<Ended, { stopped: Stopped }>,
  now: number,
): Change | undefined {
  const before = tasks[ended.task]
  if (before?.state !== 'stopping') return undefined
  const { outcome, problem } = ended.stopped
  return { tasks: tasks.with(ended.task, { ...before, state: outcome, endedAt: now, problem }) }
}

/** What has not begun, will not; what runs is told by the desk. */
export const calledOff = (tasks: readonly Task[], now: number): Task[] =>
  tasks.map((task) =>
    task.state === 'waiting' || task.state === 'retrying'
      ? { ...task, state: 'aborted', retryAt: null, endedAt: now }
      : task,
  )

/** What is said of a task once its stop has ended. */
export const saidOfStop = (task: Task): StartupMessage =>
  task.state === 'failed'
    ? { type: 'failed', message: `${task.id} could not be stopped: ${task.problem?.message}`, task: task.id }
    : saidOf(task)

/** What is said of a task that has come to a state. */
export function saidOf({ id, state, says, attempt, attempts, ms, problem, retryAt, endedAt }: Task): StartupMessage {
  const say = (type: StartupMessage['type'], message: string): StartupMessage => ({ type, message, task: id })
  const why = problem?.message ?? ''
  switch (state) {
    case 'running':
      return say('started', `${id} begins${attempt > 1 ? `, attempt ${attempt}/${attempts}` : ''}`)
    case 'done':
      return say(state, `${says} (${ms} ms)`)
    case 'skipped':
      return say(state, `${id} was done before`)
    case 'retrying':
      return say(
        state,
        `${id} failed, attempt ${attempt}/${attempts}, and is tried again in ${retryAt! - endedAt!} ms: ${why}`,
      )
    case 'blocked':
      return say(state, `${id} does not run: ${why}`)
    default:
      return say(state, `${id} ${state}${why && `: ${why}`}`)
  }
}
