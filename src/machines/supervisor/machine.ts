// A program that is looked after: it is started, and started again when it fails, until that makes no sense any more (V1).
//
// V1a At most `maxRestarts` restarts within `window`; who fails once more is CRITICAL, and is not started again by itself.
// V1b A program that ran for `stable` begins a new count when it fails. It is its uptime at its end that counts: a timer
//     would go on while nobody runs it. What the end of a supervisor cut off clears nothing.
// V1c A clean end (exit code 0) and a stop that was asked for are no failures. It is stopped once nothing of it is left.
// V1d A restart that was asked for does not count, and does not wait, but for what is left of the program to be ended.
// V1e A program that can't be started at all (not found, not to be executed) is CRITICAL at once: ten more tries help nobody.
// V1f Whoever supervises next keeps the count: OPEN finds a program that was running, which counts as a failure, or one that
//     was given up, which has one start with the count as it is. Never two: `starting` is reached only through `clearing`,
//     which ends whatever was left.
// V1g All that is asked of the world carries the process that asks. What one that has ended still asks for, as the kernel takes
//     it up again, waits until OPEN has made it void. A wait goes on through OPEN; if it has passed by then, that leads to
//     `clearing`, where nothing was started that could count as lost.
// V1h CRITICAL is told once, before it counts as over; the telling has a limit of its own.
//
// No I/O here: the actors come from desk.ts.
import ms from 'ms'
import { assign, emit, fromPromise, setup } from 'xstate'
import type { Exit, SupervisorProblem } from '../../ports/child.ts'
import type { Notice } from '../../ports/notifier.ts'
import { backoff, errorOf, outputOf, problemWithHint, unprovided } from '../problems.ts'
import type {
  Asked,
  Ended,
  Started,
  SupervisorCommand,
  SupervisorContext,
  SupervisorInput,
  SupervisorMessage,
  SupervisorSettings,
  Told,
} from './types.ts'

const asked = ({ context: { id, boot } }: { context: SupervisorContext }): Asked => ({ id, boot: boot! })

/** A program that never has to be started by hand, without a process: `supervisor` provides its actors. */
export const supervisorMachine = setup({
  types: {} as {
    context: SupervisorContext
    input: SupervisorInput
    events: SupervisorCommand
    emitted: SupervisorMessage
  },
  actors: {
    /** Ends what is left of the program, whoever started it. Rejects while something of it lives. */
    clear: fromPromise<unknown, Asked>(unprovided('clear')),
    start: fromPromise<Started, Asked>(unprovided('start')),
    /** Resolves once the program has ended. */
    watch: fromPromise<Ended, Asked>(unprovided('watch')),
    /** Has the program end, and what is left of it; null where none ran. */
    end: fromPromise<Ended | null, Asked>(unprovided('end')),
    /** Tells people. */
    tell: fromPromise<Told, Asked & { notice: Notice }>(unprovided('tell')),
  },
  actions: {
    open: assign(({ event }) =>
      event.type === 'OPEN' ? { boot: event.boot, settings: event.settings, outcome: null, wanted: false } : {},
    ),
    started: assign(() => ({ startedAt: Date.now(), problem: null })),
    /** What there is to know of how it ended, or why it could not begin. */
    ended: assign(({ context, event }) => ({
      startedAt: null,
      exit: exitOf(event) ?? context.exit,
      uptime: outputOf<Partial<Ended> | null>(event)?.ms ?? 0,
      problem: problemIn(event),
    })),
    left: assign(({ event }) => ({ problem: problemIn(event) })),
    lost: assign(() => ({ startedAt: null, uptime: 0, problem: LOST })),
    count: assign(({ context }) => {
      const { maxRestarts } = context.settings
      const all = [...counting(context, context.uptime, Date.now()), Date.now()]
      const restarts = all.slice(Math.max(0, all.length - maxRestarts)) // one that was asked for may be more
      const restartAt = Date.now() + delayOf(context.settings, restarts.length)
      return { restarts, restartAt, total: context.total + 1 }
    }),
    giveUp: assign(({ context }) => ({
      restarts: counting(context, context.uptime, Date.now()),
      outcome: 'critical' as const,
    })),
    clean: assign({ outcome: 'clean' }),
    stopped: assign({ outcome: 'stopped' }),
    byHand: assign(({ context }) => ({ total: context.total + 1 })),
    want: assign({ wanted: true }),
    goOn: assign({ restartAt: null, wanted: false }),
    sayStarted: emit(({ context, event }) => {
      const { pid } = outputOf<Started>(event) as Started & { outcome: 'started' }
      return { type: 'started' as const, message: `${context.id}: started, pid ${pid}` }
    }),
    sayFailed: emit(({ context }) => {
      const lost = context.problem?.message === LOST.message
      const what = lost ? LOST.message : endText(context)
      return { type: lost ? 'lost' : 'failed', message: `${context.id}: ${what}; ${restartText(context)}` } as const
    }),
    sayRestarting: emit(({ context, event }) => ({
      type: 'restarting' as const,
      message: `${context.id}: restarted as asked for${event.type === 'RESTART' && event.why ? ` (${event.why})` : ''}`,
    })),
    sayClean: emit(({ context }) => ({
      type: 'clean' as const,
      message: `${context.id}: ended by itself, with code 0`,
    })),
    sayStopped: emit(({ context }) => ({ type: 'stopped' as const, message: `${context.id}: stopped as asked for` })),
    sayStuck: emit(({ context }) => ({
      type: 'stuck' as const,
      message: `${context.id}: could not be stopped: ${context.problem?.message}`,
    })),
    sayCritical: emit(({ context }) => ({
      type: 'critical' as const,
      message: `${criticalText(context)}; the last time it ${endText(context)}`,
    })),
  },
  guards: {
    hasStarted: ({ event }) => outputOf<Started | undefined>(event)?.outcome === 'started',
    isHopeless: ({ event }) => {
      const started = outputOf<Started | undefined>(event)
      return started?.outcome === 'refused' && started.hopeless
    },
    isClean: ({ event }) => outputOf<Ended | undefined>(event)?.exit.code === 0,
    isWanted: ({ context }) => context.wanted,
    isOneTooMany: ({ context }) => counting(context, context.uptime, Date.now()).length >= context.settings.maxRestarts,
  },
  delays: {
    untilRestart: ({ context }) => Math.max(0, (context.restartAt ?? 0) - Date.now()),
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({
    ...input,
    boot: null,
    restarts: [],
    total: 0,
    startedAt: null,
    restartAt: null,
    exit: null,
    uptime: 0,
    problem: null,
    outcome: null,
    wanted: false,
  }),
  initial: 'stopped',
  on: {
    OPEN: { target: '.clearing', actions: 'open' },
    STOP: '.ending.toStop',
  },
  states: {
    /** What a process that has ended left behind is ended; its failure counts. */
    sweeping: {
      invoke: {
        src: 'clear',
        id: 'clear',
        input: asked,
        onDone: { target: 'failed', actions: 'lost' },
        onError: { target: 'failed', actions: 'ended' },
      },
      on: {
        OPEN: { target: 'sweeping', reenter: true, actions: 'open' },
        RESTART: { actions: ['want', 'sayRestarting'] },
      },
    },
    clearing: {
      invoke: {
        src: 'clear',
        id: 'clear',
        input: asked,
        onDone: { target: 'starting', actions: 'goOn' },
        onError: { target: 'failed', actions: 'ended' },
      },
      on: { RESTART: { actions: ['want', 'sayRestarting'] } },
    },
    starting: {
      invoke: {
        src: 'start',
        id: 'start',
        input: asked,
        onDone: [
          { guard: 'hasStarted', target: 'running', actions: ['started', 'sayStarted'] },
          { guard: 'isHopeless', target: 'critical', actions: 'ended' },
          { target: 'failed', actions: 'ended' },
        ],
        onError: { target: 'failed', actions: 'ended' },
      },
      on: {
        OPEN: { target: 'sweeping', actions: 'open' },
        RESTART: { target: 'ending.toRestart', actions: ['byHand', 'sayRestarting'] },
      },
    },
    running: {
      invoke: {
        src: 'watch',
        id: 'watch',
        input: asked,
        onDone: [
          { guard: 'isClean', target: 'stopped', actions: ['ended', 'clean', 'sayClean'] },
          { target: 'failed', actions: 'ended' },
        ],
        onError: { target: 'failed', actions: 'ended' },
      },
      on: {
        OPEN: { target: 'sweeping', actions: 'open' },
        RESTART: { target: 'ending.toRestart', actions: ['byHand', 'sayRestarting'] },
      },
    },
    ending: {
      initial: 'toStop',
      states: {
        toStop: {
          invoke: {
            src: 'end',
            id: 'end',
            input: asked,
            onDone: { target: '#supervisor.stopped', actions: ['ended', 'stopped', 'sayStopped'] },
            onError: { target: '#supervisor.stuck', actions: ['left', 'sayStuck'] },
          },
          on: { STOP: {} },
        },
        toRestart: {
          invoke: {
            src: 'end',
            id: 'end',
            input: asked,
            onDone: { target: '#supervisor.clearing', actions: 'ended' },
            onError: { target: '#supervisor.clearing', actions: 'ended' },
          },
          on: { RESTART: {} },
        },
      },
    },
    /** It has ended, or could not begin: what follows of that (V1a). */
    failed: {
      always: [
        { guard: 'isWanted', target: 'clearing', actions: ['count', 'goOn', 'sayFailed'] },
        { guard: 'isOneTooMany', target: 'critical' },
        { target: 'waiting', actions: ['count', 'sayFailed'] },
      ],
    },
    waiting: {
      after: { untilRestart: 'clearing' },
      exit: 'goOn',
      on: {
        OPEN: { actions: 'open' },
        RESTART: { target: 'clearing', actions: ['byHand', 'sayRestarting'] },
        WAITED: 'clearing',
      },
    },
    stopped: {
      on: { STOP: {} },
    },
    /** Something of it could not be ended: STOP tries again. */
    stuck: {},
    critical: {
      entry: ['giveUp', 'sayCritical'],
      initial: 'telling',
      states: {
        telling: {
          invoke: {
            src: 'tell',
            id: 'tell',
            input: ({ context }) => ({ ...asked({ context }), notice: noticeOf(context) }),
            onDone: 'told',
            onError: 'told',
          },
        },
        told: {},
      },
      on: { STOP: {} },
    },
  },
})

const LOST: SupervisorProblem = {
  code: 'INTERRUPTED',
  message: 'the process that supervised it has ended without stopping it',
  hint: 'See why: it was killed, or the machine lost power.',
}

/** V1a V1b: the restarts that count when a program fails that ran for so long. */
export function counting({ restarts, settings }: SupervisorContext, uptime: number, now: number): readonly number[] {
  if (uptime >= settings.stable) return []
  return restarts.filter((at) => at > now - settings.window)
}

/** How long the nth restart that counts waits. */
export const delayOf = ({ restartDelay: first, backoff: growing }: SupervisorSettings, n: number): number =>
  growing ? backoff({ first, max: Math.max(growing.max, first) }, n) : first

const exitOf = (event: unknown): Exit | null => outputOf<{ exit?: Exit | null } | undefined>(event)?.exit ?? null

function problemIn(event: unknown): SupervisorProblem | null {
  const refused = outputOf<Partial<Started & { outcome: 'refused' }> | null>(event)?.problem
  if (refused) return refused
  const error = errorOf(event)
  return error === undefined ? null : problemWithHint(error)
}

const exitText = ({ code, signal }: Exit): string => (signal === null ? `with code ${code}` : `by ${signal}`)

/** `ended with code 1 after 12s`, with the context as it is after the end. */
function endText({ exit, problem, uptime }: SupervisorContext): string {
  if (problem) return `failed: ${problem.message}`
  return `ended ${exit ? exitText(exit) : 'somehow'} after ${ms(uptime)}`
}

const restartText = ({ restarts, restartAt, settings }: SupervisorContext): string =>
  `restart ${restarts.length} of ${settings.maxRestarts} in ${ms(Math.max(0, restartAt! - Date.now()))}`

/** `CRITICAL: server was restarted 10 times in 5 minutes` */
function criticalText({ id, restarts, settings, problem, exit }: SupervisorContext): string {
  if (restarts.length < settings.maxRestarts) return `CRITICAL: ${id} can't be started`
  if (settings.maxRestarts === 0) return `CRITICAL: ${id} ${problem || !exit ? 'has failed' : 'has ended'}`
  const times = restarts.length === 1 ? 'once' : `${restarts.length} times`
  return `CRITICAL: ${id} was restarted ${times} in ${ms(settings.window, { long: true })}`
}

/** V1h: what people are told. */
function noticeOf(context: SupervisorContext): Notice {
  const { exit, problem, total } = context
  const last = problem?.message ?? (exit ? `It ended ${exitText(exit)}.` : '')
  const lines = [last, problem?.hint ?? '', `It is not started again. Restarts in all: ${total}.`]
  return {
    level: 'critical',
    title: criticalText(context),
    text: lines.filter((line) => line !== '').join('\n'),
    at: Date.now(),
  }
}
