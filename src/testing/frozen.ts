import { type AnyStateMachine, StateMachine } from 'xstate'
import type { DurableMachine } from '../runtime/durable.ts'

/**
 * The same machine, with every context frozen as deep as plain objects and arrays go. One that writes into its context
 * (`context.list.push(…)` in an assign) would look right until it is rebuilt from the journal; frozen, it throws, and the
 * event is refused with MACHINE_THREW. Machines among its actors are frozen, too, where they have a name. What is in a Map,
 * a Set or an object of a class can't be frozen.
 *
 * It takes the place of the machine for one test: register it and use it, not the one it was made of.
 */
export function frozen<TMachine extends AnyStateMachine>(machine: DurableMachine<TMachine>): DurableMachine<TMachine> {
  return { ...machine, machine: freezing(machine.machine) }
}

function freezing<TMachine extends AnyStateMachine>(machine: TMachine): TMachine {
  const { implementations } = machine
  const actors = Object.entries(implementations.actors).map(([name, logic]) => [
    name,
    logic instanceof StateMachine ? freezing(logic) : logic,
  ])
  const frozen: TMachine = Object.create(machine)
  const { getInitialSnapshot, restoreSnapshot, transition } = StateMachine.prototype as unknown as TMachine // the machine's own are bound to it
  const own: Partial<AnyStateMachine> = {
    implementations: { ...implementations, actors: Object.fromEntries(actors) },
    getInitialSnapshot: (...args) => withFrozenContext(getInitialSnapshot.apply(frozen, args)),
    restoreSnapshot: (...args) => restoreSnapshot.apply(frozen, args), // frozen later: references to actors are put into it
    transition: (snapshot, event, scope) => {
      return withFrozenContext(transition.call(frozen, withFrozenContext(snapshot), event, scope))
    },
  }
  return Object.assign(frozen, own)
}

function withFrozenContext<T extends { context: unknown }>(snapshot: T): T {
  freeze(snapshot.context)
  return snapshot
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  const kind = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && kind !== Object.prototype && kind !== null) return
  Object.freeze(value)
  for (const item of Object.values(value)) freeze(item)
}
