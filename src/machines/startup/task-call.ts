// What an attempt at a task and its stop have in common: a call of the caller's code, what it is given, and its end as data.
//
// K8 Whatever is thrown there is an end like others. K9 A long message is cut.

import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import { type Logger, namedLog } from '../../ports/logger.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import { Inside } from '../inside.ts'
import type { Problem } from '../problems.ts'
import type { Given, StartupTask, TaskContext } from './options.ts'

/** The start-up that a task is part of, as its tasks see it. */
export interface World {
  readonly id: string
  readonly boot: string
  readonly clock: Clock
  readonly logger: Logger
  /** Fires when all is stopped. */
  readonly ending: AbortSignal
  /** Throws BAD_OPTION. */
  resultFor(task: Given, of: StartupTask | string): unknown
}

/** What of an error's message goes into the journal, in characters. */
const MOST = 2000

/** Calls of a start-up's tasks: to wait there for the whole would last for ever. */
export const inside = new Inside<World>()

/** How a call has ended. */
export type End = { readonly value: unknown } | { readonly error: unknown }

/** Calls as part of the start-up; what was thrown may be undefined. */
export const call = (world: World, fn: () => unknown): Promise<End> =>
  inside.run(world, fn).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error ?? new Error(textOf(error)) }),
  )

export function contextOf(world: World, task: Given, nth: number, signal: AbortSignal): TaskContext {
  const { id, boot, logger } = world
  const { plan } = task
  return {
    id: plan.id,
    key: plan.once ? `startup/${id}/${plan.id}@${plan.version}` : `startup/${id}/${plan.id}/${boot}`,
    attempt: nth,
    signal,
    result: (of: StartupTask | string) => world.resultFor(task, of),
    log: namedLog(logger, plan.id),
  }
}

/** An error as the journal keeps it: whatever was thrown, and not all of a long message. */
export function problemIn(error: unknown): Problem {
  const code = partOf(error, 'code')
  const message = textOf(error)
  const cut = message.length > MOST ? `${message.slice(0, MOST)}… (${message.length} characters)` : message
  return { code: typeof code === 'string' ? code.slice(0, 100) : 'FAILED', message: cut }
}

export const tooLate = (message: string, cause?: unknown) =>
  new DuramenError('TASK_TIMEOUT', message, {
    hint: 'See what it waits for, have it heed ctx.signal, or raise its timeout or stopTimeout.',
    ...(cause !== undefined && { cause }),
  })

export const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
