// S2 What runs once: over restarts, versions, trims and what operators do; and a start-up that somebody holds.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { assign, fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { type Ran, startup, startupMachine, startups, type TaskOrder } from '../../src/machines/index.ts'
import { tasksGiven } from '../../src/machines/startup/options.ts'
import { settle } from '../../src/testing/index.ts'
import { by, noUnhandledRejections, refused } from '../support/host.ts'
import { place, testProcess } from './world.ts'

noUnhandledRejections()

test('S2 once per version: not again at the next start, again with the next version, with the same key in every attempt', async () => {
  const { open, start, task, seed, clock } = place()
  const keys: string[] = []
  const tasks = (version: number) => [
    task('db'),
    seed('roles', ['db'], {
      version,
      retry: { attempts: 3, backoff: { first: 0 } },
      run: ({ key, attempt }) => {
        keys.push(key)
        if (attempt === 1) throw new Error('not yet')
      },
    }),
    task('server', ['roles']),
  ]
  const states: string[] = []
  for (const version of [1, 1, 2, 1]) {
    const host = await open()
    const app = await start(host, tasks(version))
    await clock.advance(0)
    await app.ready()
    states.push(app.report().tasks[1]!.state)
    expect(app.report().order).toEqual(['db', 'roles', 'server'])
    await app.shutdown()
    await host.close()
  }
  expect(states).toEqual(['done', 'skipped', 'done', 'skipped'])
  expect(keys).toEqual([
    'startup/startup/roles@1',
    'startup/startup/roles@1',
    'startup/startup/roles@2',
    'startup/startup/roles@2',
  ])
})

test('S2 what runs each time has another key in each process, and the same in each attempt', async () => {
  const { open, start, task, clock } = place()
  const keys: string[] = []
  for (const _ of [1, 2]) {
    const host = await open()
    const app = await start(host, [
      task('a', [], {
        retry: { attempts: 2, backoff: { first: 0 } },
        run: ({ key, attempt }) => {
          keys.push(key)
          if (attempt === 1) throw new Error('not yet')
        },
      }),
    ])
    await clock.advance(0)
    await app.ready()
    await app.shutdown()
    await host.close()
  }
  expect(keys[0]).toBe(keys[1])
  expect(keys[2]).toBe(keys[3])
  expect(keys[0]).not.toBe(keys[2])
})

test('S2 a failure is not "done", nor is an abort by shutdown; a late success is', async () => {
  const { open, start, seed, sleep, clock, log } = place()
  const host = await open()
  const failing = await start(host, [
    seed('fails', [], {
      run: () => {
        throw new Error('no')
      },
    }),
  ])
  await refused(failing.ready())
  const aborted = await start(host, [
    seed('fails'),
    seed('obeys', [], { run: ({ signal }) => sleep(60_000, signal) }),
    seed('late', [], { run: () => sleep(2000) }),
  ])
  const ending = aborted.shutdown()
  await clock.advance('5s')
  await ending
  const third = await start(host, [seed('fails'), seed('obeys'), seed('late')])
  await third.ready()
  expect(third.report().tasks.map(({ state }) => state)).toEqual(['skipped', 'done', 'skipped'])
  expect(log).toEqual(['fails', 'obeys'])
  await third.shutdown()
})

test('S2 once facts survive a trim, which comes by itself after some 1,000 commits', async () => {
  const { open, start, task, seed, log, journal } = place()
  const many = Array.from({ length: 120 }, (_, n) => task(`t${n}`, [], { stop: () => {}, run: () => {} }))
  for (let boot = 0; boot < 6; boot++) {
    const host = await open()
    const app = await start(host, [seed('roles'), ...many])
    await app.ready()
    await settle(20)
    await app.shutdown()
    await host.close()
  }
  expect(log).toEqual(['roles'])
  let count = 0
  for await (const _ of journal.read('startup/startup')) count++
  expect(count).toBeLessThan(1000)
  expect((await journal.head('startup/startup'))!.seq).toBeGreaterThan(1400)
})

test('K9 a process that never comes up, however often it is started, keeps no more of it', async () => {
  const { open, start, seed, log, journal } = place()
  const fails = () => {
    throw new Error('no')
  }
  const many = Array.from({ length: 120 }, (_, n) => ({ id: `t${n}`, run: () => {} }))
  const last = { id: 'last', needs: many.map(({ id }) => id), run: fails }
  for (let boot = 0; boot < 10; boot++) {
    const host = await open()
    await refused((await start(host, [seed('roles'), ...many, last])).ready())
    await host.close()
  }
  expect(log).toEqual(['roles'])
  let count = 0
  for await (const _ of journal.read('startup/startup')) count++
  expect((await journal.head('startup/startup'))!.seq).toBeGreaterThan(1200)
  expect(count).toBeLessThan(1000)
})

test('a start-up that the kernel has parked, as its machine has failed, is let go on by the next process', async () => {
  const { open, start, task, log } = place()
  const first = await open()
  const broken = durable(
    startupMachine.provide({
      actors: {
        task: fromPromise<Ran, TaskOrder>(async () => ({ outcome: 'done', ms: 0, problem: null, final: false })),
      },
      actions: {
        settle: assign(() => {
          throw new Error('a bug')
        }),
      },
    }),
    { id: 'startup', attributes: ({ context }) => ({ tasks: context.tasks.length }) },
  )
  await first.register(broken)
  const actor = await first.actor(broken, 'startup', { input: { id: 'startup' } })
  const { plan } = tasksGiven([task('a')])[0]!
  await actor.send({ type: 'BEGIN', boot: 'first', tasks: [plan] })
  await settle(20)
  expect(await actor.info()).toMatchObject({ phase: 'parked', problem: { code: 'MACHINE_THREW' } })
  await first.close()
  const app = await start(await open(), [task('a')])
  await app.ready()
  expect(app.report().former).toMatchObject({ boot: 'first' })
  expect(log).toEqual(['a'])
  await app.shutdown()
})

test('a start-up that an operator holds is not let go on by the next process', async () => {
  const { open, start, task, log } = place()
  const host = await open()
  await (await start(host, [task('a')])).shutdown()
  const machine = startups(host)
  const process = testProcess()
  await host.park(machine, 'startup', by)
  const parked = await refused(startup(host, [task('a')], { process }))
  expect(parked).toMatchObject({ code: 'PARKED' })
  expect(parked.hint).toContain('host.resume(startups(host)')
  expect(log).toEqual(['a', 'stop a'])
  await host.resume(machine, 'startup', by)

  await host.pause(machine, 'startup', by)
  const paused = await refused(startup(host, [task('a')], { process }))
  expect(paused).toMatchObject({ code: 'PAUSED', retryable: true })
  expect(paused.hint).toContain('host.resume(startups(host)')
  expect(process.listening).toBe(0)
  await host.resume(machine, 'startup', by)
  await (await start(host, [task('a')])).shutdown()

  await host.stop(machine, 'startup', by)
  expect(await refused(startup(host, [task('a')], { process }))).toMatchObject({ code: 'CLOSED' })
  await host.purge(machine, 'startup', by)
  await (await start(host, [task('a')])).shutdown()
})

test('an operator ends a task: it has failed; skips one: it has failed, too; the machine lives', async () => {
  const { open, start, task, sleep, log } = place()
  const host = await open()
  const app = await start(host, [
    task('a', [], { critical: false, run: ({ signal }) => sleep(60_000, signal) }),
    task('b', [], { critical: false, run: ({ signal }) => sleep(60_000, signal) }),
    task('c'),
  ])
  const actor = await host.actor(app.machine, 'startup', { create: false })
  const keys = (await actor.info()).effects.map(({ key }) => key)
  expect(keys).toHaveLength(2)
  await host.cancel(app.machine, 'startup', keys[0]!, by)
  await host.skip(app.machine, 'startup', keys[1]!, by)
  await settle()
  expect(app.report().tasks.map(({ state }) => state)).toEqual(['failed', 'failed', 'done'])
  expect(app.report().tasks[0]!.problem).toMatchObject({ code: 'ABORTED' })
  expect(app.health()).toBe('degraded')
  await app.shutdown()
  expect(log).toEqual(['c', 'stop c'])
})

test('an operator ends a task whose value still comes: nobody gets it, and it is stopped at once', async () => {
  const { open, start, task, sleep, clock, log } = place()
  const host = await open()
  const late = task('late', [], {
    critical: false,
    run: async () => {
      await sleep(1000)
      return 'late'
    },
  })
  const app = await start(host, [late, task('a')])
  const actor = await host.actor(app.machine, 'startup', { create: false })
  await host.cancel(app.machine, 'startup', (await actor.info()).effects[0]!.key, by)
  await clock.advance('2s')
  expect(log).toEqual(['a', 'stop late'])
  await app.shutdown()
  expect(log).toEqual(['a', 'stop late', 'stop a'])
})

test('a history that is none of a start-up is refused with its code, and nothing is done about it', async () => {
  const { open, start, task, log, journal } = place()
  const other = durable(setup({}).createMachine({ id: 'startup', initial: 'a', states: { a: { on: { GO: {} } } } }))
  const host = await open({ machines: [other] })
  await (await host.actor(other, 'startup')).send({ type: 'GO' })
  await host.close()
  const before = await journal.head('startup/startup')
  const process = testProcess()
  const next = await open()
  expect(await refused(startup(next, [task('a')], { process }))).toMatchObject({ code: 'REPLAY_DIVERGED' })
  expect(log).toEqual([])
  expect(process.listening).toBe(0)
  expect((await journal.head('startup/startup'))!.seq).toBe(before!.seq)
  await (await start(next, [task('a')], { id: 'another' })).ready()
})

test('S2 what a former process has left, attempts, stops and timers, is dropped before anything begins', async () => {
  const { open, start, task, sleep, clock, log } = place()
  const first = await open()
  const flaky = {
    ...task('flaky', [], { retry: { attempts: 9, backoff: { first: '1m', max: '1m' } }, critical: false }),
    run: () => {
      log.push('flaky')
      throw new Error('no')
    },
  }
  await start(first, [task('slow', [], { run: ({ signal }) => sleep(60_000, signal) }), flaky])
  await first.close()
  await clock.advance('5m') // its retry is overdue
  const second = await open()
  const app = await start(second, [task('slow'), { ...flaky, run: () => 'well' }])
  await clock.advance('10m')
  await app.ready()
  expect(log).toEqual(['flaky', 'slow'])
  const actor = await second.actor(app.machine, 'startup', { create: false })
  expect(Object.keys(actor.getSnapshot().children)).toEqual([])
  expect(await actor.info()).toMatchObject({ timers: [], effects: [] })
  await app.shutdown()
  expect(Object.keys(actor.getSnapshot().children)).toEqual([])
})

test('K9 a hundred tasks side by side warn of nothing', async () => {
  const { open, start, task, sleep, clock } = place()
  const warnings: Error[] = []
  const take = (warning: Error) => void warnings.push(warning)
  process.on('warning', take)
  const tasks = Array.from({ length: 100 }, (_, n) => task(`t${n}`, [], { run: ({ signal }) => sleep(1000, signal) }))
  const app = await start(await open(), tasks)
  await clock.advance('1s')
  await app.ready()
  await app.shutdown()
  process.off('warning', take)
  expect(warnings).toEqual([])
})

const script = fileURLToPath(new URL('./child.mjs', import.meta.url))

/** Runs the child until it ends; `at` each line it may be sent a signal. */
async function life(folder: string, at: (line: string) => NodeJS.Signals | undefined, mode = 'seed') {
  const child = spawn(process.execPath, [script, folder, mode], { stdio: ['ignore', 'pipe', 'pipe'] })
  const errors: Buffer[] = []
  child.stderr.on('data', (data) => errors.push(data))
  const exit = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    const signal = at(line)
    if (signal) child.kill(signal)
  }
  return { ...(await exit), lines, stderr: Buffer.concat(errors).toString() }
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'duramen-startup-'))
  try {
    await test(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('S2 SIGKILL in the middle of a seed, and again: it is asked again with the same key, and done once; then never again', () =>
  inFolder(async (folder) => {
    for (let n = 0; n < 2; n++)
      expect(await life(folder, (line) => (line === 'seeding' ? 'SIGKILL' : undefined), 'slow')).toMatchObject({
        signal: 'SIGKILL',
      })
    const third = await life(folder, (line) => (line === 'ready' ? 'SIGTERM' : undefined))
    expect(third).toMatchObject({
      code: 0,
      lines: ['model', 'seeding', 'server', 'ready', 'former unfinished', 'stop server', 'stop model'],
    })
    const fourth = await life(folder, (line) => (line === 'ready' ? 'SIGTERM' : undefined))
    expect(fourth).toMatchObject({
      code: 0,
      lines: ['model', 'server', 'ready', 'former stopped', 'stop server', 'stop model'],
    })
    const rows = (await readFile(join(folder, 'rows'), 'utf8')).trim().split('\n')
    expect(rows).toHaveLength(3)
    expect(new Set(rows)).toEqual(new Set(['startup/startup/seed@1']))
  }))

test('S7 SIGTERM during the start: what runs is called off, what was started is stopped, exit code 0', () =>
  inFolder(async (folder) => {
    const { code, lines } = await life(folder, (line) => (line === 'seeding' ? 'SIGTERM' : undefined), 'slow')
    expect({ code, lines }).toEqual({ code: 0, lines: ['model', 'seeding', 'called off', 'stop model'] })
  }))

test('S7 SIGINT twice: the second one ends a process whose stop hangs, with code 130', () =>
  inFolder(async (folder) => {
    const child = spawn(process.execPath, [script, folder, 'hang'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
    for await (const line of createInterface(child.stdout)) {
      if (line === 'ready') child.kill('SIGINT')
      if (line === 'hanging') child.kill('SIGINT')
    }
    expect(await exit).toBe(130)
  }))

test('S3 a start that fails and that nobody looks at ends the process with code 1 and the stack, once all is stopped', () =>
  inFolder(async (folder) => {
    const { code, lines, stderr } = await life(folder, () => undefined, 'fail')
    expect({ code, lines }).toEqual({ code: 1, lines: ['model', 'stop model'] })
    expect(stderr).toContain('STARTUP_FAILED')
    expect(stderr).toContain('no rows today')
    expect(stderr).toContain('child.mjs')
  }))
