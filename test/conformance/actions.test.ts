import { assign, createMachine, emit, enqueueActions, forwardTo, log, raise, sendParent, sendTo, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'actions with params: none, fixed, from context, from event; all see the state as it was made by those before',
  ({ did }) =>
    setup({
      types,
      actions: {
        note: ({ context, event }, params?: any) => did(`${event.type} ${context.n} ${JSON.stringify(params)}`),
      },
    }).createMachine({
      context: { n: 1 },
      entry: 'note',
      on: {
        E: {
          actions: [
            { type: 'note', params: { fixed: true } },
            assign({ n: ({ context }) => context.n + 1 }),
            { type: 'note', params: ({ context, event }: any) => ({ n: context.n, v: event.v }) },
            'note',
            ({ context }: any) => did(`inline ${context.n}`),
          ],
        },
      },
    } as never),
  {
    steps: [{ type: 'E', v: 7 }],
    ends: { context: { n: 2 } },
    did: ['xstate.init 1 undefined', 'E 1 {"fixed":true}', 'E 2 {"n":2,"v":7}', 'E 2 undefined', 'inline 2'],
  },
)

conforms(
  'enqueueActions: by condition, by name, all that can be enqueued',
  ({ did }) => {
    const kid = setup({ types }).createMachine({
      context: { n: 0 },
      on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    })
    return setup({
      types,
      actors: { kid },
      actions: { note: (_, params: { what: string }) => did(params.what) },
      guards: { many: ({ context }) => context.n > 1 },
    }).createMachine({
      context: { n: 0 },
      on: {
        DO: {
          actions: enqueueActions(({ enqueue, check, context, event }) => {
            enqueue.assign({ n: context.n + 1 })
            enqueue({ type: 'note', params: { what: `was ${context.n}` } })
            if (check('many')) enqueue.emit({ type: 'many', n: context.n })
            else enqueue.raise({ type: 'FEW' })
            if (event.spawn) {
              enqueue.spawnChild('kid', { id: 'kid' })
              enqueue.sendTo('kid', { type: 'INC' })
              enqueue.sendTo('kid', { type: 'INC' }, { delay: 10, id: 'late' })
            }
            if (event.stop) enqueue.stopChild('kid')
            if (event.cancel) enqueue.cancel('late')
          }),
        },
        FEW: { actions: [log(({ context }) => `few ${context.n}`), { type: 'note', params: { what: 'few' } }] },
      },
    })
  },
  {
    steps: [
      { type: 'DO', spawn: true },
      10,
      'DO',
      'DO',
      { type: 'DO', stop: true },
      { type: 'DO', spawn: true },
      { type: 'DO', cancel: true },
      20,
    ],
    ends: { context: { n: 6 }, children: { kid: { context: { n: 1 } } } },
    emitted: [
      { type: 'many', n: 2 },
      { type: 'many', n: 3 },
      { type: 'many', n: 4 },
      { type: 'many', n: 5 },
    ],
    did: ['was 0', 'log few 1', 'few', 'was 1', 'log few 2', 'few', 'was 2', 'was 3', 'was 4', 'was 5'],
  },
)

conforms(
  'raised events come before the next one, in order, and see what was assigned',
  ({ did }) =>
    setup({ types }).createMachine({
      context: { n: 0 },
      initial: 'a',
      states: {
        a: {
          on: {
            GO: {
              target: 'b',
              actions: [
                raise({ type: 'ONE' }),
                raise(({ context }) => ({ type: 'TWO', n: context.n })),
                assign({ n: 5 }),
              ],
            },
          },
        },
        b: {
          entry: raise({ type: 'THREE' }),
          on: {
            ONE: { actions: () => did('one') },
            TWO: { actions: ({ event }) => did(`two ${event.n}`) },
            THREE: { target: 'c', actions: ({ context }) => did(`three ${context.n}`) },
          },
        },
        c: {},
      },
    }),
  { steps: ['GO'], ends: { value: 'c' }, did: ['one', 'two 0', 'three 5'] },
)

conforms(
  'emit with expressions, from nested actions, of several in one event',
  () =>
    setup({ types }).createMachine({
      context: { n: 0 },
      on: {
        E: {
          actions: [
            emit({ type: 'first' }),
            assign({ n: ({ context }) => context.n + 1 }),
            emit(({ context, event }) => ({ type: 'second', n: context.n, v: event.v })),
          ],
        },
        END: '.end',
      },
      initial: 'on',
      states: { on: {}, end: { type: 'final', entry: emit({ type: 'last' }) } },
    }),
  {
    steps: [{ type: 'E', v: new Date(0) }, { type: 'E', v: [1, { a: undefined }] }, 'END'],
    ends: { status: 'done' },
    emitted: [
      { type: 'first' },
      { type: 'second', n: 1, v: new Date(0) },
      { type: 'first' },
      { type: 'second', n: 2, v: [1, { a: undefined }] },
      { type: 'last' },
    ],
  },
)

conforms(
  'log with labels, expressions and objects',
  () =>
    setup({ types }).createMachine({
      context: { n: 1 },
      on: {
        E: {
          actions: [
            log('plain'),
            log(({ context }) => ({ n: context.n }), 'labelled'),
            log(),
            log(({ event }) => event.v),
          ],
        },
      },
    }),
  { steps: [{ type: 'E', v: new Map([[1, 2]]) }], ends: { context: { n: 1 } } },
)

conforms(
  'forwardTo an invoked child; the child answers its parent',
  () => {
    const echo = setup({ types }).createMachine({
      on: { '*': { actions: sendParent(({ event }) => ({ type: 'ECHO', of: event })) } },
    })
    return setup({ types, actors: { echo } }).createMachine({
      context: { got: [] },
      invoke: { src: 'echo', id: 'echo' },
      on: {
        SAY: { actions: forwardTo('echo') },
        WHISPER: { actions: forwardTo(({ event }) => event.to) },
        ECHO: { actions: assign({ got: ({ context, event }) => [...context.got, event.of] }) },
      },
    })
  },
  {
    steps: [
      { type: 'SAY', v: 1 },
      { type: 'WHISPER', to: 'echo' },
    ],
    ends: {
      context: {
        got: [
          { type: 'SAY', v: 1 },
          { type: 'WHISPER', to: 'echo' },
        ],
      },
    },
  },
)

conforms(
  'actions of the initial transition, and of nested ones',
  ({ did }) =>
    createMachine({
      initial: { target: 'a', actions: () => did('to a') },
      entry: () => did('root'),
      states: {
        a: {
          entry: () => did('a'),
          initial: { target: 'b', actions: () => did('to b') },
          states: { b: { entry: () => did('b') } },
        },
      },
    } as never),
  { steps: ['X'], ends: { value: { a: 'b' } }, did: ['root', 'to a', 'a', 'to b', 'b'] },
)

conforms(
  'self in context, in closures and in actions is the actor that others know',
  ({ did }) =>
    setup({ types }).createMachine({
      context: ({ self }: any) => ({ me: self, n: 0, same: undefined }),
      on: {
        INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        TELL: { actions: ({ context }) => context.me.send({ type: 'INC' }) },
        TELLTWICE: {
          actions: ({ self }) => {
            did(`${self.id}`)
            self.send({ type: 'INC' })
            self.send({ type: 'INC' })
          },
        },
        SAME: { actions: assign({ same: ({ context, self }) => context.me === self }) },
        RAISE: { actions: sendTo(({ context }) => context.me, { type: 'INC' }) },
      },
    }),
  { steps: ['TELL', 'SAME', 'TELLTWICE', 'RAISE', 'SAME'], ends: { context: { n: 4, same: true } }, did: ['i'] },
)

conforms(
  'assign in every form, in the order of the document, with values that JSON does not know',
  () =>
    setup({ types }).createMachine({
      context: {
        big: 1n,
        when: new Date(5),
        set: new Set([1]),
        map: new Map(),
        nan: Number.NaN,
        no: undefined,
        bytes: new Uint8Array([1, 2]),
      },
      on: {
        E: {
          actions: [
            assign(({ context, event }) => ({
              big: context.big + 1n,
              map: new Map([...context.map, [event.v, { deep: event }]]),
            })),
            assign({
              when: ({ context }) => new Date(context.when.getTime() + 1),
              set: ({ context }) => new Set([...context.set, context.big]),
              nan: () => -0,
            }),
          ],
        },
      },
    }),
  {
    steps: [
      { type: 'E', v: 'a' },
      { type: 'E', v: 2n },
    ],
    ends: { context: { big: 3n, when: new Date(7), set: new Set([1, 2n, 3n]) } },
  },
)
