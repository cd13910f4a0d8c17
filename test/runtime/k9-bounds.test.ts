import { expect, it } from 'vitest'
import { type AnyActorRef, type AnyEventObject, assign, createMachine, raise, sendTo, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

it('K9: a mailbox has a limit; what is in it goes through', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty, mailbox: 10, pipeline: 4 })
  const actor = await host.actor(machine, 'c')
  faulty.hold()
  const answers = Promise.allSettled(Array.from({ length: 100 }, () => actor.send({ type: 'INC' })))
  await settle()
  expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({
    code: 'MAILBOX_FULL',
    retryable: true,
    where: { machine: 'counter', instance: 'c' },
  })
  faulty.release()
  const all = await answers
  const ok = all.filter((a) => a.status === 'fulfilled').length
  expect(ok).toBeGreaterThanOrEqual(10)
  expect(ok).toBeLessThanOrEqual(18) // mailbox and what is decided
  for (const a of all) if (a.status === 'rejected') expect(a.reason.code).toBe('MAILBOX_FULL')
  expect(actor.getSnapshot().context.n).toBe(ok)
  await actor.send({ type: 'INC' })
  await host.close()
})

it('K9: a parent and a child that send each other events for ever end as a refused event', async () => {
  const pong = setup({ types: {} as { events: { type: 'P' } } }).createMachine({
    id: 'pong',
    on: { P: { actions: sendTo(({ self }) => (self as any)._parent as AnyActorRef, { type: 'P' }) } },
  })
  const { open } = world()
  const machine = durable(
    setup({ types: {} as { context: { n: number }; events: { type: 'P' } }, actors: { pong } }).createMachine({
      id: 'ping',
      context: { n: 0 },
      invoke: { src: 'pong', id: 'pong' },
      on: { P: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendTo('pong', { type: 'P' })] } },
    }),
  )
  const host = await open([machine], { maxRelays: 500 })
  const actor = await host.actor(machine, 'x')
  expect(await refused(actor.send({ type: 'P' }))).toMatchObject({ code: 'MACHINE_THREW', where: { event: 'P' } })
  expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { n: 0 } })
  await host.close()
})

it('K9: eventless transitions and raised events without end are refused events', async () => {
  const { open } = world()
  const plain = setup({ types: {} as { events: AnyEventObject } }).createMachine({
    id: 'loops',
    initial: 'a',
    states: { a: { on: { L: 'b', OK: 'd' } }, b: { always: 'c' }, c: { always: 'b' }, d: {} },
    on: { R: { actions: raise({ type: 'R' }) } },
  })
  const before = { ...plain.options }
  const machine = durable(plain)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  for (const type of ['L', 'R'])
    expect(await refused(actor.send({ type })), type).toMatchObject({
      code: 'MACHINE_THREW',
      message: expect.stringContaining('more than 10000 microsteps within one transition: see to a cycle'),
      where: { event: type },
    })
  expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: 'a' })
  await actor.send({ type: 'OK' })
  expect(actor.getSnapshot().value).toBe('d')
  expect(plain.options).toEqual(before) // the machine itself stays as it is
  await host.close()
})

it('K9: a limit that the machine has itself holds, also in a child and after a restart', async () => {
  const { open } = world()
  let steps = 0
  const child = createMachine({
    context: { n: 0 },
    initial: 'a',
    states: {
      a: { on: { L: 'b' } },
      b: {
        always: { target: 'b', reenter: true, actions: assign({ n: ({ context }) => context.n + Math.sign(++steps) }) },
      },
    },
    options: { maxIterations: 50 },
  } as never)
  const machine = durable(
    setup({ actors: { child } }).createMachine({
      id: 'own',
      invoke: { src: 'child', id: 'child' },
      on: { L: { actions: sendTo('child', { type: 'L' }) } },
    }),
  )
  for (let k = 0; k < 2; k++) {
    steps = 0
    const host = await open([machine], { snapshotEvery: 1 })
    const actor = await host.actor(machine, 'x')
    expect((await refused(actor.send({ type: 'L' }))).code).toBe('MACHINE_THREW')
    expect(steps).toBeGreaterThan(10)
    expect(steps).toBeLessThan(60)
    await host.close()
  }
})

it('K9: limits that are no whole number from 1 are refused', async () => {
  const { open } = world()
  for (const options of [
    { mailbox: 0 },
    { pipeline: 1.5 },
    { dedupe: -1 },
    { maxRelays: Number.NaN },
    { maxBinary: '5' as never },
  ])
    expect((await refused(open([], options))).code).toBe('BAD_OPTION')
  expect((await refused(open([], { closeTimeout: 'soon' as never }))).code).toBe('BAD_OPTION')
})

it('K9: done instances leave memory; a held one answers handled: false and keeps its last state', async () => {
  const { open } = world()
  const machine = durable(
    setup({ types: {} as { events: AnyEventObject } }).createMachine({
      id: 'short',
      initial: 'a',
      states: { a: { on: { END: 'f' } }, f: { type: 'final' } },
      output: 7,
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  let completed = false
  actor.subscribe({ complete: () => void (completed = true) })
  expect(await actor.send({ type: 'END' })).toMatchObject({ handled: true, seq: 2 })
  await settle()
  expect(completed).toBe(true)
  expect(await actor.send({ type: 'END' })).toMatchObject({ handled: false, seq: 2 })
  expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: 7 })
  expect(await host.send(machine, 'x', { type: 'END' })).toMatchObject({ handled: false, seq: 2 })
  expect((await host.actor(machine, 'x')).getSnapshot()).toMatchObject({ status: 'done', output: 7 })
  expect(await host.list()).toMatchObject([{ id: 'x', status: 'done', state: 'f', seq: 2 }])
  await host.close()
  const host2 = await open([machine])
  expect(await host2.send(machine, 'x', { type: 'END' })).toMatchObject({ handled: false, seq: 2 })
  await host2.close()
})
