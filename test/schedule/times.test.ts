// T3, T4 and T6: when a schedule is due, as plain values.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plan, timesOf } from '../../src/machines/schedule/times.ts'
import type { Settings, When } from '../../src/machines/schedule/types.ts'

const at = (iso: string) => Date.parse(iso)
const cron = (pattern: string, timezone = 'UTC'): When => ({ cron: pattern, timezone })

/** The first `count` due times after `from`, as ISO times to the minute. */
function first(when: When, from: string, count: number): string[] {
  const times = timesOf(when, 0)
  const found: string[] = []
  for (let after = at(from); found.length < count; ) {
    after = times.next(after)!
    found.push(new Date(after).toISOString().slice(0, 16))
  }
  return found
}

describe('T3 every', () => {
  const times = timesOf({ every: 1000, anchor: 250 }, 99)

  test.each([
    [0, 250],
    [249, 250],
    [250, 1250],
    [1249.5, 1250],
    [1e12, 1e12 + 250],
  ])('after %d comes %d', (after, next) => {
    expect(times.next(after)).toBe(next)
  })

  test('counts from its origin where it has no anchor', () => {
    expect(timesOf({ every: 1000, anchor: null }, 99).next(99)).toBe(1099)
  })

  test('the last ones come oldest first, none twice, none beyond either end', () => {
    expect(times.last(3, 0, 5000)).toEqual([2250, 3250, 4250])
    expect(times.last(3, 250, 2250)).toEqual([1250, 2250])
    expect(times.last(3, 2250, 3249)).toEqual([])
    expect(times.last(3, -1e6, 249), 'nothing is due before the anchor').toEqual([])
  })

  test('ends with the last date there is', () => {
    expect(timesOf({ every: 8e15, anchor: 0 }, 0).next(8e15)).toBeNull()
  })
})

describe('T4 cron', () => {
  test('one time of day, in Europe/Berlin: after the gap, and once where it comes twice', () => {
    const when = cron('30 2 * * *', 'Europe/Berlin')
    expect(first(when, '2026-03-27T12:00:00Z', 3)).toEqual(['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'])
    expect(first(when, '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30'])
  })

  test('midnight in America/Sao_Paulo, where the gap began at midnight', () => {
    const when = cron('0 0 * * *', 'America/Sao_Paulo')
    expect(first(when, '2018-11-02T12:00:00Z', 3)).toEqual(['2018-11-03T03:00', '2018-11-04T03:00', '2018-11-05T02:00'])
    expect(first(when, '2018-02-16T12:00:00Z', 3)).toEqual(['2018-02-17T02:00', '2018-02-18T03:00', '2018-02-19T03:00'])
  })

  test('a time that came twice in America/Sao_Paulo is due once', () => {
    const when = cron('30 23 * * *', 'America/Sao_Paulo')
    expect(first(when, '2018-02-17T12:00:00Z', 2)).toEqual(['2018-02-18T01:30', '2018-02-19T02:30'])
  })

  test('many times a day follow real time', () => {
    const when = cron('*/30 * * * *', 'Europe/Berlin')
    const evenly = (from: string) => {
      const found = first(when, from, 8).map((time) => at(`${time}Z`))
      return found.slice(1).map((time, i) => time - found[i]!)
    }
    expect(evenly('2026-03-29T00:10:00Z')).toEqual(Array(7).fill(1_800_000))
    expect(evenly('2026-10-25T00:10:00Z')).toEqual(Array(7).fill(1_800_000))
    // what is skipped is skipped
    expect(first(cron('15 1-3 * * *', 'Europe/Berlin'), '2026-03-29T00:00:00Z', 2)).toEqual([
      '2026-03-29T00:15',
      '2026-03-29T01:15',
    ])
  })

  test('February 29 comes in leap years only', () => {
    expect(first(cron('0 12 29 2 *'), '2026-01-01T00:00:00Z', 2)).toEqual(['2028-02-29T12:00', '2032-02-29T12:00'])
    expect(first(cron('0 12 29 2 *'), '2096-03-01T00:00:00Z', 1)).toEqual(['2104-02-29T12:00'])
  })

  test('seconds in front, names of days, the last day of the month', () => {
    expect(timesOf(cron('*/10 * * * * *'), 0).next(at('2026-01-01T00:00:05.500Z'))).toBe(at('2026-01-01T00:00:10Z'))
    expect(first(cron('0 9 * * MON'), '2026-01-01T00:00:00Z', 2)).toEqual(['2026-01-05T09:00', '2026-01-12T09:00'])
    expect(first(cron('0 0 L * *'), '2026-02-01T00:00:00Z', 2)).toEqual(['2026-02-28T00:00', '2026-03-31T00:00'])
  })

  test('the last ones are the same, counted from either end', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Africa/Cairo']
    const patterns = ['30 2 * * *', '0 0 * * *', '*/20 * * * *', '15 1-3 * * *', '0 12 L * *']
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...patterns),
        fc.constantFrom(2018, 2026),
        fc.integer({ min: 0, max: 330 }),
        fc.integer({ min: 0, max: 40 * 3_600_000 }),
        fc.integer({ min: 1, max: 5 }),
        (zone, pattern, year, day, span, count) => {
          const times = timesOf(cron(pattern, zone), 0)
          const after = Date.UTC(year, 0, 1 + day)
          const all: number[] = []
          for (let due = times.next(after)!; due <= after + span; due = times.next(due)!) all.push(due)
          expect(times.last(count, after, after + span)).toEqual(all.slice(-count))
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('T6 what was missed', () => {
  const hourly = timesOf({ every: 3_600_000, anchor: 0 }, 0)
  const hours = (...found: number[]) => found.map((hour) => hour * 3_600_000)
  const settings = (catchUp: Settings['catchUp'], limit = 100): Settings => ({
    when: { every: 3_600_000, anchor: 0 },
    overlap: 'allow',
    catchUp,
    grace: 60_000,
    limit,
  })
  const [ten, next] = hours(10.5, 11) as [number, number]

  test.each([
    ['none', 100, [], [1, 10]],
    ['last', 100, [10], [1, 9]],
    ['all', 100, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], null],
    ['all', 3, [8, 9, 10], [1, 7]],
  ] as const)('%s, at most %d, after ten hours', (catchUp, limit, due, missed) => {
    const [from, to] = missed ? hours(...missed) : []
    expect(plan(hourly, 0, ten, settings(catchUp, limit))).toEqual({
      due: hours(...due),
      missed: missed && { from, to },
      after: 36_000_000,
      next,
    })
  })

  test.each(['none', 'last'] as const)('%s: what is on time is no catching up', (catchUp) => {
    const [one, nine, last] = hours(1, 9, 10) as [number, number, number]
    expect(plan(hourly, 0, last + 60_000, settings(catchUp))).toMatchObject({
      due: [last],
      missed: { from: one, to: nine },
    })
    const late = plan(hourly, 0, last + 60_001, settings(catchUp))
    expect(late.due).toEqual(catchUp === 'none' ? [] : [last])
  })

  test('T2 nothing is due before its time', () => {
    expect(plan(hourly, 0, 3_599_999, settings('all'))).toEqual({ due: [], missed: null, after: 0, next: 3_600_000 })
  })

  test('T7 a clock that was put back changes nothing', () => {
    const [five, six] = hours(5, 6)
    expect(plan(hourly, five!, 1, settings('all'))).toEqual({ due: [], missed: null, after: five, next: six })
  })

  test('a year of seconds is as quick as a minute of them', () => {
    const seconds = timesOf(cron('* * * * * *'), 0)
    const { due, missed, after } = plan(seconds, 0, 31_536_000_500, settings('all', 3))
    expect(due).toEqual([31_535_998_000, 31_535_999_000, 31_536_000_000])
    expect(missed).toEqual({ from: 1000, to: 31_535_997_000 })
    expect(after).toBe(31_536_000_000)
  })
})
