import { expect, it } from 'vitest'
import { setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'

noUnhandledRejections()

it('K6: a delay that is no number does not stop the timers of others', async () => {
  const w = world()
  const m = durable(
    setup({ delays: { d: ({ context }: any) => context.d } }).createMachine({
      id: 't',
      context: ({ input }: any) => ({ d: input }),
      initial: 'a',
      states: { a: { after: { d: 'b' } }, b: {} },
    } as any),
  )
  const h = await w.open([m])
  await h.actor(m, 'bad', { input: Number.NaN } as any)
  const ok = await h.actor(m, 'ok', { input: 100 } as any)
  w.clock.advance(99)
  w.clock.advance(1000)
  await settle()
  expect(ok.getSnapshot().value).toBe('b')
})
