import { expect, it } from 'vitest'
import { fromCallback, fromPromise, setup } from 'xstate'
import { deliver, durable, type RetryPolicy } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'
import { mailbox } from '../support/machines.ts'

noUnhandledRejections()

interface Input {
  key: string
}

/** Counts how many run at once, in all and by key. */
function counted(policy: RetryPolicy, work: (key: string) => unknown) {
  const now = new Map<string, number>()
  const most = new Map<string, number>()
  const step = (key: string, by: number) => {
    now.set(key, (now.get(key) ?? 0) + by)
    most.set(key, Math.max(most.get(key) ?? 0, now.get(key)!))
  }
  const machine = durable(
    setup({
      types: {} as { input: Input; context: Input; events: { type: 'LEAVE' } },
      actors: {
        work: fromPromise<unknown, Input>(async ({ input }) => {
          step(input.key, 1)
          step('all', 1)
          try {
            return await work(input.key)
          } finally {
            step(input.key, -1)
            step('all', -1)
          }
        }),
      },
    }).createMachine({
      id: 'counted',
      context: ({ input }) => input,
      initial: 'a',
      states: {
        a: {
          invoke: { src: 'work', id: 'work', input: ({ context }) => context, onDone: 'done' },
          on: { LEAVE: 'left' },
        },
        left: {},
        done: { type: 'final' },
      },
    }),
    { retry: { work: policy } },
  )
  return { machine, most, now }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

it('K9: of 1,000 effects never more than 3 with one key run at once, and all come to their end', async () => {
  const { machine, most } = counted({ concurrency: { limit: 3, key: (input: Input) => input.key } }, turn)
  const { open } = world()
  const host = await open([machine])
  await Promise.all(
    Array.from({ length: 1000 }, (_, n) => host.actor(machine, `i-${n}`, { input: { key: n % 2 ? 'a' : 'b' } })),
  )
  while ((await host.list({ status: 'done' })).length < 1000) await settle()
  expect(Object.fromEntries(most)).toEqual({ a: 3, b: 3, all: 6 })
  await host.close()
})

it('K9: not more than maxEffects run at once on a host', async () => {
  const { machine, most } = counted({}, turn)
  const { open } = world()
  const host = await open([machine], { maxEffects: 5 })
  await Promise.all(Array.from({ length: 100 }, (_, n) => host.actor(machine, `i-${n}`, { input: { key: 'a' } })))
  while ((await host.list({ status: 'done' })).length < 100) await settle()
  expect(most.get('all')).toBe(5)
  await host.close()
})

it('K9: who waits for a key holds up nobody with another, and leaving the state ends the wait', async () => {
  const gate = deferred()
  const { machine, now } = counted({ concurrency: { limit: 1, key: (i: Input) => i.key } }, () => gate.promise)
  const { open } = world()
  const host = await open([machine])
  const at = (id: string, key: string) => host.actor(machine, id, { input: { key } })
  await at('a1', 'a')
  const waits = await at('a2', 'a')
  await at('b', 'b')
  await settle()
  expect(Object.fromEntries(now)).toEqual({ a: 1, b: 1, all: 2 })
  await waits.send({ type: 'LEAVE' })
  gate.resolve(0)
  await settle()
  expect(now.get('all')).toBe(0)
  expect(waits.getSnapshot().value).toBe('left')
  await host.close()
})

it('K9: one that was left and ignores its signal keeps its slot until it ends, or the policy says for how long', async () => {
  const gate = deferred()
  const { machine, now, most } = counted({ concurrency: { limit: 1 }, timeout: '10s' }, () => gate.promise)
  const { open, clock } = world()
  const host = await open([machine])
  const first = await host.actor(machine, 'x', { input: { key: 'a' } })
  await host.actor(machine, 'y', { input: { key: 'b' } })
  await settle()
  await first.send({ type: 'LEAVE' })
  await settle()
  expect(now.get('b')).toBeUndefined()
  clock.advance(10_000)
  await settle()
  expect([now.get('a'), now.get('b')]).toEqual([1, 1])
  gate.resolve(0)
  await settle()
  expect(most.get('all')).toBe(2)
  await host.close()
})

it('K9: rate: so many begin within a time, the others as time goes on', async () => {
  let begun = 0
  const { machine } = counted({ rate: { limit: 2, per: '1s' } }, () => ++begun)
  const { open, clock } = world()
  const host = await open([machine])
  for (let n = 0; n < 5; n++) await host.actor(machine, `i-${n}`, { input: { key: 'a' } })
  await settle()
  expect(begun).toBe(2)
  clock.advance(999)
  await settle()
  expect(begun).toBe(2)
  clock.advance(1)
  await settle()
  expect(begun).toBe(4)
  clock.advance(1000)
  await settle()
  expect(begun).toBe(5)
  await host.close()
})

it('K9: a callback that floods the mailbox is ended with MAILBOX_FULL, and its machine hears of it', async () => {
  let flood = () => {}
  const machine = durable(
    setup({
      types: {} as { context: { code: unknown } },
      actors: {
        spring: fromCallback(({ sendBack }) => {
          flood = () => {
            for (let n = 0; n < 1000; n++) sendBack({ type: 'DROP' })
          }
        }),
      },
    }).createMachine({
      id: 'flooded',
      context: { code: undefined },
      initial: 'a',
      states: { a: { invoke: { src: 'spring', id: 'spring', onError: 'b' } }, b: {} },
    }),
  )
  const { open } = world()
  const host = await open([machine], { mailbox: 20, pipeline: 4 })
  const actor = await host.actor(machine, 'x')
  await settle()
  flood()
  await settle(40)
  expect(actor.getSnapshot()).toMatchObject({ value: 'b', status: 'active' })
  expect(actor.getSnapshot().children.spring).toBeUndefined()
  await host.close()
})

it('K9: the senders that a receiver remembers do not grow with the promises that have delivered and ended', async () => {
  const box = mailbox('pruned')
  const machine = durable(
    setup({
      types: {} as { events: { type: 'GO' } },
      actors: { tell: fromPromise(async () => void (await deliver(box, 'box', { type: 'MSG', v: 1 }))) },
    }).createMachine({
      id: 'teller',
      initial: 'idle',
      states: { idle: { on: { GO: 'busy' } }, busy: { invoke: { src: 'tell', id: 'tell', onDone: 'idle' } } },
    }),
  )
  const { open, journal } = world()
  const host = await open([machine, box], { snapshotEvery: 1 })
  await host.actor(box, 'box')
  const actor = await host.actor(machine, 't')
  for (let n = 0; n < 50; n++) {
    await actor.send({ type: 'GO' })
    await settle(3)
  }
  expect((await host.actor(box, 'box')).getSnapshot().context.got).toHaveLength(50)
  const snapshot = await journal.snapshot('pruned/box')
  expect(snapshot!.text.split('teller/t').length - 1).toBeLessThan(5)
  await host.close()
})
