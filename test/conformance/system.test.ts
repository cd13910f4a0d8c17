import {
  type AnyEventObject,
  assign,
  createMachine,
  fromCallback,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { conforms, finish, type Loose } from '../support/conformance.ts'

const types = {} as Loose
const tally = () => fromTransition((n: number, event: AnyEventObject) => (event.type === 'COUNT' ? n + 1 : n), 0)

conforms(
  'an actor is found by its system id from anywhere in the family',
  () => {
    const deep = setup({ types }).createMachine({
      on: { POKE: { actions: sendTo(({ system }) => system.get('tally'), { type: 'COUNT' }) } },
    })
    const middle = setup({ types, actors: { deep } }).createMachine({
      invoke: { src: 'deep', id: 'deep', systemId: 'deep' },
    })
    return setup({ types, actors: { tally: tally(), middle } }).createMachine({
      context: {},
      invoke: [
        { src: 'tally', id: 'tally', systemId: 'tally' },
        { src: 'middle', id: 'middle' },
      ],
      on: {
        POKE: {
          actions: [
            sendTo(({ system }) => system.get('deep'), { type: 'POKE' }),
            assign({ there: ({ system }) => system.get('deep') !== undefined }),
          ],
        },
        COUNT: { actions: sendTo(({ system }) => system.get('tally'), { type: 'COUNT' }) },
      },
    })
  },
  { steps: ['POKE', 'COUNT', 'POKE'], ends: { context: { there: true }, children: { tally: { context: 3 } } } },
)

conforms(
  'a system id is free again once its actor is stopped, done, or its state left and entered',
  () =>
    setup({ types, actors: { tally: tally() } }).createMachine({
      context: { seen: [] },
      initial: 'with',
      on: {
        LOOK: {
          actions: assign({
            seen: ({ context, system }) => [...context.seen, system.get('it')?.getSnapshot().context],
          }),
        },
        COUNT: { actions: ({ system }) => system.get('it')?.send({ type: 'COUNT' }) },
        SPAWN: { actions: spawnChild('tally', { id: 'other', systemId: 'it' }) },
        STOP: { actions: stopChild('other') },
      },
      states: {
        with: {
          invoke: { src: 'tally', id: 'tally', systemId: 'it' },
          on: { RE: { target: 'with', reenter: true }, OUT: 'without' },
        },
        without: { on: { IN: 'with' } },
      },
    }),
  {
    steps: ['COUNT', 'LOOK', 'RE', 'LOOK', 'OUT', 'LOOK', 'SPAWN', 'COUNT', 'LOOK', 'STOP', 'IN', 'LOOK'],
    ends: { context: { seen: [1, 0, undefined, 1, 0] } },
  },
)

conforms(
  'promises and callbacks reach the system as well, and the parent through self',
  ({ job, did }) =>
    setup({
      types,
      actors: {
        tally: tally(),
        work: fromPromise(async ({ system }) => {
          await job('work')
          system.get('tally').send({ type: 'COUNT' })
          return 'worked'
        }),
        line: fromCallback(({ system, receive }) => {
          receive(() => system.get('tally').send({ type: 'COUNT' }))
        }),
      },
    }).createMachine({
      context: {},
      invoke: [
        { src: 'tally', id: 'tally', systemId: 'tally' },
        {
          src: 'work',
          id: 'work',
          onDone: {
            actions: [assign({ got: ({ event }) => event.output }), ({ event }) => did(event.output as string)],
          },
        },
        { src: 'line', id: 'line' },
      ],
      on: { CALL: { actions: sendTo('line', { type: 'X' }) } },
    }),
  {
    steps: [finish('work'), 'CALL', 'CALL'],
    ends: { context: { got: 'worked' }, children: { tally: { context: 3 } } },
    did: ['worked'],
  },
)

conforms(
  'all actors with a system id are listed',
  () =>
    setup({ types, actors: { kid: createMachine({}) as any } }).createMachine({
      context: { ids: [] },
      invoke: { src: 'kid', id: 'a', systemId: 'first' },
      on: {
        MORE: { actions: spawnChild('kid', { id: 'b', systemId: 'second' }) },
        LIST: { actions: assign({ ids: ({ system }) => Object.keys((system as any).getAll()).sort() }) },
      },
    }),
  { steps: ['LIST', 'MORE', 'LIST'], ends: { context: { ids: ['first', 'second'] } } },
)
