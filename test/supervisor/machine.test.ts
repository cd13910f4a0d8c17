// The supervisor's statechart by rule, without a process: given, when, then; and under plain createActor.
import { expect, test } from 'vitest'
import { createActor, fromPromise } from 'xstate'
import { DuramenError, durable } from '../../src/index.ts'
import { supervisorMachine } from '../../src/machines/index.ts'
import type { Ended, Started } from '../../src/machines/supervisor/types.ts'
import { after, given, rejected, resolved } from '../../src/testing/index.ts'
import { settle } from '../support/host.ts'

const machine = durable(supervisorMachine, { id: 'supervisor' })
const settings = { restartDelay: 3000, maxRestarts: 2, window: 300_000, stable: 300_000, backoff: null }
const input = { input: { id: 'server', settings } }
const open = (boot = 'a') => ({ type: 'OPEN', boot, settings }) as const
const started = resolved('start', { outcome: 'started', pid: 7 })
const cleared = resolved('clear', 0)
const running = [open(), cleared, started]
const ended = (code: number | null, ms = 0) => resolved('watch', { exit: { code, signal: null }, ms })
const again = [ended(1), after('3s'), cleared, started]

test('V1f starting is reached through clearing only, and each call says which process asks', async () => {
  await given(machine, [], input)
    .when(open())
    .then({ state: 'clearing', effects: [{ src: 'clear', input: { id: 'server', boot: 'a' } } as never] })
  await given(machine, [open()], input)
    .when(cleared)
    .then({ state: 'starting', effects: ['start'] })
  await given(machine, [...running, ended(1)], input)
    .when(after('3s'))
    .then({ state: 'clearing', effects: ['clear'] })
  await given(machine, [...running, { type: 'RESTART', why: '' }], input)
    .when(resolved('end', null))
    .then({ state: 'clearing', effects: ['clear'] })
})

test('V1a the failure after the last restart is critical, and one that is old enough does not count', async () => {
  await given(machine, [...running, ...again, ...again], input)
    .when(ended(1))
    .then({ state: { critical: 'telling' }, effects: ['tell'], context: { outcome: 'critical' }, timers: [] })
  await given(machine, [...running, ...again, after('5m'), ...again], input)
    .when(ended(1))
    .then({ state: 'waiting', timers: ['3s'] })
})

test('V1b it is the uptime at the end that clears the count, no timer', async () => {
  const history = [...running, ...again, ...again, after('4m')]
  await given(machine, history, input)
    .when(ended(1, 299_999))
    .then({ state: { critical: 'telling' } })
  await given(machine, history, input).when(ended(1, 300_000)).then({ state: 'waiting' })
  await given(machine, running, input).then({ timers: [] })
})

test.each([
  ['clearing', [open()]],
  ['starting', [open(), cleared]],
  ['running', running],
  ['ending', [...running, { type: 'RESTART', why: '' } as const]],
])('V1c STOP while %s: what runs is ended', async (_, history) => {
  await given(machine, history, input)
    .when({ type: 'STOP' })
    .then({ state: { ending: 'toStop' }, effects: ['end'] })
})

test.each<[string, 'sweeping' | 'clearing', object[]]>([
  ['stopped', 'clearing', []],
  ['clearing', 'clearing', [open()]],
  ['starting', 'sweeping', [open(), cleared]],
  ['running', 'sweeping', running],
  ['sweeping', 'sweeping', [...running, open('b')]],
  ['ending', 'clearing', [...running, { type: 'STOP' }]],
  ['critical', 'clearing', [...running, ...again, ...again, ended(1)]],
])('V1f another process finds it %s: %s', async (_, state, history) => {
  await given(machine, history as never, input)
    .when(open('z'))
    .then({ state, effects: [{ src: 'clear', input: { id: 'server', boot: 'z' } } as never], context: { boot: 'z' } })
})

test('V1g one that waits goes on waiting, however many processes come', async () => {
  await given(machine, [...running, ended(1), after('1s')], input)
    .when(open('b'), open('c'))
    .then({ state: 'waiting', effects: [], timers: ['2s'] })
})

test('V1f a process that can not clear what was left counts a failure, too', async () => {
  const lives = rejected('clear', new DuramenError('CHILD_FAILED', 'pid 7 lives', { retryable: true, hint: 'Look.' }))
  await given(machine, [...running, open('b')], input)
    .when(lives)
    .then({ state: 'waiting', context: { problem: { code: 'CHILD_FAILED', message: 'pid 7 lives', hint: 'Look.' } } })
})

test('it runs under plain createActor', async () => {
  let end!: (ended: Ended) => void
  const actor = createActor(
    supervisorMachine.provide({
      actors: {
        clear: fromPromise(async (): Promise<unknown> => 0),
        start: fromPromise(async (): Promise<Started> => ({ outcome: 'started', pid: 7 })),
        watch: fromPromise(() => new Promise<Ended>((resolve) => (end = resolve))),
      },
    }),
    input,
  )
  const said: string[] = []
  actor.on('*', ({ message }) => said.push(message))
  actor.start()
  actor.send(open())
  await settle()
  expect(actor.getSnapshot().value).toBe('running')
  end({ exit: { code: 0, signal: null }, ms: 5 })
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: 'stopped', context: { outcome: 'clean' } })
  expect(said).toEqual(['server: started, pid 7', 'server: ended by itself, with code 0'])
})
