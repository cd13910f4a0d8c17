import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, settle, world } from '../support/host.ts'

noUnhandledRejections()

it('K5: attempts rise when a parked instance is resumed', async () => {
  const w = world()
  const seen: number[] = []
  const m = durable(
    setup({
      actions: {
        bad: () => {
          seen.push(currentEffect().attempt)
          if (seen.length < 3) throw new Error('bad')
        },
      },
    }).createMachine({ id: 'c', on: { GO: { actions: 'bad' } } } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'GO' } as any)
  await settle()
  await h.resume(m, 'x', by)
  await settle()
  await h.resume(m, 'x', by)
  await settle()
  expect(seen).toEqual([1, 2, 3])
})

it('K5: what an action sends while the host closes is not lost', async () => {
  const w = world()
  const gate = deferred()
  const m = durable(
    setup({
      actions: {
        act: async ({ self }: any) => {
          await gate.promise
          self.send({ type: 'INC' })
        },
      },
    }).createMachine({
      id: 'c',
      context: { n: 0 },
      on: { GO: { actions: 'act' }, INC: { actions: assign({ n: ({ context }: any) => context.n + 1 }) } },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'GO' } as any)
  const c = h.close()
  await settle()
  gate.resolve(1)
  await settle()
  await c
  const h2 = await w.open([m])
  await settle()
  expect((await h2.actor(m, 'x')).getSnapshot().context.n).toBe(1)
})
