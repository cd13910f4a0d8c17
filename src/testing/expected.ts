// What a test expects of a machine, and how what came is compared with it.
import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'
import {
  type AnyStateMachine,
  type ContextFrom,
  type EmittedFrom,
  matchesState,
  type OutputFrom,
  type SnapshotFrom,
  type StateValue,
} from 'xstate'
import { type Duration, milliseconds } from '../runtime/duration.ts'
import type { HistoryEntry } from '../runtime/history.ts'
import type { CapturedEffect } from './stage.ts'

/** What should have come of it. Only what is given is compared; at least one must be. */
export interface Expected<TMachine extends AnyStateMachine> {
  /** As `snapshot.matches`: the whole state value, or the outer part of it. */
  state?: Parameters<SnapshotFrom<TMachine>['matches']>[0]
  status?: 'active' | 'done' | 'error' | 'stopped'
  /** Only the keys that are given are compared, each as a whole. */
  context?: Partial<ContextFrom<TMachine>>
  output?: OutputFrom<TMachine>
  /** All effects that begin, in order: the name of the action or actor, or an object that names more of it. */
  effects?: readonly (string | CapturedEffect)[]
  /** All events that are emitted, in order; those of the very first transition excepted, which nobody could hear. */
  emitted?: readonly EmittedFrom<TMachine>[]
  /** All delayed transitions that wait, by the time that is left until each is due; shortest first. */
  timers?: readonly Duration[]
  /** Whether a transition took the last event. */
  handled?: boolean
}

/** What came. */
export interface Came {
  readonly state: StateValue | undefined
  readonly status: string
  readonly context: Record<string, unknown>
  readonly output: unknown
  readonly effects: readonly CapturedEffect[]
  readonly emitted: readonly unknown[]
  readonly timers: readonly number[]
  readonly handled: boolean | undefined
}

type Aspect = keyof Came

const same: { [A in Aspect]: (expected: any, came: Came[A]) => boolean } = {
  state: (expected: StateValue, came) => came !== undefined && matchesState(expected, came),
  status: isDeepStrictEqual,
  context: (expected: object, came) =>
    Object.entries(expected).every(([key, value]) => isDeepStrictEqual(came[key], value)),
  output: isDeepStrictEqual,
  effects: (expected: readonly (string | CapturedEffect)[], came) =>
    expected.length === came.length && expected.every((effect, i) => sameEffect(effect, came[i]!)),
  emitted: isDeepStrictEqual,
  timers: (expected: readonly Duration[], came) =>
    isDeepStrictEqual(
      expected.map((d) => milliseconds(d, 'timers')),
      came,
    ),
  handled: isDeepStrictEqual,
}

function sameEffect(expected: string | CapturedEffect, came: CapturedEffect): boolean {
  if (typeof expected === 'string') return came.src === expected
  return Object.entries(expected).every(([key, value]) => isDeepStrictEqual(came[key as keyof CapturedEffect], value))
}

/** Throws an AssertionError with all that differs. `story`: what had happened, in a few words. */
export function compare(story: string, expected: object, came: Came): void {
  const aspects = Object.keys(expected) as Aspect[]
  const unknown = aspects.filter((aspect) => !(aspect in same))
  if (unknown.length > 0 || aspects.length === 0)
    throw new TypeError(
      `then(): expects one or more of ${Object.keys(same).join(', ')}, not ${unknown.join(', ') || 'nothing'}`,
    )
  const wanted = expected as { [A in Aspect]?: unknown }
  const wrong = aspects.filter((aspect) => !same[aspect](wanted[aspect], came[aspect] as never))
  if (wrong.length === 0) return
  const lines = wrong.map(
    (aspect) => `  ${aspect}: expected ${show(wanted[aspect])}, came ${show(shown(aspect, wanted, came))}`,
  )
  throw new AssertionError({
    message: [story, ...lines].join('\n'),
    expected: Object.fromEntries(wrong.map((aspect) => [aspect, wanted[aspect]])),
    actual: Object.fromEntries(wrong.map((aspect) => [aspect, shown(aspect, wanted, came)])),
    operator: 'then',
  })
}

/** What came, no more of it than was asked for. */
function shown(aspect: Aspect, expected: { [A in Aspect]?: any }, came: Came): unknown {
  if (aspect === 'context')
    return Object.fromEntries(Object.keys(expected.context).map((key) => [key, came.context[key]]))
  if (aspect !== 'effects') return came[aspect]
  return came.effects.map((effect, i) => (typeof expected.effects[i] === 'object' ? effect : effect.src))
}

const show = (value: unknown) => inspect(value, { depth: 6, breakLength: 100 })

/** When the delayed transitions that wait are due, as the history tells; earliest first. */
export async function waitingTimers(history: AsyncIterable<HistoryEntry>): Promise<number[]> {
  const due = new Map<string, number>()
  for await (const { timers } of history) {
    for (const timer of timers?.set ?? []) due.set(timer.key, timer.due)
    for (const key of timers?.gone ?? []) due.delete(key)
  }
  return [...due.values()].sort((a, b) => a - b)
}
