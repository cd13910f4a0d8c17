// What it means for delayed transitions that nobody ran: when they are due once a host runs again.
//
// K6: `absolute`: when they always were. `restart`: their delay begins anew when a host is opened. `resume`: only the time in
//     which a host ran counts, so that each span without one puts them off by its length. Never before they were due at first.
// K9: of more than KEPT spans the two oldest become one, of the same length, so that what is put off is not put off less.
import type { DurableOptions } from './durable.ts'

export type TimerPolicy = NonNullable<DurableOptions['timers']>

/** A span in which no host ran, ms since the epoch. They are in order and have nothing in common. */
export type Down = readonly [from: number, to: number]

/** What is known of a host's life. */
export interface Life {
  readonly opened: number
  readonly downs: readonly Down[]
}

const KEPT = 1000

/** When a timer is due that was set at `at` for `due`. A later `at` never gives a later time. */
export function effectiveDue(policy: TimerPolicy, { at, due }: { at: number; due: number }, life: Life): number {
  if (policy === 'absolute') return due
  if (policy === 'restart') return at < life.opened ? life.opened + due - at : due
  let putOff = due
  for (const [from, to] of life.downs) {
    if (to <= at) continue
    const since = Math.max(from, at)
    if (since >= putOff) break // it was due before
    putOff += to - since
  }
  return putOff
}

/** The spans with one more; none that a clock which was put back made of nothing. */
export function withDown(downs: readonly Down[], [from, to]: Down): readonly Down[] {
  const since = Math.max(from, downs.at(-1)?.[1] ?? from)
  if (to <= since) return downs
  const all: Down[] = [...downs, [since, to]]
  if (all.length <= KEPT) return all
  const [[from1, to1], [from2, to2], ...others] = all as [Down, Down, ...Down[]]
  return [[from2 - (to1 - from1), to2], ...others]
}
