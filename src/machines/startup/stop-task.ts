// S7 A task that is done is stopped, within its limit; S2 so is a value that came too late, and that nobody gets.
import { printable } from '../../ports/printable.ts'
import { linked, within } from '../../ports/signal.ts'
import type { Given } from './options.ts'
import { aborted, call, contextOf, problemIn, tooLate, type World } from './task-call.ts'
import type { Stopped } from './types.ts'

/** What came of a stop, and what was thrown. */
export interface StopAttempted {
  readonly stopped: Stopped
  readonly error?: unknown
}

/** Rejects only where its host closes. */
export async function stop(
  world: World,
  task: Given,
  value: unknown,
  nth: number,
  left: AbortSignal,
): Promise<StopAttempted> {
  const { clock } = world
  const { stopTimeout, plan } = task
  const began = clock.now()
  const controller = new AbortController()
  const unlink = linked([left], controller)
  const context = contextOf(world, task, nth, controller.signal)
  const work = call(world, () => task.stop?.(value, context))
  const late = tooLate(`${plan.id} was not stopped within ${stopTimeout} ms`)
  const end = (await within(clock, stopTimeout, Promise.race([work, aborted(left)]), () => undefined)) ?? {
    error: late,
  }
  unlink()
  left.throwIfAborted()
  const ms = clock.now() - began
  if ('value' in end) return { stopped: { outcome: 'stopped', ms, problem: null } }
  const { error } = end
  if (error === late) controller.abort(late)
  return { stopped: { outcome: 'failed', ms, problem: problemIn(error) }, error }
}

/** A value that nobody gets is stopped. */
export async function putAway(world: World, task: Given, value: unknown, nth: number): Promise<void> {
  if (!task.stop) return
  const { stopped, error } = await stop(world, task, value, nth, new AbortController().signal)
  if (stopped.problem)
    world.logger.error(
      `start-up ${world.id}: what ${task.plan.id} gave too late could not be stopped: ${printable(stopped.problem.message)}`,
      error as object,
    )
}
