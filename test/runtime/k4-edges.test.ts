import { expect, it } from 'vitest'
import { assign, fromCallback, setup } from 'xstate'
import { currentEffect, deliver, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, settle, world } from '../support/host.ts'
import { mailbox } from '../support/machines.ts'

noUnhandledRejections()

const receiver: any = () => mailbox('r')

it('K4: deliveries of actions that overtake each other all arrive', async () => {
  const w = world()
  const r = receiver()
  const gate = deferred()
  const m = durable(
    setup({
      actions: {
        slow: async () => {
          await gate.promise
          await deliver(r, 'r', { type: 'MSG', v: 'slow' } as any)
        },
        fast: () => {
          void deliver(r, 'r', { type: 'MSG', v: 'fast' } as any)
        },
      },
    }).createMachine({ id: 's', on: { SLOW: { actions: 'slow' }, FAST: { actions: 'fast' } } } as any),
  )
  const h = await w.open([m, r])
  const rr = await h.actor(r, 'r')
  const a = await h.actor(m, 'x')
  await a.send({ type: 'SLOW' } as any)
  await a.send({ type: 'FAST' } as any)
  await settle()
  gate.resolve(1)
  await settle()
  expect([...rr.getSnapshot().context.got].sort()).toEqual(['fast', 'slow'])
})

it('K4: a callback that is started again delivers again', async () => {
  const w = world()
  const r = receiver()
  let say: any
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(() => {
          let send: any
          say = (v: any) => send(v)
          const e = currentEffect()
          void e
          send = (v: any) => deliver(r, 'r', { type: 'MSG', v } as any)
          void send('up')
        }),
      },
    }).createMachine({ id: 's', invoke: { src: 'cb', id: 'cb' } } as any),
  )
  const h = await w.open([m, r])
  await h.actor(r, 'r')
  await h.actor(m, 'x')
  await settle()
  await h.close()
  const h2 = await w.open([m, r])
  await settle()
  const rr = await h2.actor(r, 'r')
  expect(rr.getSnapshot().context.got).toEqual(['up', 'up'])
  void say
})

it('K4: a delivery that nobody awaits and that fails leaves no rejection unhandled', async () => {
  const w = world()
  const r = receiver()
  const gate = deferred()
  const m = durable(
    setup({
      actions: {
        one: async () => {
          void deliver(r, 'nobody', { type: 'MSG', v: 1 } as any)
          await gate.promise
        },
      },
    }).createMachine({ id: 's', on: { GO: { actions: ['one'] } } } as any),
  )
  const h = await w.open([m, r])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'GO' } as any)
  await settle()
  gate.resolve(1)
  await settle()
})

it('K4: a delivery that was refused once is delivered by resume, also when a later one has arrived', async () => {
  const w = world()
  let bad = true
  const r = durable(
    setup({
      guards: {
        g: ({ event }: any) => {
          if (event.v === 1 && bad) throw new Error('not yet')
          return true
        },
      },
    }).createMachine({
      id: 'r',
      context: { got: [] as any[] },
      on: { MSG: { guard: 'g', actions: assign({ got: ({ context, event }: any) => [...context.got, event.v] }) } },
    } as any),
  )
  const m = durable(
    setup({
      actions: { go: ({ event }: any) => deliver(r, 'r', { type: 'MSG', v: event.v } as any) as any },
    }).createMachine({ id: 's', on: { GO: { actions: ['go'] } } } as any),
  )
  const h = await w.open([m, r])
  const rr = await h.actor(r, 'r')
  const a = await h.actor(m, 'x')
  await Promise.all([a.send({ type: 'GO', v: 1 } as any), a.send({ type: 'GO', v: 2 } as any)])
  await settle()
  bad = false
  await h.resume(m, 'x', by)
  await settle()
  expect([...rr.getSnapshot().context.got].sort()).toEqual([1, 2])
})
