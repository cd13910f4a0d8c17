import { assign, createMachine, sendParent, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

conforms(
  'a compound state that is done goes on with its output',
  () =>
    setup({ types }).createMachine({
      context: {},
      initial: 'ask',
      states: {
        ask: {
          initial: 'name',
          states: {
            name: { on: { NAME: { target: 'done', actions: assign({ name: ({ event }) => event.name }) } } },
            done: { type: 'final', output: ({ context, event }: any) => ({ hello: context.name, by: event.type }) },
          },
          onDone: { target: 'greeted', actions: assign({ said: ({ event }) => event.output }) },
        },
        greeted: {},
      },
    }),
  {
    steps: [{ type: 'NAME', name: 'Ada' }],
    ends: { value: 'greeted', context: { said: { hello: 'Ada', by: 'NAME' } } },
  },
)

conforms(
  'the root ends with an output made of context and of the final state',
  ({ did }) =>
    setup({ types }).createMachine({
      context: ({ input }: any) => ({ n: input.n }),
      initial: 'on',
      exit: () => did('root left'),
      states: {
        on: {
          exit: () => did('on left'),
          on: { ADD: { actions: assign({ n: ({ context, event }) => context.n + event.by }) }, END: 'off' },
        },
        off: {
          type: 'final',
          entry: () => did('off'),
          exit: () => did('off left'),
          output: ({ context }: any) => context.n,
        },
      },
      output: ({ event }: any) => ({ total: event.output }),
    }),
  {
    input: { n: 1 },
    steps: [{ type: 'ADD', by: 2 }, 'END', 'ADD', 'END'],
    ends: { status: 'done', value: 'off', output: { total: 3 } },
    did: ['on left', 'off', 'off left', 'root left'],
  },
)

conforms('a machine that is done at once', () => createMachine({ type: 'final', output: 42 } as never), {
  steps: ['ANY', 10],
  ends: { status: 'done', output: 42 },
})

conforms(
  'a machine that passes to its end by always, with a null output',
  () => createMachine({ initial: 'a', states: { a: { always: 'b' }, b: { type: 'final' } }, output: null } as never),
  { steps: ['ANY'], ends: { status: 'done', value: 'b', output: null } },
)

conforms(
  'nested parallel ends bubble: each onDone once',
  ({ did }) => {
    const leaf = (event: string) => ({ initial: 'w', states: { w: { on: { [event]: 'f' } }, f: { type: 'final' } } })
    return createMachine({
      initial: 'outer',
      states: {
        outer: {
          type: 'parallel',
          states: {
            inner: {
              type: 'parallel',
              states: { a: leaf('X'), b: leaf('X') },
              onDone: { actions: () => did('inner') },
            },
            c: { ...leaf('X'), onDone: { actions: () => did('c') } },
            d: leaf('Y'),
          },
          onDone: { target: 'end', actions: () => did('outer') },
        },
        end: { type: 'final' },
      },
    } as never)
  },
  { steps: ['X', 'Y'], ends: { status: 'done' }, did: ['inner', 'c', 'outer'] },
)

conforms(
  'a child says its last words to its parent before it is done, and its exit actions run once',
  ({ did }) => {
    const child = setup({ types }).createMachine({
      initial: 'live',
      exit: [() => did('child left'), sendParent({ type: 'LAST' })],
      states: { live: { on: { DIE: 'dead' } }, dead: { type: 'final', entry: sendParent({ type: 'DYING' }) } },
      output: 'bye',
    })
    return setup({ types, actors: { child } }).createMachine({
      context: { heard: [] },
      invoke: {
        src: 'child',
        id: 'child',
        onDone: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.output] }) },
      },
      on: {
        KILL: { actions: ({ self }: any) => self.getSnapshot().children.child.send({ type: 'DIE' }) },
        '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) },
      },
    })
  },
  { steps: ['KILL', 'KILL'], ends: { context: { heard: ['DYING', 'LAST', 'bye'] } }, did: ['child left'] },
)

conforms(
  'an end that is reached in one region of a parallel root does not end the machine',
  () =>
    createMachine({
      type: 'parallel',
      states: {
        a: { initial: 'x', states: { x: { on: { E: 'y' } }, y: { type: 'final' } } },
        b: { initial: 'x', states: { x: { on: { F: 'y' } }, y: { type: 'final' } } },
      },
      output: 'both',
    } as never),
  { steps: ['E', 'E', 'F'], ends: { status: 'done', output: 'both' } },
)
