// S3 and the limits: what fails, what is late, what throws anything at all.
import { expect, test } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import type { StartupTask } from '../../src/machines/index.ts'
import { recordingLogger, settle } from '../../src/testing/index.ts'
import { noUnhandledRejections, refused, texts } from '../support/host.ts'
import { type AnyTask, place } from './world.ts'

noUnhandledRejections()

const states = (app: { report(): { tasks: readonly { id: string; state: string }[] } }) =>
  Object.fromEntries(app.report().tasks.map(({ id, state }) => [id, state]))
const fails = (message = 'no') => ({
  run: () => {
    throw new Error(message)
  },
})

test('S3 a task that is not critical fails: what needs it is blocked, the rest goes on, degraded', async () => {
  const { open, start, task, log } = place()
  const app = await start(await open(), [
    task('a'),
    task('cache', [], { critical: false, ...fails() }),
    task('warm', ['cache', 'a'], { critical: false }),
    task('warmer', ['warm'], { critical: false }),
    task('server', ['a']),
  ])
  await app.ready()
  expect(log).toEqual(['a', 'server'])
  expect(states(app)).toEqual({ a: 'done', cache: 'failed', warm: 'blocked', warmer: 'blocked', server: 'done' })
  expect(app.report().state).toBe('degraded')
  expect(app.health()).toBe('degraded')
  await app.shutdown()
  expect(log).toEqual(['a', 'server', 'stop server', 'stop a'])
})

test('S6 ready is said once, also where something that is not critical is missing by then', async () => {
  const { open, start, task, clock, sleep } = place()
  const logger = recordingLogger()
  const app = await start(await open({ logger }), [
    task('cache', [], { critical: false, ...fails() }),
    task('server', [], { run: () => sleep(1000) }),
  ])
  const said: string[] = []
  app.events$.subscribe(({ type }) => said.push(type))
  await clock.advance('1s')
  expect(said).toEqual(['done', 'ready', 'degraded'])
  expect(app.health()).toBe('degraded')
  expect(logger.lines.filter((line) => line.includes(': ready: server done'))).toHaveLength(1)
})

test('what is missing is named, and what is ready with nothing done says no order', async () => {
  const { open, start, task } = place()
  const logger = recordingLogger()
  const app = await start(await open({ logger }), [
    task('cache', [], { critical: false, ...fails() }),
    task('warm', ['cache'], { critical: false }),
  ])
  await app.ready()
  expect(logger.lines).toContain('start-up startup: something that is not critical is missing: cache, warm')
  expect(logger.lines).toContain('start-up startup: ready')
})

test('a retry is one line, and a failure says its message once, with the stack', async () => {
  const { open, start, task, clock } = place()
  const said: [string, unknown][] = []
  const take = (line: string, details?: object) => void said.push([line, details])
  const broken = new Error('no disk')
  const app = await start(await open({ logger: { debug() {}, info() {}, warn: take, error: take } }), [
    task('a', [], {
      retry: { attempts: 2, backoff: { first: '1s' } },
      run: () => {
        throw broken
      },
    }),
    task('text', [], {
      critical: false,
      run: () => {
        throw 'just no'
      },
    }),
  ])
  app.ready().catch(() => {})
  await clock.advance('1s')
  expect(said).toEqual([
    ['start-up startup: a failed, attempt 1/2, and is tried again in 1000 ms: no disk', undefined],
    ['start-up startup: text failed: just no', undefined],
    ['start-up startup: a failed', broken],
  ])
})

test("STARTUP_FAILED hands on the cause's own hint", async () => {
  const { open, start, task } = place()
  const app = await start(await open(), [
    task('a', [], {
      run: () => {
        throw new DuramenError('IO', 'no disk', { hint: 'Mount it.' })
      },
    }),
  ])
  expect((await refused(app.ready())).hint).toBe(
    'Mount it. What was started has been stopped; start the process again once it is mended.',
  )
})

test('S3 a critical task that needs one that failed fails the start, and the root is the cause', async () => {
  const { open, start, task, log } = place()
  const broken = new Error('no disk')
  const app = await start(await open(), [
    task('a'),
    task('cache', ['a'], {
      critical: false,
      run: () => {
        throw broken
      },
    }),
    task('warm', ['cache'], { critical: false }),
    task('server', ['warm']),
  ])
  const error = await refused(app.ready())
  expect(error).toMatchObject({ code: 'STARTUP_FAILED', cause: broken })
  expect(error.message).toBe("start-up startup: server can't run, as it needs cache; cache has failed: no disk")
  expect(log).toEqual(['a', 'stop a'])
})

test('S6 what is not critical may come up after ready, or fail then', async () => {
  const { open, start, task, clock, sleep } = place()
  const app = await start(await open(), [
    task('a'),
    task('late', [], {
      critical: false,
      run: async () => {
        await sleep(1000)
        throw new Error('no')
      },
    }),
  ])
  await app.ready()
  expect(app.health()).toBe('healthy')
  await clock.advance(1000)
  expect(app.health()).toBe('degraded')
})

test('retries come after growing waits, in virtual time, and end', async () => {
  const { open, start, task, clock } = place()
  const at: number[] = []
  const began = clock.now()
  const app = await start(await open(), [
    task('flaky', [], {
      retry: { attempts: 5, backoff: { first: '1s', max: '3s' } },
      run: ({ attempt }) => {
        at.push(clock.now() - began)
        if (attempt < 5) throw new Error(`attempt ${attempt}`)
        return attempt
      },
    }),
  ])
  expect(states(app)).toEqual({ flaky: 'retrying' })
  await clock.advance('20s')
  expect(at).toEqual([0, 1000, 3000, 6000, 9000])
  expect(app.result('flaky')).toBe(5)
  expect(app.report().tasks[0]).toMatchObject({ attempt: 5, problem: null })
})

test('a task that takes too long is told, and has failed with TASK_TIMEOUT; it may be tried again', async () => {
  const { open, start, task, clock, sleep } = place()
  const signals: AbortSignal[] = []
  const app = await start(await open(), [
    task('slow', [], {
      timeout: '5s',
      retry: { attempts: 2, backoff: { first: 0 } },
      run: ({ signal }) => {
        signals.push(signal)
        return sleep(60_000, signal)
      },
    }),
  ])
  await clock.advance('11s')
  const error = await refused(app.ready())
  expect(error.cause).toMatchObject({ code: 'TASK_TIMEOUT', message: 'slow did not end within 5000 ms' })
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  expect(app.report().tasks[0]).toMatchObject({ state: 'failed', attempt: 2, problem: { code: 'TASK_TIMEOUT' } })
})

test('S2 a task that ignores its signal fails, is not tried again, and a value that comes late is stopped once', async () => {
  const { open, start, task, clock, sleep, log } = place()
  let runs = 0
  const tasks: AnyTask[] = [
    task('deaf', [], {
      timeout: '5s',
      stopTimeout: '2s',
      retry: { attempts: 3, backoff: { first: 0 } },
      run: async () => {
        runs++
        await sleep(60_000)
        return 'late'
      },
      stop: (value) => void log.push(`stop ${value}`),
    }),
  ]
  const host = await open()
  const app = await start(host, tasks)
  await clock.advance('10s')
  const error = await refused(app.ready())
  expect(error.message).toContain('ignores its AbortSignal')
  expect(app.report().tasks[0]).toMatchObject({ state: 'failed', attempt: 1 })
  // a later start of the same process waits for it, within its limit
  const second = await start(host, tasks)
  await clock.advance('16s')
  expect((await refused(second.ready())).message).toContain('deaf still runs')
  expect(runs).toBe(1)
  await clock.advance('60s')
  expect(log).toEqual(['stop late'])
  const third = await start(host, [{ ...tasks[0]!, run: () => 'now' } as AnyTask])
  await third.ready()
  expect(third.result('deaf')).toBe('now')
})

test('S2 on two hosts of a process, as one that is closed and one that is opened anew, a task runs once at a time, too', async () => {
  const { start, task, clock, sleep } = place()
  const [first, second] = [place(), place()]
  let now = 0
  let most = 0
  const deaf = task('deaf', [], {
    run: async () => {
      most = Math.max(most, ++now)
      await sleep(5000)
      now--
    },
  })
  const host = await first.open({ clock })
  await start(host, [deaf])
  const closing = host.close()
  await clock.advance('1s')
  await closing
  const next = await start(await second.open({ clock }), [deaf])
  expect(now).toBe(1)
  await clock.advance('11s')
  await next.ready()
  expect(most).toBe(1)
})

test('a value that comes after its timeout, within the grace, is stopped before another attempt begins', async () => {
  const { open, start, task, clock, sleep, log } = place()
  const app = await start(await open(), [
    task('a', [], {
      timeout: '5s',
      retry: { attempts: 2, backoff: { first: 0 } },
      run: async ({ attempt }) => {
        log.push(`run ${attempt}`)
        if (attempt === 1) await sleep(6000)
        return attempt
      },
      stop: (value) => void log.push(`stop ${value}`),
    }),
  ])
  await clock.advance('10s')
  await app.ready()
  expect(log).toEqual(['run 1', 'stop 1', 'run 2'])
  await app.shutdown()
  expect(log.slice(3)).toEqual(['stop 2'])
})

test('ready is asked until it says so, within the timeout, and counts as part of the task', async () => {
  const { open, start, task, clock, log } = place()
  const answers: (() => unknown)[] = [
    () => false,
    () => {
      throw new Error('refused')
    },
    () => true,
  ]
  const app = await start(await open(), [
    task('server', [], { ready: () => (answers.length > 1 ? answers.shift()!() : answers[0]!()) }),
    task('after', ['server']),
  ])
  expect(log).toEqual(['server'])
  await clock.advance('1s')
  await app.ready()
  expect(log).toEqual(['server', 'after'])
})

test('what never becomes ready is stopped, and the last error of ready is the cause', async () => {
  const { open, start, task, clock, log } = place()
  const refusedError = new Error('refused')
  const app = await start(await open(), [
    task('server', [], {
      timeout: '5s',
      ready: () => {
        throw refusedError
      },
    }),
    task('hung', [], { timeout: '5s', critical: false, ready: () => new Promise(() => {}) }),
  ])
  await clock.advance('6s')
  expect((await refused(app.ready())).cause).toMatchObject({
    code: 'TASK_TIMEOUT',
    message: 'server was not ready within 5000 ms',
    cause: refusedError,
  })
  expect(log.toSorted()).toEqual(['hung', 'server', 'stop hung', 'stop server'])
})

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a text', 'just no'],
  ['a number', 5],
  [
    'an object that throws when it is looked at',
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap')
        },
      },
    ),
  ],
  ['an error without a message', Object.assign(new Error(), { code: 7 })],
  ['an abort', new DOMException('gone', 'AbortError')],
])('K8 a task that throws %s fails the start and nothing else', async (_, thrown) => {
  const { open, start, task, log } = place()
  const app = await start(await open(), [
    task('a'),
    task('bad', ['a'], {
      run: () => {
        throw thrown
      },
    }),
  ])
  expect((await refused(app.ready())).code).toBe('STARTUP_FAILED')
  expect(log).toEqual(['a', 'stop a'])
})

test('K9 a message of 10 MB is cut in the journal, and whole in the error', async () => {
  const { open, start, task, journal } = place()
  const app = await start(await open(), [task('loud', [], fails('x'.repeat(10_000_000)))])
  const error = await refused(app.ready())
  expect((error.cause as Error).message).toHaveLength(10_000_000)
  const all = (await texts(journal, 'startup/startup')).join('')
  expect(all.length).toBeLessThan(20_000)
  expect(all).toContain('10000000 characters')
})

test('K12 no value of a task is in the journal, wherever it goes', async () => {
  const { open, start, task, seed, journal, clock } = place()
  const canary = 'canary-5f3a'
  const secret: StartupTask<{ token: string }> = { id: 'secret', run: () => ({ token: canary }) }
  const host = await open({ snapshotEvery: 1 })
  const app = await start(host, [
    secret,
    task('user', ['secret'], {
      run: ({ result }) => result(secret).token,
      ready: (v) => v === canary,
    }),
    seed('seed', ['user'], { run: ({ result }) => result('user') }),
    task('late', [], { critical: false, timeout: 1, run: async () => canary }),
  ])
  await clock.advance(1000)
  await app.ready()
  expect(app.result('user')).toBe(canary)
  await app.shutdown()
  await settle()
  const all = (await texts(journal, 'startup/startup')).join('')
  expect(all).toContain('secret')
  expect(all).not.toContain(canary)
  expect(JSON.stringify(await journal.snapshot('startup/startup'))).not.toContain(canary)
})

test('a task gets values of what it needs, also through others, and of nothing else: what holds by chance fails later', async () => {
  const { open, start, task, seed } = place()
  const asked: Record<string, unknown> = {}
  const ask = (id: string, result: (id: string) => unknown) => {
    try {
      asked[id] = result(id)
    } catch (error) {
      asked[id] = (error as { code: string }).code
    }
  }
  const app = await start(await open(), [
    task('a'),
    task('b', ['a']),
    task('beside'),
    seed('seed', ['a']),
    task('c', ['b', 'seed'], {
      run: ({ result }) => {
        for (const id of ['a', 'b', 'beside', 'seed', 'c', 'nobody']) ask(id, result)
      },
    }),
  ])
  await app.ready()
  expect(asked).toEqual({
    a: 'value of a',
    b: 'value of b',
    beside: 'BAD_OPTION',
    seed: 'BAD_OPTION',
    c: 'BAD_OPTION',
    nobody: 'BAD_OPTION',
  })
  expect(app.result(task('a'))).toBe('value of a')
  expect(() => app.result('seed')).toThrow('runs once')
  expect(() => app.result('nobody')).toThrow('is no task')
})

test('S5 heavy tasks run one at a time, and memory is cleaned after each', async () => {
  const { open, start, task, clock, sleep, log } = place()
  let now = 0
  let most = 0
  const logger = recordingLogger()
  const heavy = (id: string) =>
    task(id, [], {
      heavy: true,
      run: async () => {
        most = Math.max(most, ++now)
        await sleep(1000)
        now--
        log.push(id)
      },
    })
  const app = await start(await open({ logger }), [heavy('a'), heavy('b'), task('light'), heavy('c')])
  expect(log).toEqual(['light'])
  await clock.advance('10s')
  await app.ready()
  expect(most).toBe(1)
  expect(log).toEqual(['light', 'a', 'b', 'c'])
  expect(logger.lines.filter((line) => JSON.stringify(line).includes('memory'))).toHaveLength(3)
})
