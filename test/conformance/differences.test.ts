// Where a durable machine differs from one under createActor, by K1 and K8; as docs/GUARANTEES.md says.
import { expect, it } from 'vitest'
import { assign, createActor, emit, sendParent, sendTo, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import type { Loose } from '../support/conformance.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'

noUnhandledRejections()

function talkative() {
  const saw: unknown[] = []
  const types = {} as Loose
  const child = setup({ types }).createMachine({ on: { '*': { actions: sendParent({ type: 'ANSWER' }) } } })
  const machine = setup({ types, actors: { child } }).createMachine({
    id: 'talkative',
    context: { n: 0, got: [] },
    invoke: { src: 'child', id: 'child' },
    entry: emit({ type: 'BORN' }),
    on: {
      GO: {
        actions: [
          assign({ n: 1 }),
          ({ self }) => {
            saw.push((self.getSnapshot() as any).context.n)
            self.send({ type: 'SENT' })
          },
          sendTo('child', { type: 'ASK' }),
        ],
      },
      BOOM: {
        actions: assign(() => {
          throw new Error('boom')
        }),
      },
      '*': { actions: assign({ got: ({ context, event }) => [...context.got, event.type] }) },
    },
  })
  return { machine, saw }
}

it('K1: an action comes after all that its transition caused, and sees the state that it led to', async () => {
  const plain = talkative()
  const actor = createActor(plain.machine).start()
  actor.send({ type: 'GO' })
  expect([plain.saw, actor.getSnapshot().context.got]).toEqual([[0], ['SENT', 'ANSWER']])

  const { open } = world()
  const { machine, saw } = talkative()
  const kept = durable(machine)
  const host = await open([kept])
  const held = await host.actor(kept, 'i')
  await held.send({ type: 'GO' })
  await settle()
  expect([saw, held.getSnapshot().context.got]).toEqual([[1], ['ANSWER', 'SENT']])
  await host.close()
})

it('K8: a transition that throws refuses its event instead of ending the actor', async () => {
  const actor = createActor(talkative().machine)
  actor.subscribe({ error() {} })
  actor.start()
  actor.send({ type: 'BOOM' })
  expect(actor.getSnapshot().status).toBe('error')

  const { open } = world()
  const kept = durable(talkative().machine)
  const host = await open([kept])
  const held = await host.actor(kept, 'i')
  expect((await refused(held.send({ type: 'BOOM' }))).code).toBe('MACHINE_THREW')
  expect(held.getSnapshot().status).toBe('active')
  await host.close()
})

it('K1: sendTo a held durable actor is an effect that ends with the receipt', async () => {
  const { open } = world()
  const receiver = durable(talkative().machine, { id: 'receiver' })
  const types = {} as Loose
  let target: any
  const sender = durable(
    setup({ types }).createMachine({ id: 'sender', on: { TELL: { actions: sendTo(() => target, { type: 'NEWS' }) } } }),
  )
  const host = await open([receiver, sender])
  target = await host.actor(receiver, 'r')
  const actor = await host.actor(sender, 's')
  await actor.send({ type: 'TELL' })
  await settle()
  expect(target.getSnapshot().context.got).toEqual(['NEWS'])
  const records = []
  for await (const record of actor.history()) records.push(record)
  expect(records[1]?.effects?.started).toMatchObject([{ kind: 'action', src: 'xstate.sendTo' }])
  await host.close()
})
