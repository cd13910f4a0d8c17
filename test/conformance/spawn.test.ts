import {
  type AnyEventObject,
  assign,
  createMachine,
  emit,
  enqueueActions,
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
