import { expect, it } from 'vitest'
import { deliver, type Host } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { acting, mailbox } from '../support/machines.ts'

noUnhandledRejections()

const box = mailbox()
/** GO delivers `v`, or every one of `vs`, to the mailbox `to`. */
const sender = () =>
  acting(async (event) => {
    for (const v of (event.vs ?? [event.v]) as unknown[]) await deliver(box, event.to ?? 'box', { type: 'MSG', v })
  }, 'sender')

const got = async (host: Host, id = 'box') => (await host.actor(box, id, { create: false })).getSnapshot().context.got

it('K4: deliver reaches another instance once, in the order of the actions', async () => {
  const { open } = world()
  const machine = sender()
  const host = await open([machine, box])
  await host.actor(box, 'box')
  const actor = await host.actor(machine, 's')
  for (const v of [1, 2, 3]) {
    await actor.send({ type: 'GO', v })
    await settle()
  }
  await actor.send({ type: 'GO', vs: [4, 5, 6] })
  await settle()
  expect(await got(host)).toEqual([1, 2, 3, 4, 5, 6])
  await host.close()
  const host2 = await open([machine, box])
  await settle()
  expect(await got(host2)).toEqual([1, 2, 3, 4, 5, 6])
  await host2.close()
})

it('K4: outside an effect of a durable host it is refused', async () => {
  expect((await refused(deliver(box, 'box', { type: 'MSG', v: 1 }))).code).toBe('NO_HOST')
})

it('K4: a receiver that is not there parks the sender; once it is, resume delivers', async () => {
  const { open } = world()
  const machine = sender()
  const host = await open([machine, box])
  const actor = await host.actor(machine, 's')
  await actor.send({ type: 'GO', v: 1 })
  await settle()
  expect(await host.list({ status: 'parked' })).toMatchObject([{ machine: 'sender', id: 's' }])
  await host.actor(box, 'box')
  await host.resume(machine, 's', by)
  await settle()
  expect(await got(host)).toEqual([1])
  await host.close()
})
