// One attempt at a task, and its stop: with limits, told to end by a signal, and never twice at once.
//
// S2 In a process a task runs once at a time, also when it has been given up because it ignores its signal: who is asked to run
//    it again, in this start-up or a later one, waits for it. Such a task is not tried again; a value that still comes of it is
//    stopped at once, and nobody gets it.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../ports/clock.ts'
import { DuramenError } from '../../ports/errors.ts'
import type { Logger } from '../../ports/logger.ts'
import { printable } from '../../ports/printable.ts'
import { partOf, textOf } from '../../ports/thrown.ts'
import type { Problem } from '../problems.ts'
import type { Given, StartupTask, TaskContext } from './options.ts'
import type { Ran, Stopped } from './types.ts'

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

/** An attempt, and what stays in the process: its value, or what it threw. */
export interface Attempted {
  readonly ran: Ran
  readonly value?: unknown
  readonly error?: unknown
  /** It still runs, although it was told to end. */
  readonly ignored?: boolean
}

/** How often a task is asked whether it is ready, ms. */
const READY_EVERY = 250
/** What of an error's message goes into the journal, in characters. */
const MOST = 2000

const STILL = Symbol('still')
const FORMER = 'an earlier attempt of this process ignores its AbortSignal'

type End = { readonly value: unknown } | { readonly error: unknown }

/** What runs now, by its start-up and task. */
const atWork = new Map<string, Promise<unknown>>()
const nameOf = ({ id }: World, { plan }: Given) => `${id}/${plan.id}`

const inside = new AsyncLocalStorage<{ readonly world: World; open: boolean }>()

/** What a promise comes to; what was thrown may be undefined. */
const ended = (work: Promise<unknown>): Promise<End> =>
  work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error ?? new Error(textOf(error)) }),
  )

/** Whether who calls is part of a task of this start-up that has not ended: to wait for the whole there would last for ever. */
export function isInside(world: World): boolean {
  const task = inside.getStore()
  return task?.world === world && task.open
}

async function within<T>(world: World, fn: () => T): Promise<Awaited<T>> {
  const task = { world, open: true }
  try {
    return await inside.run(task, fn)
  } finally {
    task.open = false
  }
}

/**
 * `left`: nobody waits for it any more, as its host closes or an operator has ended it. Rejects only then: it has not been, but
 * for one that runs once and is done.
 */
export async function attempt(world: World, task: Given, nth: number, left: AbortSignal): Promise<Attempted> {
  const { clock, ending } = world
  const { plan, timeout, stopTimeout } = task
  const began = clock.now()
  const controller = new AbortController()
  const { signal } = controller
  const late = tooLate(`${plan.id} did not end within ${timeout} ms`)
  const cancel = clock.after(timeout, () => controller.abort(late))
  const told = aborted(signal)
  const unlink = linked([ending, left], controller)
  const context = contextOf(world, task, nth, signal)
  let unready: unknown
  const facts = (outcome: Ran['outcome'], error?: unknown, final = false): Ran => ({
    outcome,
    ms: clock.now() - began,
    problem: error === undefined ? null : problemIn(error),
    final,
  })
  const failed = (error: unknown, final = false): Attempted => ({ ran: facts('failed', error, final), error })
  /** It was told to end, and has. */
  const calledOff = (): Attempted => {
    if (signal.reason === late) return failed(unready === undefined ? late : tooLate(late.message, unready))
    left.throwIfAborted()
    return { ran: facts('aborted') }
  }
  try {
    const former = atWork.get(nameOf(world, task))
    if (former && (await Promise.race([former, told.then(() => STILL)])) === STILL)
      return signal.reason === late ? failed(tooLate(`${plan.id} still runs: ${FORMER}`)) : calledOff()
    if (signal.aborted) return calledOff()

    const run = ended(within(world, () => task.run(context)))
    occupy(world, task, run)
    const end = (await Promise.race([run, told])) ?? (await limited(clock, stopTimeout, run))
    if (end === undefined) {
      occupy(
        world,
        task,
        run.then((end) => ('value' in end ? putAway(world, task, end.value, nth) : undefined)),
      )
      if (signal.reason !== late) left.throwIfAborted()
      const why = signal.reason === late ? late.message : `${plan.id} was told to end`
      return { ...failed(tooLate(`${why}; it ignores its AbortSignal, and still runs`), true), ignored: true }
    }
    if ('error' in end) return signal.aborted ? calledOff() : failed(end.error)
    const { value } = end
    while (task.ready && !signal.aborted) {
      try {
        const asked = within(world, () => task.ready?.(value, context))
        const ready = await Promise.race([asked, told.then(() => false)])
        if (ready || ready === undefined) break
      } catch (error) {
        unready = error
      }
      await limited(clock, READY_EVERY, told)
    }
    if (plan.once || (signal.reason !== late && !left.aborted)) return { ran: facts('done'), value }
    await putAway(world, task, value, nth)
    return calledOff()
  } finally {
    cancel()
    unlink()
  }
}

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
  const work = ended(within(world, () => task.stop?.(value, context)))
  const late = tooLate(`${plan.id} was not stopped within ${stopTimeout} ms`)
  const end = (await limited(clock, stopTimeout, Promise.race([work, aborted(left)]))) ?? { error: late }
  unlink()
  left.throwIfAborted()
  const ms = clock.now() - began
  if ('value' in end) return { stopped: { outcome: 'stopped', ms, problem: null } }
  const { error } = end
  if (error === late) controller.abort(late)
  return { stopped: { outcome: 'failed', ms, problem: problemIn(error) }, error }
}

/** A value that nobody gets is stopped. */
async function putAway(world: World, task: Given, value: unknown, nth: number): Promise<void> {
  if (!task.stop) return
  const { stopped, error } = await stop(world, task, value, nth, new AbortController().signal)
  if (stopped.problem)
    world.logger.error(
      `start-up ${world.id}: what ${task.plan.id} gave too late could not be stopped: ${printable(stopped.problem.message)}`,
      error as object,
    )
}

/** Nobody else runs it until then. */
function occupy(world: World, task: Given, until: Promise<unknown>): void {
  const name = nameOf(world, task)
  atWork.set(name, until)
  void until.then(() => {
    if (atWork.get(name) === until) atWork.delete(name)
  })
}

function contextOf(world: World, task: Given, nth: number, signal: AbortSignal): TaskContext {
  const { id, boot, logger } = world
  const { plan } = task
  const say =
    (level: keyof Logger) =>
    (message: string, details?: object): void =>
      logger[level](`${plan.id}: ${message}`, details)
  return {
    id: plan.id,
    key: plan.once ? `startup/${id}/${plan.id}@${plan.version}` : `startup/${id}/${plan.id}/${boot}`,
    attempt: nth,
    signal,
    result: (of: StartupTask | string) => world.resultFor(task, of),
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
  }
}

/** An error as the journal keeps it: whatever was thrown, and not all of a long message. */
function problemIn(error: unknown): Problem {
  const code = partOf(error, 'code')
  const message = textOf(error)
  const cut = message.length > MOST ? `${message.slice(0, MOST)}… (${message.length} characters)` : message
  return { code: typeof code === 'string' ? code.slice(0, 100) : 'FAILED', message: cut }
}

const tooLate = (message: string, cause?: unknown) =>
  new DuramenError('TASK_TIMEOUT', message, {
    hint: 'See what it waits for, have it heed ctx.signal, or raise its timeout or stopTimeout.',
    ...(cause !== undefined && { cause }),
  })

/** Aborts with the first of the signals; the answer ends that. */
function linked(signals: readonly AbortSignal[], controller: AbortController): () => void {
  const links = signals.map((signal) => {
    const abort = () => controller.abort(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    return () => signal.removeEventListener('abort', abort)
  })
  return () => {
    for (const unlink of links) unlink()
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

/** What a promise comes to, or undefined after so long. */
async function limited<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let cancel = () => {}
  const passed = new Promise<undefined>((resolve) => {
    cancel = clock.after(ms, () => resolve(undefined))
  })
  return Promise.race([promise, passed]).finally(cancel)
}
