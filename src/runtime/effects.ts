// Effects: what a committed transition does to the world outside.
//
// K5: each has a key that never changes and an attempt number; an action runs until its completion is in the journal,
//     invoked work until its result is.
// K10: every effect has an AbortSignal that fires when its state is left or its host closes.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { DuramenError } from '../ports/errors.ts'
import type { Counts, EffectOutcome } from './counts.ts'
import { NO_ITEMS, ownSet } from './empty.ts'
import type { EffectSpan } from './watching.ts'

/** What a running effect may know about itself. */
export interface CurrentEffect {
  /** The same for every attempt at this effect, unique over all instances: give it to what you call, as idempotency key. */
  readonly key: string
  /** 1, and one more each time that the effect is taken up again. */
  readonly attempt: number
  /** Fires when the attempt is no longer wanted: its state was left, it took too long, or the host closes. */
  readonly signal: AbortSignal
  /** What the last attempt that had any gave to `heartbeat`: where to go on. Undefined for the first. */
  readonly details: unknown
  /**
   * Says that the attempt is alive (the policy's `heartbeat` begins anew) and how far it is: `details`, plain data, are kept
   * with the next commit, or within 10 seconds, for the next attempt. Under plain `createActor` it does nothing.
   * Throws NOT_SERIALIZABLE or BINARY_TOO_LARGE.
   */
  heartbeat(details?: unknown): void
  /**
   * Ends here and goes on outside, for an invoked promise: `return currentEffect().handOver(async (token) => { … })`. The
   * function gives the token to whoever will call `host.complete(token, output)` or `host.fail(token, error)`, today or in
   * a year. Once it has returned the effect is not run again; if it fails, the attempt has failed. Every attempt gets the
   * same token. The promise that it returns settles only when the function fails.
   * Rejects with NO_HOST under plain `createActor`, BAD_OPTION in an action, callback or observable, ABORTED in an attempt
   * that has ended.
   */
  handOver(fn: (token: string) => unknown): Promise<never>
}

/** The one who runs effects, as they need it. */
export interface EffectWorld {
  /** Whose effects they are. */
  readonly scope: unknown
  /** The attempt is the one that counts. */
  isCurrent(effect: RunningEffect): boolean
  details(effect: RunningEffect): unknown
  heartbeat(effect: RunningEffect, details: unknown): void
  handOver(effect: RunningEffect, fn: (token: string) => unknown): Promise<never>
}

/** One attempt at an effect, while it runs. */
export class RunningEffect implements CurrentEffect {
  readonly key: string
  readonly attempt: number
  /** Deliveries that the effect began and that have not arrived; it has finished when they have. */
  waits: Set<Promise<unknown>> = NO_ITEMS
  /** Counts deliveries within the effect. */
  calls = 0
  /** Its key within the instance. */
  readonly localKey: string
  readonly world: EffectWorld | undefined
  /** Taken up again it does the same again, from its beginning. */
  readonly repeats: boolean
  /** Its code runs inside, where it has one. */
  span: EffectSpan | undefined
  private controller: AbortController | undefined
  private counts: Counts | undefined

  constructor(world: EffectWorld | undefined, key: string, attempt: number, localKey = key, repeats = true) {
    this.world = world
    this.key = key
    this.attempt = attempt
    this.localKey = localKey
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

  /** It has finished only once this has succeeded too. */
  waitFor(delivery: Promise<unknown>): void {
    this.waits = ownSet(this.waits).add(delivery)
    delivery.then(
      () => this.waits.delete(delivery),
      () => {}, // it stays, and the effect fails of it
    )
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    return this.controller.signal
  }

  get details(): unknown {
    return this.world?.details(this)
  }

  heartbeat(details?: unknown): void {
    this.world?.heartbeat(this, details)
  }

  handOver(fn: (token: string) => unknown): Promise<never> {
    if (this.world) return this.world.handOver(this, fn)
    return Promise.reject(
      new DuramenError('NO_HOST', 'handOver() was called outside the effects of a durable machine', {
        hint: 'Call it inside an invoked promise of a machine that runs on a host.',
      }),
    )
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
