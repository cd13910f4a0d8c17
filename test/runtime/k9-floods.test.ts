// K9: what comes without end, or all at once, or too large.
import { Observable, range } from 'rxjs'
import { expect, it } from 'vitest'
import { assign, enqueueActions, fromCallback, fromEventObservable, fromObservable, fromPromise, setup } from 'xstate'
import { deliver, durable } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { counter, mailbox } from '../support/machines.ts'

noUnhandledRejections()

const MANY = 1_000_000

const springs = {
  callback: fromCallback(({ sendBack }) => {
    for (let n = 0; n < MANY; n++) sendBack({ type: 'DROP' })
  }),
  observable: fromObservable(() => range(0, MANY)),
  'event observable': fromEventObservable(
    () =>
      new Observable<{ type: 'DROP' }>((subscriber) => {
        for (let n = 0; n < MANY; n++) subscriber.next({ type: 'DROP' })
      }),
  ),
}

for (const [kind, spring] of Object.entries(springs))
  it(`K9: a million events at once from a ${kind}: it is ended with MAILBOX_FULL, others go on, and so does its machine`, async () => {
    const codes: unknown[] = []
    const machine = durable(
      setup({
        types: {} as { context: { drops: number }; events: { type: 'DROP' } | { type: 'PING' } },
        actors: { spring: spring as typeof springs.callback },
      }).createMachine({
        id: 'flooded',
        context: { drops: 0 },
        initial: 'a',
        states: {
          a: {
            invoke: {
              src: 'spring',
              id: 'spring',
              onError: { target: 'b', actions: ({ event }) => void codes.push((event.error as { code: string }).code) },
            },
            on: { DROP: { actions: assign({ drops: ({ context }) => context.drops + 1 }) } },
          },
          b: { on: { PING: {} } },
        },
      }),
    )
    const other = counter()
    const { open } = world()
    const host = await open([machine, other], { mailbox: 100, pipeline: 10 })
    const calm = await host.actor(other, 'calm')
    const actor = await host.actor(machine, 'x')
    expect((await calm.send({ type: 'INC' })).handled).toBe(true)
    await settle(60)
    expect(codes).toEqual(['MAILBOX_FULL'])
    expect(actor.getSnapshot()).toMatchObject({ value: 'b', status: 'active' })
    expect(actor.getSnapshot().context.drops).toBeLessThanOrEqual(111)
    expect((await actor.send({ type: 'PING' })).handled).toBe(true)
    await host.close()
  })

it('K4, K9: a transition has at most 1,024 actions; each of them delivers once, and so do those of the next', async () => {
  const box = mailbox()
  const machine = durable(
    setup({
      types: {} as { events: { type: 'GO'; from: number; count: number } },
      actions: { tell: (_, v: number): any => deliver(box, 'box', { type: 'MSG', v }) },
    }).createMachine({
      id: 'teller',
      on: {
        GO: {
          actions: enqueueActions(({ enqueue, event }) => {
            for (let n = 0; n < event.count; n++) enqueue({ type: 'tell', params: event.from + n })
          }),
        },
      },
    }),
  )
  const { open } = world()
  const host = await open([machine, box])
  const receiver = await host.actor(box, 'box')
  const actor = await host.actor(machine, 't')
  const tooMany = await refused(actor.send({ type: 'GO', from: 0, count: 1025 }))
  expect(tooMany).toMatchObject({ code: 'MACHINE_THREW', where: { event: 'GO' } })
  await Promise.all([
    actor.send({ type: 'GO', from: 0, count: 1024 }),
    actor.send({ type: 'GO', from: 1024, count: 1024 }),
    actor.send({ type: 'GO', from: 2048, count: 10 }),
  ])
  await settle(200)
  const got = receiver.getSnapshot().context.got as number[]
  expect(got.length).toBe(2058)
  expect(new Set(got).size).toBe(2058)
  await host.close()
})

it('K9, K10: two instances that deliver to each other for ever hold up nobody, and the host closes', async () => {
  let rounds = 0
  const ping: ReturnType<typeof pinging> = pinging()
  function pinging() {
    return durable(
      setup({
        types: {} as { context: { to: string }; input: string; events: { type: 'BALL' } },
        actions: {
          back: async ({ context }) => {
            rounds++
            await deliver(ping, (context as { to: string }).to, { type: 'BALL' })
          },
        },
      }).createMachine({ id: 'ping', context: ({ input }) => ({ to: input }), on: { BALL: { actions: 'back' } } }),
    )
  }
  const other = counter()
  const { open, clock } = world()
  const host = await open([ping, other], { closeTimeout: 1000 })
  const a = await host.actor(ping, 'a', { input: 'b' })
  await host.actor(ping, 'b', { input: 'a' })
  const calm = await host.actor(other, 'calm')
  await a.send({ type: 'BALL' })
  for (let n = 0; n < 100; n++) await calm.send({ type: 'INC' })
  await settle(100)
  expect(rounds).toBeGreaterThan(20)
  const closed = host.close()
  await settle(50)
  clock.advance(1000)
  await closed
  const before = rounds
  await settle(50)
  expect(rounds).toBe(before)
})

const deep = (levels: number): unknown => {
  let value: unknown = 'end'
  for (let n = 0; n < levels; n++) value = [value]
  return value
}

it('K8, K9: what is nested too deep or too large for the journal is refused by name, and nothing has changed', async () => {
  const machine = counter()
  const { open, journal } = world()
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  const tooDeep = await refused(actor.send({ type: 'SEE', v: deep(100_000) }))
  expect(tooDeep.code).toBe('NOT_SERIALIZABLE')
  expect(tooDeep.message).toContain('deep')
  const tooLarge = await refused(actor.send({ type: 'SEE', v: 'x'.repeat(70_000_000) }))
  expect(tooLarge.code).toBe('BAD_INPUT')
  expect((await refused(host.actor(machine, 'y', { input: deep(100_000) } as never))).code).toBe('NOT_SERIALIZABLE')
  expect(actor.getSnapshot().context.seen).toEqual([])
  expect((await journal.head('counter/x'))!.seq).toBe(1)
  expect((await actor.send({ type: 'SEE', v: deep(500) })).handled).toBe(true)
  await host.close()
})

it('K8, K9: a result that is too deep or too large is an error for onError, and a context that is too deep costs a snapshot only', async () => {
  const machine = durable(
    setup({
      types: {} as { context: { v: unknown; error: string }; events: { type: 'DEEPER' } },
      actors: {
        deep: fromPromise(async () => deep(100_000)),
        large: fromPromise(async () => 'x'.repeat(70_000_000)),
      },
    }).createMachine({
      id: 'deep',
      context: { v: 0, error: '' },
      initial: 'deep',
      states: {
        deep: {
          invoke: {
            src: 'deep',
            id: 'deep',
            onDone: 'wrong',
            onError: {
              target: 'context',
              actions: assign({ error: ({ event }) => (event.error as { code: string }).code }),
            },
          },
        },
        wrong: {},
        context: { on: { DEEPER: { actions: assign({ v: ({ context }) => deep(100_000) ?? context.v }) } } },
      },
    }),
  )
  const { open } = world()
  const host = await open([machine], { snapshotEvery: 1 })
  const actor = await host.actor(machine, 'x')
  await settle(20)
  expect(actor.getSnapshot()).toMatchObject({ value: 'context', context: { error: 'NOT_SERIALIZABLE' } })
  await actor.send({ type: 'DEEPER' })
  await host.close()
  const host2 = await open([machine])
  expect((await host2.actor(machine, 'x')).getSnapshot().value).toBe('context')
  expect((await host2.list({ status: 'parked' })).length).toBe(0)
  await host2.stop(machine, 'x', by)
  await host2.close()
})
