import { expect, it } from 'vitest'
import { noUnhandledRejections, refused, world } from '../support/host.ts'
import { counter as countingMachine } from '../support/machines.ts'

noUnhandledRejections()

const counter: any = (options?: any) => countingMachine(options)

it("K2: a record of another writer that reads the same is not taken for one's own", async () => {
  const w = world()
  const m = counter()
  const a = await w.open([m])
  await a.actor(m, 'x')
  const b = await w.open([m])
  const aa = await a.actor(m, 'x')
  const bb = await b.actor(m, 'x')
  await aa.send({ type: 'INC' })
  await bb.send({ type: 'INC' })
  await a.close()
  await b.close()
  const c = await w.open([m])
  expect((await c.actor(m, 'x')).getSnapshot().context.n).toBe(2)
})

it("K2: create 'only' is refused when another host has created it meanwhile", async () => {
  const w = world()
  const m = counter()
  const a = await w.open([m])
  const b = await w.open([m])
  await a.actor(m, 'x')
  w.clock.advance(5)
  expect((await refused(b.actor(m, 'x', { create: 'only' }))).code).toBe('INSTANCE_EXISTS')
})

it('K2: an instance that another host has created is found', async () => {
  const w = world()
  const m = counter()
  const a = await w.open([m])
  const b = await w.open([m])
  await a.actor(m, 'x')
  await b.actor(m, 'x', { create: false })
})
