import { describe, expect, expectTypeOf, it } from 'vitest'
import { type AnyEventObject, type AnyStateMachine, assign, fromPromise, fromTransition, setup } from 'xstate'
import { durable, type Verified, type VerifyReport } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { noUnhandledRejections, refused, settle, texts as textsOf, world } from '../support/host.ts'
import { kept } from '../support/journals.ts'
import { acting, counter } from '../support/machines.ts'
import { copyOf } from '../support/view.ts'

noUnhandledRejections()

interface Shape {
  version?: number
  /** The state after PAY. */
  paid?: string
  /** Whether PAY sends a letter. */
  letter?: boolean
  /** Whether `open` expires. */
  expires?: boolean
}

/** Versions of one machine. */
function order({ version = 1, paid = 'paid', letter = false, expires = false }: Shape = {}, did: string[] = []) {
  return durable(
    setup({
      types: {} as { context: { n: number }; events: { type: 'PAY' | 'ADD' | 'SHIP' } },
      actors: { letter: fromPromise(async () => void did.push('letter')) },
      actions: { note: () => void did.push('note') },
    }).createMachine({
      id: 'order',
      context: { n: 0 },
      initial: 'open',
      states: {
        open: {
          on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) }, PAY: paid },
          ...(expires && { after: { 60000: paid } }),
        },
        [paid]: {
          ...(letter && { entry: 'note', invoke: { src: 'letter', id: 'letter' } }),
          on: { SHIP: 'shipped' },
        },
        shipped: { type: 'final' },
      },
    } as never) as unknown as AnyStateMachine,
    { version },
  )
}

/** A journal with one instance for each list of events. */
async function filled(
  world: Pick<ReturnType<typeof import('../support/host.ts').world>, 'open'>,
  histories: string[][],
) {
  const machine = order()
  const host = await world.open([machine])
  for (const [index, events] of histories.entries()) {
    const actor = await host.actor(machine, `o-${index}`)
    for (const type of events) await actor.send({ type } as never)
  }
  await host.close()
}

describe('K3: stored histories, decided again', () => {
  it('come out as they are recorded, whatever the machines do; nothing is done or written', async () => {
    const { open, journal } = world()
    const did: unknown[] = []
    const act = acting(() => void did.push('act'))
    const inline = durable(
      setup({ types: {} as { context: { sum: unknown }; events: AnyEventObject } }).createMachine({
        id: 'inline',
        context: ({ spawn }: { spawn: any }) => ({
          sum: spawn(
            fromTransition((n: number) => n + 1, 0),
            { id: 'sum' },
          ),
        }),
      }),
    )
    const host = await open([act, inline, counter()])
    const actor = await host.actor(act, 'a')
    for (let i = 0; i < 100; i++) await actor.send({ type: i % 2 ? 'GO' : 'INC' })
    await host.actor(inline, 'i')
    await settle()
    const done = [...did]
    const before = await textsOf(journal, 'acting/a')
    const told: Verified[] = []
    const report = await host.verify({ concurrency: 1, each: (verified) => told.push(verified) })
    expect(report).toEqual({
      ...{ ok: 2, changed: 0, diverged: 0, unreadable: 0, unregistered: 0, replayOnly: 1, records: 102 },
      findings: [],
    })
    expectTypeOf(report).toEqualTypeOf<VerifyReport>()
    expect(told).toEqual([
      { machine: 'acting', id: 'a', status: 'ok', records: 101 },
      { machine: 'inline', id: 'i', status: 'ok', records: 1, replayOnly: expect.stringContaining('@1/sum@1') },
    ])
    expect([did, await textsOf(journal, 'acting/a')]).toEqual([done, before])
    expect(await host.verify({ machine: 'inline' })).toMatchObject({ ok: 1, records: 1 })
    expect(await host.verify({ id: 'a' })).toMatchObject({ ok: 1, records: 101 })
    expect(await host.verify({ id: 'b' })).toMatchObject({ ok: 0, records: 0 })
    await host.close()
  })

  it('never believes a snapshot, and finds what was changed behind one', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine], { snapshotEvery: 1 })
    const actor = await host.actor(machine, 'x')
    for (let i = 0; i < 9; i++) await actor.send({ type: 'INC' })
    await settle()
    expect((await actor.info()).snapshot).toBeGreaterThan(5)
    await host.close()
    const changed = {
      ...kept(journal),
      async *read(...args: Parameters<Journal['read']>) {
        for await (const record of journal.read(...args))
          yield record.seq === 3
            ? { ...record, text: record.text.replace('{"value":{}}', '{"value":"elsewhere"}') }
            : record
      },
    }
    const again = await open([machine], { journal: changed })
    expect((await again.actor(machine, 'x')).getSnapshot().context.n).toBe(9) // loaded from its snapshot
    const { findings, diverged } = await again.verify()
    expect(diverged).toBe(1)
    expect(findings).toMatchObject([
      {
        ...{ machine: 'counter', id: 'x', status: 'diverged', differences: 1, records: 2 },
        first: { seq: 3, kind: 'event', version: 1, expected: { value: 'elsewhere' }, got: { value: {} } },
        error: { code: 'REPLAY_DIVERGED', where: { seq: 3 }, hint: expect.any(String) },
      },
    ])
    await again.close()
  })

  it('tells a changed machine of the same version by each instance that it can no longer decide', async () => {
    const one = world()
    await filled(one, [['ADD'], ['PAY'], ['PAY', 'SHIP'], []])
    const host = await one.open([])
    expect(await host.verify()).toMatchObject({ unregistered: 4, ok: 0, findings: [{}, {}, {}, {}] })
    const report = await host.verify({ against: [order({ paid: 'settled' })], findings: 1 })
    expect(report).toMatchObject({ ok: 2, diverged: 2, findings: [{ id: 'o-1', first: { seq: 2 } }] })
    expect(report.findings).toHaveLength(1)
    expect(await one.journal.head('$machine/order')).toMatchObject({ seq: 1 }) // what was tried was not registered
    await host.close()
  })
})

describe('another version', () => {
  it('is ok where it comes to the same, and told state by state where it does not', async () => {
    const one = world()
    await filled(one, [['ADD'], ['PAY'], ['PAY', 'SHIP']])
    const host = await one.open([order()])
    expect(await host.verify()).toMatchObject({ ok: 3, findings: [] })
    expect(await host.verify({ against: [order({ version: 2 })] })).toMatchObject({ ok: 3, findings: [] })

    const did: string[] = []
    const next = order({ version: 2, paid: 'settled', letter: true, expires: true }, did)
    const report = await host.verify({ against: [next] })
    expect(report).toMatchObject({ ok: 0, changed: 3, diverged: 0 })
    const [open, paid, shipped] = report.findings
    expect(open).toMatchObject({
      ...{ id: 'o-0', status: 'changed', differences: 2, first: { seq: 1, kind: 'start', version: 1 } },
      state: { expected: { value: 'open' }, got: { value: 'open' } },
      begins: { effects: [], timers: [{ type: 'xstate.after.60000.order.open' }] },
      drops: { effects: [], timers: [] },
    })
    expect(paid).toMatchObject({
      ...{ id: 'o-1', first: { seq: 1 }, state: { expected: { value: 'paid' }, got: { value: 'settled' } } },
      begins: {
        effects: [
          { src: 'note', key: '2/0' },
          { src: 'letter', key: '@1/letter@2' },
        ],
        timers: [],
      },
    })
    expect(shipped).toMatchObject({
      state: { expected: { value: 'shipped', status: 'done' }, got: { value: 'shipped', status: 'done' } },
      begins: { effects: [{ src: 'note' }], timers: [] },
    })
    expect(did).toEqual([])
    await host.close()

    // and it is true: that is what begins when the version is put to use
    const real = await one.open([next])
    for (const id of ['o-0', 'o-1', 'o-2']) await real.actor(next, id)
    await settle()
    expect(did.sort()).toEqual(['letter', 'note', 'note'])
    await real.close()
    // what it went on with is of its own version: the old machine is now the other one
    const old = await one.open([])
    expect(await old.verify({ against: [next] })).toMatchObject({ changed: 3 })
    expect((await old.verify({ against: [order()] })).findings).not.toHaveLength(0)
    await old.close()
  })

  it('that can no longer take what is recorded has diverged, and what was open on record is told', async () => {
    const one = world()
    const two = order({ version: 1, letter: true, expires: true })
    const host = await one.open([two])
    const actor = await host.actor(two, 'x')
    await host.actor(two, 'y')
    await actor.send({ type: 'PAY' })
    await settle()
    const report = await host.verify({ against: [order({ version: 3 })], concurrency: 1 })
    expect(report.findings).toMatchObject([
      // the letter's result finds no letter
      { id: 'x', status: 'diverged', first: { seq: 1 }, error: { code: 'REPLAY_DIVERGED', where: { seq: 3 } } },
      { id: 'y', status: 'changed', drops: { effects: [], timers: [{ type: 'xstate.after.60000.order.open' }] } },
    ])
    await host.close()
  })
})

describe('K9: verifying much', () => {
  it('10,000 records of one instance, while it goes on', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await Promise.all(Array.from({ length: 9999 }, () => actor.send({ type: 'INC' })))
    let over = false
    let turns = 0
    const verifying = host.verify().finally(() => {
      over = true
    })
    while (!over) {
      await actor.send({ type: 'INC' })
      await new Promise((resolve) => setImmediate(resolve))
      turns++
    }
    expect(await verifying).toMatchObject({ ok: 1, diverged: 0, records: expect.any(Number) })
    expect(turns).toBeGreaterThan(10)
    expect(actor.getSnapshot().context.n).toBe(9999 + turns)
    await host.close()
  })

  it('many instances, no more than `concurrency` at the same time', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    for (let i = 0; i < 300; i++) void host.actor(machine, `x-${i}`)
    await settle()
    await host.close()
    let reading = 0
    let most = 0
    const slow = {
      ...kept(await copyOf(journal)),
      async *read(...args: Parameters<Journal['read']>) {
        most = Math.max(most, ++reading)
        await new Promise((resolve) => setImmediate(resolve))
        yield* journal.read(...args)
        reading--
      },
    }
    const again = await open([], { journal: slow })
    for (const concurrency of [1, 7]) {
      most = 0
      expect(await again.verify({ against: [machine], concurrency })).toMatchObject({ ok: 300, records: 300 })
      expect(most).toBe(concurrency)
    }
    for (const options of [{ concurrency: 0 }, { findings: 0 }, { concurrency: 1.5 }])
      expect(await refused(again.verify(options))).toMatchObject({ code: 'BAD_OPTION' })
    expect(await refused(again.verify({ against: [{} as never] }))).toMatchObject({ code: 'BAD_MACHINE' })
    await again.close()
    expect(await refused(again.verify())).toMatchObject({ code: 'CLOSED' })
  })

  it('a record that is damaged is told of, and the others are verified', async () => {
    const one = world()
    await filled(one, [['ADD'], ['ADD'], ['ADD']])
    const damaged = {
      ...kept(one.journal),
      async *read(...args: Parameters<Journal['read']>) {
        for await (const record of one.journal.read(...args))
          yield record.stream === 'order/o-1' && record.seq === 2 ? { ...record, text: 'nonsense' } : record
      },
    }
    const host = await one.open([order()], { journal: damaged })
    expect(await host.verify()).toMatchObject({
      ...{ ok: 2, unreadable: 1 },
      findings: [{ id: 'o-1', status: 'unreadable', records: 1, error: { code: 'JOURNAL_DAMAGED' } }],
    })
    await host.close()
  })
})
