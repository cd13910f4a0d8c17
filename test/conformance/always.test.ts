import { and, assign, createMachine, not, or, raise, setup, stateIn } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'a grade by a chain of guarded eventless transitions',
  () =>
    setup({ types }).createMachine({
      context: { score: 0 },
      initial: 'waiting',
      states: {
        waiting: { on: { SCORE: { target: 'grading', actions: assign({ score: ({ event }) => event.score }) } } },
        grading: {
          always: [
            { guard: ({ context }) => context.score > 90, target: 'great' },
            { guard: ({ context }) => context.score > 50, target: 'good' },
            { target: 'poor' },
          ],
        },
        great: { on: { AGAIN: 'waiting' } },
        good: { on: { AGAIN: 'waiting' } },
        poor: { on: { AGAIN: 'waiting' } },
      },
    }),
  {
    steps: [{ type: 'SCORE', score: 95 }, 'AGAIN', { type: 'SCORE', score: 60 }, 'AGAIN', { type: 'SCORE', score: 1 }],
    ends: { value: 'poor' },
  },
)

conforms(
  'eventless before raised events, which keep their order',
  ({ did }) =>
    setup({ types }).createMachine({
      context: { trail: [] },
      initial: 'a',
      states: {
        a: { on: { GO: { target: 'b', actions: [raise({ type: 'R1' }), raise({ type: 'R2' }), () => did('go')] } } },
        b: { always: { target: 'c', actions: () => did('always') } },
        c: { on: { R1: { target: 'd', actions: () => did('R1') } } },
        d: {
          always: {
            target: 'e',
            guard: ({ event }) => event.type === 'R1',
            actions: ({ event }) => did(`by ${event.type}`),
          },
        },
        e: { on: { R2: { target: 'f', actions: () => did('R2') } } },
        f: {},
      },
    }),
  { steps: ['GO'], ends: { value: 'f' }, did: ['go', 'always', 'R1', 'by R1', 'R2'] },
)

conforms(
  'a counter that loops by itself until it is full',
  () =>
    setup({ types }).createMachine({
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { FILL: 'filling' } },
        filling: {
          always: [
            { guard: ({ context }) => context.n >= 50, target: 'full' },
            { target: 'filling', reenter: true, actions: assign({ n: ({ context }) => context.n + 1 }) },
          ],
        },
        full: {},
      },
    }),
  { steps: ['FILL'], ends: { value: 'full', context: { n: 50 } } },
)

conforms(
  'parallel regions that wait for each other by stateIn',
  () =>
    createMachine({
      id: 'sync',
      type: 'parallel',
      states: {
        a: {
          initial: 'one',
          states: {
            one: { on: { A: 'two' } },
            two: { always: { guard: stateIn('#sync.b.two'), target: 'three' } },
            three: {},
          },
        },
        b: {
          initial: 'one',
          states: {
            one: { on: { B: 'two' } },
            two: { always: { guard: stateIn({ a: 'three' }), target: 'three' } },
            three: {},
          },
        },
      },
    }),
  { steps: ['A', 'B'], ends: { value: { a: 'three', b: 'three' } } },
)

conforms(
  'an eventless transition at the root ends the waiting of all states',
  () =>
    setup({ types }).createMachine({
      id: 'r',
      context: { n: 0 },
      initial: 'a',
      always: { guard: ({ context }) => context.n === 2, target: '.end' },
      states: {
        a: { on: { N: { target: 'b', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
        b: { on: { N: { target: 'a', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
        end: { type: 'final' },
      },
    }),
  { steps: ['N', 'N'], ends: { status: 'done' } },
)

conforms(
  'guards with params, and, or, not, by name and inline, and a string for the rest',
  () =>
    setup({
      types,
      guards: {
        over: ({ context }, params: { limit: number }) => context.n > params.limit,
        even: ({ context }) => context.n % 2 === 0,
        odd: not('even'),
        big: and([{ type: 'over', params: { limit: 10 } }, or(['even', ({ context }: any) => context.n === 13])]),
      },
    }).createMachine({
      context: { n: 0, took: [] },
      on: {
        SET: { actions: assign({ n: ({ event }) => event.n }) },
        TRY: [
          { guard: 'big', actions: assign({ took: ({ context }) => [...context.took, 'big'] }) },
          {
            guard: { type: 'over', params: ({ event }: any) => ({ limit: event.limit }) },
            actions: assign({ took: ({ context }) => [...context.took, 'over'] }),
          },
          {
            guard: and(['odd', not(or([{ type: 'over', params: { limit: 4 } }, stateIn({})]))]),
            actions: assign({ took: ({ context }) => [...context.took, 'odd'] }),
          },
          { actions: assign({ took: ({ context }) => [...context.took, 'rest'] }) },
        ],
      },
    } as never),
  {
    steps: [
      { type: 'TRY', limit: 5 },
      { type: 'SET', n: 13 },
      { type: 'TRY', limit: 5 },
      { type: 'SET', n: 15 },
      { type: 'TRY', limit: 5 },
      { type: 'SET', n: 3 },
      { type: 'TRY', limit: 5 },
      { type: 'TRY', limit: 2 },
    ],
    ends: { context: { took: ['rest', 'big', 'over', 'rest', 'over'] } },
  },
)
