import { throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { type AnyEventObject, assign, fromObservable, fromPromise, sendTo, setup } from 'xstate'
import { durable, type Host } from '../../src/index.ts'
import { by, engineOf, noUnhandledRejections, recording, refused, settle, world } from '../support/host.ts'
import { acting } from '../support/machines.ts'

noUnhandledRejections()

const boom = () => {
  throw new Error('boom')
}

async function parkedOne(host: Host) {
  await settle()
  const [listed] = await host.list({ status: 'parked' })
  return listed
}

describe('K8: where nobody waits for the answer the instance is parked, and goes on when it is resumed', () => {
  it('a timer whose transition throws', async () => {
    let bad = true
    const { clock, open } = world()
    const machine = durable(
      setup({ types: {} as { context: { n: number }; events: { type: 'INC' } } }).createMachine({
        id: 'late',
        context: { n: 0 },
        initial: 'a',
        states: {
          a: { after: { 1000: { target: 'b', actions: assign(() => (bad ? boom() : { n: 5 })) } } },
          b: {},
        },
        on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      }),
    )
    const logger = recording()
    const host = await open([machine], { logger })
    const actor = await host.actor(machine, 'x')
    clock.advance(1000)
    expect(await parkedOne(host)).toMatchObject({ id: 'x', state: 'a', problem: { code: 'MACHINE_THREW' } })
    expect(logger.lines.join()).toContain('late/x is parked')
    expect(actor.getSnapshot()).toMatchObject({ value: 'a', status: 'active' })
    expect(await refused(actor.send({ type: 'INC' }))).toMatchObject({
      code: 'PARKED',
      where: { machine: 'late', instance: 'x' },
    })
    await host.resume(machine, 'x', by)
    expect(await parkedOne(host)).toBeDefined() // the cause is still there
    clock.advance(1)
    await settle()
    await host.resume(machine, 'x', by)
    clock.advance(1)
    await settle()
    expect(engineOf(host).instances.live.get('late/x')!.queued).toBe(1) // the timer, and no copy of it
    bad = false
    await host.resume(machine, 'x', by)
    expect(await parkedOne(host)).toBeUndefined()
    expect(actor.getSnapshot()).toMatchObject({ value: 'b', context: { n: 5 } })
    await actor.send({ type: 'INC' })
    expect(actor.getSnapshot().context.n).toBe(6)
    await host.close()
  })

  it.each(['throws', 'rejects'] as const)('an action that %s', async (how) => {
    let bad = true
    let ran = 0
    const { open } = world()
    const machine = acting(() => {
      ran++
      if (bad) return how === 'throws' ? boom() : Promise.reject(new Error('boom'))
      return undefined
    })
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const receipt = await actor.send({ type: 'GO' })
    expect(receipt.seq).toBe(2) // the transition itself is durable
    expect(await parkedOne(host)).toMatchObject({ seq: 3, problem: { code: 'MACHINE_THREW', where: { event: 'act' } } })
    bad = false
    await host.resume(machine, 'x', by)
    expect(await parkedOne(host)).toBeUndefined()
    expect(ran).toBe(2)
    await actor.send({ type: 'INC' })
    await host.close()
    const host2 = await open([machine])
    await settle()
    expect(ran).toBe(2)
    await host2.close()
  })

  it('an invoked promise that rejects, and an observable that fails, without onError', async () => {
    let fail = true
    const { open } = world()
    const machine = durable(
      setup({
        actors: {
          work: fromPromise(async () => (fail ? boom() : 7)),
          values: fromObservable(() => throwError(() => new Error('boom'))),
        },
      }).createMachine({
        id: 'works',
        initial: 'a',
        states: {
          a: { invoke: { src: 'work', id: 'work', onDone: 'b' } },
          b: { on: { NEXT: 'c' } },
          c: { invoke: { src: 'values', id: 'values' } },
        },
      }),
    )
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    expect(await parkedOne(host)).toMatchObject({ state: 'a', problem: { code: 'MACHINE_THREW' } })
    expect(actor.getSnapshot().status).toBe('active')
    await host.close()
    fail = false
    const host2 = await open([machine])
    expect(await parkedOne(host2)).toMatchObject({ state: 'a', problem: { code: 'MACHINE_THREW' } })
    await host2.resume(machine, 'x', by) // a dead letter is not taken up again by itself
    const again = await host2.actor(machine, 'x')
    await again.waitFor((s) => s.matches('b'))
    await again.send({ type: 'NEXT' })
    expect(await parkedOne(host2)).toMatchObject({ state: 'c' })
    await host2.close()
  })

  it('events that wait are refused, the others of the host go on', async () => {
    const { open } = world()
    const machine = acting((event) => event.bad && boom())
    const host = await open([machine])
    const [x, y] = [await host.actor(machine, 'x'), await host.actor(machine, 'y')]
    await x.send({ type: 'GO', bad: true })
    expect((await refused(x.send({ type: 'INC' }))).code).toBe('PARKED')
    await y.send({ type: 'INC' })
    expect(y.getSnapshot().context.n).toBe(1)
    await host.close()
  })
})

describe('K8: a child that throws', () => {
  const family = (onError: boolean) => {
    const kid = setup({ types: {} as { events: AnyEventObject }, guards: { boom } }).createMachine({
      id: 'kid',
      on: { B: { guard: 'boom' } },
    })
    return durable(
      setup({ types: {} as { context: { n: number }; events: AnyEventObject }, actors: { kid } }).createMachine({
        id: 'family',
        context: { n: 0 },
        initial: 'a',
        states: {
          a: { invoke: { src: 'kid', id: 'kid', ...(onError && { onError: 'e' }) } },
          e: {},
        },
        on: {
          B: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendTo('kid', { type: 'B' })] },
          INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      }),
    )
  }

  it('follows the onError of its parent', async () => {
    const { open } = world()
    const machine = family(true)
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    await actor.send({ type: 'B' })
    expect(actor.getSnapshot()).toMatchObject({ value: 'e', context: { n: 1 } })
    await host.close()
    const host2 = await open([machine])
    expect((await host2.actor(machine, 'x')).getSnapshot()).toMatchObject({ value: 'e', context: { n: 1 } })
    await host2.close()
  })

  it('refuses the event where nobody handles it, and all of the family lives on', async () => {
    const { open } = world()
    const machine = family(false)
    const host = await open([machine])
    const actor = await host.actor(machine, 'x')
    const answers = await Promise.allSettled(['INC', 'B', 'INC', 'B'].map((type) => actor.send({ type })))
    expect(answers.map((a) => a.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(await refused(actor.send({ type: 'B' }))).toMatchObject({
      code: 'MACHINE_THREW',
      where: { event: 'B', path: '@1/kid@1' },
      cause: { message: expect.stringContaining('boom') },
    })
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { n: 2 } })
    expect(actor.getSnapshot().children.kid?.getSnapshot().status).toBe('active')
    await host.close()
  })
})
