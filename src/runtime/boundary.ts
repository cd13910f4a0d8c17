// Where an instance meets the world: what a durable turn wants done goes out, what comes of it comes in as one more input.
//
// K1: `act` gets turns whose commit is durable, nobody else reaches the world.
// K5: work that a crash has interrupted begins again once the attempt is on record.
import { inspect } from 'node:util'
import type { AnyEventObject } from 'xstate'
import type { Counts } from './counts.ts'
import type { Deliverer } from './deliver.ts'
import type { CurrentEffect } from './effects.ts'
import { encodeError, encodeInternal } from './events.ts'
import { actionFailed } from './failures.ts'
import { NOTHING, type Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'
import { Listeners } from './listeners.ts'
import { Runner, type RunnerOwner } from './runner.ts'
import type { Effect, StandIn, Timer, TreeOwner, Turn, TurnActor } from './turn.ts'
import type { EffectSpan } from './watching.ts'

export class Boundary implements TreeOwner, RunnerOwner, Deliverer {
  readonly id: string
  readonly stream: string
  readonly maxRelays: number
  readonly listeners: Listeners
  readonly runner: Runner
  readonly standIn: StandIn | undefined
  readonly counts: Counts
  private readonly instance: Instance
  /** Timers that the host has: key to entry. */
  private readonly armed = new Map<string, number>()

  constructor(instance: Instance) {
    this.id = instance.id
    this.stream = instance.stream
    this.maxRelays = instance.host.limits.maxRelays
    this.counts = instance.counts
    this.listeners = new Listeners(instance.host.logger, () => instance.host.listened(instance))
    this.runner = new Runner(this)
    this.standIn = instance.machine.standIn
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
    this.armed.set(timer.key, host.timers.add(host.dueOf(machine, timer), this.stream, timer.key))
  }

  /** The host's timers for this instance count no more. */
  disarm(): void {
    const { size } = this.armed
    this.armed.clear()
    this.instance.host.timers.drop(size)
  }

  /** The host's entry is the one that will fire the timer. */
  waits(key: string, entry: number): boolean {
    return this.armed.get(key) === entry
  }

  /** What was begun before begins again. Recorded first, so that work which kills the process has not a first attempt for ever. */
  takeUp(): void {
    const attempts = this.runner.interrupted()
    if (Object.keys(attempts).length === 0) return
    const begin = () => this.runner.resume()
    this.instance.ask({ kind: 'mark', payload: NOTHING, attempts, keep: true }).then(begin, () => {}) // refused: broken or closed
  }

  /** Delayed transitions that wait and are durable. */
  get waiting(): Timer[] {
    return [...this.instance.tree.timers.values()].filter(({ key }) => this.armed.has(key))
  }

  log(args: unknown[]): void {
    this.instance.host.logger.info(
      `${this.stream}: ${args.map((a) => (typeof a === 'string' ? a : inspect(a))).join(' ')}`,
    )
  }

  deliver(...delivery: Parameters<Deliverer['deliver']>): Promise<Receipt> {
    return this.instance.host.deliver(...delivery)
  }

  oldestAction = (): string | undefined => this.runner.unfinished.keys().next().value

  // ---- in ------------------------------------------------------------------------------------------------------------

  current(address: string): TurnActor | undefined {
    return this.instance.tree.actors.get(address)
  }

  /** An event from an effect, a child's reference or a resource. */
  input(target: string, event: AnyEventObject, fromWork: boolean): void {
    if (event.type === 'xstate.promise.resolve') this.runner.settled(target, 'completed')
    if (event.type === 'xstate.promise.reject') this.runner.settled(target, 'failed', event.data)
    if (event.type === 'xstate.observable.error') this.runner.ended(target, 'failed', event.data)
    // what was told to stop because the host closes is not the machine's business; a result that still came is
    if (!this.instance.host.accepting && fromWork && event.type !== 'xstate.promise.resolve') {
      if (event.type === 'xstate.promise.reject') this.runner.callOff(target)
      return
    }
    const { where, host } = this.instance
    const payload = encodeInternal(event, where, host.limits.maxBinary)
    this.instance.accept({ kind: 'event', target, keep: true, payload, trace: host.telemetry?.here() })
  }

  /** A timer is due. */
  fire(key: string): void {
    this.armed.delete(key)
    if (this.instance.tree.timers.has(key) || this.instance.phase === 'loading')
      this.instance.accept({ kind: 'timer', key, payload: NOTHING, keep: true })
  }

  span(effect: Extract<Effect, { src: string }>, attempt: CurrentEffect): EffectSpan | undefined {
    const { host, where } = this.instance
    return host.telemetry?.effect(where, effect, attempt)
  }

  workFailed(key: string, error: unknown): void {
    this.instance.accept({ kind: 'fail', target: key, keep: true, payload: encodeError(error) })
  }

  actionFailed({ src, key, path }: Extract<Effect, { kind: 'action' }>, error: unknown): void {
    this.instance.park(actionFailed(this.instance.where, src, this.runner.fullKey(key), path, error))
  }

  stopFailed(key: string, error: unknown): void {
    this.instance.host.logger.error(`${key}: its clean-up threw`, error as object)
  }

  finished(): void {
    this.instance.host.finished(this.instance)
  }
}
