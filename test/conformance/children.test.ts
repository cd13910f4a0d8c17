// The children of a durable instance are actors as any: watched, waited for and spoken to from outside, also after a restart.
import { expect, it } from 'vitest'
import { assign, emit, fromPromise, setup, toPromise, waitFor } from 'xstate'
import { type DurableActor, durable } from '../../src/index.ts'
import type { Loose } from '../support/conformance.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, settle, world } from '../support/host.ts'

noUnhandledRejections()

function family() {
  const jobs: ReturnType<typeof deferred>[] = []
  const types = {} as Loose
  const child = setup({
    types,
    actors: {
      work: fromPromise(() => {
        const job = deferred()
        jobs.push(job)
        return job.promise
      }),
    },
  }).createMachine({
    context: { n: 0 },
    initial: 'idle',
    on: {
      INC: {
        actions: [
          assign({ n: ({ context }) => context.n + 1 }),
          emit(({ context }) => ({ type: 'COUNTED', n: context.n })),
        ],
      },
    },
    states: {
      idle: { on: { WORK: 'working' } },
      working: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: { target: 'done', actions: assign({ got: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
    output: ({ context }: any) => context.got,
  })
  const machine = durable(
    setup({ types, actors: { child } }).createMachine({
      id: 'family',
      context: {},
      invoke: { src: 'child', id: 'child', onDone: { actions: assign({ out: ({ event }) => event.output }) } },
    }),
  )
  return { machine, jobs }
}

const childOf = (actor: DurableActor<any>) => actor.getSnapshot().children.child

it('waitFor and toPromise work on a child, before and after a restart', async () => {
  const { machine, jobs } = family()
  const { clock, open } = world()
  const host = await open([machine], { closeTimeout: 0 })
  const child = childOf(await host.actor(machine, 'i'))
  const working = waitFor(child, (s: any) => s.matches('working'))
  child.send({ type: 'WORK' })
  await working
  const closed = host.close()
  await settle()
  clock.advance(0) // the job does not hear that it should end
  await closed

  const host2 = await open([machine])
  const actor = await host2.actor(machine, 'i')
  const again = childOf(actor)
  const output = toPromise(again)
  await settle()
  jobs.at(-1)!.resolve('gold')
  expect(await output).toBe('gold')
  expect(await toPromise(again)).toBe('gold') // subscribed to when it is over
  expect(actor.getSnapshot().context.out).toBe('gold')
  await host2.close()
})

it('K1: who watches a child sees its committed states, once each, and what it emits', async () => {
  const { machine } = family()
  const { open } = world()
  const host = await open([machine])
  const child = childOf(await host.actor(machine, 'i'))
  const seen: unknown[] = []
  child.subscribe((s: any) => seen.push(s.context.n))
  child.on('COUNTED', (event: any) => seen.push(`emitted ${event.n}`))
  child.select((s: any) => s.context.n > 1).subscribe((many: boolean) => seen.push(many))
  child.send({ type: 'INC' })
  child.send({ type: 'INC' })
  await settle()
  expect(seen).toEqual([1, 'emitted 1', 2, true, 'emitted 2'])
  await host.close()
})
