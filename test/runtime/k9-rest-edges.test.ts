// K9: instances at rest while the journal is in trouble, other hosts write, and timers come and go.
import { left } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import { type AnyEventObject, assign, emit, fromCallback, sendTo, setup } from 'xstate'
import { type DurableMachine, deliver, durable, type Host } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { DuramenError } from '../../src/ports/errors.ts'
import { deferred } from '../support/deferred.ts'
import { inMemory, isPending, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal, kept } from '../support/journals.ts'
import { acting, counter } from '../support/machines.ts'
import { gc } from '../support/memory.ts'
import { unreadable } from '../support/unreadable.ts'

noUnhandledRejections()

/** Whatever nobody holds is collected. */
async function collect() {
  for (let i = 0; i < 4; i++) {
    await settle()
    gc()
  }
}

/** Others are sent something, so that who was in memory leaves. */
async function others(host: Host, machine: DurableMachine<any>) {
  for (const id of ['b', 'c']) await (await host.actor(machine, id)).send({ type: 'NOTHING' })
}

const lamp = (ms: number, id = 'lamp') =>
  durable(
    setup({}).createMachine({
      id,
      initial: 'on',
      states: { on: { after: { [ms]: 'off' } }, off: {} },
    }),
  )

it('K9: an instance at rest that could not be read for a while is there again afterwards', async () => {
  const { open, journal: inner, clock } = world()
  const { journal, state } = unreadable(inner)
  const machine = counter()
  const host = await open([machine], { journal, maxActive: 1 })
  const a = await host.actor(machine, 'a')
  await host.actor(machine, 'b')
  state.down = true
  const sent = refused(a.send({ type: 'INC' }))
  for (let i = 0; i < 20; i++) {
    clock.advance(1000)
    await settle()
  }
  expect((await sent).code).toBe('IO')
  state.down = false
  await a.send({ type: 'INC' })
  await host.send(machine, 'a', { type: 'INC' })
  expect(a.getSnapshot().context.n).toBe(2)
  expect((await host.actor(machine, 'a')).getSnapshot().context.n).toBe(2)
  await host.close()
})

it('K6 K9: a journal that can not be read when a sleeper is due costs no timer', async () => {
  const { open, journal: inner, clock } = world()
  const { journal, state } = unreadable(inner)
  const machine = lamp(10_000)
  const host = await open([machine], { journal, maxActive: 1 })
  for (let i = 0; i < 5; i++) await host.actor(machine, `l${i}`)
  state.down = true
  for (let i = 0; i < 60; i++) {
    clock.advance(1000)
    await settle()
  }
  expect(state.refusals).toBeGreaterThan(0)
  state.down = false
  for (let i = 0; i < 60; i++) {
    clock.advance(1000)
    await settle()
  }
  expect((await host.list({ state: 'off' })).length).toBe(5)
  await host.close()
})

it('K6 K9: a sleeper that can not be read holds up the timers of others for a second, not until it is', async () => {
  const { open, journal: inner, clock } = world()
  const gate = deferred()
  let hanging = false
  const journal = kept({
    ...inner,
    async *read(stream, range) {
      if (hanging && stream.endsWith('/l0')) await gate.promise
      yield* inner.read(stream, range)
    },
  })
  const machine = lamp(10_000)
  const host = await open([machine], { journal, maxActive: 1 })
  for (let i = 0; i < 5; i++) await host.actor(machine, `l${i}`)
  hanging = true
  const seconds = async (n: number) => {
    for (let i = 0; i < n; i++) {
      clock.advance(1000)
      await settle()
    }
  }
  await seconds(13)
  expect((await host.list({ state: 'off' })).map(({ id }) => id)).toEqual(['l1', 'l2', 'l3', 'l4'])
  gate.resolve(undefined)
  await seconds(2)
  expect((await host.list({ state: 'off' })).length).toBe(5)
  await host.close()
})

it('K6: a sleeper whose last record is damaged holds up neither the opening of a host nor the timers of others', async () => {
  const { open, journal: inner, clock } = world()
  const damaged = new DuramenError('JOURNAL_DAMAGED', 'its checksum is another')
  const journal: Journal = kept({
    ...inner,
    head: (stream) => (stream.endsWith('/l0') ? Promise.reject(damaged) : inner.head(stream)),
  })
  const machine = durable(lamp(10_000).machine, { timers: 'restart' })
  const first = await open([machine])
  for (let i = 0; i < 3; i++) await first.actor(machine, `l${i}`)
  await first.close()
  const host = await open([machine], { journal })
  for (let i = 0; i < 12; i++) {
    clock.advance(1000)
    await settle()
  }
  const off = (await host.list({ state: 'off' })).map(({ id }) => id)
  expect(off.sort()).toEqual(['l1', 'l2'])
  await host.close()
})

it('K6 K9: a journal that can not be read when the horizon moves on costs no timer', async () => {
  const { open, journal: inner, clock } = world()
  const { journal, state } = unreadable(inner)
  const machine = lamp(5 * 3_600_000)
  const host = await open([machine], { journal, maxActive: 1 })
  for (let i = 0; i < 5; i++) await host.actor(machine, `l${i}`)
  const minutes = async (n: number) => {
    for (let i = 0; i < n; i++) {
      clock.advance(60_000)
      await settle()
    }
  }
  await minutes(4 * 60)
  state.down = true
  await minutes(70)
  expect(state.refusals).toBeGreaterThan(0)
  state.down = false
  await minutes(70)
  expect((await host.list({ state: 'off' })).length).toBe(5)
  await host.close()
})

it('K6: the timer of a new instance is kept, whatever happens to others in the same moment', async () => {
  const many = durable(
    setup({}).createMachine({
      id: 'many',
      initial: 'on',
      states: {
        on: {
          on: { OFF: 'off' },
          after: Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [1_000_000 + i, 'off'])),
        },
        off: {},
      },
    }),
  )
  const short = lamp(5000)
  for (let microtasks = 0; microtasks < 24; microtasks++) {
    const { open, clock } = world()
    const host = await open([many, short])
    const m = await host.actor(many, 'm')
    const made = host.actor(short, 's')
    for (let i = 0; i < microtasks; i++) await null
    await Promise.all([made, m.send({ type: 'OFF' })]) // its timers are swept out of the heap
    clock.advance(5000)
    await settle()
    expect((await host.list({ machine: 'lamp', state: 'off' })).length, `after ${microtasks} microtasks`).toBe(1)
    await host.close()
  }
})

it('K2 K9: an observer sees the same in what it is told and in getSnapshot, when another host has written', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine], { maxActive: 1 })
  const a = await host.actor(machine, 'a')
  await host.actor(machine, 'b')
  const seen: [number, number][] = []
  a.subscribe((s) => seen.push([s.context.n, a.getSnapshot().context.n]))
  const other = await open([machine])
  await other.send(machine, 'a', { type: 'INC' })
  await a.send({ type: 'INC' })
  expect(seen).toEqual([
    [1, 1],
    [2, 2],
  ])
  await host.close()
  await other.close()
})

const family = () =>
  durable(
    setup({
      types: {} as { context: { heard: number }; events: AnyEventObject },
      actors: {
        kid: setup({ types: {} as { context: { n: number }; events: AnyEventObject } }).createMachine({
          id: 'kid',
          context: { n: 0 },
          initial: 'on',
          states: {
            on: { on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) }, END: 'end' } },
            end: { type: 'final' },
          },
        }),
      },
    }).createMachine({
      id: 'family',
      context: { heard: 0 },
      invoke: { src: 'kid', id: 'kid' },
      on: {
        INC: { actions: sendTo('kid', ({ event }) => event) },
        END: { actions: sendTo('kid', ({ event }) => event) },
      },
    }),
  )

it('K9: a child held from before its instance rested is the child that is there now', async () => {
  const { open } = world()
  const machine = family()
  const host = await open([machine, counter()], { maxActive: 1 })
  const a = await host.actor(machine, 'a')
  const kid = a.getSnapshot().children.kid!
  const seen: number[] = []
  let over = false
  kid.subscribe({ next: (s: any) => seen.push(s.context.n), complete: () => void (over = true) })
  for (let i = 0; i < 4; i++) {
    await others(host, machine)
    if (i % 2) await a.send({ type: 'INC' })
    else {
      kid.send({ type: 'INC' })
      await settle()
    }
    expect((kid.getSnapshot() as any).context.n).toBe(i + 1)
  }
  await others(host, machine)
  expect((kid.getSnapshot() as any).context.n).toBe(4)
  await a.send({ type: 'END' })
  expect(seen).toEqual([1, 2, 3, 4, 4])
  expect(over).toBe(true)
  await host.close()
})

it('K9: a child held from before its instance rested is at its end when the child is', async () => {
  const { open } = world()
  const machine = family()
  const host = await open([machine], { maxActive: 1 })
  const a = await host.actor(machine, 'a')
  const kid = a.getSnapshot().children.kid!
  await others(host, machine)
  await a.send({ type: 'INC' })
  await a.send({ type: 'END' })
  expect(kid.getSnapshot()).toMatchObject({ status: 'done', context: { n: 1 } })
  await others(host, machine)
  expect(inMemory(host)).toBe(1)
  expect(kid.getSnapshot()).toMatchObject({ status: 'done', context: { n: 1 } })
  await host.close()
})

it('K2 K9: who observes a child hears of what another host has done to it', async () => {
  const { open } = world()
  const machine = family()
  const host = await open([machine], { maxActive: 1 })
  const a = await host.actor(machine, 'a')
  const kid = a.getSnapshot().children.kid!
  const seen: number[] = []
  let over = false
  kid.subscribe({ next: (s: any) => seen.push(s.context.n), complete: () => void (over = true) })
  const other = await open([machine])
  await other.send(machine, 'a', { type: 'INC' })
  await a.send({ type: 'INC' })
  expect(seen.at(-1)).toBe(2)
  expect(seen).toContain(1)
  await host.actor(machine, 'b')
  await other.send(machine, 'a', { type: 'END' })
  await a.send({ type: 'INC' })
  expect(over).toBe(true)
  await host.close()
  await other.close()
})

it('K9: instances that nobody holds do not write a snapshot for each event', async () => {
  const { open, journal: inner } = world()
  let saved = 0
  const journal: Journal = {
    ...kept(inner),
    saveSnapshot: (snapshot) => {
      saved++
      return inner.saveSnapshot(snapshot)
    },
  }
  const machine = counter()
  const first = await open([machine], { journal, snapshotEvery: 8 })
  for (let i = 0; i < 100; i++) await (await first.actor(machine, 'a')).send({ type: 'INC' })
  await first.close()
  saved = 0
  for (let i = 0; i < 40; i++) {
    const host = await open([machine], { journal, snapshotEvery: 8 })
    await host.send(machine, 'a', { type: 'INC' })
    await host.close()
  }
  expect(saved).toBeLessThanOrEqual(6)
})

it('K9: a large state is not copied each time that its instance rests', async () => {
  const { open, journal: inner } = world()
  let saved = 0
  const journal: Journal = {
    ...kept(inner),
    saveSnapshot: (snapshot) => {
      saved += snapshot.text.length
      return inner.saveSnapshot(snapshot)
    },
  }
  const machine = counter()
  const host = await open([machine], { journal, maxActive: 1 })
  const a = await host.actor(machine, 'a')
  await a.send({ type: 'SEE', v: 'x'.repeat(200_000) })
  for (let i = 0; i < 150; i++) {
    await a.send({ type: 'INC' })
    await others(host, machine)
  }
  expect(a.getSnapshot().context.n).toBe(150)
  expect(saved).toBeLessThan(450_000)
  await host.close()
})

it('K10: an instance that breaks while the host closes does not hold it up', async () => {
  const { open, journal: inner } = world()
  const broken = { now: false }
  const journal: Journal = {
    ...kept(inner),
    append: (a) => (broken.now ? async () => left(new DuramenError('CONFLICT', 'so')) : inner.append(a)),
    async *read(stream, range) {
      if (broken.now) throw new DuramenError('JOURNAL_FAILED', 'damaged')
      yield* inner.read(stream, range)
    },
  }
  const machine = counter()
  const host = await open([machine], { journal })
  const a = await host.actor(machine, 'a')
  broken.now = true
  const sent = refused(a.send({ type: 'INC' }))
  const closed = host.close()
  expect(await isPending(closed)).toBe(false)
  expect((await sent).code).toBe('OUTCOME_UNKNOWN')
})

it('K10: a reading that never answers does not hold up close for longer than its limit', async () => {
  const { open, journal: inner, clock } = world()
  let stuck = false
  const journal: Journal = {
    ...kept(inner),
    head: (stream) => (stuck ? new Promise(() => {}) : inner.head(stream)),
  }
  const machine = counter()
  const host = await open([machine], { journal, closeTimeout: '5s' })
  await host.actor(machine, 'a')
  stuck = true
  void host.actor(machine, 'b').catch(() => {})
  const closed = host.close()
  await settle()
  clock.advance(5000)
  await settle()
  clock.advance(5000)
  expect(await isPending(closed)).toBe(false)
})

it('K9: what a callback says that was told to stop reaches nobody, also after its instance has rested', async () => {
  const { open } = world()
  const late: ((event: AnyEventObject) => void)[] = []
  const machine = durable(
    setup({
      types: {} as { context: { n: number }; events: AnyEventObject },
      actors: { cb: fromCallback(({ sendBack }) => void late.push(sendBack)) },
    }).createMachine({
      id: 'calls',
      context: { n: 0 },
      initial: 'on',
      on: { LATE: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      states: { on: { invoke: { src: 'cb', id: 'cb' }, on: { OFF: 'off' } }, off: { on: { ON: 'on' } } },
    }),
  )
  const host = await open([machine], { maxActive: 1 })
  const a = await host.actor(machine, 'a')
  await settle()
  late[0]!({ type: 'LATE' })
  await settle()
  expect(a.getSnapshot().context.n).toBe(1)
  await a.send({ type: 'OFF' })
  await host.actor(machine, 'b')
  await host.send(machine, 'b', { type: 'OFF' })
  await host.actor(machine, 'c')
  late[0]!({ type: 'LATE' })
  await settle()
  expect(a.getSnapshot().context.n).toBe(1)
  await a.send({ type: 'ON' })
  await settle()
  late[0]!({ type: 'LATE' })
  await settle()
  expect(a.getSnapshot().context.n).toBe(1)
  late.at(-1)!({ type: 'LATE' })
  await settle()
  expect(inMemory(host)).toBeGreaterThan(0)
  await host.close()
})

it('K4 K10: close does not wait on when the last thing accepted was known already', async () => {
  const { open, journal: inner } = world()
  const journal = faultyJournal(inner)
  const machine = counter()
  const host = await open([machine], { journal })
  const a = await host.actor(machine, 'a')
  journal.hold()
  const sent = [a.send({ type: 'INC' }, { id: 'x' }), a.send({ type: 'INC' }, { id: 'x' })]
  await settle()
  const closed = host.close()
  await settle()
  for (const until = performance.now() + 10; performance.now() < until; ); // so that the second one waits for its turn
  journal.release()
  expect(await isPending(closed)).toBe(false)
  expect((await Promise.all(sent)).map(({ duplicate }) => duplicate)).toEqual([false, true])
})

it('K4 K9: a delivery waits for a sleeper that can not be read, also when nobody holds it', async () => {
  const { open, journal: inner, clock } = world()
  const { journal, state } = unreadable(inner)
  const machine = counter()
  const sender = acting(() => deliver(machine, 'a', { type: 'INC' }))
  const host = await open([machine, sender], { journal, maxActive: 1 })
  let held: unknown = await host.actor(machine, 'a')
  await others(host, machine)
  const from = await host.actor(sender, 's')
  state.down = true
  await from.send({ type: 'GO' })
  await settle()
  held = undefined
  for (let i = 0; i < 4; i++) {
    clock.advance(1000)
    await collect()
  }
  expect(held).toBe(undefined)
  expect(state.refusals).toBeGreaterThan(2)
  state.down = false
  clock.advance(10_000)
  await settle(20)
  expect((await host.actor(machine, 'a')).getSnapshot().context.n).toBe(1)
  expect((await from.info()).effects).toEqual([])
  await host.close()
})

it('K9: who listens keeps an instance at rest, and one at its end no longer', async () => {
  const { open } = world()
  const machine = durable(
    setup({
      types: {} as { events: { type: 'SAY' } | { type: 'END' }; emitted: { type: 'SAID' } },
    }).createMachine({
      id: 'm',
      initial: 'on',
      states: { on: { on: { SAY: { actions: emit({ type: 'SAID' }) }, END: 'end' } }, end: { type: 'final' } },
    }),
  )
  const host = await open([machine], { maxActive: 1 })
  let said = 0
  const listening = async (id: string) => {
    const handler = () => void said++
    ;(await host.actor(machine, id)).on('SAID', handler)
    return new WeakRef(handler)
  }
  const active = await listening('a')
  const ended = await listening('e')
  await host.send(machine, 'e', { type: 'END' })
  await others(host, machine)
  await collect()
  expect(active.deref()).toBeDefined()
  expect(ended.deref()).toBeUndefined()
  await collect()
  await host.send(machine, 'a', { type: 'SAY' })
  expect(said).toBe(1)
  await host.close()
})
