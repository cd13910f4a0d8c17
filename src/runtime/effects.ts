// Effects: what a committed transition does to the world outside.
//
// K5: each has a key that never changes and an attempt number; an action runs until its completion is in the journal,
//     invoked work until its result is.
// K10: every effect has an AbortSignal that fires when its state is left or its host closes.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { Counts, EffectOutcome } from './counts.ts'
import type { EffectSpan } from './watching.ts'

/** What a running effect may know about itself. */
export interface CurrentEffect {
  /** The same for every attempt at this effect, unique over all instances: give it to what you call, as idempotency key. */
  readonly key: string
  /** 1, and one more each time that the effect is taken up again. */
  readonly attempt: number
  /** Fires when the effect is no longer wanted: its state was left, or the host closes. */
  readonly signal: AbortSignal
}

/** An effect while it runs. */
export class RunningEffect implements CurrentEffect {
  readonly key: string
  readonly attempt: number
  /** Deliveries that the effect began; it has finished when they have. */
  readonly waits: Promise<unknown>[] = []
  /** Counts deliveries within the effect. */
  calls = 0
  readonly scope: unknown
  /** Taken up again it does the same again, from its beginning. */
  readonly repeats: boolean
  /** Its code runs inside, where it has one. */
  span: EffectSpan | undefined
  private controller: AbortController | undefined
  private counts: Counts | undefined

  constructor(scope: unknown, key: string, attempt: number, repeats = true) {
    this.scope = scope
    this.key = key
    this.attempt = attempt
    this.repeats = repeats
  }

  /** It begins: counted from here on, and in its span where there is one. */
  began(counts: Counts, span: EffectSpan | undefined): void {
    counts.begun++
    this.counts = counts
    this.span = span
  }

  /** It is over; the first outcome counts. */
  ended(outcome: EffectOutcome, error?: unknown): void {
    if (!this.counts) return
    this.counts[outcome]++
    this.counts = undefined
    this.span?.end(outcome, error)
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    return this.controller.signal
  }

  abort(): void {
    this.controller ??= new AbortController()
    this.controller.abort()
  }
}

const storage = new AsyncLocalStorage<RunningEffect>()

/** Calls a function as part of an effect: `currentEffect()` finds it in there, and in all that it awaits. */
export const within = <T>(effect: RunningEffect, fn: () => T): T =>
  effect.span ? effect.span.run(() => storage.run(effect, fn)) : storage.run(effect, fn)

/** The effect whose code is running; undefined outside of one. */
export const runningEffect = (): RunningEffect | undefined => storage.getStore()

/**
 * The effect whose code is running: call it inside an action, or the function of a promise, callback or observable.
 * Under plain `createActor` it gives a key as well, a new one at each call, so that the same code runs in both.
 */
export function currentEffect(): CurrentEffect {
  return storage.getStore() ?? new RunningEffect(undefined, randomUUID(), 1)
}
