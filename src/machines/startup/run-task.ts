// One attempt at a task: with a limit, told to end by a signal, and never twice at once.
//
// S2 In a process a task runs once at a time, also when it has been given up because it ignores its signal: who is asked to run
//    it again, in this start-up or a later one, waits for it. Such a task is not tried again; a value that still comes of it is
//    stopped at once, and nobody gets it.
import { linked, within } from '../../ports/signal.ts'
import type { Given } from './options.ts'
import { putAway } from './stop-task.ts'
import { aborted, call, contextOf, inside, problemIn, tooLate, type World } from './task-call.ts'
import type { Ran } from './types.ts'

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

const STILL = Symbol('still')
const FORMER = 'an earlier attempt of this process ignores its AbortSignal'

/** What runs now, by its start-up and task, of whatever host: one that is closed, and opened anew, has the same ones. */
const atWork = new Map<string, Promise<unknown>>()
const nameOf = ({ id }: World, { plan }: Given) => `${id}/${plan.id}`

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
  let asks = false
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
    if (signal.reason === late)
      return failed(asks ? tooLate(`${plan.id} was not ready within ${timeout} ms`, unready) : late)
    left.throwIfAborted()
    return { ran: facts('aborted') }
  }
  try {
    const former = atWork.get(nameOf(world, task))
    if (former && (await Promise.race([former, told.then(() => STILL)])) === STILL)
      return signal.reason === late ? failed(tooLate(`${plan.id} still runs: ${FORMER}`)) : calledOff()
    if (signal.aborted) return calledOff()

    const run = call(world, () => task.run(context))
    occupy(world, task, run)
    const end = (await Promise.race([run, told])) ?? (await within(clock, stopTimeout, run, () => undefined))
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
      asks = true
      try {
        const asked = inside.run(world, () => task.ready?.(value, context))
        const ready = await Promise.race([asked, told.then(() => false)])
        if (ready || ready === undefined) break
      } catch (error) {
        unready = error
      }
      await within(clock, READY_EVERY, told, () => undefined)
    }
    if (plan.once || (signal.reason !== late && !left.aborted)) return { ran: facts('done'), value }
    await putAway(world, task, value, nth)
    return calledOff()
  } finally {
    cancel()
    unlink()
  }
}

/** Nobody else runs it until then. */
function occupy(world: World, task: Given, until: Promise<unknown>): void {
  const name = nameOf(world, task)
  atWork.set(name, until)
  void until.then(() => {
    if (atWork.get(name) === until) atWork.delete(name)
  })
}
