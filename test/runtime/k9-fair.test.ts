// K9: however much waits, nobody else waits long for it.
import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { Timers } from '../../src/runtime/timers.ts'
import { world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'

const counter = durable(
  setup({ types: {} as { context: { n: number }; events: { type: 'INC' } } }).createMachine({
    id: 'counter',
    context: { n: 0 },
    on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  }),
)

it('K9: an instance that is flooded leaves the others their turns', async () => {
  const { open } = world()
  const host = await open([counter], { mailbox: 20_000 })
  const flooded = await host.actor(counter, 'flooded')
  const other = await host.actor(counter, 'other')
  const flood = Array.from({ length: 10_000 }, () => flooded.send({ type: 'INC' }))
  await other.send({ type: 'INC' })
  expect(flooded.getSnapshot().context.n).toBeLessThan(1000)
  await Promise.all(flood)
  expect(flooded.getSnapshot().context.n).toBe(10_000)
  await host.close()
})

it('K9: the event loop has its turn while senders never rest', async () => {
  const { open } = world()
  const host = await open([counter])
  const actors = await Promise.all(Array.from({ length: 20 }, (_, i) => host.actor(counter, `c${i}`)))
  let turns = 0
  let over = false
  const tick = () => {
    turns++
    if (!over) setImmediate(tick)
  }
  setImmediate(tick)
  let left = 20_000
  const sender = async (i: number) => {
    while (left-- > 0) await actors[i % 20]!.send({ type: 'INC' })
  }
  await Promise.all(Array.from({ length: 100 }, (_, i) => sender(i)))
  over = true
  expect(turns).toBeGreaterThan(10)
  await host.close()
})

it('K9: full mailboxes of many instances are worked off in turn, and in order within each', async () => {
  const { open } = world()
  const journal = faultyJournal(memoryJournal())
  const host = await open([counter], { journal })
  const actors = await Promise.all(Array.from({ length: 50 }, (_, i) => host.actor(counter, `c${i}`)))
  journal.hold()
  const ended: number[] = []
  const sends = actors.flatMap((actor, i) =>
    Array.from({ length: 1000 }, async (_, n) => {
      const { seq } = await actor.send({ type: 'INC' })
      expect(seq).toBe(n + 2)
      if (n === 999) ended.push(i)
    }),
  )
  journal.release()
  let turns = 0
  const counting = setInterval(() => turns++, 0)
  await Promise.all(sends)
  clearInterval(counting)
  expect(turns).toBeGreaterThan(5)
  expect(ended).toHaveLength(50)
  await host.close()
})

it('K6 K9: of many timers that are due at once a batch fires, then others have their turn; all fire, in due order', () => {
  const waiting = new Set<() => void>()
  const clock = {
    now: () => 1000,
    after(_ms: number, fn: () => void) {
      waiting.add(fn)
      return () => waiting.delete(fn)
    },
  }
  const fired: string[] = []
  const timers = new Timers(clock, {
    waits: () => true,
    due: (_stream, key) => void fired.push(key),
    wake: () => Promise.resolve(),
  })
  const names = Array.from({ length: 1000 }, (_, i) => `t${i}`)
  for (const [i, name] of names.entries()) timers.add(i < 900 ? i : 1001, 'm/a', name)
  const turns: number[] = []
  for (let before = 0; before < 900; before = fired.length) {
    expect(waiting.size).toBe(1)
    const [turn] = waiting
    waiting.delete(turn!)
    turn!()
    turns.push(fired.length - before)
  }
  expect(Math.max(...turns)).toBeLessThanOrEqual(64)
  expect(fired).toEqual(names.slice(0, 900))
})
