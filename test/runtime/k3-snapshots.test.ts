// K3: snapshots are caches. With one, without it, with a wrong one: the same state.
import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { world } from '../support/host.ts'
import { kept } from '../support/journals.ts'

type Inc = { types: { context: { n: number; log: number[] }; events: { type: 'INC' } } }
const counter = (version = 1, step = 1, name = 'counting') =>
  durable(
    setup({ types: {} as Inc['types'] }).createMachine({
      id: 'counter',
      context: { n: 0, log: [] },
      initial: name,
      states: { [name]: {} },
      on: { INC: { actions: assign({ n: ({ context }) => context.n + step, log: [1] }) } },
    }),
    { version },
  )

/** A journal that tells which records were read of an instance, and in which one may change snapshots. */
const watched = (inner: Journal) => {
  const read: number[] = []
  const journal: Journal = {
    ...kept(inner),
    async *read(stream, range) {
      for await (const record of inner.read(stream, range)) {
        if (stream.startsWith('counter/')) read.push(record.seq)
        yield record
      }
    },
  }
  return { journal, read }
}

async function filled(commits: number, options = {}) {
  const inner = memoryJournal()
  const { open } = world()
  const machine = counter()
  const host = await open([machine], { journal: kept(inner), ...options })
  const actor = await host.actor(machine, 'c')
  for (let i = 1; i < commits; i++) await actor.send({ type: 'INC' }, { id: `e${i}` })
  await host.close()
  return inner
}

async function reopened(inner: Journal, machine = counter()) {
  const { open } = world()
  const { journal, read } = watched(inner)
  const host = await open([machine], { journal })
  const actor = await host.actor(machine, 'c')
  const { n } = actor.getSnapshot().context
  return { host, actor, n, read: new Set(read) }
}

it('K3: an instance is loaded from its newest snapshot and what came after, whatever their number', async () => {
  const inner = await filled(1000)
  const { n, read, actor, host } = await reopened(inner)
  expect(n).toBe(999)
  expect(read.size).toBeLessThan(300)
  expect(Math.min(...read)).toBeGreaterThan(700)
  expect((await actor.send({ type: 'INC' }, { id: 'e990' })).duplicate).toBe(true) // K4: ids are part of it
  expect((await actor.send({ type: 'INC' })).seq).toBe(1001)
  await host.close()
})

it('K3: many characters of records make a snapshot due as well', async () => {
  const inner = await filled(20, { snapshotEvery: 1_000_000, snapshotSize: 1000 })
  expect((await inner.snapshot('counter/c'))?.seq).toBeGreaterThan(3)
})

it.each([
  ['none', undefined],
  ['damaged', (text: string) => `${text.slice(0, -20)}`],
  ['empty', () => ''],
  ['of another format', (text: string) => text.replace(/"format":\d+/, '"format":99')],
  ['of another history', (text: string) => text.replaceAll(/"host":"[^"]*"/g, '"host":"another"')],
  ['of another state', (text: string) => text.replaceAll('"counting"', '"elsewhere"')],
])('K3: a snapshot that is %s counts as none', async (_, change) => {
  const inner = await filled(200)
  const snapshot = (await inner.snapshot('counter/c'))!
  const journal: Journal = {
    ...inner,
    snapshot: async () => change && { ...snapshot, text: change(snapshot.text) },
  }
  const { n, read, host } = await reopened(journal)
  expect(n).toBe(199)
  expect(read.size).toBe(200)
  await host.close()
})

it('K3: a machine of another version, or drawn otherwise, is decided from its first record', async () => {
  const inner = await filled(200)
  const { n, read, host } = await reopened(inner, counter(2, 10))
  expect(n).toBe(1990)
  expect(read.size).toBe(200)
  await host.close()
})

it('K3: a journal that keeps no snapshots is no worse than slow', async () => {
  const inner = await filled(10)
  const bad: Journal = {
    ...inner,
    snapshot: () => Promise.reject(new Error('no')),
  }
  const { n, host } = await reopened(bad)
  expect(n).toBe(9)
  await host.close()
})
