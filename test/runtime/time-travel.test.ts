import { describe, expect, expectTypeOf, it } from 'vitest'
import { type AnyEventObject, assign, emit, fromPromise, fromTransition, setup } from 'xstate'
import { durable, type Host } from '../../src/index.ts'
import type { VirtualClock } from '../support/clock.ts'
import { deferred } from '../support/deferred.ts'
import { featuresMachine, outside } from '../support/features.ts'
import { noUnhandledRejections, refused, settle, texts as textsOf, world } from '../support/host.ts'
import { counter } from '../support/machines.ts'
import { view } from '../support/view.ts'

noUnhandledRejections()

/** Ships what is paid; what it does outside is counted in `did`. */
function shop(did: string[], charge: () => Promise<unknown> = async () => 'ok') {
  return durable(
    setup({
      types: {} as {
        context: { total: number; roll: number; at: number }
        events: { type: 'ADD'; price: number } | { type: 'PAY' | 'CANCEL' | 'BOOM' | 'BREAK' }
        emitted: { type: 'ADDED'; total: number }
        input: { total: number }
      },
      actors: {
        charge: fromPromise(() => {
          did.push('charge')
          return charge()
        }),
      },
      actions: {
        mail: () => void did.push('mail'),
        fails: () => {
          throw new Error('boom')
        },
      },
      guards: {
        boom: () => {
          throw new Error('boom')
        },
      },
    }).createMachine({
      id: 'shop',
      context: ({ input }) => ({ total: input.total, roll: 0, at: 0 }),
      initial: 'open',
      states: {
        open: {
          after: { 60000: 'expired' },
          on: {
            ADD: {
              actions: [
                assign({
                  total: ({ context, event }) => context.total + event.price,
                  roll: () => Math.random(),
                  at: () => Date.now(),
                }),
                emit(({ context }) => ({ type: 'ADDED' as const, total: context.total })),
              ],
            },
            PAY: { target: 'paying', actions: 'mail' },
            BOOM: { guard: 'boom', target: 'paying' },
            BREAK: { actions: 'fails' },
          },
        },
        paying: { invoke: { src: 'charge', id: 'charge', onDone: 'paid' }, on: { CANCEL: 'open' } },
        paid: { type: 'final' },
        expired: { type: 'final' },
      },
    }),
  )
}

/** Closes a host whose effects never end. */
async function closed(host: Host, clock: VirtualClock) {
  const closing = host.close()
  await settle()
  clock.advance(10_000)
  await closing
}

describe('an instance as it was', () => {
  it('K3: shows after every commit what was seen then, and disturbs nobody', async () => {
    const { open, journal, clock } = world()
    const around = outside()
    const machine = durable(featuresMachine(around), { id: 'features' })
    const host = await open([machine])
    const actor = await host.actor(machine, 'x', { input: undefined as never })
    const seen: unknown[] = []
    const look = async () => {
      await settle()
      const { seq } = (await host.list())[0]!
      seen[seq] = view(actor.getSnapshot())
    }
    await look()
    for (const type of ['GO', 'KICK', 'EMIT', 'SPAWN', 'NEXT', 'ASK', 'BACK', 'STOP'])
      await actor.send({ type } as never).then(look, look)
    clock.advance(50_000)
    await look()
    const before = { trace: [...around.trace], texts: await textsOf(journal, 'features/x') }
    for (const [seq, state] of seen.entries())
      if (state) expect(view((await actor.snapshotAt(seq)).snapshot), `commit ${seq}`).toEqual(state)
    expect(seen.filter(Boolean).length).toBeGreaterThan(4)
    expect({ trace: around.trace, texts: await textsOf(journal, 'features/x') }).toEqual(before)
    await closed(host, clock)
  })

  it('looks into 10,000 commits, while the instance goes on', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await Promise.all(Array.from({ length: 9999 }, () => actor.send({ type: 'INC' })))
    let sent = 0
    let over = false
    const looking = actor.snapshotAt(7001).finally(() => {
      over = true
    })
    while (!over) {
      await actor.send({ type: 'INC' })
      await new Promise((resolve) => setImmediate(resolve))
      if (!over) sent++
    }
    expect((await looking).snapshot.context.n).toBe(7000)
    expect(sent).toBeGreaterThan(10)
    await host.close()
  })

  it('refuses numbers that no commit has', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' })
    for (const seq of [0, -1, 1.5, Number.NaN, '1' as never])
      expect(await refused(actor.snapshotAt(seq))).toMatchObject({ code: 'BAD_OPTION' })
    expect(await refused(actor.snapshotAt(3))).toMatchObject({ code: 'BAD_OPTION', where: { seq: 2 } })
    expect(await refused(host.snapshotAt(machine, 'y', 1))).toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    expect(await refused(host.snapshotAt(counter(), 'x', 1))).toMatchObject({ code: 'BAD_MACHINE' })
    await host.close()
    expect(await refused(host.snapshotAt(machine, 'x', 1))).toMatchObject({ code: 'CLOSED' })
  })

  it('works for one that is asleep, parked, at its end, or broken by a later commit', async () => {
    const { open, journal } = world()
    const machine = shop([])
    const host = await open([machine], { maxActive: 1 })
    const asleep = await host.actor(machine, 'asleep', { input: { total: 1 } })
    const parked = await host.actor(machine, 'parked', { input: { total: 2 } })
    await parked.send({ type: 'BREAK' })
    const ended = await host.actor(machine, 'ended', { input: { total: 3 } })
    await ended.send({ type: 'PAY' })
    await ended.waitFor((s) => s.status === 'done')
    await host.actor(machine, 'other', { input: { total: 4 } })
    await settle()
    expect((await asleep.info()).phase).toBe('resting')
    for (const [actor, total] of [
      [asleep, 1],
      [parked, 2],
      [ended, 3],
    ] as const) {
      const past = await actor.snapshotAt(1)
      expect(past.snapshot).toMatchObject({ value: 'open', context: { total } })
      expect((await past.send({ type: 'ADD', price: 10 })).snapshot.context.total).toBe(total + 10)
    }
    expect((await asleep.info()).phase).toBe('resting')
    await host.close()

    const today = counter()
    const first = await open([today])
    const actor = await first.actor(today, 'x')
    await actor.send({ type: 'SEE', v: 1 } as never)
    await actor.send({ type: 'INC' })
    await first.close()
    const other = durable(
      setup({ types: {} as { context: { n: number }; events: AnyEventObject } }).createMachine({
        id: 'counter',
        context: { n: 0 },
        on: { SEE: { actions: assign({ n: 7 }) } },
      }),
    )
    const second = await open([other])
    expect(await refused(second.actor(other, 'x'))).toMatchObject({ code: 'REPLAY_DIVERGED', where: { seq: 3 } })
    expect((await second.snapshotAt(other, 'x', 2)).snapshot.context.n).toBe(7)
    expect(await refused(second.snapshotAt(other, 'x', 3))).toMatchObject({ code: 'REPLAY_DIVERGED' })
    await second.close()
    expect(await textsOf(journal, 'counter/x')).toHaveLength(3)
  })
})

describe('after operators', () => {
  const by = { who: 'ann', why: 'a test' }

  it('what was purged is gone; what began anew under the same id can be looked at', async () => {
    const { open } = world()
    const machine = shop([])
    const host = await open([machine])
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    await host.stop(machine, 'x', by)
    await host.purge(machine, 'x', by)
    for (const seq of [1, 2, 3])
      expect(await refused(host.snapshotAt(machine, 'x', seq))).toMatchObject({ code: 'BAD_OPTION', where: { seq } })
    expect(await refused(actor.info())).toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    expect(await refused(actor.ask({ type: 'PAY' }, { reply: 'ADDED' }))).toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    await host.actor(machine, 'x', { input: { total: 6 } })
    const past = await host.snapshotAt(machine, 'x', 4)
    expect(past.snapshot.context.total).toBe(6)
    expect((await past.send({ type: 'ADD', price: 1 })).snapshot.context.total).toBe(7)
    expect(await host.verify()).toMatchObject({ ok: 1, findings: [] })
    await host.close()
  })

  it('a fork is looked at under its own name, with the chance of its origin', async () => {
    const { open } = world()
    const machine = shop([])
    const host = await open([machine])
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    await actor.send({ type: 'ADD', price: 1 })
    const heard: string[] = []
    host.records$().subscribe(({ instance, seq }) => heard.push(`${instance} ${seq}`))
    const fork = await host.fork(actor, 2, { id: 'y', ...by })
    await settle()
    expect(heard).toEqual(['x 1', 'x 2', 'y 1', 'y 2', 'y 3'])
    expect((await fork.info()).phase).toBe('paused')
    const [past, origin] = [await fork.snapshotAt(2), await actor.snapshotAt(2)]
    expect(past.snapshot.context).toEqual(origin.snapshot.context)
    const [one, other] = [await past.send({ type: 'ADD', price: 2 }), await origin.send({ type: 'ADD', price: 2 })]
    expect(one.snapshot.context).toEqual(other.snapshot.context)
    expect(await host.verify()).toMatchObject({ ok: 2, findings: [] })
    await host.close()
  })
})

describe('what would have happened', () => {
  it('K1: tells it, and nothing is done, recorded or heard of', async () => {
    const did: string[] = []
    const { open, journal, clock } = world()
    const machine = shop(did)
    const host = await open([machine])
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    const heard: unknown[] = []
    actor.on('*', (event) => heard.push(event))
    actor.subscribe((snapshot) => heard.push(snapshot))
    const waiting = clock.waiting

    const past = await actor.snapshotAt(1)
    const added = await past.send({ type: 'ADD', price: 2 })
    expect(added).toMatchObject({
      seq: 2,
      at: past.at,
      handled: true,
      emitted: [{ type: 'ADDED', total: 7 }],
      effects: [],
      timers: { set: [], cancelled: [] },
    })
    expectTypeOf(added.emitted).toEqualTypeOf<readonly { type: 'ADDED'; total: number }[]>()
    expectTypeOf(added.snapshot.context.total).toBeNumber()
    const paid = await added.send({ type: 'PAY' })
    expect(paid).toMatchObject({
      seq: 3,
      snapshot: { value: 'paying', context: { total: 7 } },
      effects: [
        { kind: 'action', src: 'mail' },
        { kind: 'promise', src: 'charge', key: '@1/charge@3' },
      ],
    })
    expect(paid.timers.cancelled).toHaveLength(1)
    const back = await paid.send({ type: 'CANCEL' })
    expect(back.snapshot.value).toBe('open')
    expect(back.timers.set).toMatchObject([{ due: past.at + 60_000 }])
    const ignored = await paid.send({ type: 'ADD', price: 1 })
    expect(ignored).toMatchObject({ handled: false, snapshot: { value: 'paying' } })

    // each state stays as it was, and can be tried again
    expect(past.snapshot).toMatchObject({ value: 'open', context: { total: 5 } })
    expect(added.snapshot).toMatchObject({ value: 'open', context: { total: 7 } })
    expect(paid.snapshot.children.charge?.getSnapshot().status).toBe('active')
    expect((await past.send({ type: 'ADD', price: 1 })).snapshot.context.total).toBe(6)
    paid.snapshot.children.charge?.send({ type: 'xstate.promise.resolve' } as never)

    await settle()
    expect([did, heard]).toEqual([[], []])
    expect(await textsOf(journal, 'shop/x')).toHaveLength(1)
    expect(clock.waiting).toBe(waiting)
    expect(actor.getSnapshot().context.total).toBe(5)
    // what really comes is what was told: time and chance come from the record
    const { context } = (await past.send({ type: 'ADD', price: 2 })).snapshot
    await actor.send({ type: 'ADD', price: 2 })
    expect(actor.getSnapshot().context).toEqual(context)
    // @ts-expect-error the machine takes no such event
    void past.send({ type: 'NOPE' }).catch(() => {})
    await host.close()
  })

  it('refuses what a real send would refuse; an instance at its end takes nothing', async () => {
    const { open } = world()
    const machine = shop([])
    const host = await open([machine])
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    const past = await actor.snapshotAt(1)
    expect(await refused(past.send({} as never))).toMatchObject({ code: 'BAD_EVENT' })
    expect(await refused(past.send({ type: 'ADD', price: () => 1 } as never))).toMatchObject({
      code: 'NOT_SERIALIZABLE',
    })
    expect(await refused(past.send({ type: 'BOOM' }))).toMatchObject({
      code: 'MACHINE_THREW',
      where: { machine: 'shop', instance: 'x', event: 'BOOM' },
    })
    expect((await past.send({ type: 'PAY' })).snapshot.value).toBe('paying')
    await actor.send({ type: 'PAY' })
    await actor.waitFor((s) => s.status === 'done')
    const { seq } = await actor.info()
    const end = await actor.snapshotAt(seq)
    expect(await end.send({ type: 'PAY' })).toMatchObject({
      handled: false,
      seq,
      snapshot: { status: 'done' },
      effects: [],
    })
    await host.close()
  })

  it('tries events on instances that have no plain form, too', async () => {
    const { open } = world()
    const machine = durable(
      setup({
        types: {} as { context: { sum: any }; events: { type: 'INC' } },
        actions: { note: () => {} },
      }).createMachine({
        id: 'inline',
        context: ({ spawn }: { spawn: any }) => ({
          sum: spawn(
            fromTransition((n: number, event) => (event.type === 'INC' ? n + 1 : n), 0),
            { id: 'sum' },
          ),
        }),
        on: { INC: { actions: 'note' } },
      }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' })
    const past = await actor.snapshotAt(2)
    const one = await past.send({ type: 'INC' })
    const two = await one.send({ type: 'INC' })
    expect([past.seq, one.seq, two.seq]).toEqual([2, 3, 4])
    expect(two.effects).toMatchObject([{ key: '4/0' }])
    expect((await actor.info()).replayOnly).toContain('@1/sum@1')
    await host.close()
  })
})

describe('what there is to know of an instance', () => {
  it('is plain data: where it is, what waits, what runs', async () => {
    const { open, clock } = world()
    const work = deferred()
    const machine = shop([], () => work.promise)
    const host = await open([machine], { snapshotEvery: 2 })
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    const due = clock.now() + 60_000
    const info = await actor.info()
    expect(info).toMatchObject({
      ...{ machine: 'shop', id: 'x', phase: 'live', state: 'open', status: 'active', seq: 1, version: 1, mailbox: 0 },
      ...{ timers: [{ due, type: 'xstate.after.60000.shop.open' }], effects: [] },
    })
    expect(info).not.toHaveProperty('snapshot')
    expect(info).not.toHaveProperty('replayOnly')
    await actor.send({ type: 'ADD', price: 1 })
    await actor.send({ type: 'PAY' })
    await settle()
    expect(await actor.info()).toMatchObject({
      ...{ state: 'paying', seq: 3, snapshot: 2, timers: [] },
      effects: [{ key: '@1/charge@3', kind: 'promise', src: 'charge', attempt: 1, running: true }],
    })
    expect(structuredClone(await actor.info())).toEqual(await actor.info())
    await closed(host, clock)
    expect(await refused(actor.info())).toMatchObject({ code: 'CLOSED' })
    const later = await open([machine])
    const again = await later.actor(machine, 'x', { create: false })
    await settle()
    expect((await again.info()).effects).toMatchObject([{ key: '@1/charge@3', attempt: 2, running: true }])
    await closed(later, clock)
  })

  it('K6: tells when a timer is due by the policy of its machine, also of one that is asleep', async () => {
    const { open, clock } = world()
    const machine = durable(
      setup({}).createMachine({ id: 'late', initial: 'a', states: { a: { after: { 60000: 'b' } }, b: {} } }),
      { timers: 'restart' },
    )
    const host = await open([machine])
    await host.actor(machine, 'x')
    const at = clock.now()
    await host.close()
    clock.advance(30_000)
    const later = await open([machine], { maxActive: 1 })
    const actor = await later.actor(machine, 'x')
    const { timers, phase } = await actor.info()
    expect([timers, phase]).toMatchObject([[{ at, due: at + 90_000 }], 'live'])
    for (const id of ['y', 'z']) await later.actor(machine, id)
    await settle()
    expect(await actor.info()).toMatchObject({ phase: 'resting', timers })
    await later.close()
  })

  it('K1: tells of nothing that is not durable; what is asleep is told from the log', async () => {
    const { open, clock } = world()
    const machine = shop([])
    const host = await open([machine], { maxActive: 1 })
    const actor = await host.actor(machine, 'x', { input: { total: 5 } })
    const live = await actor.info()
    await host.actor(machine, 'y', { input: { total: 5 } })
    await host.actor(machine, 'z', { input: { total: 5 } })
    await settle()
    const { snapshot: _, ...asleep } = await actor.info()
    expect(asleep).toEqual({ ...live, phase: 'resting' })
    expect(live.timers[0]?.due).toBe(clock.now() + 60_000)
    await actor.send({ type: 'BREAK' })
    expect(await actor.info()).toMatchObject({
      ...{ phase: 'parked', problem: { code: 'MACHINE_THREW' } },
      effects: [{ src: 'fails', attempt: 1, running: false }],
    })
    await host.close()
  })
})
