// One attempt at a promise, callback or observable.
//
// K5: XState knows work by its actor, and an actor runs once. Here each attempt has a self and a system of its own in front
//     of the actor's, so that what comes of it is known by the attempt it belongs to, and stopping one stops no other.
import { type AnyActorLogic, type AnyEventObject, fromPromise } from 'xstate'
import type { ActorSnapshot, Attempt } from '../turn.ts'
import { type InnerActor, TREE } from './inside.ts'

type PromiseLogic = AnyActorLogic & { config: (options: object) => unknown }

const source = (logic: AnyActorLogic) => Function.prototype.toString.call(logic.start)
const usual = source(fromPromise(async () => 0))

/** `heard`: what the attempt says, and to whom. */
export function attemptAt(
  actor: InnerActor,
  logic: AnyActorLogic,
  snapshot: ActorSnapshot,
  heard: (target: string, event: AnyEventObject) => void,
): Attempt {
  const state = { ...snapshot } as never // XState writes into the state that it starts with
  const system = Object.create(actor.system, {
    _relay: {
      value: (from: InnerActor | undefined, to: InnerActor, event: AnyEventObject) =>
        actor[TREE].turn ? actor.system._relay(from, to, event) : heard(to.sessionId, event),
    },
  })
  const scope = { ...actor._actorScope, self: Object.create(actor), system } as never
  // XState's own tells nobody of the end of a promise whose actor was stopped; a slot that it holds has to know
  if (actor.logic.kind === 'promise' && source(logic) === usual)
    return promiseAt(logic as PromiseLogic, { ...(scope as object), input: snapshot.input }, (event) =>
      heard(actor.sessionId, event),
    )
  return {
    start: () => logic.start!(state, scope),
    stop: () => void logic.transition(state, { type: 'xstate.stop' }, scope),
    tell: (event) => void logic.transition(state, event, scope),
  }
}

function promiseAt(
  { config }: PromiseLogic,
  { input, system, self, emit }: Record<string, unknown>,
  ended: (event: AnyEventObject) => void,
): Attempt {
  const controller = new AbortController()
  return {
    start: () =>
      void Promise.resolve(config({ input, system, self, signal: controller.signal, emit })).then(
        (data) => ended({ type: 'xstate.promise.resolve', data }),
        (data) => ended({ type: 'xstate.promise.reject', data }),
      ),
    stop: () => controller.abort(),
    tell: () => {},
  }
}
