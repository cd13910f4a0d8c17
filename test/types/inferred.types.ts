// What is inferred from a machine, on all ways to it. Checked by types.test.ts; never run.
import type { Observable } from 'rxjs'
import { expectTypeOf } from 'vitest'
import { createMachine, type SnapshotFrom, setup } from 'xstate'
import { type DurableActor, deliver, durable, type Host, type Receipt } from '../../src/index.ts'
import {
  createDevice,
  type DeviceDriver,
  type OnceTask,
  type Startup,
  startup,
  task,
} from '../../src/machines/index.ts'
import { given } from '../../src/testing/index.ts'
import { type Receipt as Charged, order, orderMachine } from '../testing/order.ts'

declare const host: Host
type Order = typeof orderMachine
interface Context {
  total: number
  notes: string[]
  receipt: Charged | null
}

// ---- durable ---------------------------------------------------------------------------------------------------------

durable(orderMachine, {
  attributes: (snapshot) => {
    expectTypeOf(snapshot).toEqualTypeOf<SnapshotFrom<Order>>()
    return { total: snapshot.context.total }
  },
})
durable(orderMachine, {
  // @ts-expect-error no such property in the context
  attributes: ({ context }) => ({ sum: context.sum }),
})
durable(orderMachine, {
  // @ts-expect-error no such event
  events: { PYA: undefined },
})
// @ts-expect-error no machine
durable({ id: 'order' })

// any machine fits where many kinds are taken
const plain = durable(createMachine({ id: 'plain' }))
expectTypeOf(host.register).toBeCallableWith(order, plain)
// @ts-expect-error an XState machine, not made durable
host.register(orderMachine)

// ---- host.actor ------------------------------------------------------------------------------------------------------

const actor = await host.actor(order, 'o-1', { input: { total: 12 } })
expectTypeOf(actor).toEqualTypeOf<DurableActor<Order>>()
expectTypeOf(await host.actor(order, 'o-1', { create: false })).toEqualTypeOf<DurableActor<Order>>()
await host.actor(order, 'o-1', { create: 'only', input: { total: 12 } })
declare const create: boolean
await host.actor(order, 'o-1', { create, input: { total: 12 } })
// @ts-expect-error it may have to be created, and the machine needs an input
await host.actor(order, 'o-1')
// @ts-expect-error as before
await host.actor(order, 'o-1', {})
// @ts-expect-error as before
await host.actor(order, 'o-1', { create: 'only' })
// @ts-expect-error as before
await host.actor(order, 'o-1', { create: true })
// @ts-expect-error an input of another type
await host.actor(order, 'o-1', { input: { total: '12' } })
// @ts-expect-error an input with too little
await host.actor(order, 'o-1', { input: {} })

const optional = durable(setup({ types: {} as { input: { a: number } | undefined } }).createMachine({ id: 'optional' }))
await host.actor(optional, 'a')
await host.actor(optional, 'a', { input: { a: 1 } })
await host.actor(optional, 'a', { create: 'only' })
// @ts-expect-error an input of another type
await host.actor(optional, 'a', { input: { a: '1' } })
await host.actor(plain, 'a')
await host.actor(plain, 'a', { create: true })

// ---- events ----------------------------------------------------------------------------------------------------------

expectTypeOf(await actor.send({ type: 'PAY', tip: 1 }, { id: 'e' })).toEqualTypeOf<Receipt>()
await host.send(order, 'o-1', { type: 'NOTE', text: '' })
await deliver(order, 'o-1', { type: 'NOTE', text: '' })
// @ts-expect-error no such event
await actor.send({ type: 'PYA' })
// @ts-expect-error the event says more
await actor.send({ type: 'NOTE' })
// @ts-expect-error no such event
await host.send(order, 'o-1', { type: 'PYA' })
// @ts-expect-error the event says more
await host.send(order, 'o-1', { type: 'NOTE' })
// @ts-expect-error no such event
await deliver(order, 'o-1', { type: 'PYA' })
// @ts-expect-error an event that the machine emits is none that it takes
await actor.send({ type: 'noted', text: '' })

// ---- states ----------------------------------------------------------------------------------------------------------

const snapshot = actor.getSnapshot()
expectTypeOf(snapshot).toEqualTypeOf<SnapshotFrom<Order>>()
expectTypeOf(snapshot.context).toEqualTypeOf<Context>()
expectTypeOf(snapshot.output).toEqualTypeOf<{ paid: number } | undefined>()
expectTypeOf(snapshot.status).toEqualTypeOf<'active' | 'done' | 'error' | 'stopped'>()
if (snapshot.status === 'done') expectTypeOf(snapshot.output).toEqualTypeOf<{ paid: number }>()
snapshot.matches('open')
snapshot.matches({ paying: 'first' })
// @ts-expect-error no such state
snapshot.matches('opened')
// @ts-expect-error no such state within it
snapshot.matches({ paying: 'fifth' })
snapshot.hasTag('waiting')
// @ts-expect-error no such tag
snapshot.hasTag('sleeping')
snapshot.can({ type: 'PAY' })
// @ts-expect-error no such event
snapshot.can({ type: 'PYA' })

expectTypeOf(actor.snapshot$).toEqualTypeOf<Observable<SnapshotFrom<Order>>>()
actor.subscribe((next) => expectTypeOf(next).toEqualTypeOf<SnapshotFrom<Order>>())
actor.subscribe({ next: (next) => expectTypeOf(next.context).toEqualTypeOf<Context>() })
// @ts-expect-error no such property in the context
actor.subscribe(({ context }) => context.sum)

expectTypeOf(await actor.waitFor((state) => state.matches('paid'))).toEqualTypeOf<SnapshotFrom<Order>>()
// @ts-expect-error no such state
await actor.waitFor((state) => state.matches('payed'))

// ---- emitted events --------------------------------------------------------------------------------------------------

actor.on('noted', (event) => expectTypeOf(event.text).toEqualTypeOf<string>())
actor.on('*', (event) => expectTypeOf(event).toEqualTypeOf<{ type: 'noted'; text: string }>())
// @ts-expect-error no such emitted event
actor.on('note', () => {})
// @ts-expect-error it says no such thing
actor.on('noted', (event) => event.note)

// ---- duramen/testing -------------------------------------------------------------------------------------------------

const sentence = given(order, [{ type: 'PAY' }], { input: { total: 12 } })
await sentence.when({ type: 'NOTE', text: '' }).then({ state: { paying: 'first' }, context: { total: 12 } })
// @ts-expect-error no such event
given(order, [{ type: 'PYA' }])
// @ts-expect-error no such event
sentence.when({ type: 'PYA' })
// @ts-expect-error nothing happens
sentence.when()
// @ts-expect-error no such state
await sentence.then({ state: 'payed' })
// @ts-expect-error of another type
await sentence.then({ context: { total: '12' } })
// @ts-expect-error of another type
await sentence.then({ output: { paid: '12' } })
// @ts-expect-error no such emitted event
await sentence.then({ emitted: [{ type: 'note' }] })
// @ts-expect-error no such error
await sentence.when({ type: 'PAY' }).thenRefused('BAD')

// ---- devices ---------------------------------------------------------------------------------------------------------

type Scale = {
  capture: { input: { exposure: number }; output: number }
  led: { input: boolean; output: undefined }
  tare: { input: undefined; output: undefined }
}
declare const scaleDriver: DeviceDriver<Scale> & { readonly more: true }
const scale = await createDevice(host, { driver: scaleDriver })
const { signal } = new AbortController()
expectTypeOf(scale.perform('tare', undefined, { signal })).toEqualTypeOf<Promise<undefined>>()
expectTypeOf(scale.perform('capture', { exposure: 1 })).toEqualTypeOf<Promise<number>>()
expectTypeOf(scale.led(true, { signal })).toEqualTypeOf<Promise<void>>()
// @ts-expect-error the operation takes an input
scale.perform('capture')
// @ts-expect-error the options come after the input
scale.perform('tare', { signal })
// @ts-expect-error no such operation
scale.perform('weigh')
// @ts-expect-error its `capture` takes an input, which the shorthand has no place for
scale.capture()
declare const reader: DeviceDriver<{ capture: { input: undefined; output: Uint8Array } }>
const camera = await createDevice(host, { driver: reader })
expectTypeOf(camera.capture({ signal })).toEqualTypeOf<Promise<Uint8Array>>()
// @ts-expect-error it has no LED
camera.led(true)

// ---- tasks of a start-up ---------------------------------------------------------------------------------------------

interface Database {
  query(text: string): Promise<string[]>
}
const database = task({
  id: 'database',
  run: async (): Promise<Database> => ({ query: async () => [] }),
  ready: (value) => expectTypeOf(value).toEqualTypeOf<Database>(),
  stop: (value) => expectTypeOf(value).toEqualTypeOf<Database>(),
})
const count = task({
  id: 'count',
  needs: [database.id],
  async run({ result }) {
    expectTypeOf(result(database)).toEqualTypeOf<Database>()
    expectTypeOf(result('database')).toEqualTypeOf<unknown>()
    return (await result(database).query('')).length
  },
  stop: (value) => expectTypeOf(value).toEqualTypeOf<number>(),
})
const seeds = task({ id: 'seed', once: true, needs: ['database'], run: ({ result }) => result(database).query('') })
expectTypeOf(seeds).toEqualTypeOf<OnceTask>()
// @ts-expect-error no such thing to be stopped
task({ id: 'a', run: () => 1, stop: (value: string) => value })
// @ts-expect-error what runs once has no value to be stopped
task({ id: 'a', once: true, run: () => 1, stop: () => {} })

expectTypeOf(startup(host, [database, count, seeds, { id: 'plain', run: () => 1 }])).toEqualTypeOf<Promise<Startup>>()
declare const app: Startup
expectTypeOf(app.result(database)).toEqualTypeOf<Database>()
expectTypeOf(app.result(count)).toEqualTypeOf<number>()
expectTypeOf(app.result('count')).toEqualTypeOf<unknown>()
// @ts-expect-error what runs once gives no value
app.result(seeds)
