import { expect, it } from 'vitest'
import { assign, fromCallback, fromPromise, log, sendTo, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { decode, encode } from '../../src/journal/codec.ts'
import { isPending, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { counter as countingMachine } from '../support/machines.ts'

noUnhandledRejections()

const counter: any = (options?: any) => countingMachine(options)

it("K8: a callback's receiver that throws harms neither the instance nor the process", async () => {
  const w = world()
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(({ receive }) => {
          receive(() => {
            throw new Error('rcv')
          })
        }),
      },
    }).createMachine({
      id: 'c',
      context: { n: 0 },
      invoke: { src: 'cb', id: 'cb' },
      on: {
        T: { actions: sendTo('cb', { type: 'X' }) },
        INC: { actions: assign({ n: ({ context }: any) => context.n + 1 }) },
      },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  const [p, q] = [a.send({ type: 'T' } as any), a.send({ type: 'INC' } as any)]
  expect(await isPending(p)).toBe(false)
  expect(await isPending(q)).toBe(false)
})

it("K8: logging what JSON can't hold harms nobody", async () => {
  const w = world()
  const o: any = {}
  o.o = o
  const m = durable(
    setup({}).createMachine({ id: 'c', on: { L: { actions: log(() => o) }, B: { actions: log(() => 1n) } } } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  expect(await isPending(a.send({ type: 'L' } as any))).toBe(false)
  expect(await isPending(a.send({ type: 'B' } as any))).toBe(false)
})

it("K8: a result that can't be kept becomes an error to the machine", async () => {
  const w = world()
  const m = durable(
    setup({ actors: { p: fromPromise(async () => ({ fn() {} })) } }).createMachine({
      id: 'c',
      initial: 'a',
      states: { a: { invoke: { src: 'p', id: 'p', onError: 'b' } }, b: {} },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await settle()
  expect(a.getSnapshot().value).toBe('b')
})

it("K8: work that can't be started, without onError, parks the instance instead of ending it in error", async () => {
  const w = world()
  const m = durable(
    setup({
      actors: {
        p: fromPromise(() => {
          throw new Error('sync')
        }),
      },
    }).createMachine({ id: 'c', initial: 'a', states: { a: { invoke: { src: 'p', id: 'p' } }, b: {} } } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await settle()
  expect(a.getSnapshot().status).toBe('active')
  expect((await h.list())[0]!.status).toBe('parked')
})

it("K8: an instance whose recovery can't be recorded does not hold up the host", async () => {
  const w = world()
  const m = durable(
    setup({ actors: { p: fromPromise(() => new Promise(() => {})) } }).createMachine({
      id: 'c',
      invoke: { src: 'p', id: 'p' },
    } as any),
  )
  const h = await w.open([m])
  await h.actor(m, 'x')
  await settle()
  void h
  const f = faultyJournal(w.journal, (a) => (a.stream === 'c/x' ? { when: 'before', code: 'NO_SPACE' } : undefined))
  expect(await isPending(w.open([m], { journal: f }))).toBe(false)
})

it('K8: values nested too deep are refused with NOT_SERIALIZABLE', async () => {
  const w = world()
  const m = counter()
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  for (const depth of [1000, 5000, 9000, 100_000]) {
    let v: any = 1
    for (let i = 0; i < depth; i++) v = { v }
    const r = await a.send({ type: 'X', v } as any).then(
      () => 'ok',
      (e) => e.code ?? e,
    )
    expect(['ok', 'NOT_SERIALIZABLE'], String(depth)).toContain(r)
  }
  for (const depth of [5000, 9000, 100_000]) {
    let v: any
    for (let i = 0; i < depth; i++) v = { v }
    const r = await a.send({ type: 'X', v } as any).then(
      () => 'ok',
      (e) => e.code ?? e,
    )
    expect(['ok', 'NOT_SERIALIZABLE'], `d${depth}`).toContain(r)
  }
})

it('K8: what is missing in a child that is only spawned is refused at registration', () => {
  const kid = setup({}).createMachine({ id: 'kid', on: { X: { actions: { type: 'nope' } as never } } } as any)
  expect(() =>
    durable(
      setup({ actors: { kid } }).createMachine({
        id: 'c',
        context: ({ spawn }: any) => ({ k: spawn('kid', { id: 'k' }) }),
      } as any),
    ),
  ).toThrow(/nope/)
})

it('K8: a schema that throws refuses the event with BAD_EVENT', async () => {
  const w = world()
  const m = durable(countingMachine().machine, {
    events: {
      INC: {
        '~standard': {
          version: 1,
          vendor: 'x',
          validate: () => {
            throw new TypeError('boom')
          },
        },
      },
    },
  } as any)
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  expect((await refused(a.send({ type: 'INC' }))).code).toBe('BAD_EVENT')
})

it('K8: a machine with a BigInt in its meta can be hosted', async () => {
  const w = world()
  const m = durable(setup({ meta: {} as any, actions: {} } as any).createMachine({ id: 'c', meta: { big: 1n } } as any))
  const h = await w.open([m])
  await h.close()
})

it('K8: a plain cycle is kept', () => {
  const event: any = { type: 'A', parent: { child: {} } }
  event.parent.child.up = event
  const back: any = decode(encode(event, { name: 'event' }))
  expect(back.parent.child.up).toBe(back)
})

/** What can't be made into words. */
const unspeakable: [string, () => unknown][] = [
  ['an object without a prototype', () => Object.create(null)],
  ['an object whose toString throws', () => ({ toString: () => raise('toString') })],
  [
    'an error whose parts throw',
    () => Object.defineProperties(new Error('x'), { message: BOOBY, name: BOOBY, code: BOOBY }),
  ],
  ['a proxy that throws', () => new Proxy({}, { get: () => raise('get'), getPrototypeOf: () => raise('prototype') })],
]
const raise = (why: string) => {
  throw new Error(why)
}
const BOOBY = { get: () => raise('getter') }

it.each(unspeakable)('K8: %s that a transition throws rejects its event, and nothing else', async (_, make) => {
  const m = durable(
    setup({}).createMachine({
      id: 'm',
      context: { n: 0 },
      on: {
        INC: { actions: assign({ n: ({ context }: any) => context.n + 1 }) },
        BAD: {
          actions: assign(() => {
            throw make()
          }),
        },
      },
    } as any),
  )
  const h = await world().open([m])
  const a = await h.actor(m, 'x')
  const sent = ['INC', 'BAD', 'INC'].map((type) => a.send({ type } as any))
  const codes = sent.map((one) =>
    one.then(
      () => 'taken',
      (error) => error.code,
    ),
  )
  expect(await isPending(Promise.all(codes))).toBe(false)
  expect(await Promise.all(codes)).toEqual(['taken', 'MACHINE_THREW', 'taken'])
  await h.close()
})

it.each(unspeakable)('K8 K5: %s that an effect throws makes a dead letter', async (_, make) => {
  const fail = async () => {
    throw make()
  }
  const m = durable(
    setup({ actions: { act: fail }, actors: { work: fromPromise(fail) } }).createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { on: { ACT: { actions: 'act' }, WORK: 'b' } }, b: { invoke: { src: 'work', id: 'work' } } },
    }),
  )
  const h = await world().open([m])
  for (const type of ['ACT', 'WORK'] as const) {
    await (await h.actor(m, type)).send({ type })
    await settle()
  }
  expect(await h.deadLetters()).toMatchObject([
    { instance: 'ACT', error: { message: expect.any(String) } },
    { instance: 'WORK', error: { message: expect.any(String) } },
  ])
  await h.close()
})

it.each(unspeakable)('K8: %s that a schema throws rejects the event with a hint', async (_, make) => {
  const validate = () => {
    throw make()
  }
  const m = counter({ events: { INC: { '~standard': { version: 1, vendor: 'test', validate } } } })
  const h = await world().open([m])
  const a = await h.actor(m, 'x')
  expect(await refused(a.send({ type: 'INC' } as any))).toMatchObject({ code: 'BAD_EVENT', hint: expect.any(String) })
  await h.close()
})
