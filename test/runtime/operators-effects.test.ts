import { describe, expect, it } from 'vitest'
import { type AnyEventObject, assign, fromCallback, fromPromise, setup } from 'xstate'
import { currentEffect, durable, type Host } from '../../src/index.ts'
import { type Deferred, deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, refused, settle, type World, world } from '../support/host.ts'
import { acting, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

const boom = () => {
  throw new Error('boom')
}

/** A timer, a promise, a callback and actions; what throws is steered from outside. */
function scene() {
  const log: string[] = []
  const jobs: Deferred<unknown>[] = []
  const bad = { timer: false, result: false, event: false, act: false }
  let emit: (event: AnyEventObject) => void = () => {}
  const machine = durable(
    setup({
      types: {} as { context: { got: unknown[]; error: unknown }; events: AnyEventObject },
      actors: {
        work: fromPromise(({ signal }) => {
          log.push(`work ${thisEffect()}`)
          signal.addEventListener('abort', () => log.push('work aborted'))
          jobs.push(deferred())
          return jobs.at(-1)!.promise
        }),
        cb: fromCallback(({ sendBack }) => {
          log.push(`cb ${thisEffect()}`)
          emit = sendBack
          return () => log.push('cb disposed')
        }),
      },
      actions: {
        act: () => {
          log.push(`act ${thisEffect()}`)
          if (bad.act) boom()
        },
        note: () => {
          log.push(`note ${thisEffect()}`)
        },
        got: assign({
          got: ({ context, event }) => (bad.result || bad.event ? boom() : [...context.got, event.output ?? event.v]),
        }),
      },
    }).createMachine({
      id: 'm',
      context: { got: [], error: undefined },
      initial: 'idle',
      on: { ACT: { actions: 'act' }, INC: {} },
      states: {
        idle: { on: { WORK: 'working', BARE: 'bare', WAIT: 'waiting', CALL: 'calling' } },
        working: {
          invoke: {
            src: 'work',
            id: 'work',
            onDone: { target: 'idle', actions: ['got', 'note'] },
            onError: {
              target: 'idle',
              actions: assign({ error: ({ event }) => (event.error as { code?: string }).code }),
            },
          },
        },
        bare: { invoke: { src: 'work', id: 'bare', onDone: 'idle' } },
        waiting: {
          after: { 1000: { target: 'idle', actions: [assign(() => (bad.timer ? boom() : {})), 'note'] } },
          on: { OFF: 'idle' },
        },
        calling: { invoke: { src: 'cb', id: 'cb', onError: 'idle' }, on: { TICK: { actions: 'got' } } },
      },
    }),
  )
  return { log, jobs, bad, machine, emit: (event: AnyEventObject) => emit(event) }
}

async function opened(w: World, s: ReturnType<typeof scene>, ...events: string[]) {
  const host = await w.open([s.machine])
  const actor = await host.actor(s.machine, 'x')
  for (const type of events) await actor.send({ type })
  await settle()
  return { host, actor }
}

const problem = async (host: Host) => (await host.list())[0]!.problem

/** What is in memory is what the records give (K3), also over one more restart. */
async function same(w: World, s: ReturnType<typeof scene>, host: Host) {
  const before = (await host.actor(s.machine, 'x')).getSnapshot()
  const listed = await host.list()
  for (const job of s.jobs) job.reject(new Error('closing'))
  await host.close()
  const host2 = await w.open([s.machine])
  const after = (await host2.actor(s.machine, 'x')).getSnapshot()
  expect(after.value).toEqual(before.value)
  expect(after.context).toEqual(before.context)
  expect((await host2.list()).map(({ status }) => status)).toEqual(listed.map(({ status }) => status))
  return host2
}

describe('an action that has failed', () => {
  it('retry does it again, now, with the next attempt; the instance stays parked until it is resumed', async () => {
    const [w, s] = [world(), scene()]
    s.bad.act = true
    const { host, actor } = await opened(w, s, 'ACT')
    expect(await host.retry(s.machine, 'x', '2/0', by)).toMatchObject({ handled: true })
    expect(s.log).toEqual(['act m/x/2/0#1', 'act m/x/2/0#2'])
    s.bad.act = false
    await host.retry(s.machine, 'x', 'm/x/2/0', by) // its full key will do
    expect(s.log.at(-1)).toBe('act m/x/2/0#3')
    expect((await refused(host.retry(s.machine, 'x', '2/0', by))).code).toBe('UNKNOWN_EFFECT')
    expect((await refused(actor.send({ type: 'INC' }))).code).toBe('PARKED')
    await host.resume(s.machine, 'x', by)
    await actor.send({ type: 'INC' })
    expect(s.log).toHaveLength(3)
    await (await same(w, s, host)).close()
    expect(s.log).toHaveLength(3)
  })

  it.each(['skip', 'cancel'] as const)('%s: it counts as done', async (op) => {
    const [w, s] = [world(), scene()]
    s.bad.act = true
    const { host, actor } = await opened(w, s, 'ACT')
    await host[op](s.machine, 'x', '2/0', by)
    expect((await refused(host[op](s.machine, 'x', '2/0', by))).code).toBe('UNKNOWN_EFFECT')
    await host.resume(s.machine, 'x', by)
    await actor.send({ type: 'INC' })
    const host2 = await same(w, s, host)
    await settle()
    expect(s.log).toEqual(['act m/x/2/0#1'])
    expect(await problem(host2)).toBeUndefined()
    await host2.close()
  })

  it.each(['skip', 'cancel'] as const)(
    '%s while it runs: its signal is aborted, and what it comes to does not count',
    async (op) => {
      const { open } = world()
      const job = deferred()
      let signal: AbortSignal | undefined
      const machine = acting(() => {
        signal = currentEffect().signal
        return job.promise
      })
      const host = await open([machine])
      const actor = await host.actor(machine, 'x')
      await actor.send({ type: 'GO' })
      await host[op](machine, 'x', 'acting/x/2/0', by)
      expect(signal!.aborted).toBe(true)
      job.reject(new Error('too late'))
      await settle()
      expect(await problem(host)).toBeUndefined()
      await actor.send({ type: 'INC' })
      await host.close()
      const host2 = await open([machine])
      expect((await host2.list())[0]).toMatchObject({ status: 'active' })
      await host2.close()
    },
  )
})

describe('a promise', () => {
  it('skip resolves it with the output; what it still comes to is ignored', async () => {
    const [w, s] = [world(), scene()]
    const { host, actor } = await opened(w, s, 'WORK')
    await host.skip(s.machine, 'x', '@1/work@2', { ...by, output: { n: 7 } })
    await settle()
    expect(actor.getSnapshot()).toMatchObject({ value: 'idle', context: { got: [{ n: 7 }] } })
    s.jobs[0]!.resolve('late')
    await settle()
    expect(actor.getSnapshot().context.got).toEqual([{ n: 7 }])
    expect(s.log).toEqual(['work m/x@1/work@2#1', 'work aborted', 'note m/x/3/0#1'])
    await (await same(w, s, host)).close()
  })

  it('cancel rejects it with ABORTED; without onError that is refused, and it runs on', async () => {
    const [w, s] = [world(), scene()]
    const { host, actor } = await opened(w, s, 'WORK')
    await host.cancel(s.machine, 'x', '@1/work@2', by)
    expect(actor.getSnapshot()).toMatchObject({ value: 'idle', context: { error: 'ABORTED' } })
    expect(s.log).toEqual(['work m/x@1/work@2#1', 'work aborted'])
    await actor.send({ type: 'BARE' })
    expect(await refused(host.cancel(s.machine, 'x', '@1/bare@4', by))).toMatchObject({ code: 'MACHINE_THREW' })
    expect(actor.getSnapshot()).toMatchObject({ value: 'bare', status: 'active' })
    s.jobs[1]!.resolve(1)
    await settle()
    expect(actor.getSnapshot().value).toBe('idle')
    await (await same(w, s, host)).close()
  })

  it('that runs or has ended is not retried; one that an operator left is not skipped twice', async () => {
    const [w, s] = [world(), scene()]
    const { host } = await opened(w, s, 'WORK')
    expect((await refused(host.retry(s.machine, 'x', '@1/work@2', by))).code).toBe('UNKNOWN_EFFECT')
    await host.skip(s.machine, 'x', '@1/work@2', by)
    for (const op of ['retry', 'skip', 'cancel'] as const)
      expect((await refused(host[op](s.machine, 'x', '@1/work@2', by))).code).toBe('UNKNOWN_EFFECT')
    await (await same(w, s, host)).close()
  })

  it('skipped while the instance is held: its actions begin when it is resumed, once', async () => {
    const [w, s] = [world(), scene()]
    const { host } = await opened(w, s, 'WORK')
    await host.pause(s.machine, 'x', by)
    await host.skip(s.machine, 'x', '@1/work@2', { ...by, output: 1 })
    await settle()
    expect(s.log.filter((l) => l.startsWith('note'))).toEqual([])
    const host2 = await same(w, s, host)
    await settle()
    expect(s.log.filter((l) => l.startsWith('note'))).toEqual([])
    await host2.resume(s.machine, 'x', by)
    await settle()
    expect(s.log.filter((l) => l.startsWith('note'))).toHaveLength(1)
    await host2.close()
  })
})

describe('K8: an input that the machine can not take', () => {
  const parkedBy = {
    timer: async (w: World, s: ReturnType<typeof scene>) => {
      s.bad.timer = true
      const { host, actor } = await opened(w, s, 'WAIT')
      w.clock.advance(1000)
      await settle()
      return { host, actor, key: '@1|xstate.after.1000.m.waiting@2.0' }
    },
    result: async (w: World, s: ReturnType<typeof scene>) => {
      s.bad.result = true
      const { host, actor } = await opened(w, s, 'WORK')
      s.jobs[0]!.resolve('poison')
      await settle()
      return { host, actor, key: '@1/work@2' }
    },
    event: async (w: World, s: ReturnType<typeof scene>) => {
      s.bad.event = true
      const { host, actor } = await opened(w, s, 'CALL')
      s.emit({ type: 'TICK', v: 'poison' })
      await settle()
      return { host, actor, key: '@1' }
    },
  }

  it.each(['timer', 'result', 'event'] as const)(
    'a %s: the problem names the key, and it is taken once it can be',
    async (kind) => {
      const [w, s] = [world(), scene()]
      const { host, actor, key } = await parkedBy[kind](w, s)
      expect(await problem(host)).toMatchObject({ code: 'MACHINE_THREW', hint: expect.stringContaining(`'${key}'`) })
      expect((await host.list())[0]).toMatchObject({ status: 'parked', seq: 3 })
      expect(actor.getSnapshot().status).toBe('active')
      await host.resume(s.machine, 'x', by)
      await settle()
      expect(await problem(host)).toMatchObject({ code: 'MACHINE_THREW' })
      s.bad[kind] = false
      await host.resume(s.machine, 'x', by)
      await settle()
      expect(await problem(host)).toBeUndefined()
      expect(actor.getSnapshot().value).toBe(kind === 'event' ? 'calling' : 'idle')
      expect(actor.getSnapshot().context.got).toEqual(kind === 'timer' ? [] : ['poison'])
      await (await same(w, s, host)).close()
    },
  )

  it('skip of the timer calls it off', async () => {
    const [w, s] = [world(), scene()]
    const { host, actor, key } = await parkedBy.timer(w, s)
    await host.skip(s.machine, 'x', key, by)
    await host.resume(s.machine, 'x', by)
    await settle()
    expect(actor.getSnapshot().value).toBe('waiting')
    expect((await refused(host.skip(s.machine, 'x', key, by))).code).toBe('UNKNOWN_EFFECT')
    const host2 = await same(w, s, host)
    w.clock.advance(5000)
    await settle()
    const again = await host2.actor(s.machine, 'x')
    expect(again.getSnapshot().value).toBe('waiting')
    await again.send({ type: 'OFF' })
    await host2.close()
  })

  it('skip of the timer after a restart, when it waits in the records alone', async () => {
    const [w, s] = [world(), scene()]
    const { host, key } = await parkedBy.timer(w, s)
    await host.close()
    const host2 = await w.open([s.machine])
    await host2.skip(s.machine, 'x', key, by)
    await host2.resume(s.machine, 'x', by)
    await settle()
    expect(await host2.list()).toMatchObject([{ status: 'active', state: 'waiting' }])
    await host2.close()
  })

  it('skip of the result resolves with another; cancel rejects; retry does the work again', async () => {
    for (const op of ['skip', 'cancel', 'retry'] as const) {
      const [w, s] = [world(), scene()]
      const { host, actor, key } = await parkedBy.result(w, s)
      if (op === 'skip') {
        expect((await refused(host.skip(s.machine, 'x', key, { ...by, output: 'still' }))).code).toBe('MACHINE_THREW')
        s.bad.result = false
        await host.skip(s.machine, 'x', key, { ...by, output: 'other' })
      } else {
        s.bad.result = false
        await host[op](s.machine, 'x', key, by)
      }
      if (op === 'retry') s.jobs[1]!.resolve('again')
      await host.resume(s.machine, 'x', by)
      await settle()
      const { value, context } = actor.getSnapshot()
      const got = { skip: ['other'], cancel: [], retry: ['again'] }[op]
      expect({ value, got: context.got }, op).toEqual({ value: 'idle', got })
      if (op === 'retry') expect(s.log[1]).toBe('work m/x@1/work@2#2')
      await (await same(w, s, host)).close()
    }
  })

  it('skip of the event from a callback drops it, and the callback goes on', async () => {
    const [w, s] = [world(), scene()]
    const { host, actor, key } = await parkedBy.event(w, s)
    await host.skip(s.machine, 'x', key, by)
    s.bad.event = false
    await host.resume(s.machine, 'x', by)
    s.emit({ type: 'TICK', v: 2 })
    await settle()
    expect(actor.getSnapshot().context.got).toEqual([2])
    expect(s.log).toEqual(['cb m/x@1/cb@2#1'])
    await host.cancel(s.machine, 'x', '@1/cb@2', by)
    await settle()
    expect(actor.getSnapshot().value).toBe('idle')
    expect(s.log).toEqual(['cb m/x@1/cb@2#1', 'cb disposed'])
    await (await same(w, s, host)).close()
  })
})
