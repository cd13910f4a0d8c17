// Actors that are gone and to which somebody still holds a reference: they show their last state and take nothing.
//
// K3: a machine may ask such a reference for all that it could ask before a checkpoint was taken.
import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { type TombState, withActors } from '../checkpoint.ts'
import type { ActorSnapshot } from '../turn.ts'
import { durableActor } from './actor.ts'
import { type InnerActor, type InnerLogic, SHOWN, STOPPED, TREE, type Tree } from './inside.ts'
import { logicOf, wrap } from './logic.ts'

/** Makes the actors that are gone, among `all` that are there. Throws where the machine has changed. */
export function layTombs(tree: Tree, states: Readonly<Record<string, TombState>>, all: Map<string, InnerActor>): void {
  const entries = Object.entries(states)
  for (const [address, { id, src, systemId }] of entries) {
    const own = { id, src, sessionId: address, _processingStatus: STOPPED, [TREE]: tree, [SHOWN]: undefined }
    all.set(address, Object.assign(Object.create(durableActor), own, systemId !== undefined && { systemId }))
  }
  const actor = (address: string) => all.get(address)
  const lay = (address: string): InnerActor => {
    const gone = all.get(address)!
    const state = states[address]
    if (!state || gone.logic) return gone
    const parent = lay((withActors(state.parent, actor) as InnerActor).sessionId)
    const logic = logicOf(parent.logic as unknown as AnyStateMachine, state.src)
    if (!logic) throw new Error(`the actor source '${state.src}' of ${address} is missing`)
    gone._parent = parent
    gone.system = parent.system
    gone.logic = wrap(logic)
    gone._snapshot = snapshotOf(logic, gone.logic, state)
    return gone
  }
  for (const [address] of entries) lay(address)
  for (const [address, { snapshot }] of entries) {
    const { _snapshot } = all.get(address)!
    if (snapshot.children) Object.assign(_snapshot, { children: withActors(snapshot.children, actor) })
  }
}

function snapshotOf(logic: AnyActorLogic, { kind }: InnerLogic, { snapshot }: TombState): ActorSnapshot {
  if (kind !== 'machine') return snapshot as unknown as ActorSnapshot
  return (logic as AnyStateMachine).restoreSnapshot({ ...snapshot, children: {} } as never, undefined as never)
}
