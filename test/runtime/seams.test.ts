// What src/runtime/xstate uses of XState that is not its public interface. When a new XState fails here, look there.

import { of } from 'rxjs'
import { expect, it } from 'vitest'
import {
  Actor,
  type AnyActorLogic,
  type AnyEventObject,
  assign,
  createActor,
  createMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { deferred } from '../support/deferred.ts'
import { settle } from '../support/host.ts'

interface Inner {
  sessionId: string
  _snapshot: any
  _parent?: Inner
  _processingStatus: number
  _deferred: unknown[]
  _actorScope: any
  logic: any
  system: any
  src: unknown
  id: string
}

/** Starts a machine and calls `adopt` for every actor at the moment at which the kernel takes it over. */
function watched(logic: AnyActorLogic, adopt: (actor: Inner) => void) {
  return createActor(logic, {
    inspect: (event) => {
      if (event.type === '@xstate.actor') adopt(event.actorRef as unknown as Inner)
    },
  })
}

const kid = createMachine({ id: 'kid', invoke: { src: fromPromise(async () => 1), id: 'work' } })
const family = () =>
  setup({ actors: { kid } }).createMachine({ id: 'family', context: ({ spawn }) => ({ k: spawn('kid', { id: 'k' }) }) })

it('the inspection event reaches every actor, at any depth, before its first state and with its scope there', () => {
  const seen: string[] = []
  watched(family(), (actor) => {
    seen.push(`${actor.id} ${actor._snapshot === undefined} ${Object.getPrototypeOf(actor) === Actor.prototype}`)
    const { self, sessionId, actionExecutor, emit, logger, system, stopChild, defer } = actor._actorScope
    expect(self).toBe(actor)
    expect(sessionId).toBe(actor.sessionId)
    expect(system).toBe(actor.system)
    for (const fn of [actionExecutor, emit, logger, stopChild, defer]) expect(typeof fn).toBe('function')
  }).start()
  expect(seen.map((s) => s.replace(/^x:\d+/, 'root'))).toEqual(['root true true', 'k true true', 'work true true'])
})

it('the scope that is changed there is the one that XState uses: executor, emit, logger, session id', () => {
  const executed: string[] = []
  const machine = setup({
    types: {} as { events: AnyEventObject },
    actors: { kid },
    actions: { custom: () => void executed.push('must not run by itself') },
  }).createMachine({
    entry: [
      'custom',
      { type: 'custom' },
      () => void executed.push('nor this'),
      raise({ type: 'R' }),
      assign({}),
      spawnChild('kid' as never, { id: 'x' } as never) as never,
    ],
    on: { R: {} },
  })
  const types: string[] = []
  const actor = watched(machine, (inner) => {
    const through = inner._actorScope.actionExecutor
    inner.sessionId = inner._actorScope.sessionId = `@${inner.id}`
    inner._actorScope.actionExecutor = (action: { type: string; info: unknown; exec?: unknown }) => {
      types.push(action.type)
      if (action.type.startsWith('xstate.')) return through(action)
      expect(action).toMatchObject({ info: { self: expect.anything(), event: expect.anything() } })
      expect(typeof action.exec).toBe('function')
    }
  }).start()
  expect(executed).toEqual([])
  expect(types.filter((t) => !t.startsWith('xstate.'))).toEqual(['custom', 'custom', '(anonymous)'])
  expect(types).toContain('xstate.spawnChild')
  expect(actor.sessionId).toMatch(/^@/)
})

it('what an actor does is found through its prototype and its logic, also after they are replaced', () => {
  const calls: string[] = []
  const proto = Object.create(Actor.prototype, {
    update: {
      value(this: unknown, ...args: unknown[]) {
        calls.push('update')
        return (Actor.prototype as any).update.apply(this, args)
      },
    },
  })
  const actor = watched(createMachine({ on: { A: {} } }), (inner) => {
    Object.setPrototypeOf(inner, proto)
    const before = inner.logic
    inner.logic = Object.assign(Object.create(before), {
      transition: (...args: unknown[]) => {
        calls.push('transition')
        return before.transition(...args)
      },
    })
  }).start()
  actor.send({ type: 'A' })
  expect(calls).toEqual(['update', 'transition', 'update'])
  for (const name of ['getSnapshot', 'subscribe', 'update', '_error', '_send', 'on'])
    expect(typeof (Actor.prototype as any)[name], name).toBe('function')
})

it('every event that an actor gets from outside itself passes the relay of its system', async () => {
  const relayed: string[] = []
  const machine = setup({
    types: {} as { events: AnyEventObject },
    actors: {
      cb: fromCallback(({ sendBack }) => sendBack({ type: 'BACK' })),
      values: fromObservable(() => of(1)),
      events: fromEventObservable(() => of({ type: 'OBSERVED' })),
      work: fromPromise(async () => 1),
      kid: createMachine({ on: { DOWN: {} } }),
    },
  }).createMachine({
    invoke: (['cb', 'values', 'events', 'work', 'kid'] as const).map((src) => ({ src, id: src })),
    on: { GO: { actions: [sendTo('kid', { type: 'DOWN' }), ({ self }) => self.send({ type: 'SELF' })] } },
  })
  const actor = watched(machine, (inner) => {
    if (inner._parent) return
    const { system } = inner
    const relay = system._relay
    system._relay = (source: Inner | undefined, target: Inner, event: AnyEventObject) => {
      relayed.push(`${target._parent ? target.id : 'root'} ${event.type}`)
      return relay(source, target, event)
    }
  }).start()
  actor.send({ type: 'GO' })
  await settle()
  for (const expected of [
    'root BACK',
    'values xstate.observable.next',
    'values xstate.observable.complete',
    'root OBSERVED',
    'work xstate.promise.resolve',
    'root GO',
    'kid DOWN',
    'root SELF',
    'root xstate.done.actor.work',
  ])
    expect(relayed).toContain(expected)
})

it('delayed events go through the scheduler of the system, with source, target, event, delay and id', () => {
  const calls: unknown[][] = []
  const machine = createMachine({
    id: 'm',
    initial: 'a',
    entry: raise({ type: 'LATE' }, { delay: 7, id: 'late' }),
    states: { a: { after: { 5: 'b' }, on: { B: 'b' } }, b: { type: 'final' } },
  })
  const actor = watched(machine, (inner) => {
    inner.system.scheduler = {
      schedule: (from: Inner, to: Inner, event: AnyEventObject, delay: number, id: string) =>
        calls.push(['schedule', from === inner, to === inner, event.type, delay, id]),
      cancel: (from: Inner, id: string) => calls.push(['cancel', from === inner, id]),
      cancelAll: (of: Inner) => calls.push(['cancelAll', of === inner]),
    }
  }).start()
  actor.send({ type: 'B' })
  expect(calls).toEqual([
    ['schedule', true, true, 'LATE', 7, 'late'],
    ['schedule', true, true, 'xstate.after.5.m.a', 5, 'xstate.after.5.m.a'],
    ['cancel', true, 'xstate.after.5.m.a'],
    ['cancelAll', true],
  ])
})

it('the system books ids, registers and unregisters through methods that can be replaced', () => {
  const calls: string[] = []
  const machine = setup({ actors: { kid } }).createMachine({
    invoke: { src: 'kid', id: 'k' },
    initial: 'a',
    states: { a: {} },
  })
  const actor = watched(machine, (inner) => {
    if (inner._parent) return
    const { system } = inner
    for (const name of ['_register', '_unregister', '_bookId', '_set'] as const) {
      const before = system[name]
      expect(typeof before, name).toBe('function')
      system[name] = (...args: unknown[]) => {
        calls.push(name)
        return before.apply(system, args)
      }
    }
  }).start()
  actor.stop()
  expect(calls).toContain('_register')
  expect(calls).toContain('_unregister')
})

it('the system tells of every microstep and its transitions', () => {
  const taken: [string, number][] = []
  const actor = createActor(createMachine({ on: { A: { actions: () => {} } } }), {
    inspect: (event: any) => {
      if (event.type === '@xstate.microstep') taken.push([event.event.type, event._transitions.length])
    },
  }).start()
  taken.length = 0
  actor.send({ type: 'A' })
  actor.send({ type: 'UNKNOWN' })
  expect(taken.filter(([, n]) => n > 0)).toEqual([['A', 1]])
})

it('a processing status of 1 is a running actor, 2 a stopped one', () => {
  const actor = createActor(createMachine({})) as any
  expect(actor._processingStatus).toBe(0)
  actor.start()
  expect(actor._processingStatus).toBe(1)
  actor.stop()
  expect(actor._processingStatus).toBe(2)
})

it('a transition that throws leaves deferred functions behind in an array', () => {
  const machine = setup({
    guards: {
      boom: () => {
        throw new Error('x')
      },
    },
  }).createMachine({ on: { B: { guard: 'boom' } } })
  const actor = createActor(machine) as any
  expect(Array.isArray(actor._deferred)).toBe(true)
})

it('kinds of logic differ in the source of their transition; only invoked ones have a start', () => {
  const source = (logic: AnyActorLogic) => Function.prototype.toString.call(logic.transition)
  const one = [
    fromPromise(async () => 1),
    fromCallback(() => {}),
    fromObservable(() => of(1)),
    fromEventObservable(() => of({ type: 'x' })),
    fromTransition((s: number) => s, 0),
  ]
  const other = [
    fromPromise(async () => 2),
    fromCallback(() => () => {}),
    fromObservable(() => of('y')),
    fromEventObservable(() => of({ type: 'z' })),
    fromTransition((s: string) => s, ''),
  ]
  expect(one.map(source)).toEqual(other.map(source))
  expect(new Set(one.map(source)).size).toBeGreaterThanOrEqual(4)
  expect(source(one[4]!)).not.toBe(source(one[0]!))
  expect(one.map((l) => typeof l.start)).toEqual(['function', 'function', 'function', 'function', 'undefined'])
  expect('__xstatenode' in kid).toBe(true)
})

it('the start of work can be called later, outside the system, with a copy of its state', async () => {
  const gate = deferred<number>()
  const logic = fromPromise(() => gate.promise)
  const machine = setup({ actors: { work: logic } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'work', id: 'work', onDone: 'b' } }, b: {} },
  })
  let start: (() => void) | undefined
  const actor = watched(machine, (inner) => {
    if (!inner._parent) return
    inner.logic = Object.assign(Object.create(inner.logic), {
      start: () => {
        const state = { ...inner._snapshot }
        start = () => logic.start!(state, inner._actorScope)
      },
    })
  }).start()
  gate.resolve(1)
  await settle()
  expect(actor.getSnapshot().value).toBe('a')
  start!()
  await settle()
  expect(actor.getSnapshot().value).toBe('b')
})

it('maxIterations is read from the options of the machine at every transition', () => {
  const machine = createMachine({
    initial: 'a',
    states: { a: { on: { L: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
  })
  ;(machine.options as { maxIterations?: number }).maxIterations = 50
  const actor = createActor(machine)
  let error: unknown
  actor.subscribe({ error: (e) => (error = e) })
  actor.start()
  actor.send({ type: 'L' })
  expect(String(error)).toContain('Infinite loop')
})

it('a promise logic keeps its function as `config`, and its start calls it with these options', async () => {
  const given: string[][] = []
  const logic = fromPromise(async (options) => void given.push(Object.keys(options).sort()))
  expect(typeof logic.config).toBe('function')
  const actor = createActor(logic).start()
  await settle()
  actor.stop()
  expect(given).toEqual([['emit', 'input', 'self', 'signal', 'system']])
})
