// The vocabulary between the actors of an instance and the rest of the kernel: what goes into a turn, and what comes out.
import type { AnyActorLogic, AnyEventObject, Snapshot } from 'xstate'
import type { EffectRecord } from '../journal/records.ts'
import type { Kept } from './kept.ts'
import type { Listeners } from './listeners.ts'

/** Address of an instance's root actor. */
export const ROOT = '@1'

/** A state of any actor. */
export type ActorSnapshot = Snapshot<unknown> & { value?: any; tags?: Set<string>; input?: unknown }

/** An actor, as a turn names it. */
export interface TurnActor {
  readonly sessionId: string
  getSnapshot(): ActorSnapshot
}

/** What a turn wants done outside, in order. */
export type Effect =
  | { kind: 'action'; key: string; src: string; path: string; params: unknown; run(): unknown }
  | { kind: 'start'; key: string; src: string; logic: EffectRecord['kind']; input: unknown; begin: Begin }
  | { kind: 'stop'; key: string }
  | { kind: 'tell'; key: string; event: AnyEventObject }
  | { kind: 'emit'; path: string; event: AnyEventObject; seq: number }
  | { kind: 'log'; args: unknown[] }

/** Begins work outside the system, as often as need be. `heard`: what the attempt says, and to whom. */
type Begin = (heard: (target: string, event: AnyEventObject) => void) => Attempt

/** One attempt at a promise, callback or observable. */
export interface Attempt {
  start(): void
  stop(): void
  tell(event: AnyEventObject): void
}

/** A delayed transition that waits. */
export interface Timer {
  readonly key: string
  readonly source: string
  readonly id: string
  readonly target: string
  readonly event: AnyEventObject
  /** When it was set. */
  readonly at: number
  readonly due: number
}

/** One journaled input, decided in memory. */
export interface Turn {
  readonly seq: number
  readonly at: number
  readonly effects: Effect[]
  readonly set: Timer[]
  readonly gone: string[]
  /** Keys of started work that has ended. */
  readonly ended: string[]
  /** Actors that changed, with their state after the turn. */
  readonly changed: { actor: TurnActor; snapshot: ActorSnapshot }[]
  /** A transition took the event. */
  handled: boolean
  /** Nobody was there to take it: nothing happened, nothing is to be recorded. */
  ignored: boolean
  fault: { error: unknown; path: string } | undefined
  /** It decides nothing: all begins with what a checkpoint has kept. */
  readonly kept?: Kept
}

/** One that has done nothing yet. */
export const newTurn = (seq: number, at: number, handled: boolean): Turn => ({
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

/** What a turn is decided on. */
export type TurnInput =
  | { kind: 'start'; input: unknown }
  | { kind: 'event'; target: string; event: AnyEventObject }
  | { kind: 'timer'; key: string }
  | { kind: 'fail'; target: string; error: unknown }
  | { kind: 'drop'; key: string }
  | { kind: 'stop' }

/** What runs in place of effects' own code, when a machine is tested (src/testing). */
export interface StandIn {
  /** Runs instead of an action. */
  action(src: string, params: unknown): unknown
  /** Is started instead of a promise, callback or observable. */
  work(src: string, logic: AnyActorLogic): AnyActorLogic
}

/** The instance, as the actors of its system need it. */
export interface TreeOwner {
  readonly id: string
  readonly stream: string
  readonly maxRelays: number
  readonly listeners: Listeners
  readonly standIn?: StandIn | undefined
  /** What the actor shows that has this address now; a system is replaced when the instance is loaded anew. */
  shown(address: string): ActorSnapshot | undefined
  /** An event that reached the system from outside a turn. */
  input(target: string, event: AnyEventObject): void
  log(args: unknown[]): void
}

/** An observer of an actor's states. */
export interface Observing {
  next?(snapshot: any): void
  error?(error: unknown): void
  complete?(): void
}
