import { expect, it } from 'vitest'
import { createActor, fromPromise, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'
import { crashJournal } from '../support/journals.ts'
import { acting, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

const working = (work: () => Promise<unknown>) =>
  durable(
    setup({ actors: { work: fromPromise(work) } }).createMachine({
      id: 'working',
      initial: 'a',
      states: { a: { invoke: { src: 'work', id: 'work', onDone: 'b' } }, b: {} },
    }),
  )

it('K5: keys are stable and unique, the first attempt is 1', async () => {
  const ran: string[] = []
  const { open } = world()
  const machine = acting(() => void ran.push(thisEffect()))
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  await actor.send({ type: 'INC' })
  await actor.send({ type: 'GO' })
  expect(ran).toEqual(['acting/x/2/0#1', 'acting/x/4/0#1'])
  await host.close()
})

it('K5: under plain createActor the same code has a key, without durability', () => {
  const { key, attempt, signal } = currentEffect()
  expect(key).toMatch(/^[0-9a-f-]{36}$/)
  expect([attempt, signal.aborted]).toEqual([1, false])
})

it('K5: a completion is recorded with the next commit, or within a second by one of its own', async () => {
  const { journal, clock, open } = world()
  const machine = acting(() => {})
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  await actor.send({ type: 'GO' })
  await settle()
  clock.advance(1000)
  await settle()
  const seen: unknown[] = []
  for await (const record of journal.read('acting/x')) {
    const { kind, finished, unfinished } = decodeCommit(record)
    seen.push([kind, finished, unfinished])
  }
  expect(seen).toEqual([
    ['start', undefined, undefined],
    ['event', undefined, 1],
    ['event', ['2/0'], 1],
    ['mark', ['3/0'], undefined],
  ])
  await host.close()
})

it('K5: an action is not finished before the promise that it returns; a crash meanwhile takes it up again', async () => {
  const ran: string[] = []
  let gate = deferred()
  const { journal, clock, open } = world()
  const machine = acting(async () => {
    ran.push(thisEffect())
    await gate.promise
  })
  const dying = crashJournal(journal)
  const host = await open([machine], { journal: dying })
  void (await host.actor(machine, 'x')).send({ type: 'GO' })
  await settle()
  dying.crash()
  const dying2 = crashJournal(journal)
  await open([machine], { journal: dying2 })
  await settle()
  dying2.crash()
  gate = deferred()
  const host3 = await open([machine])
  await settle()
  expect(ran).toEqual(['acting/x/2/0#1', 'acting/x/2/0#2', 'acting/x/2/0#3'])
  gate.resolve(0)
  await settle()
  clock.advance(1000)
  await settle()
  await host3.close()
  const host4 = await open([machine])
  await settle()
  expect(ran).toHaveLength(3)
  await host4.close()
})

it('K5: a promise that was under way is started again with the same key and the next attempt; one that has settled never', async () => {
  const ran: string[] = []
  let gate = deferred()
  const { journal, open } = world()
  const machine = working(() => {
    ran.push(thisEffect())
    return gate.promise
  })
  const dying = crashJournal(journal)
  await (await open([machine], { journal: dying })).actor(machine, 'x')
  await settle()
  dying.crash()
  gate = deferred()
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  expect(ran).toEqual(['working/x@1/work@1#1', 'working/x@1/work@1#2'])
  gate.resolve(1)
  await actor.waitFor((s) => s.matches('b'))
  await host.close()
  const host2 = await open([machine])
  await settle()
  expect(ran).toHaveLength(2)
  await host2.close()
})

it('K5: an effect that kills its process on every attempt still counts its attempts', async () => {
  const ran: string[] = []
  const { journal, open } = world()
  let dying = crashJournal(journal)
  const machine = working(() => {
    ran.push(thisEffect())
    dying.crash()
    return new Promise(() => {})
  })
  void (await open([machine], { journal: dying })).actor(machine, 'x').catch(() => {})
  await settle()
  for (let i = 0; i < 3; i++) {
    dying = crashJournal(journal)
    await open([machine], { journal: dying })
    await settle()
  }
  expect(ran.map((r) => r.split('#')[1])).toEqual(['1', '2', '3', '4'])
})

it('K5: leaving the state aborts the signal of the effect', async () => {
  const signals: AbortSignal[] = []
  const { open } = world()
  const machine = durable(
    setup({
      actors: {
        work: fromPromise(({ signal }) => {
          signals.push(signal, currentEffect().signal)
          return new Promise(() => {})
        }),
      },
    }).createMachine({
      id: 'leaving',
      initial: 'a',
      states: { a: { invoke: { src: 'work', id: 'work' }, on: { OFF: 'b' } }, b: {} },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  expect(signals.map((s) => s.aborted)).toEqual([false, false])
  await actor.send({ type: 'OFF' })
  expect(signals.map((s) => s.aborted)).toEqual([true, true])
  await host.close()
})

it('K5: the same machine runs under plain createActor, its effects with keys of their own', async () => {
  const ran: string[] = []
  const machine = acting(() => void ran.push(thisEffect()))
  const plain = createActor(machine.machine).start()
  plain.send({ type: 'GO' })
  plain.send({ type: 'GO' })
  plain.stop()
  expect(ran).toHaveLength(2)
  expect(new Set(ran).size).toBe(2)
  for (const line of ran) expect(line).toMatch(/^[0-9a-f-]{36}#1$/)
})
