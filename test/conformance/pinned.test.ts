// What a machine asks of its surroundings comes from the record, or is refused.
import nodeCrypto, { randomInt, randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { assign, createMachine, fromTransition, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import type { Loose } from '../support/conformance.ts'
import { noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { view } from '../support/view.ts'

noUnhandledRejections()

const capturedDate = Date
let keptDate: DateConstructor | undefined

const questions: Record<string, () => unknown> = {
  'Date.now()': () => Date.now(),
  'new Date()': () => new Date(),
  'Date()': () => Date(),
  'a subclass of Date': () => new (class extends Date {})().getTime(),
  'new Date(), read in the local zone': () => [new Date().getHours(), new Date().toLocaleString('en-GB')],
  'Intl without a date': () => [
    new Intl.DateTimeFormat('en', { timeStyle: 'medium' }).format(),
    new Intl.DateTimeFormat('en').formatToParts(),
  ],
  'performance.now()': () => performance.now(),
  'process.hrtime()': () => [process.hrtime(), process.hrtime([1, 5]), process.hrtime.bigint()],
  'Math.random()': () => [Math.random(), Math.random()],
  'randomUUID()': () => [randomUUID(), crypto.randomUUID(), nodeCrypto.randomUUID()],
  'randomInt()': () => [randomInt(2 ** 40), randomInt(10, 2 ** 40)],
}

const asking = (ask: () => unknown) =>
  durable(
    setup({
      types: {} as Loose,
      actors: { kid: fromTransition((s: unknown[]) => [...s, ask()], []) },
      delays: { later: () => 100 + (Date.now() % 7) },
    }).createMachine({
      id: 'asks',
      context: ({ spawn }: any) => ({ first: ask(), told: [], kid: spawn('kid', { id: 'kid' }) }),
      initial: 'on',
      states: { on: { after: { later: { actions: assign({ told: ({ context }) => [...context.told, ask()] }) } } } },
      on: {
        ASK: {
          actions: [
            assign({ told: ({ context }) => [...context.told, ask()] }),
            ({ context }) => context.kid.send({ type: 'ASK' }),
          ],
        },
      },
    }),
    { attributes: () => ({ asked: JSON.stringify(ask(), (_key, v) => (typeof v === 'bigint' ? String(v) : v)) }) },
  )

it.each(Object.keys(questions))('K3: %s: replay equals live, and each record has its own', async (name) => {
  const { clock, open } = world()
  const machine = asking(questions[name]!)
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  for (let i = 0; i < 3; i++) {
    clock.advance(1234)
    await actor.send({ type: 'ASK' })
    await settle()
  }
  const live = view(actor.getSnapshot())
  const [first, second] = actor.getSnapshot().context.told
  expect(first).not.toEqual(second)
  await host.close()
  clock.advance(1_000_000)
  const host2 = await open([machine])
  const again = await host2.actor(machine, 'a')
  await settle()
  expect((await host2.list())[0]?.problem).toBeUndefined()
  expect(view(again.getSnapshot())).toEqual(live)
  await host2.close()
})

it('K3: the clocks are those of the record', async () => {
  const { clock, open } = world()
  const machine = asking(() => [
    Date.now(),
    performance.now(),
    Number(process.hrtime.bigint()) / 1e6,
    Date.parse(new Date().toISOString()),
  ])
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  expect(actor.getSnapshot().context.first).toEqual([0, 0, 0, 0].map(() => clock.now()))
  await host.close()
})

it('K3: outside of transitions all of it is real, also what a machine has kept', async () => {
  const { open } = world()
  const machine = asking(() => {
    keptDate = Date
  })
  const host = await open([machine])
  await host.actor(machine, 'a')
  const before = capturedDate.now()
  expect(keptDate!.now()).toBeGreaterThanOrEqual(before)
  expect(new keptDate!().getTime()).toBeGreaterThanOrEqual(before)
  expect(keptDate!()).toBe(new Date().toString())
  expect(performance.now()).toBeLessThan(before)
  expect(Number(process.hrtime.bigint() - process.hrtime.bigint())).toBeLessThanOrEqual(0)
  expect(process.hrtime(process.hrtime())[0]).toBe(0)
  expect(new Intl.DateTimeFormat('en', { year: 'numeric' }).format()).toBe(String(new Date().getFullYear()))
  expect(randomUUID()).not.toBe(randomUUID())
  expect(randomInt(5, 6)).toBe(5)
  expect(nodeCrypto.randomBytes(4)).toHaveLength(4)
  expect(crypto.getRandomValues(new Uint8Array(3))).toHaveLength(3)
  await host.close()
})

it('K3: ids are never drawn twice: by no other record, instance or journal of the same names', async () => {
  const ids = new Set<string>()
  const machine = durable(
    setup({ types: {} as Loose }).createMachine({
      id: 'ids',
      context: { ids: [] },
      on: {
        MORE: {
          actions: assign({
            ids: ({ context }) => [...context.ids, ...Array.from({ length: 100 }, () => randomUUID())],
          }),
        },
      },
    }),
  )
  for (const _journal of ['one', 'another']) {
    const { open } = world()
    const host = await open([machine])
    for (const name of ['a', 'b']) {
      const actor = await host.actor(machine, name)
      await actor.send({ type: 'MORE' })
      await actor.send({ type: 'MORE' })
      for (const id of actor.getSnapshot().context.ids) ids.add(id)
    }
    await host.close()
  }
  expect(ids.size).toBe(800)
})

it.each([
  ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(8))],
  ['getRandomValues of node:crypto', () => nodeCrypto.getRandomValues(new Uint8Array(8))],
  ['randomBytes', () => nodeCrypto.randomBytes(8)],
  ['randomFillSync', () => nodeCrypto.randomFillSync(new Uint8Array(8))],
])('K3: %s in a transition is refused, and says what to use', async (_name, ask) => {
  const { open } = world()
  const machine = durable(createMachine({ id: 'bytes', on: { ASK: { actions: assign({ it: ask } as never) } } }))
  const host = await open([machine])
  const actor = await host.actor(machine, 'a')
  const error = await refused(actor.send({ type: 'ASK' }))
  expect(error.code).toBe('MACHINE_THREW')
  expect(error.message).toMatch(/can't be replayed: use randomUUID\(\) or Math\.random\(\)/)
  expect(actor.getSnapshot().status).toBe('active')
  await host.close()
})
