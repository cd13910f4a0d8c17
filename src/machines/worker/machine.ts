// A periodic job that can be stopped.
//
// W1a Runs never overlap. `every` counts from the beginning of a run to the beginning of the next; what falls due while one
//     goes on is one run afterwards. A run that was asked for while one goes on is one more.
// W1b A run that fails, or whose process has ended meanwhile, is tried again after a wait that doubles with each failure in a
//     row; a run that kills its process must not do so at full speed.
// W1c It is stopped once its run has ended, however long that takes: `stopping` lasts until then, and nothing else begins.
// W1d A run is two commits.
//
// No I/O here: the actors come from desk.ts.
import ms from 'ms'
import { assign, emit, fromPromise, setup } from 'xstate'
import { backoff, problemOf, unprovided } from '../problems.ts'
import type { WorkerCommand, WorkerContext, WorkerInput, WorkerMessage, WorkerRan } from './types.ts'

const ranIn = (event: unknown): WorkerRan => {
  const { output, error } = event as { output?: WorkerRan; error?: unknown }
  return output ?? { outcome: 'failed', ms: 0, problem: problemOf(error) }
}

const named = ({ context: { id } }: { context: WorkerContext }) => ({ id })

/** A periodic job, without the job: `worker` provides its actors. */
export const workerMachine = setup({
  types: {} as { context: WorkerContext; input: WorkerInput; events: WorkerCommand; emitted: WorkerMessage },
  actors: {
    /** One run. */
    run: fromPromise<WorkerRan, { id: string }>(unprovided('run')),
    /** Resolves once no run goes on. */
    idle: fromPromise<unknown, { id: string }>(unprovided('idle')),
  },
  actions: {
    configure: assign(({ event }) => (event.type === 'START' ? { settings: event.settings } : {})),
    begin: assign(() => ({ begunAt: Date.now(), nextAt: null, again: false, wanted: false })),
    askAgain: assign({ again: true }),
    want: assign({ wanted: true }),
    unwant: assign({ wanted: false }),
    count: assign(({ context, event }) => {
      const last = ranIn(event)
      const { outcome, problem } = last
      if (outcome === 'stopped') return { last }
      const failures = outcome === 'done' ? 0 : context.failures + 1
      return { last, problem, failures, runs: context.runs + 1 }
    }),
    untilDue: assign(({ context: { begunAt, settings } }) => ({ nextAt: begunAt! + settings.every })),
    untilTriedAgain: assign(({ context: { failures, settings } }) => ({
      nextAt: Date.now() + backoff(settings.backoff, failures),
    })),
    end: assign({ nextAt: null, again: false }),
    sayStarted: emit(({ context }) => ({ type: 'started' as const, message: `${context.id}: started` })),
    sayDone: emit(({ context, event }) => ({
      type: 'done' as const,
      message: `${context.id}: done in ${ms(ranIn(event).ms)}`,
    })),
    sayFailed: emit(({ context, event }) => failedMessage(context, ranIn(event))),
    sayStopped: emit(({ context }) => ({ type: 'stopped' as const, message: `${context.id}: stopped` })),
  },
  guards: {
    hasFailed: ({ event }) => ['failed', 'interrupted'].includes(ranIn(event).outcome),
    wasTold: ({ event }) => ranIn(event).outcome === 'stopped',
    isDue: ({ context }) => context.again || Date.now() >= context.begunAt! + context.settings.every,
    isWanted: ({ context }) => context.wanted,
  },
  delays: {
    untilNext: ({ context }) => Math.max(0, context.nextAt! - Date.now()),
  },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({
    ...input,
    runs: 0,
    failures: 0,
    begunAt: null,
    nextAt: null,
    last: null,
    problem: null,
    again: false,
    wanted: false,
  }),
  initial: 'stopped',
  on: { START: { actions: 'configure' } },
  states: {
    stopped: {
      entry: 'end',
      on: { START: { target: 'running', actions: ['configure', 'sayStarted'] } },
    },
    waiting: {
      entry: 'untilDue',
      after: { untilNext: 'running' },
      on: {
        START: { target: 'waiting', reenter: true, actions: 'configure' },
        TRIGGER: 'running',
        STOP: { target: 'stopped', actions: 'sayStopped' },
      },
    },
    running: {
      entry: 'begin',
      invoke: {
        src: 'run',
        id: 'run',
        input: named,
        onDone: [
          { guard: 'hasFailed', target: 'backingOff', actions: ['count', 'untilTriedAgain', 'sayFailed'] },
          { guard: 'wasTold', target: 'waiting', actions: 'count' },
          { guard: 'isDue', target: 'running', reenter: true, actions: ['count', 'sayDone'] },
          { target: 'waiting', actions: ['count', 'sayDone'] },
        ],
        onError: { target: 'backingOff', actions: ['count', 'untilTriedAgain', 'sayFailed'] },
      },
      on: { TRIGGER: { actions: 'askAgain' }, STOP: 'stopping' },
    },
    backingOff: {
      after: { untilNext: 'running' },
      on: { TRIGGER: 'running', STOP: { target: 'stopped', actions: 'sayStopped' } },
    },
    stopping: {
      invoke: {
        src: 'idle',
        id: 'idle',
        input: named,
        onDone: [
          { guard: 'isWanted', target: 'running', actions: 'sayStarted' },
          { target: 'stopped', actions: 'sayStopped' },
        ],
        onError: [
          { guard: 'isWanted', target: 'running', actions: 'sayStarted' },
          { target: 'stopped', actions: 'sayStopped' },
        ],
      },
      on: { START: { actions: ['configure', 'want'] }, STOP: { actions: 'unwant' } },
    },
  },
})

function failedMessage({ id, nextAt }: WorkerContext, { outcome, problem }: WorkerRan): WorkerMessage {
  const again = `again in ${ms(Math.max(0, nextAt! - Date.now()))}`
  if (outcome === 'interrupted')
    return { type: 'interrupted', message: `${id}: its process has ended while it ran; ${again}` }
  return { type: 'failed', message: `${id}: failed: ${problem?.message}; ${again}` }
}
