// C1: a connection on a host whose clock stands still until it is told to go on, to a database that comes and goes.
import { afterEach, expect, test } from 'vitest'
import { createActor, fromPromise } from 'xstate'
import { DuramenError, type Host, openHost } from '../../src/index.ts'
import { memoryJournal } from '../../src/journal/index.ts'
import {
  type Connection,
  type ConnectionMessage,
  type ConnectionOptions,
  connection,
  connectionMachine,
  withConnection,
} from '../../src/machines/index.ts'
import { settle, virtualClock } from '../../src/testing/index.ts'
import { deferred } from '../support/deferred.ts'
import { noUnhandledRejections, refused } from '../support/host.ts'
import { database } from './world.ts'

noUnhandledRejections()

const hosts: Host[] = []
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})

async function opened(
  options: Partial<ConnectionOptions<string>> = {},
  answers: ReturnType<typeof database>['answers'] = 'yes',
) {
  const clock = virtualClock()
  const lines: string[] = []
  const log = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  const logger = { debug() {}, info: log('info'), warn: log('warn'), error: log('error') }
  const host = await openHost({ journal: memoryJournal(), clock, logger })
  hosts.push(host)
  const db = database()
  db.answers = answers
  const made = connection(host, { driver: db.driver, id: 'db', ...options })
  const messages: ConnectionMessage[] = []
  made.events$.subscribe((message) => messages.push(message))
  await settle()
  return {
    clock,
    lines,
    host,
    db,
    made,
    messages,
    connects: () => db.calls.filter((call) => call === 'connect').length,
  }
}

const word = (made: Connection<unknown>) => [made.status().state, made.status().database]

test('C1a: a database that is away: three attempts, then an open circuit, then trials, then it is there', async () => {
  const { clock, lines, db, made, connects } = await opened({}, 'never')
  expect(word(made)).toEqual(['connecting', 'disconnected'])
  await clock.advance('10s')
  expect(connects()).toBe(1)
  await clock.advance('250ms')
  expect(made.status()).toMatchObject({ attempt: 2, attempts: 3 })
  await clock.advance('10500ms')
  await clock.advance('10s')
  expect(word(made)).toEqual(['disconnected', 'disconnected'])
  expect(lines).toEqual([
    'info db: attempt 1/3 to connect to test://db',
    'warn db: attempt 1/3 failed: silent',
    'info db: attempt 2/3 to connect to test://db',
    'warn db: attempt 2/3 failed: silent',
    'info db: attempt 3/3 to connect to test://db',
    'error db: not connected after 3 of 3 attempts: silent; next trial within 5 s',
  ])
  expect(connects()).toBe(3)
  const begun: number[] = []
  for (const wait of [5, 10, 20, 30, 30]) {
    const before = connects()
    await clock.advance(wait * 1000 - 1)
    expect(connects()).toBe(before)
    await clock.advance(1)
    expect(connects()).toBe(before + 1)
    begun.push(connects())
    await clock.advance('10s') // the trial ends
  }
  expect(db.connecting).toBe(0)
  expect(lines.length).toBe(6) // what is repeated is not told
  db.answers = 'refused'
  await clock.advance('30s')
  db.answers = 'yes'
  await clock.advance('30s')
  expect(word(made)).toEqual(['connected', 'connected'])
  expect(lines.slice(6)).toEqual([
    'error db: the trial failed: a wrong password; next trial within 30 s',
    'info db: connected to test://db',
  ])
  expect(made.status().problem).toBeNull()
})

test('C1a: the driver sees the server again: the trial comes at once, whatever wait was left', async () => {
  const { clock, db, made } = await opened({}, 'no')
  await clock.advance('1m')
  expect(made.status().state).toBe('disconnected')
  db.answers = 'yes'
  db.says('up')
  await settle()
  expect(made.status().state).toBe('connected')
})

test('C1b: a wrong password is told at once, and tried again only after the longest wait', async () => {
  const { clock, lines, db, made, connects } = await opened({}, 'refused')
  expect(made.status()).toMatchObject({
    state: 'disconnected',
    problem: { code: 'NO_PERMISSION', hint: 'mend it', lasting: true },
  })
  expect(lines.at(-1)).toBe('error db: not connected after 1 of 3 attempts: a wrong password; next trial within 30 s')
  await clock.advance('1h')
  expect(connects()).toBe(121)
  expect(lines.length).toBe(2)
  db.answers = 'yes'
  await clock.advance('30s')
  expect(made.status().state).toBe('connected')
})

test('C1b: what is in the way is told again when it is another', async () => {
  const { clock, lines, db } = await opened({}, 'no')
  await clock.advance('1m')
  db.answers = 'refused'
  await clock.advance('30s')
  expect(lines.filter((line) => line.startsWith('error')).length).toBe(2)
})

test('C1c: a hundred losses fill no log and no journal; the circuit opens, and the wait is the longest', async () => {
  const { clock, lines, host, db, made, connects, messages } = await opened()
  for (let flaps = 0; flaps < 100; flaps++) {
    while (made.status().state !== 'connected') await clock.advance('250ms')
    db.says('down')
    db.says('up')
    await settle()
  }
  expect(made.status().state).toBe('disconnected')
  expect(connects()).toBe(100)
  expect(clock.now()).toBeGreaterThan(90 * 30_000)
  expect(lines.length).toBeLessThan(12)
  expect(messages.filter(({ type }) => type === 'connected').length).toBeGreaterThan(90)
  for await (const entry of host.records()) expect.fail(`${entry.machine} is on record`)
  await clock.advance('30s')
  await clock.advance('10s')
  expect(lines.at(-1)).toBe('info db: connected for 10 s')
  db.says('down')
  expect(made.status()).toMatchObject({ state: 'connecting', attempt: 1 }) // it counts anew
})

test('C1c: a word of the driver between its answer and the state is not lost', async () => {
  const { clock, db, made } = await opened({}, 'no')
  await clock.advance('1m')
  db.answers = 'yes'
  const { connect } = db.driver
  Object.assign(db.driver, {
    connect: (signal: AbortSignal) => async () => {
      const answer = await connect(signal)()
      queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => db.says('down'))))
      return answer
    },
  })
  db.says('up')
  await settle()
  expect(made.status().state).not.toBe('connected')
})

test('C1d: work waits for the connection, and a hundred begin once it is there', async () => {
  const { clock, db, made } = await opened({}, 'never')
  const early = Array.from({ length: 100 }, () => refused(withConnection(made, () => expect.fail('it has begun'))))
  await settle()
  expect(made.status().works).toBe(0)
  await clock.advance('10s')
  for (const error of await Promise.all(early)) expect(error).toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
  db.answers = 'yes'
  const more = Array.from({ length: 100 }, (_, i) => withConnection(made, async (name) => `${name} ${i}`))
  await clock.advance('1s')
  expect((await Promise.all(more)).at(-1)).toBe('db 99')
})

test('C1d: an open circuit refuses at once, and says why', async () => {
  const { clock, made } = await opened({}, 'no')
  await clock.advance('2s')
  const error = await refused(withConnection(made, () => expect.fail('it has begun'), { patience: '1h' }))
  expect(error).toMatchObject({ code: 'NOT_CONNECTED', retryable: true, message: 'db: its circuit is open: refused' })
})

test('C1d: who tries again without a wait, while the circuit is open or after close, leaves the event loop free', async () => {
  const { clock, made } = await opened({}, 'no')
  await clock.advance('2s')
  const turnsWhileTrying = async () => {
    let turned = false
    setTimeout(() => {
      turned = true
    })
    for (let i = 0; i < 100_000 && !turned; i++) await refused(withConnection(made, () => 1))
    return turned
  }
  expect(await turnsWhileTrying()).toBe(true)
  await made.close()
  expect(await turnsWhileTrying()).toBe(true)
})

test('C1d: rollback is called once, with a connection that lives, and its error hides nothing', async () => {
  const { lines, made } = await opened()
  const given: unknown[] = []
  const broken = new Error('broken')
  const work = () => Promise.reject(broken)
  const rollback = (...args: unknown[]) => {
    given.push(args)
    throw new Error('so is the rollback')
  }
  await expect(withConnection(made, work, { rollback })).rejects.toBe(broken)
  expect(given).toEqual([['db', { signal: expect.any(AbortSignal), error: broken }]])
  expect(lines.at(-1)).toBe('error db: what has failed could not be rolled back: so is the rollback')
})

test('C1d: rollback waits for a connection that is lost, or is left out', async () => {
  const { clock, db, made, lines } = await opened()
  await clock.advance('10s')
  let undone = 0
  const fail = () =>
    withConnection(
      made,
      () => {
        db.says('down')
        throw new Error('lost')
      },
      { rollback: () => undone++ },
    )
  db.answers = 'never'
  const first = fail()
  await settle()
  expect(undone).toBe(0)
  db.answers = 'yes'
  const end = expect(first).rejects.toThrow('lost')
  await clock.advance('5s')
  expect(undone).toBe(0)
  await clock.advance('5s')
  await clock.advance('1s')
  await end
  const after = undone
  await clock.advance('20s')
  db.answers = 'no'
  const second = expect(fail()).rejects.toThrow('lost')
  await clock.advance('10s')
  await second
  expect(undone).toBe(after)
  expect(lines.filter((line) => line.includes('could not be rolled back')).length).toBe(2 - after)
})

test('C1d: the caller calls it off: while it waits, and while it works', async () => {
  const { made } = await opened({}, 'never')
  const off = new AbortController()
  const waits = refused(withConnection(made, () => 1, { signal: off.signal }))
  off.abort()
  expect(await waits).toMatchObject({ code: 'ABORTED' })
  const there = (await opened()).made
  const again = new AbortController()
  const works = withConnection(
    there,
    (_, { signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
    {
      signal: again.signal,
    },
  )
  await settle()
  again.abort(new Error('enough'))
  await expect(works).rejects.toThrow('enough')
})

test('C1e: close waits for work, refuses who waits, and is the same when called twice', async () => {
  const { db, made } = await opened()
  const gate = deferred<string>()
  const works = withConnection(made, () => gate.promise)
  await settle()
  const [first, second] = [made.close(), made.close()]
  expect(await refused(withConnection(made, () => 1))).toMatchObject({ code: 'CLOSED' })
  expect(db.calls).not.toContain('close')
  gate.resolve('done')
  expect(await works).toBe('done')
  await Promise.all([first, second])
  expect(db.calls.filter((call) => call === 'close').length).toBe(1)
  expect(word(made)).toEqual(['closed', 'disconnected'])
})

test('C1e: work that throws at once is over, also for close', async () => {
  const { made } = await opened()
  const broken = () => {
    throw new Error('at once')
  }
  await expect(withConnection(made, broken)).rejects.toThrow('at once')
  await expect(withConnection(made, broken, { rollback: broken })).rejects.toThrow('at once')
  expect(made.status().works).toBe(0)
  await made.close()
})

test('C1d: who calls off his work does not call off its rollback', async () => {
  const { made } = await opened()
  const off = new AbortController()
  const undoing = deferred<AbortSignal>()
  const undone = deferred()
  const works = withConnection(made, () => Promise.reject(new Error('failed')), {
    signal: off.signal,
    rollback: async (_, { signal }) => {
      undoing.resolve(signal)
      await undone.promise
    },
  }).catch((error) => error)
  const signal = await undoing.promise
  off.abort()
  expect(signal.aborted).toBe(false)
  undone.resolve(undefined)
  expect(await works).toMatchObject({ message: 'failed' })
})

test('C1e: work that takes too long is aborted and may undo what it did; then the driver is closed', async () => {
  const { clock, db, made } = await opened()
  const undone: unknown[] = []
  const works = withConnection(
    made,
    (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    { rollback: (...given) => undone.push(given[0], db.calls.includes('close')) },
  ).catch((error) => error)
  const stubborn = withConnection(made, () => new Promise(() => {}))
  await settle()
  const closed = made.close()
  await clock.advance('10s')
  expect(await works).toMatchObject({ code: 'CLOSED' })
  expect(undone).toEqual(['db', false])
  await clock.advance('1s')
  await closed
  expect(db.calls).toContain('close')
  void stubborn
})

test('C1e: close while it connects, while it pauses, while the circuit is open; a driver that does not close', async () => {
  for (const [answers, ms] of [
    ['never', 0],
    ['ignores', 0],
    ['no', 100],
    ['no', 60_000],
  ] as const) {
    const { clock, db, made, lines } = await opened({}, answers)
    await clock.advance(ms)
    const waits = withConnection(made, () => 1).catch((error) => error)
    await made.close()
    expect(['CLOSED', 'NOT_CONNECTED']).toContain((await waits).code)
    expect(db.calls.at(-1)).toBe('close')
    const before = lines.length
    await clock.advance('1h')
    expect([db.calls.at(-1), lines.length]).toEqual(['close', before])
    expect(clock.waiting).toBe(1) // the host’s own
  }
  const { clock, db, made } = await opened()
  db.closeHangs = true
  const closing = refused(made.close())
  await clock.advance('10s')
  expect(await closing).toMatchObject({ code: 'TIMEOUT' })
})

test('C1e: the end of the host closes it, after its effects, and frees the id', async () => {
  const { host, db, made } = await opened()
  expect(() => connection(host, { driver: db.driver, id: 'db' })).toThrow(DuramenError)
  const other = connection(host, { driver: database().driver, id: 'other' })
  await other.close()
  connection(host, { driver: database().driver, id: 'other' })
  let completed = 0
  made.status$.subscribe({ complete: () => completed++ })
  made.events$.subscribe({ complete: () => completed++ })
  await host.close()
  expect(db.calls).toContain('close')
  expect(completed).toBe(2)
  expect(() => connection(host, { driver: db.driver })).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

test('C1: the machine runs by itself, on XState alone', async () => {
  const waits: { fn: () => void; ms: number }[] = []
  const clock = { setTimeout: (fn: () => void, ms: number) => waits.push({ fn, ms }), clearTimeout() {} }
  const input = { id: 'x', name: 'there', settings: { attempts: 2, openFor: { first: 100, max: 150 } } }
  const said: string[] = []
  const actor = createActor(
    connectionMachine.provide({ actors: { connect: fromPromise(() => Promise.reject(new Error('away'))) } }),
    { input, clock },
  )
  actor.on('*', ({ type }) => said.push(type))
  actor.start()
  for (let i = 0; i < 4; i++) {
    await settle()
    waits.at(-1)!.fn()
  }
  await settle()
  expect(said).toEqual([
    'attempt',
    'failed',
    'attempt',
    'opened',
    'trial',
    'opened',
    'trial',
    'opened',
    'trial',
    'opened',
  ])
  expect(waits.map(({ ms }) => ms)).toEqual([250, 100, 150, 150, 150])
  actor.send({ type: 'CLOSE' })
  expect(actor.getSnapshot().status).toBe('done')
})
