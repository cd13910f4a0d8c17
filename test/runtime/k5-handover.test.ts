import { expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { crashJournal } from '../support/journals.ts'

noUnhandledRejections()

/** Hands its work over; `given` collects the tokens. */
function handing(given: string[], give: (token: string) => unknown = () => {}) {
  return durable(
    setup({
      types: {} as { context: { out: unknown }; events: { type: 'LEAVE' } },
      actors: {
        work: fromPromise(() =>
          currentEffect().handOver((token) => {
            given.push(token)
            return give(token)
          }),
        ),
      },
    })
      .createMachine({
        id: 'handing',
        initial: 'a',
        context: { out: undefined },
        states: {
          a: {
            invoke: {
              src: 'work',
              id: 'work',
              onDone: { target: 'done', actions: 'keep' as never },
              onError: 'failed',
            },
            on: { LEAVE: 'left' },
          },
          done: { type: 'final' },
          failed: {},
          left: {},
        },
      })
      .provide({ actions: { keep: () => {} } as never }),
  )
}

it('K5: it ends by its token, also after a restart, and is not run again', async () => {
  const given: string[] = []
  const { open, journal } = world()
  const machine = handing(given)
  const host = await open([machine])
  await host.actor(machine, 'x')
  await settle()
  expect(given).toHaveLength(1)
  await host.close() // resolves although it has not ended
  const host2 = await open([machine])
  await settle()
  expect(given).toHaveLength(1)
  const receipt = await host2.complete(given[0]!, { paid: 3 })
  expect(receipt).toMatchObject({ duplicate: false, handled: true })
  expect((await host2.actor(machine, 'x')).getSnapshot().value).toBe('done')
  expect(await host2.complete(given[0]!, { paid: 3 })).toEqual({ ...receipt, duplicate: true })
  expect(await host2.fail(given[0]!, new Error('late'))).toEqual({ ...receipt, duplicate: true })
  const secret = JSON.parse(Buffer.from(given[0]!, 'base64url').toString())[2] as string
  expect((await texts(journal, 'handing/x')).filter((text) => text.includes(secret))).toHaveLength(1)
  for await (const entry of (await host2.actor(machine, 'x')).history())
    expect(JSON.stringify(entry)).not.toContain(secret)
  await host2.close()
})

it('K5: fail goes to onError; twice at once counts once', async () => {
  const given: string[] = []
  const { open } = world()
  const machine = handing(given)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  const answers = await Promise.all([host.fail(given[0]!, new Error('no')), host.complete(given[0]!, 1)])
  expect(answers.map((a) => a.duplicate)).toEqual([false, true])
  expect(actor.getSnapshot().value).toBe('failed')
  await host.close()
})

it('K5: before the function has returned, complete ends the attempt that runs', async () => {
  const given: string[] = []
  const gate = deferred()
  const { open } = world()
  const machine = handing(given, () => gate.promise)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  await host.complete(given[0]!, 1)
  expect(actor.getSnapshot().value).toBe('done')
  gate.resolve(0)
  await settle()
  expect(await host.deadLetters()).toEqual([])
  await host.close()
})

it('K5: a token of a state that was left, a wrong one, and one of nobody are refused', async () => {
  const given: string[] = []
  const { open } = world()
  const machine = handing(given)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  const [stream, key] = JSON.parse(Buffer.from(given[0]!, 'base64url').toString())
  const token = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url')
  for (const wrong of ['', 'abc', token(stream, key, 'other'), token('handing/none', key, 'x'), token('x', key, 'x')])
    expect((await refused(host.complete(wrong, 1))).code, wrong).toBe('UNKNOWN_EFFECT')
  expect((await refused(host.complete(token('other/x', key, 'x'), 1))).code).toBe('UNKNOWN_MACHINE')
  expect((await refused(host.complete(given[0]!, () => {}))).code).toBe('NOT_SERIALIZABLE')
  await actor.send({ type: 'LEAVE' })
  expect((await refused(host.complete(given[0]!, 1))).code).toBe('UNKNOWN_EFFECT')
  await host.close()
})

it('K9: an instance that waits for the outside leaves memory, and complete wakes it', async () => {
  const given: string[] = []
  const { open } = world()
  const machine = handing(given)
  const host = await open([machine], { maxActive: 1 })
  const held = await host.actor(machine, 'i-0')
  for (let i = 1; i < 20; i++) await host.actor(machine, `i-${i}`)
  await settle()
  expect(given).toHaveLength(20)
  for (const token of given) {
    await host.complete(token, 1)
    expect((await host.complete(token, 1)).duplicate).toBe(true)
  }
  expect(held.getSnapshot().value).toBe('done')
  expect(await host.list({ state: 'done' })).toHaveLength(20)
  await host.close()
})

it('K5: crash before and after every append: every attempt has the same token, and completing once ends it', async () => {
  for (const when of ['before', 'after'] as const)
    for (let at = 1, crashed = true; crashed; at++) {
      const given: string[] = []
      const { journal, open } = world()
      const machine = handing(given)
      const dying = crashJournal(journal, at, when)
      void open([machine], { journal: dying }).then((h) => h.actor(machine, 'x').catch(() => {}))
      await settle(10)
      crashed = dying.crashed
      const host = await open([machine])
      const actor = await host.actor(machine, 'x')
      await settle(10)
      expect(new Set(given).size, `${when} ${at}`).toBe(1)
      await host.complete(given[0]!, 1)
      expect(actor.getSnapshot().value).toBe('done')
      await host.close()
    }
})

it('under plain createActor there is no one to hand over to; a heartbeat does nothing', async () => {
  currentEffect().heartbeat({ at: 1 })
  expect(currentEffect().details).toBeUndefined()
  expect((await refused(currentEffect().handOver(() => {}))).code).toBe('NO_HOST')
})
