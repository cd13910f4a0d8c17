import { expect, test } from 'vitest'
import { type ActorRefFrom, assign, sendTo, setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { frozen, quietLogger } from '../../src/testing/index.ts'

const child = setup({
  types: {} as { context: { deep: { list: number[] } }; events: { type: 'SPOIL' } | { type: 'ADD' } },
}).createMachine({
  id: 'child',
  context: { deep: { list: [] } },
  on: {
    SPOIL: { actions: ({ context }) => context, guard: ({ context }) => context.deep.list.push(1) > 0 },
    ADD: { actions: assign({ deep: ({ context }) => ({ list: [...context.deep.list, 1] }) }) },
  },
})

const parent = durable(
  setup({
    types: {} as {
      context: { kid: ActorRefFrom<typeof child>; seen: { at: Date; map: Map<string, number> }[] }
      events: { type: 'SEE' } | { type: 'SPOIL' } | { type: 'SPOIL KID' } | { type: 'ADD' }
    },
    actors: { child },
  }).createMachine({
    id: 'parent',
    context: ({ spawn }) => ({ kid: spawn('child', { id: 'kid' }), seen: [] }),
    on: {
      SEE: {
        actions: assign({ seen: ({ context }) => [...context.seen, { at: new Date(), map: new Map([['a', 1]]) }] }),
      },
      SPOIL: {
        actions: assign(({ context }) => {
          context.seen.length = 0
          return {}
        }),
      },
      'SPOIL KID': { actions: sendTo('kid', { type: 'SPOIL' }) },
      ADD: { actions: sendTo('kid', { type: 'ADD' }) },
    },
  }),
)

test('frozen: the machine works as before; what it writes into its context is refused, also in a child, also after a load', async () => {
  const machine = frozen(parent)
  const host = await openHost({
    journal: memoryJournal(),
    machines: [machine],
    logger: quietLogger,
    snapshotEvery: 2,
  })
  const actor = await host.actor(machine, 'p')
  for (let i = 0; i < 3; i++) {
    await actor.send({ type: 'SEE' })
    await actor.send({ type: 'ADD' })
    await expect(actor.send({ type: 'SPOIL' }), 'refused, and loaded from a checkpoint').rejects.toMatchObject({
      code: 'MACHINE_THREW',
    })
    await expect(actor.send({ type: 'SPOIL KID' })).rejects.toMatchObject({ code: 'MACHINE_THREW' })
  }
  const { seen, kid } = actor.getSnapshot().context
  expect(seen).toHaveLength(3)
  expect(seen[0]?.map.get('a')).toBe(1)
  expect(kid.getSnapshot().context.deep.list).toEqual([1, 1, 1])
  await host.close()
})

test('frozen: the machine that it was made of is as it was', async () => {
  frozen(parent)
  const host = await openHost({ journal: memoryJournal(), machines: [parent], logger: quietLogger })
  const actor = await host.actor(parent, 'p')
  expect((await actor.send({ type: 'SPOIL' })).handled).toBe(true)
  await host.close()
})
