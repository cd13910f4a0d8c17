import { expect, test } from 'vitest'
import { createActor, fromPromise } from 'xstate'
import { type Ran, type Stopped, startupMachine, type TaskOrder } from '../../src/machines/index.ts'
import { noUnhandledRejections, refused, settle } from '../support/host.ts'
import { place } from './world.ts'

noUnhandledRejections()

test('S1 tasks run in the order of their needs, side by side where they can; S7 shutdown is the reverse of completion', async () => {
  const { open, start, task, log, sleep, clock } = place()
  const host = await open()
  const slow = task('slow', ['a'], {
    run: async () => {
      log.push('slow')
      await sleep(1000)
      return 'slow'
    },
  })
  const app = await start(host, [task('last', ['slow', 'b']), slow, task('b', ['a']), task('a')])
  expect(log).toEqual(['a', 'slow', 'b'])
  expect(app.report()).toMatchObject({ state: 'starting', order: ['a', 'b'] })
  expect(app.health()).toBe('starting')
  await clock.advance(1000)
  await app.ready()
  expect(app.report()).toMatchObject({ state: 'ready', order: ['a', 'b', 'slow', 'last'] })
  expect(app.health()).toBe('healthy')
  expect(app.result('slow')).toBe('slow')
  const report = await app.shutdown({ why: 'enough' })
  expect(log.slice(4)).toEqual(['stop last', 'stop slow', 'stop b', 'stop a'])
  expect(report).toMatchObject({ state: 'stopped' })
  expect(report.tasks.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped', 'stopped'])
})

test('S3 a critical task that fails stops what was started in reverse order, and ready() says which, why, with its error', async () => {
  const { open, start, task, log } = place()
  const host = await open()
  const broken = new Error('no model')
  const app = await start(host, [
    task('a'),
    task('b', ['a']),
    task('model', ['b'], {
      run: () => {
        throw broken
      },
    }),
    task('server', ['model']),
  ])
  const error = await refused(app.ready())
  expect(error).toMatchObject({ code: 'STARTUP_FAILED', cause: broken })
  expect(error.message).toContain('model')
  expect(error.message).toContain('no model')
  expect(log).toEqual(['a', 'b', 'stop b', 'stop a'])
  expect(app.health()).toBe('unhealthy')
  expect(app.report()).toMatchObject({ state: 'failed', order: ['a', 'b'] })
  await settle()
})

test('report$ is the report now and after each commit, events$ what is said from now on; both complete once all has ended', async () => {
  const { open, start, task, clock, sleep } = place()
  const app = await start(await open(), [task('a'), task('b', ['a'], { says: 'b is there', run: () => sleep(1000) })])
  const seen: string[] = []
  app.report$.subscribe({ next: ({ state }) => seen.push(state), complete: () => seen.push('over') })
  app.events$.subscribe({
    next: ({ type, message, task }) => seen.push(`${type} ${task}: ${message}`),
    complete: () => seen.push('no more'),
  })
  expect(seen).toEqual(['starting'])
  await clock.advance('1s')
  await app.shutdown()
  await settle()
  expect(seen).toEqual([
    'starting',
    'ready',
    'done b: b is there (1000 ms)',
    'ready null: ready',
    'stopping',
    'stopping b: b stopping',
    'stopping',
    'stopped b: b stopped',
    'stopping a: a stopping',
    'stopped',
    'over',
    'stopped a: a stopped',
    'no more',
  ])
})

test('the statechart runs under plain createActor, and stops in reverse there, too', async () => {
  const log: string[] = []
  const plan = (id: string, needs: string[] = []) => ({
    id,
    needs,
    once: false,
    version: 1,
    critical: true,
    heavy: false,
    stops: true,
    says: id,
    attempts: 1,
    backoff: { first: 1, max: 1 },
  })
  const actor = createActor(
    startupMachine.provide({
      actors: {
        task: fromPromise<Ran, TaskOrder>(async ({ input }) => {
          log.push(`run ${input.task}`)
          return { outcome: 'done', ms: 0, problem: null, final: false }
        }),
        stop: fromPromise<Stopped, TaskOrder>(async ({ input }) => {
          log.push(`stop ${input.task}`)
          return { outcome: 'stopped', ms: 0, problem: null }
        }),
      },
    }),
    { input: { id: 'plain' } },
  ).start()
  const tasks = [plan('c', ['b']), plan('b', ['a']), plan('a')]
  actor.send({ type: 'BEGIN', boot: '1', tasks })
  await settle()
  expect(actor.getSnapshot().value).toEqual({ running: 'ready' })
  actor.send({ type: 'SHUTDOWN', boot: 'another', reason: 'not ours' })
  actor.send({ type: 'SHUTDOWN', boot: '1', reason: 'ours' })
  await settle()
  expect(actor.getSnapshot().value).toBe('stopped')
  expect(log).toEqual(['run 2', 'run 1', 'run 0', 'stop 0', 'stop 1', 'stop 2'])
  actor.stop()
})
