// K8: what comes from outside is looked at before anything is decided.
import { type Encoded, type EncodeOptions, encode } from '../journal/codec.ts'
import { DuramenError, type ErrorPlace, isDuramenError } from '../ports/errors.ts'
import type { DurableMachine } from './durable.ts'

/** An event as it will be decided and kept. Throws BAD_EVENT, NOT_SERIALIZABLE or BINARY_TOO_LARGE. */
export function encodeEvent(machine: DurableMachine, instance: string, event: unknown, maxBinary: number): Encoded {
  const where: ErrorPlace = { machine: machine.id, instance }
  const name = `${machine.id}/${instance}`
  const type = (event as { type?: unknown } | null | undefined)?.type
  if (typeof event !== 'object' || Array.isArray(event) || typeof type !== 'string' || type === '')
    throw new DuramenError('BAD_EVENT', `${name}: an event is an object with a type`, {
      where: { ...where, path: 'event.type' },
      hint: "Send something like { type: 'PAY', amount: 3 }.",
    })
  where.event = type
  if (type === '*' || type.startsWith('xstate.'))
    throw new DuramenError('BAD_EVENT', `${name}: '${type}' is no event that can come from outside`, {
      where: { ...where, path: 'event.type' },
      hint: 'Types that begin with xstate. belong to XState; choose another name.',
    })
  const schema = (
    machine.options.events as Record<string, import('@standard-schema/spec').StandardSchemaV1> | undefined
  )?.[type]
  if (!schema) return encodeFor(event, where, { name: 'event', maxBinary })
  const result = schema['~standard'].validate(event)
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
