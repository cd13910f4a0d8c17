import { expect, it } from 'vitest'
import { emit, fromCallback, sendTo, setup } from 'xstate'
import { DuramenError, durable } from '../../src/index.ts'
import { isPending, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { counter as countingMachine } from '../support/machines.ts'

noUnhandledRejections()

const counter: any = (options?: any) => countingMachine(options)

/** A read that fails. */
const failing = (retryable: boolean): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.reject(new DuramenError('IO', 'read fails', { retryable })),
  }),
})

it('K11: when the outcome stays unknown because reading fails, the error says so', async () => {
  const w = world()
  const m = counter()
  let bad = false
  const f = faultyJournal({
    ...w.journal,
    read: (s, r) => {
      if (bad) return failing(false)
      return w.journal.read(s, r)
    },
  })
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  f.plan = () => ({ when: 'after', code: 'OUTCOME_UNKNOWN' })
  bad = true
  const refusal = refused(a.send({ type: 'INC' }))
  for (let i = 0; i < 50; i++) {
    await settle()
    w.clock.advance(1000)
  }
  expect(await isPending(refusal)).toBe(false)
  const e = await refusal
  expect(e.code).toBe('OUTCOME_UNKNOWN')
})

it('K11: an instance that could not be read comes back once it can', async () => {
  const w = world()
  const m = counter()
  let bad = false
  const f = faultyJournal({
    ...w.journal,
    read: (s, r) => {
      if (bad) return failing(true)
      return w.journal.read(s, r)
    },
  })
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  f.plan = () => ({ when: 'before', code: 'CONFLICT' })
  bad = true
  const sent = a.send({ type: 'INC' }).catch(() => {})
  await settle()
  bad = false
  f.plan = () => undefined
  w.clock.advance(1000)
  await sent
  const b = await h.actor(m, 'x')
  await b.send({ type: 'INC' })
})

it('K11: an event to a callback is not lost by an unknown outcome', async () => {
  const w = world()
  const got: string[] = []
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(({ receive }) => {
          receive((e) => {
            got.push(e.type)
          })
        }),
      },
    }).createMachine({
      id: 'c',
      invoke: { src: 'cb', id: 'cb' },
      on: { T: { actions: sendTo('cb', { type: 'X' }) } },
    } as any),
  )
  const f = faultyJournal(w.journal)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  const next = f.appends + 1
  f.plan = (_append, n) => (n === next ? { when: 'after', code: 'OUTCOME_UNKNOWN' } : undefined)
  await a.send({ type: 'T' } as any)
  await settle()
  expect(got).toEqual(['X'])
})

it('K11: an emitted event is not lost by an unknown outcome', async () => {
  const w = world()
  const got: any[] = []
  const m = durable(setup({}).createMachine({ id: 'c', on: { T: { actions: emit({ type: 'E' }) } } } as any))
  const f = faultyJournal(w.journal)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  a.on('*' as never, ((e: any) => got.push(e.type)) as never)
  const next = f.appends + 1
  f.plan = (_append, n) => (n === next ? { when: 'after', code: 'OUTCOME_UNKNOWN' } : undefined)
  await a.send({ type: 'T' } as any)
  await settle()
  expect(got).toEqual(['E'])
})
