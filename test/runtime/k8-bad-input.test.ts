import { describe, expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, texts, world } from '../support/host.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

describe('K8: a bad event changes nothing and is named', () => {
  const where = { machine: 'counter', instance: 'c' }
  const cases: [string, unknown, object][] = [
    ['undefined', undefined, { code: 'BAD_EVENT', where: { ...where, path: 'event.type' } }],
    ['null', null, { code: 'BAD_EVENT', where: { ...where, path: 'event.type' } }],
    ['a string', 'INC', { code: 'BAD_EVENT', where }],
    ['an array', [{ type: 'INC' }], { code: 'BAD_EVENT', where }],
    ['without a type', { kind: 'INC' }, { code: 'BAD_EVENT', where }],
    ['a type that is no string', { type: 7 }, { code: 'BAD_EVENT', where }],
    ['an empty type', { type: '' }, { code: 'BAD_EVENT', where }],
    ['the wildcard', { type: '*' }, { code: 'BAD_EVENT', where }],
    [
      'a type of XState',
      { type: 'xstate.done.actor.kid' },
      { code: 'BAD_EVENT', where: { ...where, event: 'xstate.done.actor.kid' } },
    ],
    [
      'with a function',
      { type: 'INC', fn() {} },
      { code: 'NOT_SERIALIZABLE', where: { ...where, event: 'INC', path: 'event.fn' } },
    ],
    [
      'with too much binary',
      { type: 'INC', b: Buffer.alloc(5000) },
      { code: 'BINARY_TOO_LARGE', where: { ...where, event: 'INC', path: 'event.b' } },
    ],
    ['its guard throws', { type: 'BOOM' }, { code: 'MACHINE_THREW', where: { ...where, event: 'BOOM', path: '@1' } }],
    ['its second assign throws', { type: 'HALF' }, { code: 'MACHINE_THREW', where: { ...where, event: 'HALF' } }],
  ]
  it.each(cases)('%s', async (_name, event, expected) => {
    const { journal, open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    await actor.send({ type: 'INC' })
    const before = await texts(journal, 'counter/c')
    expect(await refused(actor.send(event as never))).toMatchObject(expected)
    expect(await refused(host.send(machine, 'c', event as never))).toMatchObject(expected)
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { n: 1 } })
    expect(await texts(journal, 'counter/c')).toEqual(before)
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(2)
    await host.close()
  })
})

it('K8: the neighbours in a burst are not harmed by those that throw', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const types = ['INC', 'BOOM', 'INC', 'INC', 'HALF', 'HALF', 'INC', 'BOOM', 'INC']
  const answers = await Promise.allSettled(types.map((type) => actor.send({ type })))
  expect(answers.map((a) => (a.status === 'fulfilled' ? a.value.seq : a.reason.code))).toEqual([
    2,
    'MACHINE_THREW',
    3,
    4,
    'MACHINE_THREW',
    'MACHINE_THREW',
    5,
    'MACHINE_THREW',
    6,
  ])
  expect(actor.getSnapshot().context.n).toBe(5)
  await host.close()
})

it('K8: an entry, an exit and an always that throw refuse the event that led there', async () => {
  const boom = () => {
    throw new Error('boom')
  }
  const { open } = world()
  const machine = durable(
    setup({ types: {} as { context: { n: number }; events: { type: string } }, guards: { boom } }).createMachine({
      id: 'traps',
      context: { n: 0 },
      initial: 'a',
      states: {
        a: { on: { ENTRY: 'b', EXIT: 'c', ALWAYS: 'd', UNKNOWN_OUTPUT: 'f' } },
        b: { entry: assign(boom) },
        c: { exit: assign(boom), on: { OUT: 'a' } },
        d: { always: { guard: 'boom', target: 'a' } },
        f: { type: 'final' },
      },
      output: boom,
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 't')
  for (const type of ['ENTRY', 'ALWAYS', 'UNKNOWN_OUTPUT']) {
    expect(await refused(actor.send({ type })), type).toMatchObject({ code: 'MACHINE_THREW', where: { event: type } })
    expect(actor.getSnapshot()).toMatchObject({ value: 'a', status: 'active' })
  }
  await actor.send({ type: 'EXIT' })
  expect((await refused(actor.send({ type: 'OUT' }))).code).toBe('MACHINE_THREW')
  expect(actor.getSnapshot()).toMatchObject({ value: 'c', status: 'active' })
  await host.close()
})

it('K8: an event that fails its schema is refused with the path; one that fits is kept as the schema gives it', async () => {
  const { open } = world()
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: any) =>
        typeof value.v === 'number'
          ? { value: { type: 'SEE', v: value.v + 1 } }
          : { issues: [{ message: 'no number', path: ['v', { key: 0 }] }] },
    },
  }
  const machine = durable(counter().machine, { events: { SEE: schema } as never })
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  expect(await refused(actor.send({ type: 'SEE', v: 'x' } as never))).toMatchObject({
    code: 'BAD_EVENT',
    where: { machine: 'counter', instance: 'c', event: 'SEE', path: 'event.v.0' },
  })
  await actor.send({ type: 'SEE', v: 1, extra: 1 } as never)
  expect(actor.getSnapshot().context.seen).toEqual([2])
  await host.close()
})

it('K8: machines, instances and ids that are not there or cannot be are named', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([])
  expect(await refused(host.actor(machine, 'c'))).toMatchObject({
    code: 'UNKNOWN_MACHINE',
    where: { machine: 'counter' },
  })
  expect(await refused(host.send(machine, 'c', { type: 'INC' }))).toMatchObject({ code: 'UNKNOWN_MACHINE' })
  await host.register(machine)
  const where = { machine: 'counter', instance: 'c' }
  expect(await refused(host.send(machine, 'c', { type: 'INC' }))).toMatchObject({ code: 'UNKNOWN_INSTANCE', where })
  expect(await refused(host.actor(machine, 'c', { create: false }))).toMatchObject({ code: 'UNKNOWN_INSTANCE', where })
  expect(await refused(host.resume(machine, 'c', by))).toMatchObject({ code: 'UNKNOWN_INSTANCE', where })
  await host.actor(machine, 'c', { create: 'only' })
  expect(await refused(host.actor(machine, 'c', { create: 'only' }))).toMatchObject({ code: 'INSTANCE_EXISTS', where })
  for (const id of ['', 'a\nb', 'x'.repeat(501), undefined, 7])
    expect((await refused(host.actor(machine, id as string))).code).toBe('BAD_ID')
  for (const id of ['a b', 'ünïcode/with/slash', '$dollar', '..', '-'])
    expect((await host.actor(machine, id)).getSnapshot().context.n).toBe(0)
  expect((await refused(host.register(counter()))).code).toBe('BAD_MACHINE')
  await host.close()
})

it('K8: an input that cannot be kept, or for which the machine throws, makes no instance', async () => {
  const { journal, open } = world()
  const machine = durable(
    setup({ types: {} as { context: { n: number }; input: { n: number; fn?: () => void } } }).createMachine({
      id: 'fussy',
      context: ({ input }) => {
        if (input.n < 0) throw new RangeError('negative')
        return { n: input.n }
      },
    }),
  )
  const host = await open([machine])
  expect(await refused(host.actor(machine, 'x', { input: { n: 1, fn() {} } }))).toMatchObject({
    code: 'NOT_SERIALIZABLE',
    where: { machine: 'fussy', instance: 'x', path: 'input.fn' },
  })
  expect(await refused(host.actor(machine, 'x', { input: { n: -1 } }))).toMatchObject({
    code: 'MACHINE_THREW',
    where: { machine: 'fussy', instance: 'x' },
  })
  expect(await texts(journal, 'fussy/x')).toEqual([])
  expect(await host.list()).toEqual([])
  expect((await host.actor(machine, 'x', { input: { n: 1 } })).getSnapshot().context.n).toBe(1)
  await host.close()
})

it('K8: a change of the event after it was sent does not matter', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const event = { type: 'SEE', v: { list: [1] } }
  const sent = actor.send(event)
  event.v.list.push(2)
  await sent
  event.v.list.push(3)
  expect(actor.getSnapshot().context.seen).toEqual([{ list: [1] }])
  await host.close()
  const host2 = await open([machine])
  expect((await host2.actor(machine, 'c')).getSnapshot().context.seen).toEqual([{ list: [1] }])
  await host2.close()
})
