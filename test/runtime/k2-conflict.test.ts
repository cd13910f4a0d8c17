import { expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

it('K2: a writer that lost the race loads what was written and decides again; nothing is overwritten', async () => {
  const { clock, open } = world()
  const machine = counter()
  const [one, two] = [await open([machine]), await open([machine])]
  const a = await one.actor(machine, 'c')
  clock.advance(1)
  const b = await two.actor(machine, 'c')
  const seen: number[] = []
  b.subscribe((s) => seen.push(s.context.n))
  for (let i = 0; i < 5; i++) {
    clock.advance(1)
    expect(await a.send({ type: 'INC' })).toMatchObject({ seq: 2 + 2 * i })
    clock.advance(1)
    expect(await b.send({ type: 'INC' })).toMatchObject({ seq: 3 + 2 * i, duplicate: false })
    expect(b.getSnapshot().context.n).toBe(2 + 2 * i)
  }
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await one.close()
  await two.close()
})

it('K2: two hosts that create the same instance get one, with one start', async () => {
  const { journal, clock, open } = world()
  const machine = counter()
  const [one, two] = [await open([machine]), await open([machine])]
  const a = await one.actor(machine, 'c')
  await a.send({ type: 'INC' })
  clock.advance(1)
  const b = await two.actor(machine, 'c')
  expect(b.getSnapshot().context.n).toBe(1)
  expect((await texts(journal, 'counter/c')).filter((t) => t.includes('"kind":"start"'))).toHaveLength(1)
  await one.close()
  await two.close()
})

it('K2: an event whose decision another writer has changed is decided on the new state', async () => {
  const { clock, open } = world()
  const machine = durable(
    setup({}).createMachine({
      id: 'door',
      initial: 'open',
      states: {
        open: { on: { CLOSE: 'closed', LOCK: 'jammed' } },
        closed: { on: { LOCK: 'locked' } },
        locked: {},
        jammed: {},
      },
    }),
  )
  const [one, two] = [await open([machine]), await open([machine])]
  const a = await one.actor(machine, 'd')
  clock.advance(1)
  const b = await two.actor(machine, 'd')
  await a.send({ type: 'CLOSE' })
  clock.advance(1)
  await b.send({ type: 'LOCK' })
  expect(b.getSnapshot().value).toBe('locked')
  await one.close()
  await two.close()
})

it('K2: an effect that was decided but not committed is not done; the one that is decided again is, once', async () => {
  const ran: string[] = []
  const { clock, open } = world()
  const machine = acting((event) => void ran.push(`${event.who} ${thisEffect()}`))
  const [one, two] = [await open([machine]), await open([machine])]
  const a = await one.actor(machine, 'x')
  clock.advance(1)
  const b = await two.actor(machine, 'x')
  await a.send({ type: 'INC' })
  clock.advance(1)
  await b.send({ type: 'GO', who: 'b' })
  expect(ran).toEqual(['b acting/x/3/0#1'])
  await one.close()
  await two.close()
})

it('K2: conflicts without end are given up with CONFLICT, and the instance stays', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'c')
  faulty.plan = () => ({ when: 'before', code: 'CONFLICT' })
  expect((await refused(actor.send({ type: 'INC' }))).code).toBe('CONFLICT')
  faulty.plan = () => undefined
  await actor.send({ type: 'INC' })
  expect(actor.getSnapshot().context.n).toBe(1)
  await host.close()
})

it('K2: a running promise is not started twice by loading anew', async () => {
  let started = 0
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = durable(
    setup({
      actors: {
        work: fromPromise(() => {
          started++
          return new Promise(() => {})
        }),
      },
    }).createMachine({ id: 'works', invoke: { src: 'work', id: 'work' }, on: { X: {} } }),
  )
  const host = await open([machine], { journal: faulty, closeTimeout: 0 })
  const actor = await host.actor(machine, 'w')
  await settle()
  let once = true
  faulty.plan = () => {
    if (!once) return undefined
    once = false
    return { when: 'before', code: 'CONFLICT' }
  }
  await actor.send({ type: 'X' } as never)
  await settle()
  expect(started).toBe(1)
})
