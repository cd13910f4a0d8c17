// What a schedule asks of its host.
import type { AnyStateMachine } from 'xstate'
import { type DuramenError, isDuramenError } from '../../ports/errors.ts'
import type { DurableActor } from '../../runtime/actor.ts'
import { problemOf } from '../problems.ts'
import { runId } from './machine.ts'
import type { Schedules } from './opened.ts'
import { plan as planned, timesOf } from './times.ts'
import type { Made, Overlap, Plan, ScheduleContext } from './types.ts'

type PlanInput = Pick<ScheduleContext, 'id' | 'settings' | 'origin' | 'after'>

export async function plan(schedules: Schedules, input: PlanInput, signal: AbortSignal): Promise<Plan> {
  const { id, settings, origin, after } = input
  await schedules.declared(id, signal)
  return planned(timesOf(settings.when, origin), after, schedules.host.clock.now(), settings)
}

interface MakeInput {
  readonly id: string
  readonly due: number
  readonly previous: number | null
  readonly overlap: Overlap
}

export async function make(
  schedules: Schedules,
  { id, due, previous, overlap }: MakeInput,
  signal: AbortSignal,
): Promise<Made> {
  const { host, machine } = schedules
  const { input } = await schedules.declared(id, signal)
  if (overlap !== 'allow' && previous !== null) {
    const before = await active(schedules, runId(id, previous))
    if (before && overlap === 'skip') return { outcome: 'skipped' }
    if (before) await ended(before, signal)
  }
  let given: unknown
  try {
    given = await input(due)
  } catch (error) {
    return { outcome: 'failed', problem: problemOf(error) }
  }
  signal.throwIfAborted()
  try {
    await host.actor(machine, runId(id, due), { input: given, create: 'only' })
  } catch (error) {
    const { code } = error as DuramenError
    if (ofTheRun.has(code)) return { outcome: 'failed', problem: problemOf(error) }
    if (code !== 'INSTANCE_EXISTS') throw error // else an earlier attempt has made it (T1)
  }
  return { outcome: 'made' }
}

/** T8: the machine, or its input, is at fault. */
const ofTheRun = new Set(['BAD_INPUT', 'NOT_SERIALIZABLE', 'BINARY_TOO_LARGE', 'MACHINE_THREW'])

/** The run, if it has not ended (T5). */
async function active({ host, machine }: Schedules, id: string): Promise<DurableActor<AnyStateMachine> | undefined> {
  try {
    const actor = await host.actor(machine, id, { create: false })
    return actor.getSnapshot().status === 'active' ? actor : undefined
  } catch (error) {
    // purged, or beyond repair; trouble of the journal is none of the run's
    if (isDuramenError(error) && !error.retryable && error.code !== 'CLOSED') return undefined
    throw error
  }
}

async function ended(actor: DurableActor<AnyStateMachine>, signal: AbortSignal): Promise<void> {
  try {
    await actor.waitFor((snapshot) => snapshot.status !== 'active', { signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!isDuramenError(error) || error.code !== 'CLOSED') throw error // else it is beyond repair, or purged
  }
}
