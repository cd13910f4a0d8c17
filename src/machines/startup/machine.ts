// A start-up: tasks in the order of their needs, until all that is critical is up; and the way back.
//
// S1 A task starts only when all that it needs is done; independent ones run side by side, heavy ones one at a time (S5).
// S2 A task that runs once is done once per version: its completion is in the journal before anything that needs it starts. One
//    that a crash has interrupted is asked again. Tasks of a former process are dropped: nothing that they still come to counts.
// S3 A critical task that fails for good, or can't run because of another one, fails the start: what runs is called off and
//    waited for, then all is stopped. Of another one, what needs it is blocked, and the rest goes on, degraded.
// S7 Stopping is one task after the other, in exactly the reverse of the order in which they were done. One that can't be
//    stopped does not hold up the others.
//
// No I/O here, and no value of a task: both actors come from desk.ts, and neither ever fails; where an operator ends one, it
// counts as failed. Everything carries the boot that it belongs to: what comes from another one is none of this one's business.
import {
  and,
  assign,
  type DoneActorEvent,
  type ErrorActorEvent,
  emit,
  enqueueActions,
  fromPromise,
  setup,
} from 'xstate'
import { unprovided } from '../problems.ts'
import { isDegraded, isUp, lastDone, namesOfLost, next } from './graph.ts'
import { afterRun, afterStop, begun, calledOff, outcomeIn, saidOf, saidOfStop, stopActor, taskActor } from './steps.ts'
import type { Ran, StartupContext, StartupEvent, StartupInput, StartupMessage, Stopped, TaskOrder } from './types.ts'

const retryTimer = (n: number) => `retry-${n}`

/** A start-up, without what it starts: `startup` provides its actors. */
export const startupMachine = setup({
  types: {} as {
    context: StartupContext
    input: StartupInput
    events: StartupEvent | DoneActorEvent<unknown, string> | ErrorActorEvent<unknown, string>
    emitted: StartupMessage
  },
  actors: {
    /** One attempt at a task. */
    task: fromPromise<Ran, TaskOrder>(unprovided('task')),
    /** Stops a task that is done. */
    stop: fromPromise<Stopped, TaskOrder>(unprovided('stop')),
  },
  actions: {
    /** What a former process has left. */
    dropFormer: enqueueActions(({ context, enqueue }) => {
      for (const [n, { state, attempt }] of context.tasks.entries()) {
        if (state === 'running') enqueue.stopChild(taskActor(n, attempt))
        if (state === 'stopping') enqueue.stopChild(stopActor(n))
        if (state === 'retrying') enqueue.cancel(retryTimer(n))
      }
    }),
    begin: assign(({ context, event }) => (event.type === 'BEGIN' ? begun(context, event, Date.now()) : {})),
    /** Whatever may begin, begins. */
    advance: enqueueActions(({ context, enqueue }) => {
      const { id, boot } = context
      const { tasks, order, started, skipped, blocked } = next(context.tasks, context.order, context.done, Date.now())
      const lost = blocked.map((n) => tasks[n]!).find(({ critical }) => critical)
      const failure = context.failure ?? (lost ? { task: lost.id, problem: lost.problem! } : null)
      for (const n of [...blocked, ...skipped]) enqueue.emit(saidOf(tasks[n]!))
      if (failure)
        return enqueue.assign({
          tasks: tasks.map((task, n) => (started.includes(n) ? context.tasks[n]! : task)),
          order,
          failure,
        })
      enqueue.assign({ tasks, order })
      for (const n of started) {
        const { attempt } = tasks[n]!
        enqueue.spawnChild('task', { id: taskActor(n, attempt), input: { id, boot: boot!, task: n, attempt } })
        enqueue.emit(saidOf(tasks[n]!))
      }
    }),
    /** An attempt or a stop has ended. */
    settle: enqueueActions(({ context, event, enqueue }) => {
      const ended = outcomeIn(event)
      if (!ended) return
      enqueue.stopChild(ended.actor)
      const now = Date.now()
      const { task: n } = ended
      const change = 'ran' in ended ? afterRun(context, ended, now) : afterStop(context, ended, now)
      if (!change) return
      enqueue.assign(change)
      const task = change.tasks[n]!
      if (task.state === 'retrying')
        enqueue.raise(
          { type: 'RETRY', boot: context.boot!, task: n },
          { id: retryTimer(n), delay: task.retryAt! - now },
        )
      enqueue.emit('ran' in ended ? saidOf(task) : saidOfStop(task))
    }),
    again: assign({
      tasks: ({ context, event }) =>
        event.type === 'RETRY'
          ? context.tasks.map((task, n) =>
              n === event.task ? { ...task, state: 'waiting' as const, retryAt: null } : task,
            )
          : context.tasks,
    }),
    asked: assign({ reason: ({ event }) => (event.type === 'SHUTDOWN' ? event.reason : null) }),
    callOff: enqueueActions(({ context, enqueue }) => {
      for (const [n, { state }] of context.tasks.entries()) if (state === 'retrying') enqueue.cancel(retryTimer(n))
      enqueue.assign({ tasks: calledOff(context.tasks, Date.now()) })
    }),
    /** S7: once nothing runs any more, the next is stopped. */
    windDown: enqueueActions(({ context, enqueue }) => {
      const { id, boot, tasks, order } = context
      if (tasks.some(({ state }) => state === 'running' || state === 'stopping')) return
      const n = lastDone(tasks, order)
      if (n === undefined) return
      const task = { ...tasks[n]!, state: 'stopping' as const }
      enqueue.assign({ tasks: tasks.with(n, task) })
      enqueue.spawnChild('stop', { id: stopActor(n), input: { id, boot: boot!, task: n, attempt: task.attempt } })
      enqueue.emit(saidOf(task))
    }),
    /** S6: said once, also where something that is not critical is missing by then. */
    up: enqueueActions(({ enqueue }) => {
      enqueue.assign({ readyAt: Date.now() })
      enqueue.emit({ type: 'ready', message: 'ready', task: null })
    }),
    end: assign({ endedAt: () => Date.now() }),
  },
  guards: {
    isOurs: ({ context, event }) => 'boot' in event && event.boot === context.boot,
    isRetry: ({ context, event }) =>
      event.type === 'RETRY' && event.boot === context.boot && context.tasks[event.task]?.state === 'retrying',
    hasFailed: ({ context }) => context.failure !== null,
    isDegraded: ({ context }) => isDegraded(context.tasks),
    isUp: ({ context }) => isUp(context.tasks),
    isOver: ({ context }) => isOver(context),
  },
}).createMachine({
  id: 'startup',
  context: ({ input }) => ({
    ...input,
    boot: null,
    former: null,
    startedAt: Date.now(),
    readyAt: null,
    endedAt: null,
    tasks: [],
    order: [],
    done: [],
    failure: null,
    reason: null,
  }),
  initial: 'idle',
  on: {
    BEGIN: { target: '.running', reenter: true, actions: ['dropFormer', 'begin', 'advance'] },
    // of a boot that is over: nobody waits for it
    'xstate.done.actor.*': {},
    'xstate.error.actor.*': {},
  },
  states: {
    idle: {},
    running: {
      initial: 'starting',
      on: {
        'xstate.done.actor.*': { actions: ['settle', 'advance'] },
        'xstate.error.actor.*': { actions: ['settle', 'advance'] },
        RETRY: { guard: 'isRetry', actions: ['again', 'advance'] },
        SHUTDOWN: { guard: 'isOurs', target: 'stopping', actions: 'asked' },
      },
      always: { guard: 'hasFailed', target: 'stopping' },
      states: {
        starting: {
          always: [
            { guard: and(['isUp', 'isDegraded']), target: 'degraded', actions: 'up' },
            { guard: 'isUp', target: 'ready', actions: 'up' },
          ],
        },
        ready: {
          always: { guard: 'isDegraded', target: 'degraded' },
        },
        degraded: {
          entry: emit(({ context }) => ({
            type: 'degraded',
            message: `something that is not critical is missing: ${namesOfLost(context.tasks)}`,
            task: null,
          })),
        },
      },
    },
    stopping: {
      entry: ['callOff', 'windDown'],
      on: {
        'xstate.done.actor.*': { actions: ['settle', 'windDown'] },
        'xstate.error.actor.*': { actions: ['settle', 'windDown'] },
      },
      always: [
        { guard: and(['hasFailed', 'isOver']), target: 'failed' },
        { guard: 'isOver', target: 'stopped' },
      ],
    },
    failed: { entry: 'end' },
    stopped: { entry: 'end' },
  },
})

/** Nothing runs, and nothing is left to be stopped. */
const isOver = ({ tasks, order }: StartupContext) =>
  !tasks.some(({ state }) => state === 'running' || state === 'stopping') && lastDone(tasks, order) === undefined
