// K3: a checkpoint is in the log and takes the place of the records before it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { left } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { type AnyActorRef, type AnyEventObject, assign, emit, fromPromise, setup } from 'xstate'
import {
  currentEffect,
  type DurableMachine,
  DuramenError,
  deliver,
  durable,
  type Host,
  openHost,
} from '../../src/index.ts'
import { fileJournal, type Journal, memoryJournal } from '../../src/journal/index.ts'
import { decodeCommit } from '../../src/journal/records.ts'
import { everyCrashPoint } from '../../src/testing/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, quiet, recording, refused, settle, texts, world } from '../support/host.ts'
import { kept } from '../support/journals.ts'
import { acting, counter, mailbox } from '../support/machines.ts'
import { chores, restful } from '../support/restful.ts'
import { view } from '../support/view.ts'

noUnhandledRejections()

/** The same journal, and no snapshot is ever found. */
const withoutSnapshots = (journal: Journal): Journal => ({ ...kept(journal), snapshot: async () => undefined })

async function kinds(journal: Journal, stream: string): Promise<string[]> {
  const found: string[] = []
  for await (const record of journal.read(stream)) found.push(`${record.seq} ${decodeCommit(record).kind}`)
  return found
}

async function counted(host: Host, machine: DurableMachine<any>, events: number) {
  const actor = await host.actor(machine, 'c')
  for (let i = 0; i < events; i++) await actor.send({ type: 'INC' }, { id: `e${i}` })
  return actor
}

describe('trim', () => {
  it('K3 K4: drops the history; the instance is what it was, knows its event ids, and counts on', async () => {
    const { open, journal } = world()
    const machine = counter()
    let host = await open([machine])
    await counted(host, machine, 5)
    expect(await host.trim(machine, 'c', by)).toMatchObject({ seq: 7, handled: true, duplicate: false })
    expect(await kinds(journal, 'counter/c')).toEqual(['7 checkpoint'])
    await host.close()

    host = await open([machine], { journal: withoutSnapshots(journal) })
    const actor = await host.actor(machine, 'c')
    expect(actor.getSnapshot().context).toEqual({ n: 5, seen: [] })
    expect(await actor.send({ type: 'INC' }, { id: 'e2' })).toMatchObject({ seq: 4, duplicate: true })
    expect(await actor.send({ type: 'INC' }, { id: 'e5' })).toMatchObject({ seq: 8, duplicate: false })
    await host.trim(machine, 'c', by)
    expect(await kinds(journal, 'counter/c')).toEqual(['9 checkpoint'])
    expect(await host.trim(machine, 'c', by)).toMatchObject({ seq: 9, handled: false })
    expect(await kinds(journal, 'counter/c')).toEqual(['9 checkpoint'])
    await host.close()

    host = await open([machine], { journal: withoutSnapshots(journal) })
    expect((await host.actor(machine, 'c')).getSnapshot().context.n).toBe(6)
    expect(await host.send(machine, 'c', { type: 'INC' }, { id: 'e2' })).toMatchObject({ seq: 4, duplicate: true })
    expect((await host.verify()).findings).toEqual([])
    await host.close()
  })

  it('K3 K5 K6: timers, children, promises and callbacks go on from a checkpoint as if all records were there', async () => {
    const { open, journal, clock } = world()
    let machine = restful(chores())
    let host = await open([machine], { closeTimeout: 0 })
    const actor = await host.actor(machine, 'a')
    for (const type of ['INC', 'KID', 'KIDTIMER', 'SET', 'SPAWN', 'GO']) await actor.send({ type, v: 1 } as never)
    const was = view(actor.getSnapshot())
    const { timers, effects } = await actor.info()
    expect([timers.length, effects.length]).toEqual([2, 1])
    await host.trim(machine, 'a', by)
    expect(await kinds(journal, 'restful/a')).toEqual(['8 checkpoint'])
    expect(view(actor.getSnapshot())).toEqual(was)
    const closed = host.close()
    await settle()
    clock.advance(0)
    await closed

    const after = chores()
    machine = restful(after)
    host = await open([machine], { journal: withoutSnapshots(journal) })
    const again = await host.actor(machine, 'a')
    await settle()
    expect(after.jobs).toHaveLength(1)
    expect((await again.info()).timers).toEqual(timers)
    after.finishAll()
    await settle()
    clock.advance(10_000)
    await settle()
    const { value, context, children } = again.getSnapshot() as any
    expect({ value, n: context.n, ticks: context.ticks }).toEqual({ value: 'idle', n: 1, ticks: 1 })
    expect(children.kid.getSnapshot().context).toEqual({ n: 1, late: 1 })
    expect(context.kid).toBe(children.kid)
    expect(Object.keys(children).sort()).toEqual(['kid', 'tr'])
    expect((await host.verify()).findings).toEqual([])
    await host.close()
  })

  it('K3 K5: a token that was given out before a checkpoint ends its promise after it', async () => {
    const { open, journal, clock } = world()
    let token = ''
    const machine = () =>
      durable(
        setup({
          actors: { ask: fromPromise(() => currentEffect().handOver((given) => void (token = given))) },
        }).createMachine({
          id: 'asking',
          initial: 'asks',
          states: { asks: { invoke: { src: 'ask', id: 'ask', onDone: 'told' } }, told: {} },
        }),
      )
    const first = machine()
    let host = await open([first], { closeTimeout: 0 })
    await host.actor(first, 'x')
    await settle()
    await host.trim(first, 'x', by)
    expect(await kinds(journal, 'asking/x')).toEqual([expect.stringMatching('checkpoint')])
    const closed = host.close()
    await settle()
    clock.advance(0)
    await closed
    const second = machine()
    host = await open([second], { journal: withoutSnapshots(journal) })
    const given = token
    expect(await host.complete(given, 'yes')).toMatchObject({ handled: true, duplicate: false })
    expect((await host.actor(second, 'x')).getSnapshot().value).toBe('told')
    await host.trim(second, 'x', by)
    expect(await host.complete(given, 'yes')).toMatchObject({ duplicate: true })
    await host.close()
  })

  it('K3 K7: a crash before or after any write loses nothing, and leaves nothing behind', async () => {
    const machine = counter()
    const points = await everyCrashPoint(
      async ({ journal, clock, nth }) => {
        const host = await openHost({ journal, clock, logger: quiet, machines: [machine], snapshotEvery: 2 })
        const actor = await counted(host, machine, 4)
        expect(actor.getSnapshot().context.n).toBeGreaterThanOrEqual(4)
        if (nth === 1) await host.trim(machine, 'c', by)
        for (let i = 4; i < 6; i++) await actor.send({ type: 'INC' }, { id: `e${i}` })
        expect(actor.getSnapshot().context.n).toBe(6)
        await host.close()
      },
      async ({ journal, clock }) => {
        const host = await openHost({ journal, clock, logger: quiet, machines: [machine] })
        const actor = await host.actor(machine, 'c')
        expect(actor.getSnapshot().context.n).toBe(6)
        expect(await actor.send({ type: 'INC' }, { id: 'e0' })).toMatchObject({ seq: 2, duplicate: true })
        expect((await host.verify()).findings).toEqual([])
        await host.trim(machine, 'c', by)
        expect(await texts(journal, 'counter/c')).toHaveLength(1)
        await host.close()
      },
      { again: true },
    )
    expect(points).toBeGreaterThan(40)
  })

  it.each(['memory', 'file'])('K3: what a crash came before is dropped when a host is opened (%s)', async (where) => {
    const dir = mkdtempSync(join(tmpdir(), 'trim-'))
    const memory = memoryJournal()
    const opened = async () => (where === 'memory' ? kept(memory) : fileJournal(dir))
    const machine = counter()
    const logger = recording()
    let journal = await opened()
    const full = left(new DuramenError('NO_SPACE', 'the disk is full'))
    let host = await openHost({ journal: { ...journal, trim: () => async () => full }, machines: [machine], logger })
    await counted(host, machine, 3)
    expect((await refused(host.trim(machine, 'c', by))).code).toBe('NO_SPACE')
    expect(await texts(journal, 'counter/c')).toHaveLength(5)
    await host.close()
    journal = await opened()
    host = await openHost({ journal, logger })
    expect(await texts(journal, 'counter/c')).toHaveLength(5)
    await host.register(machine)
    expect(await kinds(journal, 'counter/c')).toEqual(['5 checkpoint'])
    expect(await host.trim(machine, 'c', by)).toMatchObject({ seq: 5, handled: false })
    expect(logger.lines).toEqual([])
    await host.close()
    journal = await opened()
    for await (const { stream } of journal.heads({ pending: true })) expect.fail(`${stream} is looked at each time`)
    await journal.close()()
    rmSync(dir, { recursive: true })
  })

  it('K3 K4: among events, again and again, and while instances come and go', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine], { maxActive: 1, snapshotEvery: 7 })
    const ids = ['a', 'b', 'c']
    for (const id of ids) await host.actor(machine, id)
    const all: Promise<unknown>[] = []
    for (let i = 0; i < 100; i++) {
      for (const id of ids) all.push(host.send(machine, id, { type: 'INC' }, { id: `${id}${i}` }))
      if (i % 10 === 3) for (const id of ids) all.push(host.trim(machine, id, by), host.trim(machine, id, by))
      if (i % 7 === 0) await settle(1)
    }
    await Promise.all(all)
    expect((await host.verify()).findings).toEqual([])
    await host.close()
    const second = await open([machine], { journal: withoutSnapshots(journal) })
    for (const id of ids) {
      expect((await second.actor(machine, id)).getSnapshot().context.n).toBe(100)
      expect((await texts(journal, `counter/${id}`)).length).toBeLessThan(30)
    }
    await second.close()
  })

  it('K3: a history that does not come to its checkpoint is not dropped', async () => {
    const { open, journal } = world()
    let chance = 1
    const machine = durable(
      setup({ types: {} as { context: { n: number; dice: () => number } } }).createMachine({
        id: 'impure',
        context: { n: 0 } as never,
        on: { INC: { actions: assign({ n: () => chance }) } },
      } as any),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' } as never)
    chance = 2
    expect(await refused(host.trim(machine, 'x', by))).toMatchObject({ code: 'REPLAY_DIVERGED', where: { seq: 3 } })
    expect(await kinds(journal, 'impure/x')).toEqual(['1 start', '2 event', '3 checkpoint'])
    await host.close()
  })

  it('K3: an older snapshot is of no use behind a checkpoint', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine], { snapshotEvery: 2 })
    await counted(host, machine, 4)
    const older = (await journal.snapshot('counter/c'))!
    await host.trim(machine, 'c', by)
    await host.send(machine, 'c', { type: 'INC' })
    await host.close()
    expect(older.seq).toBe(4) // the checkpoint is 6
    // one that was read before the others were dropped
    const late: Journal = {
      ...kept(journal),
      snapshot: async () => older,
      read: (stream, range) => (range?.to === older.seq ? fromText(older, stream) : journal.read(stream, range)),
    }
    async function* fromText({ seq, text }: { seq: number; text: string }, stream: string) {
      const [, head] = text.split('\n')
      const { header, outcome, position } = JSON.parse(head!).head
      yield { stream, seq, position, text: `${JSON.stringify(header)}\n${outcome}\nj` }
    }
    const second = await open([machine], { journal: late })
    expect((await second.actor(machine, 'c')).getSnapshot().context.n).toBe(5)
    await second.close()
  })
})

describe('what reads history', () => {
  it('history, records, snapshotAt, fork, info and verify begin with the checkpoint, or say that they can not', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await counted(host, machine, 3)
    await host.trim(machine, 'c', by)
    await actor.send({ type: 'INC' })
    const history = []
    for await (const entry of actor.history()) history.push(entry)
    expect(history).toMatchObject([
      { seq: 5, kind: 'checkpoint', payload: { op: 'trim', ...by } },
      { seq: 6, kind: 'event' },
    ])
    expect(Object.keys(history[0]!.payload as object).sort()).toEqual(['op', 'who', 'why'])
    expect((await actor.snapshotAt(5)).snapshot.context.n).toBe(3)
    expect((await (await actor.snapshotAt(6)).send({ type: 'INC' })).snapshot.context.n).toBe(5)
    for (const seq of [1, 4])
      expect(await refused(host.snapshotAt(machine, 'c', seq))).toMatchObject({ code: 'TRIMMED', where: { seq: 5 } })
    expect(await refused(actor.snapshotAt(7))).toMatchObject({ code: 'BAD_OPTION' })
    expect(await refused(host.fork(actor, 6, { id: 'copy', ...by }))).toMatchObject({ code: 'TRIMMED' })
    expect(await host.verify()).toMatchObject({ ok: 1, records: 2, findings: [] })
    await host.close()

    const asleep = await open([machine], { maxActive: 1 })
    await asleep.actor(machine, 'other')
    expect(await (await asleep.actor(machine, 'c', { create: false })).info()).toMatchObject({
      seq: 6,
      timers: [],
      effects: [],
    })
    await asleep.close()
  })

  it('K4: a question that is asked again has its answer, or is told that it was trimmed', async () => {
    const { open } = world()
    const machine = durable(
      setup({
        types: {} as { events: { type: 'ASK' }; emitted: { type: 'ANSWER' } },
      }).createMachine({ id: 'oracle', on: { ASK: { actions: emit({ type: 'ANSWER' }) } } }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const again = () => actor.ask({ type: 'ASK' }, { reply: 'ANSWER', id: 'q' })
    expect(await again()).toEqual({ type: 'ANSWER' })
    expect(await again()).toEqual({ type: 'ANSWER' })
    await host.trim(machine, 'x', by)
    expect(await refused(again())).toMatchObject({ code: 'TRIMMED', where: { seq: 3 } })
    expect(await actor.ask({ type: 'ASK' }, { reply: 'ANSWER', id: 'r' })).toEqual({ type: 'ANSWER' })
    await host.close()
  })

  it('K3: info tells of timers and work of an instance at rest; verify of what another version makes of it', async () => {
    const { open } = world()
    const bell = (version: number, ms: number) =>
      durable(
        setup({}).createMachine({
          id: 'bell',
          initial: 'a',
          states: { a: { on: { GO: 'b' } }, b: { after: { [ms]: 'c' } }, c: {} },
        }),
        { version },
      )
    const machine = bell(1, 3_600_000)
    const host = await open([machine], { maxActive: 1 })
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'GO' })
    await host.trim(machine, 'x', by)
    const { timers } = await actor.info()
    await host.actor(machine, 'y')
    await settle()
    expect((await actor.info()).phase).toBe('resting')
    expect((await actor.info()).timers).toEqual(timers)
    expect(timers).toHaveLength(1)
    expect(await host.verify({ id: 'x', against: [bell(2, 3_600_000)] })).toMatchObject({ ok: 1 })
    await host.close()
  })

  it('K3: a machine that has lost the state of a checkpoint is told so by name, and nothing is lost', async () => {
    const { open } = world()
    const lamp = (...states: string[]) =>
      durable(
        setup({}).createMachine({
          id: 'lamp',
          initial: states[0]!,
          states: Object.fromEntries(states.map((name) => [name, {}])),
          on: { GO: `.${states.at(-1)}` },
        }),
      )
    let host = await open([lamp('off', 'on')])
    const first = lamp('off', 'on')
    await host.close()
    host = await open([first])
    await host.actor(first, 'x')
    await host.send(first, 'x', { type: 'GO' })
    await host.trim(first, 'x', by)
    await host.close()
    const other = lamp('off', 'lit')
    const second = await open([other])
    expect(await refused(second.actor(other, 'x'))).toMatchObject({ code: 'REPLAY_DIVERGED', where: { seq: 3 } })
    expect((await second.verify()).findings).toMatchObject([{ status: 'diverged', id: 'x' }])
    await second.close()
    const third = await open([first])
    expect((await third.actor(first, 'x')).getSnapshot().value).toBe('on')
    await third.close()
  })

  it('K4: deliveries that have arrived before a checkpoint do not arrive again, nor after a purge of what can not be loaded', async () => {
    const { open, journal } = world()
    const box = mailbox()
    const sender = acting(() => void deliver(box, 'm', { type: 'MSG', v: 1 }))
    let host = await open([box, sender])
    await host.actor(box, 'm')
    const actor = await host.actor(sender, 's')
    await actor.send({ type: 'GO' })
    await settle()
    await host.trim(box, 'm', by)
    const [checkpoint] = await texts(journal, 'mailbox/m')
    const { receipts } = decodeCommit({ stream: 'mailbox/m', seq: 3, position: 1, text: checkpoint! }).payload() as any
    expect(receipts.senders).toHaveLength(1)
    await host.pause(box, 'm', by)
    await host.close()
    host = await open([sender])
    await host.purge('mailbox', 'm', by)
    const [purge] = await texts(journal, 'mailbox/m')
    expect((decodeCommit({ stream: 'mailbox/m', seq: 5, position: 1, text: purge! }).payload() as any).senders).toEqual(
      receipts.senders,
    )
    await host.close()
  })
})

describe('what can not be trimmed', () => {
  it('K5: an instance with unfinished actions, until they are finished; one that has failed, until it is seen to', async () => {
    const { open, journal, clock } = world()
    const gate = deferred()
    const machine = acting((event) => (event.fails ? Promise.reject(new Error('no')) : gate.promise))
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'GO' })
    expect(await refused(host.trim(machine, 'x', by))).toMatchObject({ code: 'NOT_TRIMMABLE', retryable: true })
    expect(await texts(journal, 'acting/x')).toHaveLength(2)
    gate.resolve(undefined)
    await settle()
    expect(await host.trim(machine, 'x', by)).toMatchObject({ seq: 3, handled: true })
    expect(await kinds(journal, 'acting/x')).toEqual(['3 checkpoint'])
    await actor.send({ type: 'GO', fails: true })
    for (let i = 0; i < 3; i++) {
      clock.advance(1000)
      await settle()
    }
    const [dead] = await host.deadLetters()
    expect(await refused(host.trim(machine, 'x', by))).toMatchObject({ code: 'NOT_TRIMMABLE', retryable: false })
    await host.skip(machine, 'x', dead!.key, by)
    await host.trim(machine, 'x', by)
    expect(await texts(journal, 'acting/x')).toHaveLength(1)
    expect((await host.list())[0]).toMatchObject({ status: 'parked' }) // trimming is not seeing to it
    await host.resume(machine, 'x', by)
    await host.close()
  })

  it('K3: an instance with actors of logic without a name, or with what can not be kept in its context', async () => {
    const { open, journal } = world()
    const child = setup({}).createMachine({})
    const machine = durable(
      setup({ types: {} as { context: { kid?: AnyActorRef; odd?: unknown }; events: AnyEventObject } }).createMachine({
        id: 'inline',
        context: {},
        on: {
          SPAWN: { actions: assign({ kid: ({ spawn }: any) => spawn(child) }) },
          ODD: { actions: assign({ odd: () => () => {} }) },
        },
      }),
    )
    const host = await open([machine])
    for (const type of ['SPAWN', 'ODD']) {
      await host.actor(machine, type)
      await host.send(machine, type, { type })
      expect(await refused(host.trim(machine, type, by))).toMatchObject({ code: 'NOT_TRIMMABLE', retryable: false })
      expect(await texts(journal, `inline/${type}`)).toHaveLength(2)
      await host.send(machine, type, { type: 'NOTHING' }) // it goes on
    }
    await host.close()
  })

  it('K5 K8: one that is paused can be, and stays so', async () => {
    const { open, journal } = world()
    let machine = restful(chores())
    let host = await open([machine])
    await host.actor(machine, 'a')
    await host.pause(machine, 'a', by)
    await host.trim(machine, 'a', by)
    expect((await host.list())[0]).toMatchObject({ status: 'paused' })
    await host.close()
    machine = restful(chores())
    host = await open([machine], { journal: withoutSnapshots(journal) })
    expect(await refused(host.send(machine, 'a', { type: 'INC' } as never))).toMatchObject({ code: 'PAUSED' })
    await host.resume(machine, 'a', by)
    expect(await host.send(machine, 'a', { type: 'INC' } as never)).toMatchObject({ handled: true })
    await host.close()
  })
})
