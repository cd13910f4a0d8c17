// The effects of one instance: what was started, what runs, what has finished.
//
// K5: `unfinished` actions and `works` are rebuilt from the journal and taken up again at recovery; finished ones wait in
//     `done` for the next commit to record them. What runs is kept by key, apart from the actors, so that loading an
//     instance anew does not run it twice.

import type { Commit } from '../journal/records.ts'
import type { Counts, EffectOutcome } from './counts.ts'
import { type CurrentEffect, RunningEffect, within } from './effects.ts'
import type { OpenEffect } from './ledger.ts'
import { effectRecord } from './outcome.ts'
import type { Effect, Turn } from './turn.ts'
import type { EffectSpan } from './watching.ts'

type Action = Extract<Effect, { kind: 'action' }>
type Start = Extract<Effect, { kind: 'start' }>

interface Run {
  readonly effect: RunningEffect
  readonly work?: Start
  /** A promise's result is on its way to the journal. */
  settled?: true
}

/** The instance, as its effects need it. */
export interface RunnerOwner {
  readonly stream: string
  readonly counts: Counts
  /** The span of an attempt that begins. */
  span(effect: Action | Start, attempt: CurrentEffect): EffectSpan | undefined
  /** An action has failed for good. */
  actionFailed(effect: Action, error: unknown): void
  /** Invoked work could not be started, or a callback's receiver threw. */
  workFailed(key: string, error: unknown): void
  /** What was told to stop has thrown instead. */
  stopFailed(key: string, error: unknown): void
  /** Something has finished and waits to be recorded, or nothing runs any more. */
  finished(): void
}

export class Runner {
  /** Actions that are durable and not known to be finished, in order. */
  unfinished = new Map<string, Action>()
  /** Keys of actions that have finished, not yet recorded. */
  done = new Set<string>()
  /** Invoked work that should run. */
  private works = new Map<string, Start>()
  private attempts = new Map<string, number>()
  /** Attempts at actions and promises that ended because the host closes: they do not count. */
  private readonly calledOff = new Map<string, number>()
  /** What runs, or has a result that is not durable yet. */
  private readonly running = new Map<string, Run>()
  private readonly owner: RunnerOwner
  /** From here on a failure is only the abort's echo. */
  aborted = false
  /** The instance is held: what is begun goes on, nothing else begins. */
  held = false

  constructor(owner: RunnerOwner) {
    this.owner = owner
  }

  /** The key that the world outside sees. */
  fullKey(key: string): string {
    return key.startsWith('@') ? this.owner.stream + key : `${this.owner.stream}/${key}`
  }

  /** Forgets what was read from the journal, before it is read again; what runs goes on. */
  reset(): void {
    this.unfinished = new Map()
    this.works = new Map()
    this.attempts = new Map()
  }

  /** Begins from a checkpoint instead of the first record. */
  restore(works: readonly Effect[], attempts: Readonly<Record<string, number>>): void {
    for (const work of works) if (work.kind === 'start') this.works.set(work.key, work)
    this.beginAttempts(attempts)
  }

  /** Attempts of what is not at its end. */
  get attemptsNow(): Record<string, number> {
    return Object.fromEntries(this.attempts)
  }

  /** Takes in a commit that was read from the journal. */
  replayed(commit: Commit, turn: Turn | undefined): void {
    for (const key of commit.finished ?? []) {
      this.unfinished.delete(key)
      this.done.delete(key)
    }
    for (const [key, attempt] of Object.entries(commit.attempts ?? {})) this.attempts.set(key, attempt)
    if (commit.op === 'purge') return this.reset()
    if (!turn) return
    for (const effect of turn.effects) {
      if (effect.kind === 'action' && !this.done.has(effect.key)) this.unfinished.set(effect.key, effect)
      if (effect.kind === 'start') this.works.set(effect.key, effect)
    }
    for (const key of turn.ended) {
      this.works.delete(key)
      this.attempts.delete(key)
    }
  }

  /** What has to be taken up again after a crash, with the attempt that begins. */
  interrupted(): Record<string, number> {
    const keys = [...this.unfinished.keys(), ...this.works.keys()].filter((key) => !this.running.has(key))
    return Object.fromEntries(keys.map((key) => [key, (this.attempts.get(key) ?? 1) + 1]))
  }

  beginAttempts(attempts: Readonly<Record<string, number>>): void {
    for (const [key, attempt] of Object.entries(attempts)) this.attempts.set(key, attempt)
  }

  /** Starts all that should run and does not: actions in order, then invoked work. */
  resume(): void {
    if (this.held) return
    for (const action of [...this.unfinished.values()]) if (!this.running.has(action.key)) this.runAction(action)
    for (const work of [...this.works.values()]) if (!this.running.has(work.key)) this.start(work)
  }

  runAction(action: Action): void {
    this.unfinished.set(action.key, action)
    if (!this.held) this.beginAction(action)
  }

  private beginAction(action: Action): void {
    if (this.aborted) return
    const effect = this.begin(action)
    let result: unknown
    try {
      result = within(effect, action.run)
    } catch (error) {
      return this.actionFailed(action, effect, error)
    }
    if (!isThenable(result) && effect.waits.length === 0) return this.actionFinished(action, effect)
    Promise.resolve(result)
      .then(() => Promise.all(effect.waits))
      .then(
        () => this.actionFinished(action, effect),
        (error) => this.actionFailed(action, effect, error),
      )
  }

  start(work: Start): void {
    this.works.set(work.key, work)
    if (!this.held) this.beginWork(work)
  }

  private beginWork(work: Start): void {
    if (this.aborted) return
    const effect = this.begin(work)
    try {
      within(effect, work.work.start)
    } catch (error) {
      this.ended(work.key, 'failed', error)
      this.running.delete(work.key)
      this.owner.workFailed(work.key, error)
    }
  }

  /** It has failed, or waits for its turn: begun, it is not under way now. */
  stands(key: string): boolean {
    return (this.unfinished.has(key) || this.works.has(key)) && !this.running.has(key)
  }

  /** Actions that stand. */
  get failed(): string[] {
    return [...this.unfinished.keys()].filter((key) => !this.running.has(key))
  }

  attemptOf(key: string): number {
    return this.attempts.get(key) ?? 1
  }

  /** An operator wants it tried again, now, also while the instance is held. */
  retry(key: string): void {
    const run = this.running.get(key)
    if (run && !run.settled) return
    this.running.delete(key)
    const action = this.unfinished.get(key)
    if (action) return this.beginAction(action)
    const work = this.works.get(key)
    if (work) this.beginWork(work)
  }

  /** An operator has ended it: what it still comes to does not count. */
  drop(key: string): void {
    const run = this.running.get(key)
    this.ended(key, 'stopped')
    this.unfinished.delete(key)
    this.done.delete(key)
    this.forget(key)
    if (run && !run.settled) this.halt(run)
  }

  stop(key: string): void {
    const run = this.running.get(key)
    this.ended(key, 'stopped')
    this.forget(key)
    if (!run) return
    this.halt(run)
  }

  /** Ends what runs although the journal says that it has ended. */
  endOrphans(): void {
    for (const [key, run] of [...this.running]) {
      if (!run.work || this.works.has(key)) continue
      if (run.settled) this.forget(key)
      else this.stop(key)
    }
  }

  tell(key: string, event: { type: string }): void {
    const run = this.running.get(key)
    if (!run) return
    try {
      within(run.effect, () => run.work?.work.tell(event))
    } catch (error) {
      this.ended(key, 'failed', error)
      this.owner.workFailed(key, error)
    }
  }

  /** The work has ended, by result or by being left. */
  forget(key: string): void {
    this.works.delete(key)
    this.attempts.delete(key)
    this.ended(key, 'completed')
    if (this.running.delete(key)) this.owner.finished()
  }

  /** A promise has settled; it counts as running until that is durable. */
  settled(key: string, outcome: EffectOutcome, error?: unknown): void {
    const run = this.running.get(key)
    if (!run) return
    this.ended(key, outcome, error)
    run.settled = true
    this.owner.finished()
  }

  /** An attempt is over, for those who watch; the first outcome counts, and a failure after the abort is its echo. */
  ended(key: string, outcome: EffectOutcome, error?: unknown): void {
    this.running.get(key)?.effect.ended(this.aborted && outcome === 'failed' ? 'stopped' : outcome, error)
  }

  /** K10: tells everything that runs to stop; nothing is started any more. */
  abort(): void {
    this.aborted = true
    for (const run of [...this.running.values()]) {
      if (run.settled) continue
      this.halt(run)
      if (!run.work || run.work.logic === 'promise') continue
      this.ended(run.work.key, 'stopped')
      this.running.delete(run.work.key)
    }
  }

  /** The attempt that runs has ended because the host closes. */
  callOff(key: string): void {
    this.calledOff.set(key, (this.attempts.get(key) ?? 1) - 1)
  }

  /** For the host's last mark: how many attempts count, of what was called off. */
  get countedAttempts(): Record<string, number> | undefined {
    return this.calledOff.size ? Object.fromEntries(this.calledOff) : undefined
  }

  /** Nothing runs, nothing should, and nothing waits to be recorded. */
  get empty(): boolean {
    return this.running.size + this.works.size + this.unfinished.size + this.done.size === 0
  }

  /** What is not at its end, in the order in which it would be taken up. */
  get open(): (OpenEffect & { running: boolean })[] {
    const all = [...this.unfinished.values(), ...this.works.values()]
    return all.map((effect) => ({
      ...effectRecord(effect)!,
      attempt: this.attempts.get(effect.key) ?? 1,
      running: this.running.has(effect.key),
    }))
  }

  /** Nothing is under way any more. */
  get idle(): boolean {
    for (const run of this.running.values()) if (!run.settled) return false
    return true
  }

  private halt({ effect, work }: Run): void {
    effect.abort()
    try {
      within(effect, () => work?.work.stop())
    } catch (error) {
      this.owner.stopFailed(effect.key, error)
    }
  }

  private begin(of: Action | Start): RunningEffect {
    const { key } = of
    const work = of.kind === 'start' ? of : undefined
    const repeats = !work || work.logic === 'promise'
    const effect = new RunningEffect(this.owner, this.fullKey(key), this.attempts.get(key) ?? 1, repeats)
    effect.began(this.owner.counts, this.owner.span(of, effect))
    this.running.set(key, work ? { effect, work } : { effect })
    return effect
  }

  private actionFinished(action: Action, effect: RunningEffect): void {
    if (this.running.get(action.key)?.effect !== effect) return // an operator has ended it
    this.ended(action.key, 'completed')
    this.running.delete(action.key)
    this.attempts.delete(action.key)
    this.unfinished.delete(action.key)
    this.done.add(action.key)
    this.owner.finished()
  }

  private actionFailed(action: Action, effect: RunningEffect, error: unknown): void {
    if (this.running.get(action.key)?.effect !== effect) return
    this.ended(action.key, 'failed', error)
    this.running.delete(action.key)
    if (this.aborted) this.callOff(action.key)
    else this.owner.actionFailed(action, error)
    this.owner.finished()
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
