// S7 The way out: by request, by signal, without a journal; and who asks from inside.
import { expect, test } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import { startup } from '../../src/machines/index.ts'
import { faultyJournal, recordingLogger, settle } from '../../src/testing/index.ts'
import { deferred } from '../support/deferred.ts'
import { by, isPending, noUnhandledRejections, refused } from '../support/host.ts'
import { type AnyTask, place, recordingService, testProcess } from './world.ts'

noUnhandledRejections()

test('S7 a shutdown in the middle of the start calls off what runs, keeps what ends well, and stops it all in reverse', async () => {
  const { open, start, task, seed, clock, sleep, log } = place()
  const app = await start(await open(), [
    task('a'),
    task('obeys', ['a'], { run: ({ signal }) => sleep(60_000, signal) }),
    task('ends', ['a'], {
      run: async () => {
        await sleep(3000)
        return 'it did'
      },
      stop: (value) => void log.push(`stop ends: ${value}`),
    }),
    seed('seed', ['a'], {
      run: async () => {
        await sleep(2000)
      },
    }),
    task('never', ['obeys']),
  ])
  const report = app.shutdown({ why: 'changed my mind' })
  await clock.advance('4s')
  expect((await report).tasks.map(({ id, state }) => `${id} ${state}`)).toEqual([
    'a stopped',
    'obeys aborted',
    'ends stopped',
    'seed done',
    'never aborted',
  ])
  expect(log).toEqual(['a', 'stop ends: it did', 'stop a'])
  const error = await refused(app.ready())
  expect(error).toMatchObject({ code: 'STARTUP_FAILED' })
  expect(error.message).toContain('changed my mind')
  expect(await app.shutdown()).toMatchObject({ state: 'stopped' })
})

test('S7 a task that ignores its signal is waited for no longer than its stopTimeout, and it is said', async () => {
  const { open, start, task, clock, log, process } = place()
  const app = await start(await open(), [
    task('a'),
    task('deaf', ['a'], { stopTimeout: '2s', run: () => new Promise(() => {}) }),
  ])
  process.signal('SIGTERM')
  await clock.advance('3s')
  expect(app.report()).toMatchObject({ state: 'stopped' })
  expect(app.report().tasks[1]).toMatchObject({ state: 'failed', problem: { code: 'TASK_TIMEOUT' } })
  expect(log).toEqual(['a', 'stop a'])
  await clock.advance('1s')
  expect(process.exits).toEqual([1])
})

test('S7 a stop that fails or hangs is recorded and logged once, and does not hold up the others', async () => {
  const { open, start, task, clock, log } = place()
  const logger = recordingLogger()
  const app = await start(await open({ logger }), [
    task('a'),
    task('throws', ['a'], {
      stop: () => {
        throw new Error('stuck fast')
      },
    }),
    task('hangs', ['throws'], { stopTimeout: '1s', stop: () => new Promise(() => {}) }),
    task('last', ['hangs']),
  ])
  const report = app.shutdown()
  await clock.advance('2s')
  expect((await report).tasks.map(({ state, problem }) => problem?.code ?? state)).toEqual([
    'stopped',
    'FAILED',
    'TASK_TIMEOUT',
    'stopped',
  ])
  expect(log).toEqual(['a', 'throws', 'hangs', 'last', 'stop last', 'stop a'])
  expect(logger.lines.filter((line) => line.includes('could not be stopped'))).toEqual([
    'start-up startup: hangs could not be stopped',
    'start-up startup: throws could not be stopped',
  ])
})

test('S7 SIGTERM shuts down, closes the host and ends the process with 0; its listeners are there before anything runs', async () => {
  const { open, start, task, process, log } = place()
  const host = await open()
  const app = await start(host, [task('a')])
  await app.ready()
  process.signal('SIGTERM')
  await settle(40)
  expect(log).toEqual(['a', 'stop a'])
  expect(process.exits).toEqual([0])
  expect(process.listening).toBe(0)
  expect(app.report().state).toBe('stopped')
  await expect(host.register()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('S7 SIGTERM before the beginning is on disk: nothing that has begun is left', async () => {
  const { open, task, process, log } = place()
  const host = await open()
  const starting = startup(host, [task('a')], { process })
  expect(process.listening).toBe(2)
  process.signal('SIGTERM')
  await starting
  await settle(40)
  expect(process.exits).toEqual([0])
  expect(log.length % 2, log.join()).toBe(0)
})

test('S7 SIGINT twice within 250 ms is one; a second one after that ends the process at once, with 128 + n', async () => {
  const { open, start, task, clock, process, log } = place()
  const app = await start(await open(), [task('a'), task('hangs', ['a'], { stop: () => new Promise(() => {}) })])
  await app.ready()
  process.signal('SIGINT')
  await clock.advance(100)
  process.signal('SIGINT')
  expect(process.exits).toEqual([])
  await clock.advance(150)
  process.signal('SIGINT')
  expect(process.exits).toEqual([130])
  expect(log).toEqual(['a', 'hangs'])
})

test('S7 two start-ups on one host: a signal shuts both down, then the host is closed and the process ends, once, with the highest code', async () => {
  const { open, start, task, clock, process, log, sleep } = place()
  const host = await open()
  const slow = { stopTimeout: 20_000, stop: () => sleep(10_000).then(() => log.push('stop b')) }
  await start(host, [task('a')])
  await start(host, [task('b', [], slow)], { id: 'other' })
  const fails = {
    stop: () => {
      throw new Error('stuck')
    },
  }
  await start(host, [task('c', [], fails)], { id: 'third', signals: [] })
  process.signal('SIGTERM')
  await clock.advance('9s')
  expect(log).toEqual(['a', 'b', 'c', 'stop a'])
  expect(process.exits).toEqual([])
  await clock.advance('5s')
  expect(log).toEqual(['a', 'b', 'c', 'stop a', 'stop b'])
  expect(process.exits).toEqual([1])
  expect(process.listening).toBe(0)
  await expect(host.register()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('S7 two start-ups on one host: a second signal ends the process once', async () => {
  const { open, start, task, clock, process } = place()
  const host = await open()
  for (const id of ['one', 'two']) await start(host, [task('a', [], { stop: () => new Promise(() => {}) })], { id })
  process.signal('SIGTERM')
  await clock.advance(300)
  process.signal('SIGTERM')
  expect(process.exits).toEqual([143])
  expect(process.listening).toBe(0)
})

test('S7 after a start that failed, a shutdown by hand, or with signals: [] nobody listens for signals', async () => {
  const { open, start, task, process } = place()
  const host = await open()
  const app = await start(host, [task('a')], { signals: [] })
  expect(process.listening).toBe(0)
  await app.shutdown()
  const second = await start(host, [task('a')])
  expect(process.listening).toBe(2)
  await second.shutdown()
  expect(process.listening).toBe(0)
  const failing: AnyTask = {
    id: 'f',
    run: () => {
      throw new Error('no')
    },
  }
  await refused((await start(host, [failing])).ready())
  expect(process.listening).toBe(0)
  expect(process.exits).toEqual([])
})

test.each(['NO_SPACE', 'JOURNAL_FAILED'] as const)(
  'S7 the journal fails (%s) while all is to be stopped: it is stopped all the same, in reverse, and the exit code tells',
  async (code) => {
    const inner = memoryJournal()
    const { start, task, clock, process, log, open } = place(inner)
    const journal = faultyJournal(inner)
    const host = await open({ journal })
    const app = await start(host, [
      task('a'),
      task('b', ['a']),
      task('c', ['b'], {
        critical: false,
        run: ({ signal }) => new Promise((_, no) => signal.addEventListener('abort', no)),
      }),
    ])
    await app.ready()
    journal.plan = () => ({ when: 'before', code, retryable: code === 'NO_SPACE' })
    process.signal('SIGTERM')
    await clock.advance('60s')
    expect(log).toEqual(['a', 'b', 'stop b', 'stop a'])
    expect(process.exits).toEqual([1])
    expect(app.report().state).toBe('failed')
    expect(app.health()).toBe('unhealthy')
  },
)

test('S7 a journal that hangs while all is to be stopped', async () => {
  const inner = memoryJournal()
  const { start, task, clock, log, open } = place(inner)
  const journal = faultyJournal(inner)
  const app = await start(await open({ journal }), [task('a'), task('b', ['a'])])
  await app.ready()
  journal.hold()
  const report = app.shutdown()
  await clock.advance('60s')
  expect(log).toEqual(['a', 'b', 'stop b', 'stop a'])
  expect(await report).toMatchObject({ state: 'failed' })
  journal.release()
  await clock.advance('60s')
  expect(log).toEqual(['a', 'b', 'stop b', 'stop a'])
})

test('S7 the journal fails in the middle of the stops: each is stopped once', async () => {
  const inner = memoryJournal()
  const { start, task, clock, log, open } = place(inner)
  const journal = faultyJournal(inner)
  const app = await start(await open({ journal }), [task('a'), task('b', ['a']), task('c', ['b'])])
  await app.ready()
  const at = journal.appends
  journal.plan = (_, n) => (n > at + 1 ? { when: 'before', code: 'JOURNAL_FAILED' } : undefined)
  const report = app.shutdown()
  await clock.advance('60s')
  await report
  expect(log).toEqual(['a', 'b', 'c', 'stop c', 'stop b', 'stop a'])
})

test('S6 the journal fails while starting: ready() rejects with its error, once nothing more can come, and all is stopped', async () => {
  const inner = memoryJournal()
  const { start, task, clock, log, open, sleep } = place(inner)
  const journal = faultyJournal(inner)
  const service = recordingService()
  const slow = task('slow', ['a'], {
    timeout: '1m',
    run: async () => {
      await sleep(30_000)
      return 5
    },
  })
  const app = await start(await open({ journal }), [task('a'), slow, task('b', ['slow'])], { service })
  journal.plan = () => ({ when: 'before', code: 'JOURNAL_FAILED' })
  await clock.advance('29s')
  expect(await isPending(app.ready())).toBe(true)
  await clock.advance('20s')
  const error = await refused(app.ready())
  expect(error).toMatchObject({ code: 'STARTUP_FAILED', cause: { code: 'JOURNAL_FAILED' } })
  expect(log).toEqual(['a', 'stop slow', 'stop a'])
  const told = service.told.length
  await clock.advance('10m')
  expect(service.told).toHaveLength(told)
})

test('a host that is closed without a shutdown aborts what runs and stops nothing; the next start reports it as unfinished', async () => {
  const { open, start, task, log, sleep, process } = place()
  const host = await open()
  let reason: unknown
  const app = await start(host, [
    task('a'),
    task('slow', ['a'], {
      run: async ({ signal }) => {
        await sleep(60_000, signal).catch((error) => {
          reason = error
          throw error
        })
      },
    }),
  ])
  await host.close()
  expect(reason).toBeDefined()
  expect(log).toEqual(['a'])
  expect(process.listening).toBe(0)
  expect((await refused(app.ready())).message).toContain('its host was closed')
  expect(app.report().tasks[1]).toMatchObject({ state: 'running', problem: null })
  expect(await app.shutdown()).toMatchObject({ state: 'starting' })
  const { boot } = app.report()
  const next = await start(await open(), [task('a')])
  await next.ready()
  expect(next.report().former).toEqual({ boot, state: 'unfinished' })
  await next.shutdown()
  expect(log).toEqual(['a', 'a', 'stop a'])
})

test('nothing waits for itself: shutdown() inside a task is a request, ready() there is refused; both are allowed once it has ended', async () => {
  const { open, start, task, log } = place()
  const said: unknown[] = []
  let later: (() => Promise<unknown>) | undefined
  const tasks: AnyTask[] = [
    task('a'),
    task('b', ['a'], {
      run: async () => {
        said.push(await app!.ready().catch(({ code }) => code))
        later = () => app!.ready()
        said.push((await app!.shutdown({ why: 'enough' })).state)
      },
      stop: async () => void said.push((await app!.shutdown()).state),
    }),
  ]
  const host = await open()
  let app: Awaited<ReturnType<typeof startup>> | undefined
  const gate = deferred()
  const blocked = task('gate', [], { run: () => gate.promise, stop: () => {} })
  app = await start(host, [
    blocked,
    ...tasks.map((one) => ({ ...one, needs: [...(one.needs ?? []), 'gate'] }) as AnyTask),
  ])
  gate.resolve(undefined)
  await settle(60)
  expect(said).toEqual(['BAD_OPTION', 'starting', 'stopping'])
  expect(log).toEqual(['a', 'stop a'])
  expect((await refused(later!() as Promise<unknown>)).code).toBe('STARTUP_FAILED')
})

test('a start-up that an operator pauses in its middle does not hang for ever: it is stopped, and ready() says so', async () => {
  const { open, start, task, clock, sleep, log } = place()
  const host = await open()
  const slow = task('slow', ['a'], { timeout: '10s', run: () => sleep(1000) })
  const app = await start(host, [task('a'), slow, task('b', ['slow'])])
  await host.pause(app.machine, 'startup', by)
  await clock.advance('1m')
  expect((await refused(app.ready())).cause).toMatchObject({ code: 'PAUSED' })
  expect(log).toEqual(['a', 'stop slow', 'stop a'])
})

test('a task that ignores its signal while the host closes has not failed', async () => {
  const { open, start, task, clock, journal } = place()
  const host = await open({ closeTimeout: 60_000 })
  await start(host, [task('deaf', [], { stopTimeout: '1s', run: () => new Promise(() => {}) })])
  const before = await journal.head('startup/startup')
  const closing = host.close()
  await clock.advance('5s')
  await closing
  const now = await journal.head('startup/startup')
  expect(now!.seq - before!.seq).toBeLessThanOrEqual(1) // that it was interrupted, at most
  const next = await start(await open(), [task('b')])
  expect(next.report().former).toMatchObject({ state: 'unfinished' })
})

test('S6 who has started the process is told each step in order, ready once, and to wait no longer than what is under way may take', async () => {
  const { open, start, task, clock, sleep } = place()
  const service = recordingService()
  const slow = task('slow', ['a'], { timeout: '30s', stopTimeout: '5s', run: ({ signal }) => sleep(20_000, signal) })
  const app = await start(await open(), [task('a'), slow], { service })
  await clock.advance('20s')
  await app.ready()
  await app.shutdown()
  expect(service.told.filter((line) => !line.startsWith('extend'))).toEqual([
    'status starting 0/2: a',
    'status starting 1/2: slow',
    'status ready',
    'ready',
    'status stopping: slow',
    'stopping',
    'status stopping: a',
    'status stopped',
    'close',
  ])
  const waits = service.told.filter((line) => line.startsWith('extend')).map((line) => Number(line.split(' ')[1]))
  expect(Math.max(...waits)).toBeLessThanOrEqual(90_000)
  const told = service.told.length
  await clock.advance('10m')
  expect(service.told).toHaveLength(told)
})

test('K9 of many tasks that run side by side who has started the process is told a few', async () => {
  const { open, start, task } = place()
  const service = recordingService()
  const app = await start(
    await open(),
    Array.from({ length: 100 }, (_, n) => task(`t${n}`)),
    { service },
  )
  await app.ready()
  const lines = service.told.filter((line) => line.startsWith('status starting'))
  expect(lines[0]).toBe(`status starting 0/100: ${Array.from({ length: 20 }, (_, n) => `t${n}`).join(', ')}, … (100)`)
  for (const line of lines) expect(line.split(', ').length).toBeLessThanOrEqual(21)
})

test('S6 health is starting for the grace period, then unhealthy until it is ready', async () => {
  const { open, start, task, clock, sleep } = place()
  const app = await start(
    await open(),
    [task('slow', [], { timeout: '2m', run: ({ signal }) => sleep(60_000, signal) })],
    { grace: '45s' },
  )
  await clock.advance('44s')
  expect(app.health()).toBe('starting')
  await clock.advance('1s')
  expect(app.health()).toBe('unhealthy')
  await clock.advance('15s')
  expect(app.health()).toBe('healthy')
  const ending = app.shutdown()
  await ending
  expect(app.health()).toBe('stopping')
})

test('K9 it needs no slot: with maxEffects: 1 tasks, and their stops, may wait for another machine of the host', async () => {
  const { open, start, task } = place()
  const work = durable(
    setup({ actors: { work: fromPromise(async () => 'done') } }).createMachine({
      id: 'work',
      initial: 'at',
      states: { at: { invoke: { src: 'work', onDone: 'over' } }, over: { type: 'final' } },
    }),
  )
  const host = await open({ maxEffects: 1, machines: [work] })
  const worked = async (id: string) => {
    const actor = await host.actor(work, id)
    await actor.waitFor(({ status }) => status === 'done')
  }
  const waiting = (id: string, needs: readonly string[] = []) =>
    task(id, needs, { run: () => worked(id), stop: () => worked(`stop ${id}`) })
  const app = await start(host, [waiting('a'), waiting('b'), waiting('c', ['a', 'b'])])
  await app.ready()
  expect(await app.shutdown()).toMatchObject({ state: 'stopped' })
})

test('a start-up that has begun is refused a second time, until it has ended; another id is another one', async () => {
  const { open, start, task } = place()
  const host = await open()
  const app = await start(host, [task('a')])
  expect(await refused(startup(host, [task('a')], { process: testProcess() }))).toMatchObject({ code: 'BAD_OPTION' })
  const other = await start(host, [task('a')], { id: 'other' })
  await other.shutdown()
  await app.shutdown()
  await (await start(host, [task('a')])).shutdown()
})

test.each([3_600_000, -3_600_000])(
  'S6 S7 a clock that is set by %d ms in the middle of a start does not fail it',
  async (jump) => {
    const { open, start, task, clock, sleep, log } = place()
    let set = 0
    const host = await open({ clock: { now: () => clock.now() + set, after: clock.after } })
    const retry = { attempts: 2, backoff: { first: '20s' } } as const
    const slow = task('slow', [], { timeout: '5m', run: () => sleep(200_000) })
    const again = task('again', [], {
      retry,
      run: ({ attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : 1),
    })
    const app = await start(host, [slow, again, task('quick', [], { run: () => sleep(2000) })])
    await clock.advance('1s')
    set = jump
    await clock.advance('4m')
    expect(app.report().tasks.map(({ id, state }) => [id, state])).toEqual([
      ['slow', 'done'],
      ['again', jump > 0 ? 'done' : 'retrying'], // TIMERS.md
      ['quick', 'done'],
    ])
    expect(app.health()).not.toBe('stopping')
    expect(log).toEqual([])
  },
)

test('S7 a second signal ends the process at once, also where the clock was put back after the first', async () => {
  const { open, start, task, clock, process } = place()
  let set = 0
  const host = await open({ clock: { now: () => clock.now() + set, after: clock.after } })
  await start(host, [task('holds on', [], { run: () => new Promise(() => {}) })])
  process.signal('SIGTERM')
  set = -3_600_000
  await clock.advance('1s')
  process.signal('SIGTERM')
  expect(process.exits).toEqual([143])
})
