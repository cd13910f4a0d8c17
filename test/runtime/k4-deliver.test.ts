import { expect, it } from 'vitest'
import { fromCallback, fromPromise, setup } from 'xstate'
import { deliver, durable, type Host } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
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

/** Its promise, or its callback, delivers. */
const teller = (
  kind: 'promise' | 'callback',
  tell: () => unknown,
  retry?: { tell: { attempts: number; backoff: { first: number; jitter: number } } },
) =>
  durable(
    setup({
      actors: {
        tell: kind === 'promise' ? fromPromise(async () => void tell()) : (fromCallback(() => void tell()) as never),
      },
    }).createMachine({
      id: 'teller',
      initial: 'telling',
      states: {
        telling: { invoke: { src: 'tell', id: 'tell', onDone: 'told', onError: 'failed' } },
        told: {},
        failed: {},
      },
    }),
    { retry } as never,
  )

it('K4: a promise that does not await its delivery ends when that has arrived, and is tried again when it fails', async () => {
  const { clock, open, journal } = world()
  const faulty = faultyJournal(journal)
  const machine = teller('promise', () => deliver(box, 'box', { type: 'MSG', v: 1 }), {
    tell: { attempts: 2, backoff: { first: 1000, jitter: 0 } },
  })
  const host = await open([machine, box], { journal: faulty })
  const actor = await host.actor(machine, 't')
  await settle()
  expect(actor.getSnapshot().value).toBe('telling') // there is no receiver
  await host.actor(box, 'box')
  faulty.hold()
  clock.advance(1000)
  await settle()
  expect(actor.getSnapshot().value).toBe('telling')
  faulty.release()
  await settle()
  expect(actor.getSnapshot().value).toBe('told')
  expect(await got(host)).toEqual([1])
  await host.close()
})

it('K4: a promise and a callback may deliver as often as they like', async () => {
  const often = async () => {
    for (let v = 1; v <= 1100; v++) await deliver(box, 'box', { type: 'MSG', v })
  }
  for (const kind of ['promise', 'callback'] as const) {
    const { open } = world()
    const failures: unknown[] = []
    const machine = teller(kind, () => often().catch((error) => failures.push(error)))
    const host = await open([machine, box])
    await host.actor(box, 'box')
    await host.actor(machine, 't')
    for (let k = 0; k < 40; k++) await settle()
    expect(failures).toEqual([])
    expect((await got(host)).length, kind).toBe(1100)
    await host.close()
  }
})
