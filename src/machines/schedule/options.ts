// The options of a schedule, looked at.
//
// T12 What can't be a schedule is refused by the name of the option, before anything is recorded.
import { inspect } from 'node:util'
import type { AnyStateMachine, InputFrom } from 'xstate'
import { DuramenError } from '../../ports/errors.ts'
import { assertNames, badOption, optionsGiven } from '../../ports/given.ts'
import { type Duration, milliseconds } from '../../runtime/duration.ts'
import { timesOf } from './times.ts'
import type { CatchUp, Overlap, Settings, When } from './types.ts'

/** Settings of a schedule: `every` or `cron`, and what else differs from the defaults. */
export interface ScheduleOptions<TMachine extends AnyStateMachine = AnyStateMachine> {
  /** Time from one due time to the next, at least 1 s. Real time: a day is 24 hours, also when the clocks change. Default: none, give this or `cron`. */
  every?: Duration
  /** What `every` counts from. It is first due one `every` later. Default: when the schedule is first made. */
  anchor?: Date | string
  /**
   * A cron pattern: `minute hour day month weekday`, with a second in front if there are six, or `@hourly`, `@daily` and the
   * like. Day and weekday both given: either will do. Default: none, give this or `every`.
   */
  cron?: string
  /** Time zone of the cron pattern, like `Europe/Berlin`. Default `'UTC'`. */
  timezone?: string
  /** A run is due and the one before it has not ended: `skip` leaves it out, `queue` begins it afterwards, `allow` beside it. Default `'skip'`. */
  overlap?: Overlap
  /** Which runs are made up for of those that were missed: `none`, the `last`, or `all` (the newest, at most `limit`). Default `'last'`. */
  catchUp?: CatchUp
  /** A run that is later than this was missed; one that is less late begins in any case. Default 1 min. */
  grace?: Duration
  /** Most runs that are made up for, and most that wait. Default 100. */
  limit?: number
  /** Input of every run, or a function that makes it for each; it may be called again for the same run after a crash. Default: none. */
  input?: InputFrom<TMachine> | ((run: DueRun) => InputFrom<TMachine> | Promise<InputFrom<TMachine>>)
}

/** A run that is about to begin. */
export interface DueRun {
  /** Id of its instance. */
  readonly id: string
  readonly due: Date
}

const NAMES: readonly string[] = [
  'every',
  'anchor',
  'cron',
  'timezone',
  'overlap',
  'catchUp',
  'grace',
  'limit',
  'input',
] satisfies (keyof ScheduleOptions<any>)[]
const OVERLAPS: readonly Overlap[] = ['skip', 'queue', 'allow']
const CATCH_UPS: readonly CatchUp[] = ['none', 'last', 'all']
const LEAST = 1000
/** Some 270 years: more can't be told from a mistake. */
const MOST = 1e5 * 86_400_000

/** Throws BAD_OPTION. `now`: ms since the epoch. */
export function settingsOf(given: ScheduleOptions<any>, now: number): Settings {
  const options: ScheduleOptions<any> = optionsGiven(
    'schedule',
    given,
    "Give { every: '1h' } or { cron: '0 3 * * *' }.",
  )
  assertNames('schedule', options, NAMES)
  const { overlap = 'skip', catchUp = 'last', limit = 100 } = options
  oneOf('overlap', overlap, OVERLAPS, 'skip')
  oneOf('catchUp', catchUp, CATCH_UPS, 'last')
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 10_000)
    throw badOption('limit', limit, 'is no whole number from 1 to 10,000', 'Leave it out for 100.')
  const grace = Math.min(milliseconds(options.grace ?? '1m', 'grace'), MOST)
  const when = whenOf(options)
  assertComes(when, now)
  return { when, overlap, catchUp, grace, limit }
}

function whenOf({ every, anchor, cron, timezone = 'UTC' }: ScheduleOptions<any>): When {
  if ((every === undefined) === (cron === undefined))
    throw new DuramenError('BAD_OPTION', 'a schedule has either `every` or `cron`', {
      hint: "Give { every: '1h' } or { cron: '0 3 * * *', timezone: 'Europe/Berlin' }.",
    })
  if (every !== undefined) {
    if (timezone !== 'UTC')
      throw new DuramenError('BAD_OPTION', 'timezone: `every` counts real time and has no time zone', {
        hint: 'Use cron for a time of the day.',
      })
    const ms = milliseconds(every, 'every')
    if (!Number.isSafeInteger(ms) || ms < LEAST || ms > MOST)
      throw badOption('every', every, 'is not between one second and 100,000 days', "Give a duration like '1h'.")
    return { every: ms, anchor: anchor === undefined ? null : anchorOf(anchor) }
  }
  if (anchor !== undefined)
    throw new DuramenError('BAD_OPTION', 'anchor: a cron pattern says by itself when it is due', {
      hint: 'Leave it out, or use `every`.',
    })
  // croner takes a date, too, which is no schedule
  if (typeof cron !== 'string' || !/^\s*(@\w+|\S+(\s+\S+){4,5})\s*$/.test(cron)) throw badCron(cron)
  if (!isTimezone(timezone))
    throw new DuramenError('BAD_OPTION', `timezone: ${inspect(timezone)} is no time zone that this Node knows`, {
      hint: "Use a name of the IANA list, like 'Europe/Berlin' or 'UTC'.",
    })
  return { cron: cron.trim(), timezone }
}

function anchorOf(anchor: Date | string): number {
  const time = anchor instanceof Date || typeof anchor === 'string' ? new Date(anchor).getTime() : Number.NaN
  if (!Number.isNaN(time)) return time
  throw new DuramenError('BAD_OPTION', `anchor: ${inspect(anchor)} is no date`, {
    hint: "Give a Date, or a string like '2026-01-01T03:00:00Z'.",
  })
}

/** Refuses what is no pattern, and what never comes, like February 30. */
function assertComes(when: When, now: number): void {
  let next: number | null
  try {
    next = timesOf(when, now).next(now)
  } catch (cause) {
    throw badCron((when as { cron: string }).cron, cause)
  }
  if (next !== null) return
  const name = 'cron' in when ? `cron: '${when.cron}'` : `every: ${when.every} ms`
  throw new DuramenError('BAD_OPTION', `${name} will never be due`, { hint: 'Give a day that comes.' })
}

function badCron(cron: unknown, cause?: unknown): DuramenError {
  const why = cause instanceof Error ? `: ${cause.message.replace(/^CronPattern: /, '')}` : ''
  return new DuramenError('BAD_OPTION', `cron: ${inspect(cron)} is no cron pattern${why}`, {
    hint: "Give five fields, or six with the second first: '0 3 * * *' is three o'clock each day.",
    ...(cause !== undefined && { cause }),
  })
}

function isTimezone(name: unknown): boolean {
  if (typeof name !== 'string') return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function oneOf(name: string, value: unknown, allowed: readonly unknown[], usual: string): void {
  if (allowed.includes(value)) return
  throw badOption(name, value, `is none of ${allowed.join(', ')}`, `Leave it out for '${usual}'.`)
}
