// K4: an event from one instance reaches another exactly once. The sender counts its deliveries and says below which count
// none will come again; the receiver remembers those above.
import type { AnyStateMachine, EventFromLogic } from 'xstate'
import { DuramenError } from '../ports/errors.ts'
import type { DurableMachine } from './durable.ts'
import { type RunningEffect, runningEffect } from './effects.ts'
import type { Receipt, Sender } from './inputs.ts'

/** What `deliver` needs to know of the effect it is called in; the scope of every effect of a host. */
export interface Deliverer {
  readonly stream: string
  /** Key of the oldest action that may still deliver. */
  oldestAction(): string | undefined
  /** The record that made the oldest promise that may still deliver. */
  oldestPromise(): number | undefined
  /** Deliveries of one `line` to one receiver arrive in order. `from`: absent where the same one is never made again. */
  deliver(machine: DurableMachine, id: string, event: object, line: string, from?: Sender): Promise<Receipt>
}

const PER_LEVEL = 1024

/**
 * Sends an event to another instance, exactly once, also when the effect is repeated after a crash. Call it inside an
 * action or the function of a promise, callback or observable. An action or a promise has finished once the event is durable
 * there, awaited or not, and has failed when that fails; an action can deliver 1,023 times.
 * Deliveries to one receiver arrive in the order of the calls. The receiver must exist. A promise that is repeated must
 * deliver the same events in the same order.
 *
 * Rejects with NO_HOST outside a durable host, UNKNOWN_INSTANCE, or what the receiver answers.
 */
export function deliver<TMachine extends AnyStateMachine>(
  machine: DurableMachine<TMachine>,
  id: string,
  event: EventFromLogic<TMachine>,
): Promise<Receipt> {
  const effect = runningEffect()
  if (!effect?.world)
    return Promise.reject(
      new DuramenError('NO_HOST', 'deliver() was called outside the effects of a durable machine', {
        hint: 'Call it inside an action or an invoked promise of a machine that runs on a host.',
      }),
    )
  if (!effect.world.isCurrent(effect))
    return Promise.reject(
      new DuramenError('ABORTED', `${effect.key}: this attempt has ended and can't deliver any more`, {
        hint: 'Look at currentEffect().signal; deliver before the action or promise ends.',
      }),
    )
  const deliverer = effect.world.scope as Deliverer
  if (effect.calls >= PER_LEVEL - 1 && placeOf(effect.localKey) !== undefined)
    return Promise.reject(
      new DuramenError('BAD_OPTION', `an action can deliver ${PER_LEVEL - 1} times, ${effect.key} wants more`, {
        hint: 'Deliver from several actions, from an invoked promise, or one event that carries many.',
      }),
    )
  const done = deliverer.deliver(machine as DurableMachine, id, event, ...senderOf(effect, deliverer))
  if (effect.repeats) effect.waitFor(done)
  else done.catch(() => {}) // what lasts has no end that could wait for it: its own code knows, or wants not to
  return done
}

/** Actions of one instance count together, by their place in its history; a promise counts for itself. */
function senderOf(effect: RunningEffect, deliverer: Deliverer): [line: string, from?: Sender] {
  const { stream } = deliverer
  const call = effect.calls++
  const place = placeOf(effect.localKey)
  if (place !== undefined) {
    const oldest = deliverer.oldestAction()
    return [stream, [stream, place + call, (oldest === undefined ? undefined : placeOf(oldest)) ?? place]]
  }
  // a promise repeats its deliveries when it is repeated, a callback or an observable makes new ones
  if (!effect.repeats) return [`${effect.key}#${effect.attempt}`]
  return [effect.key, [stream, call, deliverer.oldestPromise() ?? 0, effect.localKey]]
}

/** `seq/index` of an action as a number that leaves room for its calls. */
function placeOf(key: string): number | undefined {
  const [, seq, index] = /^(\d+)\/(\d+)$/.exec(key) ?? []
  return seq === undefined ? undefined : (Number(seq) * PER_LEVEL + Number(index)) * PER_LEVEL
}
