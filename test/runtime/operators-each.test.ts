import { describe, expect, it } from 'vitest'
import { type AnyEventObject, assign, fromCallback, fromPromise, setup } from 'xstate'
import { type DurableMachine, durable, type Host } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { acting, counter, mailbox, thisEffect } from '../support/machines.ts'

noUnhandledRejections()

const ops = ['pause', 'park', 'resume', 'stop', 'purge', 'retry', 'skip', 'cancel'] as const
type Op = (typeof ops)[number]

/** Any of them, on the same key. */
function operate(host: Host, op: Op, machine: DurableMachine<any> | string, id: string, who: any = by) {
  return op === 'retry' || op === 'skip' || op === 'cancel'
    ? host[op](machine, id, '9/9', who)
    : host[op](machine, id, who)
}

/** What each answers on an instance in some state, where nothing is queued. */
async function answers(host: Host, op: Op, machine: DurableMachine<any> | string, id: string) {
  return operate(host, op, machine, id).then(
    ({ handled }) => handled,
    (error) => error.code as string,
  )
}

const expected: Record<string, Record<Op, boolean | string>> = {
  live: {
    pause: true,
    park: true,
    resume: false,
    stop: true,
    purge: 'STILL_ACTIVE',
    retry: 'UNKNOWN_EFFECT',
    skip: 'UNKNOWN_EFFECT',
    cancel: 'UNKNOWN_EFFECT',
  },
  paused: {
    pause: false,
    park: true,
    resume: true,
    stop: true,
    purge: true,
    retry: 'UNKNOWN_EFFECT',
    skip: 'UNKNOWN_EFFECT',
    cancel: 'UNKNOWN_EFFECT',
  },
  parked: {
    pause: false,
    park: false,
    resume: true,
    stop: true,
    purge: true,
    retry: 'UNKNOWN_EFFECT',
    skip: 'UNKNOWN_EFFECT',
    cancel: 'UNKNOWN_EFFECT',
  },
  ended: {
    pause: false,
    park: false,
    resume: false,
    stop: false,
    purge: true,
    retry: 'UNKNOWN_EFFECT',
    skip: 'UNKNOWN_EFFECT',
    cancel: 'UNKNOWN_EFFECT',
  },
}

async function prepared(host: Host, machine: ReturnType<typeof counter>, state: string) {
  const actor = await host.actor(machine, 'c')
  await actor.send({ type: 'INC' })
  if (state === 'paused') await host.pause(machine, 'c', by)
  if (state === 'parked') await host.park(machine, 'c', by)
  if (state === 'ended') await host.stop(machine, 'c', by)
  return actor
}

describe.each(Object.keys(expected))('each operator on an instance that is %s', (state) => {
  it.each(ops)('%s, in memory', async (op) => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    await prepared(host, machine, state)
    expect(await answers(host, op, machine, 'c')).toBe(expected[state]![op])
    await host.close()
  })

  it.each(ops)('%s, after a restart; what it answers is what the history says', async (op) => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    await prepared(host, machine, state)
    await host.close()
    const before = (await texts(journal, 'counter/c')).length
    const host2 = await open([machine])
    const answer = await answers(host2, op, machine, 'c')
    expect(answer).toBe(expected[state]![op])
    const after = await texts(journal, 'counter/c')
    if (op === 'purge' && answer === true) expect(after).toHaveLength(1)
    else expect(after.length - before).toBe(answer === true ? 1 : 0)
    if (answer === true) {
      expect(after.at(-1)).toContain('"kind":"operator"')
      expect(after.at(-1)).toContain(`"op":"${op}","who":"ann","why":"a test"`)
    }
    await host2.close()
  })

  it.each(ops)('%s, asleep while somebody holds it', async (op) => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine], { maxActive: 1 })
    const actor = await prepared(host, machine, state)
    for (const id of ['d', 'e', 'f']) await (await host.actor(machine, id)).send({ type: 'INC' })
    expect(await answers(host, op, machine, 'c')).toBe(expected[state]![op])
    expect(actor.getSnapshot().context.n).toBe(1)
    await host.close()
  })
})

describe('each operator', () => {
  it.each(ops)('%s: unknown machine, unknown instance, a host that closes', async (op) => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const code = async (m: DurableMachine<any>, id: string) => (await refused(operate(host, op, m, id))).code
    expect(await code(mailbox(), 'x')).toBe(op === 'purge' ? 'UNKNOWN_INSTANCE' : 'UNKNOWN_MACHINE')
    expect(await code(machine, 'nobody')).toBe('UNKNOWN_INSTANCE')
    await host.actor(machine, 'c')
    const closing = host.close()
    expect(await code(machine, 'c')).toBe('CLOSED')
    await closing
  })

  it.each(ops)('%s: who and why are asked for', async (op) => {
    const { open, journal } = world()
    const machine = counter()
    const host = await open([machine])
    await host.actor(machine, 'c')
    for (const who of [
      null,
      {},
      { who: 'ann' },
      { why: 'x' },
      { who: '', why: 'x' },
      { who: 'a', why: ' ' },
      { who: 1, why: 2 },
    ])
      expect(await refused(operate(host, op, machine, 'c', who))).toMatchObject({
        code: 'BAD_OPTION',
        where: { machine: 'counter', instance: 'c' },
      })
    expect(await texts(journal, 'counter/c')).toHaveLength(1)
    await host.close()
  })

  it.each(ops)('%s on one that can not be rebuilt: only purge', async (op) => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    await (await host.actor(machine, 'c')).send({ type: 'INC' })
    await host.close()
    const other = durable(setup({}).createMachine({ id: 'counter', initial: 'x', states: { x: {} } }))
    const host2 = await open([other])
    await refused(host2.actor(other, 'c'))
    expect((await host2.list())[0]).toMatchObject({ status: 'broken' })
    if (op !== 'purge') expect((await refused(operate(host2, op, other, 'c'))).code).toBe('REPLAY_DIVERGED')
    else {
      expect(await host2.purge(other, 'c', by)).toMatchObject({ seq: 3, handled: true })
      expect(await host2.list()).toEqual([])
      expect((await host2.actor(other, 'c')).getSnapshot().value).toBe('x')
    }
    await host2.close()
  })
})

it('the history shows who did what, and why', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  await host.pause(machine, 'c', { who: 'ann', why: 'the reader is being replaced' })
  await host.resume(machine, 'c', { who: 'bob', why: 'done' })
  const history = []
  for await (const { kind, payload } of actor.history()) history.push({ kind, payload })
  expect(history).toMatchObject([
    { kind: 'start' },
    { kind: 'operator', payload: { op: 'pause', who: 'ann', why: 'the reader is being replaced' } },
    { kind: 'operator', payload: { op: 'resume', who: 'bob', why: 'done' } },
  ])
  await host.close()
})

describe('pause and park', () => {
  it('refuse events, by name; timers, results and deliveries wait; nothing begins; what runs goes on', async () => {
    const { open, clock } = world()
    const job = deferred<number>()
    const ran: string[] = []
    const machine = durable(
      setup({
        types: {} as { context: { got: unknown[] }; events: AnyEventObject },
        actors: { work: fromPromise(() => job.promise) },
        actions: {
          note: () => {
            ran.push(thisEffect())
          },
        },
      }).createMachine({
        id: 'm',
        context: { got: [] },
        initial: 'a',
        states: {
          a: {
            invoke: {
              src: 'work',
              id: 'work',
              onDone: { target: 'b', actions: ['note', assign({ got: ({ event }) => [event.output] })] },
            },
          },
          b: { after: { 1000: 'c' } },
          c: {},
        },
        on: { INC: {} },
      }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await host.pause(machine, 'x', by)
    expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({ code: 'PAUSED', retryable: true })
    expect(await refused(host.send(machine, 'x', { type: 'INC' }))).toMatchObject({ code: 'PAUSED' })
    job.resolve(7)
    await settle()
    expect(actor.getSnapshot().value).toBe('a')
    await host.resume(machine, 'x', by)
    await settle()
    expect(actor.getSnapshot()).toMatchObject({ value: 'b', context: { got: [7] } })
    expect(ran).toEqual(['m/x/4/0#1'])
    await host.park(machine, 'x', by)
    clock.advance(1000)
    await settle()
    expect(actor.getSnapshot().value).toBe('b')
    expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({
      code: 'PARKED',
      message: expect.stringContaining('ann has parked it: a test'),
    })
    await host.resume(machine, 'x', by)
    await settle()
    expect(actor.getSnapshot().value).toBe('c')
    await host.close()
  })

  it('are told from the head alone, before anything is loaded, and nothing is taken up', async () => {
    const { open, clock } = world()
    let ran = 0
    const machine = acting(() => {
      ran++
      throw new Error('boom')
    })
    const plain = counter()
    const host = await open([machine, plain])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await settle()
    await host.actor(plain, 'p')
    await host.pause(plain, 'p', by)
    await host.close()
    for (const machines of [[], [machine, plain]]) {
      const host2 = await open(machines)
      clock.advance(60_000)
      await settle()
      const listed = await host2.list()
      expect(listed).toMatchObject([
        { id: 'x', status: 'parked', problem: { code: 'MACHINE_THREW', message: expect.stringContaining('boom') } },
        { id: 'p', status: 'paused' },
      ])
      expect(listed[0]!.problem).toBeInstanceOf(Error)
      expect(listed[1]!.problem).toBeUndefined()
      expect(await host2.list({ status: 'paused' })).toHaveLength(1)
      await host2.close()
    }
    expect(ran).toBe(1)
  })

  it('a paused one may still be parked by the kernel, when what ran has failed', async () => {
    const { open } = world()
    const job = deferred()
    const machine = acting(() => job.promise)
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await host.pause(machine, 'x', by)
    job.reject(new Error('boom'))
    await settle()
    expect(await host.list()).toMatchObject([{ status: 'parked', problem: { code: 'MACHINE_THREW' } }])
    await host.close()
  })

  it('what finishes meanwhile is recorded', async () => {
    const { open, clock } = world()
    const job = deferred()
    let ran = 0
    const machine = acting(() => {
      ran++
      return job.promise
    })
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await host.pause(machine, 'x', by)
    job.resolve(1)
    await settle()
    clock.advance(1000)
    await settle()
    await host.close()
    const host2 = await open([machine])
    await host2.resume(machine, 'x', by)
    await settle()
    expect(ran).toBe(1)
    await host2.close()
  })
})

describe('stop', () => {
  it('ends it as XState does: work is aborted, timers are off, observers complete', async () => {
    const { open, clock } = world()
    const log: string[] = []
    const machine = durable(
      setup({
        actors: {
          work: fromPromise(({ signal }) => {
            signal.addEventListener('abort', () => log.push('aborted'))
            return new Promise(() => {})
          }),
          cb: fromCallback(() => () => {
            log.push('disposed')
          }),
        },
      }).createMachine({
        id: 'm',
        initial: 'a',
        invoke: { src: 'cb', id: 'cb' },
        states: { a: { invoke: { src: 'work', id: 'work' }, after: { 1000: 'b' } }, b: {} },
      }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    actor.subscribe({ complete: () => log.push('complete') })
    await host.stop(machine, 'x', by)
    await settle()
    expect(log.sort()).toEqual(['aborted', 'complete', 'disposed'])
    expect(actor.getSnapshot()).toMatchObject({ status: 'stopped', value: 'a' })
    clock.advance(5000)
    await settle()
    expect(await host.list()).toMatchObject([{ status: 'stopped', state: 'a' }])
    expect(await actor.send({ type: 'X' } as never)).toMatchObject({ handled: false })
    await host.close()
    const host2 = await open([machine])
    expect((await host2.actor(machine, 'x')).getSnapshot().status).toBe('stopped')
    await host2.close()
  })

  it('a parked one: what has failed is given up', async () => {
    const { open } = world()
    let ran = 0
    const machine = acting(() => {
      ran++
      throw new Error('boom')
    })
    const host = await open([machine])
    await (await host.actor(machine, 'x')).send({ type: 'GO' })
    await settle()
    await host.stop(machine, 'x', by)
    expect(await host.list()).toMatchObject([{ status: 'stopped' }])
    await host.close()
    const host2 = await open([machine])
    await host2.actor(machine, 'x')
    await settle()
    expect(ran).toBe(1)
    await host2.close()
  })
})

it('each takes the id of a machine for the machine', async () => {
  const machine = counter()
  const { open } = world()
  const host = await open([machine])
  for (const op of [...ops, 'trim'] as const) {
    await host.actor(machine, op)
    const call = (given: typeof machine | string) =>
      op === 'trim' ? host.trim(given, op, by).then(({ handled }) => handled) : answers(host, op, given, op)
    const answered = await call(machine.id)
    expect(answered).toBe(
      { resume: false, purge: 'STILL_ACTIVE' }[op as string] ?? (ON_EFFECTS.has(op) ? 'UNKNOWN_EFFECT' : true),
    )
    expect((await refused(op === 'trim' ? host.trim('nobody', op, by) : operate(host, op, 'nobody', op))).code).toBe(
      op === 'purge' ? 'UNKNOWN_INSTANCE' : 'UNKNOWN_MACHINE',
    )
  }
})

const ON_EFFECTS = new Set<string>(['retry', 'skip', 'cancel'])
