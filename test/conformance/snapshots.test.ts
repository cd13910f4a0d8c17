// What a machine can tell apart, it can still tell apart after it was restored from a snapshot.
import {
  type AnyEventObject,
  assign,
  createActor,
  createMachine,
  enqueueActions,
  fromTransition,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose

class Money {
  amount: number
  constructor(amount: number) {
    this.amount = amount
  }
  plus(more: number) {
    return new Money(this.amount + more)
  }
}
const secret = Symbol('secret')
const double = (n: number) => n * 2

conforms(
  'what is one object in two places stays one; a cycle stays a cycle',
  () =>
    setup({ types }).createMachine({
      context: () => {
        const items = [{ n: 1 }, { n: 2 }, { n: 3 }]
        const ring: any = { name: 'ring' }
        ring.next = { name: 'next', back: ring }
        return { items, selected: items[1], ring, told: [] }
      },
      on: {
        REMOVE: {
          actions: assign({ items: ({ context }) => context.items.filter((i: unknown) => i !== context.selected) }),
        },
        PICK: { actions: assign({ selected: ({ context }) => context.items.at(-1) }) },
        ASK: {
          actions: assign({
            told: ({ context }) => [
              ...context.told,
              context.items.indexOf(context.selected),
              context.ring.next.back === context.ring,
            ],
            ring: ({ context }) => context.ring,
          }),
        },
        OPEN: { actions: assign({ ring: ({ context }) => ({ ...context.ring, next: undefined }) }) },
      },
    }),
  {
    steps: ['ASK', 'REMOVE', 'ASK', 'PICK', 'ASK', 'REMOVE', 'OPEN'],
    ends: { context: { told: [1, true, -1, true, 1, true], items: [{ n: 1 }] } },
  },
)

conforms(
  'data that looks like what snapshots are made of is data',
  () =>
    setup({ types }).createMachine({
      context: ({ self }: any) => ({
        film: { $actor: 'Buster Keaton' },
        odd: { $plain: { $actor: '@1' } },
        both: { $actor: self, $plain: [self] },
        n: 0,
      }),
      on: {
        INC: {
          actions: assign({
            n: ({ context }) => context.n + 1,
            last: ({ context, self }) => [context.both.$actor === self, context.film.$actor, context.odd.$plain.$actor],
          }),
        },
      },
    }),
  { steps: ['INC', 'INC', 'INC'], ends: { context: { n: 3, last: [true, 'Buster Keaton', '@1'] } } },
)

conforms(
  'what no snapshot can hold: functions, instances of classes, symbols',
  () => {
    return setup({ types }).createMachine({
      context: { money: new Money(1), double, marked: { [secret]: 1 }, seen: [] },
      on: {
        ADD: {
          actions: assign({
            money: ({ context, event }) => context.money.plus(context.double(event.n)),
            marked: ({ context }) => ({ [secret]: context.marked[secret] + 1 }),
          }),
        },
        SEE: {
          actions: assign({ seen: ({ context }) => [...context.seen, context.money.amount, context.marked[secret]] }),
        },
      },
    })
  },
  {
    steps: [{ type: 'ADD', n: 1 }, 'SEE', { type: 'ADD', n: 2 }, 'SEE'],
    ends: { context: { seen: [3, 2, 7, 3] } },
    replayed: true,
  },
)

conforms(
  'ids with anything in them, and ids that differ by what they are made of',
  () => {
    const kid = setup({ types }).createMachine({
      context: ({ input }: any) => ({ n: input?.n ?? 0 }),
      on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    })
    const parent = setup({ types, actors: { kid } }).createMachine({
      entry: [spawnChild('kid', { id: 'b', input: { n: 100 } }), spawnChild('kid', { id: '@1', input: { n: 200 } })],
      on: { INC: { actions: [sendTo('b', { type: 'INC' }), sendTo('@1', { type: 'INC' })] } },
    })
    return setup({ types, actors: { kid, parent } }).createMachine({
      context: ({ spawn }: any) => ({
        refs: ['a/b', 'x@1', '%2F', 'ä ö/?#', 'a|b'].map((id, n) => spawn('kid', { id, input: { n } })),
      }),
      invoke: { src: 'parent', id: 'a' },
      on: {
        INC: {
          actions: [
            sendTo('a', { type: 'INC' }),
            sendTo('a/b', { type: 'INC' }),
            sendTo(({ context }) => context.refs[3], { type: 'INC' }),
            sendTo('x@1', { type: 'INC' }, { delay: 10 }),
          ],
        },
      },
    })
  },
  {
    steps: ['INC', 10, 'INC', 10],
    ends: {
      children: {
        'a/b': { context: { n: 2 } },
        'x@1': { context: { n: 3 } },
        'ä ö/?#': { context: { n: 5 } },
        a: { children: { b: { context: { n: 102 } } } },
      },
    },
  },
)

conforms(
  'an actor that was enqueued without an id lives on',
  () => {
    const tick = fromTransition((n: number, event: AnyEventObject) => (event.type === 'INC' ? n + 1 : n), 0)
    return setup({ types, actors: { tick } }).createMachine({
      context: { n: 0 },
      on: {
        MORE: { actions: enqueueActions(({ enqueue }) => enqueue.spawnChild('tick', { systemId: 'it' } as never)) },
        INC: {
          actions: [
            sendTo(({ system }) => system.get('it'), { type: 'INC' }),
            assign({ n: ({ context }) => context.n + 1 }),
          ],
        },
      },
    })
  },
  { steps: ['MORE', 'INC', 'INC'], ends: { context: { n: 2 } }, replayed: true },
)

conforms(
  'a delayed event that holds references',
  () => {
    const kid = setup({ types }).createMachine({
      context: { n: 0 },
      on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    })
    return setup({ types, actors: { kid } }).createMachine({
      context: ({ spawn }: any) => ({ kid: spawn('kid', { id: 'kid' }) }),
      on: {
        LATER: {
          actions: raise(({ context, self }) => ({ type: 'NOW', to: context.kid, me: [self] }), { delay: 100 }),
        },
        NOW: {
          actions: [
            sendTo(({ event }) => event.to, { type: 'INC' }),
            assign({ same: ({ event, self }) => event.me[0] === self }),
          ],
        },
      },
    })
  },
  { steps: ['LATER', 50, 50], ends: { context: { same: true }, children: { kid: { context: { n: 1 } } } } },
)

conforms(
  'an actor of another system is sent to as createActor does, once: no replay reaches it',
  ({ did }) => {
    const outsider = createActor(
      createMachine({ on: { '*': { actions: ({ event }) => did(`outside ${event.type} ${event.v}`) } } }),
    ).start()
    return setup({ types }).createMachine({
      context: { n: 0 },
      on: {
        TELL: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            sendTo(
              () => outsider,
              ({ context }) => ({ type: 'NEWS', v: context.n }),
            ),
            ({ context }) => did(`told ${context.n}`),
          ],
        },
      },
    })
  },
  {
    steps: ['TELL', 'TELL'],
    ends: { context: { n: 2 } },
    did: ['told 1', 'outside NEWS 1', 'told 2', 'outside NEWS 2'],
  },
)

conforms(
  'an observer that the machine itself has put on its child is in no snapshot',
  () => {
    const kid = setup({ types }).createMachine({
      context: { n: 0 },
      on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    })
    return setup({ types, actors: { kid } }).createMachine({
      context: ({ spawn, self }: any) => {
        const ref = spawn('kid', { id: 'kid' })
        ref.subscribe((s: any) => self.send({ type: 'SAW', n: s.context.n }))
        return { ref, saw: [] }
      },
      on: {
        INC: { actions: sendTo('kid', { type: 'INC' }) },
        SAW: { actions: assign({ saw: ({ context, event }) => [...context.saw, event.n] }) },
      },
    })
  },
  { steps: ['INC', 'INC', 'INC'], ends: { context: { saw: [0, 1, 2, 3] } }, replayed: true },
)

conforms(
  'routes',
  () =>
    setup({ types }).createMachine({
      id: 'app',
      context: { open: false },
      initial: 'home',
      on: { OPEN: { actions: assign({ open: true }) } },
      states: {
        home: { id: 'home', route: {} },
        vault: { id: 'vault', route: { guard: ({ context }: any) => context.open } },
        deep: { initial: 'x', states: { x: {}, y: { id: 'y', route: {} } } },
      },
    } as never),
  {
    steps: [
      { type: 'xstate.route', to: '#vault' },
      { type: 'xstate.route', to: '#y' },
      'OPEN',
      { type: 'xstate.route', to: '#vault' },
      { type: 'xstate.route', to: '#nowhere' },
    ],
    ends: { value: 'vault' },
  },
)
