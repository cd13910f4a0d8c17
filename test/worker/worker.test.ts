// W1: a periodic job, on the virtual clock.
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Host, HostOptions } from '../../src/index.ts'
import { type Worker, type WorkerOptions, type WorkerRun, worker } from '../../src/machines/index.ts'
import { workersOf } from '../../src/machines/worker/opened.ts'
import { faultyJournal } from '../../src/testing/index.ts'
import { by, isPending, noUnhandledRejections, quiet, recording, refused, settle, world } from '../support/host.ts'

noUnhandledRejections()

const SECOND = 1000
const MINUTE = 60 * SECOND

interface Run extends WorkerRun {
  end(): void
  fail(error: unknown): void
}

function place() {
  const here = world()
  /** Runs that have begun, each at its time since the beginning, and which of them go on. */
  const runs: Run[] = []
  const times: number[] = []
  const going = new Set<Run>()
  const since = here.clock.now()
  let most = 0
  /** Goes on until it is told to end; takes its signal for that, too, unless it is `deaf`. */
  const job =
    (deaf = false) =>
    (given: WorkerRun) =>
      new Promise<void>((resolve, reject) => {
        const over =
          <A extends unknown[]>(settled: (...args: A) => void) =>
          (...args: A) => {
            going.delete(run)
            settled(...args)
          }
        const run: Run = { ...given, end: over(resolve), fail: over(reject) }
        runs.push(run)
        times.push(here.clock.now() - since)
        going.add(run)
        most = Math.max(most, going.size)
        if (!deaf) given.signal.addEventListener('abort', () => run.fail(given.signal.reason))
      })
  /** In steps, so that all that comes of each settles: a second where it matters, minutes where it is long. */
  const pass = async (ms: number) => {
    const step = ms > 20 * MINUTE ? MINUTE : SECOND
    for (let left = ms; left >= 0; left -= step) {
      await here.clock.advance(Math.min(step, left))
      await settle(12)
    }
  }
  return {
    ...here,
    runs,
    times,
    going,
    job,
    pass,
    most: () => most,
    last: () => runs.at(-1)!,
    /** A run that lasts so long. */
    takes: (ms: number) => (run: WorkerRun) => {
      times.push(here.clock.now() - since)
      return run.sleep(ms)
    },
    async start(options: Partial<WorkerOptions> = {}, hostOptions: Partial<HostOptions> & { on?: Host } = {}) {
      const logger = recording()
      const { on, ...others } = hostOptions
      const host = on ?? (await here.open([], { logger, closeTimeout: 100, ...others }))
      onTestFinished(() => void host.close().catch(() => {}))
      const it = await worker(host, { id: 'sync', every: '1m', run: job(), ...options })
      const said: string[] = []
      it.events$.subscribe(({ message }) => said.push(message))
      await settle(12)
      return { it, host, said, logged: logger.lines, state: () => it.status().state }
    },
  }
}

const counted = async (here: ReturnType<typeof place>) => {
  let count = 0
  for await (const _ of here.journal.read('worker/sync')) count++
  return count
}

describe('W1a', () => {
  test('it runs at once, then every minute from the beginning of a run', async () => {
    const { start, takes, times, pass } = place()
    const { it, said } = await start({ run: takes(20 * SECOND) })
    expect(it.status()).toMatchObject({ state: 'running', runs: 0, nextAt: null })
    await pass(30 * SECOND)
    expect(it.status()).toMatchObject({ state: 'waiting', runs: 1, last: { outcome: 'done', ms: 20 * SECOND } })
    expect(it.status().nextAt).toBe(it.status().begunAt! + MINUTE)
    await pass(3 * MINUTE)
    expect(times).toEqual([0, MINUTE, 2 * MINUTE, 3 * MINUTE])
    expect(said[0]).toBe('sync: done in 20s')
    await it.stop()
  })

  test('an overlong run never overlaps the next: what fell due meanwhile is one run afterwards', async () => {
    const { start, takes, times, pass } = place()
    const { it } = await start({ run: takes(3.5 * MINUTE) })
    await pass(10 * MINUTE)
    expect(times).toEqual([0, 3.5 * MINUTE, 7 * MINUTE])
    await it.stop()
  })

  test('trigger has it run now; while it runs, once more afterwards, however often', async () => {
    const { start, job, last, runs, pass, most } = place()
    const { it } = await start({ run: job() })
    for (let n = 0; n < 5; n++) await it.trigger()
    expect(runs).toHaveLength(1)
    last().end()
    await settle(12)
    expect(runs).toHaveLength(2)
    last().end()
    await settle(12)
    expect(it.status().state).toBe('waiting')
    await it.trigger()
    await settle(12)
    expect(runs).toHaveLength(3)
    last().end()
    await pass(MINUTE)
    expect(runs).toHaveLength(4)
    expect(most()).toBe(1)
    await it.stop()
  })

  test('a run that was taken from it by an operator ends before the next begins', async () => {
    const { start, job, runs, going, pass, most } = place()
    const { it, host } = await start({ run: job(true) })
    const { effects } = await (await host.actor(it.machine, 'sync', { create: false })).info()
    await host.cancel(it.machine, 'sync', effects[0]!.key, by)
    await pass(5 * MINUTE)
    expect(it.status()).toMatchObject({ state: 'running', failures: 1 })
    expect(runs).toHaveLength(1)
    for (const run of going) run.end()
    await settle(12)
    expect(runs).toHaveLength(2)
    expect(most()).toBe(1)
    for (const run of going) run.end()
    await it.stop()
  })
})

test('what a run logs carries the id of its worker', async () => {
  const { start } = place()
  const { logged } = await start({ every: '1h', run: ({ log }) => log.info('synchronised') })
  expect(logged).toContain('worker sync: synchronised')
})

describe('W1b', () => {
  test('a run that fails is reported, and tried again after a wait that doubles, up to the most', async () => {
    const { start, times, clock, pass } = place()
    const since = clock.now()
    let failing = true
    const { it, said, logged } = await start({
      every: '1h',
      backoff: { first: '1s', max: '5s' },
      run: () => {
        times.push(clock.now() - since)
        if (failing) throw new Error('no network')
      },
    })
    expect(it.status()).toMatchObject({ state: 'backing off', failures: 1, problem: { message: 'no network' } })
    await pass(13 * SECOND)
    expect(times.map((time) => time / SECOND)).toEqual([0, 1, 3, 7, 12])
    expect(said.slice(0, 2)).toEqual(['sync: failed: no network; again in 1s', 'sync: failed: no network; again in 2s'])
    expect(logged.filter((line) => line.includes('no network'))).toHaveLength(5)
    failing = false
    await pass(5 * SECOND)
    expect(it.status()).toMatchObject({ state: 'waiting', failures: 0, runs: 6, problem: null })
    await pass(59 * MINUTE)
    expect(times).toHaveLength(6)
    await pass(MINUTE)
    expect(times).toHaveLength(7)
    await it.stop()
  })

  test('a text that a run throws is logged once, in the message; an error is given with its stack', async () => {
    const broken = new Error('no network')
    const said: unknown[][] = []
    const logger = { ...quiet, warn: (...given: unknown[]) => void said.push(given) }
    for (const thrown of ['just no', broken]) {
      const run = () => {
        throw thrown
      }
      await place().start({ run }, { logger })
    }
    expect(said).toEqual([
      ['worker sync: a run has failed: just no'],
      ['worker sync: a run has failed: no network', broken],
    ])
  })

  test('a process that dies in mid-run: the run counts as interrupted, and is tried again after a wait', async () => {
    const { start, job, journal, runs, pass } = place()
    await start({ run: job(true) })
    expect(runs).toHaveLength(1) // and its process is gone
    const { it, said } = await start({}, { journal })
    expect(it.status()).toMatchObject({ state: 'backing off', failures: 1, last: { outcome: 'interrupted' } })
    expect(said).toEqual(['sync: its process has ended while it ran; again in 1s'])
    await pass(SECOND)
    expect(runs).toHaveLength(2)
    await it.stop()
  })

  test('a run that was due while its worker was not declared waits for that, and counts as no interruption', async () => {
    const { start, open, takes, times, clock, pass } = place()
    const first = await start({ run: takes(0) })
    await pass(0)
    await first.host.close()
    clock.tick('1h')
    const host = await open([])
    await host.register(workersOf(host).machine)
    await pass(0) // the run is due, and its job not known yet
    expect(times).toEqual([0])
    const { it } = await start({ run: takes(0) }, { on: host })
    await pass(0)
    expect(times).toEqual([0, 60 * MINUTE])
    expect(it.status()).toMatchObject({ runs: 2, failures: 0 })
    await it.stop()
  })
})

describe('W1c W1f', () => {
  test('stop interrupts what waits, and resolves once the run has ended', async () => {
    const { start, pass } = place()
    let ended = false
    const { it, said } = await start({
      run: async ({ sleep }) => {
        try {
          await sleep('1h')
        } finally {
          await Promise.resolve()
          ended = true
        }
      },
    })
    await it.stop()
    expect(ended).toBe(true)
    expect(it.status()).toMatchObject({ state: 'stopped', runs: 0, failures: 0, nextAt: null })
    expect(said).toEqual(['sync: stopped'])
    await pass(60 * MINUTE)
    expect(it.status().runs).toBe(0)
  })

  test('while it waits, or backs off, there is nothing to wait for', async () => {
    const { start, pass, runs, last } = place()
    const { it } = await start()
    last().fail(new Error('no'))
    await settle(12)
    await it.stop()
    await it.stop()
    expect(it.status().state).toBe('stopped')
    await pass(60 * MINUTE)
    expect(runs).toHaveLength(1)
    expect((await refused(it.trigger())).code).toBe('CLOSED')
  })

  test('a run that takes no notice: TIMEOUT, nothing else begins, and it is stopped once that has ended', async () => {
    const { start, job, runs, last, pass } = place()
    const { it } = await start({ run: job(true) })
    const stopping = refused(it.stop())
    expect(it.status().state).toBe('stopping')
    await pass(30 * SECOND)
    expect(await stopping).toMatchObject({ code: 'TIMEOUT', retryable: true })
    await pass(60 * MINUTE)
    expect(it.status().state).toBe('stopping')
    const again = it.stop()
    expect(await isPending(again)).toBe(true)
    last().end()
    await again
    expect(it.status().state).toBe('stopped')
    expect(runs).toHaveLength(1)
  })

  test('started again while it has not ended, it runs once that has', async () => {
    const { start, job, runs, last, pass, most } = place()
    const { it } = await start({ run: job(true), stopTimeout: '1s' })
    const stopping = refused(it.stop())
    await pass(SECOND)
    await stopping
    await it.start()
    await pass(MINUTE)
    expect(runs).toHaveLength(1)
    last().end()
    await settle(12)
    expect(runs).toHaveLength(2)
    expect(most()).toBe(1)
    last().end()
    await it.stop()
  })

  test('stop in its own run is a request', async () => {
    const { start } = place()
    const box: { it?: Worker } = {}
    let went = false
    const { it } = await start({
      run: async ({ signal }) => {
        await settle(30)
        await box.it!.stop()
        expect(signal.aborted).toBe(true)
        went = true
      },
    })
    box.it = it
    await settle(60)
    expect(went).toBe(true)
    await it.stop()
    expect(it.status().state).toBe('stopped')
  })

  test('what an earlier run has set going is no part of the next one: its stop waits for that', async () => {
    const { start, pass, job, last, runs } = place()
    let go!: () => void
    const gate = new Promise<void>((resolve) => (go = resolve))
    const box: { stopped?: Promise<void> } = {}
    let nth = 0
    const { it } = await start({
      run: (run) => {
        if (++nth > 1) return job(true)(run)
        void gate.then(() => {
          box.stopped = it.stop()
        })
      },
    })
    await pass(MINUTE)
    expect(runs).toHaveLength(1)
    go()
    await settle(12)
    expect(await isPending(box.stopped!)).toBe(true)
    last().end()
    await box.stopped
    expect(it.status().state).toBe('stopped')
  })

  test('start after stop runs at once, and does nothing otherwise', async () => {
    const { start, runs, last } = place()
    const { it } = await start()
    await it.start()
    expect(runs).toHaveLength(1)
    await it.stop()
    await Promise.all([it.start(), it.start()])
    await settle(12)
    expect(runs).toHaveLength(2)
    last().end()
    await it.stop()
  })

  test('it stays stopped in the next process, until that calls worker()', async () => {
    const { start, open, runs, pass } = place()
    const first = await start()
    await first.it.stop()
    await first.host.close()
    const host = await open([])
    await pass(60 * MINUTE)
    expect(runs).toHaveLength(1)
    const { it } = await start({}, { on: host })
    expect(it.status().state).toBe('running')
    await it.stop()
  })

  test.each(['fails', 'answers nothing'])('a journal that %s does not hold up a stop; nothing begins', async (how) => {
    const { journal, start, runs, pass } = place()
    const faulty = faultyJournal(journal)
    const { it, logged } = await start({}, { journal: faulty })
    if (how === 'fails') faulty.plan = () => ({ when: 'before', code: 'NO_SPACE', retryable: true })
    else faulty.hold()
    const stopped = it.stop()
    await pass(5 * SECOND)
    await stopped
    expect(logged.filter((line) => line.includes('not on record'))).toHaveLength(1)
    faulty.plan = () => undefined
    faulty.release()
    for (let n = 0; n < 10; n++) await pass(MINUTE)
    expect(runs).toHaveLength(1)
    await it.start()
    await pass(MINUTE)
    expect(runs.length).toBeGreaterThan(1)
    await it.stop()
  })
})

describe('W1d', () => {
  test('a run is two commits', async () => {
    const here = place()
    const { it } = await here.start({ run: () => {} })
    const before = await counted(here)
    await here.pass(10 * MINUTE)
    expect(it.status().runs).toBe(11)
    expect((await counted(here)) - before).toBe(20)
    await it.stop()
  })

  const KEPT = 1000
  const RUNS = process.env.DURAMEN_SOAK === undefined ? 2000 : 10_000

  test(`its history is kept short: ${RUNS} runs, and about ${KEPT} on record`, async () => {
    const here = place()
    const { it, logged } = await here.start({ every: '1s', run: () => {} })
    let longest = 0
    for (let n = 1; n <= RUNS; n++) {
      await here.clock.advance(SECOND)
      await settle(6)
      if (n % 50 === 0) longest = Math.max(longest, await counted(here))
    }
    expect(it.status().runs).toBe(RUNS + 1)
    expect(longest).toBeGreaterThan(KEPT)
    expect(longest).toBeLessThan(2 * KEPT + 10)
    expect(logged).toEqual([])
    await it.stop()
  })
})

describe('W1e', () => {
  test('the same id twice is the same worker, also where both are asked for at once; its first run stays', async () => {
    const { open, job, runs, start } = place()
    const host = await open([])
    const options = { id: 'sync', every: '1m', run: job() } as const
    const [a, b] = await Promise.all([worker(host, options), worker(host, { ...options, run: () => {} })])
    expect(a).toBe(b)
    const { it } = await start({ run: () => {} }, { on: host })
    expect(it).toBe(a)
    expect(runs).toHaveLength(1)
    const other = await refused(worker(host, { ...options, every: '2m' }))
    expect(other).toMatchObject({ code: 'BAD_OPTION', where: { machine: 'worker', instance: 'sync' } })
    await it.stop()
  })

  test('stopped, it is started with what is given now', async () => {
    const { start, pass } = place()
    const { it, host } = await start()
    await it.stop()
    let ran = 0
    const again = await worker(host, { id: 'sync', every: '2m', run: () => ran++ })
    expect(again).toBe(it)
    await pass(4 * MINUTE)
    expect(ran).toBe(3)
    await it.stop()
  })

  test('a worker that could not be declared can be, later', async () => {
    const { journal, open, job } = place()
    const faulty = faultyJournal(journal, () => ({ when: 'before', code: 'NO_SPACE', retryable: true }))
    const host = await open([], { journal: faulty })
    const declare = () => worker(host, { id: 'sync', every: '1m', run: job() })
    expect((await refused(declare())).code).toBe('NO_SPACE')
    faulty.plan = () => undefined
    await (await declare()).stop()
  })

  test('in the next process other options hold, and a wait is as long as they say', async () => {
    const { start, takes, times, pass } = place()
    const first = await start({ run: takes(0) })
    await pass(0)
    await first.host.close()
    const { it } = await start({ run: takes(0), every: '10m' })
    await pass(20 * MINUTE)
    expect(times).toEqual([0, 10 * MINUTE, 20 * MINUTE])
    await it.stop()
  })
})

describe('its host', () => {
  test('closed in mid-run: the run is told to end, and begins anew in the next process, as no failure', async () => {
    const { start, runs } = place()
    const first = await start()
    await first.host.close()
    expect(runs[0]!.signal.aborted).toBe(true)
    const { it } = await start()
    expect(runs).toHaveLength(2)
    expect(runs[1]!.key).toBe(runs[0]!.key)
    expect(it.status()).toMatchObject({ state: 'running', runs: 0, failures: 0 })
    await it.stop()
  })

  test('one that an operator holds keeps nobody from starting the host', async () => {
    const { start, runs, last, pass } = place()
    const first = await start()
    last().end()
    await settle(12)
    await first.host.pause(first.it.machine, 'sync', by)
    await first.host.close()
    const { it, host, logged } = await start({ every: '2m' })
    await pass(60 * MINUTE)
    expect(runs).toHaveLength(1)
    expect(logged.filter((line) => line.includes('is paused'))).toHaveLength(1)
    await host.resume(it.machine, 'sync', by)
    await pass(0)
    expect(runs).toHaveLength(2)
    await it.stop()
  })

  test('paused, then stopped: it says so, though that is not on record; started, it goes on once it is resumed', async () => {
    const { start, last, runs, pass } = place()
    const { it, host } = await start()
    last().end()
    await settle(12)
    await host.pause(it.machine, 'sync', by)
    await it.stop()
    expect(it.status()).toMatchObject({ state: 'stopped', nextAt: null, runs: 1 })
    await it.start()
    expect(it.status().state).toBe('waiting')
    await host.resume(it.machine, 'sync', by)
    await pass(MINUTE)
    expect(runs).toHaveLength(2)
    await it.stop()
  })

  test('ended by host.stop its id is free once it was purged; a run that takes no notice ends before the next', async () => {
    const { start, job, runs, last, pass, most } = place()
    const { it, host } = await start({ run: job(true) })
    await host.stop(it.machine, 'sync', by)
    expect(last().signal.aborted).toBe(true)
    const again = () => worker(host, { id: 'sync', every: '2m', run: job() })
    expect((await refused(again())).code).toBe('CLOSED')
    await host.purge(it.machine, 'sync', by)
    const anew = await again()
    await pass(MINUTE)
    expect(runs).toHaveLength(1)
    last().end()
    await settle(12)
    expect(runs).toHaveLength(2)
    expect(most()).toBe(1)
    await anew.stop()
  })

  test('one effect at a time is enough for many workers', async () => {
    const { start } = place()
    const { it, host } = await start({}, { maxEffects: 1 })
    let ran = 0
    const other = await worker(host, { id: 'other', every: '1m', run: () => ran++ })
    await settle(12)
    expect(ran).toBe(1)
    await Promise.all([it.stop(), other.stop()])
  })
})

test('status$ tells how it is now and after each commit; it completes with its host', async () => {
  const { start, last } = place()
  const { it, host } = await start()
  const states: string[] = []
  let completed = 0
  it.status$.subscribe({ next: ({ state }) => states.push(state), complete: () => completed++ })
  it.events$.subscribe({ complete: () => completed++ })
  last().end()
  await settle(12)
  await it.stop()
  await host.close()
  expect(states).toEqual(['running', 'waiting', 'stopped'])
  expect(completed).toBe(2)
})

test('W1c of stop, start and stop in one breath the last one has it', async () => {
  const { start, takes, times, pass } = place()
  const { it, state } = await start({ run: takes(20 * SECOND) })
  await Promise.all([it.stop(), it.start(), it.stop()])
  await pass(5 * MINUTE)
  expect(state()).toBe('stopped')
  await Promise.all([it.stop(), it.start(), it.stop(), it.start()])
  await pass(SECOND)
  expect(state()).toBe('running')
  expect(times).toHaveLength(2)
})

test('W1 a run that fails with the same words is a warning once, and anew after a good one', async () => {
  const here = place()
  const warned: string[] = []
  const logger = { debug() {}, info() {}, warn: (line: string) => void warned.push(line), error() {} }
  const ends = ['away', 'away', 'away', 'full', 'away', undefined, 'away']
  const run = () => {
    const end = ends.shift()
    if (end !== undefined) throw new Error(end)
  }
  await here.start({ run, every: '1s', backoff: { first: '1s', max: '1s' } }, { logger })
  await here.pass(7 * SECOND)
  expect(ends).toEqual([])
  expect(warned.map((line) => line.split(': ').at(-1))).toEqual(['away', 'full', 'away', 'away'])
})
