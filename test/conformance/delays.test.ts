import { assign, cancel, createMachine, raise, sendParent, sendTo, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'a traffic light that changes by time alone',
  () =>
    createMachine({
      initial: 'green',
      states: {
        green: { after: { 1000: 'yellow' } },
        yellow: { after: { 500: 'red' } },
        red: { after: { 2000: 'green' } },
      },
    }),
  { steps: [999, 1, 500, 3000, 1], ends: { value: 'yellow' } },
)

conforms(
  'a delayed transition with guards, several delays in one state, and a state that is left in time',
  ({ did }) =>
    setup({ types, delays: { soon: 10, later: ({ context }) => context.wait } }).createMachine({
      context: { wait: 100 },
      initial: 'a',
      states: {
        a: {
          after: {
            soon: { actions: () => did('soon') },
            later: [{ guard: ({ context }) => context.wait > 1000, target: 'never' }, { target: 'b' }],
            5000: 'never',
          },
          on: { LEAVE: 'c', AGAIN: { target: 'a', reenter: true } },
        },
        b: { entry: () => did('b'), on: { LEAVE: 'a' } },
        c: { on: { BACK: { target: 'a', actions: assign({ wait: 30 }) } } },
        never: {},
      },
    }),
  { steps: [9, 'AGAIN', 9, 1, 'LEAVE', 200, 'BACK', 29, 1, 10_000], ends: { value: 'b' }, did: ['soon', 'soon', 'b'] },
)

conforms(
  'raise with a delay, called off by id; the same id again',
  () =>
    setup({ types }).createMachine({
      context: { got: [] },
      on: {
        ASK: { actions: raise(({ event }) => ({ type: 'LATE', n: event.n }), { delay: 100, id: 'late' }) },
        STOP: { actions: cancel('late') },
        STOPTHIS: { actions: cancel(({ event }) => event.id) },
        LATE: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) },
      },
    }),
  {
    steps: [
      { type: 'ASK', n: 1 },
      50,
      'STOP',
      100,
      { type: 'ASK', n: 2 },
      { type: 'ASK', n: 3 },
      100,
      { type: 'ASK', n: 4 },
      { type: 'STOPTHIS', id: 'late' },
      200,
    ],
    ends: { context: { got: [2, 3] } },
  },
)

conforms(
  'a parent and its child have delayed events of the same id; each calls off its own',
  () => {
    const child = setup({ types }).createMachine({
      context: { rang: 0 },
      entry: raise({ type: 'RING' }, { delay: 100, id: 'bell' }),
      on: { RING: { actions: assign({ rang: ({ context }) => context.rang + 1 }) }, HUSH: { actions: cancel('bell') } },
    })
    return setup({ types, actors: { child } }).createMachine({
      context: { rang: 0 },
      entry: raise({ type: 'RING' }, { delay: 100, id: 'bell' }),
      invoke: { src: 'child', id: 'c' },
      on: {
        RING: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
        HUSH: { actions: cancel('bell') },
        HUSHCHILD: { actions: sendTo('c', { type: 'HUSH' }) },
      },
    })
  },
  { steps: [50, 'HUSH', 60], ends: { context: { rang: 0 }, children: { c: { context: { rang: 1 } } } } },
)

conforms(
  'delayed sendTo and sendParent, to an actor that may be gone',
  () => {
    const child = setup({ types }).createMachine({
      context: { n: 0 },
      on: {
        INC: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendParent({ type: 'ECHO' }, { delay: 20 })] },
      },
    })
    return setup({ types, actors: { child } }).createMachine({
      context: { echoes: 0 },
      initial: 'with',
      on: {
        LATER: { actions: sendTo('c', { type: 'INC' }, { delay: 100 }) },
        ECHO: { actions: assign({ echoes: ({ context }) => context.echoes + 1 }) },
      },
      states: {
        with: { invoke: { src: 'child', id: 'c' }, on: { DROP: 'without' } },
        without: { on: { TAKE: 'with' } },
      },
    })
  },
  {
    steps: ['LATER', 100, 20, 'LATER', 50, 'DROP', 'TAKE', 200],
    ends: { context: { echoes: 1 }, children: { c: { context: { n: 0 } } } },
  },
)

conforms(
  'delay 0 comes after the event, not within it',
  ({ did }) =>
    createMachine({
      initial: 'a',
      states: {
        a: { on: { GO: 'b' } },
        b: { entry: () => did('b'), after: { 0: { target: 'c', actions: () => did('after') } } },
        c: { entry: raise({ type: 'X' }, { delay: 0 }), on: { X: 'd' } },
        d: {},
      },
    }),
  { steps: ['GO', 0, 0, 1], ends: { value: 'd' }, did: ['b', 'after'] },
)

conforms(
  'a delay by an expression of context and event, in sendTo to itself',
  () =>
    setup({ types }).createMachine({
      context: { factor: 10, got: [] },
      on: {
        IN: {
          actions: sendTo(
            ({ self }) => self,
            ({ event }) => ({ type: 'NOW', n: event.n }),
            { delay: ({ context, event }) => context.factor * (event as any).n },
          ),
        },
        NOW: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) },
      },
    }),
  {
    steps: [{ type: 'IN', n: 3 }, { type: 'IN', n: 1 }, { type: 'IN', n: 2 }, 15, 10, 10],
    ends: { context: { got: [1, 2, 3] } },
  },
)

conforms(
  'timers that fall due at the same time fire in the order in which they were set; all are gone at the end',
  () =>
    setup({ types }).createMachine({
      context: { got: [] },
      initial: 'on',
      entry: [
        raise({ type: 'T', n: 1 }, { delay: 50 }),
        raise({ type: 'T', n: 2 }, { delay: 50 }),
        raise({ type: 'T', n: 3 }, { delay: 49 }),
        raise({ type: 'T', n: 4 }, { delay: 500 }),
      ],
      on: { T: { actions: assign({ got: ({ context, event }) => [...context.got, event.n] }) } },
      states: { on: { after: { 100: 'off' } }, off: { type: 'final' } },
    }),
  { steps: [50, 50, 1000], ends: { status: 'done', context: { got: [3, 1, 2] } } },
)
