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
