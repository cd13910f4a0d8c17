// One live XState system per instance, whose effects on the world outside are captured instead of done.
//
// K1: nothing that a turn does is visible outside it before `show`: getSnapshot and subscribers of every actor of the
//     system, held by whomever, see committed states only.
// K3: the only inputs are those given to `run`; ids, timer keys and addresses follow from the record's seq.
//
// The seam: XState announces each actor (`@xstate.actor`) after its scope exists and before its first state, children at
// any depth included. There its prototype, logic and scope are replaced.
import { type AnyActorLogic, type AnyEventObject, type AnyStateMachine, createActor } from 'xstate'

import { type EffectRecord, instanceOf } from '../../journal/records.ts'
import { type TreeState, withActors } from '../checkpoint.ts'
import { NO_ITEMS, ownSet } from '../empty.ts'
import { pinned } from '../pin.ts'
import { TimerBook } from '../timer-book.ts'
import {
  type ActorSnapshot,
  type Effect,
  newTurn,
  ROOT,
  type Timer,
  type TreeOwner,
  type Turn,
  type TurnInput,
} from '../turn.ts'
import { base, durableActor } from './actor.ts'
import { attemptAt } from './attempt.ts'
import { builtin, type InnerActor, NOT_STARTED, RUNNING, SHOWN, STEPS, STOPPED, TREE, type Tree } from './inside.ts'
import { isWork, wrap } from './logic.ts'
import { placeOf, placesOf, reviveActors, shownOf, shownWithin, stateOf } from './state.ts'
import { layTombs } from './tombs.ts'

/** So that an action's place in its history is a number that `deliver` can count with. */
const MAX_ACTIONS = 1024
/** A cycle of eventless transitions would never end a turn, and XState sets no limit where the machine does not. */
const MAX_MICROSTEPS = 10_000

/** A live XState system that never acts by itself. */
export class ActorTree implements Tree {
  readonly owner: TreeOwner
  readonly actors = new Map<string, InnerActor>()
  private book = new TimerBook(() => this.turn!)
  private root!: InnerActor
  /** It has a root: the instance was created, and not purged since. */
  alive = false
  /** The stream whose place in the world this one has: another than its own for a fork. */
  origin: string
  /** The stream that chance is drawn for: until it was forked, its origin's. */
  chance: string
  turn: Turn | undefined
  private readonly logic: AnyActorLogic
  private made: Set<string> = NO_ITEMS
  private works: Set<string> = NO_ITEMS
  /** What the turn has made so far: names, actions, events between actors. */
  private booked = 0
  private actions = 0
  private relays = 0
  private childFault: Turn['fault']
  /** While actors are restored: their addresses by path, and the path of each that is there already. */
  private restoring: { addresses: Map<string, string>; paths: Map<InnerActor, string> } | undefined
  /** Why its state is no plain data, once it is not. */
  private lacking: string | undefined

  constructor(owner: TreeOwner, logic: AnyActorLogic) {
    this.owner = owner
    this.logic = logic
    this.origin = owner.stream
    this.chance = owner.stream
  }

  /** The instance was purged: all begins anew. */
  reset(): void {
    this.alive = false
    this.lacking = undefined
    this.origin = this.owner.stream
    this.chance = this.owner.stream
    this.book = new TimerBook(() => this.turn!)
    this.actors.clear()
    this.works.clear()
  }

  /** Decides one input, as record `seq` of the process `host` at `at`. Never throws: what goes wrong is the turn's fault, and the tree is then not to be used again. */
  run(seq: number, at: number, host: string | undefined, input: TurnInput): Turn {
    const turn = newTurn(seq, at, input.kind !== 'event')
    this.turn = turn
    this.made = NO_ITEMS
    this.booked = 0
    this.actions = 0
    this.relays = 0
    this.book.begin()
    this.childFault = undefined
    try {
      pinned(at, { stream: this.chance, seq, host }, () => this.decide(turn, input))
    } catch (error) {
      turn.fault ??= { error, path: ROOT }
    } finally {
      this.turn = undefined
    }
    for (const change of turn.changed) change.snapshot = (change.actor as InnerActor)._snapshot
    return turn
  }

  /** Delayed transitions that wait, by key. */
  get timers(): ReadonlyMap<string, Timer> {
    return this.book.timers
  }

  /** When the first delayed transition is due. */
  get due(): number | undefined {
    return this.book.earliest
  }

  /** Promises, callbacks and observables that should run. */
  get running(): number {
    return this.works.size
  }

  /** What the actor at this address is, where it runs and is a promise, callback or observable. */
  workAt(address: string): EffectRecord['kind'] | undefined {
    const actor = this.actors.get(address)
    return isWork(actor) && actor!._processingStatus === RUNNING
      ? (actor!.logic.kind as EffectRecord['kind'])
      : undefined
  }

  /** Makes the outcome of a turn visible. */
  show(turn: Turn): void {
    for (const { actor, snapshot } of turn.changed) (actor as InnerActor)[SHOWN] = snapshot
  }

  /** Why there will never be a `state`, where that is so. */
  get replayOnly(): string | undefined {
    return this.lacking
  }

  /** The root's state after the last turn, shown or not. */
  get decided(): ActorSnapshot {
    return this.root._snapshot
  }

  /** The root's state as all may see it. */
  get shown(): ActorSnapshot {
    return this.root.getSnapshot()
  }

  /** What the actor at this address shows, if it is there. */
  shownAt(address: string): ActorSnapshot | undefined {
    const actor = this.actors.get(address)
    if (actor) return shownOf(actor)
    return this.alive ? shownWithin(shownOf(this.root), ROOT, address) : undefined // at its end, and its parent still has it
  }

  private decide(turn: Turn, input: TurnInput): void {
    if (input.kind === 'start') return this.start(turn, input.input)
    const wasActive = this.root._snapshot.status === 'active'
    if (input.kind === 'fail') this.fail(turn, input)
    else if (input.kind === 'timer') this.fire(turn, input.key)
    else if (input.kind === 'drop') this.book.remove(input.key)
    else if (input.kind === 'stop') this.root._stop()
    else turn.ignored = !this.send(turn, input.target, input.event)
    // a child's error is for XState's onError first; where nobody handles it, the input is at fault
    const { status, error } = this.root._snapshot
    if (wasActive && status === 'error') turn.fault ??= this.childFault ?? { error, path: ROOT }
  }

  private send(turn: Turn, target: string, event: AnyEventObject): boolean {
    const actor = this.actors.get(target)
    if (!actor || actor._processingStatus !== RUNNING) return false
    actor._send(event)
    if (actor.logic.kind !== 'machine') turn.handled = true
    return true
  }

  /** A fired timer is used up, also when its actor is gone. */
  private fire(turn: Turn, key: string): void {
    const timer = this.timers.get(key)
    if (!timer) {
      turn.ignored = true
      return
    }
    this.book.remove(key)
    this.send(turn, timer.target, timer.event)
  }

  private fail(turn: Turn, { target, error }: { target: string; error: unknown }): void {
    const actor = this.actors.get(target)
    if (!actor) {
      turn.ignored = true
      return
    }
    this.touch(actor)
    this.workEnded(actor)
    actor._snapshot = { ...actor._snapshot, status: 'error', error } as ActorSnapshot
    actor._error(error)
  }

  private start(turn: Turn, input: unknown): void {
    const actor = this.createRoot({ input })
    actor.start()
    if (actor._snapshot.status === 'error') turn.fault = { error: actor._snapshot.error, path: ROOT }
  }

  private createRoot(options: { input?: unknown; snapshot?: unknown }): InnerActor {
    const root = createActor(this.logic, {
      ...(options as object),
      id: this.origin === this.owner.stream ? this.owner.id : instanceOf(this.origin)!.instance,
      inspect: (event) => {
        if (event.type === '@xstate.actor') this.adopt(event.actorRef as unknown as InnerActor)
      },
    }) as unknown as InnerActor
    base.subscribe.call(root, { error() {} }) // a root in error without observer would throw from a timer
    return root
  }

  /** All actors as plain data; undefined where they have no such form: inline logic, observers, or actors that nobody holds. */
  state(): TreeState | undefined {
    return this.lacking === undefined ? stateOf(this.root, this.actors.size, [...this.timers.values()]) : undefined
  }

  /** The opposite, on actors that have decided nothing; answers the work that was running. Throws where the machine has changed. */
  restore(state: TreeState, seq: number, at: number): Effect[] {
    const turn = newTurn(seq, at, true)
    const addresses = new Map([['', ROOT]])
    const stopped = new Set<string>()
    placesOf(this.logic as AnyStateMachine, state.root, '', addresses, stopped)
    this.turn = turn
    this.restoring = { addresses, paths: new Map() }
    try {
      const root = this.createRoot({ snapshot: state.root })
      if (root._snapshot.status === 'error' && state.root.status !== 'error') throw root._snapshot.error
      const all = new Map<string, InnerActor>()
      for (const actor of this.restoring.paths.keys()) all.set(actor.sessionId, actor)
      layTombs(this, state.tombs, all)
      const actor = (address: string) => all.get(address)
      for (const { _snapshot } of all.values()) reviveActors(_snapshot, actor)
      for (const each of all.values())
        if (stopped.has(each.sessionId)) {
          each._processingStatus = STOPPED
          each.system._unregister(each) // XState makes them anew, and they take their system id again
        }
      if (root._snapshot.status === 'active') root.start()
      for (const each of all.values()) each[SHOWN] = each._snapshot
      for (const timer of state.timers) {
        withActors(timer.event, actor)
        this.book.restore(timer)
      }
    } finally {
      this.turn = undefined
      this.restoring = undefined
    }
    return turn.effects.filter((e) => e.kind === 'start')
  }

  watchedWithin({ sessionId }: InnerActor): void {
    this.lacking ??= `a transition has put an observer on the actor ${sessionId}`
  }

  touch(actor: InnerActor): void {
    const changed = this.turn?.changed
    if (!changed || changed.at(-1)?.actor === actor || changed.some((c) => c.actor === actor)) return
    changed.push({ actor, snapshot: actor._snapshot })
  }

  threw(actor: InnerActor, error: unknown): void {
    const fault = { error, path: actor.sessionId }
    if (actor._parent) this.childFault ??= fault
    else this.turn!.fault ??= fault
  }

  captureStart(actor: InnerActor, logic: AnyActorLogic, kind: EffectRecord['kind']): void {
    const snapshot = actor._snapshot
    this.works = ownSet(this.works).add(actor.sessionId)
    const src = typeof actor.src === 'string' ? actor.src : '(inline)'
    const acting = this.owner.standIn?.work(src, logic) ?? logic
    this.turn!.effects.push({
      kind: 'start',
      key: actor.sessionId,
      src,
      logic: kind,
      input: snapshot.input,
      begin: (heard) => attemptAt(actor, acting, snapshot, heard),
    })
  }

  workEnded(actor: InnerActor): void {
    this.works.delete(actor.sessionId)
    this.turn!.ended.push(actor.sessionId)
  }

  /** The seam: called for every actor before its first state. */
  private adopt(actor: InnerActor): void {
    const parent = actor._parent
    if (!parent) this.takeOver(actor)
    const address = this.restoring ? this.restoredAddress(actor, parent) : this.newAddress(actor, parent)
    if (parent && typeof actor.src !== 'string')
      this.lacking ??= `the actor ${address} was made of logic without a name`
    actor.sessionId = address
    Object.setPrototypeOf(actor, durableActor)
    actor[TREE] = this
    actor[SHOWN] = undefined
    actor.logic = wrap(actor.logic as unknown as AnyActorLogic)
    this.wireScope(actor, address)
  }

  /** Path and creating record: the same in every replay. */
  private newAddress(actor: InnerActor, parent: InnerActor | undefined): string {
    const path = parent ? `${parent.sessionId}/${actor.id}@${this.turn!.seq}` : ROOT
    let address = path
    for (let k = 1; this.made.has(address); k++) address = `${path}.${k}`
    this.made = ownSet(this.made).add(address)
    return address
  }

  private restoredAddress(actor: InnerActor, parent: InnerActor | undefined): string {
    const { addresses, paths } = this.restoring!
    const path = parent ? placeOf(paths.get(parent)!, actor.id) : ''
    paths.set(actor, path)
    return addresses.get(path)!
  }

  private wireScope(actor: InnerActor, address: string): void {
    const scope = actor._actorScope
    const inner = scope.actionExecutor
    const { standIn } = this.owner
    scope.sessionId = address
    scope.actionExecutor = (action) => {
      if (builtin.has(action.type)) return inner(action)
      const { exec, info, params } = action
      if (!exec) throw new Error(`action '${action.type}' has no implementation; give it in setup() or provide()`)
      const run = standIn ? () => standIn.action(action.type, params) : () => exec(info, params)
      const { type } = action
      // as in XState: an actor that is never started, or fails in its first state, has done nothing
      if (actor._processingStatus === NOT_STARTED)
        actor._deferred.push(() => this.captureAction(address, type, params, run))
      else this.captureAction(address, type, params, run)
    }
    scope.emit = (event) => {
      if (this.turn) this.turn.effects.push({ kind: 'emit', path: address, event, seq: this.turn.seq })
      else this.owner.listeners.emit(address, event)
    }
    scope.logger = (...args) => {
      if (this.turn) this.turn.effects.push({ kind: 'log', args })
      else this.owner.log(args)
    }
  }

  private captureAction(path: string, src: string, params: unknown, run: () => unknown): void {
    if (this.actions >= MAX_ACTIONS)
      throw tooMany(
        `${MAX_ACTIONS} actions within one transition`,
        'let one action do the work of many, or spread it over several events',
      )
    const key = `${this.turn!.seq}/${this.actions++}`
    this.turn!.effects.push({ kind: 'action', key, src, path, params, run })
  }

  /** The limit is kept here: the user's machine stays as it is (K9). */
  private stepped(actor: InnerActor): void {
    const steps = (actor[STEPS] ?? 0) + 1
    actor[STEPS] = steps
    if (steps > MAX_MICROSTEPS && !Number.isFinite(actor.logic.options?.maxIterations))
      throw tooMany(
        `${MAX_MICROSTEPS} microsteps within one transition`,
        'see to a cycle of eventless transitions or raised events, or set options.maxIterations of the machine',
      )
  }

  private takeOver(root: InnerActor): void {
    this.root = root
    this.alive = true
    const { system } = root
    system._bookId = () => `x${this.turn!.seq}.${this.booked++}`
    system._sendInspectionEvent = (event) => {
      if (event.type === '@xstate.actor') this.adopt(event.actorRef)
      else if (event.type === '@xstate.microstep') {
        if (event._transitions?.length) this.turn!.handled = true
        this.stepped(event.actorRef)
      }
    }
    system._relay = (source, target, event) => {
      if (this.restoring) return // what is said again was said before
      if (!this.turn) return this.owner.input(target.sessionId, event)
      if (++this.relays > this.owner.maxRelays) {
        this.turn.fault ??= {
          error: tooMany(
            `${this.owner.maxRelays} events between actors within one transition`,
            'see to actors that answer each other without end, or raise maxRelays of openHost',
          ),
          path: target.sessionId,
        }
        throw this.turn.fault.error
      }
      // what an attempt takes for itself stands in front of the actor
      const actor = Object.hasOwn(target, 'sessionId') ? target : (this.actors.get(target.sessionId) ?? target)
      if (target[TREE] === this) return actor._send(event)
      // an actor of another system is outside: it is told once this is durable, and never by a replay
      this.captureAction(source?.sessionId ?? ROOT, 'xstate.sendTo', undefined, () => target.send(event))
    }
    const { _register, _unregister } = system
    system._register = (address, actor) => {
      this.actors.set(address, actor)
      return _register(address, actor)
    }
    system._unregister = (actor) => {
      if (this.actors.get(actor.sessionId) === actor) this.actors.delete(actor.sessionId)
      _unregister(actor)
    }
    system.scheduler = this.book
  }
}

const tooMany = (what: string, remedy: string) => new Error(`more than ${what}: ${remedy}`)
