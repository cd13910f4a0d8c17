import { expect, it } from 'vitest'
import { type AnyActorRef, assign, emit, fromCallback, fromPromise, log, sendTo, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { noUnhandledRejections, recording, refused, settle, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

/** Does everything that can be seen from outside at once, at GO. */
function visible(did: string[]) {
  const kid = setup({ types: {} as { context: { k: number }; events: { type: 'UP' } } }).createMachine({
    id: 'kid',
    context: { k: 0 },
    on: { UP: { actions: assign({ k: ({ context }) => context.k + 1 }) } },
  })
  return durable(
    setup({
      types: {} as { context: { n: number }; events: { type: 'GO' | 'STAY' } },
      actors: {
        kid,
        work: fromPromise(async () => void did.push('promise')),
        cb: fromCallback(({ receive }) => receive((event) => did.push(`told ${event.type}`))),
      },
      actions: { act: () => void did.push('action') },
    }).createMachine({
      id: 'visible',
      context: { n: 0 },
      invoke: [
        { src: 'kid', id: 'kid' },
        { src: 'cb', id: 'cb' },
      ],
      initial: 'a',
      states: {
        a: {
          on: {
            GO: {
              target: 'b',
              actions: [
                assign({ n: 1 }),
                'act',
                log('logged'),
                emit({ type: 'emitted' }),
                sendTo('kid', { type: 'UP' }),
                sendTo('cb', { type: 'NEWS' }),
              ],
            },
          },
        },
        b: { invoke: { src: 'work', id: 'work' } },
      },
    }),
  )
}

async function scene() {
  const did: string[] = []
  const { journal, clock, open } = world()
  const faulty = faultyJournal(journal)
  const logger = recording()
  const machine = visible(did)
  const host = await open([machine], { journal: faulty, logger })
  const actor = await host.actor(machine, 'v')
  const kid = actor.getSnapshot().children.kid as AnyActorRef
  const seen: unknown[] = []
  actor.subscribe((s) => seen.push(['root', s.value]))
  actor.snapshot$.subscribe((s) => seen.push(['stream', s.value]))
  kid.subscribe((s) => seen.push(['kid', s.context.k]))
  actor.on('*' as never, (event: { type: string }) => seen.push(['event', event.type]))
  seen.length = 0
  await settle()
  const kidNow = () => kid.getSnapshot().context.k
  return { did, faulty, clock, logger, host, actor, kidNow, seen }
}

it('K1: while the append is under way, nothing is visible and no effect has begun; then all is at once', async () => {
  const { did, faulty, logger, host, actor, kidNow, seen } = await scene()
  faulty.hold()
  const sent = actor.send({ type: 'GO' })
  await settle()
  expect(faulty.held).toBe(1)
  expect(actor.getSnapshot()).toMatchObject({ value: 'a', context: { n: 0 } })
  expect(kidNow()).toBe(0)
  expect([did, seen, logger.lines]).toEqual([[], [], []])
  expect((await host.list())[0]).toMatchObject({ state: 'a', seq: 1 })
  faulty.release()
  await sent
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: 'b', context: { n: 1 } })
  expect(kidNow()).toBe(1)
  expect(did.slice().sort()).toEqual(['action', 'promise', 'told NEWS'])
  expect(logger.lines).toEqual(['visible/v: logged'])
  expect(seen.filter(([what]: any) => what !== 'root' && what !== 'stream')).toEqual([
    ['kid', 1],
    ['event', 'emitted'],
  ])
  expect(seen).toContainEqual(['root', 'b'])
  await host.close()
})

it('K1: a failed append leaves the instance as it was, and nobody has seen anything', async () => {
  const { did, faulty, logger, host, actor, kidNow, seen } = await scene()
  const before = actor.getSnapshot()
  faulty.plan = () => ({ when: 'before', code: 'IO' })
  const error = await refused(actor.send({ type: 'GO' }))
  expect(error).toMatchObject({ code: 'IO', where: { machine: 'visible', instance: 'v' } })
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: before.value, context: before.context })
  expect(kidNow()).toBe(0)
  expect([did, seen, logger.lines]).toEqual([[], [], []])
  faulty.plan = () => undefined
  await actor.send({ type: 'GO' })
  expect(actor.getSnapshot().value).toBe('b')
  expect(kidNow()).toBe(1)
  await settle()
  expect(did.slice().sort()).toEqual(['action', 'promise', 'told NEWS'])
  await host.close()
})

it('K1: a burst is decided at once, shares group commits and is shown step by step once it is durable', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'c')
  const seen: number[] = []
  actor.subscribe((s) => seen.push(s.context.n))
  const before = faulty.appends
  faulty.hold()
  const burst = Array.from({ length: 50 }, () => actor.send({ type: 'INC' }))
  await settle()
  expect(actor.getSnapshot().context.n).toBe(0)
  faulty.release()
  const receipts = await Promise.all(burst)
  expect(faulty.appends - before).toBe(1)
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect(receipts.map((r) => r.seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 2))
  expect(receipts.every((r, i) => r.position === receipts[0]!.position + i)).toBe(true)
  await host.close()
})

it('K1: what was decided on top of a failed append fails with it', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'c')
  const before = faulty.appends
  faulty.plan = (_append, n) => (n === before + 1 ? { when: 'before', code: 'NO_SPACE' } : undefined)
  faulty.hold()
  const first = [actor.send({ type: 'INC' }), actor.send({ type: 'INC' })].map(refused)
  await settle()
  const second = [actor.send({ type: 'INC' }), actor.send({ type: 'INC' })].map(refused)
  await settle()
  faulty.release()
  for (const error of await Promise.all([...first, ...second])) expect(error.code).toBe('NO_SPACE')
  expect(actor.getSnapshot().context.n).toBe(0)
  expect(await actor.send({ type: 'INC' })).toMatchObject({ seq: 2 })
  expect(actor.getSnapshot().context.n).toBe(1)
  await host.close()
})

it('K1: an observer that throws harms nobody but itself', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  const seen: number[] = []
  actor.subscribe(() => {
    throw new Error('observer')
  })
  actor.subscribe((s) => seen.push(s.context.n))
  await actor.send({ type: 'INC' })
  await actor.send({ type: 'INC' })
  expect(seen).toEqual([1, 2])
  await host.close()
})

it('K1: waitFor sees committed states only, and gives up by timeout, signal or close', async () => {
  const { journal, clock, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'c')
  const one = actor.waitFor((s) => s.context.n === 1)
  let there = false
  void one.then(() => {
    there = true
  })
  faulty.hold()
  const sent = actor.send({ type: 'INC' })
  await settle()
  expect(there).toBe(false)
  faulty.release()
  await sent
  expect((await one).context.n).toBe(1)
  const timeout = refused(actor.waitFor((s) => s.context.n === 5, { timeout: '5s' }))
  const controller = new AbortController()
  const aborted = refused(actor.waitFor((s) => s.context.n === 5, { signal: controller.signal }))
  const closed = refused(actor.waitFor((s) => s.context.n === 5))
  controller.abort()
  clock.advance(5000)
  expect((await timeout).code).toBe('TIMEOUT')
  expect((await aborted).code).toBe('ABORTED')
  await host.close()
  expect((await closed).code).toBe('CLOSED')
})
