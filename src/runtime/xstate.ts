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
  createActor,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
} from 'xstate'
import type { EffectRecord } from '../journal/records.ts'
import { pinned } from './pin.ts'
import {
  type ActorSnapshot,
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

/** A live XState system that never acts by itself. */
export class ActorTree {
  readonly owner: TreeOwner
  readonly actors = new Map<string, InnerActor>()
  readonly timers = new Map<string, Timer>()
  private root!: InnerActor
  turn: Turn | undefined
  private readonly logic: AnyActorLogic
  private made = new Set<string>()
  private counts = { booked: 0, scheduled: 0, actions: 0, relays: 0 }
  private childFault: Turn['fault']

  constructor(owner: TreeOwner, logic: AnyActorLogic) {
    this.owner = owner
    this.logic = logic
  }

  /** Decides one input. Never throws: what goes wrong is the turn's fault, and the tree is then not to be used again. */
  run(seq: number, at: number, input: TurnInput): Turn {
    const turn: Turn = {
      seq,
      at,
      effects: [],
      set: [],
      gone: [],
      ended: [],
      changed: [],
      handled: input.kind !== 'event',
      ignored: false,
      fault: undefined,
    }
    this.turn = turn
    this.made.clear()
    this.counts = { booked: 0, scheduled: 0, actions: 0, relays: 0 }
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
    this.removeTimer(key)
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
    const actor = createActor(this.logic, {
      id: this.owner.id,
      input,
      inspect: (event) => {
        if (event.type === '@xstate.actor') this.adopt(event.actorRef as unknown as InnerActor)
      },
    }) as unknown as InnerActor
    base.subscribe.call(actor, { error() {} }) // a root in error without observer would throw from a timer
    actor.start()
    if (actor._snapshot.status === 'error') turn.fault = { error: actor._snapshot.error, path: ROOT }
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
    const path = parent ? `${parent.sessionId}/${actor.id}@${this.turn!.seq}` : ROOT
    let address = path
    for (let k = 1; this.made.has(address); k++) address = `${path}.${k}`
    this.made.add(address)
    actor.sessionId = address
    Object.setPrototypeOf(actor, durableActor)
    actor[TREE] = this
    actor[SHOWN] = undefined
    actor.logic = wrap(actor.logic as unknown as AnyActorLogic)
    this.wireScope(actor, address)
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
    system.scheduler = {
      schedule: (from, to, event, delay, id) => {
        const { seq, at } = this.turn!
        const nth = this.counts.scheduled++
        const name = id ?? `t${seq}.${nth}` // XState's default is a random number
        // unique per scheduling: a firing that waits in the queue must never hit a newer timer of the same id
        const key = `${from.sessionId}|${name}@${seq}.${nth}`
        const timer = {
          key,
          source: from.sessionId,
          id: name,
          target: to.sessionId,
          event,
          due: at + (delay > 0 && delay < Number.POSITIVE_INFINITY ? delay : 0), // as setTimeout takes what is no delay
        }
        this.timers.set(key, timer)
        this.turn!.set.push(timer)
      },
      cancel: (from, id) => {
        let last: string | undefined
        for (const t of this.timers.values()) if (t.source === from.sessionId && t.id === id) last = t.key
        if (last !== undefined) this.removeTimer(last)
      },
      cancelAll: (actor) => {
        for (const t of this.timers.values()) if (t.source === actor.sessionId) this.removeTimer(t.key)
      },
    }
  }

  private removeTimer(key: string): void {
    this.timers.delete(key)
    this.turn!.gone.push(key)
  }
}
