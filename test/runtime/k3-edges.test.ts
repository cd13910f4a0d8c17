import { expect, it } from 'vitest'
import { assign, fromCallback, fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { decode, encode } from '../../src/journal/codec.ts'
import type { Journal } from '../../src/journal/index.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal, kept } from '../support/journals.ts'
import { counter as countingMachine } from '../support/machines.ts'

noUnhandledRejections()

const counter: any = (options?: any) => countingMachine(options)

it('K3: an instance is loaded once, however it is asked for while its machine is registered', async () => {
  const w = world()
  let started = 0
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(() => {
          started++
        }),
      },
    }).createMachine({
      id: 'c',
      context: { n: 0 },
      invoke: { src: 'cb', id: 'cb' },
      on: { INC: { actions: assign({ n: ({ context }: any) => context.n + 1 }) } },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  for (let i = 0; i < 300; i++) void a.send({ type: 'INC' } as any)
  await a.send({ type: 'INC' } as any)
  await h.close()
  started = 0
  const h2 = await w.open([])
  const r = h2.register(m)
  const b = await h2.actor(m, 'x')
  await r
  await settle()
  expect(started).toBe(1)
  await b.send({ type: 'INC' } as any)
  expect((await h2.actor(m, 'x')).getSnapshot().context.n).toBe(302)
})

it('K3: an error that is its own cause is kept without it', async () => {
  const e: any = new Error('x')
  e.cause = e
  const r = encode({ type: 'A', e }, { name: 'event' })
  const d: any = decode(r)
  expect(d.e).toMatchObject({ message: 'x' })
})

it('K3: an AggregateError keeps its errors', async () => {
  const d: any = decode(encode({ type: 'A', e: new AggregateError([new Error('in')], 'agg') }, { name: 'event' }))
  expect(d.e.errors?.[0]?.message).toBe('in')
})

it("K3: list tells a broken instance's last commit", async () => {
  const w = world()
  const lamp = (on: string) =>
    durable(
      setup({}).createMachine({
        id: 'lamp',
        initial: 'off',
        states: { off: { on: { FLIP: on } }, [on]: {} },
      } as any) as any,
    )
  const m = lamp('on')
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'FLIP' } as any)
  await h.close()
  const lit = lamp('lit')
  const h2 = await w.open([lit])
  await expect(h2.actor(lit, 'x')).rejects.toMatchObject({ code: 'REPLAY_DIVERGED' })
  expect((await h2.list())[0]).toMatchObject({ status: 'broken', state: 'on', seq: 2 })
})

it("K3: attributes are computed with the record's time", async () => {
  const w = world()
  const m = counter({ attributes: () => ({ at: Date.now() }) })
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'INC' })
  await h.close()
  await new Promise((r) => setTimeout(r, 5))
  const h2 = await w.open([m])
  expect((await h2.list())[0]!.problem).toBeUndefined()
})

it('K3: a result that the machine writes into is decided on as it came when its append is tried again', async () => {
  const w = world()
  const m = durable(
    setup({ actors: { p: fromPromise(async () => ({ list: [] as number[] })) } }).createMachine({
      id: 'writes',
      context: { n: 0 },
      initial: 'a',
      states: {
        a: {
          invoke: {
            src: 'p',
            id: 'p',
            onDone: { target: 'b', actions: assign({ n: ({ event }) => event.output.list.push(1) }) },
          },
        },
        b: {},
      },
    } as any),
  )
  const f = faultyJournal(w.journal)
  f.plan = (append) => (append.expected === 1 ? { when: 'before', code: 'IO', retryable: true } : undefined)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  f.plan = () => undefined
  w.clock.advance(1000)
  await settle()
  expect(a.getSnapshot()).toMatchObject({ value: 'b', context: { n: 1 } })
  await h.close()
  const again = await (await w.open([m])).actor(m, 'x')
  expect(again.getSnapshot()).toMatchObject({ context: { n: 1 } })
})

it('K3 K8: what is thrown while an instance is loaded, whatever it is, is refused by name and with a hint', async () => {
  const w = world()
  const m = durable(setup({}).createMachine({ id: 'm' }))
  const h = await w.open([m])
  await h.actor(m, 'x')
  await h.close()
  const journal: Journal = {
    ...kept(w.journal),
    read(stream, range) {
      if (stream === 'm/x') throw Object.create(null)
      return w.journal.read(stream, range)
    },
  }
  const h2 = await w.open([m], { journal })
  expect(await refused(h2.actor(m, 'x'))).toMatchObject({
    code: 'REPLAY_DIVERGED',
    message: expect.stringContaining('m/x'),
    hint: expect.stringContaining('See the cause'),
  })
  await h2.close()
})

it('K3: in a transition a date is of the constructor Date, and is of the real one afterwards', async () => {
  const { open } = world()
  const real = Date
  const machine = durable(
    setup({ types: {} as { context: { same: boolean[] } } }).createMachine({
      id: 'dates',
      context: () => {
        const date = new Date()
        return {
          same: [date.constructor === Date, date instanceof Date, Object.getPrototypeOf(date) === Date.prototype],
        }
      },
    }),
  )
  const host = await open([machine])
  expect((await host.actor(machine, 'x')).getSnapshot().context.same).toEqual([true, true, true])
  expect(new Date().constructor).toBe(real)
  expect(Date).toBe(real)
  await host.close()
})
