import { Observable } from 'rxjs'
import { expect, it } from 'vitest'
import { fromCallback, fromObservable, fromPromise, sendTo, setup } from 'xstate'
import { currentEffect, deliver, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, isPending, noUnhandledRejections, recording, refused, settle, texts, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { acting, counter } from '../support/machines.ts'

noUnhandledRejections()

it('K10: close can be called twice, and at once', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine])
  await host.actor(machine, 'c')
  await Promise.all([host.close(), host.close()])
  await host.close()
})

it('K10: what was accepted becomes durable before close is over', async () => {
  const { journal, open } = world()
  const faulty = faultyJournal(journal)
  const machine = counter()
  const host = await open([machine], { journal: faulty, pipeline: 3 })
  const actor = await host.actor(machine, 'c')
  faulty.hold()
  const burst = Array.from({ length: 10 }, () => actor.send({ type: 'INC' }))
  const closed = host.close()
  expect(await isPending(closed)).toBe(true)
  faulty.release()
  for (const { duplicate } of await Promise.all(burst)) expect(duplicate).toBe(false)
  await closed
  expect(await texts(journal, 'counter/c')).toHaveLength(11)
})

it('K10: a closed host takes nothing, and says so', async () => {
  const { journal, open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  await host.close()
  const before = await texts(journal, 'counter/c')
  for (const promise of [
    actor.send({ type: 'INC' }),
    host.send(machine, 'c', { type: 'INC' }),
    host.actor(machine, 'c'),
    host.actor(machine, 'new'),
    host.register(counter()),
    host.resume(machine, 'c', by),
  ])
    expect((await refused(promise)).code).toBe('CLOSED')
  expect(await texts(journal, 'counter/c')).toEqual(before)
  expect(actor.getSnapshot().context.n).toBe(0)
})

it('K10: effects are told to stop, callbacks and observables are disposed of, subscribers completed', async () => {
  const told: string[] = []
  const { open } = world()
  const machine = durable(
    setup({
      actors: {
        work: fromPromise(
          ({ signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                told.push('promise')
                reject(new Error('aborted'))
              })
            }),
        ),
        cb: fromCallback(() => () => void told.push('callback')),
        values: fromObservable(() => new Observable(() => () => void told.push('observable'))),
      },
    }).createMachine({
      id: 'busy',
      invoke: [
        { src: 'work', id: 'work', onError: '.failed' },
        { src: 'cb', id: 'cb' },
        { src: 'values', id: 'values' },
      ],
      initial: 'a',
      states: { a: {}, failed: {} },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  let completed = false
  actor.subscribe({ complete: () => void (completed = true) })
  await host.close()
  expect(told.sort()).toEqual(['callback', 'observable', 'promise'])
  expect(completed).toBe(true)
  const host2 = await open([machine]) // that it was aborted is no result
  expect((await host2.actor(machine, 'x')).getSnapshot().value).toBe('a')
  await host2.close()
})

it('K10: a result that comes while closing is recorded', async () => {
  const gate = deferred()
  const { open } = world()
  const machine = durable(
    setup({ actors: { work: fromPromise(() => gate.promise) } }).createMachine({
      id: 'works',
      initial: 'a',
      states: { a: { invoke: { src: 'work', id: 'work', onDone: 'b' } }, b: {} },
    }),
  )
  const host = await open([machine])
  await host.actor(machine, 'x')
  await settle()
  const closed = host.close()
  await settle()
  gate.resolve(1)
  await closed
  const host2 = await open([machine])
  expect((await host2.actor(machine, 'x')).getSnapshot().value).toBe('b')
  await host2.close()
})

it('K10: an effect that ignores its signal holds close up for closeTimeout and no longer', async () => {
  const { clock, open } = world()
  const logger = recording()
  const machine = durable(
    setup({ actors: { deaf: fromPromise(() => new Promise(() => {})) } }).createMachine({
      id: 'deaf',
      invoke: { src: 'deaf', id: 'deaf' },
    }),
  )
  const host = await open([machine], { closeTimeout: '3s', logger })
  await host.actor(machine, 'x')
  await settle()
  const closed = host.close()
  await settle()
  clock.advance(2999)
  expect(await isPending(closed)).toBe(true)
  clock.advance(1)
  await closed
  expect(logger.lines.join()).toContain('3000 ms, then gone on: effects that were told to stop still ran')
  expect(clock.waiting).toBe(0)
})

it('K10: completions of actions are recorded by close, so that the next host does nothing again', async () => {
  const gate = deferred()
  let ran = 0
  const { open } = world()
  const machine = acting((event) => {
    ran++
    return event.slow ? gate.promise : undefined
  })
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  await actor.send({ type: 'GO', slow: true })
  const closed = host.close()
  expect(await isPending(closed)).toBe(true)
  gate.resolve(1)
  await closed
  const host2 = await open([machine])
  await settle()
  expect(ran).toBe(2)
  await host2.close()
})

it('K10: timers do not fire after close, and nothing keeps the process awake', async () => {
  const { clock, open } = world()
  const machine = durable(
    setup({}).createMachine({ id: 'late', initial: 'a', states: { a: { after: { 1000: 'b' } }, b: {} } }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await host.close()
  expect(clock.waiting).toBe(0)
  clock.advance(5000)
  await settle()
  expect(actor.getSnapshot().value).toBe('a')
})

it('K10: a host with a parked instance closes', async () => {
  const { open } = world()
  const machine = acting(() => {
    throw new Error('boom')
  })
  const host = await open([machine])
  await (await host.actor(machine, 'x')).send({ type: 'GO' })
  await settle()
  await host.close()
})

it('K10: a callback that never rests does not hold close up: it ends first', async () => {
  const { open, journal } = world()
  const logger = recording()
  let stopped = 0
  const machine = durable(
    setup({
      actors: {
        echo: fromCallback(({ sendBack, receive }) => {
          receive(() => sendBack({ type: 'PONG' }))
          return () => {
            stopped++
            sendBack({ type: 'PONG' })
          }
        }),
      },
    }).createMachine({
      id: 'busy',
      invoke: { src: 'echo', id: 'echo' },
      on: { PONG: { actions: sendTo('echo', { type: 'PING' }) }, GO: { actions: sendTo('echo', { type: 'PING' }) } },
    }),
  )
  const host = await open([machine], { logger })
  const actor = await host.actor(machine, 'x')
  await actor.send({ type: 'GO' })
  const closed = host.close()
  expect(stopped).toBe(1)
  const before = (await texts(journal, 'busy/x')).length
  expect(await isPending(closed)).toBe(false)
  expect((await texts(journal, 'busy/x')).length - before).toBeLessThan(5)
  expect(logger.lines.join()).not.toContain('close()')
})

it('K10: an instance that comes into memory while the host closes begins nothing', async () => {
  const { open } = world()
  let begun = 0
  const sleeper = durable(
    setup({
      actors: { work: fromPromise(async () => void begun++), last: fromCallback(() => void begun++) },
    }).createMachine({
      id: 'sleeper',
      initial: 'asleep',
      states: {
        asleep: { on: { WAKE: 'up' } },
        up: {
          invoke: [
            { src: 'work', id: 'work' },
            { src: 'last', id: 'last' },
          ],
        },
      },
    }),
  )
  const waker = acting(async () => {
    const { signal } = currentEffect()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await deliver(sleeper, 's', { type: 'WAKE' })
  })
  const host = await open([sleeper])
  await host.actor(sleeper, 's')
  await host.close()
  const host2 = await open([sleeper, waker])
  await (await host2.actor(waker, 'w')).send({ type: 'GO' })
  await settle()
  await host2.close()
  expect(begun).toBe(0)
  const host3 = await open([sleeper, waker])
  await settle()
  expect((await host3.actor(sleeper, 's')).getSnapshot().value).toBe('up')
  expect(begun).toBe(2)
  await host3.close()
})
