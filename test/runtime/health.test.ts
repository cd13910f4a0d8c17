import { describe, expect, it } from 'vitest'
import { fromCallback, fromPromise, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter } from '../support/machines.ts'

noUnhandledRejections()

const fine = {
  status: 'ok',
  reasons: [],
  parked: { count: 0, first: [] },
  paused: { count: 0, first: [] },
  broken: { count: 0, first: [] },
  journal: { failing: false, waiting: 0 },
  crowded: { count: 0, first: [] },
}

describe('health', () => {
  it('is ok, and closed once close was called, and plain data throughout', async () => {
    const { open } = world()
    const host = await open([counter()])
    expect(host.health()).toStrictEqual(fine)
    expect(structuredClone(host.health())).toStrictEqual(fine)
    const closing = host.close()
    expect(host.health()).toMatchObject({ status: 'closed', reasons: ['the host is closed'] })
    await closing
    expect(host.health()).toMatchObject({ status: 'closed' })
  })

  it('is degraded by parked instances, and names the first ten', async () => {
    let bad = true
    const machine = acting(() => {
      if (bad) throw new Error('no paper')
    })
    const host = await world().open([machine])
    for (let n = 0; n < 12; n++) await (await host.actor(machine, `x-${n}`)).send({ type: 'GO' })
    await settle()
    const { status, reasons, parked } = host.health()
    expect({ status, reasons }).toEqual({ status: 'degraded', reasons: ['12 parked'] })
    expect(parked.count).toBe(12)
    expect(parked.first).toHaveLength(10)
    expect(parked.first[0]).toEqual({
      machine: 'acting',
      id: 'x-0',
      code: 'MACHINE_THREW',
      message: "action 'act' (acting/x-0/2/0) failed: no paper",
    })
    bad = false
    for (let n = 0; n < 12; n++) await host.resume(machine, `x-${n}`, by)
    await settle()
    expect(host.health()).toStrictEqual(fine)
    await host.close()
  })

  it('K8: tells of parked instances after a restart, too', async () => {
    const machine = counter()
    const { open } = world()
    const first = await open([machine])
    await first.actor(machine, 'x')
    await first.park(machine, 'x', { who: 'ada', why: 'odd' })
    await first.close()
    const host = await open([machine])
    expect(host.health()).toMatchObject({ status: 'degraded', parked: { count: 1, first: [{ id: 'x' }] } })
    await host.close()
  })

  it('names paused instances, and is ok with them', async () => {
    const machine = counter()
    const host = await world().open([machine])
    await host.actor(machine, 'x')
    await host.pause(machine, 'x', { who: 'ada', why: 'lunch' })
    expect(host.health()).toStrictEqual({ ...fine, paused: { count: 1, first: [{ machine: 'counter', id: 'x' }] } })
    await host.close()
  })

  it('is degraded by instances that can not be rebuilt', async () => {
    const { open } = world()
    const build = (n: number) =>
      durable(
        setup({}).createMachine({
          id: 'm',
          context: { n },
          on: { GO: {} },
          initial: n ? 'b' : 'a',
          states: { a: {}, b: {} },
        }),
      )
    const first = build(0)
    const host = await open([first])
    await host.actor(first, 'x')
    await host.close()
    const second = build(1)
    const changed = await open([second])
    await refused(changed.actor(second, 'x'))
    expect(changed.health()).toMatchObject({
      status: 'degraded',
      reasons: ["1 can't be rebuilt"],
      broken: { count: 1, first: [{ machine: 'm', id: 'x', code: 'REPLAY_DIVERGED' }] },
    })
    await changed.close()
  })

  it('is failing from an append that the journal refused to the next that it takes', async () => {
    const { journal, clock, open } = world()
    const faulty = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'x')
    faulty.plan = () => ({ when: 'before', code: 'NO_SPACE', retryable: true })
    await refused(actor.send({ type: 'INC' }))
    const lastError = { code: 'NO_SPACE', message: 'as planned', at: clock.now() }
    expect(host.health()).toMatchObject({
      status: 'failing',
      reasons: ['the journal refused the last append: as planned'],
      journal: { failing: true, waiting: 0, lastError },
    })
    faulty.plan = () => undefined
    await actor.send({ type: 'INC' })
    expect(host.health()).toMatchObject({ status: 'ok', journal: { failing: false, lastError } })
    await host.close()
  })

  it('counts instances that wait for the journal', async () => {
    const { journal, clock, open } = world()
    const faulty = faultyJournal(journal)
    const answer = deferred<number>()
    const machine = durable(
      setup({ actors: { ask: fromPromise(() => answer.promise) } }).createMachine({
        id: 'asking',
        invoke: { src: 'ask', id: 'ask' },
      }),
    )
    const host = await open([machine], { journal: faulty })
    await host.actor(machine, 'x')
    faulty.plan = () => ({ when: 'before', code: 'IO', retryable: true })
    answer.resolve(1)
    await settle()
    expect(host.health()).toMatchObject({ status: 'failing', journal: { failing: true, waiting: 1 } })
    faulty.plan = () => undefined
    clock.advance(1000)
    await settle()
    expect(host.health()).toMatchObject({ status: 'ok', journal: { failing: false, waiting: 0 } })
    await host.close()
  })

  it('a conflict is no trouble of the journal', async () => {
    const { journal, open } = world()
    const faulty = faultyJournal(journal, (_, n) => (n === 3 ? { when: 'before', code: 'CONFLICT' } : undefined))
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' })
    expect(host.health()).toStrictEqual(fine)
    await host.close()
  })

  it('is degraded by a mailbox that is nearly full', async () => {
    const { journal, open } = world()
    const faulty = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: faulty, mailbox: 10, pipeline: 1 })
    const actor = await host.actor(machine, 'x')
    faulty.hold()
    const sends: Promise<unknown>[] = []
    const send = () => void sends.push(actor.send({ type: 'INC' }))
    send()
    await settle() // that one is on its way
    send() // and that one is decided
    for (let n = 0; n < 7; n++) send()
    expect(host.health().crowded.count).toBe(0)
    send()
    expect(host.health()).toMatchObject({
      status: 'degraded',
      crowded: { count: 1, first: [{ machine: 'counter', id: 'x', waiting: 8 }] },
    })
    faulty.release()
    await Promise.all(sends)
    expect(host.health()).toStrictEqual(fine)
    await host.close()
  })
})

describe('stats', () => {
  it('events, duplicates, rejections, commits and how many of them an append held', async () => {
    const { journal, open } = world()
    const faulty = faultyJournal(journal)
    const machine = counter()
    const host = await open([machine], { journal: faulty })
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'INC' }, { id: 'a' })
    await actor.send({ type: 'INC' }, { id: 'a' })
    await refused(actor.send({ type: 'BOOM' }))
    await refused(actor.send({ type: '' }))
    expect(host.stats()).toMatchObject({ live: 1, events: 1, duplicates: 1, rejected: 2, commits: 2, appends: 2 })
    await Promise.all([1, 2, 3, 4].map(() => actor.send({ type: 'INC' })))
    expect(host.stats()).toMatchObject({ events: 5, commits: 6, appends: 3, commitsPerAppend: 2, mailbox: 0 })
    await host.close()
  })

  it('timers that wait and fired', async () => {
    const { clock, open } = world()
    const machine = durable(
      setup({}).createMachine({
        id: 'late',
        initial: 'a',
        states: { a: { after: { 1000: 'b' } }, b: { after: { 1000: 'c', 2000: 'c' } }, c: {} },
      }),
    )
    const host = await open([machine])
    await host.actor(machine, 'x')
    expect(host.stats()).toMatchObject({ timersWaiting: 1, timersFired: 0 })
    clock.advance(1000)
    await settle()
    expect(host.stats()).toMatchObject({ timersWaiting: 2, timersFired: 1 })
    clock.advance(1000)
    await settle()
    expect(host.stats()).toMatchObject({ timersWaiting: 0, timersFired: 2, events: 0, commits: 3 })
    await host.close()
  })

  it('effects that run, completed, failed, or were stopped because their state was left', async () => {
    const answer = deferred<void>()
    const machine = durable(
      setup({
        actions: { act: () => {} },
        actors: {
          wait: fromPromise(() => answer.promise),
          fail: fromPromise(() => Promise.reject(new Error('no'))),
          listen: fromCallback(() => {}),
        },
      }).createMachine({
        id: 'm',
        initial: 'a',
        states: {
          a: {
            entry: 'act',
            invoke: [
              { src: 'wait', id: 'wait', onDone: 'b' },
              { src: 'fail', id: 'fail', onError: {} },
              { src: 'listen', id: 'listen' },
            ],
          },
          b: {},
        },
      }),
    )
    const host = await world().open([machine])
    await host.actor(machine, 'x')
    await settle()
    const effects = () => {
      const { effectsRunning, effectsCompleted, effectsFailed, effectsStopped } = host.stats()
      return [effectsRunning, effectsCompleted, effectsFailed, effectsStopped]
    }
    expect(effects()).toEqual([2, 1, 1, 0])
    answer.resolve()
    await settle()
    expect(effects()).toEqual([0, 2, 1, 1])
    await host.close()
  })

  it('effects that were stopped because the host closes', async () => {
    const machine = acting(() => new Promise((_, reject) => currentEffect().signal.addEventListener('abort', reject)))
    const host = await world().open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    expect(host.stats().effectsRunning).toBe(1)
    await host.close()
    expect(host.stats()).toMatchObject({ effectsRunning: 0, effectsStopped: 1, effectsFailed: 0 })
  })
})
