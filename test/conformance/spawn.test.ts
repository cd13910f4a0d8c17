import {
  type AnyEventObject,
  assign,
  createMachine,
  emit,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { back, conforms, fail, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose
const counter = () =>
  setup({ types }).createMachine({
    context: ({ input }: any) => ({ n: input?.from ?? 0 }),
    on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  })

conforms(
  'actors spawned by assign, with ids and without, kept in a list, spoken to through their references',
  () =>
    setup({ types, actors: { counter: counter() } }).createMachine({
      context: { list: [] },
      on: {
        ADD: {
          actions: assign({
            list: ({ context, spawn, event }) => [
              ...context.list,
              spawn('counter', { input: { from: event.from ?? 0 }, ...(event.id && { id: event.id }) }),
            ],
          }),
        },
        INC: { actions: sendTo(({ context, event }) => context.list[event.at], { type: 'INC' }) },
        DROP: {
          actions: [
            stopChild(({ context, event }) => context.list[event.at]),
            assign({ list: ({ context, event }) => context.list.filter((_: unknown, i: number) => i !== event.at) }),
          ],
        },
      },
    }),
  {
    steps: [
      'ADD',
      'ADD',
      { type: 'ADD', id: 'named', from: 5 },
      { type: 'INC', at: 1 },
      { type: 'INC', at: 2 },
      { type: 'DROP', at: 0 },
      { type: 'INC', at: 0 },
      'ADD',
    ],
    ends: { children: { named: { context: { n: 6 } }, 'anonymous 1': { context: { n: 2 } } } },
  },
)

conforms(
  'the same id spawned again after it was stopped, and while it still lives',
  () =>
    setup({ types, actors: { counter: counter() } }).createMachine({
      context: {},
      on: {
        START: { actions: spawnChild('counter', { id: 'one' }) },
        STOP: { actions: stopChild('one') },
        RESTART: { actions: [stopChild('one'), spawnChild('counter', { id: 'one', input: { from: 100 } })] },
        INC: { actions: sendTo('one', { type: 'INC' }) },
        KEEP: { actions: assign({ ref: ({ self }: any) => self.getSnapshot().children.one }) },
      },
    }),
  { steps: ['START', 'INC', 'KEEP', 'STOP', 'START', 'INC', 'INC', 'RESTART', 'INC', 'STOP'], ends: { children: {} } },
)

conforms(
  'spawned promises, callbacks, observables and transitions',
  ({ job, back, values }) =>
    setup({
      types,
      actors: {
        work: fromPromise(({ input }) => job(input as string)),
        line: fromCallback<AnyEventObject>(({ sendBack, receive }) => {
          back.set('line', sendBack)
          receive((event) => sendBack({ type: 'HEARD', v: event.type }))
        }),
        ticks: fromObservable(() => values as any),
        sum: fromTransition((n: number, event: AnyEventObject) => (event.type === 'INC' ? n + 1 : n), 0),
      },
    }).createMachine({
      context: ({ spawn }: any) => ({
        log: [],
        sum: spawn('sum', { id: 'sum' }),
        ticks: spawn('ticks', { id: 'ticks', syncSnapshot: true }),
      }),
      entry: [spawnChild('line', { id: 'line' })],
      on: {
        WORK: { actions: assign({ job: ({ spawn, event }) => spawn('work', { id: event.id, input: event.id }) }) },
        CALL: { actions: [sendTo('line', { type: 'HI' }), sendTo('sum', { type: 'INC' })] },
        'xstate.done.actor.*': {
          actions: assign({ log: ({ context, event }) => [...context.log, `${event.actorId} ${event.output}`] }),
        },
        'xstate.error.actor.*': {
          actions: assign({
            log: ({ context, event }) => [...context.log, `${event.actorId} ${(event.error as Error).message}`],
          }),
        },
        'xstate.snapshot.ticks': {
          actions: assign({ log: ({ context, event }) => [...context.log, event.snapshot.context] }),
        },
        HEARD: { actions: assign({ log: ({ context, event }) => [...context.log, event.v] }) },
      },
    }),
  {
    steps: [
      { type: 'WORK', id: 'w1' },
      'CALL',
      finish('w1', 1),
      { type: 'WORK', id: 'w2' },
      fail('w2', new Error('bad')),
      back('line', { type: 'HEARD', v: 'ring' }),
      ({ values }) => values.next(7),
    ],
    ends: { context: { log: [undefined, 'HI', 'w1 1', 'w2 bad', 'ring', 7] } },
  },
)

conforms(
  'inline logic that is spawned: such an instance has no checkpoint, and goes on all the same',
  () => {
    const pingpong = createMachine({ on: { PING: { actions: sendParent({ type: 'PONG' }) } } })
    return setup({ types }).createMachine({
      context: { n: 0 },
      on: {
        NEW: { actions: assign({ ref: ({ spawn }: any) => spawn(pingpong, { id: 'pp' }) }) },
        PING: { actions: sendTo(({ context }) => context.ref, { type: 'PING' }) },
        PONG: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    })
  },
  { steps: ['NEW', 'PING', 'PING'], ends: { context: { n: 2 } } },
)

conforms(
  'a family of three generations: stopping the child ends the grandchildren and their timers',
  ({ did }) => {
    const grandchild = setup({ types }).createMachine({
      context: { ticks: 0 },
      exit: () => did('grandchild left'),
      initial: 'a',
      states: {
        a: {
          after: {
            10: {
              target: 'a',
              reenter: true,
              actions: [assign({ ticks: ({ context }) => context.ticks + 1 }), sendParent({ type: 'TICK' })],
            },
          },
        },
      },
    })
    const child = setup({ types, actors: { grandchild } }).createMachine({
      context: { ticks: 0 },
      exit: () => did('child left'),
      invoke: [
        { src: 'grandchild', id: 'g1' },
        { src: 'grandchild', id: 'g2' },
      ],
      on: { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
    })
    return setup({ types, actors: { child } }).createMachine({
      context: ({ spawn }: any) => ({ child: spawn('child', { id: 'child' }) }),
      on: {
        STOP: { actions: stopChild('child') },
        AGAIN: { actions: assign({ child: ({ spawn }) => spawn('child', { id: 'child' }) }) },
      },
    })
  },
  {
    steps: [10, 15, 'STOP', 100, 'AGAIN', 10],
    ends: { children: { child: { context: { ticks: 2 } } } },
    did: [], // XState runs no exit actions of an actor that is stopped
  },
)

conforms(
  'a child that is stopped before it was started, and one that fails in its first state, have done nothing',
  ({ did }) => {
    const child = setup({ types }).createMachine({ entry: [() => did('must not be done'), emit({ type: 'NOR_THIS' })] })
    const failing = setup({ types }).createMachine({
      entry: [
        () => did('must not be done either'),
        assign(() => {
          throw new Error('in its first state')
        }),
      ],
    })
    return setup({ types, actors: { child, failing } }).createMachine({
      context: {},
      initial: 'idle',
      states: {
        idle: { on: { GO: 'passing', FAIL: 'failing' } },
        passing: { invoke: { src: 'child', id: 'child' }, always: 'idle' },
        failing: {
          invoke: {
            src: 'failing',
            id: 'failing',
            onError: { target: 'idle', actions: assign({ err: ({ event }: any) => event.error.message }) },
          },
        },
      },
    })
  },
  { steps: ['GO', 'FAIL'], ends: { value: 'idle', context: { err: 'in its first state' } }, did: [] },
)

conforms(
  'what the first states of a parent and its children do comes in the order of XState',
  ({ did }) => {
    const kid = (name: string) =>
      setup({ types }).createMachine({
        entry: () => did(name),
        initial: 'a',
        states: { a: { entry: [sendParent({ type: 'BORN', name }), () => did(`${name} a`)] } },
      })
    return setup({
      types,
      actors: { spawned: kid('spawned'), invoked: kid('invoked'), late: kid('late') },
    }).createMachine({
      context: ({ spawn }: any) => ({ born: [], kid: spawn('spawned', { id: 'spawned' }) }),
      entry: [() => did('root'), spawnChild('late', { id: 'late' }), () => did('root again')],
      invoke: { src: 'invoked', id: 'invoked' },
      on: {
        BORN: {
          actions: [
            assign({ born: ({ context, event }) => [...context.born, event.name] }),
            ({ event }) => did(`hello ${event.name}`),
          ],
        },
      },
      initial: 'x',
      states: {
        x: {
          entry: () => did('root x'),
          on: { MORE: { actions: [spawnChild('late', { id: 'later' }), () => did('more')] } },
        },
      },
    })
  },
  { steps: ['MORE'], ends: { context: { born: ['spawned', 'late', 'invoked', 'late'] } } },
)
