import {
  type AnyEventObject,
  assign,
  createMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
} from 'xstate'
import { back, conforms, fail, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose
/** An assign of what has come, whatever it came as; its types would say of which invocation. */
const noted = (field: string): any =>
  assign({ [field]: ({ event }: any) => event.output ?? event.error ?? event.snapshot?.context })

conforms(
  'a promise resolves to onDone, is started anew when its state is entered again, and is let go when it is left',
  ({ job }) =>
    setup({ types, actors: { load: fromPromise(({ input }) => job(`load ${(input as any).n}`)) } }).createMachine({
      context: { n: 0 },
      initial: 'idle',
      states: {
        idle: { on: { LOAD: { target: 'loading', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
        loading: {
          invoke: {
            src: 'load',
            id: 'load',
            input: ({ context }) => ({ n: context.n }),
            onDone: { target: 'idle', actions: noted('got') },
            onError: { target: 'idle', actions: noted('err') },
          },
          on: { CANCEL: 'idle' },
        },
      },
    }),
  {
    steps: [
      'LOAD',
      finish('load 1', { rows: [1, 2] }),
      'LOAD',
      'CANCEL',
      'LOAD',
      fail('load 3', new TypeError('no net')),
      'LOAD',
    ],
    ends: { value: 'loading', context: { n: 4, got: { rows: [1, 2] }, err: { name: 'TypeError', message: 'no net' } } },
  },
)

conforms(
  'two states invoke the same logic beside each other; each has its own end',
  ({ job }) => {
    const region = (name: string) => ({
      initial: 'on',
      states: {
        on: { invoke: { src: 'work', id: name, input: name, onDone: { target: 'off', actions: noted(name) } } },
        off: { type: 'final' },
      },
    })
    return setup({ types, actors: { work: fromPromise(({ input }) => job(input as string)) } }).createMachine({
      context: {},
      type: 'parallel',
      states: { a: region('a'), b: region('b'), c: region('c') },
      output: ({ context }: any) => context,
    } as never)
  },
  { steps: [finish('b', 2), finish('a', 1), finish('c', 3)], ends: { status: 'done', output: { a: 1, b: 2, c: 3 } } },
)

conforms(
  'a promise that is inline and has no id of its own',
  ({ job }) =>
    createMachine({
      types,
      context: {},
      initial: 'a',
      states: {
        a: { invoke: { src: fromPromise(() => job('inline')), onDone: { target: 'b', actions: noted('got') } } },
        b: { on: { AGAIN: 'a' } },
      },
    }),
  { steps: [finish('inline', 1), 'AGAIN', finish('inline', 2)], ends: { value: 'b', context: { got: 2 } } },
)

conforms(
  'a callback gets events, sends some back, and is gone when its state is left',
  ({ did, back }) =>
    setup({
      types,
      actors: {
        bell: fromCallback<any, any>(({ sendBack, receive, input }) => {
          back.set('bell', sendBack)
          receive((event) => {
            did(`heard ${event.type}`)
            if (event.type === 'PING') sendBack({ type: 'PONG', v: event.v, with: input.with })
          })
        }),
      },
    }).createMachine({
      context: { got: [] },
      initial: 'on',
      states: {
        on: {
          invoke: { src: 'bell', id: 'bell', input: { with: 'tone' } },
          on: { RING: { actions: sendTo('bell', ({ event }) => ({ type: 'PING', v: event.v })) }, OFF: 'off' },
        },
        off: { on: { ON: 'on' } },
      },
      on: { PONG: { actions: assign({ got: ({ context, event }) => [...context.got, event.v ?? 'by itself'] }) } },
    }),
  {
    steps: [{ type: 'RING', v: 1 }, back('bell', { type: 'PONG' }), { type: 'RING', v: 2 }],
    ends: { context: { got: [1, 'by itself', 2] } },
  },
)

conforms(
  'an observable: each value by onSnapshot, its end by onDone, its error by onError',
  ({ values }) =>
    setup({ types, actors: { ticks: fromObservable(() => values as any) } }).createMachine({
      context: { seen: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'ticks',
            id: 'ticks',
            onSnapshot: {
              actions: assign({ seen: ({ context, event }: any) => [...context.seen, event.snapshot.context] }),
            },
            onDone: 'done',
            onError: { target: 'failed', actions: noted('err') },
          },
        },
        done: {},
        failed: {},
      },
    }),
  {
    steps: [
      ({ values }) => values.next(1),
      ({ values }) => values.next({ two: 2 }),
      ({ values }) => values.error(new RangeError('worn out')),
    ],
    ends: { value: 'failed', context: { seen: [undefined, 1, { two: 2 }], err: { message: 'worn out' } } },
  },
)

conforms(
  'an observable that completes',
  ({ values }) =>
    setup({ types, actors: { ticks: fromObservable(() => values as any) } }).createMachine({
      context: {},
      initial: 'on',
      states: {
        on: { invoke: { src: 'ticks', id: 'ticks', onDone: { target: 'over', actions: noted('last') } } },
        over: {},
      },
    }),
  { steps: [({ values }) => values.next(1), ({ values }) => values.complete()], ends: { value: 'over' } },
)

conforms(
  'an observable of events sends them to its parent',
  ({ events }) =>
    setup({ types, actors: { keys: fromEventObservable(() => events as any) } }).createMachine({
      context: { typed: '' },
      invoke: { src: 'keys', id: 'keys' },
      on: { KEY: { actions: assign({ typed: ({ context, event }) => context.typed + event.key }) } },
    }),
  {
    steps: [
      ({ events }) => events.next({ type: 'KEY', key: 'h' }),
      ({ events }) => events.next({ type: 'KEY', key: 'i' }),
    ],
    ends: { context: { typed: 'hi' } },
  },
)

conforms(
  'a transition actor counts, and its parent watches it',
  () =>
    setup({
      types,
      actors: {
        count: fromTransition(
          (n: number, event: AnyEventObject) => (event.type === 'INC' ? n + event.by : n),
          ({ input }: any) => input.from as number,
        ),
      },
    }).createMachine({
      context: { seen: [] },
      invoke: {
        src: 'count',
        id: 'count',
        input: { from: 10 },
        onSnapshot: {
          actions: assign({ seen: ({ context, event }: any) => [...context.seen, event.snapshot.context] }),
        },
      },
      on: { ADD: { actions: sendTo('count', ({ event }: any) => ({ type: 'INC', by: event.by })) } },
    } as never),
  {
    steps: [
      { type: 'ADD', by: 1 },
      { type: 'ADD', by: 5 },
    ],
    ends: { context: { seen: [10, 11, 16] } },
  },
)

conforms(
  'a child machine: input, sendParent, output, onSnapshot, and a grandchild of its own',
  ({ job }) => {
    const grandchild = setup({ types, actors: { dig: fromPromise(() => job('dig')) } }).createMachine({
      initial: 'digging',
      states: {
        digging: { invoke: { src: 'dig', id: 'dig', onDone: { target: 'done', actions: noted('x') } } },
        done: { type: 'final' },
      },
      context: {},
      output: ({ context }: any) => context.x,
    })
    const child = setup({ types, actors: { grandchild } }).createMachine({
      context: ({ input }: any) => ({ depth: input.depth }),
      initial: 'below',
      states: {
        below: {
          invoke: {
            src: 'grandchild',
            id: 'grandchild',
            onDone: {
              target: 'out',
              actions: [noted('found'), sendParent(({ event }: any) => ({ type: 'NEWS', of: event.output }))],
            },
          },
        },
        out: { type: 'final' },
      },
      output: ({ context }: any) => ({ found: context.found, depth: context.depth }),
    })
    return setup({ types, actors: { child } }).createMachine({
      context: { states: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'child',
            id: 'child',
            input: { depth: 3 },
            onDone: { target: 'off', actions: noted('result') },
            onSnapshot: {
              actions: assign({ states: ({ context, event }: any) => [...context.states, event.snapshot.value] }),
            },
          },
          on: { NEWS: { actions: assign({ news: ({ event }) => event.of }) } },
        },
        off: {},
      },
    })
  },
  {
    steps: [finish('dig', 'gold')],
    ends: { value: 'off', context: { news: 'gold', result: { found: 'gold', depth: 3 } } },
  },
)

conforms(
  'an error of a child machine comes to onError',
  ({ job }) => {
    const child = setup({ types, actors: { work: fromPromise(() => job('work')) } }).createMachine({
      invoke: { src: 'work', id: 'work' },
    })
    return setup({ types, actors: { child } }).createMachine({
      context: {},
      initial: 'on',
      states: {
        on: { invoke: { src: 'child', id: 'child', onError: { target: 'off', actions: noted('err') } } },
        off: {},
      },
    })
  },
  { steps: [fail('work', new Error('too hard'))], ends: { value: 'off', context: { err: { message: 'too hard' } } } },
)

conforms(
  'several invocations of one state, of every kind, by provide()',
  ({ job, back }) =>
    setup({
      types,
      actors: { a: fromPromise(async () => 'not this'), b: fromCallback(() => {}), c: createMachine({}) as any },
    })
      .createMachine({
        context: {},
        initial: 'on',
        states: {
          on: {
            invoke: [
              { src: 'a', id: 'a', onDone: { actions: noted('a') } },
              { src: 'b', id: 'b' },
              { src: 'c', id: 'c', onDone: { actions: noted('c') } },
            ],
            on: { B: { actions: [assign({ b: true }), sendTo('c', { type: 'GO' })] } },
          },
        },
      })
      .provide({
        actors: {
          a: fromPromise(() => job('a')),
          b: fromCallback(({ sendBack }) => void back.set('b', sendBack)),
          c: createMachine({
            initial: 'x',
            states: { x: { on: { GO: 'y' } }, y: { type: 'final' } },
            output: 'c is done',
          } as never),
        },
      } as never),
  { steps: [finish('a', 'this'), back('b', { type: 'B' })], ends: { context: { a: 'this', b: true, c: 'c is done' } } },
)

conforms(
  'an actor that is left within the same step is never started',
  ({ did, job }) =>
    setup({
      types,
      actors: {
        work: fromPromise(() => {
          did('must not start')
          return job('work')
        }),
      },
    }).createMachine({
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { invoke: { src: 'work', id: 'work' }, always: 'c' }, c: {} },
    }),
  { steps: ['GO'], ends: { value: 'c' }, did: [] },
)

conforms(
  'reentering the state of an invocation makes a new one',
  ({ job }) =>
    setup({ types, actors: { work: fromPromise(() => job('work')) } }).createMachine({
      context: {},
      initial: 'a',
      states: {
        a: {
          invoke: { src: 'work', id: 'work', onDone: { actions: noted('got') } },
          on: { RE: { target: 'a', reenter: true }, STAY: { target: 'a' } },
        },
      },
    }),
  { steps: ['STAY', 'RE', finish('work', 2), 'RE', finish('work', 3)], ends: { context: { got: 3 } } },
)
