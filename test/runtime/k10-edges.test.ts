import { right } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import { createMachine, fromCallback, setup } from 'xstate'
import { DuramenError, deliver, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { isPending, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter as countingMachine, mailbox } from '../support/machines.ts'

noUnhandledRejections()

/** A read that fails. */
const failing = (retryable: boolean): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.reject(new DuramenError('IO', 'read fails', { retryable })),
  }),
})

const counter: any = (options?: any) => countingMachine(options)

it('K10: a callback whose cleanup throws harms nobody when its state is left', async () => {
  const w = world()
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(() => () => {
          throw new Error('cleanup')
        }),
      },
    }).createMachine({
      id: 'c',
      initial: 'a',
      states: { a: { invoke: { src: 'cb', id: 'cb' }, on: { B: 'b' } }, b: { on: { A: 'a' } } },
    } as any),
  )
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  const p = a.send({ type: 'B' } as any),
    q = a.send({ type: 'A' } as any)
  expect(await isPending(p)).toBe(false)
  expect(await isPending(q)).toBe(false)
})

it('K10: a callback whose cleanup throws does not stop close', async () => {
  const w = world()
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(() => () => {
          throw new Error('cleanup')
        }),
      },
    }).createMachine({ id: 'c', invoke: { src: 'cb', id: 'cb' } } as any),
  )
  const h = await w.open([m])
  await h.actor(m, 'x')
  await h.close()
})

it('K10: a callback whose state was left by a commit of unknown outcome is disposed of', async () => {
  const w = world()
  let stopped = 0
  const m = durable(
    setup({
      actors: {
        cb: fromCallback(() => () => {
          stopped++
        }),
      },
    }).createMachine({
      id: 'c',
      initial: 'a',
      states: { a: { invoke: { src: 'cb', id: 'cb' }, on: { B: 'b' } }, b: {} },
    } as any),
  )
  const f = faultyJournal(w.journal)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  const next = f.appends + 1
  f.plan = (_append, n) => (n === next ? { when: 'after', code: 'OUTCOME_UNKNOWN' } : undefined)
  await a.send({ type: 'B' } as any)
  await settle()
  expect(a.getSnapshot().value).toBe('b')
  expect(stopped).toBe(1)
})

it('K10: close stops intake at once', async () => {
  const w = world()
  const m = counter()
  const f = faultyJournal(w.journal)
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  await settle()
  f.hold()
  const p = a.send({ type: 'INC' })
  await settle()
  const c = h.close()
  await settle()
  const q = refused(a.send({ type: 'INC' }))
  f.release()
  await p
  await c
  expect((await q).code).toBe('CLOSED')
})

it('K10: an actor at its end says CLOSED after close', async () => {
  const w = world()
  const m = durable(createMachine({ id: 'c', initial: 'a', states: { a: { on: { F: 'f' } }, f: { type: 'final' } } }))
  const h = await w.open([m])
  const a = await h.actor(m, 'x')
  await a.send({ type: 'F' })
  await settle()
  await h.close()
  expect((await refused(a.send({ type: 'F' }))).code).toBe('CLOSED')
})

it('K10: waitFor ends when the instance breaks', async () => {
  const w = world()
  let bad = false
  const m = counter()
  const f = faultyJournal({
    ...w.journal,
    read: (s, r) => (bad ? failing(false) : w.journal.read(s, r)),
  })
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  const p = a.waitFor((s) => s.context.n === 9)
  p.catch(() => {})
  bad = true
  await a.send({ type: 'BOOM' }).catch(() => {})
  await settle()
  expect((await h.list())[0]!.status).toBe('broken')
  expect(await isPending(p)).toBe(false)
})

it('K10: an instance that is being loaded anew stays closed', async () => {
  const w = world()
  const m = counter()
  const gate = deferred()
  let slow = false
  const f = faultyJournal({
    ...w.journal,
    async *read(s, r) {
      if (slow) await gate.promise
      yield* w.journal.read(s, r)
    },
  })
  const h = await w.open([m], { journal: f })
  const a = await h.actor(m, 'x')
  slow = true
  await a.send({ type: 'BOOM' }).catch(() => {})
  const c = h.close()
  await settle()
  gate.resolve(1)
  await c
  await settle()
  const n = f.appends
  expect((await refused(a.send({ type: 'INC' }))).code).toBe('CLOSED')
  expect(f.appends).toBe(n)
})

it('K10: a delivery to a parked instance does not hold up close', async () => {
  const w = world()
  const box = mailbox()
  const bad = acting(() => {
    throw new Error('x')
  }, 'bad')
  void box
  const s = acting(() => deliver(bad, 'r', { type: 'INC' }), 'sender')
  const h = await w.open([bad, s])
  const r = await h.actor(bad, 'r')
  await r.send({ type: 'GO' })
  await settle()
  const a = await h.actor(s, 's')
  await a.send({ type: 'GO' })
  await settle()
  expect(await isPending(h.close())).toBe(false)
})

it('K10: a host that could not be opened has told its effects to stop', async () => {
  const w = world()
  let told = 0
  let begun = deferred()
  const cb = durable(
    setup({
      actors: {
        cb: fromCallback(() => {
          begun.resolve(undefined)
          return () => void told++
        }),
      },
    }).createMachine({ id: 'c', invoke: { src: 'cb', id: 'cb' } } as any),
  )
  const h = await w.open([cb])
  await h.actor(cb, 'x')
  await h.close()
  const before = told
  begun = deferred()
  const journal = faultyJournal({
    ...w.journal,
    close: () => async () => right(undefined),
    async *heads(filter) {
      yield* w.journal.heads(filter)
      await begun.promise
      throw new DuramenError('IO', 'heads fails')
    },
  })
  const opened = w.open([cb], { journal })
  expect((await refused(opened)).message).toContain('heads fails')
  expect(told).toBe(before + 1)
})
