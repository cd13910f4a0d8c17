import { type Observable, toArray } from 'rxjs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { assign, setup } from 'xstate'
import { durable, type JournalEntry } from '../../src/index.ts'
import { fileJournal } from '../../src/journal/index.ts'
import { newFolder } from '../journal/folder.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal, kept } from '../support/journals.ts'
import { counter, mailbox } from '../support/machines.ts'

noUnhandledRejections()

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** What a subscriber hears, and how it ends. */
function listen(stream: Observable<JournalEntry>) {
  const heard = { entries: [] as JournalEntry[], completed: false, error: undefined as unknown, stop: () => {} }
  const subscription = stream.subscribe({
    next: (entry) => void heard.entries.push(entry),
    error: (error) => {
      heard.error = error
    },
    complete: () => {
      heard.completed = true
    },
  })
  heard.stop = () => subscription.unsubscribe()
  return heard
}

const names = (entries: JournalEntry[]) => entries.map(({ machine, instance, seq }) => `${machine}/${instance} ${seq}`)

describe('host.records', () => {
  it('gives the commits of all instances in one order, without what the journal keeps for itself', async () => {
    const { open, clock } = world()
    const [a, b] = [counter(), mailbox()]
    const host = await open([a, b])
    const x = await host.actor(a, 'x')
    const y = await host.actor(b, 'y/with slash')
    await y.send({ type: 'MSG', v: new Date(5) })
    await x.send({ type: 'INC' }, { id: 'inc' })
    const entries = await all(host.records())
    expect(names(entries)).toEqual(['counter/x 1', 'mailbox/y/with slash 1', 'mailbox/y/with slash 2', 'counter/x 2'])
    expect(entries[2]).toMatchObject({ kind: 'event', at: clock.now(), payload: { type: 'MSG', v: new Date(5) } })
    const { machine, instance, ...own } = entries[3]!
    expect([machine, instance]).toEqual(['counter', 'x'])
    expect((await all(x.history()))[1]).toEqual(own)
    expectTypeOf(entries[0]!.instance).toBeString()
    const [, second, third] = entries.map(({ position }) => position)
    expect(names(await all(host.records({ from: second!, to: third! })))).toEqual(names(entries.slice(1, 3)))
    expect(await all(host.records({ from: 0 }))).toEqual(entries)
    await host.close()
  })
})

describe('host.records$', () => {
  it('K1: catches up, then goes on live, without a gap and none twice, for several at different places', async () => {
    const { open, journal } = world()
    const disk = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: disk })
    const actors = await Promise.all(['a', 'b', 'c'].map((id) => host.actor(machine, id)))
    for (let i = 0; i < 1000; i++) void actors[i % 3]!.send({ type: 'INC' })
    const early = listen(host.records$())
    const sending = (async () => {
      for (let i = 0; i < 300; i++) {
        void actors[i % 3]!.send({ type: 'INC' })
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const late = listen(host.records$({ from: 500 }))
    await sending
    await settle()
    const before = await all(host.records())
    expect(before).toHaveLength(1303)
    expect(early.entries).toEqual(before)
    expect(late.entries).toEqual(before.filter(({ position }) => position >= 500))
    disk.hold()
    const sent = actors[0]!.send({ type: 'INC' })
    await settle()
    expect(early.entries).toHaveLength(1303) // not durable, not told
    disk.release()
    await sent
    await settle()
    expect(early.entries).toHaveLength(1304)
    late.stop()
    await actors[0]!.send({ type: 'INC' })
    await settle()
    expect([early.entries.length, late.completed]).toEqual([1305, false])
    expect(late.entries.at(-1)?.position).toBe(early.entries.at(-2)?.position)
    await host.close()
    expect(early).toMatchObject({ completed: true, error: undefined })
  })

  it('tells of commits whose answer was lost', async () => {
    const { open, journal } = world()
    const disk = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: disk })
    const actor = await host.actor(machine, 'x')
    const heard = listen(host.records$())
    await settle()
    const next = disk.appends + 1
    disk.plan = (_, n) => (n === next ? { when: 'after', code: 'OUTCOME_UNKNOWN' } : undefined)
    await actor.send({ type: 'INC' })
    await settle()
    expect(names(heard.entries)).toEqual(['counter/x 1', 'counter/x 2'])
    for (const from of [Number.NaN, -1, 1.5])
      expect(() => host.records$({ from })).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
    await host.close()
  })

  it('K10: is told of the last commits before it completes, also those made while the host closes', async () => {
    const { open } = world()
    const ended: string[] = []
    const machine = durable(
      setup({
        types: {} as { context: { n: number }; events: { type: 'GO' } },
        actions: { slow: () => Promise.resolve().then(() => void ended.push('slow')) },
      }).createMachine({ id: 'slow', context: { n: 0 }, on: { GO: { actions: ['slow', assign({ n: 1 })] } } }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const heard = listen(host.records$())
    void actor.send({ type: 'GO' })
    await host.close()
    expect(ended).toEqual(['slow'])
    expect(heard).toMatchObject({ completed: true, error: undefined })
    expect(heard.entries.map(({ kind }) => kind)).toEqual(['start', 'event', 'mark'])
    const after = listen(host.records$())
    await settle()
    expect(after.completed).toBe(true)
  })

  it('K9: reads no further than a subscriber wants, in pages, and lets others have their turn', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await Promise.all(Array.from({ length: 9999 }, () => actor.send({ type: 'INC' })))
    await host.close()
    let read = 0
    const counting = {
      ...kept(journal),
      async *readAll(range: Parameters<typeof journal.readAll>[0]) {
        for await (const record of journal.readAll(range)) {
          read++
          yield record
        }
      },
    }
    const again = await open([machine], { journal: counting })
    const heard = listen(again.records$())
    let turns = 0
    while (heard.entries.length < 1000) {
      await new Promise((resolve) => setImmediate(resolve))
      turns++
    }
    expect(turns).toBeGreaterThan(2)
    heard.stop()
    const sofar = heard.entries.length
    await settle()
    expect([heard.entries.length, read - sofar <= 2]).toEqual([sofar, true]) // the definition is one
    const rest = new Promise<JournalEntry[]>((resolve) =>
      again.records$({ from: 2 }).pipe(toArray()).subscribe(resolve),
    )
    await settle()
    await again.close()
    expect((await rest).map(({ seq }) => seq)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1))
  })

  it('fails with what the journal answers', async () => {
    const { open, journal } = world()
    const machine = counter()
    const broken = {
      ...kept(journal),
      async *readAll() {
        yield { stream: 'counter/x', seq: 1, position: 1, text: 'nonsense' }
      },
    }
    const host = await open([machine], { journal: broken })
    const heard = listen(host.records$())
    await settle()
    expect(heard).toMatchObject({ completed: false, error: { code: 'JOURNAL_DAMAGED' } })
    expect(await refused(host.records().next())).toMatchObject({ code: 'JOURNAL_DAMAGED' })
    await host.close()
  })

  it('on a file journal: from a position, over a restart, through the close', async () => {
    const dir = await newFolder()
    const machine = counter()
    const { open } = world()
    const host = await open([machine], { journal: await fileJournal(dir) })
    const actor = await host.actor(machine, 'x')
    const heard = listen(host.records$())
    await Promise.all(Array.from({ length: 500 }, () => actor.send({ type: 'INC' })))
    void actor.send({ type: 'INC' })
    await host.close()
    expect(heard.entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 502 }, (_, i) => i + 1))
    expect(heard.completed).toBe(true)
    const later = await open([machine], { journal: await fileJournal(dir) })
    const on = listen(later.records$({ from: heard.entries.at(-1)!.position + 1 }))
    await later.send(machine, 'x', { type: 'INC' })
    await later.close()
    expect(names(on.entries)).toEqual(['counter/x 503'])
  })
})
