// What is on its way, of the effects of one instance: from the wait for a slot to a result.
//
// K5: an attempt that is not the first is on record before it begins, and so is the failure before it. What an attempt
//     still says after its end does not count.
// K9: one that was told to stop keeps a slot that it shares until it has ended, but not for ever.
import type { Clock } from '../ports/clock.ts'
import { DuramenError } from '../ports/errors.ts'
import type { Counts, EffectOutcome } from './counts.ts'
import type { EffectFacts } from './effect-facts.ts'
import { type CurrentEffect, type EffectWorld, RunningEffect, within } from './effects.ts'
import { NO_ENTRIES, NO_ITEMS, own, ownSet } from './empty.ts'
import { delayAfter, type Policy } from './retry.ts'
import { type Action, lasts, Run, type Start } from './run.ts'
import type { Slots } from './slots.ts'
import type { EffectSpan } from './watching.ts'

/** How long an attempt that was told to stop may keep its slot, ms, where it has no timeout. */
const STOPPING = 60_000

/** Whose effects they are, and what becomes of their ends. */
export interface RunsOwner {
  readonly facts: EffectFacts
  readonly world: EffectWorld
  fullKey(key: string): string
  record(): void
  /** Something is on its way no more, or has a result. */
  ended(): void
  actionFinished(action: Action): void
  /** For good. */
  actionFailed(action: Action, error: unknown): void
}

/** The instance, as its running effects need it. */
export interface RunsWorld {
  readonly clock: Clock
  readonly slots: Slots
  readonly counts: Counts
  /** The span of an attempt that begins. */
  span(item: Action | Start, attempt: CurrentEffect): EffectSpan | undefined
  /** The instance takes no more from callbacks and observables. */
  readonly flooded: DuramenError | undefined
  policy(item: Action | Start): Policy | undefined
  /** The gates that an action or a promise has to pass. Throws what the policy's `key` throws. */
  gatesOf(item: Action | Start, policy: Policy | undefined): Run['gates']
  /** Invoked work could not be started, took too long, or a callback's receiver threw. */
  workFailed(work: Start, error: unknown): void
  /** What an effect has for an actor: a result, or an event. */
  input(target: string, event: { type: string }): void
  warn(message: string, error?: unknown): void
}

export class Runs {
  /** Nothing begins; what runs goes on. */
  held = false
  /** From here on a failure is only the abort's echo. */
  aborted = false
  /** Callbacks and observables have ended, and none begins. */
  private hushed = false
  private runs: Map<string, Run> = NO_ENTRIES
  /** Told to stop, and still at it. */
  private abandoned: Set<Run> = NO_ITEMS
  private readonly owner: RunsOwner
  private readonly instance: RunsWorld

  constructor(owner: RunsOwner, instance: RunsWorld) {
    this.owner = owner
    this.instance = instance
  }

  get size(): number {
    return this.runs.size
  }

  get all(): Run[] {
    return [...this.runs.values()]
  }

  get(key: string): Run | undefined {
    return this.runs.get(key)
  }

  has(key: string): boolean {
    return this.runs.has(key)
  }

  /** Sets an effect going, at its time, unless it is a dead letter or outside. `all the same`: also while nothing else begins. */
  launch(item: Action | Start, how?: 'all the same'): void {
    if (this.aborted || (this.held && !how) || (this.hushed && lasts(item))) return
    const { retryAt, dead, outside } = this.owner.facts.get(item.key)
    if (dead || outside) return
    const run = this.add(item)
    run.urgent = how !== undefined
    const wait = retryAt === undefined ? 0 : retryAt - this.instance.clock.now()
    if (wait <= 0) return this.enter(run)
    run.state = 'backoff'
    run.until(this.instance.clock.after(wait, () => this.enter(run)))
  }

  private add(item: Action | Start): Run {
    const run = new Run(item, this.instance.policy(item), this.begin)
    this.runs = own(this.runs).set(item.key, run)
    return run
  }

  /** Its time has come; now for its slot. */
  private enter(run: Run): void {
    const { item, policy } = run
    run.quiet()
    run.state = 'queued'
    try {
      if (!lasts(item)) run.gates = this.instance.gatesOf(item, policy)
    } catch (error) {
      return this.failed(run, error)
    }
    if (this.instance.slots.enter(run)) this.begin(run)
  }

  /** It has its slot. */
  private readonly begin = (run: Run): void => {
    if (run.state !== 'queued') return
    if (this.held && !run.urgent) return this.end(run)
    const { retryAt, attempt = 1 } = this.owner.facts.get(run.key)
    if (retryAt === undefined) return this.go(run)
    run.state = 'recording'
    this.owner.facts.change(run.key, { attempt: attempt + 1 })
    this.owner.record()
  }

  /** Attempts are on record: those that waited for it begin. */
  recorded(attempts: Readonly<Record<string, number>>): void {
    for (const [key, attempt] of Object.entries(attempts)) {
      const run = this.runs.get(key)
      if (run?.state !== 'recording' || this.owner.facts.get(key).attempt !== attempt) continue
      if (!this.held || run.urgent) {
        this.go(run)
        continue
      }
      this.callOff(key)
      this.end(run)
    }
  }

  private go(run: Run): void {
    const { item, key } = run
    const { facts, world, fullKey } = this.owner
    run.state = 'running'
    const effect = new RunningEffect(world, fullKey(key), facts.get(key).attempt ?? 1, key, !lasts(item))
    run.effect = effect
    effect.began(this.instance.counts, this.instance.span(item, effect))
    if (run.policy) run.limitTime(run.policy, this.instance.clock, (what) => this.late(run, what))
    if (item.kind === 'action') return this.act(run, item, effect)
    run.attempt = item.begin((target, event) => this.heard(run, target, event))
    try {
      within(effect, run.attempt.start)
    } catch (error) {
      this.fell(run, error)
    }
  }

  private act(run: Run, action: Action, effect: RunningEffect): void {
    let result: unknown
    try {
      result = within(effect, action.run)
    } catch (error) {
      return this.fell(run, error)
    }
    if (!isThenable(result) && effect.waits.size === 0) return this.done(run, action)
    Promise.resolve(result)
      .then(() => Promise.all(effect.waits))
      .then(
        () => this.done(run, action),
        (error) => this.fell(run, error),
      )
  }

  private done(run: Run, action: Action): void {
    if (run.state !== 'running') return this.release(run)
    run.effect?.ended('completed')
    this.end(run)
    this.owner.actionFinished(action)
    this.owner.ended()
  }

  private fell(run: Run, error: unknown): void {
    if (run.state === 'running') this.failed(run, error)
    else this.release(run)
  }

  /** Passes an event on to a callback. */
  tell(key: string, event: { type: string }): void {
    const run = this.runs.get(key)
    if (run?.state !== 'running') return
    try {
      within(run.effect!, () => run.attempt?.tell(event))
    } catch (error) {
      this.cutOff(run, error)
    }
  }

  /** What an attempt at invoked work says. */
  private heard(run: Run, target: string, event: { type: string; data?: unknown }): void {
    const result = target === run.key ? RESULTS[event.type] : undefined
    if (run.state !== 'running') return result && this.release(run)
    if (this.hushed && lasts(run.item)) return // what it says while it is told to stop is not the machine's business
    if (result === 'failure') return this.failed(run, event.data, event)
    if (this.aborted && event.type !== 'xstate.promise.resolve') return // told to stop: not the machine's business
    const { flooded } = result ? {} : this.instance
    if (flooded) return this.cutOff(run, flooded)
    if (result && run.effect!.waits.size > 0) {
      Promise.all(run.effect!.waits).then(
        () => this.heard(run, target, event),
        (error) => this.fell(run, error),
      )
      return
    }
    if (result) this.settle(run)
    this.instance.input(target, event)
  }

  private late(run: Run, what: string): void {
    this.cutOff(run, tooLate(`${run.item.src} (${this.owner.fullKey(run.key)}) ${what}`))
  }

  /** The attempt has failed, and may still go on: nobody listens to it any more. */
  private cutOff(run: Run, error: unknown): void {
    run.effect!.ended('failed', error)
    this.abandon(run)
    this.failed(run, error)
  }

  /** An attempt has failed. `event`: how it said so. */
  private failed(run: Run, error: unknown, event?: { type: string }): void {
    const { key, item, policy } = run
    const { facts } = this.owner
    const { clock } = this.instance
    run.effect?.ended(this.aborted ? 'stopped' : 'failed', error)
    if (run.state !== 'over') this.end(run)
    const failures = (facts.get(key).failures ?? 0) + 1
    if (this.aborted) this.callOff(key)
    else if (policy && failures < policy.attempts && this.worthAnother(policy, error)) {
      facts.change(key, { failures })
      facts.change(key, { retryAt: clock.now() + delayAfter(failures, policy, Math.random()) })
      this.owner.record()
      this.launch(item)
    } else if (item.kind === 'action') this.owner.actionFailed(item, error)
    else {
      this.add(item).state = 'settled'
      if (event) this.instance.input(key, event)
      else this.instance.workFailed(item, error)
    }
    this.owner.ended()
  }

  private worthAnother({ retryable }: Policy, error: unknown): boolean {
    try {
      return retryable(error)
    } catch (thrown) {
      this.instance.warn('retryable() threw: the effect is not tried again', thrown)
      return false
    }
  }

  /** It has a result, which counts as running until it is durable. */
  private settle(run: Run): void {
    run.effect!.ended('completed')
    run.quiet()
    run.state = 'settled'
    this.instance.slots.leave(run)
    this.owner.ended()
  }

  /** The attempt that was about to run, or ran, ends because the host closes: it does not count. */
  private callOff(key: string): void {
    const { facts } = this.owner
    const { clock } = this.instance
    facts.change(key, { attempt: (facts.get(key).attempt ?? 1) - 1 })
    facts.change(key, { retryAt: clock.now() })
  }

  /** Ends what would go on for ever. */
  hush(): void {
    this.hushed = true
    for (const run of this.all) if (lasts(run.item)) this.quit(run)
  }

  /** Tells all that runs to stop, and calls off what waits. */
  abort(): void {
    this.hush()
    this.aborted = true
    for (const run of this.all) this.quit(run)
  }

  private quit(run: Run): void {
    if (run.state === 'running') this.halt(run)
    else if (run.state === 'recording') this.callOff(run.key)
    if (run.state === 'settled' || (run.state === 'running' && !lasts(run.item))) return
    run.effect?.ended('stopped')
    this.end(run)
  }

  /** It is on its way no more, whatever it still does. `quietly`: it is not told to stop. */
  drop(key: string, outcome: EffectOutcome, quietly?: 'quietly'): void {
    const run = this.runs.get(key)
    if (!run) return
    run.effect?.ended(outcome)
    if (run.state === 'running' && !quietly) this.abandon(run)
    else this.end(run)
    this.owner.ended()
  }

  /** K10: nothing that it waits for keeps the process; what still runs is nobody's business any more. */
  close(): void {
    for (const run of [...this.runs.values(), ...this.abandoned]) run.quiet()
  }

  /** Nothing runs. */
  get idle(): boolean {
    for (const { state } of this.runs.values()) if (state === 'running') return false
    return true
  }

  private end(run: Run): void {
    run.quiet()
    run.state = 'over'
    if (this.runs.get(run.key) === run) this.runs.delete(run.key)
    this.instance.slots.leave(run)
  }

  /** Nobody wants to know any more how it ends. */
  private abandon(run: Run): void {
    this.halt(run)
    const { policy, item } = run
    if (!policy || lasts(item)) return this.end(run)
    run.quiet()
    run.state = 'over'
    this.runs.delete(run.key)
    this.abandoned = ownSet(this.abandoned).add(run)
    run.until(
      this.instance.clock.after(policy.timeout ?? STOPPING, () => {
        this.instance.warn(
          `${this.owner.fullKey(run.key)} (${item.src}) still runs although its signal was aborted; its slot is given to others`,
        )
        this.release(run)
      }),
    )
  }

  /** One that was abandoned has ended after all. */
  private release(run: Run): void {
    this.abandoned.delete(run)
    run.quiet()
    this.instance.slots.leave(run)
  }

  private halt({ effect, attempt }: Run): void {
    effect!.abort()
    try {
      within(effect!, () => attempt?.stop())
    } catch (error) {
      this.instance.warn(`${effect!.key}: its clean-up threw`, error)
    }
  }
}

const tooLate = (message: string) =>
  new DuramenError('TIMEOUT', message, {
    retryable: true,
    hint: 'Its signal was aborted; raise the limit in durable(machine, { retry }), or see to what it waits for.',
  })

/** How invoked work says that it has ended. */
const RESULTS: Record<string, 'success' | 'failure'> = {
  'xstate.promise.resolve': 'success',
  'xstate.promise.reject': 'failure',
  'xstate.observable.complete': 'success',
  'xstate.observable.error': 'failure',
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
