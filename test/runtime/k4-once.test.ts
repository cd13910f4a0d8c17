import { expect, it } from 'vitest'
import { noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { crashJournal, faultyJournal } from '../support/journals.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

it('K4: the same id sent many times at once transitions once; all get the first receipt', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const receipts = await Promise.all(Array.from({ length: 20 }, () => actor.send({ type: 'INC' }, { id: 'one' })))
  expect(actor.getSnapshot().context.n).toBe(1)
  expect(new Set(receipts.map((r) => `${r.seq} ${r.position}`)).size).toBe(1)
  expect(receipts.filter((r) => !r.duplicate)).toHaveLength(1)
  await host.close()
})

it('K4: different ids among repeated ones keep their order and their own receipts', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const ids = ['a', 'b', 'a', 'c', 'b', 'd', 'a']
  const receipts = await Promise.all(ids.map((v) => actor.send({ type: 'SEE', v }, { id: v })))
  expect(actor.getSnapshot().context.seen).toEqual(['a', 'b', 'c', 'd'])
  expect(receipts.map((r) => r.duplicate)).toEqual([false, false, true, false, true, false, true])
  expect(receipts[2]!.seq).toBe(receipts[0]!.seq)
  await host.close()
})

it('K4: an id whose append failed can be sent again; one that the machine refused, too', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'c')
  faulty.plan = () => ({ when: 'before', code: 'IO' })
  await refused(actor.send({ type: 'INC' }, { id: 'x' }))
  faulty.plan = () => undefined
  expect(await actor.send({ type: 'INC' }, { id: 'x' })).toMatchObject({ duplicate: false })
  await refused(actor.send({ type: 'BOOM' }, { id: 'y' }))
  expect(await actor.send({ type: 'INC' }, { id: 'y' })).toMatchObject({ duplicate: false })
  expect(actor.getSnapshot().context.n).toBe(2)
  await host.close()
})

it.each(['before', 'after'] as const)(
  'K4: sent again after a crash %s the append, it transitions once',
  async (when) => {
    const { journal, clock, open } = world()
    const machine = counter()
    const host = await open([machine])
    await (await host.actor(machine, 'c')).send({ type: 'INC' })
    const dying = crashJournal(journal, 1, when)
    const host2 = await open([machine], { journal: dying })
    void (await host2.actor(machine, 'c')).send({ type: 'INC' }, { id: 'x' })
    await settle()
    expect(dying.crashed).toBe(true)
    clock.advance(1)
    const host3 = await open([machine])
    const actor = await host3.actor(machine, 'c')
    expect(actor.getSnapshot().context.n).toBe(when === 'after' ? 2 : 1)
    expect(await actor.send({ type: 'INC' }, { id: 'x' })).toMatchObject({ duplicate: when === 'after', seq: 3 })
    expect(actor.getSnapshot().context.n).toBe(2)
    await host3.close()
  },
)

it('K4: a receipt after a restart is the first one, handled or not', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const taken = await actor.send({ type: 'INC' }, { id: 'a' })
  const not = await actor.send({ type: 'NOBODY' }, { id: 'b' })
  expect([taken.handled, not.handled]).toEqual([true, false])
  await host.close()
  const host2 = await open([machine])
  const again = await host2.actor(machine, 'c')
  expect(await again.send({ type: 'INC' }, { id: 'a' })).toEqual({ ...taken, duplicate: true })
  expect(await again.send({ type: 'INC' }, { id: 'b' })).toEqual({ ...not, duplicate: true })
  await host2.close()
})

it('K4: the last 1,000 ids are remembered, also by the next host; an older one is not', async () => {
  const { journal, open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  await Promise.all(Array.from({ length: 1001 }, (_, i) => actor.send({ type: 'INC' }, { id: `id-${i}` })))
  await host.close()
  const host2 = await open([machine])
  const again = await host2.actor(machine, 'c')
  for (const i of [1000, 500, 1]) expect((await again.send({ type: 'INC' }, { id: `id-${i}` })).duplicate).toBe(true)
  expect((await again.send({ type: 'INC' }, { id: 'id-0' })).duplicate).toBe(false)
  expect(again.getSnapshot().context.n).toBe(1002)
  expect(await texts(journal, 'counter/c')).toHaveLength(1003)
  await host2.close()
})

it('K4: the option dedupe sets how many', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine], { dedupe: 2 })
  const actor = await host.actor(machine, 'c')
  for (const id of ['a', 'b', 'c']) await actor.send({ type: 'INC' }, { id })
  expect((await actor.send({ type: 'INC' }, { id: 'b' })).duplicate).toBe(true)
  expect((await actor.send({ type: 'INC' }, { id: 'a' })).duplicate).toBe(false)
  await host.close()
})

it('K4: the same id at another instance is another event', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const [a, b] = [await host.actor(machine, 'a'), await host.actor(machine, 'b')]
  expect((await a.send({ type: 'INC' }, { id: 'x' })).duplicate).toBe(false)
  expect((await b.send({ type: 'INC' }, { id: 'x' })).duplicate).toBe(false)
  await host.close()
})
