// The worker's statechart by rule, without a job; under plain createActor; and with its process killed at each write.
import { expect, test } from 'vitest'
import { createActor, fromPromise } from 'xstate'
import { durable, openHost } from '../../src/index.ts'
import { worker, workerMachine } from '../../src/machines/index.ts'
import type { WorkerRan } from '../../src/machines/worker/types.ts'
import { after, everyCrashPoint, given, rejected, resolved } from '../../src/testing/index.ts'
import { quiet, settle } from '../support/host.ts'

const machine = durable(workerMachine, { id: 'worker' })
const settings = { every: 60_000, backoff: { first: 1000, max: 4000 } }
const input = { input: { id: 'sync', settings } }
const start = { type: 'START', settings } as const
const ran = (outcome: WorkerRan['outcome'] = 'done') =>
  resolved('run', { outcome, ms: 5, problem: outcome === 'failed' ? { code: 'FAILED', message: 'no' } : null })

test('W1a the next run begins when it is due, directly where it is overdue', async () => {
  await given(machine, [start, after('20s')], input)
    .when(ran())
    .then({ state: 'waiting', timers: ['40s'] })
  await given(machine, [start, after('10m')], input)
    .when(ran())
    .then({ state: 'running', effects: ['run'], timers: [] })
  await given(machine, [start, { type: 'TRIGGER' }, { type: 'TRIGGER' }, ran()], input)
    .when(ran())
    .then({ state: 'waiting', context: { runs: 2 } })
})

test('W1b a failure waits, twice as long each time, up to the most; a good run ends that', async () => {
  await given(machine, [start], input)
    .when(ran('failed'))
    .then({ state: 'backingOff', timers: ['1s'], context: { failures: 1, runs: 1 } })
  const failed = [start, ran('failed'), after('1s'), ran('interrupted'), after('2s'), ran('failed'), after('4s')]
  await given(machine, failed, input)
    .when(rejected('run', new Error('cancelled')))
    .then({ state: 'backingOff', timers: ['4s'], context: { failures: 4 } })
  await given(machine, failed, input)
    .when(ran())
    .then({ state: 'waiting', context: { failures: 0, problem: null } })
})

test('W1c stopping lasts until the run has ended; started meanwhile, it goes on', async () => {
  await given(machine, [start], input)
    .when({ type: 'STOP' }, after('1h'), { type: 'TRIGGER' })
    .then({ state: 'stopping', effects: ['idle'] })
  await given(machine, [start, { type: 'STOP' }], input)
    .when(resolved('idle'))
    .then({ state: 'stopped', effects: [] })
  await given(machine, [start, { type: 'STOP' }, start], input)
    .when(resolved('idle'))
    .then({ state: 'running', effects: ['run'] })
  await given(machine, [start, { type: 'STOP' }, start, { type: 'STOP' }], input)
    .when(resolved('idle'))
    .then({ state: 'stopped' })
})

test('it runs under plain createActor', async () => {
  let runs = 0
  const actor = createActor(
    workerMachine.provide({
      actors: {
        run: fromPromise(async (): Promise<WorkerRan> => {
          runs++
          return { outcome: 'done', ms: 1, problem: null }
        }),
      },
    }),
    input,
  ).start()
  actor.send(start)
  await settle()
  actor.send({ type: 'TRIGGER' })
  await settle()
  expect(actor.getSnapshot()).toMatchObject({ value: 'waiting', context: { runs: 2 } })
  actor.stop()
  expect(runs).toBe(2)
})

test('W1b killed at each write: no two runs at once in a life, none is lost without a word', async () => {
  const tried = await everyCrashPoint<{ begun: number; done: number }>(
    async ({ journal, clock, outside }) => {
      const host = await openHost({ journal, clock, logger: quiet, closeTimeout: 100 })
      let going = 0
      const it = await worker(host, {
        id: 'sync',
        every: '1m',
        run: async () => {
          expect(++going).toBe(1)
          outside.begun++
          await settle(2)
          going--
          outside.done++
        },
      })
      for (let n = 0; n < 4; n++) {
        await settle(12)
        await clock.advance('1m')
      }
      await it.stop()
      await host.close()
    },
    async ({ journal, clock, outside }) => {
      const host = await openHost({ journal, clock, logger: quiet })
      const it = await worker(host, { id: 'sync', every: '1m', run: () => {} })
      await settle(12)
      const { state, runs, failures } = it.status()
      expect(state).toBe('waiting')
      expect(failures).toBe(0)
      expect(runs).toBeGreaterThanOrEqual(5)
      expect(runs - 1).toBeLessThanOrEqual(outside.begun + 1) // an interrupted one counts, too
      await it.stop()
      await host.close()
    },
    { outside: () => ({ begun: 0, done: 0 }) },
  )
  expect(tried).toBeGreaterThan(15)
})
