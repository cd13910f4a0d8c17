// The one way by which events from outside reach an instance.
import { inspect } from 'node:util'
import { DuramenError, isDuramenError } from '../ports/errors.ts'
import { assertNames, optionsGiven } from '../ports/given.ts'
import { Caller } from './caller.ts'
import { encodeEvent } from './events.ts'
import type { Receipt } from './inputs.ts'
import type { Instance } from './instance.ts'

/** Gives an event to an instance; `caller` hears of it in the moment it is durable. Throws what is wrong with the event. */
export function give(instance: Instance, event: { type: string }, id: string | undefined, caller: Caller): void {
  try {
    assertEventId(instance, id)
    const payload = encodeEvent(instance.machine, instance.id, event, instance.host.limits.maxBinary)
    instance.request({ kind: 'event', payload, id, caller })
  } catch (error) {
    if (isDuramenError(error)) instance.counts.reject(error.code)
    throw error
  }
}

/** The event's id, by the options of a send. Throws BAD_OPTION for what would be taken for an event without one. */
export function idGiven(options: { id?: string } | undefined): string | undefined {
  if (options === undefined) return undefined // most are
  const given = optionsGiven('send', options, "Leave it out, or give an object: { id: 'evt-1' }.")
  assertNames('send', given, ['id'])
  return given.id
}

/** Sends an event to an instance. */
export function sendTo(instance: Instance, event: { type: string }, id?: string): Promise<Receipt> {
  return new Promise((resolve, reject) => give(instance, event, id, new Caller(instance.counts, resolve, reject)))
}

function assertEventId({ machine, id: instance }: Instance, id: unknown): void {
  if (id === undefined || (typeof id === 'string' && id !== '' && id.length <= 500)) return
  throw new DuramenError('BAD_ID', `${machine.id}/${instance}: ${inspect(id)} can't be the id of an event`, {
    where: { machine: machine.id, instance, path: 'id' },
    hint: 'Give a string of 1 to 500 characters, or no id.',
  })
}
