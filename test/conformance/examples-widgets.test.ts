// Machines that XState's examples and pages show, each made anew: what they do is theirs, how they are written ours.
import { assign, fromCallback, fromPromise, not, raise, setup } from 'xstate'
import { back, conforms, fail, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'toggle with a count',
  () =>
    setup({ types }).createMachine({
      context: { count: 0 },
      initial: 'off',
      states: {
        off: { on: { FLIP: { target: 'on', actions: assign({ count: ({ context }) => context.count + 1 }) } } },
        on: { on: { FLIP: 'off' }, after: { 3000: 'off' } },
      },
    }),
  { steps: ['FLIP', 'FLIP', 'FLIP', 2999, 1], ends: { value: 'off', context: { count: 2 } } },
)

conforms(
  'stopwatch: a callback ticks while it runs',
  ({ back }) =>
    setup({ types, actors: { ticks: fromCallback(({ sendBack }) => void back.set('ticks', sendBack)) } }).createMachine(
      {
        context: { elapsed: 0, started: 0 },
        initial: 'stopped',
        states: {
          stopped: { on: { START: 'running', RESET: { actions: assign({ elapsed: 0 }) } } },
          running: {
            invoke: { src: 'ticks', id: 'ticks' },
            on: { TICK: { actions: assign({ elapsed: ({ context }) => context.elapsed + 1 }) }, STOP: 'stopped' },
          },
        },
      },
    ),
  {
    steps: [
      'START',
      back('ticks', { type: 'TICK' }),
      back('ticks', { type: 'TICK' }),
      'STOP',
      'START',
      back('ticks', { type: 'TICK' }),
      'STOP',
      'RESET',
    ],
    ends: { value: 'stopped', context: { elapsed: 0 } },
  },
)

conforms(
  '7guis timer: by delays of its own, the duration may be moved while it runs',
  () =>
    setup({ types, guards: { over: ({ context }) => context.elapsed >= context.duration } }).createMachine({
      context: { elapsed: 0, duration: 3 },
      initial: 'running',
      states: {
        running: {
          always: { guard: 'over', target: 'paused' },
          after: {
            1000: {
              target: 'running',
              reenter: true,
              actions: assign({ elapsed: ({ context }) => context.elapsed + 1 }),
            },
          },
        },
        paused: { always: { guard: not('over'), target: 'running' } },
      },
      on: {
        DURATION: { actions: assign({ duration: ({ event }) => event.value }) },
        RESET: { actions: assign({ elapsed: 0 }) },
      },
    }),
  {
    steps: [1000, 5000, { type: 'DURATION', value: 5 }, 1500, 'RESET', 1000],
    ends: { value: 'running', context: { elapsed: 1, duration: 5 } },
  },
)

conforms(
  '7guis temperature: two fields that follow each other',
  () =>
    setup({ types }).createMachine({
      context: { c: undefined, f: undefined },
      on: {
        C: {
          actions: assign({
            c: ({ event }) => event.value,
            f: ({ event }) => (event.value === '' ? '' : event.value * 1.8 + 32),
          }),
        },
        F: {
          actions: assign(({ event }) => ({ f: event.value, c: event.value === '' ? '' : (event.value - 32) / 1.8 })),
        },
      },
    }),
  {
    steps: [
      { type: 'C', value: 100 },
      { type: 'F', value: 32 },
      { type: 'C', value: '' },
    ],
    ends: { context: { c: '', f: '' } },
  },
)

conforms(
  '7guis flight booker: what is valid decides what can be booked',
  ({ job }) =>
    setup({
      types,
      actors: { book: fromPromise(({ input }) => job(`book ${JSON.stringify(input)}`)) },
      guards: { valid: ({ context }) => context.trip === 'one way' || context.back >= context.out },
    }).createMachine({
      context: { trip: 'one way', out: '2030-01-01', back: '2030-01-01' },
      initial: 'planning',
      states: {
        planning: {
          on: {
            TRIP: { actions: assign({ trip: ({ event }) => event.value }) },
            OUT: { actions: assign({ out: ({ event }) => event.value }) },
            BACK: { actions: assign({ back: ({ event }) => event.value }) },
            BOOK: { guard: 'valid', target: 'booking' },
          },
        },
        booking: {
          invoke: {
            src: 'book',
            id: 'book',
            input: ({ context }) => context.trip,
            onDone: 'booked',
            onError: 'planning',
          },
        },
        booked: { type: 'final' },
      },
    }),
  {
    steps: [
      { type: 'TRIP', value: 'return' },
      { type: 'OUT', value: '2030-02-01' },
      'BOOK',
      { type: 'BACK', value: '2030-03-01' },
      'BOOK',
      fail('book "return"', new Error('full')),
      'BOOK',
      finish('book "return"'),
    ],
    ends: { status: 'done', value: 'booked' },
  },
)

conforms(
  'an elevator of parallel parts that keep each other waiting',
  () =>
    setup({ types }).createMachine({
      id: 'lift',
      type: 'parallel',
      context: { floor: 0, queue: [] },
      states: {
        door: {
          initial: 'closed',
          states: {
            closed: { on: { OPEN: 'open' } },
            open: { after: { 2000: { target: 'closed', actions: raise({ type: 'SHUT' }) } } },
          },
        },
        cabin: {
          initial: 'idle',
          states: {
            idle: { always: { guard: ({ context }) => context.queue.length > 0, target: 'moving' } },
            moving: {
              always: { guard: ({ context }) => context.floor === context.queue[0], target: 'arrived' },
              after: {
                1000: {
                  target: 'moving',
                  reenter: true,
                  actions: assign({
                    floor: ({ context }) => context.floor + Math.sign(context.queue[0] - context.floor),
                  }),
                },
              },
            },
            arrived: {
              entry: [assign({ queue: ({ context }) => context.queue.slice(1) }), raise({ type: 'OPEN' })],
              on: { SHUT: 'idle' },
            },
          },
        },
      },
      on: {
        CALL: {
          guard: ({ context, event }) => !context.queue.includes(event.floor),
          actions: assign({ queue: ({ context, event }) => [...context.queue, event.floor] }),
        },
      },
    }),
  {
    steps: [{ type: 'CALL', floor: 2 }, 1000, { type: 'CALL', floor: 1 }, 1000, 2000, 1000, 2000],
    ends: { value: { door: 'closed', cabin: 'idle' }, context: { floor: 1, queue: [] } },
  },
)
