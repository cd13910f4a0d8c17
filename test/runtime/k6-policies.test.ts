// K6: what it means for delayed transitions that the host is down, by policy; and what a clock that jumps does.
import { describe, expect, it } from 'vitest'
import { assign, cancel, raise, setup } from 'xstate'
import { type DurableOptions, durable, type Host, openHost } from '../../src/index.ts'
import { fileJournal, type Journal, memoryJournal } from '../../src/journal/index.ts'
import { quietLogger, settle, virtualClock } from '../../src/testing/index.ts'
import { newFolder } from '../journal/folder.ts'
import { engineOf, noUnhandledRejections, refused, texts } from '../support/host.ts'
import { crashJournal, kept } from '../support/journals.ts'

noUnhandledRejections()

type Policy = NonNullable<DurableOptions['timers']>
const MINUTE = 60_000

/** Rings 10 minutes after its start and after each AGAIN; OFF calls it off. */
const alarm = (timers?: Policy, id = 'alarm') =>
  durable(
    setup({
      types: {} as { context: { rang: number }; input: { delay?: number } | undefined; events: { type: string } },
      delays: { later: () => 10 * MINUTE },
    }).createMachine({
      id,
      context: { rang: 0 },
      entry: raise({ type: 'RING' }, { delay: 'later', id: 'ring' }),
      on: {
        RING: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
        OFF: { actions: cancel('ring') },
        AGAIN: { actions: [cancel('ring'), raise({ type: 'RING' }, { delay: 'later', id: 'ring' })] },
      },
    }),
    timers && { timers },
  )

/** One journal and one clock; hosts are opened, closed and killed on them. */
function place(journal: Journal = memoryJournal()) {
  const virtual = virtualClock(Date.UTC(2026, 0, 1))
  let ahead = 0
  const clock = { now: () => virtual.now() + ahead, after: virtual.after, advance: virtual.advance }
  let alive: { dead: boolean } | undefined
  return {
    journal,
    clock,
    jump: (ms: number) => void (ahead += ms),
    /** `maxActive`: 1 lets all leave memory but one. */
    async open(machines: any[], options: { maxActive?: number } = {}): Promise<Host> {
      const life = { dead: false }
      alive = life
      const never = new Promise<never>(() => {})
      const mortal: Journal = {
        ...kept(journal),
        append: (append) => () => (life.dead ? never : journal.append(append)()),
      }
      const host = await openHost({ journal: mortal, clock, logger: quietLogger, machines, ...options })
      await clock.advance(0)
      return host
    },
    /** The process dies: nothing more of it reaches the journal. */
    kill() {
      alive!.dead = true
    },
    rang: async (host: Host, machine: ReturnType<typeof alarm>, id = 'a') =>
      (await host.actor(machine, id, { create: false })).getSnapshot().context.rang,
  }
}

describe.each([
  ['absolute', 6],
  ['resume', 7],
  ['restart', 10],
] as const)('%s: an alarm set for 10 minutes, down from minute 3 to minute 4', (policy, left) => {
  it.each(['clean close', 'crash'])(`K6 ${policy} after a %s: it rings ${left} minutes later, once`, async (end) => {
    const { clock, open, kill, rang } = place()
    const machine = alarm(policy)
    const host = await open([machine])
    await host.actor(machine, 'a')
    await clock.advance(3 * MINUTE)
    if (end === 'crash') kill()
    else await host.close()
    await clock.advance(MINUTE)
    const second = await open([machine])
    await clock.advance(left * MINUTE - 1)
    expect(await rang(second, machine)).toBe(0)
    await clock.advance(1)
    expect(await rang(second, machine)).toBe(1)
    await clock.advance(60 * MINUTE)
    await second.close()
    const third = await open([machine])
    await clock.advance(60 * MINUTE)
    expect(await rang(third, machine)).toBe(1)
    await third.close()
  })
})

it.each([
  ['absolute', 0],
  ['resume', 7],
  ['restart', 10],
] as const)('K6 %s: a day down when it should have rung', async (policy, left) => {
  const { clock, open, rang } = place()
  const machine = alarm(policy)
  const host = await open([machine])
  await host.actor(machine, 'a')
  await clock.advance(3 * MINUTE)
  await host.close()
  await clock.advance(24 * 60 * MINUTE)
  const second = await open([machine])
  if (left) {
    await clock.advance(left * MINUTE - 1)
    expect(await rang(second, machine)).toBe(0)
    await clock.advance(1)
  }
  await settle()
  expect(await rang(second, machine)).toBe(1)
  await second.close()
})

it.each([
  ['absolute', 4],
  ['resume', 7],
  ['restart', 10],
] as const)('K6 %s: down three times, a minute each time', async (policy, left) => {
  const { clock, open, rang } = place()
  const machine = alarm(policy)
  let host = await open([machine])
  await host.actor(machine, 'a')
  for (let i = 0; i < 3; i++) {
    await clock.advance(MINUTE)
    await host.close()
    await clock.advance(MINUTE)
    host = await open([machine])
  }
  await clock.advance(left * MINUTE - 1)
  expect(await rang(host, machine)).toBe(0)
  await clock.advance(1)
  expect(await rang(host, machine)).toBe(1)
  await host.close()
})

it('K6 resume: killed twice within a minute, the time since the last sign of life does not count', async () => {
  const { clock, open, kill, rang } = place()
  const machine = alarm('resume')
  const first = await open([machine])
  await first.actor(machine, 'a')
  await clock.advance(90_000) // 60 s are known
  kill()
  await clock.advance(5000)
  await open([machine])
  await clock.advance(20_000) // none of it is known
  kill()
  await clock.advance(5000)
  const third = await open([machine])
  await clock.advance(9 * MINUTE - 1)
  expect(await rang(third, machine)).toBe(0)
  await clock.advance(1)
  expect(await rang(third, machine)).toBe(1)
  await third.close()
})

describe.each(['absolute', 'resume', 'restart'] as const)('%s', (policy) => {
  it('K6 an alarm that was called off never rings; one that was set anew counts from then', async () => {
    const { clock, open, rang } = place()
    const machine = alarm(policy)
    const host = await open([machine])
    await (await host.actor(machine, 'off')).send({ type: 'OFF' })
    const again = await host.actor(machine, 'again')
    await clock.advance(5 * MINUTE)
    await host.close()
    await clock.advance(60 * MINUTE)
    const second = await open([machine])
    // before the overdue one could be sent anything, absolute has rung
    const before = await rang(second, machine, 'again')
    expect(before).toBe(policy === 'absolute' ? 1 : 0)
    await second.send(machine, 'again', { type: 'AGAIN' })
    await clock.advance(10 * MINUTE - 1)
    expect(await rang(second, machine, 'again')).toBe(before)
    await clock.advance(1)
    expect(await rang(second, machine, 'again')).toBe(before + 1)
    await clock.advance(60 * MINUTE)
    expect(await rang(second, machine, 'off')).toBe(0)
    expect(again.getSnapshot().context.rang).toBe(0)
    await second.close()
  })

  it('K6 one that left memory is woken for its alarm, and not before it', async () => {
    const { journal, clock, open, rang } = place()
    const machine = alarm(policy)
    const host = await open([machine], { maxActive: 1 })
    for (const id of ['a', 'b', 'c', 'd']) await host.actor(machine, id)
    await clock.advance(3 * MINUTE)
    await host.close()
    await clock.advance(MINUTE)
    const second = await open([machine], { maxActive: 1 })
    const left = { absolute: 6, resume: 7, restart: 10 }[policy]
    await clock.advance(left * MINUTE - 1)
    const fired = async () => {
      let count = 0
      for (const id of ['a', 'b', 'c', 'd'])
        count += (await texts(journal, `alarm/${id}`)).filter((text) => text.includes('"kind":"timer"')).length
      return count
    }
    expect(await fired()).toBe(0)
    await clock.advance(1)
    await settle(30)
    expect(await fired()).toBe(4)
    expect(await rang(second, machine, 'd')).toBe(1)
    await second.close()
  })
})

it('K6 a policy is of its machine: others on the same host keep theirs, and none but resume writes signs of life', async () => {
  const { journal, clock, open, rang } = place()
  const machines = [alarm('absolute', 'one'), alarm('restart', 'two')]
  const host = await open(machines)
  for (const machine of machines) await host.actor(machine, 'a')
  await clock.advance(3 * MINUTE)
  await host.close()
  expect(await texts(journal, '$host')).toEqual([])
  await clock.advance(MINUTE)
  const resuming = alarm('resume', 'three')
  const second = await open([...machines, resuming])
  await clock.advance(6 * MINUTE)
  expect([await rang(second, machines[0]!), await rang(second, machines[1]!)]).toEqual([1, 0])
  await clock.advance(4 * MINUTE)
  expect(await rang(second, machines[1]!)).toBe(1)
  expect(await texts(journal, '$host')).toHaveLength(11)
  expect((await second.list()).map(({ machine }) => machine).sort()).toEqual(['one', 'two'])
  await second.close()
})

it('K9 signs of life do not pile up', async () => {
  const { journal, clock, open } = place()
  const machine = alarm('resume')
  const host = await open([machine])
  await clock.advance(300 * MINUTE)
  const left = await texts(journal, '$host')
  expect(left.length).toBeLessThanOrEqual(61)
  expect(left.at(-1)).toContain('"seq":301')
  await host.close()
  await (await open([machine])).close()
  expect(await texts(journal, '$host')).toHaveLength(2)
})

it('K6 resume: signs of life are kept on disk', async () => {
  const dir = await newFolder()
  const { clock, rang } = place()
  const machine = alarm('resume')
  const onDisk = async () =>
    openHost({ journal: await fileJournal(dir), clock, logger: quietLogger, machines: [machine] })
  const host = await onDisk()
  await host.actor(machine, 'a')
  await clock.advance(30_000)
  await host.close()
  await clock.advance(60 * MINUTE)
  const second = await onDisk()
  await clock.advance(9.5 * MINUTE - 1)
  expect(await rang(second, machine)).toBe(0)
  await clock.advance(1)
  const actor = await second.actor(machine, 'a')
  expect((await actor.waitFor(({ context }) => context.rang > 0)).context.rang).toBe(1)
  await second.close()
})

it.each(['before', 'after'] as const)(
  'K6 resume: a crash %s any append, those of signs of life included',
  async (when) => {
    for (let nth = 1; nth <= 6; nth++) {
      const { journal, clock, open, rang } = place()
      const machine = alarm('resume')
      const dying = crashJournal(journal, nth, when)
      void openHost({ journal: dying, clock, logger: quietLogger, machines: [machine] })
        .then((host) => host.actor(machine, 'a'))
        .catch(() => {})
      await settle()
      await clock.advance(3 * MINUTE + 1)
      expect(dying.crashed).toBe(true)
      const second = await open([machine])
      const opened = clock.now()
      await second.actor(machine, 'a')
      const [start] = await texts(journal, 'alarm/a')
      const { at } = JSON.parse(start!.split('\n')[0]!) as { at: number }
      await clock.advance(at + 10 * MINUTE - 1 - opened)
      expect(await rang(second, machine), `${when} ${nth}`).toBe(0)
      await clock.advance(opened + 10 * MINUTE - clock.now())
      expect(await rang(second, machine), `${when} ${nth}`).toBe(1)
      await second.close()
    }
  },
)

describe('the clock jumps', () => {
  it.each(['absolute', 'resume', 'restart'] as const)(
    'K6 %s: on, it is noticed within half a minute',
    async (policy) => {
      const { clock, open, jump, rang } = place()
      const machine = alarm(policy)
      const host = await open([machine])
      await host.actor(machine, 'a')
      jump(60 * MINUTE)
      await clock.advance(30_000)
      expect(await rang(host, machine)).toBe(1)
      await host.close()
    },
  )

  it.each(['absolute', 'resume', 'restart'] as const)(
    'K6 %s: back, it rings when the clock says so, once',
    async (policy) => {
      const { clock, open, jump, rang } = place()
      const machine = alarm(policy)
      const host = await open([machine])
      await host.actor(machine, 'a')
      await clock.advance(9 * MINUTE)
      jump(-60 * MINUTE)
      await clock.advance(61 * MINUTE - 1)
      expect(await rang(host, machine)).toBe(0)
      await clock.advance(1)
      expect(await rang(host, machine)).toBe(1)
      jump(-60 * MINUTE)
      await clock.advance(120 * MINUTE)
      expect(await rang(host, machine)).toBe(1)
      await host.close()
    },
  )

  it.each(['absolute', 'resume', 'restart'] as const)(
    'K6 %s: back while the host is down, it is not early',
    async (policy) => {
      const { clock, open, jump, rang } = place()
      const machine = alarm(policy)
      const host = await open([machine])
      await host.actor(machine, 'a')
      await clock.advance(5 * MINUTE)
      await host.close()
      jump(-60 * MINUTE)
      const second = await open([machine])
      await clock.advance(65 * MINUTE - 1)
      expect(await rang(second, machine)).toBe(0)
      await clock.advance(1)
      expect(await rang(second, machine)).toBe(1)
      await second.close()
    },
  )
})

it('K6 after a long time down, those of many instances fire in due order', async () => {
  const { journal, clock, open } = place()
  const machine = durable(
    setup({
      types: {} as { context: { delay: number }; input: { delay: number }; events: { type: string } },
      delays: { own: ({ context }) => context.delay },
    }).createMachine({
      id: 'mixed',
      context: ({ input }) => input,
      initial: 'waiting',
      states: { waiting: { after: { own: 'rung' } }, rung: {} },
    }),
  )
  const host = await open([machine], { maxActive: 1 })
  const delays = Array.from({ length: 200 }, (_, i) => ((i * 7919) % 200) * 1000 + 60_000)
  for (const [i, delay] of delays.entries()) await host.actor(machine, `i${i}`, { input: { delay } })
  await host.close()
  await clock.advance(24 * 60 * MINUTE)
  const second = await open([machine])
  await clock.advance(0)
  await settle(60)
  const order: number[] = []
  for await (const { stream, text } of journal.readAll())
    if (text.includes('"kind":"timer"')) order.push(delays[Number(stream.slice('mixed/i'.length))]!)
  expect(order).toEqual([...delays].sort((a, b) => a - b))
  await second.close()
})

it.each([
  ['NaN', Number.NaN, 0],
  ['Infinity', Number.POSITIVE_INFINITY, 0],
  ['negative', -5, 0],
  ['2^31', 2 ** 31, 2 ** 31],
  ['a hundred years', 100 * 365 * 86_400_000, undefined],
])('K6 a delay of %s', async (_, delay, fires) => {
  const { clock, open } = place()
  const machine = durable(
    setup({ delays: { d: () => delay } }).createMachine({
      id: 'odd',
      initial: 'a',
      states: { a: { after: { d: 'b' } }, b: {} },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  const value = () => actor.getSnapshot().value
  if (fires === 0) await clock.advance(1)
  else {
    await settle()
    expect(value()).toBe('a')
    await host.close()
    await clock.advance((fires ?? 50 * 365 * 86_400_000) - 1)
    const second = await open([machine])
    expect((await second.actor(machine, 'x')).getSnapshot().value).toBe('a')
    await clock.advance(1)
    await settle()
    expect((await second.actor(machine, 'x')).getSnapshot().value).toBe(fires ? 'b' : 'a')
    return second.close()
  }
  expect(value()).toBe('b')
  await host.close()
})

it('K9 100,000 timers far ahead: none costs anything until it is due', async () => {
  const { clock, open, rang } = place()
  const machine = durable(
    setup({ types: {} as { context: { rang: number }; events: { type: string } } }).createMachine({
      id: 'many',
      context: { rang: 0 },
      entry: Array.from({ length: 1000 }, (_, i) =>
        raise({ type: 'RING' }, { delay: 30 * 86_400_000 + i * 1000, id: `t${i}` }),
      ),
      on: { RING: { actions: assign({ rang: ({ context }) => context.rang + 1 }) } },
    }),
  )
  const host = await open([machine], { maxActive: 1 })
  for (let i = 0; i < 100; i++) await host.actor(machine, `i${i}`)
  await settle()
  expect(engineOf(host).timers.size).toBeLessThan(5000)
  await host.close()
  await clock.advance(30 * 86_400_000 - MINUTE)
  const second = await open([machine], { maxActive: 1 })
  expect(engineOf(second).timers.size).toBeLessThan(5000)
  await clock.advance(MINUTE)
  await settle(60)
  expect(await rang(second, machine as never, 'i0')).toBe(1)
  await second.close()
}, 60_000)

it('K6 an unknown policy is refused by name', async () => {
  const attempt = (async () => alarm('sometimes' as Policy))()
  expect(await refused(attempt)).toMatchObject({
    code: 'BAD_OPTION',
    message: "timers: 'sometimes' is none of absolute, resume, restart",
  })
})
