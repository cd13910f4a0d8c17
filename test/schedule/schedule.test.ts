// Schedules on a host, by rule.
import { describe, expect, test } from 'vitest'
import { fromPromise, setup } from 'xstate'
import { durable } from '../../src/index.ts'
import { schedule } from '../../src/machines/index.ts'
import { settle } from '../../src/testing/index.ts'
import { noUnhandledRejections, refused, texts, world } from '../support/host.ts'
import { faultyJournal } from '../support/journals.ts'
import { place, type Started } from '../support/schedule.ts'

noUnhandledRejections()

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Lets the run that is due at this time end. */
const end = async (host: { send: any }, { job }: Started, time: string) => {
  await host.send(job, `s@2026-01-01T${time}:00.000Z`, { type: 'END' })
  await settle()
}

test('T1 T2 T3 a run at each due time, not before, without drift', async () => {
  const { clock, open, start } = place()
  const host = await open()
  const s = await start(host, { every: '1m', overlap: 'allow', input: { n: 1 } })
  expect(s.next()).toEqual(new Date('2026-01-01T00:01:00Z'))
  await clock.advance(MINUTE - 1)
  expect(await s.times()).toEqual([])
  await clock.advance(1)
  expect(await s.times()).toEqual(['2026-01-01T00:01'])
  await clock.advance(10 * MINUTE + 17)
  expect(await s.times()).toHaveLength(11)
  expect(s.next()).toEqual(new Date('2026-01-01T00:12:00Z'))
  const [first] = await s.runs()
  expect(first).toMatchObject({ machine: 'job', id: 's@2026-01-01T00:01:00.000Z', status: 'active', state: 'running' })
  expect((await host.actor(s.job, first!.id)).getSnapshot().context.given).toEqual({ n: 1 })
  expect(s.story().slice(0, 2)).toEqual(['made 2026-01-01T00:01', 'made 2026-01-01T00:02'])
})

test('T3 an anchor is counted from, also one that is to come', async () => {
  const { clock, open, start } = place()
  const host = await open()
  const past = await start(host, { every: '1h', anchor: '2020-05-05T00:20:00Z', overlap: 'allow' }, 'past')
  const later = await start(host, { every: '1h', anchor: new Date('2026-01-01T02:00:00Z'), overlap: 'allow' }, 'later')
  await clock.advance(3 * HOUR)
  expect(await past.times()).toEqual(['2026-01-01T00:20', '2026-01-01T01:20', '2026-01-01T02:20'])
  expect(await later.times()).toEqual(['2026-01-01T02:00', '2026-01-01T03:00'])
})

test('T4 a night in Berlin in which the clocks change, through restarts', async () => {
  const { clock, open, start } = place('2026-10-24T12:00:00Z')
  const options = { cron: '30 2 * * *', timezone: 'Europe/Berlin', overlap: 'allow' } as const
  for (let i = 0; i < 5; i++) {
    const host = await open()
    await start(host, options)
    await clock.advance(8 * HOUR + 13)
    await host.close()
  }
  const s = await start(await open(), options)
  expect(await s.times()).toEqual(['2026-10-25T00:30', '2026-10-26T01:30'])
})

test('a function makes the input of each run, and is told which', async () => {
  const { clock, open, start } = place()
  const host = await open()
  const s = await start(host, { every: '1m', overlap: 'allow', input: async (run: unknown) => ({ run }) })
  await clock.advance(MINUTE)
  const id = 's@2026-01-01T00:01:00.000Z'
  const { given } = (await host.actor(s.job, id)).getSnapshot().context
  expect(given).toEqual({ run: { id, due: new Date('2026-01-01T00:01:00Z') } })
})

describe('T5 the run before has not ended', () => {
  test('skip leaves the run out, and says so', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const s = await start(host, { every: '1m' })
    await clock.advance(3 * MINUTE)
    expect(await s.times()).toEqual(['2026-01-01T00:01'])
    await end(host, s, '00:01')
    await clock.advance(MINUTE)
    expect(await s.times()).toEqual(['2026-01-01T00:01', '2026-01-01T00:04'])
    expect(s.story()).toEqual([
      'made 2026-01-01T00:01',
      'skipped 2026-01-01T00:02',
      'skipped 2026-01-01T00:03',
      'made 2026-01-01T00:04',
    ])
  })

  test('queue begins it afterwards, in order, and leaves out what is beyond the limit; also across a restart', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const options = { every: '1m', overlap: 'queue', limit: 2, catchUp: 'none' } as const
    const s = await start(host, options)
    await clock.advance(4 * MINUTE)
    expect(s.story()).toEqual(['made 2026-01-01T00:01', 'skipped 2026-01-01T00:04'])
    await end(host, s, '00:01')
    expect(await s.times()).toEqual(['2026-01-01T00:01', '2026-01-01T00:02'])
    await host.close()
    const second = await open()
    const t = await start(second, options)
    expect(await t.times()).toEqual(['2026-01-01T00:01', '2026-01-01T00:02'])
    await end(second, t, '00:02')
    await end(second, t, '00:03')
    expect(await t.times()).toEqual(['2026-01-01T00:01', '2026-01-01T00:02', '2026-01-01T00:03'])
  })

  test('allow takes no notice', async () => {
    const { clock, open, start } = place()
    const s = await start(await open(), { every: '1m', overlap: 'allow' })
    await clock.advance(3 * MINUTE)
    expect(await s.times()).toHaveLength(3)
  })

  test('T8 a parked run has not ended; one that has does not stop the schedule, however it ended', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const s = await start(host, { every: '1m' })
    await clock.advance(MINUTE)
    await host.send(s.job, 's@2026-01-01T00:01:00.000Z', { type: 'FAIL' })
    await settle()
    expect((await s.runs()).map(({ status }) => status)).toEqual(['parked'])
    await clock.advance(MINUTE)
    expect(s.story()).toEqual(['made 2026-01-01T00:01', 'skipped 2026-01-01T00:02'])
  })
})

describe('T6 after a long time down', () => {
  test.each([
    ['none', [], 'missed 2026-01-01T01:00 2026-01-03T01:00'],
    ['last', ['2026-01-03T01:00'], 'missed 2026-01-01T01:00 2026-01-03T00:00'],
    ['all', ['2026-01-02T23:00', '2026-01-03T00:00', '2026-01-03T01:00'], 'missed 2026-01-01T01:00 2026-01-02T22:00'],
  ] as const)('%s', async (catchUp, expected, missed) => {
    const { journal, clock, open, start } = place()
    const options = { every: '1h', overlap: 'allow', catchUp, limit: 3 } as const
    const host = await open()
    await start(host, options)
    await host.close()
    await clock.advance(49 * HOUR + 5 * MINUTE)
    const s = await start(await open(), options)
    expect(await s.times()).toEqual(expected)
    expect(s.story()).toEqual([missed, ...expected.map((time) => `made ${time}`)])
    expect(s.next()).toEqual(new Date('2026-01-03T02:00:00Z'))
    expect((await texts(journal, 'job.schedule/s')).length, 'what was missed costs no records').toBeLessThan(12)
  })

  test('a restart within the grace misses nothing', async () => {
    const { clock, open, start } = place()
    const options = { every: '1h', catchUp: 'none', grace: '10m' } as const
    const host = await open()
    await start(host, options)
    await host.close()
    await clock.advance(HOUR + 9 * MINUTE)
    const s = await start(await open(), options)
    expect(s.story()).toEqual(['made 2026-01-01T01:00'])
  })
})

describe('T7 the clock jumps', () => {
  test('back: nothing runs twice, nothing early; it goes on where it was', async () => {
    const { clock, jump, open, start } = place()
    const s = await start(await open(), { every: '1h', overlap: 'allow' })
    await clock.advance(2 * HOUR)
    jump(-90 * MINUTE)
    await clock.advance(2 * HOUR + 29 * MINUTE)
    expect(await s.times()).toEqual(['2026-01-01T01:00', '2026-01-01T02:00'])
    await clock.advance(2 * MINUTE)
    expect(await s.times()).toEqual(['2026-01-01T01:00', '2026-01-01T02:00', '2026-01-01T03:00'])
  })

  test('back while the host is down', async () => {
    const { clock, jump, open, start } = place()
    const options = { every: '1h', overlap: 'allow', catchUp: 'all' } as const
    const host = await open()
    await start(host, options)
    await clock.advance(2 * HOUR)
    await host.close()
    jump(-2 * HOUR)
    const s = await start(await open(), options)
    await clock.advance(2 * HOUR + 59 * MINUTE)
    expect(await s.times()).toHaveLength(2)
    await clock.advance(MINUTE)
    expect(await s.times()).toHaveLength(3)
    expect(s.story()).toEqual(['made 2026-01-01T03:00'])
  })

  test('on: what lies between was missed', async () => {
    const { clock, jump, open, start } = place()
    const s = await start(await open(), { every: '1h', overlap: 'allow' })
    jump(5 * HOUR + 30 * MINUTE)
    await clock.advance(30_000)
    expect(s.story()).toEqual(['missed 2026-01-01T01:00 2026-01-01T04:00', 'made 2026-01-01T05:00'])
  })
})

test.each([
  ['its machine', { bad: true }, 'MACHINE_THREW'],
  ['its input', () => Promise.reject(new TypeError('no input')), 'FAILED'],
  ['input that cannot be kept', () => ({ not: () => 'plain' }), 'NOT_SERIALIZABLE'],
])('T8 a run that can not begin for %s is reported, and the next has its turn', async (_, input: any, code) => {
  const { clock, open, start } = place()
  const host = await open()
  let bad = true
  const s = await start(host, {
    every: '1m',
    input: () => (bad ? (typeof input === 'function' ? input() : input) : {}),
  })
  await clock.advance(MINUTE)
  expect(s.said).toMatchObject([{ type: 'failed', run: 's@2026-01-01T00:01:00.000Z', problem: { code } }])
  expect((await host.list({ machine: 'job.schedule' }))[0]!.attributes).toHaveProperty('problem')
  bad = false
  await clock.advance(MINUTE)
  expect(await s.times()).toEqual(['2026-01-01T00:02'])
})

test('T9 a journal in trouble loses no run', async () => {
  const { journal, clock, open, start } = place()
  const faulty = faultyJournal(journal)
  const host = await open(faulty)
  const s = await start(host, { every: '1m', overlap: 'allow' })
  faulty.plan = ({ stream }) =>
    stream.startsWith('job/') ? { when: 'before', code: 'NO_SPACE', retryable: true } : undefined
  await clock.advance(2 * MINUTE)
  expect(s.story()[0]).toBe('blocked NO_SPACE')
  expect(await s.times()).toEqual([])
  faulty.plan = () => undefined
  await clock.advance(MINUTE)
  expect(await s.times()).toEqual(['2026-01-01T00:01', '2026-01-01T00:02', '2026-01-01T00:03'])
})

describe('T10 other options', () => {
  test('are recorded once and hold from the next start on; other times count from then', async () => {
    const { journal, clock, open, start } = place()
    const host = await open()
    await start(host, { every: '1h' })
    await host.close()
    await clock.advance(3 * HOUR + 10 * MINUTE)
    for (let i = 0; i < 2; i++) {
      const next = await open()
      const s = await start(next, { every: '30m', overlap: 'allow', catchUp: 'all' })
      expect(s.story(), 'nothing is made up for at times that were not due then').toEqual([])
      expect(s.next()).toEqual(new Date('2026-01-01T03:40:00Z'))
      await next.close()
    }
    const configured = (await texts(journal, 'job.schedule/s')).filter((text) => text.includes('"CONFIGURE"'))
    expect(configured).toHaveLength(1)
  })

  test('another way of catching up keeps the times, and holds for what was missed before', async () => {
    const { clock, open, start } = place()
    const host = await open()
    await start(host, { every: '1h', catchUp: 'none', overlap: 'allow' })
    await host.close()
    await clock.advance(3 * HOUR + 10 * MINUTE)
    const s = await start(await open(), { every: '1h', catchUp: 'all', overlap: 'allow' })
    expect(await s.times()).toHaveLength(3)
    expect(s.next()).toEqual(new Date('2026-01-01T04:00:00Z'))
  })

  test('reach a run that waits', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const s = await start(host, { every: '1h', overlap: 'queue' })
    await clock.advance(2 * HOUR)
    expect(await s.times()).toHaveLength(1)
    await host.close()
    const t = await start(await open(), { every: '1h', overlap: 'allow' })
    expect(await t.times()).toHaveLength(2)
  })
})

describe('T11 who declares a schedule', () => {
  test('the same id twice on a host is refused; on another machine it is another', async () => {
    const { open, start } = place()
    const host = await open()
    const both = await Promise.allSettled([start(host, { every: '1h' }), start(host, { every: '2h' })])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await refused(start(host, { every: '1h' }))).toMatchObject({
      code: 'BAD_OPTION',
      message: "the schedule 's' of job is there already",
    })
  })

  test('nobody has, since the start: no run, until somebody does', async () => {
    const { clock, open, start } = place()
    const options = { every: '1h', overlap: 'allow' } as const
    const host = await open()
    await start(host, options)
    await host.close()
    await clock.advance(HOUR)
    const second = await open()
    const other = await start(second, { every: '1h' }, 'other')
    await clock.advance(30_000)
    expect(await second.list({ machine: 'job' })).toEqual([])
    const s = await start(second, options)
    expect(await s.times()).toEqual(['2026-01-01T01:00'])
    expect(await other.times()).toEqual([])
  })

  test('a failed call can be made again', async () => {
    const { journal, open, start } = place()
    const faulty = faultyJournal(journal)
    const host = await open(faulty)
    faulty.plan = () => ({ when: 'before', code: 'NO_SPACE', retryable: true })
    expect((await refused(start(host, { every: '1h' }))).code).toBe('NO_SPACE')
    faulty.plan = () => undefined
    await start(host, { every: '1h' })
  })
})

describe('T13 stop', () => {
  test('ends what is to come, not what has begun; it is recorded', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const s = await start(host, { every: '1m', overlap: 'queue' })
    await clock.advance(2 * MINUTE)
    await s.stop()
    await s.stop()
    expect(s.next()).toBeNull()
    await end(host, s, '00:01')
    await clock.advance(5 * MINUTE)
    expect(await s.times()).toEqual(['2026-01-01T00:01'])
    await host.close()
    const second = await open()
    await start(second, { every: '1m' }, 'other')
    await clock.advance(90_000)
    expect(await second.list({ machine: 'job.schedule', state: 'stopped' })).toMatchObject([{ id: 's' }])
    expect((await second.list({ machine: 'job' })).filter(({ id }) => id.startsWith('s@'))).toHaveLength(1)
  })

  test('it begins anew when it is called for again, and makes up for nothing', async () => {
    const { clock, open, start } = place()
    const host = await open()
    await (await start(host, { every: '1h', catchUp: 'all' })).stop()
    await clock.advance(5 * HOUR + MINUTE)
    const s = await start(host, { every: '1h', catchUp: 'all' })
    expect(s.next()).toEqual(new Date('2026-01-01T06:01:00Z'))
    await clock.advance(HOUR)
    expect(s.story()).toEqual(['made 2026-01-01T06:01'])
  })
})

describe('T14 an operator holds the schedule', () => {
  const by = { who: 'ann', why: 'the printer is away' }

  test('it begins no run until it is resumed; what fell due meanwhile was missed', async () => {
    const { clock, open, start } = place()
    const options = { every: '1h', overlap: 'allow' } as const
    const host = await open()
    const s = await start(host, options)
    await s.pause(by)
    await clock.advance(2 * HOUR)
    await host.close()
    await clock.advance(HOUR + 10 * MINUTE)
    const t = await start(await open(), options)
    await clock.advance(10 * MINUTE)
    expect(await t.times()).toEqual([])
    await t.resume(by)
    await settle()
    expect(t.story()).toEqual(['missed 2026-01-01T01:00 2026-01-01T02:00', 'made 2026-01-01T03:00'])
  })

  test('one that an operator has ended is refused, until it is purged', async () => {
    const { clock, open, start } = place()
    const host = await open()
    const { machine } = await start(host, { every: '1m' })
    await host.stop(machine, 's', by)
    await host.close()
    const second = await open()
    expect(await refused(start(second, { every: '1m' }))).toMatchObject({ code: 'CLOSED', where: { instance: 's' } })
    await clock.advance(5 * MINUTE)
    await second.purge(machine.id, 's', by)
    const t = await start(second, { every: '1m' })
    await clock.advance(MINUTE)
    expect(await t.times()).toHaveLength(1)
  })

  test('other options do not stop the host from starting; they are taken after it was resumed', async () => {
    const { clock, open, start } = place()
    const host = await open()
    await (await start(host, { every: '1h', overlap: 'allow' })).pause(by)
    await host.close()
    const second = await open()
    const s = await start(second, { every: '1m', overlap: 'allow' })
    await s.resume(by)
    await clock.advance(30 * MINUTE)
    expect(await s.times()).toEqual([])
    await second.close()
    const t = await start(await open(), { every: '1m', overlap: 'allow' })
    await clock.advance(MINUTE)
    expect(await t.times()).toHaveLength(1)
  })
})

test('the messages end with the host', async () => {
  const { open, start } = place()
  const host = await open()
  const s = await start(host, { every: '1h' })
  let over = false
  s.events$.subscribe({ complete: () => (over = true) })
  await host.close()
  expect(over).toBe(true)
})

test('T5 a run that waits for the one before takes no place of maxEffects, which that one needs to end', async () => {
  const { clock, open } = world()
  const job = durable(
    setup({ actors: { work: fromPromise(async () => {}) } }).createMachine({
      id: 'job',
      initial: 'resting',
      states: {
        resting: { after: { 90000: 'working' } },
        working: { invoke: { src: 'work', id: 'work', onDone: 'done' } },
        done: { type: 'final' },
      },
    }),
  )
  const host = await open([], { maxEffects: 1 })
  const jobs = await schedule(host, job, 's', { every: '1m', overlap: 'queue' })
  for (let k = 0; k < 60; k++) {
    clock.advance(5000)
    await settle()
  }
  const ended = (await jobs.runs()).filter(({ status }) => status === 'done')
  expect(ended.length).toBeGreaterThanOrEqual(2)
  await host.close()
})
