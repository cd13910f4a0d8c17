// A connection to a database, without I/O; the driver's monitoring tells it what happens (C1).
//
// C1a Up to `attempts` attempts, "attempt 1/3"; then the circuit is open: nothing is tried for a while, then one trial. The
//     wait doubles with each trial that fails, and ends when the driver sees the server again.
// C1b What will not mend itself (a wrong password) opens the circuit at once, for its longest wait; that the server is there
//     ends it not.
// C1c A connection that is lost within STABLE counts as an attempt that failed: flapping opens the circuit, too, and that the
//     server is back does not end its wait. It is told twice; the rest is said as `again`.
import { assign, emit, fromPromise, setup } from 'xstate'
import { isDuramenError } from '../../ports/errors.ts'
import { backoff, errorOf, problemWithHint, unprovided } from '../problems.ts'
import type {
  ConnectionContext,
  ConnectionEvent,
  ConnectionInput,
  ConnectionMessage,
  ConnectionProblem,
} from './types.ts'

/** A connection that has held for so long is one, ms. */
const STABLE = 10_000
/** Between attempts, ms. */
const PAUSE = { first: 250, max: 1000 }
/** So many losses in a row are told. */
const TOLD = 2

const say = (type: ConnectionMessage['type'], text: (context: ConnectionContext) => string, again = repeats) =>
  emit(({ context }: { context: ConnectionContext }) => ({
    type,
    message: `${context.id}: ${text(context)}`,
    problem: type === 'connected' || type === 'stable' ? null : context.problem,
    again: again(context),
  })) as never

const repeats = ({ flaps }: ConnectionContext) => flaps > TOLD

/** The machine of a connection, to be drawn or tested; `connection` gives it what it needs of the world. */
export const connectionMachine = setup({
  types: {} as {
    context: ConnectionContext
    input: ConnectionInput
    events: ConnectionEvent
    emitted: ConnectionMessage
    tags: 'open'
  },
  actors: {
    /** Resolves once the database answers. */
    connect: fromPromise<void>(unprovided('connect')),
  },
  actions: {
    begin: assign({ attempt: ({ context }) => context.attempt + 1 }),
    failed: assign({ problem: ({ event }) => problemIn(errorOf(event)) }),
    lost: assign({
      problem: ({ context }): ConnectionProblem => ({
        code: 'NOT_CONNECTED',
        message: `the connection to ${context.name} was lost`,
        hint: null,
        lasting: false,
      }),
    }),
    flapped: assign({ flaps: ({ context }) => context.flaps + 1 }),
    held: assign({ attempt: 0, opens: 0, flaps: 0, told: null }),
    open: assign({ opens: ({ context }) => context.opens + 1 }),
  },
  guards: {
    /** C1b */
    lasting: ({ event }) => problemIn(errorOf(event)).lasting,
    exhausted: ({ context }) => context.attempt >= context.settings.attempts,
    /** C1b, C1c: that the server is there says nothing new. */
    wasAway: ({ context }) => context.flaps === 0 && !context.problem!.lasting,
  },
  delays: {
    pause: ({ context }) => backoff(PAUSE, context.attempt),
    openFor: ({ context: { settings, opens, problem } }) =>
      problem?.lasting ? settings.openFor.max : backoff(settings.openFor, opens),
    stable: STABLE,
  },
}).createMachine({
  id: 'connection',
  context: ({ input }) => ({ ...input, attempt: 0, opens: 0, flaps: 0, problem: null, told: null }),
  initial: 'connecting',
  on: { CLOSE: '.closed' },
  states: {
    connecting: {
      entry: ['begin', say('attempt', (c) => `attempt ${c.attempt}/${c.settings.attempts} to connect to ${c.name}`)],
      invoke: {
        src: 'connect',
        id: 'connect',
        onDone: 'connected',
        onError: [
          { guard: 'lasting', target: 'open', actions: 'failed' },
          { guard: 'exhausted', target: 'open', actions: 'failed' },
          {
            target: 'pausing',
            actions: [
              'failed',
              say('failed', (c) => `attempt ${c.attempt}/${c.settings.attempts} failed: ${c.problem!.message}`),
            ],
          },
        ],
      },
    },
    pausing: { after: { pause: 'connecting' } },
    connected: {
      entry: say('connected', (c) => `connected to ${c.name}`),
      initial: 'young',
      states: {
        young: {
          after: { stable: 'stable' },
          on: {
            LOST: [
              { guard: 'exhausted', target: '#connection.open', actions: ['lost', 'flapped'] },
              {
                target: '#connection.pausing',
                actions: ['lost', 'flapped', say('lost', (c) => c.problem!.message)],
              },
            ],
          },
        },
        stable: {
          entry: [
            say(
              'stable',
              () => `connected for ${STABLE / 1000} s`,
              (c) => !repeats(c),
            ),
            'held',
          ],
          on: { LOST: { target: '#connection.connecting', actions: ['lost', say('lost', (c) => c.problem!.message)] } },
        },
      },
    },
    open: {
      tags: 'open',
      entry: [
        'open',
        say('opened', openedText, (c) => c.opens > 1 && c.problem!.code === c.told),
        assign({ told: ({ context }) => context.problem!.code }),
      ],
      after: { openFor: 'trial' },
      on: { UP: { guard: 'wasAway', target: 'trial' } },
    },
    trial: {
      entry: say(
        'trial',
        (c) => `a trial to connect to ${c.name}`,
        () => true,
      ),
      invoke: {
        src: 'connect',
        id: 'connect',
        onDone: 'connected',
        onError: { target: 'open', actions: 'failed' },
      },
    },
    closed: {
      type: 'final',
      entry: say(
        'closed',
        () => 'closed',
        () => true,
      ),
    },
  },
})

/** Why nothing is tried for a while, and for how long. */
function openedText({ settings, problem, opens, attempt, flaps }: ConnectionContext): string {
  const wait = problem!.lasting ? settings.openFor.max : backoff(settings.openFor, opens)
  const failed = opens > 1 ? 'the trial failed' : `not connected after ${attempt} of ${settings.attempts} attempts`
  const after = flaps > 0 ? `lost ${attempt} times in a row` : failed
  return `${after}: ${problem!.message}; next trial within ${wait / 1000} s`
}

const problemIn = (error: unknown): ConnectionProblem => ({
  ...problemWithHint(error),
  lasting: isDuramenError(error) && !error.retryable,
})
