// Where an instance meets the world: what a durable turn wants done goes out, what comes of it comes in as one more input.
//
// K1: `act` gets turns whose commit is durable, nobody else reaches the world.
// K5: work that a crash has interrupted begins again once the attempt is on record.
import type { AnyEventObject } from 'xstate'
import type { Clock } from '../ports/clock.ts'
import type { DuramenError } from '../ports/errors.ts'
import { dump } from '../ports/thrown.ts'
import type { Counts } from './counts.ts'
import type { Deliverer } from './deliver.ts'
import type { CurrentEffect } from './effects.ts'
import { NO_ENTRIES, own } from './empty.ts'
import { encodeError, encodeInternal } from './events.ts'
import { effectFailed } from './failures.ts'
import { type Input, NOTHING, type Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'
import { Listeners } from './listeners.ts'
import type { Policy } from './retry.ts'
import { type Action, kindOf, type Start } from './run.ts'
import { Runner, type RunnerOwner } from './runner.ts'
import type { Slots } from './slots.ts'
import type { ActorSnapshot, Effect, StandIn, Timer, TreeOwner, Turn } from './turn.ts'
import type { EffectSpan } from './watching.ts'

export class Boundary implements TreeOwner, RunnerOwner, Deliverer {
  readonly id: string
  readonly stream: string
  readonly maxRelays: number
  readonly listeners: Listeners
  readonly clock: Clock
  readonly slots: Slots
  readonly maxBinary: number
  readonly runner: Runner
  readonly standIn: StandIn | undefined
  readonly counts: Counts
  private readonly instance: Instance
  /** Timers that the host has: key to entry. */
  private armed: Map<string, number> = NO_ENTRIES

  constructor(instance: Instance) {
    this.id = instance.id
    this.stream = instance.stream
    this.maxRelays = instance.host.limits.maxRelays
    this.listeners = new Listeners(instance.host.logger, () => instance.host.listened(instance))
    this.clock = instance.host.clock
    this.slots = instance.host.slots
    this.maxBinary = instance.host.limits.maxBinary
    this.counts = instance.counts
    this.standIn = instance.machine.standIn
    this.runner = new Runner(this, this)
    this.instance = instance
  }

  // ---- out -----------------------------------------------------------------------------------------------------------

  /** Does what a durable turn wants done. */
  act(turn: Turn): void {
    for (const timer of turn.set) this.arm(timer)
    for (const key of turn.gone) if (this.armed.delete(key)) this.instance.host.timers.drop()
    for (const { actor, snapshot } of turn.changed) this.listeners.changed(actor.sessionId, snapshot)
    for (const effect of turn.effects) this.do(effect)
    for (const key of turn.ended) this.runner.forget(key)
  }

  /** The part of a turn that is for now or never, when actions and invoked work are taken up by `runner.resume`. */
  actNow({ effects }: Turn): void {
    for (const e of effects) if (e.kind === 'tell' || e.kind === 'emit' || e.kind === 'log') this.do(e)
  }

  private do(effect: Effect): void {
    switch (effect.kind) {
      case 'action':
        return this.runner.runAction(effect)
      case 'start':
        return this.runner.start(effect)
      case 'stop':
        return this.runner.stop(effect.key)
      case 'tell':
        return this.runner.tell(effect.key, effect.event)
      case 'emit':
        return this.listeners.emit(effect.path, effect.event, effect.seq)
      case 'log':
        return this.log(effect.args)
    }
  }

  arm(timer: Timer): void {
    if (this.armed.has(timer.key)) return
    const { host, machine } = this.instance
    this.armed = own(this.armed).set(timer.key, host.timers.add(host.dueOf(machine, timer), this.stream, timer.key))
  }

  /** The host's timers for this instance count no more. */
  disarm(): void {
    const { size } = this.armed
    this.armed = NO_ENTRIES
    this.instance.host.timers.drop(size)
  }

  /** The host's entry is the one that will fire the timer. */
  waits(key: string, entry: number): boolean {
    return this.armed.get(key) === entry
  }

  /** What was begun before begins again, once that is on record. */
  takeUp(): void {
    this.runner.interrupted()
    if (!this.runner.held) for (const [item, error] of this.runner.graves) this.died(item, error)
    this.runner.resume()
  }

  /** Delayed transitions that wait and are durable. */
  get waiting(): Timer[] {
    return [...this.instance.tree.timers.values()].filter(({ key }) => this.armed.has(key))
  }

  log(args: unknown[]): void {
    this.instance.host.logger.info(
      `${this.stream}: ${args.map((a) => (typeof a === 'string' ? a : dump(a))).join(' ')}`,
    )
  }

  deliver(...delivery: Parameters<Deliverer['deliver']>): Promise<Receipt> {
    const done = this.instance.host.deliver(...delivery)
    const work = delivery[4]?.[3]
    if (work !== undefined) this.runner.delivers(work, done)
    return done
  }

  oldestAction = (): string | undefined => this.runner.unfinished.keys().next().value
  oldestPromise = (): number | undefined => this.runner.oldestPromise

  mark(): void {
    this.instance.mark()
  }

  marked(): Promise<unknown> {
    return this.instance.ask({ kind: 'mark', payload: NOTHING, keep: true })
  }

  policy(item: Action | Start): Policy | undefined {
    return this.instance.machine.policies(item.src, kindOf(item))
  }

  gatesOf(item: Action | Start, policy: Policy | undefined): ReturnType<Slots['gatesOf']> {
    if (this.instance.machine.slotless?.has(item.src)) return []
    if (!policy) return this.slots.open
    const input = item.kind === 'action' ? item.params : item.input
    return this.slots.gatesOf(`${this.instance.machine.id}/${item.src}`, policy, input)
  }

  // ---- in ------------------------------------------------------------------------------------------------------------

  shown(address: string): ActorSnapshot | undefined {
    return this.instance.shown(address)
  }

  /** An event from an effect, a child's reference or a resource. */
  input(target: string, event: AnyEventObject): void {
    const { where, host } = this.instance
    const payload = encodeInternal(event, where, this.maxBinary)
    this.instance.accept({ kind: 'event', target, keep: true, payload, trace: host.telemetry?.here() })
  }

  /** K9: a callback or observable can't fill the mailbox without end. */
  get flooded(): DuramenError | undefined {
    return this.instance.flooded
  }

  /** A timer is due. */
  fire(key: string): void {
    this.armed.delete(key)
    if (this.instance.tree.timers.has(key) || this.instance.phase === 'loading')
      this.instance.accept({ kind: 'timer', key, payload: NOTHING, keep: true })
  }

  span(effect: Action | Start, attempt: CurrentEffect): EffectSpan | undefined {
    const { host, where } = this.instance
    return host.telemetry?.effect(where, effect, attempt)
  }

  workFailed({ key }: Start, error: unknown): void {
    this.instance.accept({ kind: 'fail', target: key, keep: true, payload: encodeError(error) })
  }

  died(item: Action | Start, error: unknown): void {
    const path = item.kind === 'action' ? item.path : item.key
    const key = this.runner.fullKey(item.key)
    this.instance.holding.park(effectFailed(this.instance.where, kindOf(item), item.src, key, path, error))
  }

  /** A failure that the machine does not handle is a dead letter; the input that told of it is used up. False: it is none. */
  buried({ kind, target, payload }: Input, refusal: DuramenError): boolean {
    const { type, data } = (kind === 'event' ? payload.value : {}) as { type?: string; data?: unknown }
    if (kind !== 'fail' && type !== 'xstate.promise.reject' && type !== 'xstate.observable.error') return false
    const error = kind === 'fail' ? payload.value : data
    if (refusal.cause !== error) return false // the machine handles it, and throws doing so
    const item = this.runner.bury(target!, error)
    if (item) this.died(item, error)
    return item !== undefined
  }

  warn(message: string, error?: unknown): void {
    this.instance.host.logger.warn(message, error as object)
  }

  finished(): void {
    this.instance.host.finished(this.instance)
  }
}
