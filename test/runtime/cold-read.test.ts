// What a cold read of the whole found; each was red before.
import { expect, it } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { deliver, durable, openHost } from '../../src/index.ts'
import { type Journal, memoryJournal } from '../../src/journal/index.ts'
import { engineOf, noUnhandledRejections, quiet, refused, settle, world } from '../support/host.ts'
import { faultyJournal, kept } from '../support/journals.ts'
import { acting, counter, mailbox } from '../support/machines.ts'

noUnhandledRejections()

it('K9: timers that were called off leave the heap', async () => {
  const { open, clock } = world()
  const machine = durable(
    setup({}).createMachine({
      id: 'again',
      initial: 'a',
      states: { a: { after: { 1000000: 'late' }, on: { GO: { target: 'a', reenter: true } } }, late: {} },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  for (let i = 0; i < 5000; i++) await actor.send({ type: 'GO' })
  expect((engineOf(host).timers as unknown as { heap: { length: number } }).heap.length).toBeLessThan(2500)
  clock.advance(1_000_000)
  await settle()
  expect(actor.getSnapshot().value).toBe('late')
  await host.close()
})

it('K4: an effect that delivers too often is refused instead of losing what the next one delivers', async () => {
  const { open } = world()
  const box = mailbox()
  const codes: string[] = []
  const machine = acting(async (event) => {
    if (event.one) return void (await deliver(box, 'box', { type: 'MSG', v: 'one' }))
    for (let v = 0; v < 1100; v++)
      await deliver(box, 'box', { type: 'MSG', v }).catch((error) => void codes.push(error.code))
  })
  const host = await open([machine, box])
  const receiver = await host.actor(box, 'box')
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  await receiver.waitFor((s) => s.context.got.length === 1023)
  await settle(200)
  await actor.send({ type: 'GO', one: true })
  await receiver.waitFor((s) => s.context.got.includes('one'))
  expect(new Set(codes)).toEqual(new Set(['BAD_OPTION']))
  await host.close()
})

it.each([[5], [1n], [''], [{}], [null]])('K8: %s is no id of an event, and harms nobody', async (id) => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  expect((await refused(actor.send({ type: 'INC' }, { id: id as never }))).code).toBe('BAD_ID')
  await actor.send({ type: 'INC' })
  expect(actor.getSnapshot().context.n).toBe(1)
  await host.close()
})

it('K4: the receipt of a duplicate is the first one, whatever the attributes say', async () => {
  const { open } = world()
  const machine = durable(
    setup({}).createMachine({ id: 'odd', context: { n: 0 }, on: { INC: { actions: assign({ n: 1 }) } } }),
    { attributes: () => ({ handled: false }) },
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  const first = await actor.send({ type: 'INC' }, { id: 'a' })
  expect(await actor.send({ type: 'INC' }, { id: 'a' })).toEqual({ ...first, duplicate: true })
  await host.close()
})

it('K8: what is no durable machine, or another one of that id, is refused by name and changes nothing', async () => {
  const { open } = world()
  const plain = setup({}).createMachine({ id: 'm' })
  const machine = durable(plain)
  const host = await open([machine])
  await host.actor(machine, 'x')
  expect((await refused(host.actor(plain as never, 'x'))).code).toBe('BAD_MACHINE')
  expect((await refused(host.actor(durable(plain), 'y'))).code).toBe('BAD_MACHINE')
  expect((await refused(open([plain as never]))).code).toBe('BAD_MACHINE')
  expect((await refused(open([machine, durable(plain)]))).code).toBe('BAD_MACHINE')
  expect(() => durable({} as never)).toThrow('no XState machine')
  expect(() => durable(setup({}).createMachine({}))).toThrow("can't be the id")
  expect(await host.list()).toMatchObject([{ id: 'x', status: 'active' }])
  await host.close()
})

it('K8: what is no journal is refused; a host that can not open gives the journal back', async () => {
  expect((await refused(openHost({} as never))).code).toBe('BAD_OPTION')
  expect((await refused(openHost({ journal: {} as never }))).message).toContain('no journal')
  expect(await refused(openHost({ journal: Promise.resolve(memoryJournal()) as never }))).toMatchObject({
    message: 'journal: it is a promise',
    hint: expect.stringContaining('Await it.'),
  })
  const journal = memoryJournal()
  expect((await refused(openHost({ journal, logger: quiet, mailbox: 0 }))).code).toBe('BAD_OPTION')
  const append = await journal.append({ stream: 'a', expected: 0, texts: ['x'] })()
  expect(append).toMatchObject({ left: { code: 'CLOSED' } })
})

it('a registration that failed can be tried again, and two at once both wait', async () => {
  const { open, journal } = world()
  const machine = acting(() => {})
  const first = await open([machine])
  await first.actor(machine, 'x')
  await first.close()
  const changed = durable(machine.machine, { version: 2 })
  const faulty = faultyJournal(journal, (_append, n) => (n === 1 ? { when: 'before', code: 'NO_SPACE' } : undefined))
  const host = await open([], { journal: faulty })
  expect((await refused(host.register(changed))).code).toBe('NO_SPACE')
  await Promise.all([host.register(changed), host.register(changed)])
  expect(await host.list({ status: 'active' })).toHaveLength(1)
  await host.close()
})

it('K11: a journal that fails while an outcome is in doubt leaves it in doubt', async () => {
  const { open, journal } = world()
  const machine = counter()
  let broken = false
  const faulty = faultyJournal(journal)
  const host = await open([machine], { journal: faulty })
  const actor = await host.actor(machine, 'x')
  faulty.plan = () => {
    const code = broken ? 'JOURNAL_FAILED' : 'OUTCOME_UNKNOWN'
    broken = true
    return { when: 'before', code }
  }
  expect((await refused(actor.send({ type: 'INC' }))).code).toBe('OUTCOME_UNKNOWN')
  await host.close()
})

it('K10: what still waits for a journal that hangs is told so when the host is closed', async () => {
  const { open, journal, clock } = world()
  const machine = counter()
  const faulty = faultyJournal(journal)
  const host = await open([machine], { journal: faulty, closeTimeout: 100 })
  const actor = await host.actor(machine, 'x')
  faulty.hold()
  const sent = refused(actor.send({ type: 'INC' }))
  await settle()
  const closing = host.close()
  await settle()
  clock.advance(100)
  await closing
  expect((await sent).code).toBe('OUTCOME_UNKNOWN')
  expect((await refused(actor.waitFor(() => false))).message).toContain('its host was closed')
})

it('K10: work that the closing host refuses fails by nobody: it is taken up again', async () => {
  const { open } = world()
  const box = mailbox()
  let host!: Awaited<ReturnType<typeof open>>
  const machine = durable(
    setup({
      actors: {
        call: fromPromise(async () => {
          await settle(3)
          await host.actor(box, 'new')
        }),
      },
    }).createMachine({
      id: 'calls',
      initial: 'a',
      states: { a: { invoke: { src: 'call', id: 'call', onDone: 'done', onError: 'failed' } }, done: {}, failed: {} },
    }),
  )
  host = await open([machine, box])
  await host.actor(machine, 'x')
  await host.close()
  host = await open([machine, box])
  const actor = await host.actor(machine, 'x')
  await actor.waitFor((s) => s.matches('done'))
  await host.close()
})

it('a machine that is registered again is not taken up again: nothing of the journal is read', async () => {
  const { open, journal } = world()
  let reads = 0
  const counting: Journal = {
    ...kept(journal),
    heads(filter) {
      reads++
      if (reads > 1) throw new Error('the disk is gone')
      return journal.heads(filter)
    },
  }
  const machine = counter()
  const host = await open([machine], { journal: counting })
  await host.register(machine)
  await host.register()
  await settle()
  expect(reads).toBe(1)
  await host.close()
})

it.each([['evt-1'], [7], [['evt-1']], [{ eventId: 'evt-1' }], [{ ID: 'evt-1' }]])(
  'K4: %j given for the options of a send is refused, and not taken for an event without id',
  async (options) => {
    const { open } = world()
    const machine = counter()
    const host = await open([machine])
    const actor = await host.actor(machine, 'c')
    expect(await refused(actor.send({ type: 'INC' }, options as never))).toMatchObject({
      code: 'BAD_OPTION',
      hint: expect.stringContaining('id'),
    })
    for (const none of [undefined, null, {}]) await actor.send({ type: 'INC' }, none as never)
    expect(actor.getSnapshot().context.n).toBe(3)
    await host.close()
  },
)
