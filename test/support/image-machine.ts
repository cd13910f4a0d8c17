// A machine whose actors answer when the test says so: under plain createActor, and under the kernel.

import { expect, onTestFinished } from 'vitest'
import { type AnyStateMachine, createActor, fromPromise, SimulatedClock, type StateValue } from 'xstate'
import { durable } from '../../src/index.ts'
import { frozen } from '../../src/testing/index.ts'
import { type Deferred, deferred } from './deferred.ts'
import { settle, world } from './host.ts'

export interface Subject<Context> {
  state(): StateValue
  context(): Context
  /** Messages so far, without what was said at birth. */
  readonly said: { type: string; message: string; awaiting_upload?: boolean }[]
  /** What actors were asked so far: `[src, input]`. */
  readonly asked: [src: string, input: any][]
  send(event: any): Promise<void>
  /** Lets the oldest call of that actor that waits succeed; an Error makes it fail. */
  answer(src: string, value: unknown): Promise<void>
  /** Whether a call of that actor waits for its answer. */
  waits(src: string): boolean
  pass(ms: number): Promise<void>
}

export type Runs = <T extends AnyStateMachine>(machine: T, actors: string[], input: any) => Promise<Subject<any>>

function script(names: string[]) {
  const asked: [string, any][] = []
  const open = new Map<string, Deferred[]>(names.map((name) => [name, []]))
  const actors = Object.fromEntries(
    names.map((name) => [
      name,
      fromPromise(({ input, signal }) => {
        const call = deferred()
        const calls = open.get(name)!
        asked.push([name, input])
        calls.push(call)
        signal.addEventListener('abort', () => {
          if (calls.includes(call)) calls.splice(calls.indexOf(call), 1)
          call.reject(signal.reason)
        })
        return call.promise
      }),
    ]),
  )
  const answer = async (name: string, value: unknown) => {
    const call = open.get(name)!.shift()
    expect(call, `nobody waits for ${name}`).toBeDefined()
    if (value instanceof Error) call!.reject(value)
    else call!.resolve(value)
    await settle()
  }
  return { asked, actors, answer, waits: (name: string) => open.get(name)!.length > 0 }
}

/** As any user of XState would run it. */
export const plain: Runs = async (machine, names, input) => {
  const { actors, ...scripted } = script(names)
  const clock = new SimulatedClock()
  const actor = createActor(machine.provide({ actors } as never), { input, clock } as never)
  const said: any[] = []
  actor.start()
  actor.on('*', (event) => void said.push(event))
  onTestFinished(() => void actor.stop())
  return {
    ...scripted,
    said,
    state: () => (actor.getSnapshot() as any).value,
    context: () => (actor.getSnapshot() as any).context,
    send: async (event) => {
      actor.send(event)
      await settle()
    },
    pass: async (ms) => {
      clock.increment(ms)
      await settle()
    },
  }
}

/** Under the kernel; at the end of the test what its journal says is compared with what was seen (K3). Contexts are frozen. */
export const kernel: Runs = async (machine, names, input) => {
  const { actors, ...scripted } = script(names)
  const place = world()
  const machines = [frozen(durable(machine.provide({ actors } as never), { id: 'tested', version: 1 }))]
  const host = await place.open(machines)
  const actor = await host.actor(machines[0]!, 'one', { input })
  const said: any[] = []
  actor.on('*' as never, (event: unknown) => void said.push(event))
  await settle()
  onTestFinished(async () => {
    const seen = actor.getSnapshot() as any
    await host.close()
    const again = durable(machine.provide({ actors: script(names).actors } as never), { id: 'tested', version: 1 })
    const next = await place.open([again])
    const now = (await next.actor(again, 'one', { create: false })).getSnapshot() as any
    expect({ value: now.value, context: now.context }).toEqual({ value: seen.value, context: seen.context })
    await next.close()
  })
  return {
    ...scripted,
    said,
    state: () => (actor.getSnapshot() as any).value,
    context: () => (actor.getSnapshot() as any).context,
    send: async (event) => {
      await actor.send(event as never)
      await settle()
    },
    pass: async (ms) => {
      place.clock.advance(ms)
      await settle()
    },
  }
}
