import { assign, createMachine, setup } from 'xstate'
import { conforms, type Loose } from '../support/conformance.ts'

const types = {} as Loose
const noted = ({ did }: { did(what: string): void }, at: string, more: object) => ({
  entry: () => did(`+${at}`),
  exit: () => did(`-${at}`),
  ...more,
})

conforms(
  'wildcards: exact before partial, longer before shorter, any last',
  () => {
    const took = (by: string): any => ({ actions: assign({ took: ({ context }: any) => [...context.took, by] }) })
    return setup({ types }).createMachine({
      context: { took: [] },
      on: {
        'mouse.click.left': took('exact'),
        'mouse.click.*': took('click'),
        'mouse.*': took('mouse'),
        '*': took('any'),
      },
    })
  },
  {
    steps: [
      'mouse.click.left',
      'mouse.click.right',
      'mouse.click',
      'mouse.move',
      'mouse',
      'mousetrap',
      'mouse.click.left.twice',
    ],
    ends: { context: { took: ['exact', 'click', 'click', 'mouse', 'mouse', 'any', 'click'] } },
  },
)

conforms(
  'a wildcard of a child before the exact event of its parent; a guard sends it on',
  () =>
    setup({ types }).createMachine({
      context: { took: [] },
      on: { E: { actions: assign({ took: ({ context }) => [...context.took, 'parent'] }) } },
      initial: 'a',
      states: {
        a: {
          on: {
            '*': {
              guard: ({ event }) => event.mine === true,
              actions: assign({ took: ({ context }) => [...context.took, 'child'] }),
            },
            N: 'b',
          },
        },
        b: { on: { '*': 'a' } },
      },
    }),
  { steps: [{ type: 'E', mine: true }, 'E', 'N', 'E'], ends: { value: 'a', context: { took: ['child', 'parent'] } } },
)

conforms(
  'a transition to oneself leaves only when it reenters; to a child it stays within',
  (world) =>
    createMachine({
      initial: 'p',
      states: {
        p: noted(world, 'p', {
          initial: 'c1',
          on: {
            SELF: 'p',
            RE: { target: 'p', reenter: true },
            IN: '.c2',
            REIN: { target: '.c2', reenter: true },
            NONE: { actions: () => world.did('none') },
          },
          states: {
            c1: noted(world, 'c1', {}),
            c2: noted(world, 'c2', { on: { HERE: { target: 'c2' }, REHERE: { target: 'c2', reenter: true } } }),
          },
        }),
      },
    } as never),
  {
    steps: ['NONE', 'IN', 'HERE', 'REHERE', 'SELF', 'IN', 'RE', 'REIN'],
    ends: { value: { p: 'c2' } },
    did: '+p +c1 none -c1 +c2 -c2 +c2 -c2 +c1 -c1 +c2 -c2 -p +p +c1 -c1 -p +p +c2'.split(' '),
  },
)

conforms(
  'the root reentered starts its invoked child again and keeps its context',
  (world) =>
    setup({
      types,
      actors: {
        kid: setup({ types }).createMachine({
          context: { n: 0 },
          entry: () => world.did('kid'),
          on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
        }),
      },
    }).createMachine({
      id: 'r',
      context: { n: 0 },
      ...noted(world, 'root', {}),
      invoke: { src: 'kid', id: 'kid' },
      initial: 'a',
      on: {
        RE: { target: '#r', reenter: true, actions: assign({ n: ({ context }) => context.n + 1 }) },
        INC: { actions: ({ self }: any) => self.getSnapshot().children.kid.send({ type: 'INC' }) },
        STAY: '.b',
      },
      states: { a: {}, b: {} },
    }),
  {
    steps: ['INC', 'STAY', 'RE', 'INC', 'INC'],
    ends: { value: 'a', context: { n: 1 }, children: { kid: { context: { n: 2 } } } },
  },
)

conforms(
  'tags and meta follow the state',
  () =>
    createMachine({
      id: 'm',
      type: 'parallel',
      meta: { at: 'root' },
      tags: 'always',
      states: {
        a: {
          initial: 'x',
          states: {
            x: { tags: ['busy', 'visible'], meta: { view: 'x' }, on: { N: 'y' } },
            y: { tags: 'idle', meta: { view: 'y' }, on: { N: 'x' } },
          },
        },
        b: { tags: ['visible'], meta: { view: 'b' } },
      },
    }),
  {
    steps: ['N', 'N', 'N'],
    ends: { tags: ['always', 'idle', 'visible'], meta: { m: { at: 'root' }, 'm.a.y': { view: 'y' } } },
  },
)

conforms(
  'input makes the first context; children get theirs from the context of the parent',
  () => {
    const kid = setup({ types }).createMachine({
      context: ({ input }: any) => ({ given: input }),
      initial: 'a',
      states: { a: {} },
    })
    return setup({ types, actors: { kid } }).createMachine({
      context: ({ input, spawn }: any) => ({
        ...input,
        first: spawn('kid', { id: 'first', input: { of: input.who } }),
      }),
      initial: 'a',
      states: {
        a: { on: { N: 'b' } },
        b: {
          invoke: {
            src: 'kid',
            id: 'second',
            input: ({ context, event, self }: any) => ({ who: context.who, by: event.type, parent: self }),
          },
        },
      },
    } as never)
  },
  {
    input: { who: 'Ada', born: new Date(0) },
    steps: ['N'],
    ends: {
      context: { who: 'Ada' },
      children: {
        first: { context: { given: { of: 'Ada' } } },
        second: { context: { given: { who: 'Ada', by: 'N', parent: { actor: 'i' } } } },
      },
    },
  },
)

conforms(
  'an event with candidates: the first whose guard holds, none of them, and one without target',
  () =>
    setup({ types, guards: { is: ({ event }, { v }: { v: number }) => event.v === v } }).createMachine({
      context: { n: 0 },
      initial: 'a',
      states: {
        a: {
          on: {
            E: [
              { guard: { type: 'is', params: { v: 1 } }, target: 'b' },
              { guard: { type: 'is', params: { v: 2 } }, actions: assign({ n: ({ context }) => context.n + 1 }) },
              { guard: { type: 'is', params: { v: 3 } } },
            ],
          },
        },
        b: {},
      },
    }),
  {
    steps: [
      { type: 'E', v: 0 },
      { type: 'E', v: 2 },
      { type: 'E', v: 3 },
      { type: 'E', v: 1 },
    ],
    ends: { value: 'b', context: { n: 1 } },
  },
)
