import { expect, it } from 'vitest'
import { type AnyEventObject, fromPromise, setup } from 'xstate'
import { deliver, durable, type Host } from '../../src/index.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'
import { crashJournal } from '../support/journals.ts'
import { acting, mailbox } from '../support/machines.ts'

noUnhandledRejections()

const box = mailbox()
const sender = () =>
  acting(async (event) => {
    for (const v of (event.vs ?? [event.v]) as unknown[]) await deliver(box, 'box', { type: 'MSG', v })
  }, 'sender')

const got = async (host: Host) => (await host.actor(box, 'box', { create: false })).getSnapshot().context.got

it('K4: exactly once through a crash before and after every append, and a second crash in each recovery', async () => {
  const machine = sender()
  const invoked = durable(
    setup({
      types: {} as { events: AnyEventObject },
      actors: {
        tell: fromPromise(async () => {
          await deliver(box, 'box', { type: 'MSG', v: 'p1' })
          await deliver(box, 'box', { type: 'MSG', v: 'p2' })
        }),
      },
    }).createMachine({
      id: 'invoked',
      initial: 'a',
      states: { a: { invoke: { src: 'tell', id: 'tell', onDone: 'b' } }, b: {} },
    }),
  )
  const expected = ['a1', 'a2', 'a3', 'p1', 'p2']
  /** What a client does who repeats all that was not acknowledged. */
  const client = async (host: Host) => {
    await host.actor(box, 'box')
    await host.actor(invoked, 'i')
    const actor = await host.actor(machine, 's')
    await actor.send({ type: 'GO', v: 'a1' }, { id: 'one' })
    await settle(2)
    await actor.send({ type: 'GO', vs: ['a2', 'a3'] }, { id: 'two' })
  }
  const life = async (w: ReturnType<typeof world>, at: number, when: 'before' | 'after') => {
    const dying = crashJournal(w.journal, at, when)
    void w.open([machine, invoked, box], { journal: dying }).then(client, () => {})
    await settle(20)
    return dying.crashed
  }
  let runs = 0
  for (const when of ['before', 'after'] as const)
    for (let first = 1, crashed = true; crashed; first++)
      for (const second of [0, 1, 2, 3, 4]) {
        const w = world()
        crashed = await life(w, first, when)
        if (!crashed) break
        if (second) await life(w, second, when)
        const host = await w.open([machine, invoked, box])
        await client(host)
        await settle(10)
        expect([...(await got(host))].sort(), `${when} ${first}, then ${second}`).toEqual(expected)
        runs++
        await host.close()
      }
  expect(runs).toBeGreaterThan(50)
})
