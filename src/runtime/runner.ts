// The effects of one instance: what was started and is not finished, what has finished, and what has failed for good.
//
// K5: `unfinished` actions and `works` are rebuilt from the journal and taken up again at recovery; finished ones wait in
//     `done` for the next commit to record them. What is on its way (runs.ts) is kept by key, apart from the actors, so that
//     loading an instance anew does not run it twice.
// K9: failures, interruptions and waits have limits; what has failed for good is a dead letter and waits for an operator.
import type { Commit, CommitHeader, DeadLetterRecord } from '../journal/records.ts'
import type { EffectOutcome } from './counts.ts'
import { EffectFacts, type FactsState } from './effect-facts.ts'
import { NO_ENTRIES, NO_ITEMS, own, ownSet } from './empty.ts'
import { Desk } from './handover.ts'
import type { Ruling } from './inputs.ts'
import type { OpenEffect } from './ledger.ts'
import { effectRecord } from './outcome.ts'
import { recordOf } from './receipts.ts'
import { CRASHES, plainError } from './retry.ts'
import { type Action, kindOf, lasts, type Start } from './run.ts'
import { Runs, type RunsOwner, type RunsWorld } from './runs.ts'
import type { Effect, Turn } from './turn.ts'

/** The instance, as its effects need it. */
export interface RunnerOwner extends RunsWorld {
  readonly stream: string
  readonly maxBinary: number
  /** It has failed for good: it is a dead letter. */
  died(item: Action | Start, error: unknown): void
  /** Makes a commit of what is unsaid, now. */
  mark(): void
  /** The same, and waits for it. Rejects when the instance takes nothing any more. */
  marked(): Promise<unknown>
  /** Something has finished and waits to be recorded, or nothing runs any more. */
  finished(): void
}

export class Runner implements RunsOwner {
  /** Actions that are durable and not known to be finished, in order. */
  unfinished: Map<string, Action> = NO_ENTRIES
  readonly facts = new EffectFacts()
  readonly world: Desk
  /** Keys of actions that have finished, not yet recorded. */
  private done: Set<string> = NO_ITEMS
  /** Invoked work that should run. */
  private works: Map<string, Start> = NO_ENTRIES
  private readonly runs: Runs
  private readonly owner: RunnerOwner
  private delivering: Set<{ readonly record: number }> = NO_ITEMS
  private marking = false

  /** `scope`: what `deliver` is given. */
  constructor(owner: RunnerOwner, scope: unknown) {
    this.owner = owner
    this.runs = new Runs(this, owner)
    this.world = new Desk(owner, scope, this.facts, this.runs)
  }

  /** The key that the world outside sees. */
  fullKey = (key: string): string => (key.startsWith('@') ? this.owner.stream + key : `${this.owner.stream}/${key}`)

  // ---- records ---------------------------------------------------------------------------------------------------------

  /** Forgets what was read from the journal, before it is read again; what is on its way goes on. */
  reset(): void {
    this.unfinished = NO_ENTRIES
    this.works = NO_ENTRIES
    this.facts.clear()
  }

  /** Begins from a checkpoint instead of the first record. */
  restore(works: readonly Effect[], state: FactsState): void {
    for (const work of works) if (work.kind === 'start') this.works = own(this.works).set(work.key, work)
    this.facts.restore(state)
  }

  /** What is known of effects, as plain data; undefined while some of it is not on record. */
  get state(): FactsState | undefined {
    return this.unfinished.size > 0 || this.facts.waiting ? undefined : this.facts.state
  }

  /** Takes in a commit that was read from the journal. */
  replayed(commit: Commit, turn: Turn | undefined): void {
    this.facts.read(commit)
    for (const key of commit.finished ?? []) {
      this.unfinished.delete(key)
      this.done.delete(key)
      this.facts.forget(key)
    }
    if (commit.op === 'purge') return this.reset()
    if (!turn) return
    if (turn.kept) {
      this.reset()
      return this.restore(turn.effects, turn.kept.effects)
    }
    for (const effect of turn.effects) {
      if (effect.kind === 'action' && !this.done.has(effect.key))
        this.unfinished = own(this.unfinished).set(effect.key, effect)
      if (effect.kind === 'start') this.works = own(this.works).set(effect.key, effect)
    }
    for (const key of turn.ended) {
      this.works.delete(key)
      this.facts.forget(key)
    }
  }

  /** Something is not on record yet. */
  get unsaid(): boolean {
    return this.done.size > 0 || this.facts.waiting
  }

  /** What the commit that is made now says of effects; `actors`: those that are there then, by address. */
  drain(header: { -readonly [K in keyof CommitHeader]: CommitHeader[K] }, actors: ReadonlyMap<string, unknown>): void {
    if (this.done.size) {
      header.finished = [...this.done]
      this.done.clear()
    }
    if (this.facts.waiting) Object.assign(header, this.facts.drain())
    const outside = this.facts.any ? this.facts.outside.filter((key) => actors.has(key)).length : 0
    if (outside) header.handedOver = outside
  }

  /** A commit was not made after all; what was ruled with it is not ours to say. */
  back(header: CommitHeader, ruling: Ruling | undefined): void {
    for (const key of header.finished ?? [])
      if (!ruling?.finished?.includes(key)) this.done = ownSet(this.done).add(key)
    if (!ruling?.attempts) return this.facts.back(header)
    const own = Object.entries(header.attempts ?? {}).filter(([key]) => !(key in ruling.attempts!))
    this.facts.back({ ...header, attempts: Object.fromEntries(own) })
  }

  /** Attempts are on record: what waited for that begins, what an operator wants is known. */
  recorded(attempts: Readonly<Record<string, number>>): void {
    for (const [key, attempt] of Object.entries(attempts))
      if ((this.facts.get(key).attempt ?? 1) < attempt) this.facts.read({ attempts: { [key]: attempt } })
    this.runs.recorded(attempts) // last: it may call the attempt off again
  }

  /** Has what is new recorded at once; all of this tick shares the commit. */
  record(): void {
    if (this.marking) return
    this.marking = true
    queueMicrotask(() => {
      this.marking = false
      this.owner.mark()
    })
  }

  // ---- life ------------------------------------------------------------------------------------------------------------

  /** What the end of a process has interrupted counts so; what it has interrupted too often is given up. */
  interrupted(): void {
    const now = this.owner.clock.now()
    for (const item of this.standing()) {
      const { key } = item
      const { crashes = 0, retryAt, dead, outside } = this.facts.get(key)
      if (retryAt !== undefined || dead || outside) continue
      if (!lasts(item)) this.facts.change(key, { crashes: crashes + 1 })
      this.facts.change(key, { retryAt: now })
      if (!lasts(item) && crashes + 1 >= (this.owner.policy(item)?.crashes ?? CRASHES))
        this.bury(key, new Error(`it has ended the process, or its host was killed, ${crashes + 1} times`))
    }
  }

  /** After the journal was read again: ends what is on its way although it has ended there, and starts all that should run. */
  reloaded(): void {
    this.facts.reapply()
    for (const { item } of this.runs.all) if (item.kind === 'start' && !this.works.has(item.key)) this.stop(item.key)
    if (this.unsaid) this.record()
    this.resume()
  }

  /** Starts all that should run and does not: actions in order, then invoked work. */
  resume(): void {
    for (const item of this.standing()) this.runs.launch(item)
  }

  /** Begun or to be begun, and not on its way. */
  private standing(): (Action | Start)[] {
    return [...this.unfinished.values(), ...this.works.values()].filter(({ key }) => !this.runs.has(key))
  }

  runAction(action: Action): void {
    this.unfinished = own(this.unfinished).set(action.key, action)
    this.runs.launch(action)
  }

  start(work: Start): void {
    this.works = own(this.works).set(work.key, work)
    this.runs.launch(work)
  }

  tell(key: string, event: { type: string }): void {
    this.runs.tell(key, event)
  }

  /** The work was left. */
  stop(key: string): void {
    this.forget(key, 'stopped')
  }

  /** The work has ended, by a result, from outside or by being left. */
  forget(key: string, outcome: EffectOutcome = 'completed'): void {
    this.works.delete(key)
    this.facts.forget(key)
    this.runs.drop(key, outcome)
  }

  /** The instance is held: what is begun goes on, nothing else begins. */
  get held(): boolean {
    return this.runs.held
  }

  set held(held: boolean) {
    this.runs.held = held
  }

  /** K10: callbacks and observables end; none is started any more. */
  hush(): void {
    this.runs.hush()
  }

  /** K10: tells everything that runs to stop; nothing is started any more. */
  abort(): void {
    this.runs.abort()
  }

  /** K10: after this nothing is waited for. */
  close(): void {
    this.runs.close()
    this.world.close()
  }

  /** Nothing runs, nothing should, and nothing waits to be recorded. */
  get empty(): boolean {
    if (this.runs.size + this.unfinished.size > 0 || this.unsaid) return false
    for (const key of this.works.keys()) if (!this.facts.get(key).outside) return false
    return true
  }

  /** What is not at its end, in the order in which it would be taken up. */
  get open(): (OpenEffect & { running: boolean })[] {
    const all = [...this.unfinished.values(), ...this.works.values()]
    return all.map((effect) => ({
      ...effectRecord(effect)!,
      attempt: this.attemptOf(effect.key),
      running: !this.stands(effect.key),
    }))
  }

  /** Nothing is under way any more. */
  get idle(): boolean {
    return this.runs.idle
  }

  /** The record that made the oldest promise that may still deliver. */
  get oldestPromise(): number | undefined {
    let oldest: number | undefined
    for (const { key, logic } of this.works.values())
      if (logic === 'promise') oldest = Math.min(oldest ?? Infinity, recordOf(key))
    for (const { record } of this.delivering) oldest = Math.min(oldest ?? Infinity, record)
    return oldest
  }

  /** A promise delivers: also when it ends meanwhile, it counts as one that may, until that has arrived. */
  delivers(key: string, delivery: Promise<unknown>): void {
    const one = { record: recordOf(key) }
    this.delivering = ownSet(this.delivering).add(one)
    const over = () => void this.delivering.delete(one)
    delivery.then(over, over)
  }

  // ---- dead letters, and what operators do -----------------------------------------------------------------------------

  /** What has failed for good, by key. */
  get dead(): ReadonlyMap<string, DeadLetterRecord> {
    return this.facts.dead
  }

  /** It has failed for good: nothing is done about it until it is revived or dropped. */
  bury(key: string, error: unknown): Action | Start | undefined {
    const item = this.unfinished.get(key) ?? this.works.get(key)
    if (!item) return undefined
    this.runs.drop(key, 'failed')
    const { attempt: attempts = 1 } = this.facts.get(key)
    const at = this.owner.clock.now()
    this.facts.change(key, { dead: { src: item.src, kind: kindOf(item), attempts, error: plainError(error), at } })
    this.record()
    return item
  }

  /** The same, with what they were and the error in the words of the record. */
  get graves(): [Action | Start, Error][] {
    return [...this.dead].flatMap(([key, { error }]) => {
      const item = this.unfinished.get(key) ?? this.works.get(key)
      return item ? [[item, Object.assign(new Error(error.message), { name: error.name })]] : []
    })
  }

  /** The attempts with which dead letters live again. */
  get revivals(): Record<string, number> {
    return Object.fromEntries([...this.dead].map(([key, { attempts }]) => [key, attempts + 1]))
  }

  /** It has failed, or waits for its turn: begun or to be begun, it is not under way now. */
  stands(key: string): boolean {
    const state = this.runs.get(key)?.state
    return (this.unfinished.has(key) || this.works.has(key)) && state !== 'running' && state !== 'settled'
  }

  /** Actions that stand. */
  get failed(): string[] {
    return [...this.unfinished.keys()].filter((key) => this.stands(key))
  }

  attemptOf(key: string): number {
    return this.facts.get(key).attempt ?? 1
  }

  /** An operator wants it tried again, now, also while the instance is held. */
  retry(key: string): void {
    if (this.runs.get(key)?.state === 'running') return
    this.runs.drop(key, 'failed')
    const item = this.unfinished.get(key) ?? this.works.get(key)
    if (item) this.runs.launch(item, 'all the same')
  }

  /** An operator has ended it: what it still comes to does not count. */
  drop(key: string): void {
    this.unfinished.delete(key)
    this.done.delete(key)
    this.stop(key)
  }

  /** The secret of its token, where it has one. */
  secretOf(key: string): string | undefined {
    return this.facts.get(key).token
  }

  // ---- what becomes of it ----------------------------------------------------------------------------------------------

  ended(): void {
    this.owner.finished()
  }

  actionFinished({ key }: Action): void {
    this.facts.forget(key)
    this.unfinished.delete(key)
    this.done = ownSet(this.done).add(key)
  }

  actionFailed(action: Action, error: unknown): void {
    this.bury(action.key, error)
    this.owner.died(action, error)
  }
}
