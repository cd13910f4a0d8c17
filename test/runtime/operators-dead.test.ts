import { describe, expect, it } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { by, noUnhandledRejections, refused, settle, world } from '../support/host.ts'
import { thisEffect } from '../support/machines.ts'

noUnhandledRejections()

/** A promise without onError: what fails is a dead letter. */
function scene() {
  const ran: string[] = []
  const world = { bad: true }
  const machine = durable(
    setup({
      types: {} as { context: { got: unknown } },
      actors: {
        work: fromPromise(async () => {
          ran.push(thisEffect())
          if (world.bad) throw new Error('boom')
          return 'done'
        }),
      },
    }).createMachine({
      id: 'm',
      context: { got: undefined },
      initial: 'a',
      states: {
        a: {
          invoke: {
            src: 'work',
            id: 'work',
            onDone: { target: 'b', actions: assign({ got: ({ event }) => event.output }) },
          },
        },
        b: {},
      },
    }),
  )
  return { ran, world, machine }
}

describe.each([false, true])('a dead letter of a promise (after a restart: %s)', (restart) => {
  const begin = async () => {
    const { open } = world()
    const s = scene()
    let host = await open([s.machine])
    await host.actor(s.machine, 'x')
    await settle()
    expect(await host.list()).toMatchObject([{ status: 'parked', state: 'a' }])
    if (restart) {
      await host.close()
      host = await open([s.machine])
      await settle()
      expect(await host.list()).toMatchObject([{ status: 'parked', state: 'a' }])
    }
    expect(s.ran).toEqual(['m/x@1/work@1#1'])
    return { ...s, host, open }
  }
  const end = async ({ host, machine, open, ran }: Awaited<ReturnType<typeof begin>>, got: unknown, runs: number) => {
    expect((await host.actor(machine, 'x')).getSnapshot()).toMatchObject({ value: 'b', context: { got } })
    await host.close()
    const host2 = await open([machine])
    await settle()
    expect(await host2.list()).toMatchObject([{ status: 'active', state: 'b' }])
    expect((await refused(host2.retry(machine, 'x', '@1/work@1', by))).code).toBe('UNKNOWN_EFFECT')
    expect(ran).toHaveLength(runs)
    await host2.close()
  }

  it('resume tries it again', async () => {
    const s = await begin()
    await s.host.resume(s.machine, 'x', by)
    await settle()
    expect(await s.host.list()).toMatchObject([{ status: 'parked' }])
    s.world.bad = false
    await s.host.resume(s.machine, 'x', by)
    await settle()
    await end(s, 'done', 3)
  })

  it('retry tries it again at once; its result waits for resume', async () => {
    const s = await begin()
    s.world.bad = false
    await s.host.retry(s.machine, 'x', 'm/x@1/work@1', by)
    await settle()
    expect(s.ran).toHaveLength(2)
    expect(await s.host.list()).toMatchObject([{ status: 'parked', state: 'a' }])
    await s.host.resume(s.machine, 'x', by)
    await settle()
    await end(s, 'done', 2)
  })

  it('skip resolves it', async () => {
    const s = await begin()
    await s.host.skip(s.machine, 'x', '@1/work@1', { ...by, output: 'by hand' })
    await s.host.resume(s.machine, 'x', by)
    await settle()
    await end(s, 'by hand', 1)
  })

  it('cancel is refused, as the machine has no onError, and it stays as it was; stop gives it up', async () => {
    const s = await begin()
    expect((await refused(s.host.cancel(s.machine, 'x', '@1/work@1', by))).code).toBe('MACHINE_THREW')
    expect(await s.host.list()).toMatchObject([{ status: 'parked', state: 'a' }])
    await s.host.stop(s.machine, 'x', by)
    await settle()
    expect(await s.host.list()).toMatchObject([{ status: 'stopped' }])
    await s.host.close()
    const host2 = await s.open([s.machine])
    await settle()
    expect(await host2.list()).toMatchObject([{ status: 'stopped' }])
    expect(s.ran).toHaveLength(1)
    await host2.close()
  })
})
