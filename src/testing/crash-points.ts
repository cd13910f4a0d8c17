// A scenario run again and again, each time with its process killed at another place, and taken up by the next process.

import { memoryJournal } from '../journal/memory.ts'
import type { Journal } from '../journal/port.ts'
import { assertNames, optionsGiven } from '../ports/given.ts'
import { type VirtualClock, virtualClock } from './clock.ts'
import { crashJournal } from './crash-journal.ts'
import { kept } from './faulty-journal.ts'
import { settle } from './settle.ts'

/** One life of the process. */
export interface Life<TOutside> {
  /** Open the host on it; what an earlier life had acknowledged is there. */
  readonly journal: Journal
  /** Open the host with it. It goes on where the life before ended. */
  readonly clock: VirtualClock
  /** What outlives the process: what `outside` made for this crash point. */
  readonly outside: TOutside
  /** 1 is the life that is killed. */
  readonly nth: number
}

/** Where the process was killed. */
export interface CrashPoint {
  /** The write at which the first life was killed, from 1: an append to the journal, a trim or a snapshot. */
  readonly write: number
  /** That write was not done any more, or done and not answered. */
  readonly when: 'before' | 'after'
  /** The write at which the second life was killed, too. */
  readonly again?: number
}

/** What is there after the recovery, to be checked. */
export interface Aftermath<TOutside> {
  readonly journal: Journal
  readonly clock: VirtualClock
  readonly outside: TOutside
  readonly point: CrashPoint
}

/** Settings of `everyCrashPoint`. */
export interface CrashPointOptions<TOutside> {
  /** Makes the world outside of the process, anew for each crash point: who was charged, what was printed. Default: nothing. */
  outside?: () => TOutside
  /** Kills the second life as well, at each of its writes in turn. Default false. */
  again?: boolean
  /** So many ms of real time a life may take that is not killed; it hangs after that. Default 10,000. */
  limit?: number
}

/**
 * Runs a scenario with a crash before and after each of its writes to the journal: those are all the places where a crash
 * can make a difference, as effects start after the answer to an append, and their end is in a later one.
 *
 * `scenario` is one life of the process: it opens a host on the journal and the clock that it is given, does what a client
 * does who repeats all that was not acknowledged to him (with event ids), lets time go by, and closes the host. It is run
 * until it is killed, and again, to its end. Then `check` looks at the journal and the outside, and throws where something
 * is wrong. Answers how many crash points were tried; rejects with an Error that names the crash point, its cause what was
 * thrown.
 */
export async function everyCrashPoint<TOutside = undefined>(
  scenario: (life: Life<TOutside>) => Promise<void>,
  check: (aftermath: Aftermath<TOutside>) => Promise<void> | void,
  options: CrashPointOptions<TOutside> = {},
): Promise<number> {
  const hint = 'Leave it out, or give { again: true }.'
  assertNames('everyCrashPoint', optionsGiven('everyCrashPoint', options, hint), ['outside', 'again', 'limit'])
  let tried = 0
  for (const when of ['before', 'after'] as const)
    for (let write = 1, more = true; more; write++)
      for (let again = 0, further = true; further; again++) {
        const wanted = again ? 2 : 1
        const killed = await oneEnd(scenario, check, again ? { write, when, again } : { write, when }, options)
        if (killed === wanted) tried++
        further = options.again === true && killed === wanted
        more = killed > 0
      }
  return tried
}

/** Runs the scenario with one crash point, and has it checked; answers how many lives were killed. */
async function oneEnd<TOutside>(
  scenario: (life: Life<TOutside>) => Promise<void>,
  check: (aftermath: Aftermath<TOutside>) => Promise<void> | void,
  point: CrashPoint,
  { outside: makeOutside, limit = 10_000 }: CrashPointOptions<TOutside>,
): Promise<number> {
  const inner = memoryJournal()
  const outside = makeOutside?.() as TOutside
  let clock = virtualClock()
  let killed = 0
  const live = async (write: number | undefined): Promise<boolean> => {
    const journal = crashJournal(inner, write, point.when)
    clock = virtualClock(clock.now())
    const life = (async () => scenario({ journal, clock, outside, nth: killed + 1 }))() // also where it throws at once
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the scenario has not ended after ${limit} ms`)), limit)
    })
    const dead = await Promise.race([life.then(() => false), journal.death.then(() => true), late]).finally(() =>
      clearTimeout(timer),
    )
    if (dead) await settle() // what its effects still do, they do as if it were before
    return dead
  }
  try {
    for (const write of [point.write, ...(point.again ? [point.again] : []), undefined])
      if (await live(write)) killed++
      else break
    await check({ journal: kept(inner), clock, outside, point })
    return killed
  } catch (cause) {
    throw new Error(`${nameOf(point, killed)}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

function nameOf({ write, when, again }: CrashPoint, killed: number): string {
  if (killed === 0) return 'without a crash'
  return `crash ${when} write ${write}${killed === 2 ? `, and ${when} write ${again} of the next life` : ''}`
}
