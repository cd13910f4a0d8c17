// What takes the place of an actor's own logic: machines and transitions run in the turn, the start of a promise, callback
// or observable is captured, and so is its end.
import {
  type AnyActorLogic,
  type AnyStateMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
} from 'xstate'
import type { EffectRecord } from '../../journal/records.ts'
import type { ActorSnapshot } from '../turn.ts'
import { type InnerActor, type InnerLogic, type Kind, STEPS, TREE } from './inside.ts'

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

/** A promise, callback or observable. */
export const isWork = (actor: InnerActor | undefined) =>
  actor !== undefined && actor.logic.kind !== 'machine' && actor.logic.kind !== 'transition'

/** Why logic of kind `custom` is refused. */
export const NOT_KNOWN =
  'logic with a start() of its own, or of another XState: when it runs and what it has sent is not known to a replay; make it with fromCallback, fromPromise or fromObservable'

const wrapped = new WeakMap<AnyActorLogic, InnerLogic>()

/** The logic under which an actor of an instance runs. */
export function wrap(logic: AnyActorLogic): InnerLogic {
  const known = wrapped.get(logic)
  if (known) return known
  const kind = kindOf(logic)
  if (kind === 'custom') throw new Error(`an actor of ${NOT_KNOWN}`)
  const inner: InnerLogic = Object.assign(Object.create(logic), { kind })
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
    self[STEPS] = 0
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
      tree.workEnded(self)
      tree.turn!.effects.push({ kind: 'stop', key: self.sessionId })
      return { ...snapshot, status: 'stopped', error: undefined } as ActorSnapshot
    }
    if (kind === 'callback') {
      tree.turn!.effects.push({ kind: 'tell', key: self.sessionId, event })
      return snapshot
    }
    const next = logic.transition(snapshot as never, event, scope as never) as ActorSnapshot
    if (next.status !== 'active') tree.workEnded(self)
    return next
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
