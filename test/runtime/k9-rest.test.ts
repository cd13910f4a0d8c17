// K9: idle instances leave memory and come back on demand; who holds them notices nothing.
import { expect, it } from 'vitest'
import { assign, fromCallback, fromPromise, setup } from 'xstate'
import { deliver, durable } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { inMemory, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'

const counter = durable(
  setup({ types: {} as { context: { n: number }; events: { type: 'INC' } | { type: 'BOOM' } } }).createMachine({
    id: 'counter',
    context: { n: 0 },
    on: {
      INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      BOOM: {
        actions: () => {
          throw new Error('boom')
        },
      },
    },
  }),
)

const many = async (host: Awaited<ReturnType<ReturnType<typeof world>['open']>>, n: number) => {
  const actors = []
  for (let i = 0; i < n; i++) actors.push(await host.actor(counter, `c${i}`))
  return actors
}

it('K9: no more than maxActive idle instances are in memory', async () => {
  const { open } = world()
  const host = await open([counter], { maxActive: 10 })
  await many(host, 100)
  expect(inMemory(host)).toBe(10)
  expect(await host.list()).toHaveLength(100)
  await host.close()
})

it('K9: a held actor goes on over rest: send, state, subscribers, waitFor, history', async () => {
  const { open } = world()
  const host = await open([counter], { maxActive: 5 })
  const actors = await many(host, 50)
  const first = actors[0]!
  const seen: number[] = []
  first.subscribe((s) => seen.push(s.context.n))
  const three = first.waitFor((s) => s.context.n === 3)
  for (let round = 1; round <= 3; round++) {
    for (const actor of actors) {
      const receipt = await actor.send({ type: 'INC' })
      expect(receipt.seq).toBe(round + 1)
      expect(actor.getSnapshot().context.n).toBe(round)
    }
    expect(inMemory(host)).toBeLessThanOrEqual(5)
    expect(first.getSnapshot().context.n).toBe(round)
  }
  expect(seen).toEqual([1, 2, 3])
  expect((await three).context.n).toBe(3)
  const kinds = []
  for await (const { kind } of first.history()) kinds.push(kind)
  expect(kinds).toEqual(['start', 'event', 'event', 'event'])
  expect(await host.actor(counter, 'c0').then((a) => a.getSnapshot().context.n)).toBe(3)
  await host.close()
  expect((await refused(first.send({ type: 'INC' }))).code).toBe('CLOSED')
})

it('K9: who listens to a resting instance hears of what others send it', async () => {
  const { open } = world()
  const host = await open([counter], { maxActive: 1 })
  const [a] = await many(host, 3)
  expect(inMemory(host)).toBe(1)
  const seen: number[] = []
  a!.subscribe((s) => seen.push(s.context.n)) // while it rests
  await host.send(counter, 'c0', { type: 'INC' })
  await many(host, 3)
  await host.send(counter, 'c0', { type: 'INC' })
  expect(seen).toEqual([1, 2])
  await host.close()
})

it('K9 K6: a resting instance is woken when its delayed transition is due, also far ahead', async () => {
  const { open, clock } = world()
  const lamp = durable(
    setup({ types: {} as { input: { ms: number }; context: { ms: number } } })
      .createMachine({
        id: 'lamp',
        context: ({ input }) => input,
        initial: 'on',
        states: { on: { after: { ms: 'off' } }, off: {} },
      })
      .provide({ delays: { ms: ({ context }: { context: { ms: number } }) => context.ms } } as never),
  )
  const host = await open([lamp], { maxActive: 2 })
  const hour = 3_600_000
  for (const [i, ms] of [1000, hour, 5 * hour, 5 * hour + 1, 100 * hour].entries())
    await host.actor(lamp, `l${i}`, { input: { ms } })
  expect(inMemory(host)).toBe(2)
  const off = async () => (await host.list({ state: 'off' })).map(({ id }) => id).sort()
  const to = async (ms: number) => {
    for (let t = 0; t < ms; t += 30_000) {
      clock.advance(Math.min(30_000, ms - t))
      await settle()
    }
  }
  await to(999)
  expect(await off()).toEqual([])
  await to(1)
  expect(await off()).toEqual(['l0'])
  await to(hour)
  expect(await off()).toEqual(['l0', 'l1'])
  await to(4 * hour)
  expect(await off()).toEqual(['l0', 'l1', 'l2', 'l3'])
  clock.advance(200 * hour) // a jump
  await settle(20)
  expect(await off()).toEqual(['l0', 'l1', 'l2', 'l3', 'l4'])
  await host.close()
})

it('K6 K9: those that fell due while the host was down, or while they rested, fire in due order', async () => {
  const { open, clock, journal } = world()
  const lamp = durable(
    setup({
      types: {} as { input: { ms: number }; context: { ms: number } },
      delays: { ms: ({ context }) => context.ms },
    }).createMachine({
      id: 'lamp',
      context: ({ input }) => input,
      initial: 'on',
      states: { on: { after: { ms: 'off' } }, off: {} },
    }),
  )
  const host = await open([lamp], { maxActive: 7 })
  const delays = Array.from({ length: 300 }, (_, i) => ((i * 7919) % 300) + 1)
  for (const ms of delays) await host.actor(lamp, `l${ms}`, { input: { ms: ms * 1000 } })
  await host.close()
  const before = (await all(journal.readAll())).length
  clock.advance(200_000)
  const again = await open([lamp], { maxActive: 7 })
  await settle(200)
  clock.advance(200_000)
  await settle(200)
  const fired = (await all(journal.readAll())).slice(before).map(({ stream }) => stream)
  expect(fired).toEqual(Array.from({ length: 300 }, (_, i) => `lamp/l${i + 1}`))
  await again.close()
})

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

it('K9: what runs keeps its instance in memory, a call-off lets it go', async () => {
  const { open } = world()
  const stopped: string[] = []
  const busy = durable(
    setup({
      actors: {
        work: fromCallback(
          ({ self }) =>
            () =>
              void stopped.push(self.id),
        ),
        never: fromPromise(() => new Promise(() => {})),
      },
    }).createMachine({
      id: 'busy',
      initial: 'a',
      states: {
        a: {
          invoke: [
            { src: 'work', id: 'w' },
            { src: 'never', id: 'n' },
          ],
          on: { REST: 'b' },
        },
        b: {},
      },
    }),
  )
  const host = await open([busy], { maxActive: 1 })
  for (let i = 0; i < 10; i++) await host.actor(busy, `b${i}`)
  expect(inMemory(host)).toBe(10)
  for (let i = 0; i < 10; i++) await host.send(busy, `b${i}`, { type: 'REST' })
  await settle()
  expect(stopped).toHaveLength(10)
  expect(inMemory(host)).toBe(1)
  await host.close()
})

it('K4 K9: ids and deliveries are known over rest', async () => {
  const { open } = world()
  const sender = durable(
    setup({}).createMachine({
      id: 'sender',
      on: { GO: { actions: () => void deliver(counter, 'c0', { type: 'INC' }) } },
    }),
  )
  const host = await open([counter, sender], { maxActive: 1 })
  await many(host, 3)
  await host.actor(sender, 's')
  for (let i = 0; i < 5; i++) {
    await host.send(sender, 's', { type: 'GO' })
    await settle()
    await host.send(counter, 'c1', { type: 'INC' }, { id: 'once' })
  }
  const [c0, c1] = await many(host, 2)
  expect(c0!.getSnapshot().context.n).toBe(5)
  expect(c1!.getSnapshot().context.n).toBe(1)
  await host.close()
})

it('K8 K9: a refused event at a resting instance changes nothing, and it rests again', async () => {
  const { open } = world()
  const boom = durable(
    setup({ types: {} as { context: { n: number } } }).createMachine({
      id: 'boom',
      context: { n: 0 },
      on: {
        INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        BOOM: {
          actions: assign(() => {
            throw new Error('boom')
          }),
        },
      },
    }),
  )
  const host = await open([boom], { maxActive: 1 })
  const a = await host.actor(boom, 'a')
  await host.actor(boom, 'b')
  await a.send({ type: 'INC' })
  await host.actor(boom, 'b')
  expect((await refused(a.send({ type: 'BOOM' }))).code).toBe('MACHINE_THREW')
  await a.send({ type: 'INC' })
  expect(a.getSnapshot().context.n).toBe(2)
  await host.close()
})

it('K1 K9: an instance whose append is under way does not rest; concurrent senders at rest and at work lose nothing', async () => {
  const inner = memoryJournal()
  const journal = faultyJournal(inner)
  const { open } = world()
  const host = await open([counter], { journal, maxActive: 3 })
  const actors = await many(host, 20)
  const sends = Array.from({ length: 2000 }, (_, i) => actors[(i * 7) % 20]!.send({ type: 'INC' }))
  await Promise.all(sends)
  expect(actors.map((a) => a.getSnapshot().context.n)).toEqual(Array.from({ length: 20 }, () => 100))
  expect(inMemory(host)).toBeLessThanOrEqual(3)
  journal.hold()
  const waiting = actors.map((a) => a.send({ type: 'INC' }))
  await settle()
  expect(actors[0]!.getSnapshot().context.n).toBe(100)
  journal.release()
  await Promise.all(waiting)
  expect(actors.map((a) => a.getSnapshot().context.n)).toEqual(Array.from({ length: 20 }, () => 101))
  await host.close()
})

it('K9: two who open the same resting or missing instance at once get one', async () => {
  const { open } = world()
  const host = await open([counter], { maxActive: 1 })
  const [a, b] = await Promise.all([host.actor(counter, 'x'), host.actor(counter, 'x')])
  await host.actor(counter, 'y')
  const sends = [a.send({ type: 'INC' }), host.send(counter, 'x', { type: 'INC' }), b.send({ type: 'INC' })]
  expect((await Promise.all(sends)).map(({ seq }) => seq).sort()).toEqual([2, 3, 4])
  const opened = await Promise.allSettled([
    host.actor(counter, 'z', { create: 'only' }),
    host.actor(counter, 'z', { create: 'only' }),
    host.send(counter, 'z', { type: 'INC' }),
  ])
  expect(opened.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  await host.close()
})

it('K9 K2: what another host has done meanwhile is shown as soon as observers hear of it', async () => {
  const { open } = world()
  const host = await open([counter], { maxActive: 1 })
  const [first] = await many(host, 3)
  const other = await open([counter])
  await other.send(counter, 'c0', { type: 'INC' })
  const seen: number[][] = []
  first!.subscribe((s) => seen.push([s.context.n, first!.getSnapshot().context.n]))
  await host.send(counter, 'c0', { type: 'INC' })
  expect(seen).toEqual([
    [1, 1],
    [2, 2],
  ])
  await other.close()
  await host.close()
})
