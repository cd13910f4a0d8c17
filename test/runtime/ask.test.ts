import { describe, expect, expectTypeOf, it } from 'vitest'
import { assign, emit, fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { isPending, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { crashJournal, faultyJournal } from '../support/journals.ts'

noUnhandledRejections()

type Quoted = { type: 'QUOTED'; n: number; item: string }

/** QUOTE is answered at once, LATER when its work has ended, NEVER not at all; BYE answers and ends, END only ends. */
function quoting(work: () => Promise<unknown> = async () => 1) {
  return durable(
    setup({
      types: {} as {
        context: { n: number; item: string }
        events: { type: 'QUOTE'; item: string } | { type: 'LATER' | 'NEVER' | 'BYE' | 'END' } | { type: 'BOOM' }
        emitted: Quoted | { type: 'OTHER' }
      },
      actors: { work: fromPromise(work) },
      actions: {
        fails: () => {
          throw new Error('boom')
        },
        quoted: emit(({ context }) => ({ type: 'QUOTED' as const, ...context })),
      },
    }).createMachine({
      id: 'quoting',
      context: { n: 0, item: '' },
      initial: 'idle',
      on: {
        QUOTE: {
          actions: [
            assign({ n: ({ context }) => context.n + 1, item: ({ event }) => event.item }),
            emit({ type: 'OTHER' }),
            'quoted',
          ],
        },
        NEVER: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        LATER: '.working',
        BOOM: { actions: 'fails' },
        BYE: { target: '.over', actions: 'quoted' },
        END: '.over',
      },
      states: {
        idle: {},
        working: {
          invoke: { src: 'work', id: 'work', onDone: { target: 'idle', actions: 'quoted' } },
        },
        over: { type: 'final' },
      },
    }),
  )
}

describe('asking', () => {
  it('K1: resolves with the emitted event that answers, once it is durable', async () => {
    const { open, journal } = world()
    const disk = faultyJournal(journal)
    const machine = quoting()
    const host = await open([machine], { journal: disk })
    const actor = await host.actor(machine, 'x')
    disk.hold()
    const answer = actor.ask({ type: 'QUOTE', item: 'tea' }, { reply: 'QUOTED' })
    expect(await isPending(answer)).toBe(true)
    disk.release()
    expect(await answer).toEqual({ type: 'QUOTED', n: 1, item: 'tea' })
    expectTypeOf(answer).resolves.toExtend<Quoted>()
    // @ts-expect-error the machine emits no such event
    void actor.ask({ type: 'NEVER' }, { reply: 'NOPE', timeout: 0 }).catch(() => {})
    // @ts-expect-error the machine takes no such event
    void actor.ask({ type: 'WHAT' }, { reply: 'QUOTED', timeout: 0 }).catch(() => {})
    await host.close()
  })

  it('each of many in flight gets the answer of its own commit', async () => {
    const { open } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const items = Array.from({ length: 300 }, (_, i) => `item ${i}`)
    const answers = await Promise.all(items.map((item) => actor.ask({ type: 'QUOTE', item }, { reply: 'QUOTED' })))
    expect(answers).toEqual(items.map((item, i) => ({ type: 'QUOTED', n: i + 1, item })))
    await host.close()
  })

  it('is answered by the first later commit where its own emits nothing, and by none before it', async () => {
    const { open, journal } = world()
    const disk = faultyJournal(journal)
    const machine = quoting()
    const host = await open([machine], { journal: disk })
    const actor = await host.actor(machine, 'x')
    disk.hold()
    const before = actor.send({ type: 'QUOTE', item: 'before' })
    const asked = actor.ask({ type: 'NEVER' }, { reply: 'QUOTED' })
    const after = actor.send({ type: 'QUOTE', item: 'after' })
    const matched = actor.ask({ type: 'NEVER' }, { reply: 'QUOTED', match: ({ item }) => item === 'matched' })
    const last = [actor.send({ type: 'QUOTE', item: 'no' }), actor.send({ type: 'QUOTE', item: 'matched' })]
    disk.release()
    await Promise.all([before, after, ...last])
    expect(await asked).toMatchObject({ item: 'after' })
    expect(await matched).toMatchObject({ item: 'matched' })
    await host.close()
  })

  it('waits for what its work answers', async () => {
    const { open } = world()
    const work = deferred()
    const machine = quoting(() => work.promise)
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const answer = actor.ask({ type: 'LATER' }, { reply: 'QUOTED' })
    expect(await isPending(answer)).toBe(true)
    work.resolve(1)
    expect(await answer).toMatchObject({ type: 'QUOTED' })
    await host.close()
  })

  it('hears the answer of the commit that ends the instance', async () => {
    const { open } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const other = actor.ask({ type: 'NEVER' }, { reply: 'QUOTED' })
    expect(await actor.ask({ type: 'BYE' }, { reply: 'QUOTED', id: 'bye' })).toMatchObject({ n: 1 })
    expect(await other).toMatchObject({ n: 1 })
    expect(await actor.ask({ type: 'BYE' }, { reply: 'QUOTED', id: 'bye' })).toMatchObject({ n: 1 })
    await host.close()
  })
})

describe('asking in vain', () => {
  it.each([
    ['ends', 'END', 'CLOSED', 'it has ended in "over"'],
    ['is parked', 'BOOM', 'PARKED', 'is parked'],
  ] as const)('rejects when the instance %s', async (_, type, code, message) => {
    const { open } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const asked = refused(actor.ask({ type: 'NEVER' }, { reply: 'QUOTED' }))
    await settle()
    const own = refused(actor.ask({ type }, { reply: 'QUOTED' }))
    for (const error of [await asked, await own]) {
      expect(error).toMatchObject({ code, where: { machine: 'quoting', instance: 'x' } })
      expect(error.message).toContain(message)
    }
    expect(await refused(actor.ask({ type: 'END' }, { reply: 'QUOTED' }))).toMatchObject({ code })
    await host.close()
  })

  it('rejects after its time, when it is called off, and when the host closes', async () => {
    const { open, clock } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const { waiting } = clock
    const calling = new AbortController()
    const never = { type: 'NEVER' } as const
    const byDefault = refused(actor.ask(never, { reply: 'QUOTED' }))
    const soon = refused(actor.ask(never, { reply: 'QUOTED', timeout: '5s' }))
    const calledOff = refused(actor.ask(never, { reply: 'QUOTED', signal: calling.signal }))
    await settle()
    clock.advance(5000)
    expect(await soon).toMatchObject({ code: 'TIMEOUT' })
    calling.abort()
    expect(await calledOff).toMatchObject({ code: 'ABORTED' })
    expect(await isPending(byDefault)).toBe(true)
    clock.advance(25_000)
    expect(await byDefault).toMatchObject({ code: 'TIMEOUT' })
    expect(clock.waiting).toBe(waiting)
    const closing = refused(actor.ask(never, { reply: 'QUOTED', timeout: '1h' }))
    await settle()
    await host.close()
    expect(await closing).toMatchObject({ code: 'CLOSED' })
    expect(await refused(actor.ask(never, { reply: 'QUOTED' }))).toMatchObject({ code: 'CLOSED' })
    expect(clock.waiting).toBe(0)
  })

  it('refuses what is no question, and passes on what its match throws', async () => {
    const { open } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    expect(await refused(actor.ask({ type: 'NEVER' }, { reply: '' as 'QUOTED' }))).toMatchObject({ code: 'BAD_OPTION' })
    expect(await refused(actor.ask({ type: 'NEVER' }, { reply: 'QUOTED', id: '' }))).toMatchObject({ code: 'BAD_ID' })
    expect(await refused(actor.ask({} as never, { reply: 'QUOTED' }))).toMatchObject({ code: 'BAD_EVENT' })
    const boom = new Error('boom')
    const match = () => {
      throw boom
    }
    await expect(actor.ask({ type: 'QUOTE', item: '' }, { reply: 'QUOTED', match })).rejects.toBe(boom)
    await host.close()
  })
})

describe('K4: a question asked again with its id has the same answer', () => {
  it('in the same host, and after a crash', async () => {
    const { open } = world()
    const machine = quoting()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const question = { type: 'QUOTE', item: 'tea' } as const
    const first = await actor.ask(question, { reply: 'QUOTED', id: 'q' })
    for (let i = 0; i < 10_000; i++) void actor.send({ type: 'QUOTE', item: 'other' })
    expect(await actor.ask(question, { reply: 'QUOTED', id: 'q', timeout: '1h' })).toEqual(first)
    expect(actor.getSnapshot().context.n).toBe(10_001)
    // at the same time, too: one is answered live, the other from the log
    const [a, b] = await Promise.all([1, 2].map(() => actor.ask(question, { reply: 'QUOTED', id: 'twice' })))
    expect(b).toEqual(a)
    await host.close()
    const later = await open([machine])
    const again = await later.actor(machine, 'x')
    expect(await again.ask(question, { reply: 'QUOTED', id: 'q' })).toEqual(first)
    expect(await again.ask(question, { reply: 'QUOTED', id: 'twice' })).toEqual(a)
    expect(again.getSnapshot().context.n).toBe(10_002)
    await later.close()
  })

  it('when the process dies before, or after, the append of the question or of its answer', async () => {
    for (const when of ['before', 'after'] as const)
      for (let at = 2; at <= 4; at++) {
        const { open, journal } = world()
        const machine = quoting()
        const dying = crashJournal(journal, at, when)
        const host = await open([machine], { journal: dying })
        // one append is the machine's definition; the start is one more, the question, and its answer
        const asked = host
          .actor(machine, 'x')
          .then((actor) => actor.ask({ type: 'LATER' }, { reply: 'QUOTED', id: 'q' }))
        expect(await isPending(asked)).toBe(true)
        expect(dying.crashed).toBe(true)
        const later = await open([machine])
        const actor = await later.actor(machine, 'x')
        const answers = [1, 2].map(() => actor.ask({ type: 'LATER' }, { reply: 'QUOTED', id: 'q' }))
        expect(await Promise.all(answers)).toEqual([1, 2].map(() => ({ type: 'QUOTED', n: 0, item: '' })))
        const ids: unknown[] = []
        for await (const { id } of actor.history()) if (id !== undefined) ids.push(id)
        expect(ids).toEqual(['q'])
        await later.close()
      }
  })

  it('when the answer of the journal is lost', async () => {
    const { open, journal } = world()
    const machine = quoting()
    const disk = faultyJournal(journal)
    const host = await open([machine], { journal: disk })
    const actor = await host.actor(machine, 'x')
    const question = { type: 'QUOTE', item: 'tea' } as const
    const next = disk.appends + 1
    disk.plan = (_, n) => (n === next ? { when: 'after', code: 'OUTCOME_UNKNOWN' } : undefined)
    const asked = [
      actor.ask(question, { reply: 'QUOTED' }),
      actor.ask({ type: 'QUOTE', item: 'milk' }, { reply: 'QUOTED' }),
    ]
    expect(await Promise.all(asked)).toMatchObject([{ item: 'tea' }, { item: 'milk' }])
    await host.close()
  })
})
