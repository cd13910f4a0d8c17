// A schedule: begins a run of another machine at each due time.
//
// T1 One run per due time, whatever happens: `after` only grows, and a run's id is made of its due time, so that a run whose
//    record a crash has swallowed is found again.
// T2 Never early: a due time is taken once the host's clock has passed it.
// T5 The run before has not ended: `skip` leaves the due time out, `queue` waits for it, `allow` takes no notice. A parked run
//    has not ended; one that can't be rebuilt or was purged has. At most `limit` due times wait, those beyond are left out.
// T7 A clock that is put back makes nothing run twice; one that is put on counts as time that was missed (T6).
// T8 A run that can't begin, because its input or its machine throws, is counted and reported; the schedule goes on. What
//    becomes of a run once it has begun is no concern of the schedule but for T5.
// T9 A journal in trouble loses nothing: the run waits and is tried again with a growing wait.
// T10 Other options are recorded and hold from then on. Where other times are due, they count from the change.
// T13 A schedule that was stopped begins no run, until it is configured again; it counts from then on.
//
// T3, T4 and T6 are kept in times.ts, T11 in desk.ts, T12 in options.ts, T14 in index.ts. No I/O here: both actors come from work.ts. When something is due
// is found out by an actor, not by a transition, because what a pattern means depends on the time zones that this Node knows:
// a replay must not ask again.
import { isDeepStrictEqual } from 'node:util'
import { assign, emit, enqueueActions, fromPromise, setup } from 'xstate'
import { backoff, errorOf, outputOf, problemOf, unprovided } from '../problems.ts'
import type { Made, Overlap, Plan, ScheduleCommand, ScheduleContext, ScheduleInput, ScheduleMessage } from './types.ts'

const RETRY = { first: 1000, max: 60_000 }

/** When it is, as people read it and as a run's id has it. */
export const timeText = (due: number) => new Date(due).toISOString()

/** Id of the run that is due at this time. */
export const runId = (schedule: string, due: number) => `${schedule}@${timeText(due)}`

/** What a schedule knows when it begins to count, at this record's time. */
const fromNow = () => ({ origin: Date.now(), after: Date.now(), next: null })
const nothingWaits = { queue: [], tries: 0, problem: null }

export const scheduleMachine = setup({
  types: {} as {
    context: ScheduleContext
    input: ScheduleInput
    events: ScheduleCommand
    emitted: ScheduleMessage
  },
  actors: {
    /** What is due by now, and when the next is. */
    plan: fromPromise<Plan, Pick<ScheduleContext, 'id' | 'settings' | 'origin' | 'after'>>(unprovided('plan')),
    /** Begins the run of a due time, if it is not there yet. */
    make: fromPromise<Made, { id: string; due: number; previous: number | null; overlap: Overlap }>(unprovided('make')),
  },
  actions: {
    configure: assign(({ context, event }) => {
      if (event.type !== 'CONFIGURE') return {}
      const { settings } = event
      return isDeepStrictEqual(settings.when, context.settings.when) ? { settings } : { ...fromNow(), settings }
    }),
    beginAnew: assign(({ event }) => (event.type === 'CONFIGURE' ? { ...fromNow(), settings: event.settings } : {})),
    take: enqueueActions(({ context, event, enqueue }) => {
      const { due, missed, after, next } = outputOf<Plan>(event)
      const all = [...context.queue, ...due]
      const { limit } = context.settings
      const beyond = all.slice(limit)
      const skipped = context.totals.skipped + beyond.length
      enqueue.assign({ after, next, queue: all.slice(0, limit), totals: { ...context.totals, skipped } })
      if (missed) enqueue.emit(missedMessage(context.id, missed))
      for (const left of beyond) enqueue.emit(skippedMessage(context.id, left, `${limit} others wait`))
    }),
    made: enqueueActions(({ context, event, enqueue }) => {
      const made = outputOf<Made>(event)
      const [due, ...queue] = context.queue as [number, ...number[]]
      enqueue.assign({
        queue,
        tries: 0,
        problem: made.outcome === 'failed' ? made.problem : null,
        totals: { ...context.totals, [made.outcome]: context.totals[made.outcome] + 1 },
        ...(made.outcome === 'made' && { previous: due }),
      })
      enqueue.emit(madeMessage(context, due, made))
    }),
    failed: assign({
      tries: ({ context }) => context.tries + 1,
      problem: ({ event }) => problemOf(errorOf(event)),
    }),
  },
  guards: {
    hasDue: ({ context }) => context.queue.length > 0,
    isOver: ({ event }) => outputOf<Plan>(event).next === null,
  },
  delays: {
    untilNext: ({ context }) => Math.max(0, context.next! - Date.now()),
    backoff: ({ context }) => backoff(RETRY, context.tries),
  },
}).createMachine({
  id: 'schedule',
  context: ({ input }) => ({
    ...input,
    ...fromNow(),
    ...nothingWaits,
    previous: null,
    totals: { made: 0, skipped: 0, failed: 0 },
  }),
  initial: 'running',
  states: {
    running: {
      type: 'parallel',
      on: {
        CONFIGURE: { target: 'running', reenter: true, actions: 'configure' },
        STOP: 'stopped',
      },
      states: {
        clock: {
          initial: 'planning',
          states: {
            planning: {
              invoke: {
                src: 'plan',
                id: 'plan',
                input: ({ context: { id, settings, origin, after } }) => ({ id, settings, origin, after }),
                onDone: [
                  { guard: 'isOver', target: 'over', actions: 'take' },
                  { target: 'waiting', actions: 'take' },
                ],
              },
            },
            waiting: { after: { untilNext: 'planning' } },
            over: {},
          },
        },
        runs: {
          initial: 'idle',
          states: {
            idle: { always: { guard: 'hasDue', target: 'making' } },
            making: {
              invoke: {
                src: 'make',
                id: 'make',
                input: ({ context: { id, queue, previous, settings } }) => ({
                  id,
                  due: queue[0]!,
                  previous,
                  overlap: settings.overlap,
                }),
                onDone: { target: 'idle', actions: 'made' },
                onError: {
                  target: 'blocked',
                  actions: [
                    'failed',
                    emit(({ context: { id, queue, problem } }) => ({
                      type: 'blocked' as const,
                      message: `${runId(id, queue[0]!)} can't begin yet: ${problem!.message}`,
                      problem: problem!,
                    })),
                  ],
                },
              },
            },
            blocked: { after: { backoff: 'making' } },
          },
        },
      },
    },
    stopped: {
      entry: assign({ next: null, ...nothingWaits }),
      on: { CONFIGURE: { target: 'running', actions: 'beginAnew' } },
    },
  },
})

function madeMessage({ id, settings }: ScheduleContext, due: number, made: Made): ScheduleMessage {
  const run = runId(id, due)
  if (made.outcome === 'made') return { type: 'made', message: `${run} has begun`, run, due }
  if (made.outcome === 'skipped') return skippedMessage(id, due, `the run before has not ended (${settings.overlap})`)
  const { problem } = made
  return { type: 'failed', message: `${run} could not begin: ${problem.message}`, run, due, problem }
}

function skippedMessage(id: string, due: number, why: string): ScheduleMessage {
  const run = runId(id, due)
  return { type: 'skipped', message: `${run} is left out: ${why}`, run, due }
}

function missedMessage(id: string, { from, to }: { from: number; to: number }): ScheduleMessage {
  const span = from === to ? timeText(from) : `${timeText(from)} to ${timeText(to)}`
  return { type: 'missed', message: `${id} was missed at ${span}`, from, to }
}
