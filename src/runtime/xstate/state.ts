// The actors of an instance as plain data (checkpoint.ts), and what has to be known before they are made of it again.
import type { AnyEventObject, AnyStateMachine } from 'xstate'
import {
  type ActorState,
  addressing,
  type ChildState,
  type TombState,
  type TreeState,
  withActors,
} from '../checkpoint.ts'
import type { ActorSnapshot, Timer } from '../turn.ts'
import { type InnerActor, RUNNING, SHOWN, STOPPED } from './inside.ts'
import { kindOf, logicOf } from './logic.ts'

/** The actors below `from`; undefined where one of the `count` that run is nobody's child any more. */
export function stateOf(from: InnerActor, count: number, waiting: readonly Timer[]): TreeState | undefined {
  const seen = new Set<string>()
  const referred = new Map<string, InnerActor>()
  let running = 0
  let unnamed = false
  const plain = addressing((ref) => referred.set(ref.sessionId, ref as unknown as InnerActor))
  const contentOf = (actor: InnerActor, childOf: (child: InnerActor) => unknown): ActorState => {
    const snapshot = actor._snapshot as ActorSnapshot & Record<string, any>
    if (actor.logic.kind !== 'machine') return plain({ ...snapshot, _subscription: undefined }) as ActorState
    const { status, value, context, children, historyValue } = snapshot
    const kept = Object.entries(children as Record<string, InnerActor | undefined>).flatMap(([id, child]) => {
      unnamed ||= child !== undefined && child.id !== id
      return child ? [[id, childOf(child)] as const] : []
    })
    const history = Object.entries(historyValue as Record<string, { id: string }[]>)
    return {
      ...{ status, output: plain(snapshot.output), error: plain(snapshot.error), value, context: plain(context) },
      children: Object.fromEntries(kept),
      historyValue: Object.fromEntries(history.map(([id, nodes]) => [id, nodes.map((n) => ({ id: n.id }))])),
    }
  }
  const actorState = (actor: InnerActor): ActorState => {
    seen.add(actor.sessionId)
    if (actor._processingStatus === RUNNING) running++
    return contentOf(actor, childOf)
  }
  const childOf = (child: InnerActor): ChildState => ({
    src: child.src as string,
    ...(child.systemId !== undefined && { systemId: child.systemId }),
    ...(child._syncSnapshot && { syncSnapshot: true }),
    address: child.sessionId,
    ...(child._processingStatus === STOPPED && { stopped: true }),
    snapshot: actorState(child),
  })
  const tombOf = (gone: InnerActor): TombState => ({
    id: gone.id,
    src: gone.src as string,
    ...(gone.systemId !== undefined && { systemId: gone.systemId }),
    parent: plain(gone._parent),
    snapshot: contentOf(gone, plain),
  })
  const root = actorState(from)
  const timers = waiting.map((t) => ({ ...t, event: plain(t.event) as AnyEventObject }))
  // one runs that is nobody's child any more, or was enqueued by spawnChild without an id
  if (running !== count || unnamed) return undefined
  const tombs: Record<string, TombState> = {}
  // what they refer to in turn is met while they are walked
  for (const [address, gone] of referred) if (!seen.has(address)) tombs[address] = tombOf(gone)
  return { root, tombs, timers }
}

/** Puts the actors in place of their addresses, wherever a state may hold them. */
export function reviveActors(snapshot: ActorSnapshot, actor: (address: string) => unknown): void {
  const held = snapshot as unknown as Record<string, unknown>
  for (const part of ['context', 'input', 'output', 'error']) if (held[part]) held[part] = withActors(held[part], actor)
}

/** A place among the actors, whatever is in their ids. */
export const placeOf = (parent: string, id: string) => `${parent}/${encodeURIComponent(id)}`

/** Finds each actor's address and checks, by name, that the machine still has what the state speaks of. */
export function placesOf(
  machine: AnyStateMachine,
  state: ActorState,
  path: string,
  addresses: Map<string, string>,
  stopped: Set<string>,
): void {
  machine.resolveState({ value: state.value as never, context: {} }) // throws for a state that is gone, with its name
  for (const [id, child] of Object.entries((state.children ?? {}) as Record<string, ChildState>)) {
    const place = placeOf(path, id)
    addresses.set(place, child.address)
    if (child.stopped) stopped.add(child.address)
    const logic = logicOf(machine, child.src)
    if (!logic) throw new Error(`the actor source '${child.src}' of ${place} is missing`)
    if (kindOf(logic) === 'machine') placesOf(logic as AnyStateMachine, child.snapshot, place, addresses, stopped)
  }
}

/** What all may see of an actor. */
export const shownOf = (actor: InnerActor): ActorSnapshot => actor[SHOWN] ?? actor._snapshot

/** What the actor at `address` shows, if it is the one at `from`, which shows `snapshot`, or below it. */
export function shownWithin(snapshot: ActorSnapshot, from: string, address: string): ActorSnapshot | undefined {
  if (address === from) return snapshot
  const { children = {} } = snapshot as { children?: Record<string, InnerActor> }
  for (const child of Object.values(children)) {
    const { sessionId } = child
    if (address === sessionId || address.startsWith(`${sessionId}/`))
      return shownWithin(shownOf(child), sessionId, address)
  }
  return undefined
}
