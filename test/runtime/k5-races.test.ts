// Effects against slow appends, operators, limits of time and each other.
import { expect, it } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { currentEffect, durable, type RetryPolicy } from '../../src/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { deferred } from '../support/deferred.ts'
import { by, engineOf, noUnhandledRejections, settle, world } from '../support/host.ts'
import { crashJournal, faultyJournal } from '../support/journals.ts'

noUnhandledRejections()

/** How many effects share the slots; 10,000 with DURAMEN_SOAK=1. */
const COUNT = process.env.DURAMEN_SOAK === undefined ? 2000 : 10_000

interface Begun {
  readonly key: string
  readonly attempt: number
}

/** A promise `work` with a policy; `begun` collects its attempts, `body` is what they do. */
function working(policy: RetryPolicy, body: (attempt: number) => unknown, begun: Begun[] = []) {
  const machine = durable(
    setup({
      types: {} as { context: { out: unknown[] }; events: { type: 'GO' | 'LEAVE' } },
      actors: {
        work: fromPromise(async () => {
          const { key, attempt } = currentEffect()
          begun.push({ key, attempt })
          return body(attempt)
        }),
      },
    }).createMachine({
      id: 'working',
      context: { out: [] },
      initial: 'busy',
      states: {
        idle: { on: { GO: 'busy' } },
        busy: {
          invoke: {
            src: 'work',
            id: 'work',
            onDone: {
              target: 'idle',
              actions: assign({ out: ({ context, event }) => [...context.out, event.output] }),
            },
            onError: 'idle',
          },
          on: { LEAVE: 'idle', GO: { target: 'busy', reenter: true } },
        },
      },
    }),
    { retry: { work: policy } },
  )
  return { machine, begun }
}

it('K5: an attempt that was about to begin when its instance was paused is on record when it begins after all', async () => {
  const { open, clock, journal } = world()
  const { machine, begun } = working({ attempts: 3, backoff: { first: '1s', jitter: 0 } }, (attempt) => {
    if (attempt === 1) throw new Error('the first failure')
    return attempt === 2 ? deferred().promise : 'done'
  })
  const dying = crashJournal(journal)
  const slow = faultyJournal(dying)
  const host = await open([machine], { journal: slow })
  await host.actor(machine, 'x')
  await settle()
  // the pause is on its way when the time of the second attempt comes
  slow.hold()
  const paused = host.pause(machine, 'x', by)
  await settle()
  clock.advance(1000)
  await settle()
  slow.release()
  await paused
  await settle()
  expect(begun.map((b) => b.attempt)).toEqual([1])
  await host.resume(machine, 'x', by)
  await settle()
  clock.advance(1000)
  await settle()
  const last = begun.at(-1)!.attempt
  expect(last).toBe(2)
  let recorded = 1
  for await (const record of journal.read('working/x'))
    recorded = decodeCommit(record).attempts?.['@1/work@1'] ?? recorded
  expect(recorded).toBe(last)
  dying.crash()
  const host2 = await open([machine])
  clock.advance(5000)
  await settle()
  clock.advance(5000)
  await settle()
  expect(begun.map((b) => b.attempt)).toEqual([1, 2, 3])
  await host2.close()
})

it(`K9: ${COUNT} effects with random ends, on 3 slots: never more than 3 run, all come to an end, all slots are free`, async () => {
  let seed = 20_261_122
  const chance = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  let now = 0
  let most = 0
  const ends = { done: 0, failed: 0, left: 0 }
  const machine = durable(
    setup({
      types: {} as { events: { type: 'LEAVE' } },
      actors: {
        work: fromPromise(async ({ signal }) => {
          most = Math.max(most, ++now)
          const end = chance()
          try {
            if (end < 0.2) throw new Error('at once')
            await new Promise<void>((resolve) => setImmediate(resolve))
            if (end < 0.4) throw new Error('later')
            // told to stop, by its timeout or because its state was left
            if (end < 0.45 && !signal.aborted)
              await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
            return end
          } finally {
            now--
          }
        }),
      },
    }).createMachine({
      id: 'many',
      initial: 'busy',
      states: {
        busy: { invoke: { src: 'work', id: 'work', onDone: 'done', onError: 'failed' }, on: { LEAVE: 'left' } },
        done: { type: 'final', entry: () => void ends.done++ },
        failed: { type: 'final', entry: () => void ends.failed++ },
        left: { type: 'final', entry: () => void ends.left++ },
      },
    }),
    { retry: { work: { attempts: 2, timeout: '1m', backoff: { first: 10, jitter: 1 }, concurrency: { limit: 3 } } } },
  )
  const { open, clock } = world()
  const host = await open([machine], { maxActive: 500 })
  for (let n = 0; n < COUNT; n++) {
    const actor = await host.actor(machine, `i-${n}`)
    if (chance() < 0.1) void actor.send({ type: 'LEAVE' })
    if (n % 50 === 0) clock.advance(20)
  }
  for (let n = 0; n < 20_000 && ends.done + ends.failed + ends.left < COUNT; n++) {
    clock.advance(n % 20 ? 20 : 60_000)
    await settle(2)
  }
  expect(ends.done + ends.failed + ends.left).toBe(COUNT)
  expect(Math.min(ends.done, ends.failed, ends.left)).toBeGreaterThan(COUNT / 40)
  expect([most, now]).toEqual([3, 0])
  const { slots } = engineOf(host) as unknown as { slots: { lines: Map<string, unknown>; open: { used: number }[] } }
  expect([slots.lines.size, slots.open[0]!.used]).toEqual([0, 0])
  await host.close()
}, 60_000)

it('K5: results that come late, twice, after the state was left and entered again, or after close count for nothing', async () => {
  const { open, clock, journal } = world()
  const ends: { resolve(value: unknown): void; reject(error: unknown): void }[] = []
  const body = () =>
    new Promise((resolve, reject) => {
      ends.push({ resolve, reject })
    })
  const { machine, begun } = working({ attempts: 2, timeout: '10s', backoff: { first: '1s' } }, body)
  const host = await open([machine], { closeTimeout: 1 })
  const actor = await host.actor(machine, 'x')
  await settle()
  clock.advance(10_000) // too late: the first attempt is over
  await settle()
  clock.advance(1000)
  await settle()
  expect(begun.map((b) => b.attempt)).toEqual([1, 2])
  ends[0]!.resolve('late')
  ends[0]!.resolve('twice')
  await settle()
  expect(actor.getSnapshot().value).toBe('busy')
  await actor.send({ type: 'GO' }) // left and entered again: another effect
  await settle()
  ends[1]!.resolve('of the one before')
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: 'busy', context: { out: [] } })
  expect(new Set(begun.map((b) => b.key)).size).toBe(2)
  ends[2]!.resolve('right')
  ends[2]!.reject(new Error('and wrong'))
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: 'idle', context: { out: ['right'] } })
  await actor.send({ type: 'GO' })
  await settle()
  const closed = host.close()
  await settle()
  clock.advance(1)
  await closed
  const before = (await journal.head('working/x'))!.seq
  ends[3]!.resolve('after close')
  await settle()
  clock.advance(60_000)
  await settle()
  expect((await journal.head('working/x'))!.seq).toBe(before)
})
