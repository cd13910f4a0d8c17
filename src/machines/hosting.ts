// What the ready-made machines have in common on a host: one set of them for each, their instances, and what is seen of those.
import { Observable } from 'rxjs'
import type { AnyMachineSnapshot, AnyStateMachine, EmittedFrom, InputFrom } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import { badOption } from '../ports/given.ts'
import type { DurableActor } from '../runtime/actor.ts'
import type { DurableMachine } from '../runtime/durable.ts'
import type { ActorArguments, Host } from '../runtime/host.ts'

/** These machines count themselves what ends their process, or wait as long as it takes: nothing is lost because it ended often. */
export const UNCOUNTED = { '*': { crashes: Number.POSITIVE_INFINITY } }

/** How long a commit may take before it counts as not to be had, where somebody waits for an end, ms. */
export const COMMIT = 5000

/** Throws BAD_OPTION. */
export function assertHost(call: string, host: Host): void {
  if (typeof (host as Partial<Host> | undefined)?.register !== 'function')
    throw badOption(call, host, 'is no host', `Give what openHost() has answered: ${call}(host, …).`)
}

/** What there is once for each host, made when it is asked for. */
export function perHost<A>(make: (host: Host) => A): (host: Host) => A {
  const made = new WeakMap<Host, A>()
  return (host) => {
    const one = made.get(host) ?? make(host)
    made.set(host, one)
    return one
  }
}

/** What an earlier process still asks for has the same id, and another boot. */
export const bootKey = ({ id, boot }: { readonly id: string; readonly boot: string }): string => `${id}/${boot}`

/**
 * The instance with this id, made where there is none. `what` is its name for people. Rejects with CLOSED when `host.stop` has
 * ended it, or with what host and journal answer.
 */
export async function openInstance<TMachine extends AnyStateMachine>(
  host: Host,
  machine: DurableMachine<TMachine>,
  id: string,
  input: InputFrom<TMachine>,
  what: string,
  hint = 'host.purge(machine, id, { who, why }) frees its id.',
): Promise<DurableActor<TMachine>> {
  await host.register(machine as unknown as DurableMachine)
  const actor = await host.actor(machine, id, ...([{ input }] as unknown as ActorArguments<TMachine>))
  if ((actor.getSnapshot() as AnyMachineSnapshot).status !== 'active')
    throw new DuramenError('CLOSED', `${what} was ended by host.stop`, {
      where: { machine: machine.id, instance: id },
      hint,
    })
  return actor
}

/** How an instance is doing: now, and after each commit. Completes when it ends or its host is closed. */
export function statusOf<TMachine extends AnyStateMachine, A>(
  actor: DurableActor<TMachine>,
  read: () => A,
): Observable<A> {
  return new Observable((subscriber) => {
    subscriber.next(read())
    return actor.subscribe({ next: () => subscriber.next(read()), complete: () => subscriber.complete() })
  })
}

/** What an instance emits, from now on. Completes when it ends or its host is closed. */
export function eventsOf<TMachine extends AnyStateMachine>(
  actor: DurableActor<TMachine>,
): Observable<EmittedFrom<TMachine>> {
  return new Observable((subscriber) => {
    const listening = actor.on('*', (message) => subscriber.next(message))
    const closing = actor.subscribe({ complete: () => subscriber.complete() })
    return () => {
      listening.unsubscribe()
      closing.unsubscribe()
    }
  })
}
