import { expect, it } from 'vitest'
import { assign, cancel, raise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { noUnhandledRejections, settle, texts, world } from '../support/host.ts'
import { crashJournal, faultyJournal } from '../support/journals.ts'

noUnhandledRejections()

/** `slow` after 10 s, `fast` after 5 s, both from entry on; remembers what fired. */
const alarms = () =>
  durable(
    setup({ types: {} as { context: { fired: string[] }; events: { type: string } } }).createMachine({
      id: 'alarms',
      context: { fired: [] },
      entry: [
        raise({ type: 'SLOW' }, { delay: 10_000, id: 'slow' }),
        raise({ type: 'FAST' }, { delay: 5000, id: 'fast' }),
      ],
      on: {
        SLOW: { actions: assign({ fired: ({ context }) => [...context.fired, 'slow'] }) },
        FAST: { actions: assign({ fired: ({ context }) => [...context.fired, 'fast'] }) },
        OFF: { actions: cancel('slow') },
        AGAIN: { actions: raise({ type: 'SLOW' }, { delay: 10_000, id: 'slow' }) },
      },
    }),
  )

it('K6: a delayed transition fires once, at its time and never before', async () => {
  const { clock, open } = world()
  const machine = alarms()
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  const fired = () => actor.getSnapshot().context.fired
  for (const [ms, expected] of [
    [4999, []],
    [1, ['fast']],
    [4999, ['fast']],
    [1, ['fast', 'slow']],
    [100_000, ['fast', 'slow']],
  ] as const) {
    clock.advance(ms)
    await settle()
    expect(fired()).toEqual(expected)
  }
  await host.close()
})

it('K6: a clock that calls too early does not make it fire', async () => {
  const calls: (() => void)[] = []
  let now = 0
  const hasty = {
    now: () => now,
    after(_ms: number, fn: () => void) {
      calls.push(fn)
      return () => {}
    },
  }
  const { open } = world()
  const machine = alarms()
  const host = await open([machine], { clock: hasty })
  const actor = await host.actor(machine, 'a')
  for (let i = 0; i < 5; i++) {
    now += 900
    for (const call of calls.splice(0)) call()
    await settle()
    expect(actor.getSnapshot().context.fired).toEqual([])
  }
  now = 5000
  for (const call of calls.splice(0)) call()
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual(['fast'])
})

it('K6: what is left of a delay is kept across a restart', async () => {
  const { clock, open } = world()
  const machine = alarms()
  const host = await open([machine])
  await host.actor(machine, 'a')
  clock.advance(4000)
  await host.close()
  const host2 = await open([machine])
  const actor = await host2.actor(machine, 'a')
  clock.advance(999)
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual([])
  clock.advance(1)
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual(['fast'])
  await host2.close()
})

it('K6: what fell due while the process was down fires on recovery, in due order, once', async () => {
  const { journal, clock, open } = world()
  const machine = alarms()
  const host = await open([machine])
  await host.actor(machine, 'a')
  await host.close()
  clock.advance(60_000)
  const host2 = await open([machine])
  clock.advance(0)
  await settle()
  expect((await host2.actor(machine, 'a')).getSnapshot().context.fired).toEqual(['fast', 'slow'])
  await host2.close()
  const host3 = await open([machine])
  clock.advance(60_000)
  await settle()
  expect((await host3.actor(machine, 'a')).getSnapshot().context.fired).toEqual(['fast', 'slow'])
  expect((await texts(journal, 'alarms/a')).filter((t) => t.includes('"kind":"timer"'))).toHaveLength(2)
  await host3.close()
})

it.each(['before', 'after'] as const)('K6: a crash %s the append of a firing fires it once', async (when) => {
  const { journal, clock, open } = world()
  const machine = alarms()
  const dying = crashJournal(journal, 3, when) // definition, start, firing
  const host = await open([machine], { journal: dying })
  await host.actor(machine, 'a')
  clock.advance(5000)
  await settle()
  expect(dying.crashed).toBe(true)
  const host2 = await open([machine])
  clock.advance(0)
  await settle()
  clock.advance(5000)
  await settle()
  expect((await host2.actor(machine, 'a')).getSnapshot().context.fired).toEqual(['fast', 'slow'])
  await host2.close()
})

it('K6: a timer that was called off does not fire, also after a restart; a new one of the same id does', async () => {
  const { clock, open } = world()
  const machine = alarms()
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  await actor.send({ type: 'OFF' })
  clock.advance(7000)
  await settle()
  await actor.send({ type: 'AGAIN' })
  await host.close()
  clock.advance(5000)
  const host2 = await open([machine])
  clock.advance(0)
  await settle()
  const again = await host2.actor(machine, 'a')
  expect(again.getSnapshot().context.fired).toEqual(['fast'])
  clock.advance(5000)
  await settle()
  expect(again.getSnapshot().context.fired).toEqual(['fast', 'slow'])
  await host2.close()
})

it('K6: a call-off whose append fails leaves the timer running', async () => {
  const { journal, clock, open } = world()
  const faulty = faultyJournal(journal)
  const machine = alarms()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'a')
  faulty.plan = () => ({ when: 'before', code: 'IO' })
  await actor.send({ type: 'OFF' }).catch(() => {})
  faulty.plan = () => undefined
  await settle()
  clock.advance(10_000)
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual(['fast', 'slow'])
  await host.close()
})

it('K6: a firing whose append fails for now is tried again', async () => {
  const { journal, clock, open } = world()
  const faulty = faultyJournal(journal)
  const machine = alarms()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'a')
  faulty.plan = () => ({ when: 'before', code: 'IO', retryable: true })
  clock.advance(5000)
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual([])
  faulty.plan = () => undefined
  clock.advance(1000)
  await settle()
  expect(actor.getSnapshot().context.fired).toEqual(['fast'])
  await host.close()
})

it('K6: the journal says which timers wait, without the machine', async () => {
  const { clock, open } = world()
  const machine = alarms()
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  const now = clock.now()
  await actor.send({ type: 'OFF' })
  const timers: unknown[] = []
  for await (const entry of actor.history()) timers.push(entry.timers)
  expect(timers).toMatchObject([
    {
      set: [
        { due: now + 10_000, type: 'SLOW' },
        { due: now + 5000, type: 'FAST' },
      ],
    },
    { gone: [expect.any(String)] },
  ])
  await host.close()
})
