// Tokens in the hands of those who should not have them, or have them too often.
import { expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { currentEffect, durable } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'

noUnhandledRejections()

/** Asks for an approval at once, and at each AGAIN anew. */
function approving(tokens: string[], id = 'approving') {
  return durable(
    setup({
      types: {} as { events: { type: 'AGAIN' | 'LEAVE' | 'WORK' } },
      actors: {
        work: fromPromise(() => new Promise(() => {})),
        ask: fromPromise(() => currentEffect().handOver((token) => void tokens.push(token))),
      },
    }).createMachine({
      id,
      initial: 'asks',
      states: {
        asks: {
          invoke: { src: 'ask', id: 'ask', onDone: 'approved', onError: 'refused' },
          on: { LEAVE: 'left', AGAIN: { target: 'asks', reenter: true } },
        },
        approved: { on: { AGAIN: 'asks' } },
        refused: { on: { AGAIN: 'asks' } },
        left: { on: { AGAIN: 'asks', WORK: 'works' } },
        works: { invoke: { src: 'work', id: 'work' }, on: { LEAVE: 'left' } },
      },
    }),
  )
}

const forged = (stream: unknown, key: unknown, secret: unknown) =>
  Buffer.from(JSON.stringify([stream, key, secret])).toString('base64url')

it('K5: what is no token of this journal is refused as UNKNOWN_EFFECT and changes nothing, whatever it is', async () => {
  const { open, journal } = world()
  const tokens: string[] = []
  const machine = approving(tokens)
  const host = await open([machine], { maxActive: 1 })
  const actor = await host.actor(machine, 'x')
  await settle()
  const [stream, key, secret] = JSON.parse(Buffer.from(tokens[0]!, 'base64url').toString()) as string[]
  const { seq } = (await journal.head('approving/x'))!
  const bad: unknown[] = [
    undefined,
    null,
    7,
    {},
    '',
    'no token',
    'x'.repeat(1_000_000),
    Buffer.alloc(1_000_000, 7).toString('base64url'),
    Buffer.from('[["deep"]]'.repeat(5)).toString('base64url'),
    forged(stream, key, ''),
    forged(stream, key, `${secret}x`),
    forged(stream, '@1/ask@2', secret),
    forged(stream, '__proto__', 'x'),
    forged('approving/y', key, secret),
    forged('approving/', key, secret),
    forged('approving', key, secret),
    forged('$host', key, secret),
    forged(stream, key, 'y'.repeat(1_000_000)),
    forged('', '', ''),
    forged(stream, undefined, undefined),
  ]
  for (const token of bad) {
    const error = await refused(host.complete(token as string, 1))
    expect(error.code, String(token).slice(0, 50)).toBe('UNKNOWN_EFFECT')
    expect(error.message.length + error.hint!.length).toBeLessThan(500)
    expect((await refused(host.fail(token as string, 1))).code).toBe('UNKNOWN_EFFECT')
  }
  // a machine that this host does not know
  expect((await refused(host.complete(forged('other/x', key, secret), 1))).code).toBe('UNKNOWN_MACHINE')
  expect((await journal.head('approving/x'))!.seq).toBe(seq)
  expect(actor.getSnapshot().value).toBe('asks')
  expect((await host.complete(tokens[0]!, 1)).handled).toBe(true)
  await host.close()
})

it('K4, K5: one token used twice at once while its instance is being loaded counts once, and the second has its receipt', async () => {
  const { open } = world()
  const tokens: string[] = []
  const machine = approving(tokens)
  const first = await open([machine])
  await first.actor(machine, 'x')
  await settle()
  const receipt = await first.complete(tokens[0]!, 1)
  await first.close()
  const host = await open([machine], { maxActive: 1 })
  const answers = await Promise.all([
    host.complete(tokens[0]!, 1),
    host.complete(tokens[0]!, 2),
    host.fail(tokens[0]!, 3),
  ])
  expect(answers).toEqual(Array(3).fill({ ...receipt, duplicate: true }))
  await host.actor(machine, 'y') // there is room for one
  await settle()
  const again = await Promise.all([host.complete(tokens[0]!, 1), host.complete(tokens[0]!, 2)])
  expect(again).toEqual(Array(2).fill({ ...receipt, duplicate: true }))
  await host.close()
})

it('K5: a token is of its own incarnation, of its own instance, and of no use after stop and purge', async () => {
  const { open } = world()
  const tokens: string[] = []
  const machine = approving(tokens)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  await actor.send({ type: 'AGAIN' })
  await settle()
  expect(new Set(tokens).size).toBe(2)
  expect((await refused(host.complete(tokens[0]!))).code).toBe('UNKNOWN_EFFECT')
  const fork = await host.fork(actor, 2, { id: 'fork', ...by })
  await host.resume(machine, 'fork', by)
  await settle()
  expect(new Set(tokens).size).toBe(3)
  await host.complete(tokens[1]!, 'of the first')
  expect([actor.getSnapshot().value, fork.getSnapshot().value]).toEqual(['approved', 'asks'])
  await host.stop(machine, 'fork', by)
  expect((await refused(host.complete(tokens[2]!))).code).toBe('UNKNOWN_EFFECT')
  await host.pause(machine, 'x', by)
  await host.purge(machine, 'x', by)
  for (const token of tokens) expect((await refused(host.complete(token))).code).toBe('UNKNOWN_EFFECT')
  // the same id anew
  const anew = await host.actor(machine, 'x')
  await settle()
  for (const token of tokens.slice(0, 3)) expect((await refused(host.complete(token))).code).toBe('UNKNOWN_EFFECT')
  expect(anew.getSnapshot().value).toBe('asks')
  await host.fail(tokens.at(-1)!, new Error('no'))
  expect(anew.getSnapshot().value).toBe('refused')
  await host.close()
})

it('K8: while its instance is held a token is refused and stays good; what can not be kept is refused', async () => {
  const { open, clock } = world()
  const tokens: string[] = []
  const machine = approving(tokens)
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await settle()
  await host.pause(machine, 'x', by)
  expect(await refused(host.complete(tokens[0]!, 1))).toMatchObject({ code: 'PAUSED', retryable: true })
  await host.park(machine, 'x', by)
  expect((await refused(host.complete(tokens[0]!, 1))).code).toBe('PARKED')
  await host.resume(machine, 'x', by)
  clock.advance(10_000)
  await settle()
  expect(tokens).toHaveLength(1)
  expect((await refused(host.complete(tokens[0]!, () => {}))).code).toBe('NOT_SERIALIZABLE')
  expect((await refused(host.complete(tokens[0]!, Buffer.alloc(5000)))).code).toBe('BINARY_TOO_LARGE')
  expect(actor.getSnapshot().value).toBe('asks')
  const [one, two] = await Promise.all([host.complete(tokens[0]!, 'x'.repeat(1_000_000)), host.complete(tokens[0]!)])
  expect(two).toEqual({ ...one, duplicate: true })
  expect(actor.getSnapshot().value).toBe('approved')
  await host.close()
  expect((await refused(host.complete(tokens[0]!, 1))).code).toBe('CLOSED')
})

it('K5, K9: an instance does not leave memory while what it has just committed is being acted on', async () => {
  const { open, clock } = world()
  const tokens: string[] = []
  const machine = approving(tokens)
  const host = await open([machine], { maxActive: 1, snapshotEvery: 1 })
  const ids = ['a', 'b', 'c', 'd']
  for (const id of ids) await host.actor(machine, id)
  await settle()
  const send = (type: 'AGAIN' | 'LEAVE' | 'WORK') => ids.map((id) => host.send(machine, id, { type }))
  for (let round = 0; round < 3; round++) {
    await Promise.all([...send('LEAVE'), ...send('WORK')])
    await settle()
    // one append: what runs is left, so that nothing does for a moment, and the next begins
    await Promise.all([...send('LEAVE'), ...send('AGAIN')])
    await settle()
    clock.advance(1000)
    await settle()
  }
  await host.close()
  const host2 = await open([machine])
  const good: string[] = []
  for (const token of tokens)
    await host2.complete(token, 1).then(
      () => good.push(token),
      (error) => expect(error.code).toBe('UNKNOWN_EFFECT'),
    )
  expect(good).toHaveLength(4)
  for (const id of ids) expect((await host2.actor(machine, id)).getSnapshot().value).toBe('approved')
  await host2.close()
})
