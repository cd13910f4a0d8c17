import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { type AnyEventObject, assign, setup } from 'xstate'
import { type DurableActor, durable, openHost } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { featuresMachine, type Outside, outside } from '../support/features.ts'
import { noUnhandledRejections, quiet, refused, settle, world } from '../support/host.ts'
import { copyOf, view } from '../support/view.ts'

noUnhandledRejections()

type Step = (actor: DurableActor<any>, out: Outside) => unknown

const send =
  (type: string, more: object = {}): Step =>
  (actor) =>
    actor.send({ type, ...more })
const finish =
  (name: string, value: unknown): Step =>
  (_actor, out) =>
    out.jobs.get(name)!.resolve(value)

const steps: (Step | number)[] = [
  send('INC'),
  send('KICK'),
  send('COUNTER'),
  send('ENQ'),
  send('SELF'),
  send('GO'),
  40_000,
  send('ABORT'),
  send('GO'),
  finish('pr', 'result'),
  send('GO'),
  (_actor, out) => out.jobs.get('pr')!.reject(new TypeError('refused')),
  send('CB'),
  send('PINGIT', { v: 7 }),
  send('OFF'),
  send('DELAYED'),
  35_000,
  (_actor, out) => out.values.next(42),
  (_actor, out) => out.events.next({ type: 'INC' }),
  send('ANON'),
  send('ANON'),
  send('ANONINC'),
  send('STOPANON'),
  finish('deep', 77),
  send('INLINE'),
  finish('inline', 'inl'),
  send('PAR'),
  send('L'),
  send('BACK'),
  send('HIST'),
  130_000,
  send('INC'),
  send('CANCEL'),
  1_000_000,
]

/** Opens the same journal in a fresh host, as after a crash; gives what it shows and what it did. */
async function afterCrash(journal: Journal, now: number) {
  const out = outside()
  const copy = await copyOf(journal)
  const clock = { now: () => now, after: () => () => {} }
  const machine = durable(featuresMachine(out))
  const host = await openHost({ journal: copy, clock, logger: quiet, machines: [machine] })
  const shown = view((await host.actor(machine, 'i', { create: false })).getSnapshot())
  return { shown, trace: out.trace }
}

/** Keys of effects that the journal knows to have ended. */
async function endedIn(actor: DurableActor<any>): Promise<Set<string>> {
  const ended = new Set<string>()
  for await (const { effects } of actor.history()) for (const key of effects?.ended ?? []) ended.add(`big/i${key}`)
  return ended
}

it.each([
  ['all records', 1_000_000],
  ['a checkpoint after each', 1],
  ['a checkpoint and some records', 3],
])(
  'K3: replay equals live after every step, through every feature of XState; a refused event loads from %s',
  async (_, snapshotEvery) => {
    const { journal, clock, open } = world()
    const out = outside()
    const machine = durable(featuresMachine(out))
    const host = await open([machine], { snapshotEvery })
    const actor = await host.actor(machine, 'i')
    const done = new Set<string>()
    for (const [index, step] of steps.entries()) {
      if (typeof step === 'number') clock.advance(step)
      else await step(actor, out)
      await settle()
      clock.advance(1000) // records what has finished
      await settle()
      const before = view(actor.getSnapshot())
      const { code } = await refused(actor.send({ type: 'BOOM' })) // and what was in memory is thrown away
      await settle()
      expect([code, view(actor.getSnapshot())], `step ${index}`).toEqual(['MACHINE_THREW', before])
      for (const line of out.trace)
        if (/^(act|hi|selfsend|incLast) /.test(line)) done.add(line.split(' ')[1]!.split('#')[0]!)
      const again = await afterCrash(journal, clock.now())
      expect(again.shown, `step ${index}`).toEqual(view(actor.getSnapshot()))
      const ended = await endedIn(actor)
      for (const line of again.trace) {
        const [key, attempt] = line.split(' ')[1]!.split('#')
        expect(done.has(key!) || ended.has(key!), `step ${index} did again: ${line}`).toBe(false)
        expect(attempt).toBe('2')
      }
    }
    expect(actor.getSnapshot().context).toMatchObject({
      log: ['kicked', 'deep'],
      got: 'result',
      err: { name: 'TypeError', message: 'refused' },
      pong: 7,
      fe: 1,
      seen: 42,
      raised: true,
      inl: 'inl',
      kidOut: 77,
      enq: 1,
      count: 4,
    })
    expect(actor.getSnapshot().value).toEqual({ par: { l: 'l2', r: 'r2' } })
    expect(actor.getSnapshot().context.list.map((a: any) => a.getSnapshot().context)).toEqual([1])
    await host.close()
  },
)

it('K3: what is not an input is not in the journal, and no effect of a replay reaches the world', async () => {
  const { open } = world()
  const out = outside()
  const machine = durable(featuresMachine(out))
  const host = await open([machine])
  const actor = await host.actor(machine, 'i')
  await actor.send({ type: 'KICK' })
  await actor.send({ type: 'ENQ' })
  const kinds: string[] = []
  for await (const { kind, payload } of actor.history())
    kinds.push(`${kind} ${(payload as AnyEventObject)?.type ?? ''}`.trim())
  expect(kinds).toEqual(['start', 'event KICK', 'event ENQ'])
  await host.close()
  const again = outside()
  const next = durable(featuresMachine(again))
  const host2 = await open([next])
  await settle()
  expect(again.trace.map((line) => line.split(' ')[0])).toEqual(['obs', 'evobs'])
  await host2.close()
})

it('K3: time, chance and ids that a machine asks for come from the record', async () => {
  const { clock, open } = world()
  const ask = {
    now: () => Date.now(),
    date: () => new Date().toISOString(),
    text: () => Date(),
    given: () => new Date(5).getTime(),
    parts: () => new Date(2020, 1, 1).getFullYear(),
    utc: () => Date.UTC(2020, 0),
    isDate: () => new Date() instanceof Date,
    dice: () => [Math.random(), Math.random()],
    id: () => randomUUID(),
    globalId: () => crypto.randomUUID(),
  }
  const machine = durable(
    setup({ types: {} as { context: Record<string, unknown>; events: { type: 'ASK' } } }).createMachine({
      id: 'asks',
      context: {},
      on: { ASK: { actions: assign(ask as never) } },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  clock.advance(12_345)
  await actor.send({ type: 'ASK' })
  const first = actor.getSnapshot().context
  expect(first).toMatchObject({
    now: clock.now(),
    date: new Date(clock.now()).toISOString(),
    given: 5,
    parts: 2020,
    isDate: true,
  })
  expect(first.text).toBe(new Date(clock.now()).toString())
  expect(first.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(first.id).not.toBe(first.globalId)
  await actor.send({ type: 'ASK' })
  const second = actor.getSnapshot().context
  expect(second.dice).not.toEqual(first.dice)
  expect(second.id).not.toBe(first.id)
  await host.close()
  clock.advance(1_000_000)
  const host2 = await open([machine])
  expect((await host2.actor(machine, 'a')).getSnapshot().context).toEqual(second)
  await host2.close()
  expect(Math.abs(Date.now() - clock.now())).toBeGreaterThan(1e9) // outside, time is the real one again
  expect(randomUUID()).not.toBe(randomUUID())
})

it('K3: a machine that asks for something outside is caught at replay, by name and seq', async () => {
  let mood = 'a'
  const { open } = world()
  const machine = durable(
    setup({ guards: { good: () => mood === 'a' } }).createMachine({
      id: 'moody',
      initial: 'a',
      states: { a: { on: { GO: [{ guard: 'good', target: 'b' }, { target: 'c' }] } }, b: {}, c: {} },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'm')
  await host.actor(machine, 'other')
  await actor.send({ type: 'GO' })
  await host.close()
  mood = 'b'
  const host2 = await open([machine])
  expect((await refused(host2.actor(machine, 'm'))).code).toBe('REPLAY_DIVERGED')
  const [m, other] = (await host2.list()).sort((x, y) => (x.id < y.id ? -1 : 1))
  expect(m).toMatchObject({
    id: 'm',
    status: 'broken',
    problem: { code: 'REPLAY_DIVERGED', where: { instance: 'm', seq: 2 } },
  })
  expect(other).toMatchObject({ id: 'other', status: 'active' })
  await host2.close()
})
