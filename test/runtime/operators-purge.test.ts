import { left, right } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { currentEffect, DuramenError, deliver, durable, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { everyCrashPoint, quietLogger } from '../../src/testing/index.ts'
import { by, noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { kept } from '../support/journals.ts'
import { acting, counter, mailbox } from '../support/machines.ts'

noUnhandledRejections()

async function stopped(host: Awaited<ReturnType<typeof openHost>>, machine: ReturnType<typeof counter>, events = 3) {
  const actor = await host.actor(machine, 'c')
  for (let i = 0; i < events; i++) await actor.send({ type: 'INC' }, { id: `e${i}` })
  await host.stop(machine, 'c', by)
  return actor
}

describe('purge', () => {
  it('by another host, while this one is about to load it: it is not there', async () => {
    const { open, journal } = world()
    const machine = counter()
    const other = await open([machine])
    const held = await stopped(other, machine)
    const racing: Journal = {
      ...kept(journal),
      async head(stream) {
        const head = await journal.head(stream)
        if (held.getSnapshot().status === 'stopped') await other.purge(machine, 'c', by).catch(() => {})
        return head
      },
    }
    const host = await open([machine], { journal: racing })
    expect(await refused(host.actor(machine, 'c'))).toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    expect((await host.actor(machine, 'c')).getSnapshot()).toMatchObject({ status: 'active', context: { n: 0 } })
    await other.close()
    await host.close()
  })

  it('drops the records; who holds it is told; the id is free, and numbers go on', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await stopped(host, machine)
    expect(await host.purge(machine, 'c', by)).toMatchObject({ seq: 6, handled: true, duplicate: false })
    expect(await texts(journal, 'counter/c')).toHaveLength(1)
    expect(await host.list()).toEqual([])
    expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    expect(actor.getSnapshot()).toMatchObject({ status: 'stopped', context: { n: 3 } })
    for (const refusal of [
      host.actor(machine, 'c', { create: false }),
      host.send(machine, 'c', { type: 'INC' }),
      host.purge(machine, 'c', by),
      host.pause(machine, 'c', by),
    ])
      expect((await refused(refusal)).code).toBe('UNKNOWN_INSTANCE')
    const anew = await host.actor(machine, 'c', { create: 'only' })
    expect(anew.getSnapshot()).toMatchObject({ status: 'active', context: { n: 0 } })
    expect(await anew.send({ type: 'INC' }, { id: 'e0' })).toMatchObject({ seq: 8, duplicate: false })
    expect((await refused(host.actor(machine, 'c', { create: 'only' }))).code).toBe('INSTANCE_EXISTS')
    await host.close()
    const host2 = await open([machine])
    expect((await host2.actor(machine, 'c')).getSnapshot().context.n).toBe(1)
    expect(await (await host2.actor(machine, 'c')).send({ type: 'INC' }, { id: 'e0' })).toMatchObject({
      duplicate: true,
    })
    await host2.close()
  })

  it('K1: who listens is told once, also who comes later, and is given a new one under its id at once', async () => {
    const { open } = world()
    const kid = setup({}).createMachine({ id: 'kid' })
    const machine = durable(
      setup({ types: {} as { events: { type: 'A' } }, actors: { kid } }).createMachine({
        id: 'm',
        invoke: { src: 'kid', id: 'kid' },
        on: { A: {} },
      }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    const child = actor.getSnapshot().children.kid!
    const told: string[] = []
    let anew: ReturnType<typeof host.actor<typeof machine.machine>> | undefined
    actor.subscribe({
      complete: () => {
        told.push('before')
        anew = host.actor(machine, 'c')
      },
    })
    const waiting = refused(actor.waitFor(() => false))
    await host.pause(machine, 'c', by)
    await host.purge(machine, 'c', by)
    await settle()
    actor.subscribe({ complete: () => told.push('after') })
    child.subscribe({ complete: () => told.push('child') })
    expect(told).toEqual(['before', 'after', 'child'])
    for (const refusal of [waiting, refused(actor.waitFor(() => false))])
      expect(await refusal).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('it was purged') })
    expect(await (await anew!).send({ type: 'A' })).toMatchObject({ seq: 5 })
    const [one, other] = await Promise.all([host.actor(machine, 'c'), anew!])
    await one.send({ type: 'A' })
    expect(one.getSnapshot()).toBe(other.getSnapshot())
    await host.close()
  })

  it('again and again under one id, with snapshots in between', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine], { snapshotEvery: 2 })
    for (let round = 0; round < 4; round++) {
      await stopped(host, machine, 7)
      await host.purge(machine, 'c', by)
    }
    await (await host.actor(machine, 'c')).send({ type: 'INC' })
    await host.close()
    const host2 = await open([machine], { snapshotEvery: 2 })
    expect((await host2.actor(machine, 'c')).getSnapshot().context.n).toBe(1)
    await host2.close()
  })

  it('of one that is paused: effects that run are aborted, and what they come to is ignored', async () => {
    const { open } = world()
    let aborted = false
    const machine = acting(
      () =>
        new Promise((_, reject) => {
          signal().addEventListener('abort', () => {
            aborted = true
            reject(new Error('aborted'))
          })
        }),
    )
    const signal = () => currentEffect().signal
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await host.pause(machine, 'x', by)
    await host.purge(machine, 'x', by)
    await settle()
    expect(aborted).toBe(true)
    expect(await host.list()).toEqual([])
    await host.actor(machine, 'x', { create: 'only' })
    await host.close()
  })

  it('of one whose machine is not registered, by its id: only what has ended or is held', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    await stopped(host, machine)
    await host.actor(machine, 'd')
    await host.actor(machine, 'e')
    await host.pause(machine, 'e', by)
    await host.close()
    const host2 = await open([])
    expect(await host2.purge('counter', 'c', by)).toMatchObject({ seq: 6, handled: true })
    expect((await refused(host2.purge('counter', 'd', by))).code).toBe('STILL_ACTIVE')
    await host2.purge(machine, 'e', by)
    expect((await refused(host2.purge('counter', 'nobody', by))).code).toBe('UNKNOWN_INSTANCE')
    expect((await refused(host2.purge('counter', '', by))).code).toBe('BAD_ID')
    expect((await refused(host2.purge(undefined as never, 'c', by))).code).toBe('BAD_MACHINE')
    expect(await host2.list()).toMatchObject([{ id: 'd' }])
    expect(await texts(journal, 'counter/c')).toHaveLength(1)
    await host2.close()
    const host3 = await open([machine])
    expect((await host3.actor(machine, 'c')).getSnapshot().context.n).toBe(0)
    await host3.close()
  })

  it('K4: what was delivered before the purge is not delivered again after it', async () => {
    for (const registered of [true, false]) {
      const { open, journal } = world()
      const box = mailbox()
      let fail = false
      const machine = acting(async (event) => {
        await deliver(box, 'box', { type: 'MSG', v: event.v })
        if (fail) throw new Error('after the delivery')
      }, 'sender')
      const host = await open([machine, box])
      await host.actor(box, 'box')
      const actor = await host.actor(machine, 's')
      await actor.send({ type: 'GO', v: 1 })
      await settle()
      fail = true
      await actor.send({ type: 'GO', v: 2 })
      await settle()
      expect((await host.actor(box, 'box')).getSnapshot().context.got).toEqual([1, 2])
      await host.stop(box, 'box', by)
      let again = host
      if (!registered) {
        await host.close()
        again = await open([machine])
      }
      await again.purge(box, 'box', by)
      if (!registered) await again.register(box)
      expect(await texts(journal, 'mailbox/box')).toHaveLength(1)
      const anew = await again.actor(box, 'box')
      fail = false
      await again.resume(machine, 's', by) // delivers 2 a second time
      await settle()
      expect(anew.getSnapshot().context.got).toEqual([])
      await (await again.actor(machine, 's')).send({ type: 'GO', v: 3 })
      await settle()
      expect(anew.getSnapshot().context.got).toEqual([3])
      await again.close()
      const last = await open([machine, box])
      expect((await last.actor(box, 'box')).getSnapshot().context.got).toEqual([3])
      await last.close()
    }
  })

  it('a trim that fails is told, and done at the next opening', async () => {
    const { journal, clock } = world()
    let bad = true
    const failing: Journal = {
      ...kept(journal),
      trim: (stream, before) =>
        bad ? async () => left(new DuramenError('IO', 'as planned')) : journal.trim(stream, before),
    }
    const lines: string[] = []
    const logger = { ...quietLogger, warn: (line: string) => void lines.push(line) }
    const machine = counter()
    const host = await openHost({ journal: failing, clock, machines: [machine], logger })
    await stopped(host, machine)
    expect(await host.purge(machine, 'c', by)).toMatchObject({ handled: true })
    expect(lines.join()).toContain('counter/c was purged, its records are still there')
    expect(await texts(journal, 'counter/c')).toHaveLength(6)
    expect(await host.list()).toEqual([])
    await host.close()
    bad = false
    const host2 = await openHost({ journal: failing, clock, machines: [machine], logger })
    expect(await texts(journal, 'counter/c')).toHaveLength(1)
    expect((await host2.actor(machine, 'c')).getSnapshot().context.n).toBe(0)
    await host2.close()
  })

  it('records that could not be decided again, and are still there, do no harm', async () => {
    const journal = memoryJournal()
    const never: Journal = { ...kept(journal), trim: () => async () => right(undefined) }
    const first = counter()
    const host = await openHost({ journal: never, machines: [first], logger: quietLogger })
    await stopped(host, first)
    await host.close()
    const other = mailbox('counter')
    const host2 = await openHost({ journal: never, machines: [other], logger: quietLogger })
    expect((await refused(host2.actor(other, 'c'))).code).toBe('REPLAY_DIVERGED')
    await host2.purge(other, 'c', by)
    await (await host2.actor(other, 'c')).send({ type: 'MSG', v: 1 })
    await host2.close()
    const host3 = await openHost({ journal: never, machines: [other], logger: quietLogger })
    expect((await host3.actor(other, 'c')).getSnapshot().context.got).toEqual([1])
    await host3.close()
  })

  it('a crash anywhere: it is there as before, or purged', async () => {
    const tried = await everyCrashPoint(
      async ({ journal, clock, outside: { machine } }) => {
        const host = await openHost({ journal, clock, machines: [machine], logger: quietLogger })
        const there = (await host.list())[0]
        if (!there || there.status === 'active') {
          const purged = (await texts(journal, 'counter/c')).some((t) => t.includes('"op":"purge"'))
          if (!purged) {
            await stopped(host, machine)
            await host.purge(machine, 'c', by)
          }
        } else await host.purge(machine, 'c', by)
        await (await host.actor(machine, 'c')).send({ type: 'INC' }, { id: 'new' })
        await host.close()
      },
      async ({ journal, clock, outside: { machine } }) => {
        const host = await openHost({ journal, clock, machines: [machine], logger: quietLogger })
        expect((await host.actor(machine, 'c')).getSnapshot().context.n).toBe(1)
        await host.close()
        const left = await texts(journal, 'counter/c')
        expect(left.filter((t) => t.includes('"kind":"event"'))).toHaveLength(1)
      },
      { again: true, outside: () => ({ machine: counter() }) },
    )
    expect(tried).toBeGreaterThan(20)
  })
})
