// A start-up on a host: checks what it is given, begins, and answers for it.
//
// S8 The records of a start-up are those of one process at a time: its journal is a local one, which that process alone has.
// The other rules: S1 in graph.ts and options.ts, S2 and S3 in machine.ts and run-task.ts, S6 in telling.ts, S7 in signals.ts.
import type { Observable } from 'rxjs'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host } from '../../runtime/host.ts'
import { assertHost, openInstance } from '../hosting.ts'
import { keepShort } from '../trimming.ts'
import { Boot, type StartupActor } from './boot.ts'
import { Desk } from './desk.ts'
import { prepareEnvironment } from './environment.ts'
import type { startupMachine } from './machine.ts'
import { mermaidOf } from './mermaid.ts'
import { startupsOf } from './opened.ts'
import { type Given, type OnceTask, type StartupOptions, type StartupTask, settingsOf, tasksGiven } from './options.ts'
import type { StartupHealth, StartupReport } from './report.ts'
import { inside } from './task-call.ts'
import type { StartupMessage } from './types.ts'

export type { ServiceManager } from '../../ports/service.ts'
export type { EnvironmentOptions } from './environment.ts'
export { loadOnce } from './load-once.ts'
export { reportLines } from './log-lines.ts'
export { startupMachine } from './machine.ts'
export type { OnceTask, StartupOptions, StartupTask, TaskBackoff, TaskContext, TaskRetry } from './options.ts'
export { task } from './options.ts'
export type { StartupHealth, StartupReport, TaskReport } from './report.ts'
export type {
  FormerBoot,
  Ran,
  StartupContext,
  StartupEvent,
  StartupInput,
  StartupMessage,
  Stopped,
  Task,
  TaskOrder,
  TaskPlan,
  TaskState,
} from './types.ts'

/** A start-up that has begun. */
export interface Startup {
  readonly id: string
  /** The machine of which it is the instance with its id: for `host.list`, history and the host's operators. */
  readonly machine: DurableMachine<typeof startupMachine>
  /**
   * Resolves once everything critical is up (S6). Rejects with STARTUP_FAILED once all that was started has been stopped: which
   * task has failed, and why, its error as the cause (S3). A failure that nobody looks at ends the process, as Node does with
   * what nobody handles; where it was shut down before it was ready, it does not. After a signal it stays open, as the process is
   * about to end. Rejects with BAD_OPTION inside of a task.
   */
  ready(): Promise<void>
  /** How it is doing, for health checks (S6). */
  health(): StartupHealth
  /** What ran, when, how long, with what outcome (S8). */
  report(): StartupReport
  /** The tasks as a Mermaid flowchart, coloured by their states (S8). */
  mermaid(): string
  /** The report now, and after each commit. Completes once all has ended, or the host is closed. */
  readonly report$: Observable<StartupReport>
  /** What it says, from now on: each step, once it is on record. Completes as `report$`. */
  readonly events$: Observable<StartupMessage>
  /** The value of a task that is done. Throws BAD_OPTION for any other, and for one that runs once. */
  result<T>(task: StartupTask<T>): T
  /** The same by its id, of a type that nobody knows. */
  result(id: string): unknown
  /**
   * Stops the tasks in the reverse order in which they were done, each within its `stopTimeout` (S7); what still runs is told to
   * end first. Resolves with the report once all has ended, whatever has failed on the way; inside of a task at once, as a
   * request. Does not close the host, nor end the process. May be called twice. A host that is closed without it aborts
   * what runs, and stops nothing; the next start reports this one as `unfinished`.
   */
  shutdown(options?: ShutdownOptions): Promise<StartupReport>
}

/** K9: a process that is started for years, or again and again, does not keep all of it. What runs once stays known. */
const KEPT = 1000
const PURGE = 'host.purge frees its id, and what it knows of tasks that run once is gone then; or give another id.'

/** Of one call. */
export interface ShutdownOptions {
  /** Why, for the records. Default `shutdown()`. */
  why?: string
}

/**
 * Starts what a process is made of, in the order of its needs: `startup(host, [{ id, needs, run }, …])`. All that can be known to
 * be wrong is refused before anything runs; then it resolves, as soon as the beginning is on disk. From then on SIGTERM and
 * SIGINT shut down, close the host and end the process: exit code 0, or 1 where something has failed; a second one ends it at once.
 *
 * The host's journal has to be a local one: two processes on one journal would drop each other's tasks.
 *
 * Rejects with BAD_OPTION (also where the environment does not fit, or the start-up has begun already), PAUSED or PARKED (an
 * operator holds it), CLOSED (an operator has stopped it), or what host and journal answer.
 */
export async function startup(
  host: Host,
  tasks: readonly (StartupTask | OnceTask)[],
  options?: StartupOptions,
): Promise<Startup> {
  assertHost('startup', host)
  const settings = settingsOf(options)
  const given = tasksGiven(tasks)
  const known = startupsOf(host)
  const desk = new Desk(settings, given, host.clock, host.logger)
  known.take(desk)
  let begun!: (boot: Boot | undefined) => void
  const beginning = new Promise<Boot | undefined>((resolve) => {
    begun = resolve
  })
  const unlisten = known.signals.listen(settings.process, settings.signals, async (signal) => {
    const boot = await beginning
    await boot?.leaveBy(signal)
    return boot?.exitCode ?? 1
  })
  const leave = () => {
    unlisten()
    known.leave(desk)
  }
  try {
    await prepareEnvironment(settings.process.env, settings.environment, host.logger)
    const { id } = settings
    const actor = await openInstance(host, known.machine, id, { id }, `the start-up '${id}'`, PURGE)
    const boot = new Boot(host, desk, settings, actor, leave)
    try {
      await begin(host, actor, desk, given)
      void boot.over.then(await keepShort(host, known.machine, actor, KEPT))
    } catch (error) {
      boot.abandon()
      throw error
    }
    known.open(desk)
    begun(boot)
    return handleOf(known.machine, boot)
  } catch (error) {
    leave()
    begun(undefined)
    throw error
  }
}

/**
 * The machine of all start-ups of a host, for its operators: `host.resume(startups(host), 'startup', { who, why })`. Where no
 * start-up has begun yet, `host.register` it first. Throws BAD_OPTION.
 */
export function startups(host: Host): DurableMachine<typeof startupMachine> {
  assertHost('startups', host)
  return startupsOf(host).machine
}

/** What the kernel has parked is let go on: a new process begins it all anew. What an operator holds is not ours to let go. */
async function begin(host: Host, actor: StartupActor, desk: Desk, given: readonly Given[]): Promise<void> {
  const where = { machine: actor.machine, instance: actor.id }
  const event = { type: 'BEGIN', boot: desk.boot, tasks: given.map(({ plan }) => plan) } as const
  try {
    await actor.send(event)
  } catch (error) {
    const { code, message, retryable } = error as DuramenError
    if (code !== 'PAUSED' && code !== 'PARKED') throw error
    if (code === 'PAUSED' || (await actor.info()).problem?.code === 'PARKED')
      throw new DuramenError(code, message, {
        where,
        retryable,
        cause: error,
        hint: `An operator holds it; its history says who, and why. Let it go on: host.resume(startups(host), '${actor.id}', { who, why }).`,
      })
    host.logger.warn(`${message}; a new process begins it anew`, where)
    await host.resume(startupsOf(host).machine, actor.id, { who: 'startup', why: 'a new process begins' })
    await actor.send(event)
  }
}

function handleOf(machine: Startup['machine'], boot: Boot): Startup {
  const { desk } = boot
  return {
    id: desk.id,
    machine,
    async ready() {
      if (inside.of(desk))
        throw new DuramenError('BAD_OPTION', 'ready() inside of a task would wait for itself', {
          hint: 'Say with needs what the task waits for.',
        })
      return boot.ready
    },
    health: () => boot.health,
    report: () => boot.report,
    mermaid: () => mermaidOf(boot.report.tasks),
    report$: boot.report$,
    events$: boot.events$.asObservable(),
    result: (task: StartupTask | string) => desk.result(task),
    async shutdown(options) {
      const given = optionsGiven('shutdown', options, "Leave it out, or give { why: 'an update' }.")
      assertNames('shutdown', given, ['why'])
      const { why = 'shutdown()' } = given
      if (typeof why !== 'string') throw badOption('why', why, 'is no text', 'Say why, or leave it out.')
      return boot.shutdown(why)
    },
  }
}
