import { expect, it } from 'vitest'
import { setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { engineOf, noUnhandledRejections, settle, world } from '../support/host.ts'

noUnhandledRejections()

it('K9: refused events leave no timers behind', async () => {
  const w = world()
  const m = durable(
    setup({
      guards: {
        boom: () => {
          throw new Error('b')
        },
      },
    }).createMachine({
      id: 'c',
      initial: 'a',
      states: { a: { after: { 1000: 'b' }, on: { BOOM: { guard: 'boom', target: 'b' } } }, b: {} },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  for (let i = 0; i < 50; i++) await a.send({ type: 'BOOM' } as any).catch(() => 0)
  await settle()
  expect((engineOf(h).timers as any).heap.length).toBeLessThan(5)
})

it('K6 K9: timers far ahead, each nearer than the one before, leave no entries behind', async () => {
  const far = durable(
    setup({
      types: {} as { context: { ms: number }; input: { ms: number } },
      delays: { far: ({ context }) => context.ms },
    }).createMachine({
      id: 'far',
      context: ({ input }) => input,
      initial: 'a',
      states: { a: { after: { far: 'b' } }, b: {} },
    }),
  )
  const host = await world().open([far], { maxActive: 1 })
  const n = 2500
  for (let i = 0; i < n; i++) await host.actor(far, `f${i}`, { input: { ms: 864e6 - i * 1000 } })
  expect(engineOf(host).timers.size).toBeLessThan(n / 2)
  await host.close()
})
