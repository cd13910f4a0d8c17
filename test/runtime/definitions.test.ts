import { expect, it } from 'vitest'
import { type AnyStateMachine, createMachine, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { decodeCommit, definitionStream } from '../../src/journal/records.ts'
import { noUnhandledRejections, quiet, refused, world } from '../support/host.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

const lamp = (version = 1, on = 'on') => {
  const states = { off: { on: { FLIP: on } }, [on]: {} }
  const machine = setup({}).createMachine({ id: 'lamp', initial: 'off', states } as never) as never as AnyStateMachine
  return durable(machine, { version })
}

async function definitions(journal: Journal) {
  const found: { version: number; payload: any }[] = []
  for await (const record of journal.read(definitionStream('lamp'))) {
    const commit = decodeCommit(record)
    found.push({ version: commit.version, payload: commit.payload() })
  }
  return found
}

it('K3: a statechart is kept once, and again when it or its version changes', async () => {
  const { journal, open } = world()
  const write = async (machine: ReturnType<typeof lamp>) => {
    await (await open([machine])).close()
    return (await definitions(journal)).map((d) => `${d.version} ${Object.keys(d.payload.states)}`)
  }
  expect(await write(lamp())).toEqual(['1 off,on'])
  expect(await write(lamp())).toEqual(['1 off,on'])
  expect(await write(lamp(1, 'lit'))).toEqual(['1 off,on', '1 off,lit'])
  expect(await write(lamp(2, 'lit'))).toEqual(['1 off,on', '1 off,lit', '2 off,lit'])
  expect(await write(lamp(2, 'lit'))).toHaveLength(3)
})

it('K3: it stands before the first commit that it is in force for', async () => {
  const { journal, open } = world()
  const machine = lamp()
  const host = await open([])
  await host.register(machine)
  await host.actor(machine, 'l')
  const streams: string[] = []
  for await (const { stream } of journal.readAll()) streams.push(stream)
  expect(streams).toEqual(['$machine/lamp', 'lamp/l'])
  await host.close()
})

it('K3: a removed state stops the instance that was in it, by name, and no other', async () => {
  const { open } = world()
  const before = lamp()
  const host = await open([before])
  await (await host.actor(before, 'flipped')).send({ type: 'FLIP' } as never)
  await host.actor(before, 'fresh')
  await host.close()
  const after = lamp(1, 'lit')
  const host2 = await open([after])
  const where = { machine: 'lamp', instance: 'flipped', seq: 2 }
  expect(await refused(host2.actor(after, 'flipped'))).toMatchObject({ code: 'REPLAY_DIVERGED', where })
  expect(await host2.list({ status: 'broken' })).toMatchObject([
    { id: 'flipped', problem: { code: 'REPLAY_DIVERGED', where } },
  ])
  expect(await refused(host2.send(after, 'flipped', { type: 'FLIP' } as never))).toMatchObject({
    code: 'REPLAY_DIVERGED',
  })
  const fresh = await host2.actor(after, 'fresh')
  await fresh.send({ type: 'FLIP' } as never)
  expect(fresh.getSnapshot().value).toBe('lit')
  await host2.close()
})

it('K3: list tells what is there without any code, with filters', async () => {
  const { clock, open } = world()
  const door = durable(
    setup({}).createMachine({
      id: 'door',
      initial: 'shut',
      states: {
        shut: { tags: ['safe'], on: { OPEN: 'open' } },
        open: { initial: 'wide', states: { wide: {} }, on: { END: 'gone' } },
        gone: { type: 'final' },
      },
    }),
  )
  const machine = counter({ version: 3, attributes: (s) => ({ total: s.context.n }) })
  const host = await open([door, machine])
  const at = clock.now()
  await (await host.actor(machine, 'c')).send({ type: 'INC' })
  await host.actor(door, 'd1')
  await (await host.actor(door, 'd2')).send({ type: 'OPEN' })
  const d3 = await host.actor(door, 'd3')
  await d3.send({ type: 'OPEN' })
  await d3.send({ type: 'END' })
  const ids = async (h: typeof host, filter: Parameters<typeof host.list>[0]) =>
    (await h.list(filter)).map((l) => l.id).sort()
  const check = async (h: typeof host) => {
    expect(await ids(h, {})).toEqual(['c', 'd1', 'd2', 'd3'])
    expect(await ids(h, { machine: 'door' })).toEqual(['d1', 'd2', 'd3'])
    expect(await ids(h, { state: 'shut' })).toEqual(['d1'])
    expect(await ids(h, { state: 'open' })).toEqual(['d2'])
    expect(await ids(h, { state: { open: 'wide' } })).toEqual(['d2'])
    expect(await ids(h, { status: 'done' })).toEqual(['d3'])
    expect(await ids(h, { machine: 'nobody' })).toEqual([])
  }
  await check(host)
  expect(await ids(host, { status: 'active' })).toEqual(['c', 'd1', 'd2'])
  await host.close()
  const asleep = await open([], { logger: quiet })
  await check(asleep)
  expect(await ids(asleep, { status: 'asleep' })).toEqual(['c', 'd1', 'd2'])
  const [c] = await asleep.list({ machine: 'counter' })
  expect(c).toEqual({
    machine: 'counter',
    id: 'c',
    state: {},
    status: 'asleep',
    tags: [],
    seq: 2,
    position: expect.any(Number),
    at,
    version: 3,
    attributes: { total: 1 },
  })
  expect((await asleep.list({ state: 'shut' }))[0]?.tags).toEqual(['safe'])
  await asleep.register(door)
  expect(await ids(asleep, { status: 'active' })).toEqual(['d1', 'd2'])
  await asleep.close()
})

it('K3: history tells every commit, oldest first', async () => {
  const { clock, open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  clock.advance(5)
  await actor.send({ type: 'SEE', v: new Map([['k', 1n]]) }, { id: 'e1' })
  const entries = []
  for await (const entry of actor.history()) entries.push(entry)
  expect(entries).toMatchObject([
    { seq: 1, kind: 'start', target: '@1', status: 'active', at: clock.now() - 5 },
    { seq: 2, kind: 'event', id: 'e1', at: clock.now(), payload: { type: 'SEE', v: new Map([['k', 1n]]) } },
  ])
  const some = []
  for await (const { seq } of actor.history({ from: 2 })) some.push(seq)
  expect(some).toEqual([2])
  await host.close()
})

it('K8: machines that cannot run durable are refused, with every reason', () => {
  const unfinished = setup({}).createMachine({
    id: 'unfinished',
    initial: 'a',
    states: {
      a: {
        entry: 'missingAction',
        on: { X: { guard: 'missingGuard', target: 'a' } },
        after: { missingDelay: 'a' },
        invoke: { src: 'missingActor', id: 'm' },
      },
    },
  } as never) as never as AnyStateMachine
  try {
    durable(unfinished)
    expect.unreachable()
  } catch (error: any) {
    expect(error.code).toBe('BAD_MACHINE')
    for (const name of ['missingAction', 'missingGuard', 'missingDelay', 'missingActor'])
      expect(error.message).toContain(name)
  }
  const fine = setup({}).createMachine({ id: 'fine' })
  for (const id of ['', 'a/b', '$a', ' a', 'a\nb'])
    expect(() => durable(fine, { id })).toThrow(/id of a durable machine/)
  for (const version of [0, -1, 1.5, Number.NaN]) expect(() => durable(fine, { version })).toThrow(/version/)
})

it('K3: what holds itself in the meta of a machine does not stop its host', async () => {
  const { journal, open } = world()
  const owner: Record<string, unknown> = { name: 'ann' }
  owner.self = owner
  const shared = { twice: 1n }
  const machine = createMachine({ id: 'lamp', meta: { owner, a: shared, b: shared } })
  await (await open([durable(machine)])).close()
  const [kept] = await definitions(journal)
  expect(JSON.stringify(kept!.payload)).toContain('"owner":{"name":"ann"},"a":{"twice":"1"},"b":{"twice":"1"}')
})
