// V1: a program is looked after, on the virtual clock; the system that it runs on outlives whoever supervises.
import { left, right } from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { DuramenError } from '../../src/index.ts'
import { type ChildRunner, type Notice, type Notifier, supervisor } from '../../src/machines/index.ts'
import { supervisorsOf } from '../../src/machines/supervisor/opened.ts'
import { faultyJournal } from '../../src/testing/index.ts'
import { by, isPending, noUnhandledRejections, refused, settle } from '../support/host.ts'
import { missing, order, place } from './world.ts'

noUnhandledRejections()

const SECOND = 1000
const MINUTE = 60 * SECOND

describe('V1a', () => {
  test('ten restarts within five minutes go on, after 3 s each; the eleventh failure is CRITICAL', async () => {
    const { system, start, pass, fail } = place()
    const { it, said, state, logged } = await start()
    for (let n = 1; n <= 10; n++) {
      await fail()
      expect(it.status()).toMatchObject({ state: 'waiting', restarts: n, pid: null, lastExit: { code: 1 } })
      await pass(3 * SECOND - 1)
      expect(system.starts()).toBe(n)
      await pass(1)
      expect(state()).toBe('running')
    }
    expect(await isPending(it.ended)).toBe(true)
    await fail(7)
    expect(await it.ended).toEqual({ outcome: 'critical', exit: { code: 7, signal: null } })
    expect(system.starts()).toBe(11)
    expect(said.at(-1)).toEqual({
      type: 'critical',
      message: 'CRITICAL: server was restarted 10 times in 5 minutes; the last time it ended with code 7 after 0ms',
    })
    expect(said[1]!.message).toBe('server: ended with code 1 after 0ms; restart 1 of 10 in 3s')
    expect(logged).toContain(said.at(-1)!.message)
    await pass(60 * MINUTE)
    expect(system.starts()).toBe(11)
  })

  test('restarts that are spread over more than the window never become critical', async () => {
    const { system, start, pass, fail } = place()
    const { it } = await start()
    for (let n = 0; n < 100; n++) {
      await fail()
      expect(it.status().state).toBe('waiting')
      await pass(31 * SECOND) // ten of them take longer than five minutes
    }
    expect(system.starts()).toBe(101)
    expect(it.status().restarts).toBeLessThanOrEqual(10)
    await it.stop()
  })

  test('what counts, and where it ends, are options; 0 allows no restart', async () => {
    const { start, pass, fail } = place()
    const { it } = await start({ maxRestarts: 2, window: '10s', restartDelay: '1s' })
    for (const _ of [1, 2]) {
      await fail()
      await pass(SECOND)
    }
    await fail(null, 'SIGSEGV')
    expect(await it.ended).toEqual({ outcome: 'critical', exit: { code: null, signal: 'SIGSEGV' } })
    const second = await place().start({ maxRestarts: 0 })
    expect(second.state()).toBe('running')
    const other = place()
    const never = await other.start({ maxRestarts: 0 })
    await other.fail()
    expect(await never.it.ended).toMatchObject({ outcome: 'critical' })
    expect(other.system.starts()).toBe(1)
  })

  test('backoff: each restart that counts waits longer, up to the most', async () => {
    const { system, start, pass, fail } = place()
    await start({ restartDelay: '1s', backoff: { max: '5s' } })
    for (const wait of [1, 2, 4, 5, 5]) {
      await fail()
      const before = system.starts()
      await pass(wait * SECOND - 1)
      expect(system.starts()).toBe(before)
      await pass(1)
      expect(system.starts()).toBe(before + 1)
    }
  })
})

describe('V1b', () => {
  test('five minutes of stability clear the count', async () => {
    const { start, pass, fail } = place()
    const { it } = await start({ window: '1h' })
    for (let n = 0; n < 10; n++) {
      await fail()
      await pass(3 * SECOND)
    }
    await pass(5 * MINUTE - 1)
    expect(it.status().restarts).toBe(10)
    await pass(1)
    expect(it.status().restarts).toBe(0)
    await fail()
    expect(it.status()).toMatchObject({ state: 'waiting', restarts: 1 })
    await it.stop()
  })

  test('not quite five minutes do not', async () => {
    const { start, pass, fail } = place()
    const { it } = await start({ window: '1h' })
    for (let n = 0; n < 10; n++) {
      await fail()
      await pass(3 * SECOND)
    }
    await pass(5 * MINUTE - 1)
    await fail()
    expect(await it.ended).toMatchObject({ outcome: 'critical' })
  })

  test('time for which nobody supervised clears nothing, however long it was', async () => {
    const { clock, system, start, pass, fail } = place()
    const first = await start({ window: '10h', host: { closeTimeout: 1 } })
    for (let n = 0; n < 9; n++) {
      await fail()
      await pass(3 * SECOND)
    }
    await first.host.close()
    clock.tick('1h')
    const { it } = await start({ window: '10h' })
    await pass(3 * SECOND)
    expect(it.status()).toMatchObject({ state: 'running', restarts: 10 })
    expect(system.most).toBe(1)
    await it.stop()
  })
})

describe('V1c', () => {
  test('a clean end is not restarted', async () => {
    const { system, start, pass, fail } = place()
    const { it, said } = await start()
    await fail(0)
    expect(await it.ended).toEqual({ outcome: 'clean', exit: { code: 0, signal: null } })
    expect(said.map(({ type }) => type)).toEqual(['started', 'clean'])
    await pass(60 * MINUTE)
    expect(system.starts()).toBe(1)
  })

  test('stop while it runs: it is ended, which is no failure, and nothing of it is left', async () => {
    const { system, start, pass } = place()
    const { it, said } = await start()
    await it.stop()
    expect(await it.ended).toEqual({ outcome: 'stopped', exit: { code: null, signal: 'SIGTERM' } })
    expect(system.log).toEqual(['clear', 'start 101', 'end 101'])
    expect(said.map(({ type }) => type)).toEqual(['started', 'stopped'])
    await it.stop()
    expect((await refused(it.restart('again'))).code).toBe('CLOSED')
    await pass(60 * MINUTE)
    expect(system.starts()).toBe(1)
  })

  test('stop resolves only when a program has ended that takes no notice', async () => {
    const { system, start, pass } = place()
    const { it } = await start()
    system.stubborn = true
    const stopped = it.stop()
    expect(await isPending(stopped)).toBe(true)
    expect(it.status()).toMatchObject({ state: 'stopping', pid: 101 })
    await pass(10 * SECOND - 1)
    expect(await isPending(stopped)).toBe(true)
    await pass(1)
    await stopped
    expect(await it.ended).toEqual({ outcome: 'stopped', exit: { code: null, signal: 'SIGKILL' } })
  })

  test('stop while it waits for the next start: there is none', async () => {
    const { system, start, pass, fail } = place()
    const { it } = await start()
    await fail()
    await it.stop()
    expect(await it.ended).toEqual({ outcome: 'stopped', exit: { code: 1, signal: null } })
    await pass(60 * MINUTE)
    expect(system.starts()).toBe(1)
  })

  test.each(['clear', 'start'] as const)('stop while it is started (%s): what comes of that is ended', async (call) => {
    const { system, start } = place()
    let go!: () => void
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const slowly =
      <A>(task: () => Promise<A>) =>
      async () => {
        await gate
        return task()
      }
    const { runner } = system
    const { it } = await start({
      runner: {
        clear: (limit) => (call === 'clear' ? slowly(runner.clear(limit)) : runner.clear(limit)),
        start: (given) => (call === 'start' ? slowly(runner.start(given)) : runner.start(given)),
      },
    })
    expect(it.status().state).toBe('starting')
    const stopped = it.stop()
    expect(await isPending(stopped)).toBe(true)
    go()
    await stopped
    expect(system.alive.size).toBe(0)
    expect(await it.ended).toMatchObject({ outcome: 'stopped' })
  })

  test('stop says so when something of it can not be ended', async () => {
    const { system, start, pass, fail } = place()
    const { it } = await start()
    system.unclear = new DuramenError('CHILD_FAILED', 'pid 7 can not be ended', { retryable: true })
    await fail()
    await pass(3 * SECOND) // it waits again: what is left could not be cleared
    for (const _ of [1, 2]) {
      expect(await refused(it.stop())).toMatchObject({ code: 'CHILD_FAILED', message: 'pid 7 can not be ended' })
      await settle(12)
      expect(it.status()).toMatchObject({ state: 'stuck', problem: { code: 'CHILD_FAILED', hint: null } })
      expect(await isPending(it.ended)).toBe(true)
    }
    await pass(60 * MINUTE)
    expect(system.starts()).toBe(1)
    system.unclear = undefined
    await it.stop()
    expect(it.status()).toMatchObject({ state: 'stopped', problem: null })
    expect(await it.ended).toMatchObject({ outcome: 'stopped' })
  })

  test.each(['is there', 'fails'])(
    'it is not over while the program lives; stopped again it is, the journal %s',
    async (is) => {
      const { journal, system, start } = place()
      const faulty = faultyJournal(journal)
      const { it, said, host } = await start({ host: { journal: faulty } })
      if (is === 'fails') faulty.plan = () => ({ when: 'before', code: 'NO_SPACE', retryable: true })
      system.endless = new DuramenError('CHILD_FAILED', 'pid 101 can not be ended', {
        retryable: true,
        hint: 'Look at it.',
      })
      expect((await refused(it.stop())).code).toBe('CHILD_FAILED')
      await settle(12)
      expect(it.status()).toMatchObject({ state: 'stuck', pid: 101, problem: { hint: 'Look at it.' } })
      expect(said.filter(({ type }) => type === 'stuck')).toHaveLength(is === 'fails' ? 0 : 1)
      expect((await refused(supervisor(host, { id: 'server', runner: system.runner, order }))).code).toBe('BAD_OPTION')
      system.endless = undefined
      faulty.plan = () => undefined
      await it.stop()
      expect(system.alive.size).toBe(0)
      expect(await it.ended).toMatchObject({ outcome: 'stopped', exit: { signal: 'SIGTERM' } })
      expect((await host.actor(it.machine, 'server', { create: false })).getSnapshot().value).toBe('stopped')
    },
  )

  test('a host that is closed does not make it over, either, while the program lives', async () => {
    const { system, start, pass } = place()
    const { it, host } = await start({ host: { closeTimeout: 1 } })
    system.endless = new DuramenError('CHILD_FAILED', 'pid 101 can not be ended', { retryable: true })
    const closed = host.close()
    await pass(SECOND)
    await closed
    expect(await isPending(it.ended)).toBe(true)
    expect((await refused(it.stop())).code).toBe('CHILD_FAILED')
    system.endless = undefined
    await it.stop()
    expect(system.alive.size).toBe(0)
    expect(await it.ended).toMatchObject({ outcome: 'stopped' })
  })
})

describe('V1d', () => {
  test('a restart by hand does not count, does not wait, and says why', async () => {
    const { system, start } = place()
    const { it, said } = await start({ maxRestarts: 1 })
    for (let n = 0; n < 30; n++) {
      await it.restart('new settings')
      await settle(12)
    }
    expect(it.status()).toMatchObject({ state: 'running', restarts: 0 })
    expect(system.starts()).toBe(31)
    expect(system.most).toBe(1)
    expect(said.filter(({ type }) => type === 'restarting')[0]!.message).toBe(
      'server: restarted as asked for (new settings)',
    )
    await it.stop()
  })

  test('where it waits it is started at once; its count stays', async () => {
    const { system, start, fail } = place()
    const { it } = await start()
    await fail()
    await it.restart('I have mended it')
    await settle(12)
    expect(it.status()).toMatchObject({ state: 'running', restarts: 1 })
    expect(system.starts()).toBe(2)
  })
})

describe('V1d a restart that can not be at once', () => {
  test.each([10, 1, 0])(
    'what a killed supervisor left is ended first; then it starts at once (most restarts: %d)',
    async (maxRestarts) => {
      const { journal, system, start } = place()
      await start({ maxRestarts }) // and its process is gone
      let go!: () => void
      const gate = new Promise<void>((resolve) => (go = resolve))
      const clear: ChildRunner['clear'] = (limit) => () => gate.then(system.runner.clear(limit))
      const { it, said } = await start({ maxRestarts, runner: { ...system.runner, clear }, host: { journal } })
      expect(it.status().state).toBe('starting')
      await it.restart('new settings')
      expect(system.starts()).toBe(1)
      go()
      await settle(30)
      expect(it.status()).toMatchObject({ state: 'running', restarts: Math.min(maxRestarts, 1) })
      expect(system.starts()).toBe(2)
      expect(system.most).toBe(1)
      expect(said.map(({ type }) => type)).toEqual(['restarting', 'lost', 'started'])
      await it.stop()
    },
  )

  test('asked for before the first start, or twice, it is one start', async () => {
    const { system, start, pass } = place()
    let go!: () => void
    const gate = new Promise<void>((resolve) => (go = resolve))
    const clear: ChildRunner['clear'] = (limit) => () => gate.then(system.runner.clear(limit))
    const { it } = await start({ runner: { ...system.runner, clear } })
    await it.restart('new settings')
    go()
    await settle(30)
    expect(system.starts()).toBe(1)
    system.stubborn = true
    await Promise.all([it.restart('once'), it.restart('twice')])
    expect(it.status()).toMatchObject({ state: 'stopping', restarts: 0 })
    const stopped = it.stop()
    await pass(10 * SECOND)
    await stopped
  })

  test('one that is given up, while people are told: CLOSED', async () => {
    const { start, fail } = place()
    const { it } = await start({ maxRestarts: 0, notifier: { name: 'ann', notify: () => () => new Promise(() => {}) } })
    await fail()
    expect(await isPending(it.ended)).toBe(true)
    expect((await refused(it.restart('again'))).code).toBe('CLOSED')
    await it.stop()
  })
})

describe('V1e', () => {
  test('a program that is not there is CRITICAL at once, as a shell would say it, and with what to do', async () => {
    const { system, start } = place()
    system.refuse = missing
    const told: Notice[] = []
    const notifier: Notifier = {
      name: 'ann',
      notify: (notice) => async () => {
        told.push(notice)
        return right(undefined)
      },
    }
    const { it, said } = await start({ notifier })
    expect(await it.ended).toEqual({ outcome: 'critical', exit: { code: 127, signal: null } })
    expect(said).toEqual([
      {
        type: 'critical',
        message: "CRITICAL: server can't be started; the last time it failed: server was not found",
      },
    ])
    expect(told).toMatchObject([{ level: 'critical', title: "CRITICAL: server can't be started" }])
    expect(told[0]!.text).toBe('server was not found\nInstall it.\nIt is not started again. Restarts in all: 0.')
  })

  test('one that the system has no room for, and leftovers that can not be ended, are failures as others', async () => {
    for (const trouble of ['refuse', 'unclear'] as const) {
      const { system, start, pass } = place()
      system[trouble] = new DuramenError('CHILD_FAILED', 'not now', { retryable: true })
      const { it, said } = await start()
      expect(it.status()).toMatchObject({ state: 'waiting', restarts: 1 })
      expect(said[0]?.message ?? 'server: failed: not now; restart 1 of 10 in 3s').toBe(
        'server: failed: not now; restart 1 of 10 in 3s',
      )
      system[trouble] = undefined
      await pass(3 * SECOND)
      expect(it.status().state).toBe('running')
    }
  })
})

describe('V1f', () => {
  test('a program that ran when its supervisor was killed is ended before it is started again, and counts', async () => {
    const { system, start, pass, fail, journal } = place()
    const dead = await start()
    await fail()
    await pass(3 * SECOND)
    expect(system.log).toEqual(['clear', 'start 101', 'clear', 'start 102'])
    void dead // it says nothing any more: its process is gone
    const { it, said } = await start({ host: { journal } })
    expect(system.log.slice(4)).toEqual(['clear leftovers'])
    expect(it.status()).toMatchObject({ state: 'waiting', restarts: 2 })
    expect(said.map(({ type }) => type)).toEqual(['lost'])
    await pass(3 * SECOND)
    expect(system.log.slice(4)).toEqual(['clear leftovers', 'clear', 'start 103'])
  })

  test('who was given up has one start with the count as it is', async () => {
    const { system, start, pass, fail } = place()
    const first = await start({ maxRestarts: 2 })
    for (const _ of [1, 2]) {
      await fail()
      await pass(3 * SECOND)
    }
    await fail()
    expect(await first.it.ended).toMatchObject({ outcome: 'critical' })
    await first.host.close()
    const second = await start({ maxRestarts: 2 })
    expect(second.it.status()).toMatchObject({ state: 'running', restarts: 2 })
    await fail()
    expect(await second.it.ended).toMatchObject({ outcome: 'critical' })
    expect(system.starts()).toBe(4)
    await second.host.close()
    await pass(5 * MINUTE)
    const third = await start({ maxRestarts: 2 })
    await fail()
    expect(third.it.status()).toMatchObject({ state: 'waiting', restarts: 1 })
  })

  test('who was stopped is started, its count kept; the settings are those of the last call', async () => {
    const { start, fail } = place()
    const first = await start()
    await fail()
    await first.it.stop()
    await first.host.close()
    const { it } = await start({ maxRestarts: 3, restartDelay: '1m' })
    expect(it.status()).toMatchObject({ state: 'running', restarts: 1, maxRestarts: 3 })
    await fail()
    expect(it.status().nextStartAt! - it.status().startedAt!).toBeGreaterThan(0)
  })

  test('its history is shortened by itself', async () => {
    const { journal, start, pass, fail } = place()
    const { it } = await start({ maxRestarts: 1000, restartDelay: 1 })
    for (let n = 0; n < 700; n++) {
      await fail()
      await pass(1)
    }
    let records = 0
    for await (const _ of journal.read('supervisor/server')) records++
    expect(records).toBeLessThan(2100)
    expect(it.status()).toMatchObject({ state: 'running', restarts: 700 })
    await it.stop()
  })
})

describe('V1g', () => {
  test('a wait that has passed while nobody supervised starts nothing twice, and is no failure', async () => {
    const { clock, system, start, pass, fail, open } = place()
    const first = await start()
    await fail()
    await first.host.close()
    clock.tick('1h')
    const host = await open([])
    await host.register(supervisorsOf(host).machine) // its timer is due at once, before anybody supervises
    await settle(12)
    expect(system.starts()).toBe(1)
    const it = await supervisor(host, { id: 'server', runner: system.runner, order })
    await pass(0)
    expect(it.status()).toMatchObject({ state: 'running', restarts: 0 })
    expect(system.starts()).toBe(2)
  })

  test('one that has not passed goes on', async () => {
    const { system, start, pass, fail } = place()
    const first = await start()
    await fail()
    await pass(SECOND)
    await first.host.close()
    const { it } = await start()
    expect(it.status()).toMatchObject({ state: 'waiting', restarts: 1 })
    await pass(2 * SECOND - 1)
    expect(system.starts()).toBe(1)
    await pass(1)
    expect(system.starts()).toBe(2)
  })
})

describe('V1h', () => {
  const critical = async (notifier: Notifier) => {
    const here = place()
    const started = await here.start({ maxRestarts: 0, notifier })
    await here.fail()
    return { ...here, ...started }
  }

  test('people are told that it is critical, once, before it is over', async () => {
    const told: Notice[] = []
    const { it } = await critical({
      name: 'ann',
      notify: (notice) => async () => {
        told.push(notice)
        return right(undefined)
      },
    })
    await it.ended
    expect(told).toHaveLength(1)
  })

  test('a notifier that never answers holds up the end for 10 s, and is called off', async () => {
    let signal: AbortSignal | undefined
    const { it, pass, logged } = await critical({
      name: 'ann',
      notify: (_, given) => {
        signal = given
        return () => new Promise(() => {})
      },
    })
    await pass(10 * SECOND - 1)
    expect(await isPending(it.ended)).toBe(true)
    await pass(1)
    expect(await it.ended).toMatchObject({ outcome: 'critical' })
    expect(signal!.aborted).toBe(true)
    expect(logged).toContain('server: ann could not be told that it is CRITICAL: no answer within 10000 ms')
  })

  test('who stops it does not wait for that', async () => {
    const { it, system } = await critical({ name: 'ann', notify: () => () => new Promise(() => {}) })
    await it.stop()
    expect(await it.ended).toMatchObject({ outcome: 'critical' })
    expect(system.alive.size).toBe(0)
  })

  test.each<[string, Notifier['notify']]>([
    ['fails', () => async () => left(new DuramenError('IO', 'no network'))],
    [
      'throws',
      () => {
        throw new Error('no network')
      },
    ],
  ])('one that %s does not', async (_, notify) => {
    const { it, logged } = await critical({ name: 'ann', notify })
    expect(await it.ended).toMatchObject({ outcome: 'critical' })
    expect(logged.filter((line) => line.includes('no network'))).toHaveLength(1)
  })
})

describe('a journal that fails', () => {
  const full = { when: 'before', code: 'NO_SPACE', retryable: true } as const

  test('the program goes on, and stop ends it all the same', async () => {
    const { journal, system, start, pass } = place()
    const faulty = faultyJournal(journal)
    const { it, logged } = await start({ host: { journal: faulty } })
    faulty.plan = () => full
    await pass(MINUTE)
    expect(system.alive.size).toBe(1)
    expect((await refused(it.restart('try'))).code).toBe('NO_SPACE')
    expect(system.alive.size).toBe(1)
    await it.stop()
    expect(system.alive.size).toBe(0)
    expect(await it.ended).toEqual({ outcome: 'stopped', exit: { code: null, signal: 'SIGTERM' } })
    expect(logged.filter((line) => line.includes('not on record'))).toHaveLength(1)
    faulty.plan = () => undefined
    await pass(MINUTE)
    expect(system.starts()).toBe(1)
  })

  test('one that answers nothing does not hold up a stop', async () => {
    const { journal, system, start, pass } = place()
    const faulty = faultyJournal(journal)
    const { it } = await start({ host: { journal: faulty } })
    faulty.hold()
    const stopped = it.stop()
    await pass(5 * SECOND)
    await stopped
    expect(system.alive.size).toBe(0)
    faulty.release()
  })

  test('V1i one that has failed for good, and a program that has ended: that is CRITICAL, and people are told', async () => {
    const { journal, system, start, pass, fail } = place()
    const faulty = faultyJournal(journal)
    const told: Notice[] = []
    const notify: Notifier['notify'] = (notice) => async () => {
      told.push(notice)
      return right(undefined)
    }
    const { it, logged } = await start({ notifier: { name: 'ann', notify }, host: { journal: faulty } })
    faulty.plan = () => ({ when: 'before', code: 'JOURNAL_FAILED' })
    await pass(60 * MINUTE)
    expect(system.alive.size).toBe(1)
    await fail()
    await pass(5 * SECOND)
    expect(await it.ended).toEqual({ outcome: 'critical', exit: { code: 1, signal: null } })
    expect(it.status().state).toBe('critical')
    expect(told.map(({ title }) => title)).toEqual([
      "CRITICAL: server can't be looked after any more: supervisor/server: as planned",
    ])
    expect(logged).toContain(told[0]!.title)
  })

  test('V1i parked by an operator it is his to let it go on', async () => {
    const { system, start, pass, fail } = place()
    const { it, host } = await start()
    await host.park(it.machine, 'server', by)
    await fail()
    await pass(60 * MINUTE)
    expect(await isPending(it.ended)).toBe(true)
    await host.resume(it.machine, 'server', by)
    await settle(12)
    await pass(3 * SECOND)
    expect(system.starts()).toBe(2)
    await it.stop()
  })

  test('a failure that could not be recorded is, once it can be, and the program is started again', async () => {
    const { journal, system, start, pass, fail } = place()
    const faulty = faultyJournal(journal)
    const { it } = await start({ host: { journal: faulty } })
    faulty.plan = () => full
    await fail()
    await pass(MINUTE)
    expect(system.starts()).toBe(1)
    faulty.plan = () => undefined
    for (let n = 0; n < 10; n++) await pass(SECOND)
    expect(it.status()).toMatchObject({ state: 'running', restarts: 1 })
  })
})

describe('its host', () => {
  test('closed without a stop: the program does not outlive it', async () => {
    const { system, start } = place()
    const { it, host } = await start()
    await host.close()
    expect(system.alive.size).toBe(0)
    expect(await it.ended).toMatchObject({ outcome: 'stopped' })
  })

  test('looks after a program once', async () => {
    const { system, start } = place()
    const { host, it } = await start()
    const again = () => supervisor(host, { id: 'server', runner: system.runner, order })
    expect(await refused(again())).toMatchObject({ code: 'BAD_OPTION', message: "'server' is supervised already" })
    await it.stop()
    await (await again()).stop()
  })

  test.each(['pause', 'park'] as const)('%s by an operator: nobody supervises until it is resumed', async (hold) => {
    const { system, start } = place()
    const first = await start()
    const { machine } = first.it
    await first.it.stop()
    await first.host[hold](machine, 'server', by)
    const again = () => supervisor(first.host, { id: 'server', runner: system.runner, order })
    expect((await refused(again())).code).toBe(hold === 'pause' ? 'PAUSED' : 'PARKED')
    await first.host.resume(machine, 'server', by)
    await (await again()).stop()
  })

  test('host.stop ends the program, too; the id is free once it was purged', async () => {
    const { system, start } = place()
    const { host, it } = await start()
    await host.stop(it.machine, 'server', by)
    expect(await it.ended).toMatchObject({ outcome: 'stopped' })
    expect(system.alive.size).toBe(0)
    const again = () => supervisor(host, { id: 'server', runner: system.runner, order })
    expect((await refused(again())).code).toBe('CLOSED')
    await host.purge(it.machine, 'server', by)
    await (await again()).stop()
  })

  test('one effect at a time is enough for it', async () => {
    const { system, start, pass, fail } = place()
    const { it } = await start({ host: { maxEffects: 1 } })
    await fail()
    await pass(3 * SECOND)
    expect(system.starts()).toBe(2)
    await it.stop()
  })
})

test('times that never pass are refused, by name; waits without a delay do not grow', async () => {
  const { start, fail, pass, system } = place()
  for (const name of ['restartDelay', 'window', 'stable', 'stopTimeout'])
    expect(await refused(start({ [name]: Number.POSITIVE_INFINITY }))).toMatchObject({
      code: 'BAD_OPTION',
      message: `${name}: Infinity never passes`,
    })
  await start({ restartDelay: 0, maxRestarts: 1000, backoff: {} })
  for (let n = 0; n < 200; n++) {
    await fail()
    await pass(0)
  }
  expect(system.starts()).toBe(201)
})

test('status$ tells how it is now and after each commit, events$ what happens; both complete at the end', async () => {
  const { start, pass, fail } = place()
  const { it } = await start()
  const states: string[] = []
  let completed = 0
  it.status$.subscribe({ next: ({ state }) => states.push(state), complete: () => completed++ })
  it.events$.subscribe({ complete: () => completed++ })
  await fail()
  await pass(3 * SECOND)
  await it.stop()
  await settle()
  expect(states).toEqual(['running', 'waiting', 'starting', 'starting', 'running', 'stopping', 'stopped'])
  expect(completed).toBe(2)
})

test.each([0, 60 * MINUTE])(
  'V1a a clock that is put back while it runs, or waits, does not keep it from being restarted (%d)',
  async (first) => {
    const { system, start, pass, fail, clock } = place()
    let set = 0
    await start({ host: { clock: { now: () => clock.now() + set, after: clock.after } } })
    set = -first
    await fail()
    set = -60 * MINUTE
    for (let n = 0; n < 15; n++) await pass(SECOND)
    expect(system.starts()).toBe(2)
  },
)
