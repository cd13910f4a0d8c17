import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type AnyEventObject, assign, fromPromise, setup } from 'xstate'
import { currentEffect, type DurableActor, durable, type Host } from '../../src/index.ts'
import { type Deferred, deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { crashJournal } from '../support/journals.ts'
import { acting, counter, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

/** Chance, time, its own id, a timer, a promise and actions. */
function scene() {
  const log: string[] = []
  const jobs: Deferred<unknown>[] = []
  const machine = durable(
    setup({
      types: {} as { context: { seen: unknown[] }; events: AnyEventObject },
      actors: {
        work: fromPromise(() => {
          log.push(`work ${thisEffect()}`)
          jobs.push(deferred())
          return jobs.at(-1)!.promise
        }),
      },
      actions: {
        act: () => {
          log.push(`act ${thisEffect()}`)
        },
        hang: () => {
          log.push(`hang ${thisEffect()}`)
          const { signal } = currentEffect()
          return new Promise((_, no) => signal.addEventListener('abort', () => no(new Error('told to stop')))) as never
        },
        see: assign({
          seen: ({ context, event, self }) => [
            ...context.seen,
            {
              type: event.type,
              at: Date.now(),
              dice: Math.random(),
              uuid: randomUUID(),
              id: self.id,
              output: event.output,
            },
          ],
        }),
      },
    }).createMachine({
      id: 'm',
      context: { seen: [] },
      initial: 'idle',
      on: { SEE: { actions: 'see' }, ACT: { actions: 'act' }, HANG: { actions: 'hang' } },
      states: {
        idle: { on: { WAIT: 'waiting', WORK: 'working' } },
        waiting: { after: { 60000: { target: 'idle', actions: ['see', 'act'] } } },
        working: { invoke: { src: 'work', id: 'work', onDone: { target: 'idle', actions: 'see' } } },
      },
    }),
    { attributes: ({ context }: any) => ({ seen: context.seen.length, now: Date.now(), dice: Math.random() }) },
  )
  return { log, jobs, machine }
}

const state = (actor: DurableActor<any>) => {
  const { value, status, context } = actor.getSnapshot() as { value: unknown; status: string; context: unknown }
  return { value, status, context }
}

async function opened(host: Host, machine: ReturnType<typeof scene>['machine'], ...events: string[]) {
  const actor = await host.actor(machine, 'x')
  for (const type of events) await actor.send({ type })
  await settle()
  return actor
}

describe('fork', () => {
  it('has the very state that the origin had after each of its records, over restarts and for a fork of the fork', async () => {
    const { open, clock } = world()
    const { machine } = scene()
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const states = [undefined, state(actor)]
    for (const type of ['SEE', 'ACT', 'SEE', 'WAIT', 'SEE']) {
      clock.advance(7)
      await actor.send({ type })
      states.push(state(actor))
    }
    for (let seq = 1; seq < states.length; seq++) {
      const fork = await host.fork(actor, seq, { ...by, id: `f${seq}` })
      expect(state(fork), `at ${seq}`).toEqual(states[seq])
      const again = await host.fork(fork, seq, { ...by, id: `g${seq}` })
      expect(state(again), `at ${seq}`).toEqual(states[seq])
    }
    const whole = await host.fork(await host.actor(machine, 'f6'), 7, { ...by, id: 'whole' }) // its own record included
    expect(state(whole)).toEqual(states[6])
    await host.close()
    const host2 = await open([machine])
    for (let seq = 1; seq < states.length; seq++)
      for (const id of [`f${seq}`, `g${seq}`]) expect(state(await host2.actor(machine, id)), id).toEqual(states[seq])
    await host2.close()
  })

  it('K3 draws chance of its own from there on, also as a fork of a fork, and replays it', async () => {
    const { open } = world()
    const { machine } = scene()
    const host = await open([machine], { snapshotEvery: 3 })
    const actor = await opened(host, machine, 'SEE')
    const fork = await host.fork(actor, 2, { ...by, id: 'f' })
    await host.resume(machine, 'f', by)
    const other = await host.fork(fork, 4, { ...by, id: 'g' })
    await host.resume(machine, 'g', by)
    for (let i = 0; i < 4; i++) for (const each of [actor, fork, other]) await each.send({ type: 'SEE' })
    const uuids = (each: typeof actor) =>
      (each.getSnapshot().context.seen as { uuid: string }[]).map(({ uuid }) => uuid)
    const all = [actor, fork, other].flatMap((each) => uuids(each).slice(1))
    expect(new Set(all).size).toBe(12)
    const states = [actor, fork, other].map(state)
    await host.close()
    const host2 = await open([machine])
    const { findings } = await host2.verify()
    expect(findings).toEqual([])
    for (const [i, id] of ['x', 'f', 'g'].entries()) expect(state(await host2.actor(machine, id))).toEqual(states[i])
    await host2.close()
  })

  it('is paused, says where it is from, and goes its own way', async () => {
    const { open } = world()
    const { machine } = scene()
    const host = await open([machine], { snapshotEvery: 2 })
    const actor = await opened(host, machine, 'SEE', 'SEE')
    const fork = await host.fork(actor, 2, { ...by, id: 'f' })
    expect((await host.list()).find(({ id }) => id === 'f')).toMatchObject({ status: 'paused', seq: 3 })
    expect((await refused(fork.send({ type: 'SEE' }))).code).toBe('PAUSED')
    const last = []
    for await (const entry of fork.history({ from: 3 })) last.push(entry)
    expect(last).toMatchObject([{ kind: 'operator', payload: { op: 'fork', who: 'ann', of: 'm/x', seq: 2 } }])
    await host.resume(machine, 'f', by)
    for (let i = 0; i < 5; i++) await fork.send({ type: 'SEE' })
    await actor.send({ type: 'SEE' })
    expect(fork.getSnapshot().context.seen).toHaveLength(6)
    expect(actor.getSnapshot().context.seen).toHaveLength(3)
    expect((fork.getSnapshot().context.seen.at(-1) as { id: string }).id).toBe('x')
    const before = state(fork)
    await host.close()
    const host2 = await open([machine], { snapshotEvery: 2 }) // from a snapshot
    const after = await host2.actor(machine, 'f')
    expect(state(after)).toEqual(before)
    await after.send({ type: 'SEE' })
    await host2.close()
    const host3 = await open([machine], { snapshotEvery: 1000 })
    expect((await host3.actor(machine, 'f')).getSnapshot().context.seen).toHaveLength(7)
    await host3.close()
  })

  it('timers that wait fire after resume: those that are due at once, the others in time', async () => {
    const { open, clock } = world()
    const { machine, log } = scene()
    const host = await open([machine])
    const actor = await opened(host, machine, 'WAIT')
    await host.fork(actor, 2, { ...by, id: 'late' })
    await host.fork(actor, 2, { ...by, id: 'early' })
    await host.resume(machine, 'early', by)
    clock.advance(60_000)
    await settle()
    const value = async (id: string) => (await host.actor(machine, id)).getSnapshot().value
    expect([await value('x'), await value('early'), await value('late')]).toEqual(['idle', 'idle', 'waiting'])
    await host.resume(machine, 'late', by)
    await settle()
    expect(await value('late')).toBe('idle')
    expect(log.map((l) => l.replace(/#.*/, '')).sort()).toEqual(['act m/early/5/0', 'act m/late/5/0', 'act m/x/3/0'])
    await host.close()
  })

  it('work that was running begins after resume, under keys of its own', async () => {
    const { open } = world()
    const { machine, log, jobs } = scene()
    const host = await open([machine])
    const actor = await opened(host, machine, 'WORK')
    const fork = await host.fork(actor, 2, { ...by, id: 'f' })
    await settle()
    expect(jobs).toHaveLength(1)
    await host.resume(machine, 'f', by)
    await settle()
    expect(log.map((l) => l.replace(/#.*/, ''))).toEqual(['work m/x@1/work@2', 'work m/f@1/work@2'])
    jobs[1]!.resolve('of the fork')
    jobs[0]!.resolve('of the origin')
    await settle()
    expect(fork.getSnapshot().context.seen).toMatchObject([{ output: 'of the fork' }])
    expect(actor.getSnapshot().context.seen).toMatchObject([{ output: 'of the origin' }])
    await host.close()
  })

  it.each(['skip', 'run'] as const)(
    'actions that were not finished: %s; those that were do not run again',
    async (effects) => {
      const { open } = world()
      const { machine, log } = scene()
      const host = await open([machine])
      const actor = await opened(host, machine, 'ACT', 'HANG', 'SEE')
      await host.fork(actor, 4, { ...by, id: 'f', effects })
      await settle()
      expect(log).toHaveLength(2)
      await host.resume(machine, 'f', by)
      await settle()
      expect(log.slice(2).map((l) => l.replace(/#.*/, ''))).toEqual(effects === 'run' ? ['hang m/f/3/0'] : [])
      await host.close()
    },
  )

  it('of a parked one: paused; what had failed counts as done, unless it is to run', async () => {
    for (const effects of ['skip', 'run'] as const) {
      const { open } = world()
      let ran = 0
      const machine = acting(() => {
        ran++
        throw new Error('boom')
      })
      const host = await open([machine])
      const actor = await host.actor(machine, 'x')
      await actor.send({ type: 'GO' })
      await settle()
      await host.fork(actor, 3, { ...by, id: 'f', effects })
      const one = async () => (await host.list()).find(({ id }) => id === 'f')
      expect(await one()).toMatchObject({ status: 'paused' })
      expect((await one())!.problem).toBeUndefined()
      await host.resume(machine, 'f', by)
      await settle()
      expect(ran).toBe(effects === 'run' ? 2 : 1)
      expect(await one()).toMatchObject({ status: effects === 'run' ? 'parked' : 'active' })
      await host.close()
    }
  })

  it('is refused by name: no such seq, an id that is taken, a trimmed history, no who, a closed host', async () => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    await actor.send({ type: 'INC' })
    const code = async (seq: any, options: any) => (await refused(host.fork(actor, seq, options))).code
    for (const seq of [0, -1, 3, 1.5, Number.NaN, '1', undefined])
      expect(await code(seq, { ...by, id: 'f' })).toBe('BAD_OPTION')
    expect(await code(1, { ...by, id: 'c' })).toBe('INSTANCE_EXISTS')
    expect(await code(1, { ...by, id: '' })).toBe('BAD_ID')
    expect(await code(1, { ...by, id: 'f', effects: 'all' })).toBe('BAD_OPTION')
    expect(await code(1, { id: 'f' })).toBe('BAD_OPTION')
    expect((await refused(host.fork('c' as never, 1, { ...by, id: 'f' }))).code).toBe('BAD_OPTION')
    expect(await code(1, undefined)).toBe('BAD_ID')
    expect(await texts(journal, 'counter/f')).toEqual([])
    await host.stop(machine, 'c', by)
    await host.purge(machine, 'c', by)
    expect(await code(1, { ...by, id: 'f' })).toBe('BAD_OPTION')
    const anew = await host.actor(machine, 'c')
    expect((await refused(host.fork(anew, 5, { ...by, id: 'f' }))).message).toContain('not there any more')
    expect((await refused(host.fork(anew, 5, { ...by, id: 'c' }))).code).toBe('INSTANCE_EXISTS')
    await host.close()
    expect(await code(1, { ...by, id: 'f' })).toBe('CLOSED')
  })

  it('a purged id is not taken: the numbers of the copy would not be free', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    await host.actor(machine, 'd')
    await host.stop(machine, 'd', by)
    await host.purge(machine, 'd', by)
    expect((await refused(host.fork(actor, 1, { ...by, id: 'd' }))).code).toBe('INSTANCE_EXISTS')
    await host.close()
  })

  it('two at once under one id: one of them', async () => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    const answers = await Promise.allSettled([1, 2].map(() => host.fork(actor, 1, { ...by, id: 'f' })))
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(answers.find((a) => a.status === 'rejected')).toMatchObject({ reason: { code: 'INSTANCE_EXISTS' } })
    await host.close()
  })

  it('a crash before or after its append: it is there whole, or not at all', async () => {
    for (const when of ['before', 'after'] as const) {
      const w = world()
      const { machine } = scene()
      const dying = crashJournal(w.journal, 4, when) // the machine, the start, one event, the fork
      const host = await w.open([machine], { journal: dying })
      const actor = await host.actor(machine, 'x')
      await actor.send({ type: 'SEE' })
      void host.fork(actor, 2, { ...by, id: 'f' })
      await settle()
      expect(dying.crashed).toBe(true)
      expect(await texts(w.journal, 'm/f')).toHaveLength(when === 'after' ? 3 : 0)
      const host2 = await w.open([machine])
      expect(await host2.list({ status: 'paused' })).toHaveLength(when === 'after' ? 1 : 0)
      await host2.close()
    }
  })
})
