// All that duramen touches of XState's internals (5.33). One live actor system per instance, whose effects on the world
// outside are captured instead of done; test/runtime/seams.test.ts fails when another XState changes what is used here.
//
// K1: nothing that a turn does is visible outside it before `show`: getSnapshot and subscribers of every actor of the
//     system, held by whomever, see committed states only.
// K3: the only inputs are those given to `run`; ids, timer keys and addresses follow from the record's seq.
//
// The seam: XState announces each actor (`@xstate.actor`) after its scope exists and before its first state, children at
// any depth included. There its prototype, logic and scope are replaced.
import {
  Actor,
  type AnyActorLogic,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
} from 'xstate'
import type { EffectRecord } from '../journal/records.ts'
import { type ActorState, type ChildState, type TreeState, withActors, withAddresses } from './checkpoint.ts'
import { pinned } from './pin.ts'
import { TimerBook } from './timer-book.ts'
import {
  type ActorSnapshot,
  type Effect,
  type Observing,
  ROOT,
  type Timer,
  type TreeOwner,
  type Turn,
  type TurnActor,
  type TurnInput,
} from './turn.ts'

/** An actor as XState has it inside. */
interface InnerActor extends TurnActor {
  id: string
  sessionId: string
  systemId?: string
  src: string | AnyActorLogic
  logic: InnerLogic
  system: InnerSystem
  _parent?: InnerActor
  _syncSnapshot?: boolean
  _snapshot: ActorSnapshot
  _processingStatus: number
  _deferred: unknown[]
  _actorScope: InnerScope
  _send(event: AnyEventObject): void
  _error(error: unknown): void
  getSnapshot(): ActorSnapshot
  start(): void
  [TREE]: ActorTree
  [SHOWN]: ActorSnapshot | undefined
}
interface InnerScope {
  self: InnerActor
  sessionId: string
  actionExecutor(action: {
    type: string
    info: unknown
    params: unknown
    exec?: (info: unknown, params: unknown) => unknown
  }): void
  emit(event: AnyEventObject): void
  logger(...args: unknown[]): void
}
interface InnerLogic {
  kind: Kind
  base: AnyActorLogic
  transition(snapshot: ActorSnapshot, event: AnyEventObject, scope: InnerScope): ActorSnapshot
  start?(snapshot: ActorSnapshot, scope: InnerScope): void
}
interface InnerSystem {
  _bookId(): string
  _register(sessionId: string, actor: InnerActor): string
  _unregister(actor: InnerActor): void
  _relay(source: InnerActor | undefined, target: InnerActor, event: AnyEventObject): void
  _sendInspectionEvent(event: {
    type: string
    actorRef: InnerActor
    event?: AnyEventObject
    _transitions?: unknown[]
  }): void
  scheduler: {
    schedule(source: InnerActor, target: InnerActor, event: AnyEventObject, delay: number, id?: string): void
    cancel(source: InnerActor, id: string): void
    cancelAll(actor: InnerActor): void
  }
}
type Kind = 'machine' | 'transition' | EffectRecord['kind']

const TREE = Symbol('duramen.tree')
const SHOWN = Symbol('duramen.shown')
const RUNNING = 1
const STOPPED = 2
const builtin = new Set(
  ['spawnChild', 'stopChild', 'sendTo', 'raise', 'cancel', 'emit', 'log'].map((n) => `xstate.${n}`),
)

// ---- actors ----------------------------------------------------------------------------------------------------------

const base = Actor.prototype as unknown as Record<
  'getSnapshot' | 'subscribe' | 'update' | '_error',
  (...args: any[]) => any
>

const durableActor = Object.create(Actor.prototype, {
  getSnapshot: {
    value(this: InnerActor) {
      const tree = this[TREE]
      if (tree.turn) return this._snapshot
      const now = (tree.owner.current(this.sessionId) as InnerActor | undefined) ?? this
      return now[SHOWN] ?? now._snapshot
    },
  },
  subscribe: {
    value(this: InnerActor, a: Observing | ((s: unknown) => void), b?: (e: unknown) => void, c?: () => void) {
      if (this[TREE].turn) return base.subscribe.call(this, a, b, c)
      const observer = typeof a === 'function' ? { next: a, ...(b && { error: b }), ...(c && { complete: c }) } : a
      return this[TREE].owner.listeners.observe(this.sessionId, observer)
    },
  },
  on: {
    value(this: InnerActor, type: string, handler: (event: AnyEventObject) => void) {
      return this[TREE].owner.listeners.listen(this.sessionId, type, handler)
    },
  },
  update: {
    value(this: InnerActor, snapshot: ActorSnapshot, event: AnyEventObject) {
      this[TREE].touch(this)
      base.update.call(this, snapshot, event)
    },
  },
  _error: {
    value(this: InnerActor, error: unknown) {
      this[TREE].touch(this)
      base._error.call(this, error)
    },
  },
})

// ---- logics ----------------------------------------------------------------------------------------------------------

const source = (logic: AnyActorLogic) => Function.prototype.toString.call(logic.transition)
const nothing = { subscribe: () => ({ unsubscribe() {} }) }
const kinds = new Map<string, EffectRecord['kind']>([
  [source(fromPromise(async () => 0)), 'promise'],
  [source(fromCallback(() => {})), 'callback'],
  [source(fromObservable(() => nothing as never)), 'observable'],
  [source(fromEventObservable(() => nothing as never)), 'observable'],
])

/** XState's logics carry no tag; the built-in ones are told apart by the source of their `transition`. */
export function kindOf(logic: AnyActorLogic): Kind {
  if ('__xstatenode' in logic) return 'machine'
  return kinds.get(source(logic)) ?? (logic.start ? 'custom' : 'transition')
}

const isWork = (actor: InnerActor | undefined) =>
  actor !== undefined && actor.logic.kind !== 'machine' && actor.logic.kind !== 'transition'

const wrapped = new WeakMap<AnyActorLogic, InnerLogic>()

function wrap(logic: AnyActorLogic): InnerLogic {
  const known = wrapped.get(logic)
  if (known) return known
  const kind = kindOf(logic)
  const inner: InnerLogic = Object.assign(Object.create(logic), { kind, base: logic })
  inner.transition = kind === 'machine' || kind === 'transition' ? inMemory(logic) : outside(logic, kind)
  if (kind !== 'machine' && kind !== 'transition')
    inner.start = (_snapshot, { self }) => self[TREE].captureStart(self, logic, kind)
  wrapped.set(logic, inner)
  return inner
}

const inMemory =
  (logic: AnyActorLogic): InnerLogic['transition'] =>
  (snapshot, event, scope) => {
    const { self } = scope
    self[TREE].touch(self)
    try {
      return logic.transition(snapshot as never, event, scope as never) as ActorSnapshot
    } catch (error) {
      self._deferred.length = 0 // XState leaves the deferred functions of the half transition behind
      self[TREE].threw(self, error)
      if (self._parent) throw error
      return snapshot
    }
  }

const outside =
  (logic: AnyActorLogic, kind: Kind): InnerLogic['transition'] =>
  (snapshot, event, scope) => {
    const { self } = scope
    const tree = self[TREE]
    tree.touch(self)
    if (event.type === 'xstate.stop') {
      // XState's own throws for work that never started, as in a replay, and it would stop the work before the commit
      tree.turn!.ended.push(self.sessionId)
      tree.turn!.effects.push({ kind: 'stop', key: self.sessionId })
      return { ...snapshot, status: 'stopped', error: undefined } as ActorSnapshot
    }
    if (kind === 'callback') {
      tree.turn!.effects.push({ kind: 'tell', key: self.sessionId, event })
      return snapshot
    }
    const next = logic.transition(snapshot as never, event, scope as never) as ActorSnapshot
    if (next.status !== 'active') tree.turn!.ended.push(self.sessionId)
    return next
  }

// ---- the system ------------------------------------------------------------------------------------------------------

/** Finds each actor's address and checks, by name, that the machine still has what the state speaks of. */
function placesOf(
  machine: AnyStateMachine,
  state: ActorState,
  path: string,
  addresses: Map<string, string>,
  stopped: Set<string>,
): void {
  machine.resolveState({ value: state.value as never, context: {} }) // throws for a state that is gone, with its name
  for (const [id, child] of Object.entries(state.children ?? {})) {
    const place = `${path}/${id}`
    addresses.set(place, child.address)
    if (child.stopped) stopped.add(child.address)
    const logic = logicOf(machine, child.src)
    if (!logic) throw new Error(`the actor source '${child.src}' of ${place} is missing`)
    if (kindOf(logic) === 'machine') placesOf(logic as AnyStateMachine, child.snapshot, place, addresses, stopped)
  }
}

/** XState names inline invokes `xstate.invoke.<index>.<state id>`. */
export function logicOf(machine: AnyStateMachine, src: string): AnyActorLogic | undefined {
  const [, index, state] = /^xstate\.invoke\.(\d+)\.(.*)/.exec(src) ?? []
  if (index === undefined) return (machine.implementations.actors as Record<string, AnyActorLogic>)[src]
  const { invoke } = machine.getStateNodeById(state!).config as { invoke?: unknown }
  const one = Array.isArray(invoke) ? invoke[Number(index)] : invoke
  const found = (one as { src: string | AnyActorLogic } | undefined)?.src
  return typeof found === 'string' ? logicOf(machine, found) : found
}

const newTurn = (seq: number, at: number, handled: boolean): Turn => ({
  seq,
  at,
  effects: [],
  set: [],
  gone: [],
  ended: [],
  changed: [],
  handled,
  ignored: false,
  fault: undefined,
})

/** A live XState system that never acts by itself. */
export class ActorTree {
  readonly owner: TreeOwner
  readonly actors = new Map<string, InnerActor>()
  private readonly book = new TimerBook(() => this.turn!)
  private root!: InnerActor
  turn: Turn | undefined
  private readonly logic: AnyActorLogic
  private made = new Set<string>()
  private counts = { booked: 0, actions: 0, relays: 0 }
  private childFault: Turn['fault']
  /** While actors are restored: their addresses by path, and the path of each that is there already. */
  private restoring: { addresses: Map<string, string>; paths: Map<InnerActor, string> } | undefined
  /** An actor of inline logic was made: there is no name under which it could be restored. */
  private inline = false

  constructor(owner: TreeOwner, logic: AnyActorLogic) {
    this.owner = owner
    this.logic = logic
  }

  /** Decides one input. Never throws: what goes wrong is the turn's fault, and the tree is then not to be used again. */
  run(seq: number, at: number, input: TurnInput): Turn {
    const turn = newTurn(seq, at, input.kind !== 'event')
    this.turn = turn
    this.made.clear()
    this.counts = { booked: 0, actions: 0, relays: 0 }
    this.book.begin()
    this.childFault = undefined
    try {
      pinned(at, `${this.owner.stream}/${seq}`, () => this.decide(turn, input))
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

  /** Makes the outcome of a turn visible. */
  show(turn: Turn): void {
    for (const { actor, snapshot } of turn.changed) (actor as InnerActor)[SHOWN] = snapshot
  }

  /** The root's state after the last turn, shown or not. */
  get decided(): ActorSnapshot {
    return this.root._snapshot
  }

  /** The root's state as all may see it. */
  get shown(): ActorSnapshot {
    return this.root.getSnapshot()
  }

  private decide(turn: Turn, input: TurnInput): void {
    if (input.kind === 'start') return this.start(turn, input.input)
    const wasActive = this.root._snapshot.status === 'active'
    if (input.kind === 'fail') this.fail(turn, input)
    else if (input.kind === 'timer') this.fire(turn, input.key)
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
    turn.ended.push(target)
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
      id: this.owner.id,
      inspect: (event) => {
        if (event.type === '@xstate.actor') this.adopt(event.actorRef as unknown as InnerActor)
      },
    }) as unknown as InnerActor
    base.subscribe.call(root, { error() {} }) // a root in error without observer would throw from a timer
    return root
  }

  /** All actors as plain data; undefined where they have no such form: inline logic, or actors that nobody holds. */
  state(): TreeState | undefined {
    if (this.inline) return undefined
    const seen = new Set<string>()
    const referred = new Map<string, InnerActor>()
    let running = 0
    const plain = (value: unknown) =>
      withAddresses(value, (ref) => referred.set(ref.sessionId, ref as unknown as InnerActor))
    const stateOf = (actor: InnerActor): ActorState => {
      seen.add(actor.sessionId)
      if (actor._processingStatus === RUNNING) running++
      const snapshot = actor._snapshot as ActorSnapshot & Record<string, any>
      if (actor.logic.kind !== 'machine') return plain({ ...snapshot, _subscription: undefined }) as ActorState
      const { status, output, error, value, context, children, historyValue } = snapshot
      const kept = Object.entries(children as Record<string, InnerActor | undefined>).flatMap(([id, child]) =>
        child ? [[id, childOf(child)] as const] : [],
      )
      const history = Object.entries(historyValue as Record<string, { id: string }[]>)
      return {
        ...{ status, output, error, value, context: plain(context) },
        children: Object.fromEntries(kept),
        historyValue: Object.fromEntries(history.map(([id, nodes]) => [id, nodes.map((n) => ({ id: n.id }))])),
      }
    }
    const childOf = (child: InnerActor): ChildState => ({
      src: child.src as string,
      ...(child.systemId !== undefined && { systemId: child.systemId }),
      ...(child._syncSnapshot && { syncSnapshot: true }),
      address: child.sessionId,
      ...(child._processingStatus === STOPPED && { stopped: true }),
      snapshot: stateOf(child),
    })
    const root = stateOf(this.root)
    const timers = [...this.timers.values()].map((t) => ({ ...t, event: plain(t.event) as AnyEventObject }))
    if (running !== this.actors.size) return undefined // one runs that is nobody's child any more
    const tombs: Record<string, { id: string; snapshot: ActorState }> = {}
    for (const [address, { id, _snapshot }] of referred) {
      const { status, output, error, value } = _snapshot as unknown as ActorState
      if (!seen.has(address)) tombs[address] = { id, snapshot: { status, output, error, value } }
    }
    return { root, tombs, timers }
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
      for (const [address, { id, snapshot }] of Object.entries(state.tombs))
        all.set(address, this.tomb(address, id, snapshot))
      const actor = (address: string) => all.get(address)
      for (const { logic, _snapshot } of all.values())
        if (logic.kind === 'machine') withActors((_snapshot as { context?: unknown }).context, actor)
      for (const each of all.values())
        if (stopped.has(each.sessionId)) {
          each._processingStatus = STOPPED
          each.system._unregister(each) // XState makes them anew, and they take their system id again
        }
      if (root._snapshot.status === 'active') root.start()
      for (const each of all.values()) each[SHOWN] = each._snapshot
      for (const timer of state.timers) {
        withActors(timer.event, actor)
        this.book.timers.set(timer.key, timer)
      }
    } finally {
      this.turn = undefined
      this.restoring = undefined
    }
    return turn.effects.filter((e) => e.kind === 'start')
  }

  /** What a reference to an actor that is gone still shows. */
  private tomb(address: string, id: string, snapshot: ActorState): InnerActor {
    const own = {
      id,
      sessionId: address,
      _snapshot: snapshot,
      _processingStatus: STOPPED,
      logic: { kind: 'transition' },
    }
    return Object.assign(Object.create(durableActor), own, {
      system: this.root.system,
      [TREE]: this,
      [SHOWN]: snapshot,
    })
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
    const state = { ...actor._snapshot } as never // XState writes into the state that it starts with
    const scope = actor._actorScope as never
    this.turn!.effects.push({
      kind: 'start',
      key: actor.sessionId,
      src: typeof actor.src === 'string' ? actor.src : '(inline)',
      logic: kind,
      work: {
        start: () => logic.start!(state, scope),
        stop: () => void logic.transition(state, { type: 'xstate.stop' }, scope),
        tell: (event) => void logic.transition(state, event, scope),
      },
    })
  }

  /** The seam: called for every actor before its first state. */
  private adopt(actor: InnerActor): void {
    const parent = actor._parent
    if (!parent) this.takeOver(actor)
    const address = this.restoring ? this.restoredAddress(actor, parent) : this.newAddress(actor, parent)
    if (parent && typeof actor.src !== 'string') this.inline = true
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
    this.made.add(address)
    return address
  }

  private restoredAddress(actor: InnerActor, parent: InnerActor | undefined): string {
    const { addresses, paths } = this.restoring!
    const path = parent ? `${paths.get(parent)}/${actor.id}` : ''
    paths.set(actor, path)
    return addresses.get(path)!
  }

  private wireScope(actor: InnerActor, address: string): void {
    const scope = actor._actorScope
    const inner = scope.actionExecutor
    scope.sessionId = address
    scope.actionExecutor = (action) => {
      if (builtin.has(action.type)) return inner(action)
      const { exec, info, params } = action
      if (!exec) return
      this.turn!.effects.push({
        kind: 'action',
        key: `${this.turn!.seq}/${this.counts.actions++}`,
        src: action.type,
        path: address,
        run: () => exec(info, params),
      })
    }
    scope.emit = (event) => {
      if (this.turn) this.turn.effects.push({ kind: 'emit', path: address, event })
      else this.owner.listeners.emit(address, event)
    }
    scope.logger = (...args) => {
      if (this.turn) this.turn.effects.push({ kind: 'log', args })
      else this.owner.log(args)
    }
  }

  private takeOver(root: InnerActor): void {
    this.root = root
    const { system } = root
    system._bookId = () => `x${this.turn!.seq}.${this.counts.booked++}`
    system._sendInspectionEvent = (event) => {
      if (event.type === '@xstate.actor') this.adopt(event.actorRef)
      else if (event.type === '@xstate.microstep' && event._transitions?.length) this.turn!.handled = true
    }
    system._relay = (source, target, event) => {
      if (this.restoring) return // what is said again was said before
      if (!this.turn) return this.owner.input(target.sessionId, event, isWork(source))
      if (++this.counts.relays > this.owner.maxRelays) {
        this.turn.fault ??= {
          error: new Error(`more than ${this.owner.maxRelays} events within one turn`),
          path: target.sessionId,
        }
        throw this.turn.fault.error
      }
      target._send(event)
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
