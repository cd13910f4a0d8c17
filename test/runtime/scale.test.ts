// K9 at its limits: many instances in the memory of few, and a day of timers and events without growth.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { right } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { fileJournal, type Journal, memoryJournal, type StoredRecord } from '../../src/journal/index.ts'
import { virtualClock } from '../../src/testing/clock.ts'
import { inMemory, quiet, settle } from '../support/host.ts'
import { counter, each } from '../support/many.ts'
import { used } from '../support/memory.ts'

/** Bytes on the heap after all is collected that can be. */
const heap = async () => (await used()).heapUsed

it('K9: 20,000 instances with maxActive 200: opened, sent events, opened again, in the memory of 200', {
  timeout: 180_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'scale-'))
  const open = async () =>
    openHost({ journal: await fileJournal(dir), machines: [counter], maxActive: 200, logger: quiet })
  let host = await open()
  await each(0, 200, (i) => host.actor(counter, `c${i}`))
  const few = await heap()
  await each(0, 20_000, (i) => host.actor(counter, `c${i}`))
  await each(0, 20_000, (i) => host.send(counter, `c${i}`, { type: 'INC' }))
  expect(inMemory(host)).toBe(200)
  const many = await heap()
  await host.close()
  host = await open()
  expect(inMemory(host)).toBe(0)
  await each(0, 20_000, async (i) => expect((await host.actor(counter, `c${i}`)).getSnapshot().context.n).toBe(1))
  expect(inMemory(host)).toBe(200)
  const again = await heap()
  await host.close()
  rmSync(dir, { recursive: true })
  // what is left per instance is the journal's own index, far less than the 10 kB of an instance in memory
  expect((many - few) / 20_000).toBeLessThan(700)
  expect((again - few) / 20_000).toBeLessThan(700)
})

it('K6 K9: a day of timers, effects and events on the virtual clock: the heap stays flat', {
  timeout: 180_000,
}, async () => {
  const clock = virtualClock(Date.UTC(2026, 0, 1))
  const busy = durable(
    setup({
      types: {} as { context: { rounds: number }; events: { type: 'POKE' } | { type: 'TICK' } },
      actors: { work: fromPromise(async () => 'done') },
      actions: { note: () => {} },
    }).createMachine({
      id: 'busy',
      context: { rounds: 0 },
      initial: 'wait',
      states: {
        wait: { after: { 10000: 'work' }, on: { POKE: { actions: 'note', target: 'wait', reenter: true } } },
        work: {
          entry: [assign({ rounds: ({ context }) => context.rounds + 1 }), 'note'],
          invoke: { src: 'work', id: 'work', onDone: 'wait' },
        },
      },
    }),
  )
  // history is dropped, so that what grows is the host
  const journal = forgetful()
  const host = await openHost({ journal, machines: [busy], clock, logger: quiet, maxActive: 4, snapshotEvery: 8 })
  const actors = await Promise.all(Array.from({ length: 6 }, (_, i) => host.actor(busy, `b${i}`)))
  const sizes: number[] = []
  for (let hour = 0; hour < 24; hour++) {
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(60_000)
      await settle(8)
      await actors[(hour * 60 + minute) % 6]!.send({ type: 'POKE' }, { id: `${hour}:${minute}` })
    }
    if (hour >= 3) sizes.push(await heap())
  }
  expect(actors[0]!.getSnapshot().context.rounds).toBeGreaterThan(700)
  await host.close()
  const early = Math.min(...sizes.slice(0, 5))
  const late = Math.min(...sizes.slice(-5))
  expect(late / early).toBeLessThan(1.05)
})

/** A journal that keeps of each stream what loading needs, and no more. */
function forgetful(): Journal {
  const streams = new Map<string, StoredRecord[]>()
  const snapshots = new Map<string, { stream: string; seq: number; text: string }>()
  let position = 0
  const records = (stream: string) => streams.get(stream) ?? []
  return {
    ...memoryJournal(),
    append:
      ({ stream, expected, texts }) =>
      async () => {
        const first = position + 1
        const added = texts.map((text, i) => ({ stream, seq: expected + 1 + i, position: ++position, text }))
        streams.set(stream, [...records(stream), ...added])
        return right({ position: first })
      },
    async *read(stream, { from = 1, to = Number.POSITIVE_INFINITY } = {}) {
      for (const record of records(stream)) if (record.seq >= from && record.seq <= to) yield record
    },
    async *heads() {
      for (const all of streams.values()) yield all.at(-1)!
    },
    head: async (stream) => records(stream).at(-1),
    saveSnapshot: (snapshot) => async () => {
      const { stream, seq } = snapshot
      snapshots.set(stream, snapshot)
      const left = records(stream).filter((record) => record.seq >= seq)
      streams.set(stream, left)
      return right(undefined)
    },
    snapshot: async (stream) => snapshots.get(stream),
  }
}
