// What XState 5.33 looks like inside, as far as duramen touches it; all of that is in this folder, and
// test/runtime/seams.test.ts fails when another XState changes what is used here.
import type { AnyActorLogic, AnyEventObject } from 'xstate'
import type { EffectRecord } from '../../journal/records.ts'
import type { ActorSnapshot, TreeOwner, Turn, TurnActor } from '../turn.ts'

/** The system of an instance, as its actors and their logic need it. */
export interface Tree {
  readonly owner: TreeOwner
  readonly turn: Turn | undefined
  touch(actor: InnerActor): void
  /** A transition has put an observer on an actor, which is in no snapshot. */
  watchedWithin(actor: InnerActor): void
  threw(actor: InnerActor, error: unknown): void
  captureStart(actor: InnerActor, logic: AnyActorLogic, kind: EffectRecord['kind']): void
  workEnded(actor: InnerActor): void
}

/** An actor as XState has it inside. */
export interface InnerActor extends TurnActor {
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
  _deferred: (() => void)[]
  _actorScope: InnerScope
  _send(event: AnyEventObject): void
  send(event: AnyEventObject): void
  _error(error: unknown): void
  getSnapshot(): ActorSnapshot
  start(): void
  _stop(): void
  [TREE]: Tree
  [SHOWN]: ActorSnapshot | undefined
  [STARTING]?: boolean
  [STEPS]?: number
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
export interface InnerLogic {
  kind: Kind
  /** Of a machine. */
  options?: { maxIterations?: number }
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
export type Kind = 'machine' | 'transition' | 'custom' | EffectRecord['kind']

export const TREE = Symbol('duramen.tree')
/** XState's own part of an actor's start is running. */
export const STARTING = Symbol('duramen.starting')
/** Microsteps since its transition began. */
export const STEPS = Symbol('duramen.steps')
export const SHOWN = Symbol('duramen.shown')
export const NOT_STARTED = 0
export const RUNNING = 1
export const STOPPED = 2
/** Actions of XState's own that act in memory. */
export const builtin = new Set(
  ['spawnChild', 'stopChild', 'sendTo', 'raise', 'cancel', 'emit', 'log'].map((n) => `xstate.${n}`),
)
