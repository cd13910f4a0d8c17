// When a schedule is due: values in, values out.
//
// T3 `every` counts from its origin in real time; what runs late or long shifts nothing.
// T4 A cron pattern is read in its time zone. A pattern with one time of day runs once a day: at the first moment after the gap
//    where daylight saving skips that time, and at the first of two where it comes twice. Other patterns follow real time:
//    what is skipped is skipped, what comes twice runs twice.
// T6 Late by more than `grace` is missed. Of what was missed, `catchUp` makes up for nothing, the last, or the last `limit`.
import { Cron } from 'croner'
import type { Plan, Settings, When } from './types.ts'

/** The due times of a schedule, in ms since the epoch. */
export interface Times {
  /** The first one later than `after`; null when there is none. */
  next(after: number): number | null
  /** The last `count` of those later than `after` and not later than `until`, oldest first. */
  last(count: number, after: number, until: number): number[]
}

/** Later than this no date can be written. */
const END = 8.64e15

/** Throws what croner throws, for what is no pattern or no time zone. */
export function timesOf(when: When, origin: number): Times {
  return 'cron' in when ? cronTimes(when.cron, when.timezone) : everyTimes(when.every, when.anchor ?? origin)
}

function everyTimes(every: number, anchor: number): Times {
  const nth = (n: number) => anchor + n * every
  return {
    next(after) {
      const due = nth(Math.max(0, Math.floor((after - anchor) / every) + 1))
      return due <= END ? due : null
    },
    last(count, after, until) {
      const found: number[] = []
      for (let n = Math.floor((until - anchor) / every); n >= 0 && found.length < count && nth(n) > after; n--)
        found.push(nth(n))
      return found.reverse()
    },
  }
}

function cronTimes(pattern: string, timezone: string): Times {
  const cron = new Cron(pattern, { timezone, mode: '5-or-6-parts' })
  const next = (after: number) => cron.nextRun(new Date(after))?.getTime() ?? null
  return {
    next,
    last(count, after, until) {
      const found: number[] = []
      for (let due = next(after); due !== null && due <= until; due = next(due)) {
        found.push(due)
        // too many to walk through: from the other end
        if (found.length > count)
          return cron
            .previousRuns(count, new Date(until + 1))
            .map(Number)
            .reverse()
      }
      return found
    },
  }
}

/** What is to be done at `now`, when all up to `after` has been seen to. */
export function plan(times: Times, after: number, now: number, { catchUp, grace, limit }: Settings): Plan {
  const passed = times.last(limit, after, now)
  const onTime = passed.filter((due) => now - due <= grace)
  const due = catchUp === 'all' ? passed : catchUp === 'last' && onTime.length === 0 ? passed.slice(-1) : onTime
  const seenTo = passed.at(-1) ?? after
  return { due, missed: missed(times, after, due[0], seenTo), after: seenTo, next: times.next(seenTo) }
}

/** From the first that passed to the last one before `made`, the first that is made up for. */
function missed(times: Times, after: number, made: number | undefined, seenTo: number): Plan['missed'] {
  const from = times.next(after)
  if (from === null || from > seenTo || from === made) return null
  return { from, to: made === undefined ? seenTo : times.last(1, after, made - 1)[0]! }
}
