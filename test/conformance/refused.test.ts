// What can't be made durable is refused by name and with what to do: by durable() where it can be seen there, by the event
// that meets it where not. XState itself lets most of it pass.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import {
  type AnyStateMachine,
  and,
  assign,
  createMachine,
  enqueueActions,
  fromPromise,
  fromTransition,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { DuramenError, durable } from '../../src/index.ts'
import { noUnhandledRejections, refused, world } from '../support/host.ts'

noUnhandledRejections()

const withStart = { ...fromTransition((s: number) => s, 0), start() {} }
const refusals: [string, object, implementations: object, ...says: string[]][] = [
  ['an entry action', { entry: 'gone' }, {}, "action 'gone'", 'setup() or provide()'],
  ['an exit action with params', { exit: { type: 'gone', params: { a: 1 } } }, {}, "action 'gone'"],
  ['a transition action', { on: { E: { actions: ['gone'] } } }, {}, "action 'gone'"],
  [
    'an eventless one',
    { initial: 'a', states: { a: { always: { target: 'b', actions: 'gone' } }, b: {} } },
    {},
    "action 'gone'",
    'm.a',
  ],
  ['a delayed one', { after: { 10: { actions: 'gone' } } }, {}, "action 'gone'"],
  ['an initial transition', { initial: { target: 'a', actions: 'gone' }, states: { a: {} } }, {}, "action 'gone'"],
  [
    'onDone of an invocation',
    { invoke: { src: 'p', id: 'p', onDone: { actions: 'gone' } } },
    { actors: { p: fromPromise(async () => 0) } },
    "action 'gone'",
  ],
  ['an action that names another', { entry: 'here' }, { actions: { here: 'gone' } }, "action 'gone'"],
  ['a guard', { on: { E: { guard: 'gone' } } }, {}, "guard 'gone'", 'setup() or provide()'],
  ['a guard within and', { on: { E: { guard: and(['gone', () => true]) } } }, {}, "guard 'gone'"],
  [
    'a guard within not within or',
    { on: { E: { guard: or([() => true, not({ type: 'gone' })]) } } },
    {},
    "guard 'gone'",
  ],
  ['a guard that names another', { on: { E: { guard: 'here' } } }, { guards: { here: not('gone') } }, "guard 'gone'"],
  [
    'the guard of a route',
    { initial: 'a', states: { a: {}, b: { id: 'b', route: { guard: 'gone' } } } },
    {},
    "guard 'gone'",
  ],
  ['an invoked actor', { invoke: { src: 'gone', id: 'x' } }, {}, "actor 'gone'"],
  ['a spawned actor', { entry: spawnChild('gone', { id: 'x' }) }, {}, "actor 'gone'"],
  ['a delay of after', { after: { gone: { actions: raise({ type: 'X' }) } } }, {}, "delay 'gone'"],
  ['a delay of raise', { entry: raise({ type: 'X' }, { delay: 'gone' as never }) }, {}, "delay 'gone'"],
  ['a delay of sendTo', { entry: sendTo('x', { type: 'X' }, { delay: 'gone' as never }) }, {}, "delay 'gone'"],
  [
    'spawnChild without an id',
    { entry: spawnChild('p') },
    { actors: { p: fromPromise(async () => 0) } },
    'without an id',
    'give it one',
  ],
  [
    'spawnChild of inline logic',
    {
      entry: spawnChild(
        fromPromise(async () => 0),
        { id: 'x' },
      ),
    },
    {},
    'inline logic',
    'setup({ actors })',
  ],
  [
    'an action named as those of XState',
    { entry: 'xstate.mine' },
    { actions: { 'xstate.mine': () => {} } },
    "'xstate.mine' is reserved",
    'rename',
  ],
  [
    'custom logic that starts something',
    { invoke: { src: 'own', id: 'own' } },
    { actors: { own: withStart } },
    "actor 'own'",
    'fromCallback',
  ],
  ['the same inline', { invoke: { src: withStart, id: 'own' } }, {}, 'fromCallback'],
  [
    'what is within a child',
    { invoke: { src: 'kid', id: 'kid' } },
    { actors: { kid: createMachine({ id: 'kid', entry: 'gone' }) } },
    "action 'gone'",
    'm/kid',
  ],
]

it.each(refusals)('K8: refused at durable(): %s', (_name, config, implementations, ...says) => {
  const machine = createMachine({ id: 'm', ...config } as never, implementations as never)
  let error: unknown
  try {
    durable(machine)
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(DuramenError)
  expect((error as DuramenError).code).toBe('BAD_MACHINE')
  for (const text of says) expect((error as DuramenError).message).toContain(text)
})

it.each([
  [
    'an action that enqueueActions names',
    enqueueActions(({ enqueue }) => enqueue('gone' as never)),
    "action 'gone' has no implementation",
  ],
  [
    'custom logic that assign spawns',
    assign({ ref: ({ spawn }: any) => spawn(withStart, { id: 'own' }) }),
    'fromCallback',
  ],
])('K8: refused when an event meets it: %s', async (_name, actions, says) => {
  const { open } = world()
  const machine = durable(createMachine({ id: 'm', context: {}, on: { E: { actions: actions as never } } }))
  const host = await open([machine])
  const actor = await host.actor(machine, 'i')
  const error = await refused(actor.send({ type: 'E' }))
  expect(error.code).toBe('MACHINE_THREW')
  expect(error.message).toContain(says)
  expect((await actor.send({ type: 'OTHER' })).handled).toBe(false)
  await host.close()
})

it('K8: a machine of another copy of XState is refused: its actors are not those that a host runs', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'duramen-xstate-'))
  try {
    cpSync(dirname(createRequire(import.meta.url).resolve('xstate/package.json')), join(dir, 'xstate'), {
      recursive: true,
      dereference: true,
    })
    const copy = createRequire(join(dir, 'x.js'))(join(dir, 'xstate')) as typeof import('xstate')
    const foreign = copy.createMachine({ id: 'foreign' }) as unknown as AnyStateMachine
    expect(() => durable(foreign)).toThrow(/another copy of XState.*npm ls xstate/s)
    const parent = setup({ actors: { foreign } }).createMachine({ id: 'm', invoke: { src: 'foreign', id: 'f' } })
    expect(() => durable(parent)).toThrow(/another copy of XState/)
  } finally {
    rmSync(dir, { recursive: true })
  }
})
