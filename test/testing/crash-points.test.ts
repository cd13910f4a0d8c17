import { expect, test } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { currentEffect, durable, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import {
  crashJournal,
  everyCrashPoint,
  faultyJournal,
  kept,
  type Life,
  nth,
  quietLogger,
} from '../../src/testing/index.ts'

/** Who takes the money, once for each key; or each time. */
function bank(careful: boolean) {
  const charged: string[] = []
  const charge = async (key: string) => {
    if (!careful || !charged.includes(key)) charged.push(key)
  }
  const order = durable(
    setup({ actors: { charge: fromPromise(() => charge(currentEffect().key)) } }).createMachine({
      id: 'order',
      initial: 'open',
      states: {
        open: { on: { PAY: 'paying' } },
        paying: { invoke: { src: 'charge', id: 'charge', onDone: 'paid' } },
        paid: {},
      },
    }),
  )
  return { order, charged }
}

async function shop({ journal, clock, outside }: Life<ReturnType<typeof bank>>) {
  const host = await openHost({ journal, clock, machines: [outside.order], logger: quietLogger })
  const actor = await host.actor(outside.order, 'o-1')
  await actor.send({ type: 'PAY' }, { id: 'pay' })
  await actor.waitFor((state) => state.matches('paid'))
  await host.close()
}

test('everyCrashPoint: an effect that honours its key is done once wherever the process dies', async () => {
  const points: string[] = []
  const tried = await everyCrashPoint(
    shop,
    ({ outside, point }) => {
      points.push(`${point.when} ${point.write}`)
      expect(outside.charged).toHaveLength(1)
    },
    { outside: () => bank(true) },
  )
  // start and statechart, PAY, the bank's answer; the last of each is without a crash
  expect(tried).toBe(8)
  expect(points).toEqual(['before', 'after'].flatMap((when) => [1, 2, 3, 4, 5].map((n) => `${when} ${n}`)))
})

test('everyCrashPoint: one that does not is found, and where', async () => {
  const found = everyCrashPoint(shop, ({ outside }) => expect(outside.charged).toHaveLength(1), {
    outside: () => bank(false),
  })
  await expect(found).rejects.toThrow(/^crash before write 4: expected .* to have a length of 1 but got 2/)
})

test('everyCrashPoint: what is wrong without a crash is said so; a scenario that hangs is ended', async () => {
  await expect(everyCrashPoint(shop, () => expect(1).toBe(2), { outside: () => bank(true) })).rejects.toThrow(
    /^crash before write 1: /,
  )
  const nothing = async () => {}
  await expect(everyCrashPoint(nothing, () => Promise.reject(new Error('so it is')))).rejects.toThrow(
    'without a crash: so it is',
  )
  const hanging = () => new Promise<void>(() => {})
  await expect(everyCrashPoint(hanging, nothing, { limit: 5 })).rejects.toThrow('has not ended after 5 ms')
})

const append = { stream: 'a/1', expected: 0, texts: ['x'] }

test('faultyJournal: the nth append fails, or its answer is lost; the others go through', async () => {
  for (const when of ['before', 'after'] as const) {
    const inner = memoryJournal()
    const journal = faultyJournal(inner, nth(2, { when, code: 'IO', retryable: true }))
    const answers = []
    for (const stream of ['a/1', 'a/2', 'a/3']) answers.push(await journal.append({ ...append, stream })())
    expect(answers).toMatchObject([
      { _tag: 'Right' },
      { _tag: 'Left', left: { code: 'IO', retryable: true } },
      { _tag: 'Right' },
    ])
    const written: string[] = []
    for await (const { stream } of inner.readAll()) written.push(stream)
    expect(written).toEqual(when === 'before' ? ['a/1', 'a/3'] : ['a/1', 'a/2', 'a/3'])
    expect(journal.appends).toBe(3)
  }
})

test('faultyJournal: held appends wait, and go on in order', async () => {
  const journal = faultyJournal(memoryJournal())
  journal.hold()
  const answers = [journal.append(append)(), journal.append({ ...append, expected: 1 })()]
  expect(await Promise.race([...answers, 'waiting'])).toBe('waiting')
  expect(journal.held).toBe(2)
  journal.release()
  expect(await Promise.all(answers)).toMatchObject([{ right: { position: 1 } }, { right: { position: 2 } }])
})

test('crashJournal: from the crash on nothing is answered; what was written is there for the next', async () => {
  for (const when of ['before', 'after'] as const) {
    const inner = memoryJournal()
    const journal = crashJournal(inner, 1, when)
    const answers: Promise<unknown>[] = [
      journal.append(append)(),
      journal.close()(),
      journal.read('a/1')[Symbol.asyncIterator]().next(),
    ]
    await journal.death
    expect(await Promise.race([...answers, new Promise((go) => setTimeout(go, 5, 'nothing'))])).toBe('nothing')
    const next = await kept(inner).read('a/1')[Symbol.asyncIterator]().next()
    expect(next.done).toBe(when === 'before')
  }
})

test('everyCrashPoint: snapshots and trims are writes, too', async () => {
  const points: string[] = []
  const writes = async ({ journal }: Life<undefined>) => {
    const seq = (await journal.head('a/1'))?.seq ?? 0
    await journal.append({ stream: 'a/1', expected: seq, texts: ['x', 'y'] })()
    await journal.saveSnapshot({ stream: 'a/1', seq: seq + 2, text: 'xy' })()
    await journal.trim('a/1', seq + 2)()
  }
  await everyCrashPoint(writes, async ({ journal, point: { write, when } }) => {
    points.push(`${when} ${write}: ${(await journal.head('a/1'))?.seq}`)
  })
  const after = ['after 1: 4', 'after 2: 4', 'after 3: 4', 'after 4: 2']
  expect(points).toEqual(['before 1: 2', 'before 2: 4', 'before 3: 4', 'before 4: 2', ...after])
})
