// Schedules on a host: registers the machine with what it needs of the host, and answers for them.
//
// T14 A schedule that an operator holds begins no run and takes no options until it is resumed; the host starts all the same.
import { isDeepStrictEqual } from 'node:util'
import type { Observable } from 'rxjs'
import type { AnyStateMachine } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { shown } from '../../ports/given.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import type { DurableMachine } from '../../runtime/durable.ts'
import type { Host, Listed } from '../../runtime/host.ts'
import type { Receipt } from '../../runtime/inputs.ts'
import type { By } from '../../runtime/operators.ts'
import { assertDurable } from '../../runtime/registry.ts'
import { assertHost, eventsOf, openInstance } from '../hosting.ts'
import { runId, type scheduleMachine } from './machine.ts'
import { type Schedules, schedulesOf } from './opened.ts'
import { type DueRun, type ScheduleOptions, settingsOf } from './options.ts'
import type { ScheduleMessage, Settings } from './types.ts'

export type { DueRun, ScheduleOptions } from './options.ts'
export type { CatchUp, Overlap, ScheduleMessage } from './types.ts'

/** A run of a schedule, from its last commit. */
export interface ScheduledRun extends Listed {
  readonly due: Date
}

/** A schedule that is declared. */
export interface Schedule {
  readonly id: string
  /** The machine of this schedule, of which it is the instance with its id: for `host.list` and the host's operators. */
  readonly machine: DurableMachine<typeof scheduleMachine>
  /** When the next run is due; null once it is stopped, by `stop` or by an operator. In the past while runs are about to be made. */
  next(): Date | null
  /** The runs that were made, oldest first. */
  runs(): Promise<ScheduledRun[]>
  /** What happens, from now on. */
  readonly events$: Observable<ScheduleMessage>
  /** Holds the schedule, not its runs: what falls due meanwhile counts as missed once it is resumed (T6, T14). */
  pause(by: By): Promise<Receipt>
  resume(by: By): Promise<Receipt>
  /** Begins no more runs; those that have begun go on. Recorded: it stays so until someone calls `schedule` again. */
  stop(): Promise<void>
}

/**
 * Begins a run of a machine at each due time: an instance of it with the id `<id>@<due time>`, like
 * `nightly@2026-03-01T03:00:00.000Z`, exactly one for each (T1). The schedule is itself a durable instance: it goes on after a
 * crash, makes up for what was missed as `catchUp` says, and takes other options at the next call (T10).
 *
 * Rejects with BAD_OPTION, BAD_ID, BAD_MACHINE, CLOSED when `host.stop` has ended it, or what host and journal answer.
 */
export async function schedule<TMachine extends AnyStateMachine>(
  host: Host,
  machine: DurableMachine<TMachine>,
  id: string,
  options: ScheduleOptions<TMachine>,
): Promise<Schedule> {
  assertHost('schedule', host)
  assertDurable(machine as unknown as DurableMachine)
  const where = { machine: machine.id, instance: id }
  if (typeof id !== 'string' || !/^[^\p{Cc}]{1,470}$/u.test(id))
    throw new DuramenError('BAD_ID', `${shown(id)} can't be the id of a schedule of ${machine.id}`, {
      where,
      hint: 'Use 1 to 470 characters without control characters.',
    })
  const settings = settingsOf(options, host.clock.now())
  const schedules = schedulesOf(host, machine as unknown as DurableMachine)
  schedules.take(id)
  try {
    await host.register(machine)
    const actor = await openInstance(
      host,
      schedules.schedule,
      id,
      { id, settings },
      `the schedule '${id}' of ${machine.id}`,
    )
    const { context, value } = actor.getSnapshot()
    if (value === 'stopped' || !isDeepStrictEqual(context.settings, settings)) await configure(host, actor, settings)
    const { input } = options
    const inputOf = (due: number) => (input as (run: DueRun) => unknown)({ id: runId(id, due), due: new Date(due) })
    schedules.open(id, { input: typeof input === 'function' ? inputOf : () => input })
    return handleOf(schedules, actor)
  } catch (error) {
    schedules.release(id)
    throw error
  }
}

/** T14: one that is held takes other options at the first call after it was resumed. */
async function configure(host: Host, actor: DurableActor<typeof scheduleMachine>, settings: Settings): Promise<void> {
  try {
    await actor.send({ type: 'CONFIGURE', settings })
  } catch (error) {
    const { code, message } = error as DuramenError
    if (code !== 'PAUSED' && code !== 'PARKED') throw error
    host.logger.warn(`${message}: its options stay as they are`, { machine: actor.machine, instance: actor.id })
  }
}

function handleOf(schedules: Schedules, actor: DurableActor<typeof scheduleMachine>): Schedule {
  const { host, machine, schedule: own } = schedules
  const { id } = actor
  return {
    id,
    machine: own,
    next() {
      const { context, status } = actor.getSnapshot()
      return context.next === null || status !== 'active' ? null : new Date(context.next)
    },
    async runs() {
      const found: ScheduledRun[] = []
      for (const listed of await host.list({ machine: machine.id })) {
        const due = dueOf(id, listed.id)
        if (due) found.push({ ...listed, due })
      }
      return found.sort((a, b) => a.due.getTime() - b.due.getTime())
    },
    events$: eventsOf(actor),
    pause: (by) => host.pause(own, id, by),
    resume: (by) => host.resume(own, id, by),
    async stop() {
      await actor.send({ type: 'STOP' })
      schedules.release(id)
    },
  }
}

/** When the run with this id was due; undefined when it is none of this schedule. */
function dueOf(schedule: string, run: string): Date | undefined {
  if (!run.startsWith(`${schedule}@`)) return undefined
  const due = new Date(run.slice(schedule.length + 1))
  return Number.isNaN(due.getTime()) || runId(schedule, due.getTime()) !== run ? undefined : due
}
