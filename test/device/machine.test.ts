// The device machine by rule, without a device: given, when, then.
import { describe, expect, test } from 'vitest'
import { createActor, fromCallback, fromPromise } from 'xstate'
import { DuramenError, type DuramenErrorCode, durable } from '../../src/index.ts'
import type { Connected, Done } from '../../src/machines/device/types.ts'
import { deviceMachine } from '../../src/machines/index.ts'
import { given, after as later, rejected, resolved, sent } from '../../src/testing/index.ts'

const device = durable(deviceMachine, { id: 'device' })
const settings = {
  maxOperationsBeforeRefresh: 3,
  deviceHealthThreshold: 300_000,
  attempts: 5,
  rungTries: 2,
  rungBackoff: { first: 250, max: 5000 },
  unavailableBackoff: { first: 30_000, max: 300_000 },
}
const input = { input: { name: 'reader', settings } }
const identity = { name: 'reader', serial: 'A', node: '/dev/bus/usb/001/002' }
const moved = { ...identity, node: '/dev/bus/usb/001/003' }
const access = { state: 'denied', node: '/dev/x', owner: 'root:root', mode: '0000', rule: 'R' } as const
const done = { op: 'capture', ms: 1, size: 1, sha256: 'x' }

const open = { type: 'OPEN', settings } as const
const connected = resolved('connect', { state: 'connected', identity })
const online = [open, connected]
const ask = (id: string, repeatable = true) => ({ type: 'REQUEST', id, op: 'capture', repeatable }) as const
const asked = (id: string, tries = 0, repeatable = true) => ({ id, op: 'capture', repeatable, tries })
const fails = (src: string, code: DuramenErrorCode = 'USB_STALL') => rejected(src, new DuramenError(code, 'no'))
const performed = resolved('perform', done)

describe('D1', () => {
  test('operations are performed one at a time, in the order in which they were asked for', async () => {
    await given(device, [...online, ask('a')], input)
      .when(ask('b'), ask('c'))
      .then({ state: { online: 'operating' }, effects: [], context: { queue: [asked('a'), asked('b'), asked('c')] } })
    await given(device, [...online, ask('a'), ask('b')], input)
      .when(performed)
      .then({ effects: [{ src: 'perform', input: { name: 'reader', request: asked('b') } } as never] })
  })

  test('what waits and is taken back is dropped; what is under way is aborted, and the device probed', async () => {
    const history = [...online, ask('a'), ask('b')]
    await given(device, history, input)
      .when({ type: 'CANCEL', ids: ['b'] })
      .then({ state: { online: 'operating' }, effects: [], context: { queue: [asked('a')] } })
    await given(device, history, input)
      .when({ type: 'CANCEL', ids: ['a'] })
      .then({ state: { online: 'probing' }, effects: ['probe'], context: { queue: [asked('b')] } })
    await given(device, [...history, { type: 'CANCEL', ids: ['a'] }], input)
      .when(resolved('probe'))
      .then({ state: { online: 'operating' }, effects: ['perform'], context: { queue: [asked('b')] } })
  })

  test.each([
    ['disconnected', [resolved('connect', { state: 'absent' })]],
    ['denied', [resolved('connect', { state: 'denied', access })]],
    ['unavailable', [fails('connect', 'LOCKED')]],
    ['recovering', [fails('connect')]],
    ['connecting', []],
  ] as const)('it waits while the device is %s, and can be taken back there', async (state, way) => {
    await given(device, [open, ...way, ask('a'), ask('b')], input)
      .when({ type: 'CANCEL', ids: ['a'] })
      .then({ state, effects: [], context: { queue: [asked('b')] } })
  })
})

describe('D2', () => {
  const worn = [...online, ask('a'), performed, ask('b'), performed, ask('c'), ask('d')]

  test('after so many good operations it is refreshed before the next one', async () => {
    await given(device, worn, input)
      .when(performed)
      .then({
        state: { online: 'refreshing' },
        effects: ['refresh'],
        context: { queue: [asked('d')], sinceRefresh: 3 },
      })
    await given(device, [...worn, performed], input)
      .when(resolved('refresh', moved))
      .then({
        state: { online: 'operating' },
        effects: ['perform'],
        context: { queue: [asked('d')], sinceRefresh: 0, refreshes: 1, total: 3, identity: moved },
      })
  })

  test('a refresh that fails is recovered from; nothing queued is lost', async () => {
    await given(device, [...worn, performed], input)
      .when(fails('refresh'))
      .then({
        state: { recovering: 'climbing' },
        effects: [{ src: 'recover', input: { name: 'reader', rung: 'reopen' } } as never],
        context: { queue: [asked('d')] },
      })
  })
})

describe('D3', () => {
  test('after the threshold without a good operation it is probed; not before, and counted from the last one', async () => {
    await given(device, online, input)
      .when(later(299_999))
      .then({ state: { online: 'idle' }, effects: [] })
    await given(device, online, input)
      .when(later(300_000))
      .then({ state: { online: 'probing' }, effects: ['probe'] })
    await given(device, [...online, later(200_000), ask('a'), performed], input)
      .when(later(299_999))
      .then({ effects: [] })
    await given(device, [...online, later(300_000)], input)
      .when(resolved('probe'))
      .then({ state: { online: 'idle' }, timers: [300_000] })
  })

  test('a probe that fails: recovered before a caller notices', async () => {
    await given(device, [...online, later(300_000)], input)
      .when(fails('probe'))
      .then({ state: 'recovering', effects: ['recover'] })
  })
})

describe('D4', () => {
  test('a repeatable operation that failed is performed again after recovery, with the same key', async () => {
    await given(device, [...online, ask('a'), fails('perform')], input)
      .when(resolved('recover', null))
      .then({ effects: [{ src: 'perform', input: { name: 'reader', request: asked('a', 1) } } as never] })
  })

  test('one that is not repeatable leaves, and the device is recovered all the same', async () => {
    await given(device, [...online, ask('a', false)], input)
      .when(fails('perform'))
      .then({ state: 'recovering', effects: ['recover'], context: { queue: [] } })
  })

  test('there is a limit, and a failure that is the caller’s own counts none', async () => {
    const again = [fails('perform'), resolved('recover', null)]
    await given(device, [...online, ask('a'), ...again, ...again, ...again, ...again], input)
      .when(fails('perform'))
      .then({ state: 'recovering', context: { queue: [] } })
    await given(device, [...online, ask('a'), ask('b')], input)
      .when(fails('perform', 'BAD_OPTION'))
      .then({ state: { online: 'probing' }, context: { queue: [asked('b')], problem: null } })
  })
})

describe('D5', () => {
  type Step = ReturnType<typeof later>
  const slips = (n: number) => Array.from({ length: n }, () => [fails('recover'), later(5000)]).flat()
  const failing = [...online, ask('a'), fails('perform')]

  test.each([
    [0, 'clearHalt', 250],
    [1, 'clearHalt', 500],
    [2, 'reset', 1000],
    [3, 'reset', 2000],
    [4, 'reopen', 4000],
    [5, 'reopen', 5000],
    [6, 'replug', 5000],
  ])('after %i failures the rung is %s, and the pause after the next one %i ms', async (n, rung, pause) => {
    await given(device, failing, input)
      .when(...([...slips(n), fails('recover')] as [Step]))
      .then({
        state: { recovering: 'pausing' },
        effects: Array.from({ length: n + 1 }, (_, at) =>
          at === n ? ({ src: 'recover', input: { name: 'reader', rung } } as never) : 'recover',
        ).slice(1),
        timers: [pause],
      })
  })

  test('above the ladder it is unavailable, and tries again ever more slowly', async () => {
    const above = [...failing, ...slips(7), fails('recover')]
    await given(device, above, input).then({
      state: 'unavailable',
      timers: [30_000],
      context: { queue: [asked('a', 1)] },
    })
    const twice = [...above, later(30_000), fails('connect'), ...slips(3), fails('recover')]
    await given(device, twice, input).then({ state: 'unavailable', timers: [60_000] })
    for (const type of ['RETRY', 'ATTACHED'] as const)
      await given(device, above, input)
        .when({ type })
        .then({ state: 'connecting', effects: ['connect'] })
  })

  test('a device that answers its probe and fails again has to climb the next rung; a good operation brings it down', async () => {
    const again = [...failing, resolved('recover', null), fails('perform')]
    await given(device, again, input).then({ context: { rung: 1 } })
    await given(device, [...again, resolved('recover', null), performed, ask('b')], input)
      .when(fails('perform'))
      .then({ effects: [{ src: 'recover', input: { name: 'reader', rung: 'clearHalt' } } as never] })
  })

  test('a probe that is answered after a caller has taken its operation back does not bring it down', async () => {
    const again = [...failing, resolved('recover', null), { type: 'CANCEL', ids: ['a'] } as const, resolved('probe')]
    await given(device, [...again, ask('b')], input)
      .when(fails('perform'))
      .then({ effects: [{ src: 'recover', input: { name: 'reader', rung: 'reset' } } as never] })
  })

  test('two operations in a row that were called off while they were performed are a fault; a good one between begins anew', async () => {
    const back = (id: string) => [ask(id), { type: 'CANCEL', ids: [id] } as const] as const
    const once = [...online, ...back('a'), resolved('probe'), ask('b'), ask('c')]
    await given(device, once, input)
      .when({ type: 'CANCEL', ids: ['b'] })
      .then({
        state: { recovering: 'climbing' },
        effects: [{ src: 'recover', input: { name: 'reader', rung: 'clearHalt' } } as never],
        context: { queue: [asked('c')], calledOff: 0 },
      })
    await given(device, [...online, ...back('a'), resolved('probe'), ask('b'), performed, ask('c')], input)
      .when({ type: 'CANCEL', ids: ['c'] })
      .then({ state: { online: 'probing' }, effects: ['probe'], context: { problem: null } })
    await given(device, once, input)
      .when({ type: 'CANCEL', ids: ['c'] }) // it only waited
      .then({ state: { online: 'operating' }, effects: [] })
    const recovered = [...once.slice(0, -1), { type: 'CANCEL', ids: ['b'] } as const, resolved('recover', null)]
    await given(device, [...recovered, ...back('c'), resolved('probe'), ask('d')], input)
      .when({ type: 'CANCEL', ids: ['d'] })
      .then({ effects: [{ src: 'recover', input: { name: 'reader', rung: 'reset' } } as never] })
  })

  test('however many are called off, nothing is replugged for that', async () => {
    const twice = ['a', 'b'].flatMap((id) => [ask(id), { type: 'CANCEL', ids: [id] } as const])
    const off = [...twice.slice(0, 2), resolved('probe'), ...twice.slice(2)]
    const often = Array.from({ length: 5 }, () => [...off, resolved('recover', null)]).flat()
    await given(device, [...online, ...often, ...off.slice(0, -1)], input)
      .when({ type: 'CANCEL', ids: ['b'] })
      .then({ effects: [{ src: 'recover', input: { name: 'reader', rung: 'reopen' } } as never] })
  })

  test('where nothing is open the ladder begins with opening', async () => {
    await given(device, [open], input)
      .when(fails('connect'))
      .then({ effects: [{ src: 'recover', input: { name: 'reader', rung: 'reopen' } } as never] })
  })

  test('a connection that was made anew has its identity, and begins its count', async () => {
    await given(device, [...online, ask('a'), performed, ask('b'), fails('perform')], input)
      .when(resolved('recover', moved))
      .then({ context: { identity: moved, sinceRefresh: 0, recoveries: 1 } })
  })
})

describe('D6', () => {
  const denied = [open, resolved('connect', { state: 'denied', access }), ask('a')]

  test('denied says which node, whose, which mode and what mends it, and is left once it may be opened', async () => {
    await given(device, denied, input).then({ state: 'denied', context: { access } })
    for (const step of [resolved('permitted'), { type: 'RETRY' }, { type: 'ATTACHED' }] as const)
      await given(device, denied, input)
        .when(step)
        .then({ state: 'connecting', context: { access: null, queue: [asked('a')] } })
  })

  test('permissions that are lost while it is idle; one that works is left alone', async () => {
    const lost = sent('watch', { type: 'ACCESS_LOST', access })
    await given(device, online, input)
      .when(lost)
      .then({ state: 'denied', effects: ['permitted'], context: { access } })
    await given(device, [...online, ask('a')], input)
      .when(lost)
      .then({ state: { online: 'operating' }, effects: [] })
  })
})

describe('D7', () => {
  const detached = sent('watch', { type: 'DETACHED' })

  test('unplugged in the middle of an operation: it waits, and is performed when the device returns', async () => {
    await given(device, [...online, ask('a')], input)
      .when(detached)
      .then({ state: 'disconnected', effects: ['arrive'], context: { queue: [asked('a', 1)] } })
    await given(device, [...online, ask('a'), detached, resolved('arrive')], input)
      .when(connected)
      .then({ state: { online: 'operating' }, effects: ['perform'] })
  })

  test.each([
    ['connecting', [open]],
    ['online idle', online],
    ['probing', [...online, later(300_000)]],
    ['refreshing', [...online, ask('a'), performed, ask('b'), performed, ask('c'), performed]],
    ['recovering', [...online, ask('a'), fails('perform')]],
    ['between two rungs', [...online, ask('a'), fails('perform'), fails('recover')]],
    ['denied', [open, resolved('connect', { state: 'denied', access })]],
    ['unavailable', [open, fails('connect', 'LOCKED')]],
  ] as const)('unplugged while it is %s: waited for', async (_, history) => {
    await given(device, history, input)
      .when(detached)
      .then({ state: 'disconnected', effects: ['arrive'] })
  })

  test('a rung that takes it off the bus itself is not disturbed by that', async () => {
    const slips = Array.from({ length: 6 }, () => [fails('recover'), later(5000)]).flat()
    await given(device, [...online, ask('a'), fails('perform'), ...slips], input)
      .when(detached, sent('watch', { type: 'ATTACHED' }))
      .then({ state: { recovering: 'climbing' }, effects: [] })
  })

  test('a closed device hears nothing', async () => {
    await given(device, [...online, { type: 'CLOSE' }], input)
      .when(detached, ask('a'), { type: 'RETRY' }, { type: 'CLOSE' })
      .then({ state: 'closed', effects: [], context: { queue: [] }, timers: [] })
  })
})

test('K5 a process takes over: nothing is open, what was asked for is counted as interrupted, and named', async () => {
  await given(device, [...online, ask('a'), ask('b')], input)
    .when(open)
    .then({ state: 'connecting', effects: ['connect'], context: { queue: [], interrupted: 2 } })
  await given(device, [...online, ask('a')], input)
    .when(fails('perform', 'INTERRUPTED'))
    .then({ state: { online: 'idle' }, context: { queue: [], interrupted: 1, faultAt: null } })
})

test('it runs plain under createActor, and its chart is plain data for a visualizer', async () => {
  const machine = deviceMachine.provide({
    actors: {
      watch: fromCallback(() => {}),
      connect: fromPromise(async (): Promise<Connected> => ({ state: 'connected', identity })),
      perform: fromPromise(async (): Promise<Done> => done),
    },
  })
  const actor = createActor(machine, { input: input.input }).start()
  actor.send(open)
  actor.send(ask('a'))
  await new Promise<void>((resolve) => actor.subscribe(({ context }) => context.total === 1 && resolve()))
  expect(actor.getSnapshot().value).toEqual({ online: 'idle' })
  expect(JSON.parse(JSON.stringify(machine.definition)).states).toHaveProperty('recovering')
  actor.stop()
})
