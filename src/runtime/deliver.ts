// K4: an event from one instance reaches another exactly once: the sender counts, the receiver remembers how far.
import type { AnyStateMachine, EventFromLogic } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import type { DurableMachine } from './durable.ts'
import { type RunningEffect, runningEffect } from './effects.ts'
import type { Receipt } from './inputs.ts'

/** What `deliver` needs to know of the effect it is called in; the scope of every effect of a host. */
export interface Deliverer {
  readonly stream: string
  deliver(machine: DurableMachine, id: string, event: object, from: readonly [string, number]): Promise<Receipt>
}

const PER_LEVEL = 1024

/**
 * Sends an event to another instance, exactly once, also when the effect is repeated after a crash. Call it inside an
 * action or the function of a promise, callback or observable; the effect has finished once the event is durable there.
 * Deliveries to one receiver arrive in the order of the calls. The receiver must exist.
 *
 * Rejects with NO_HOST outside a durable host, UNKNOWN_INSTANCE, or what the receiver answers.
 */
export function deliver<TMachine extends AnyStateMachine>(
  machine: DurableMachine<TMachine>,
  id: string,
  event: EventFromLogic<TMachine>,
): Promise<Receipt> {
  const effect = runningEffect()
  if (!effect?.scope)
    return Promise.reject(
      new DuramenError('NO_HOST', 'deliver() was called outside the effects of a durable machine', {
        hint: 'Call it inside an action or an invoked promise of a machine that runs on a host.',
      }),
    )
  const deliverer = effect.scope as Deliverer
  const done = deliverer.deliver(machine as DurableMachine, id, event, senderOf(effect, deliverer.stream))
  effect.waits.push(done)
  return done
}

/** Actions of one instance count together, in the order of their commits; invoked work counts for itself. */
function senderOf(effect: RunningEffect, stream: string): [string, number] {
  const call = effect.calls++
  const place = /^\/(\d+)\/(\d+)$/.exec(effect.key.slice(stream.length))
  if (!place) return [effect.key, call]
  const index = Number(place[2])
  if (index >= PER_LEVEL || call >= PER_LEVEL)
    throw new DuramenError('BAD_OPTION', `more than ${PER_LEVEL} actions in a transition, or deliveries in an action`)
  return [stream, (Number(place[1]) * PER_LEVEL + index) * PER_LEVEL + call]
}
