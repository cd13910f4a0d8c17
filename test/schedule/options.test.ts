// T12: what can't be a schedule is refused by the name of the option.
import { expect, test } from 'vitest'
import { settingsOf } from '../../src/machines/schedule/options.ts'
import { refused, texts } from '../support/host.ts'
import { place } from '../support/schedule.ts'

test.each<[any, RegExp]>([
  [{}, /either `every` or `cron`/],
  [{ every: '1h', cron: '* * * * *' }, /either `every` or `cron`/],
  [{ every: 'soon' }, /^every: 'soon' is no duration/],
  [{ every: 0 }, /^every: 0 is not between/],
  [{ every: 999 }, /^every: 999 is not between/],
  [{ every: 1000.5 }, /^every: 1000.5 is not between/],
  [{ every: Number.NaN }, /^every: NaN is no duration/],
  [{ every: Number.POSITIVE_INFINITY }, /^every: Infinity is not between/],
  [{ every: -1000 }, /^every: -1000 is no duration/],
  [{ every: '1d', timezone: 'Europe/Berlin' }, /^timezone: `every` counts real time/],
  [{ every: '1d', anchor: 'noon' }, /^anchor: 'noon' is no date/],
  [{ cron: '* * * * *', anchor: new Date(0) }, /^anchor: a cron pattern says by itself/],
  [{ cron: '61 * * * *' }, /^cron: '61 \* \* \* \*' is no cron pattern: Invalid value for minute: 61/],
  [{ cron: '* * *' }, /^cron: '\* \* \*' is no cron pattern/],
  [{ cron: '' }, /^cron: '' is no cron pattern/],
  [{ cron: 5 }, /^cron: 5 is no cron pattern/],
  [{ cron: '@sometimes' }, /^cron: '@sometimes' is no cron pattern/],
  [{ cron: '2030-01-01T00:00:00' }, /^cron: '2030-01-01T00:00:00' is no cron pattern/],
  [{ cron: '0 0 30 2 *' }, /^cron: '0 0 30 2 \*' will never be due/],
  [{ cron: '0 0 * * *', timezone: 'Mars/Olympus' }, /^timezone: 'Mars\/Olympus' is no time zone/],
  [{ cron: '0 0 * * *', timezone: 2 }, /^timezone: 2 is no time zone/],
  [{ every: '1h', overlap: 'maybe' }, /^overlap: 'maybe' is none of skip, queue, allow/],
  [{ every: '1h', catchUp: 'some' }, /^catchUp: 'some' is none of none, last, all/],
  [{ every: '1h', limit: 0 }, /^limit: 0 is no whole number/],
  [{ every: '1h', limit: Number.POSITIVE_INFINITY }, /^limit: Infinity is no whole number/],
  [{ every: '1h', grace: 'long' }, /^grace: 'long' is no duration/],
])('T12 %j', (options, message) => {
  expect(() => settingsOf(options, 0)).toThrow(
    expect.objectContaining({ name: 'DuramenError', code: 'BAD_OPTION', message: expect.stringMatching(message) }),
  )
})

test('T12 nothing is recorded of what is refused', async () => {
  const { journal, open, start } = place()
  const host = await open()
  expect((await refused(start(host, { cron: 'never' }))).code).toBe('BAD_OPTION')
  expect((await refused(start(host, { every: '1h' }, 'a\nb'))).code).toBe('BAD_ID')
  expect((await refused(start(host, { every: '1h' }, 'x'.repeat(471)))).code).toBe('BAD_ID')
  expect(await host.list()).toEqual([])
  expect(await texts(journal, 'job.schedule/s')).toEqual([])
  await start(host, { every: '1h' })
})

test.each(['@daily', ' 0  3 * * *', '0 0 3 * * *'])('T12 %j is a pattern', (pattern) => {
  expect(settingsOf({ cron: pattern }, 0).when).toEqual({ cron: pattern.trim(), timezone: 'UTC' })
})

test.each(['overlap', 'catchUp'])('T12 the refusal of %s says what to do', (name) => {
  expect(() => settingsOf({ every: '1h', [name]: 'maybe' }, 0)).toThrow(
    expect.objectContaining({ code: 'BAD_OPTION', hint: expect.stringContaining('Leave it out') }),
  )
})
