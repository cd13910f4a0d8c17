// The errors of an instance: what, where, and what to do.
import { DuramenError, type ErrorPlace, isDuramenError } from '../ports/errors.ts'
import { shown } from '../ports/given.ts'
import { textOf } from '../ports/thrown.ts'

/** Machine and instance, as every error of an instance names them. */
export interface Place extends ErrorPlace {
  machine: string
  instance: string
}

const nameOf = ({ machine, instance }: Place) => `${machine}/${instance}`

export const closed = (where: Place) =>
  new DuramenError('CLOSED', `the host of ${nameOf(where)} is closed`, {
    where,
    hint: 'Open it again with openHost().',
  })

export const parked = (where: Place, problem: DuramenError) =>
  new DuramenError('PARKED', `${nameOf(where)} is parked: ${problem.message}`, {
    where,
    cause: problem,
    hint: 'Remove the cause, then call host.resume(machine, id, { who, why }).',
  })

/** The hint of what is parked for an input that the machine can't take. */
export function withSkip(where: Place, error: DuramenError, key: string): DuramenError {
  const { code, message, retryable, cause } = error
  const hint = `Mend the machine and call host.resume, or drop what it can't take: host.skip(machine, id, '${key}', { who, why }).`
  return new DuramenError(code, message, { retryable, cause, where: { ...error.where, ...where }, hint })
}

export const paused = (where: Place) =>
  new DuramenError('PAUSED', `${nameOf(where)} is paused`, {
    where,
    retryable: true,
    hint: 'Send it again after host.resume(machine, id, { who, why }); its history says who paused it, and why.',
  })

export const stillActive = (where: Place) =>
  new DuramenError('STILL_ACTIVE', `${nameOf(where)} is active and can't be purged`, {
    where,
    hint: 'Stop it first: host.stop(machine, id, { who, why }).',
  })

export const notTrimmable = (where: Place, why: string, hint: string, retryable = false) =>
  new DuramenError('NOT_TRIMMABLE', `${nameOf(where)} can't be trimmed: ${why}`, { where, hint, retryable })

/** `seq`: what the log begins with. */
export const trimmed = (where: Place, seq: number) =>
  new DuramenError('TRIMMED', `the commits of ${nameOf(where)} before ${seq} were trimmed`, {
    where: { ...where, seq },
    hint: `Its history begins with commit ${seq}, a checkpoint of all that was before. What was archived can be restored beside it.`,
  })

export const unknownEffect = (where: Place, op: string, key: string) =>
  new DuramenError('UNKNOWN_EFFECT', `${nameOf(where)} has no ${key} to ${op}`, {
    where,
    hint: 'Give the key of an action that has failed, of a promise, or of a timer, as actor.history() and the problem show it; it may have ended meanwhile.',
  })

export const unknownInstance = (where: Place, why = 'is not there') =>
  new DuramenError('UNKNOWN_INSTANCE', `${nameOf(where)} ${why}`, {
    where,
    hint: 'Create it with host.actor(machine, id, { input }).',
  })

export const mailboxFull = (where: Place, waiting: number) =>
  new DuramenError('MAILBOX_FULL', `${waiting} events wait for ${nameOf(where)} already`, {
    where,
    retryable: true,
    hint: 'Send more slowly: await send(); or raise the option mailbox.',
  })

/** K8: a machine that throws rejects the event. */
export const machineThrew = (where: Place, event: string, path: string, cause: unknown) =>
  new DuramenError('MACHINE_THREW', `${nameOf(where)} can't take ${event}: ${textOf(cause)}`, {
    cause,
    where: { ...where, event, path },
    hint: 'Nothing was recorded and the instance is as before; mend the machine or the event.',
  })

export const effectFailed = (where: Place, kind: string, src: string, key: string, path: string, cause: unknown) =>
  new DuramenError('MACHINE_THREW', `${kind} '${src}' (${key}) failed: ${textOf(cause)}`, {
    cause,
    where: { ...where, event: src, path },
    hint: 'It is a dead letter (host.deadLetters()) and is tried again when the instance is resumed.',
  })

/** What a journal answered, with the instance's name. */
export function ofJournal(where: Place, error: DuramenError): DuramenError {
  const { code, message, retryable, hint } = error
  const place = { ...error.where, ...where }
  return new DuramenError(code, `${nameOf(where)}: ${message}`, {
    cause: error,
    retryable,
    where: place,
    ...(hint && { hint }),
  })
}

/** K11: what is neither known to have happened nor not to have. */
export const outcomeUnknown = (where: Place, cause: DuramenError) =>
  new DuramenError('OUTCOME_UNKNOWN', `whether ${nameOf(where)} has taken the event is not known: ${cause.message}`, {
    where,
    cause,
    hint: 'Send it again with the same id once the journal can be read.',
  })

export function asDuramenError(error: unknown, where: Place): DuramenError {
  if (isDuramenError(error)) return error
  return new DuramenError('REPLAY_DIVERGED', `${nameOf(where)}: ${textOf(error)}`, {
    cause: error,
    where,
    hint: "See the cause: today's machine, or what it calls, throws for what the log holds. Mend it, or run the version that wrote it.",
  })
}

export function unknownMachine(id: string, registered: readonly string[]): DuramenError {
  const names = registered.map((name) => `'${name}'`).join(', ') || 'none'
  return new DuramenError('UNKNOWN_MACHINE', `no machine is registered as '${id}'; registered: ${names}`, {
    where: { machine: id },
    hint: 'Give it to openHost({ machines }) or host.register(machine).',
  })
}

export const instanceExists = (where: Place) =>
  new DuramenError('INSTANCE_EXISTS', `${nameOf(where)} exists`, {
    where,
    hint: 'Open it without create, or choose another id.',
  })

/** Throws BAD_ID. */
export function assertId(machine: string, id: unknown): void {
  if (typeof id === 'string' && /^[^\p{Cc}]{1,500}$/u.test(id)) return
  throw new DuramenError('BAD_ID', `${shown(id)} can't be the id of an instance of ${machine}`, {
    where: { machine },
    hint: 'Use 1 to 500 characters without control characters.',
  })
}
