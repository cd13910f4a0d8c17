// Actors that speak before anybody could have listened: within their own start.
import { of } from 'rxjs'
import {
  type AnyEventObject,
  assign,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  sendParent,
  sendTo,
  setup,
} from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose
const got = assign({
  got: ({ context, event }: any) => [...context.got, event.output ?? event.snapshot?.context ?? event.v ?? event.type],
}) as any

conforms(
  'an observable whose values are there at once, and its end',
  () =>
    setup({
      types,
      actors: {
        three: fromObservable(() => of(1, 2, 3)),
        events: fromEventObservable(() => of({ type: 'E', v: 'a' }, { type: 'E', v: 'b' })),
      },
    }).createMachine({
      context: { got: [] },
      initial: 'values',
      on: { E: { actions: got } },
      states: {
        values: {
          invoke: {
            src: 'three',
            id: 'three',
            onSnapshot: { actions: got },
            onDone: { target: 'events', actions: got },
          },
        },
        events: { invoke: { src: 'events', id: 'events', onDone: 'over' } },
        over: {},
      },
    }),
  { steps: ['ANY'], ends: { value: 'over' } },
)

conforms(
  'a callback that answers within its start, and one that throws there',
  () =>
    setup({
      types,
      actors: {
        eager: fromCallback(({ sendBack }) => {
          sendBack({ type: 'E', v: 1 })
          sendBack({ type: 'E', v: 2 })
        }),
        broken: fromCallback(() => {
          throw new Error('no start')
        }),
      },
    }).createMachine({
      context: { got: [] },
      initial: 'eager',
      states: {
        eager: {
          invoke: { src: 'eager', id: 'eager' },
          on: { E: [{ guard: ({ event }) => event.v === 2, target: 'broken', actions: got }, { actions: got }] },
        },
        broken: {
          invoke: {
            src: 'broken',
            id: 'broken',
            onError: { target: 'over', actions: assign({ err: ({ event }: any) => event.error.message }) },
          },
        },
        over: {},
      },
    }),
  { steps: ['ANY'], ends: { value: 'over', context: { got: [1, 2], err: 'no start' } } },
)

conforms(
  'a promise that is settled already, one that throws, one that gives nothing',
  () =>
    setup({
      types,
      actors: {
        ready: fromPromise(async () => 'ready'),
        nothing: fromPromise(async () => undefined),
        throwing: fromPromise((): Promise<never> => {
          throw new RangeError('at once')
        }),
      },
    }).createMachine({
      context: { got: [] },
      initial: 'a',
      states: {
        a: { invoke: { src: 'ready', id: 'ready', onDone: { target: 'b', actions: got } } },
        b: { invoke: { src: 'nothing', id: 'nothing', onDone: { target: 'c', actions: got } } },
        c: {
          invoke: {
            src: 'throwing',
            id: 'throwing',
            onError: { target: 'd', actions: assign({ err: ({ event }: any) => event.error.name }) },
          },
        },
        d: { type: 'final' },
      },
      output: ({ context }: any) => context,
    }),
  {
    steps: ['ANY'],
    ends: { status: 'done', output: { got: ['ready', 'xstate.done.actor.nothing'], err: 'RangeError' } },
  },
)

conforms(
  'a child that is done in its first state, and one that answers its parent from there',
  () => {
    const short = setup({ types }).createMachine({
      initial: 'a',
      states: { a: { entry: sendParent({ type: 'E', v: 'hello' }), always: 'b' }, b: { type: 'final' } },
      output: 'bye',
    })
    return setup({ types, actors: { short } }).createMachine({
      context: { got: [] },
      initial: 'a',
      on: { E: { actions: got } },
      states: {
        a: { invoke: { src: 'short', id: 'short', onDone: { target: 'b', actions: got } } },
        b: { on: { AGAIN: 'a' } },
      },
    })
  },
  { steps: ['AGAIN'], ends: { value: 'b', context: { got: ['hello', 'bye', 'hello', 'bye'] } } },
)

conforms(
  'a parent and a child that answer each other within one event: the order of what that causes',
  ({ did }) => {
    const child = setup({ types }).createMachine({
      on: {
        '*': {
          actions: [
            ({ event }) => did(`child ${event.type}`),
            sendParent(({ event }: { event: AnyEventObject }) => ({ type: `BACK_${event.type}` })),
          ],
        },
      },
    })
    return setup({ types, actors: { child } }).createMachine({
      context: { got: [] },
      invoke: { src: 'child', id: 'child' },
      on: {
        GO: {
          actions: [sendTo('child', { type: 'A' }), sendTo('child', { type: 'B' })],
        },
        '*': { actions: [got, ({ event }) => did(event.type)] },
      },
    })
  },
  { steps: ['GO', 'GO'], ends: { context: { got: ['BACK_A', 'BACK_B', 'BACK_A', 'BACK_B'] } } },
)
