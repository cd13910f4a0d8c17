import {
  type AnyEventObject,
  assign,
  enqueueActions,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  stopChild,
} from 'xstate'
import { conforms, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose
const counter = () =>
  setup({ types }).createMachine({
    context: ({ input }: any) => ({ n: input?.from ?? 0 }),
    on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  })

conforms(
  'a reference to an actor that is done, or stopped, still shows its last state',
  () => {
    const mortal = setup({ types }).createMachine({
      initial: 'live',
      states: { live: { on: { DIE: 'dead' } }, dead: { type: 'final' } },
      output: 'gone',
    })
    return setup({ types, actors: { mortal, counter: counter() } }).createMachine({
      context: ({ spawn }: any) => ({ a: spawn('mortal', { id: 'a' }), b: spawn('counter', { id: 'b' }) }),
      on: {
        DIE: { actions: sendTo('a', { type: 'DIE' }) },
        INC: { actions: sendTo(({ context }) => context.b, { type: 'INC' }) },
        STOP: { actions: stopChild('b') },
        'xstate.done.actor.a': { actions: assign({ out: ({ event }) => event.output }) },
      },
    })
  },
  {
    steps: ['INC', 'DIE', 'STOP', 'UNKNOWN'],
    ends: { context: { out: 'gone', a: { status: 'done' }, b: { status: 'stopped' } } },
  },
)

conforms(
  'siblings that know each other by reference, and a child that knows its parent by input',
  () => {
    const player = setup({ types }).createMachine({
      context: ({ input }: any) => ({ to: undefined, hits: 0, parent: input?.parent }),
      on: {
        MEET: { actions: assign({ to: ({ event }) => event.ref }) },
        BALL: {
          actions: [
            assign({ hits: ({ context }) => context.hits + 1 }),
            enqueueActions(({ enqueue, context, event }: any) => {
              if (event.left > 0) enqueue.sendTo(context.to, { type: 'BALL', left: event.left - 1 })
              else if (context.parent) enqueue.sendTo(context.parent, { type: 'OVER' })
              else enqueue.sendParent({ type: 'OVER' })
            }),
          ],
        },
      },
    })
    return setup({ types, actors: { player } }).createMachine({
      context: ({ spawn, self }: any) => ({
        a: spawn('player', { id: 'a', input: { parent: self } }),
        b: spawn('player', { id: 'b' }),
        over: 0,
      }),
      entry: [
        sendTo('a', ({ context }: any) => ({ type: 'MEET', ref: context.b })),
        sendTo('b', ({ context }: any) => ({ type: 'MEET', ref: context.a })),
      ],
      on: {
        SERVE: { actions: sendTo('a', ({ event }: any) => ({ type: 'BALL', left: event.left })) },
        OVER: { actions: assign({ over: ({ context }) => context.over + 1 }) },
      },
    })
  },
  {
    steps: [
      { type: 'SERVE', left: 9 },
      { type: 'SERVE', left: 4 },
    ],
    ends: { context: { over: 2 }, children: { a: { context: { hits: 8 } }, b: { context: { hits: 7 } } } },
  },
)

conforms(
  'a machine may ask a reference for all it knew, also when its actor is gone: context, matches, tags, its children',
  () => {
    const leaf = setup({ types }).createMachine({ context: { leaf: 'green' }, on: {} })
    const branch = setup({ types, actors: { leaf } }).createMachine({
      context: ({ self }: any) => ({ me: self, parent: self._parent, n: 7 }),
      invoke: { src: 'leaf', id: 'leaf' },
      initial: 'up',
      states: {
        up: {
          tags: 'high',
          on: { FALL: 'down' },
          initial: 'a',
          states: { a: { on: { B: 'b' } }, b: {}, h: { type: 'history' } },
        },
        down: { type: 'final' },
      },
    })
    return setup({ types, actors: { branch } }).createMachine({
      context: ({ spawn }: any) => ({ refs: new Map([['b', spawn('branch', { id: 'b' })]]), told: [] }),
      on: {
        TO: {
          actions: sendTo(
            ({ context }) => context.refs.get('b'),
            ({ event }) => ({ type: event.what }),
          ),
        },
        STOP: { actions: stopChild(({ context }) => context.refs.get('b')) },
        ASK: {
          actions: assign({
            told: ({ context }) => {
              const s = context.refs.get('b').getSnapshot()
              const inner = s.children.leaf?.getSnapshot()
              const own = [s.value, s.status, s.context.n, s.matches('up'), s.hasTag('high'), s.can({ type: 'B' })]
              return [
                ...context.told,
                [...own, inner?.context.leaf, inner?.status, s.context.me === context.refs.get('b')],
              ]
            },
          }),
        },
      },
    })
  },
  {
    steps: ['ASK', { type: 'TO', what: 'B' }, 'ASK', 'STOP', 'ASK', { type: 'TO', what: 'FALL' }, 'STOP', 'ASK'],
    ends: { context: { refs: new Map([['b', { actor: 'b', status: 'stopped', value: { up: 'b' } }]]) } },
  },
)

conforms(
  'references in the state of a transition actor, in outputs and in the input of what is invoked',
  ({ job }) => {
    const registry = fromTransition((refs: any[], event: AnyEventObject) => {
      if (event.type === 'JOIN') return [...refs, event.ref]
      if (event.type === 'ALL') for (const ref of refs) ref.send({ type: 'INC' })
      return refs
    }, [])
    const maker = setup({ types, actors: { counter: counter() } }).createMachine({
      context: ({ spawn }: any) => ({ made: spawn('counter', { id: 'made' }) }),
      initial: 'a',
      states: { a: { on: { GIVE: 'b' } }, b: { type: 'final' } },
      output: ({ context }: any) => ({ made: context.made }),
    })
    const tell = fromPromise(async ({ input }: any) => {
      await job('tell')
      input.ref.send({ type: 'INC' })
    })
    return setup({ types, actors: { registry, maker, tell, counter: counter() } }).createMachine({
      context: ({ spawn }: any) => ({
        one: spawn('counter', { id: 'one' }),
        registry: spawn('registry', { id: 'registry' }),
      }),
      invoke: [
        { src: 'maker', id: 'maker', onDone: { actions: assign({ got: ({ event }: any) => event.output.made }) } },
        { src: 'tell', id: 'tell', input: ({ context }: any) => ({ ref: context.one }) },
      ],
      on: {
        JOIN: { actions: sendTo('registry', ({ context }: any) => ({ type: 'JOIN', ref: context.one })) },
        ALL: { actions: sendTo('registry', { type: 'ALL' }) },
        GIVE: { actions: sendTo('maker', { type: 'GIVE' }) },
      },
    } as never)
  },
  {
    steps: ['JOIN', 'ALL', 'GIVE', 'ALL', finish('tell')],
    ends: { children: { one: { context: { n: 3 } } }, context: { got: { actor: 'made', status: 'stopped' } } },
  },
)
