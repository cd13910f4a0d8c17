import { expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { by, noUnhandledRejections, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'

noUnhandledRejections()

it('K1: resume runs no action of a commit that failed', async () => {
  const w = world()
  const ran: string[] = []
  const m = durable(
    setup({
      actions: {
        act: ({ event }: any) => {
          ran.push(event.type)
        },
      },
      actors: { p: fromPromise(async () => 1) },
    }).createMachine({
      id: 'c',
      invoke: { src: 'p', id: 'p', onDone: { actions: 'act' } },
      on: { GO: { actions: 'act' } },
    } as any),
  )
  const f = faultyJournal(w.journal)
  f.plan = (a) =>
    a.texts.some((t) => t.includes('xstate.promise.resolve')) ? { when: 'before', code: 'IO' } : undefined
  const h = await w.open([m], { journal: f })
  await h.actor(m, 'x')
  await settle()
  expect((await h.list())[0]!.status).toBe('parked')
  expect(ran).toEqual([])
  await h.resume(m, 'x', by)
  expect(ran).toEqual([])
  await settle()
  expect(ran).toEqual([])
})

it('K1: resume runs no action whose commit is under way', async () => {
  const w = world()
  const ran: string[] = []
  let fail = true
  const m = durable(
    setup({
      actions: {
        act: () => {
          ran.push('act')
        },
        bad: () => {
          if (fail) throw new Error('bad')
        },
      },
    }).createMachine({ id: 'c', on: { BAD: { actions: 'bad' }, GO: { actions: 'act' } } } as any),
  )
  const f = faultyJournal(w.journal)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  f.hold()
  const p1 = a.send({ type: 'BAD' } as any)
  await settle()
  const p2 = a.send({ type: 'GO' } as any)
  f.release()
  f.hold()
  await settle()
  expect((await h.list())[0]!.status).toBe('parked')
  fail = false
  expect(f.held).toBe(1)
  const resumed = h.resume(m, 'x', by)
  await settle()
  expect(ran).toEqual([])
  f.release()
  await p1
  await p2
  await resumed
  expect(ran).toEqual(['act'])
})
