// K8: what is to be decided is looked at, and copied, first.
// K12: binary data above the limit is refused, from outside as from effects.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AnyEventObject } from 'xstate'
import { type Encoded, type EncodeOptions, encode } from '../journal/codec.ts'
import { DuramenError, type ErrorPlace, isDuramenError } from '../ports/errors.ts'
import { partOf, textOf } from '../ports/thrown.ts'
import type { DurableMachine } from './durable.ts'
import { plainProblem, problemOf } from './hold.ts'

/** An event as it will be decided and kept. Throws BAD_EVENT, NOT_SERIALIZABLE or BINARY_TOO_LARGE. */
export function encodeEvent(machine: DurableMachine, instance: string, event: unknown, maxBinary: number): Encoded {
  const type = (event as { type?: unknown } | null | undefined)?.type
  if (typeof event !== 'object' || Array.isArray(event) || typeof type !== 'string' || type === '')
    throw new DuramenError('BAD_EVENT', `${machine.id}/${instance}: an event is an object with a type`, {
      where: { machine: machine.id, instance, path: 'event.type' },
      hint: "Send something like { type: 'PAY', amount: 3 }.",
    })
  const where: ErrorPlace = { machine: machine.id, instance, event: type }
  if (type === '*' || (type.startsWith('xstate.') && type !== 'xstate.route'))
    throw new DuramenError('BAD_EVENT', `${machine.id}/${instance}: '${type}' is no event that can come from outside`, {
      where: { ...where, path: 'event.type' },
      hint: 'Types that begin with xstate. belong to XState; choose another name.',
    })
  const schema = (machine.options.events as Record<string, StandardSchemaV1> | undefined)?.[type]
  if (!schema) return encodeFor(event, where, { name: 'event', maxBinary })
  const name = `${machine.id}/${instance}`
  const result = validated(schema, event, name, where)
  if (result instanceof Promise)
    throw new DuramenError('BAD_EVENT', `${name}: the schema of ${type} is asynchronous`, {
      where,
      hint: 'Use a synchronous schema.',
    })
  if (!result.issues) return encodeFor(result.value, where, { name: 'event', maxBinary })
  const [issue] = result.issues
  const path = ['event', ...(issue?.path ?? []).map((p) => String(typeof p === 'object' ? p.key : p))].join('.')
  throw new DuramenError('BAD_EVENT', `${name}: ${type} fails its schema at ${path}: ${issue?.message}`, {
    where: { ...where, path },
    cause: result.issues,
    hint: 'Send an event that fits the schema given to durable().',
  })
}

function validated(schema: StandardSchemaV1, event: unknown, name: string, where: ErrorPlace) {
  try {
    return schema['~standard'].validate(event)
  } catch (cause) {
    throw new DuramenError('BAD_EVENT', `${name}: the schema of ${where.event} threw: ${textOf(cause)}`, {
      where,
      cause,
      hint: 'A schema says what is wrong by its issues; mend it so that it throws for no event.',
    })
  }
}

/** `encode`, its errors with the place added. */
export function encodeFor(value: unknown, where: ErrorPlace, options: EncodeOptions): Encoded {
  try {
    return encode(value, options)
  } catch (error) {
    if (!isDuramenError(error)) throw error
    const { code, message, cause, hint } = error
    throw new DuramenError(code, `${where.machine}/${where.instance}: ${message}`, {
      cause,
      where: { ...where, ...error.where },
      ...(hint && { hint }),
    })
  }
}

/** Results that can't be kept become errors to those who wait for them; each with the event that tells so. */
const failing: Record<string, string> = {
  'xstate.promise.resolve': 'xstate.promise.reject',
  'xstate.promise.reject': 'xstate.promise.reject',
  'xstate.observable.next': 'xstate.observable.error',
  'xstate.observable.error': 'xstate.observable.error',
}

/** An event from inside, as it will be decided and kept (K8, K12). Throws only for what its sender can still mend. */
export function encodeInternal(event: AnyEventObject, where: ErrorPlace, maxBinary: number): Encoded {
  try {
    return encodeFor(event, { ...where, event: event.type }, { name: 'event', maxBinary })
  } catch (error) {
    const type = failing[event.type]
    if (type === undefined) throw error
    return encode({ type, data: type === event.type ? summary(event.data) : withoutCause(error) }, { name: 'error' })
  }
}

/** An error as it will be decided and kept; what hangs on it and can't be kept is left out. */
export function encodeError(error: unknown): Encoded {
  try {
    return encode(error, { name: 'error' })
  } catch {
    return encode(summary(error), { name: 'error' })
  }
}

/** What caused it holds the very thing that can't be kept. */
function withoutCause(error: unknown): unknown {
  return isDuramenError(error) ? problemOf(plainProblem(error)) : summary(error)
}

function summary(error: unknown): Error {
  const [name, message, stack, code] = ['name', 'message', 'stack', 'code'].map((part) => partOf(error, part))
  const kept = new Error(typeof message === 'string' ? message : textOf(error))
  if (typeof name === 'string') kept.name = name
  if (typeof stack === 'string') kept.stack = stack
  return typeof code === 'string' || typeof code === 'number' ? Object.assign(kept, { code }) : kept
}
