import { Subject } from 'rxjs'
import { expect, it } from 'vitest'
import { type AnyEventObject, assign, fromCallback, fromObservable, fromPromise, setup } from 'xstate'
import { durable, isDuramenError } from '../../src/index.ts'
import { noUnhandledRejections, refused, settle, texts, world } from '../support/host.ts'
import { counter } from '../support/machines.ts'

noUnhandledRejections()

const secret = Buffer.alloc(5000, 'secret')
const found = (lines: string[]) => lines.some((line) => line.includes(secret.toString('base64').slice(40, 80)))

it('K12: binary over the limit is refused in an event and in an input', async () => {
  const { journal, open } = world()
  const machine = counter()
  const host = await open([machine])
  const actor = await host.actor(machine, 'c')
  expect(await refused(actor.send({ type: 'SEE', v: { raw: secret } }))).toMatchObject({
    code: 'BINARY_TOO_LARGE',
    where: { machine: 'counter', instance: 'c', event: 'SEE', path: 'event.v.raw' },
  })
  expect(await refused(host.actor(machine, 'd', { input: { raw: secret } as never }))).toMatchObject({
    code: 'BINARY_TOO_LARGE',
    where: { instance: 'd', path: 'input.raw' },
  })
  expect(found([...(await texts(journal, 'counter/c')), ...(await texts(journal, 'counter/d'))])).toBe(false)
  await host.close()
})

it('K12: the limit is an option', async () => {
  const { open } = world()
  const machine = counter()
  const host = await open([machine], { maxBinary: 100_000 })
  const actor = await host.actor(machine, 'c')
  await actor.send({ type: 'SEE', v: new Uint8Array(5000) })
  expect(actor.getSnapshot().context.seen).toEqual([new Uint8Array(5000)])
  await host.close()
})

it('K12: as the result of a promise or the value of an observable it becomes an error to the machine', async () => {
  const { journal, open } = world()
  const values = new Subject<unknown>()
  const machine = durable(
    setup({
      types: {} as { context: { errors: unknown[] }; events: AnyEventObject },
      actors: { work: fromPromise(async () => ({ image: secret })), values: fromObservable(() => values) },
      actions: { keep: assign({ errors: ({ context, event }) => [...context.errors, event.error] }) },
    }).createMachine({
      id: 'takes',
      context: { errors: [] },
      initial: 'a',
      states: {
        a: { invoke: { src: 'work', id: 'work', onDone: 'never', onError: { target: 'b', actions: 'keep' } } },
        b: { invoke: { src: 'values', id: 'values', onError: { target: 'c', actions: 'keep' } } },
        c: {},
        never: {},
      },
    }),
  )
  const host = await open([machine])
  const actor = await host.actor(machine, 'x')
  await actor.waitFor((s) => s.matches('b'))
  values.next({ frame: secret })
  await actor.waitFor((s) => s.matches('c'))
  const { errors } = actor.getSnapshot().context
  expect(errors.map((e) => isDuramenError(e) && e.code)).toEqual(['BINARY_TOO_LARGE', 'BINARY_TOO_LARGE'])
  expect(found(await texts(journal, 'takes/x'))).toBe(false)
  await host.close()
})

it('K12: a callback that sends it back is told so where it stands', async () => {
  const { journal, open } = world()
  let refusal: unknown
  const machine = durable(
    setup({
      actors: {
        cb: fromCallback(({ sendBack }) => {
          try {
            sendBack({ type: 'FRAME', raw: secret })
          } catch (error) {
            refusal = error
          }
        }),
      },
    }).createMachine({ id: 'camera', invoke: { src: 'cb', id: 'cb' } }),
  )
  const host = await open([machine])
  await host.actor(machine, 'x')
  await settle()
  expect(refusal).toMatchObject({ code: 'BINARY_TOO_LARGE', where: { path: 'event.raw' } })
  expect(found(await texts(journal, 'camera/x'))).toBe(false)
  await host.close()
})
